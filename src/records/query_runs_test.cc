// Runs, as the admin API asks the records for them.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "journal/test_support.h"
#include "records/queries.h"

namespace weir {
namespace {

UsageRow call(TimeNs time, std::string run, std::string key = "ann") {
  UsageRow out{.time = time, .request_id = "req_" + std::to_string(time), .usage = {.input_uncached = 5}};
  out.key = std::move(key), out.run = std::move(run), out.model = "m";
  out.usd_micros = 7;
  return out;
}

class RunQueries : public testing::Test {
 protected:
  void book(const std::vector<UsageRow>& rows) { ASSERT_TRUE(store.book(rows, {}, {})); }
  std::vector<std::string> names(const RunFilter& filter, std::size_t size = 100) {
    std::vector<std::string> out;
    PageAsk ask{.size = size};
    do {
      const auto page = queries.runs(filter, ask);
      EXPECT_TRUE(page) << page.error().message;
      if (!page) break;
      EXPECT_LE(page->runs.size(), size);
      for (const RunSum& run : page->runs) out.push_back(run.run + "*" + std::to_string(run.requests));
      ask.cursor = page->next;
    } while (!ask.cursor.empty());
    return out;
  }

  TempDir dir{memory_directory()};
  Store store = Store::open(dir.path(), {.create = true}).value();
  RecordQueries queries{store};
};
using Names = std::vector<std::string>;

TEST_F(RunQueries, ARunIsTheSumOfItsRequestsAndIsShownByItsLastUse) {
  UsageRow first = call(10, "a"), child = call(20, "a"), tool = call(25, "a");
  first.agent = "planner", first.tenant = "acme", first.user = "u", first.node = 0xf0000001;
  child.agent = "helper", child.tenant = "acme", child.user = "u", child.node = 2, child.parent = 0xf0000001;
  child.depth = 1;
  tool.model.clear(), tool.tool_calls = 3, tool.tenant = "acme", tool.user = "u";
  book({first, call(15, "b"), child, tool, call(22, "", "ann")});
  EXPECT_EQ(names({}), (Names{"a*3", "b*1"}));
  const auto page = queries.runs({}, {});
  const RunSum& run = page->runs.at(0);
  EXPECT_EQ(run.first, 10);
  EXPECT_EQ(run.last, 25);
  EXPECT_EQ(std::tie(run.key, run.tenant, run.user, run.agent), std::make_tuple("ann", "acme", "u", "planner"));
  EXPECT_EQ(std::tie(run.llm_calls, run.tool_calls, run.tokens, run.usd_micros, run.depth),
            std::make_tuple(2, 3, 15, 21, 1));
  const auto tree = queries.run({}, "a").value().value();
  ASSERT_EQ(tree.calls.size(), 3u);
  EXPECT_EQ(tree.calls[1], child);
  EXPECT_EQ(tree.sum.requests, 3);
  EXPECT_FALSE(queries.run({}, "c").value());
  EXPECT_FALSE(queries.run({.key = "bob"}, "a").value());
}

TEST_F(RunQueries, IdleForTooLongIsAnotherRunOfThatNameAndPagesShowEachOnce) {
  book({call(1, "a"), call(5, "x"), call(kHour + 1, "a"), call(kHour + 2, "b"), call(3 * kHour, "a"),
        call(3 * kHour + 1, "a", "bob"), call(3 * kHour + 2, "c")});
  for (const std::size_t size : {1, 2, 3, 100}) {
    EXPECT_EQ(names({}, size), (Names{"c*1", "a*1", "a*1", "b*1", "a*2", "x*1"})) << size;
  }
  EXPECT_EQ(queries.run({.key = "ann"}, "a").value()->calls.size(), 1u);
  EXPECT_EQ(queries.run({.until = 2 * kHour, .key = "ann"}, "a").value()->calls.size(), 2u);
  EXPECT_EQ(queries.run({}, "a").value()->sum.key, "bob") << "the last one";
}

TEST_F(RunQueries, FiltersLeaveOutWholeRunsNotRows) {
  UsageRow helper = call(30, "a");
  helper.agent = "helper";
  book({call(10, "a"), call(15, "b"), call(16, "b", "bob"), call(20, "a"), helper, call(40, "a")});
  EXPECT_EQ(names({.agent = "helper"}), Names{"a*4"});
  EXPECT_EQ(names({.key = "bob"}), Names{"b*1"});
  EXPECT_EQ(names({.since = 16}), (Names{"a*3", "b*1"}));
  EXPECT_EQ(names({.wanted = [](const std::string& key, const std::string&, TimeNs) { return key == "bob"; }}, 1),
            Names{"b*1"});
}

TEST_F(RunQueries, FlagsAreTheBreakersThatSpokeUpDuringTheRun) {
  book({call(10, "loop"), call(20, "loop"), call(15, "calm"), call(3 * kHour, "loop")});
  const auto note = [](TimeNs at, std::string limit, std::string layer = "breaker") {
    AuditRow row{.time = at, .key = "ann", .layer = std::move(layer), .limit = std::move(limit)};
    row.event = AuditEvent::kBroken, row.run = "loop";
    return row;
  };
  ASSERT_TRUE(
      store.book({}, {{note(12, "repeats"), note(25, "profile"), note(26, "repeats"), note(13, "x", "rate")}}, {}));
  EXPECT_EQ(names({.flagged = true}), (Names{"loop*1", "loop*2"}));
  const auto page = queries.runs({}, {});
  ASSERT_EQ(page->runs.size(), 3u);
  EXPECT_TRUE(page->runs[0].flags.empty()) << "its later life did nothing";
  EXPECT_EQ(page->runs[1].flags, (std::vector<std::string>{"profile", "repeats"}));
  EXPECT_TRUE(page->runs[2].flags.empty());
}

TEST_F(RunQueries, RunsOfOneRequestCanBeLeftOutUnlessABreakerSpokeUp) {
  UsageRow helper = call(50, "two");
  helper.agent = "helper";
  book({call(10, "alone"), call(20, "two"), call(30, "stuck"), helper, call(60, "newest"), call(70, "three"),
        call(80, "three"), call(90, "three")});
  AuditRow stuck{.time = 31, .key = "ann", .layer = "breaker", .limit = "repeats"};
  stuck.event = AuditEvent::kBroken, stuck.run = "stuck";
  ASSERT_TRUE(store.book({}, {{stuck}}, {}));
  for (const std::size_t size : {1, 2, 100}) {
    EXPECT_EQ(names({.single = false}, size), (Names{"three*3", "two*2", "stuck*1"})) << size;
  }
  EXPECT_EQ(names({.agent = "helper", .single = false}), Names{"two*2"}) << "the agent is that of its last request";
}

TEST_F(RunQueries, ByCostFlaggedRunsComeFirstAndPagesShowEachOnce) {
  UsageRow dear = call(40, "dear"), loop = call(20, "loop");
  dear.usd_micros = 500, loop.usd_micros = 1;
  book({call(10, "old"), call(11, "old"), loop, call(30, "alone"), dear});
  AuditRow broken{.time = 21, .key = "ann", .layer = "breaker", .limit = "repeats"};
  broken.event = AuditEvent::kBroken, broken.run = "loop";
  ASSERT_TRUE(store.book({}, {{broken}}, {}));
  for (const std::size_t size : {1, 2, 3, 100}) {
    EXPECT_EQ(names({.by_cost = true}, size), (Names{"loop*1", "dear*1", "old*2", "alone*1"})) << size;
  }
  EXPECT_EQ(names({.single = false, .by_cost = true}), (Names{"loop*1", "old*2"}));
  EXPECT_FALSE(queries.runs({.by_cost = true}, {.cursor = "r1.1"}));
}

TEST_F(RunQueries, ByCostTheNewestRequestsAreRankedAndTheAnswerSaysSinceWhen) {
  EXPECT_EQ(RunFilter{}.ranked_rows, kMaxRankedRunRows);
  std::vector<UsageRow> rows;
  for (TimeNs at = 1; at <= 11; ++at) rows.push_back(call(at, at == 1 ? "old" : "a"));
  book(rows);
  const auto page = queries.runs({.by_cost = true, .ranked_rows = 10}, {});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->ranked_since, 1);
  ASSERT_EQ(page->runs.size(), 1u);
  EXPECT_EQ(page->runs[0].requests, 10);
  EXPECT_EQ(queries.runs({.by_cost = true, .ranked_rows = 11}, {})->ranked_since, 0);
}

TEST_F(RunQueries, AQuestionThatReadsTooMuchSaysSo) {
  std::vector<UsageRow> rows;
  for (TimeNs at = 0; at < 20'000; ++at) rows.push_back(call(at, "a"));
  book(rows);
  RecordQueries poor(store, 20'000);
  for (const auto& error : {poor.runs({}, {}).error(), poor.run({}, "a").error()}) {
    EXPECT_EQ(error.message, kReadsTooMuch);
    EXPECT_TRUE(asker_can_mend(error));
  }
  const auto tree = queries.run({}, "a").value().value();
  EXPECT_EQ(tree.calls.size(), kMaxQueryPage);
  EXPECT_EQ(tree.calls.back().time, 19'999);
  EXPECT_EQ(tree.sum.requests, 20'000);
  EXPECT_FALSE(queries.runs({}, {.cursor = "u1.1"}));
}

// Against lives that are found by walking all rows forwards.
RC_GTEST_FIXTURE_PROP(RunQueries, PagesOfAnySizeShowEveryRunOnce, ()) {
  std::map<std::string, std::vector<std::pair<TimeNs, TimeNs>>> lives;
  std::vector<UsageRow> rows;
  TimeNs at = kDay;
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 1000));
  for (const int step : steps) {
    at += step % 7 * 10 * kMinute + 1;
    rows.push_back(call(at, std::string(1, static_cast<char>('a' + step % 5))));
    auto& known = lives[rows.back().run];
    if (known.empty() || at - known.back().second > kHour) known.emplace_back(at, at);
    known.back().second = at;
  }
  RC_ASSERT(bool(store.book(rows, {}, {})));
  std::multiset<std::tuple<std::string, TimeNs, TimeNs>> expected, shown;
  for (const auto& [run, all] : lives) {
    for (const auto& [first, last] : all) expected.emplace(run, first, last);
  }
  PageAsk ask{.size = static_cast<std::size_t>(*rc::gen::inRange(1, 5))};
  do {
    const auto page = queries.runs({}, ask);
    RC_ASSERT(bool(page));
    for (const RunSum& run : page->runs) shown.emplace(run.run, run.first, run.last);
    ask.cursor = page->next;
  } while (!ask.cursor.empty());
  RC_ASSERT(shown == expected);
}

}  // namespace
}  // namespace weir
