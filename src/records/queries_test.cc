// What the admin API asks of the records.
#include "records/queries.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "journal/test_support.h"
#include "records/hour_sums.h"
#include "records/sqlite.h"

namespace weir {
namespace {

UsageRow row(TimeNs time, std::string key, std::int64_t usd_micros) {
  UsageRow out{.time = time, .request_id = "req_" + std::to_string(time), .usage = {.input_uncached = 5}};
  out.key = std::move(key);
  out.usd_micros = usd_micros;
  return out;
}

class Queries : public testing::Test {
 protected:
  void book(const std::vector<UsageRow>& rows) { ASSERT_TRUE(store.book(rows, {}, {})); }
  void note(const std::vector<AuditRow>& rows) { ASSERT_TRUE(store.book({}, rows, {})); }
  std::vector<TimeNs> times(const UsageFilter& filter) {
    std::vector<TimeNs> out;
    const auto page = ask.usage(filter, {});
    EXPECT_TRUE(page) << page.error().message;
    for (const UsageRow& each : page->rows) out.push_back(each.time);
    return out;
  }

  TempDir dir{memory_directory()};
  Store store = Store::open(dir.path(), {.create = true}).value();
  RecordQueries ask{store};
};

TEST_F(Queries, RowsBookedTogetherAreOfTheirOwnHourAndKey) {
  book({row(kHour, "2a", 1), row(12 * kHour, "a", 10)});
  EXPECT_EQ(ask.usage_sums({.since = 0, .until = kDay}, SumBy::kKey, 9)->sums.size(), 2u)
      << "hour 1 of 2a is not hour 12 of a";
}

TEST_F(Queries, RowsComeNewestFirstAndEveryNameFilters) {
  UsageRow odd = row(3 * kHour, "bob", 1);
  odd.tenant = "acme", odd.user = "u", odd.tier = "pro", odd.model = "m", odd.provider = "p", odd.agent = "a";
  odd.run = "r", odd.conversation = "c";
  book({row(5, "ann", 1), odd, row(kHour + 1, "ann", 1), row(9 * kHour, "ann", 1)});
  EXPECT_EQ(times({}), (std::vector<TimeNs>{9 * kHour, 3 * kHour, kHour + 1, 5}));
  EXPECT_EQ(times({.since = 5, .until = kHour + 1}), std::vector<TimeNs>{5});
  EXPECT_EQ(times({.key = "ann"}), (std::vector<TimeNs>{9 * kHour, kHour + 1, 5}));
  EXPECT_EQ(times({.key = "nobody"}), std::vector<TimeNs>{});
  for (std::string UsageFilter::* name :
       {&UsageFilter::key, &UsageFilter::tenant, &UsageFilter::user, &UsageFilter::tier, &UsageFilter::model,
        &UsageFilter::provider, &UsageFilter::agent, &UsageFilter::run, &UsageFilter::conversation}) {
    UsageFilter filter;
    filter.*name = name == &UsageFilter::key        ? odd.key
                   : name == &UsageFilter::tenant   ? odd.tenant
                   : name == &UsageFilter::user     ? odd.user
                   : name == &UsageFilter::tier     ? odd.tier
                   : name == &UsageFilter::model    ? odd.model
                   : name == &UsageFilter::provider ? odd.provider
                   : name == &UsageFilter::agent    ? odd.agent
                   : name == &UsageFilter::run      ? odd.run
                                                    : odd.conversation;
    EXPECT_EQ(times(filter), std::vector<TimeNs>{3 * kHour});
  }
}

// Hours that have the run's number, or -1 for rows of which nobody knows.
std::vector<std::int64_t> noted_hours(const std::string& file, std::int64_t number) {
  Database db;
  EXPECT_TRUE(db.open(file, SQLITE_OPEN_READONLY, 1000));
  Statement s = db.prepare("SELECT hour FROM run_hours WHERE number = ?1 ORDER BY hour");
  s.bind(1, number);
  std::vector<std::int64_t> all;
  while (s.next()) all.push_back(s.integer(0));
  return all;
}

TEST_F(Queries, TheHoursOfARunAreKnownHoweverItsRowsCome) {
  const auto of = [](TimeNs time, std::string run, std::string route = "") {
    UsageRow out = row(time, "ann", 1);
    out.run = std::move(run), out.route = std::move(route);
    return out;
  };
  book({of(1, "r"), of(2, "r"), of(kHour, "s"), of(kHour + 1, ""), of(5 * kHour, "r")});
  book({of(3, "r"), of(7 * kHour, "r", std::string(kDecisionRoute))});
  Database older;
  ASSERT_TRUE(older.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  ASSERT_TRUE(older.execute(
      "INSERT INTO usage (time, request_id, key, tenant, user, tier, kind, conversation, run, agent, model, provider, "
      "route, status, input_uncached, cache_read, cache_write, output_visible, reasoning, audio_in, audio_out, "
      "usd_micros, reserved_tokens, tool_calls, degraded, attempts, settled) SELECT time + 3 * 3600000000000, "
      "request_id, key, tenant, user, tier, kind, conversation, run, agent, model, provider, route, status, 0, 0, 0, "
      "0, 0, 0, 0, 0, 0, 0, '', 1, 0 FROM usage WHERE run = 's'"));
  EXPECT_EQ(noted_hours(dir / "weir.db", NotedRuns::number_of("r")), (std::vector<std::int64_t>{0, 5}));
  EXPECT_EQ(noted_hours(dir / "weir.db", -1), (std::vector<std::int64_t>{4, 7}));
  EXPECT_EQ(times({.run = "r"}), (std::vector<TimeNs>{7 * kHour, 5 * kHour, 3, 2, 1}));
  EXPECT_EQ(times({.since = 3, .until = 7 * kHour, .key = "ann", .run = "r"}), (std::vector<TimeNs>{5 * kHour, 3}));
  EXPECT_EQ(times({.key = "bob", .run = "r"}), std::vector<TimeNs>{});
  EXPECT_EQ(times({.run = "s"}), (std::vector<TimeNs>{4 * kHour, kHour}));
  EXPECT_EQ(times({.run = "t"}), std::vector<TimeNs>{});
}

TEST_F(Queries, ARunWhoseRowsWereNotBookedAtOnceIsNotedWhenTheyAre) {
  UsageRow one = row(kHour, "ann", 1);
  one.run = "r";
  Database other;
  ASSERT_TRUE(other.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  ASSERT_TRUE(other.execute("CREATE TRIGGER full BEFORE INSERT ON drained BEGIN SELECT RAISE(ABORT, 'full'); END"));
  const DrainPosition position{.sequence = 1, .offset = 1};
  EXPECT_FALSE(store.book({&one, 1}, {}, {&position, 1}));
  ASSERT_TRUE(other.execute("DROP TRIGGER full"));
  EXPECT_TRUE(store.book({&one, 1}, {}, {&position, 1}));
  EXPECT_EQ(times({.run = "r"}), std::vector<TimeNs>{kHour});
}

TEST(NotedRuns, AnHourHasSoManyNumbersAndNoMore) {
  NotedRuns noted;
  std::uint64_t added = 0;
  for (int i = 0; i < 900'000; ++i) added += noted.add(5, NotedRuns::number_of("run_" + std::to_string(i))) ? 1 : 0;
  EXPECT_EQ(added, NotedRuns::kMaxNumbers);
  EXPECT_TRUE(noted.add(4, 1)) << "of an older hour nothing is remembered";
  EXPECT_FALSE(noted.add(5, 1));
  EXPECT_TRUE(noted.add(6, 1));
  noted.forget();
  EXPECT_TRUE(noted.add(6, 1));
}

TEST_F(Queries, ARunOfLongAgoCostsItsOwnHoursOnly) {
  std::vector<UsageRow> rows;
  for (TimeNs at = 0; at < 20'000; ++at) rows.push_back(row(kHour + at * kSecond, "ann", 1));
  rows[7].run = "r";
  book(rows);
  RecordQueries poor(store, 50'000);
  EXPECT_EQ(poor.usage({.run = "r"}, {})->rows.size(), 1u);
  EXPECT_EQ(poor.run({}, "r").value()->sum.requests, 1);
  EXPECT_FALSE(poor.usage({.agent = "x"}, {})) << "all rows are too much";
}

TEST_F(Queries, PagesShowEachRowOnceWhileRowsArrive) {
  // Many of one instant: their order is that of arrival.
  std::vector<UsageRow> rows;
  for (int i = 0; i < 25; ++i) rows.push_back(row(2 * kHour + i / 7, "ann", i));
  book(rows);
  std::set<std::int64_t> seen;
  PageAsk page_ask{.size = 4, .cursor = {}};
  for (int pages = 0; pages < 100; ++pages) {
    const auto page = ask.usage({}, page_ask);
    ASSERT_TRUE(page);
    for (const UsageRow& each : page->rows) EXPECT_TRUE(seen.insert(each.usd_micros).second) << each.usd_micros;
    if (page->next.empty()) break;
    page_ask.cursor = page->next;
    book({row(3 * kHour, "ann", 1000 + pages), row(2 * kHour + 3, "ann", 2000 + pages)});
  }
  for (int i = 0; i < 25; ++i) EXPECT_TRUE(seen.contains(i)) << i;
}

TEST_F(Queries, APageIsAsLongAsAskedAndNeverLongerThanTheBound) {
  std::vector<UsageRow> rows;
  for (int i = 0; i < 1005; ++i) rows.push_back(row(kHour + i, "ann", i));
  book(rows);
  EXPECT_EQ(ask.usage({}, {.size = 1, .cursor = {}})->rows.size(), 1u);
  EXPECT_EQ(ask.usage({}, {.size = 100'000, .cursor = {}})->rows.size(), kMaxQueryPage);
  const auto last = ask.usage({}, {.size = 1000, .cursor = ask.usage({}, {.size = 1000, .cursor = {}})->next});
  EXPECT_EQ(last->rows.size(), 5u);
  EXPECT_EQ(last->next, "");
}

TEST_F(Queries, ACursorOfAnotherListOrNoneIsAnErrorTheAskerCanMend) {
  for (const char* cursor : {"nonsense", "u", "u.", "a1.1", "u1.1x", "u-", "u1"}) {
    const auto page = ask.usage({}, {.size = 1, .cursor = cursor});
    ASSERT_FALSE(page) << cursor;
    EXPECT_TRUE(asker_can_mend(page.error()));
  }
}

TEST_F(Queries, AuditRowsAreFilteredByEveryNameAndAKeyFindsItsChanges) {
  AuditRow broken{.time = 5, .key = "ann", .event = AuditEvent::kBroken, .layer = "breaker", .limit = "repeats"};
  broken.user = "u", broken.tool = "t", broken.run = "r", broken.count = 3;
  const AuditRow refused{.time = 7, .request_id = "req_7", .key = "bob", .layer = "rate", .limit = "tokens"};
  const AuditRow admin{
      .time = 9, .event = AuditEvent::kAdmin, .layer = "admin", .limit = "keys revoke", .per_json = R"({"key":"ann"})"};
  note({broken, refused, admin});
  const auto found = [&](const AuditFilter& filter) {
    std::vector<TimeNs> out;
    const auto page = ask.audit(filter, {});
    for (const AuditRow& each : page->rows) out.push_back(each.time);
    return out;
  };
  EXPECT_EQ(found({.event = {}}), (std::vector<TimeNs>{9, 7, 5}));
  EXPECT_EQ(found({.event = AuditEvent::kBroken}), std::vector<TimeNs>{5});
  EXPECT_EQ(found({.event = {}, .decisions = true}), (std::vector<TimeNs>{7, 5}));
  EXPECT_EQ(found({.event = {}, .layer = "rate"}), std::vector<TimeNs>{7});
  EXPECT_EQ(found({.event = {}, .limit = "repeats"}), std::vector<TimeNs>{5});
  EXPECT_EQ(found({.event = {}, .user = "u"}), std::vector<TimeNs>{5});
  EXPECT_EQ(found({.event = {}, .tool = "t"}), std::vector<TimeNs>{5});
  EXPECT_EQ(found({.event = {}, .run = "r"}), std::vector<TimeNs>{5});
  EXPECT_EQ(found({.event = {}, .request_id = "req_7"}), std::vector<TimeNs>{7});
  EXPECT_EQ(found({.event = {}, .key = "ann"}), (std::vector<TimeNs>{9, 5}));
  const auto page = ask.audit({.event = {}}, {.size = 2, .cursor = {}});
  ASSERT_EQ(page->rows.size(), 2u);
  EXPECT_EQ(ask.audit({.event = {}}, {.size = 2, .cursor = page->next})->rows.at(0), broken);
  const auto sums = ask.audit_sums(0, kHour, AuditBy::kEvent);
  EXPECT_EQ(sums->at(0).group, "broken");
  EXPECT_EQ(sums->at(0).count, 3);
  EXPECT_EQ(sums->size(), 3u);
  EXPECT_EQ(ask.audit_sums(0, kHour, AuditBy::kEvent, true)->size(), 2u);
}

TEST_F(Queries, SumsAreExactAtTheEndsOfARangeAndTheRestIsOneGroup) {
  book({row(kHour - 1, "ann", 1), row(kHour + 5, "ann", 20), row(2 * kHour, "bob", 300),
        row(2 * kHour + 9, "cid", 4000), row(3 * kHour + 9, "cid", 50'000)});
  const auto sums = ask.usage_sums({.since = kHour + 5, .until = 3 * kHour + 9}, SumBy::kKey, 1);
  ASSERT_TRUE(sums);
  ASSERT_EQ(sums->sums.size(), 2u);
  EXPECT_EQ(sums->sums[0].group, "cid");
  EXPECT_EQ(sums->sums[0].usd_micros, 4000);
  EXPECT_EQ(sums->others, 2);
  EXPECT_EQ(sums->sums[1].usd_micros, 320);
  EXPECT_EQ(sums->total.usd_micros, 4320);
  EXPECT_EQ(sums->total.requests, 3);
  const auto hours = ask.usage_sums({.key = "cid"}, SumBy::kUtcHour, 10);
  ASSERT_EQ(hours->sums.size(), 2u);
  EXPECT_EQ(hours->sums[0].group, "1970-01-01T03:00:00Z");
  EXPECT_EQ(ask.usage_sums({}, SumBy::kUtcDay, 10)->sums.at(0).group, "1970-01-01");
}

TEST_F(Queries, ASeriesHasAValueForEveryStepAndTheRestOfTheGroups) {
  book({row(kHour, "ann", 1000), row(3 * kHour, "bob", 20), row(3 * kHour + 1, "cid", 3)});
  RefusalHour shadow{.hour = 2, .limit = "l", .layer = "rate", .key = "ann", .count = 5};
  shadow.shadow = true;
  ASSERT_TRUE(store.add_refusal_hours({{{.hour = 2, .limit = "l", .layer = "rate", .key = "bob", .count = 7},
                                        {.hour = 2, .limit = "l", .layer = "rate", .key = "ann", .count = 2},
                                        shadow}}));
  const auto series = ask.usage_series({.since = kHour + 5, .until = 4 * kHour}, SumBy::kKey, kHour, 1);
  ASSERT_TRUE(series);
  EXPECT_EQ(series->times, (std::vector<TimeNs>{kHour, 2 * kHour, 3 * kHour}));
  ASSERT_EQ(series->groups.size(), 2u);
  EXPECT_EQ(series->groups[0].usd_micros, (std::vector<std::int64_t>{1000, 0, 0}));
  EXPECT_EQ(series->groups[0].refused, (std::vector<std::int64_t>{0, 2, 0}));
  EXPECT_TRUE(series->groups[1].rest);
  EXPECT_EQ(series->groups[1].usd_micros, (std::vector<std::int64_t>{0, 0, 23}));
  EXPECT_EQ(series->groups[1].refused, (std::vector<std::int64_t>{0, 7, 0}));
  const auto all = ask.usage_series({.since = kHour, .until = 4 * kHour}, SumBy::kAll, kHour, 8);
  ASSERT_EQ(all->groups.size(), 1u);
  EXPECT_EQ(all->groups[0].requests, (std::vector<std::int64_t>{1, 0, 2}));
  EXPECT_EQ(all->groups[0].refused, (std::vector<std::int64_t>{0, 9, 0}));
  EXPECT_TRUE(
      ask.usage_series({.since = 0, .until = kHour, .tier = "pro"}, SumBy::kAll, kHour, 8)->groups[0].refused.empty());
}

TEST_F(Queries, TooManyPointsOfASeriesAreRefusedWithWords) {
  const auto series = ask.usage_series({.since = 0, .until = 400 * kDay}, SumBy::kKey, kHour, 8);
  ASSERT_FALSE(series);
  EXPECT_TRUE(asker_can_mend(series.error()));
  EXPECT_NE(series.error().message.find(std::to_string(kMaxSeriesPoints)), std::string::npos);
}

TEST_F(Queries, AQuestionThatReadsTooMuchIsStoppedAndTheNextOneIsNot) {
  std::vector<UsageRow> rows;
  for (int i = 0; i < 5000; ++i) rows.push_back(row(kHour + i, "key-" + std::to_string(i), 1));
  book(rows);
  RecordQueries little(store, 2000);
  for (int turn = 0; turn < 2; ++turn) {
    const auto sums = little.usage_sums({}, SumBy::kKey, 10);
    ASSERT_FALSE(sums);
    EXPECT_EQ(sums.error().message, kReadsTooMuch);
    EXPECT_FALSE(little.usage({.conversation = "none"}, {}));
    EXPECT_TRUE(little.usage({}, {.size = 1, .cursor = {}}));
  }
  EXPECT_EQ(ask.usage_sums({}, SumBy::kKey, 10)->total.requests, 5000);
}

TEST_F(Queries, ThereAreAtMostSoManyGroupsToldApart) {
  std::vector<UsageRow> rows;
  for (std::size_t i = 0; i < kMaxSumGroups + 3; ++i) rows.push_back(row(kHour, "k" + std::to_string(i), 1));
  book(rows);
  const auto sums = ask.usage_sums({}, SumBy::kKey, 2);
  ASSERT_TRUE(sums);
  EXPECT_EQ(sums->total.requests, static_cast<std::int64_t>(kMaxSumGroups + 3));
  EXPECT_EQ(sums->sums.back().requests, static_cast<std::int64_t>(kMaxSumGroups + 1));
}

TEST_F(Queries, DaysAreSummedOnceAndAnewWhenARowComesLate) {
  book({row(kHour, "ann", 1), row(kDay + 1, "ann", 20), row(2 * kDay + 1, "ann", 300)});
  EXPECT_EQ(store.sum_days(2 * kDay + 5, 1).value(), 1u);
  EXPECT_EQ(store.sum_days(2 * kDay + 5, 10).value(), 1u);  // the third day is not over
  EXPECT_EQ(store.sum_days(2 * kDay + 5, 10).value(), 0u);
  const auto dollars = [&] { return ask.usage_sums({}, SumBy::kAll, 1)->total.usd_micros; };
  EXPECT_EQ(dollars(), 321);
  book({row(2 * kHour, "bob", 4000)});
  EXPECT_EQ(dollars(), 4321);
  EXPECT_EQ(store.sum_days(2 * kDay + 5, 10).value(), 1u);
  EXPECT_EQ(dollars(), 4321);
  ASSERT_TRUE(store.purge_subject({.key = "bob", .user = {}, .tenant = {}}, {.at = 1, .by = "test"}));
  EXPECT_EQ(dollars(), 321);
}

TEST_F(Queries, DollarsByHourAreTheSameWithSummedDaysAndWithout) {
  UsageRow acme = row(30 * kHour, "ann", 7000);
  acme.tenant = "acme";
  book({row(kHour, "ann", 1), row(kHour + 1, "bob", 20), row(30 * kHour, "ann", 300), acme, row(49 * kHour, "cid", 5)});
  const auto dollars = [&](std::string_view tenant) {
    std::map<std::int64_t, std::int64_t> out;
    const auto spends = ask.spend_by_hour(kHour, 50 * kHour, tenant);
    for (const HourSpend& each : *spends) out[each.hour] = each.usd_micros;
    return out;
  };
  using Hours = std::map<std::int64_t, std::int64_t>;
  for (int summed = 0; summed < 3; ++summed) {
    EXPECT_EQ(dollars(""), (Hours{{1, 21}, {30, 7300}, {49, 5}})) << summed;
    EXPECT_EQ(dollars("acme"), (Hours{{30, 7000}})) << summed;
    EXPECT_TRUE(store.sum_days(2 * kDay + 5, 1));
  }
  book({row(2 * kHour, "late", 4)});
  EXPECT_EQ(dollars("").at(2), 4) << "a row that comes late takes its day back";
  ASSERT_TRUE(store.purge_subject({.key = {}, .user = {}, .tenant = "acme"}, {.at = 100 * kHour, .by = "test"}));
  EXPECT_EQ(dollars("acme"), Hours{});
  EXPECT_EQ(dollars("").at(30), 300);
}

TEST_F(Queries, RowsOfATenantAreFoundAcrossDaysThatAreSummedWithoutIt) {
  UsageRow acme = row(kHour, "ann", 1), later = row(3 * kDay + 5, "ann", 2);
  acme.tenant = later.tenant = "acme";
  book({acme, row(kDay + 1, "bob", 20), row(2 * kDay, "bob", 20), later, row(4 * kDay, "bob", 20)});
  for (int summed = 0; summed < 5; ++summed) {
    const auto page = ask.usage({.tenant = "acme"}, {});
    ASSERT_EQ(page->rows.size(), 2u) << summed;
    EXPECT_EQ(page->rows[1].time, kHour);
    EXPECT_TRUE(ask.usage({.tenant = "nobody"}, {})->rows.empty());
    EXPECT_TRUE(store.sum_days(9 * kDay, 1));
  }
}

using Group = std::tuple<std::int64_t, std::string, std::string, std::string, std::string>;
using Sums = std::map<Group, std::vector<std::int64_t>>;

Sums hours_of(const std::string& dir) {
  Database db;
  EXPECT_TRUE(db.open(dir + "/weir.db", SQLITE_OPEN_READWRITE, 1000));
  Statement s = db.prepare(
      "SELECT hour, key, user, model, tenant, requests, input_tokens, output_tokens, usd_micros, tool_calls, "
      "cached_tokens FROM usage_hours");
  Sums sums;
  while (s.next()) {
    for (int at = 5; at < 11; ++at)
      sums[{s.integer(0), s.text(1), s.text(2), s.text(3), s.text(4)}].push_back(s.integer(at));
  }
  return sums;
}

Sums hours_from_rows(Store& store) {
  Sums sums;
  EXPECT_TRUE(store.usage(0, [&](const UsageRow& each) {
    auto& sum = sums[{each.time / kHour, each.key, each.user, each.model, each.tenant}];
    sum.resize(6);
    const std::int64_t values[] = {
        1, each.usage.input(), each.usage.output(), each.usd_micros, each.tool_calls, each.usage.cache_read};
    for (std::size_t i = 0; i < 6; ++i) sum[i] += values[i];
    return true;
  }));
  return sums;
}

// An older process knows nothing of the sums: it inserts rows, and the store keeps them right.
void insert_as_an_older_process(const std::string& dir, TimeNs time) {
  Database db;
  ASSERT_TRUE(db.open(dir + "/weir.db", SQLITE_OPEN_READWRITE, 1000));
  ASSERT_TRUE(
      db.execute(("INSERT INTO usage (time, request_id, key, tenant, user, tier, kind, conversation, run, agent, "
                  "model, provider, route, status, input_uncached, cache_read, cache_write, output_visible, "
                  "reasoning, audio_in, audio_out, usd_micros, reserved_tokens, tool_calls, degraded, attempts, "
                  "settled) VALUES (" +
                  std::to_string(time) +
                  ", 'old', 'k0', '', '', '', '', '', '', '', 'm', 'p', '/', 200, 3, 2, 1, 4, 5, 0, 0, 6, 7, "
                  "8, '', 1, 0)")
                     .c_str()));
}

RC_GTEST_PROP(UsageHours, EqualTheSumsOfTheRowsAfterWhateverHappens, ()) {
  TempDir dir(memory_directory());
  Store store = Store::open(dir.path(), {.create = true}).value();
  const int operations = *rc::gen::inRange(1, 10);
  for (int i = 0; i < operations; ++i) {
    const auto hour = *rc::gen::inRange<std::int64_t>(0, 4) * 20;  // of four days
    switch (*rc::gen::inRange(0, 6)) {
      case 0:
      case 1:
      case 2: {
        std::vector<UsageRow> rows;
        const int count = *rc::gen::inRange(1, 8);
        for (int n = 0; n < count; ++n) {
          UsageRow each = row(hour * kHour + *rc::gen::inRange(0, 3), "k" + std::to_string(*rc::gen::inRange(0, 3)),
                              *rc::gen::inRange(0, 100));
          each.user = *rc::gen::element<std::string>("", "ann");
          each.usage.cache_read = *rc::gen::inRange(0, 9);
          each.tool_calls = *rc::gen::inRange(0, 3);
          // The same id again replaces the hold's row, in the same batch too.
          if (*rc::gen::arbitrary<bool>()) each.route = std::string(kDecisionRoute), each.request_id = "hold";
          rows.push_back(std::move(each));
        }
        RC_ASSERT(store.book(rows, {}, {}).has_value());
        break;
      }
      case 3:
        insert_as_an_older_process(dir.path(), hour * kHour + 1);
        break;
      case 4:
        RC_ASSERT(store.purge_usage(hour * kHour + 1, 3).has_value());
        break;
      default:
        RC_ASSERT(store.purge_subject({.key = "k1", .user = {}, .tenant = {}}, {.at = -1, .by = "test"}).has_value());
    }
    RC_ASSERT(hours_of(dir.path()) == hours_from_rows(store));
    if (*rc::gen::arbitrary<bool>())
      RC_ASSERT(store.sum_days(9 * kDay, *rc::gen::inRange<std::size_t>(0, 4)).has_value());
    RecordQueries ask(store);
    const auto sums = ask.usage_sums({.until = 10 * kDay}, SumBy::kKey, 100);
    std::map<std::string, std::int64_t> dollars, expected;
    for (const UsageSum& sum : sums->sums) dollars[sum.group] = sum.usd_micros;
    for (const auto& [group, values] : hours_from_rows(store)) expected[std::get<1>(group)] += values[3];
    RC_ASSERT(dollars == expected);
  }
}

}  // namespace
}  // namespace weir
