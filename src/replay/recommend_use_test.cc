#include "replay/recommend_use.h"

#include "replay/recommend_clock.h"
#include "replay/recommend_exclusions.h"
#include "replay/test_recommend.h"

namespace weir {
namespace {

using enum UseWindow;

TEST(UseBook, OneRowIsItsOwnUseInEveryWindow) {
  const auto policy = built_in();
  const UseBook book = book_of(*policy, {{.input = 900, .output = 100}});
  ASSERT_EQ(book.groups().size(), 1u);
  const GroupUse& group = book.groups()[0];
  EXPECT_EQ(group.tier, "free");
  EXPECT_EQ(group.kind, "agent");
  EXPECT_EQ(group.shape, Shape::kUnknown);
  for (const UseWindow window : {kPerMinute, kPerHour, kPerDay}) {
    EXPECT_EQ(group.of(window, UseMeter::kRequests).quantile(0.95), 1);
    EXPECT_EQ(group.of(window, UseMeter::kTokens).count(), 1);
    EXPECT_NEAR(static_cast<double>(group.of(window, UseMeter::kTokens).quantile(0.5)), 1'000, 8);
  }
  // 900 x 2.50 + 100 x 10.00 dollars per million
  EXPECT_NEAR(static_cast<double>(group.of(kPerDay, UseMeter::kUsd).quantile(0.5)), 3'250, 26);
}

TEST(UseBook, ValuesAreSumsOfOneConsumerInOneWindowAndIdleWindowsAreNone) {
  const auto policy = built_in();
  // ann: 3 in minute 0, 1 in minute 59; bob: 2 in minute 0. All in hour 0, then ann once in hour 5.
  const UseBook book = book_of(*policy, {{.at = 0},
                                         {.at = 1},
                                         {.at = 1, .key = "bob"},
                                         {.at = 2},
                                         {.at = 3, .key = "bob"},
                                         {.at = 3'599},
                                         {.at = 5 * 3'600}});
  const GroupUse& group = book.groups()[0];
  EXPECT_EQ(group.consumers, 2);
  EXPECT_EQ(group.of(kPerMinute, UseMeter::kRequests).count(), 4);  // 3, 1, 1, 2
  EXPECT_EQ(group.of(kPerMinute, UseMeter::kRequests).quantile(1), 3);
  EXPECT_EQ(group.of(kPerHour, UseMeter::kRequests).count(), 3);  // 4, 1, 2
  EXPECT_EQ(group.of(kPerHour, UseMeter::kRequests).quantile(0.5), 2);
  EXPECT_EQ(group.of(kPerDay, UseMeter::kRequests).quantile(1), 5);
}

TEST(UseBook, TiersAndKindsAreApartAndSorted) {
  const auto policy = built_in();
  const UseBook book = book_of(*policy, {{.tier = "pro", .kind = "service"},
                                         {.tier = "pro", .kind = "human"},
                                         {.tier = "", .kind = ""},
                                         {.tier = "gold", .kind = "agent"}});
  std::string names;
  for (const GroupUse& group : book.groups()) names += group.tier + "/" + group.kind + " ";
  EXPECT_EQ(names, "free/agent gold/agent pro/human pro/service ");
}

TEST(UseBook, AUserIsTheCallerWhateverTheKeyAndNeverAKeyOfThatName) {
  const auto policy = built_in();
  const UseBook book = book_of(*policy, {{.key = "one", .user = "ann"}, {.key = "two", .user = "ann"}, {.key = "ann"}});
  ASSERT_EQ(book.consumers().size(), 2u);
  EXPECT_EQ(book.consumers()[0].requests, 2);
}

TEST(UseBook, ARunCountsWhereItBegins) {
  const auto policy = built_in();
  const UseBook book = book_of(*policy, {{.at = 0, .run = "r1"},
                                         {.at = 1, .run = "r2"},
                                         {.at = 2, .run = "r1"},
                                         {.at = 100, .run = "r1"},
                                         {.at = 101, .run = "r3"},
                                         {.at = 102},
                                         {.at = 2'000, .run = "r1"},
                                         {.at = 2'001, .run = "r2"},
                                         {.at = 2'002, .run = "r4"}});
  const AmountHistogram& runs = book.groups()[0].of(kPerMinute, UseMeter::kRuns);
  EXPECT_EQ(runs.count(), 3);
  EXPECT_EQ(runs.quantile(0.5), 2);
  EXPECT_EQ(runs.quantile(1), 3) << "those that idled out begin again";
}

TEST(UseBook, RowsOutOfOrderAreAnErrorThatSaysWhatToDo) {
  const auto policy = built_in();
  UseBook book(*policy);
  EXPECT_TRUE(book.add(ledger_row({.at = 10})));
  const auto added = book.add(ledger_row({.at = 9}));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().message,
            "the rows are out of order: 2026-01-05T00:00:09Z follows 2026-01-05T00:00:10Z; sort them by time");
}

TEST(UseBook, NoWindowHoldsMoreThanTwoNeighbours) {
  const auto policy = built_in();
  const UseBook book = book_of(*policy, {{.at = 30}, {.at = 59}, {.at = 61}, {.at = 125}, {.at = 600}});
  EXPECT_EQ(book.consumers()[0].windows[0].most[0], 3);
  const UseBook gap = book_of(*policy, {{.at = 30}, {.at = 125}, {.at = 126}, {.at = 245}});
  EXPECT_EQ(gap.consumers()[0].windows[0].most[0], 2) << "a minute without use lies between";
}

TEST(UseBook, ConsumersAndTiersBeyondTheBoundsAreCountedAsSuch) {
  const auto policy = built_in();
  UseBook book(*policy);
  Used used;
  for (std::size_t i = 0; i < UseBook::kMaxGroups + 3; ++i) {
    used.tier = "t" + std::to_string(i);
    ASSERT_TRUE(book.add(ledger_row(used)));
  }
  EXPECT_EQ(book.groups().size(), UseBook::kMaxGroups);
  EXPECT_EQ(book.uncounted(), 3);
  used.tier = "t0";
  for (std::size_t i = book.consumers().size(); i < UseBook::kMaxConsumers + 2; ++i) {
    used.key = "k" + std::to_string(i);
    ASSERT_TRUE(book.add(ledger_row(used)));
  }
  EXPECT_EQ(book.consumers().size(), UseBook::kMaxConsumers);
  EXPECT_EQ(book.uncounted(), 5);
}

TEST(TraceClock, PlacesTracesAsAReplayDoes) {
  TraceClock clock;
  TraceRow row;
  const auto place = [&](TimeNs at) {
    row.time = at;
    clock.place(row);
    return row.time;
  };
  clock.begin(FakeTrace());
  EXPECT_EQ(place(0), kReplayOrigin);
  EXPECT_EQ(place(kHour), kReplayOrigin + kHour);
  clock.begin(FakeTrace());
  EXPECT_EQ(place(kMinute), kReplayOrigin + kHour + kMinute);
  clock.begin(FakeTrace(true));
  EXPECT_EQ(place(kDay), kReplayOrigin + kHour + kMinute) << "an earlier ledger begins where the trace before ended";
  clock.begin(FakeTrace(true));
  EXPECT_EQ(place(kReplayOrigin + kDay), kReplayOrigin + kDay);
}

TEST(Exclusions, ARunThatBrokeIsLeftOutAndAnHourWhereNoRunIsNamed) {
  Exclusions excluded;
  excluded.note({.time = kReplayOrigin, .key = "ann", .event = AuditEvent::kBroken, .run = "bad"});
  excluded.note({.time = kReplayOrigin + 10 * kMinute, .key = "bob", .event = AuditEvent::kWarned});
  excluded.note({.key = "cem", .event = AuditEvent::kRefused, .count = 7});
  EXPECT_TRUE(excluded.has(ledger_row({.at = 90'000, .run = "bad"})));
  EXPECT_FALSE(excluded.has(ledger_row({.run = "good"})));
  EXPECT_FALSE(excluded.has(ledger_row({.key = "bob", .run = "bad", .user = "u"})));
  EXPECT_TRUE(excluded.has(ledger_row({.at = 3'599, .key = "bob", .run = "any"})));
  EXPECT_FALSE(excluded.has(ledger_row({.at = 3'600, .key = "bob"})));
  EXPECT_FALSE(excluded.has(ledger_row({.key = "cem"}))) << "a refusal alone is no misbehaviour";
  EXPECT_EQ(excluded.refused(), 7);
}

TEST(Exclusions, KeepAtMostSoMany) {
  Exclusions excluded;
  AuditRow row{.key = "ann", .event = AuditEvent::kBroken};
  for (std::size_t i = 0; i < Exclusions::kMaxExclusions; ++i) {
    row.run = std::to_string(i);
    excluded.note(row);
  }
  excluded.note(row);
  EXPECT_FALSE(excluded.full());
  row.run = "one more";
  excluded.note(row);
  EXPECT_TRUE(excluded.full());
  EXPECT_FALSE(excluded.has(ledger_row({.run = "one more"})));
}

}  // namespace
}  // namespace weir
