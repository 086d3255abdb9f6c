// Counters that get another name or another shape while records hold their cells: what was used stays used.
#include <gtest/gtest.h>

#include "engine/test_support.h"

namespace weir::engine {
namespace {

std::int64_t used(const Limiter& limiter, CounterId counter, std::int64_t amount = 1000) {
  return peek(limiter, {.counter = counter, .amount = amount, .cost = 0}, at(1)).verdicts[0].used;
}

// The renamed counter and a later one of its old name once shared their cells.
TEST(Redefine, ANameThatChangesKeepsWhatWasUsed) {
  Limiter limiter;
  const CounterId old = sliding(limiter, "old", 60 * kSecond);
  admit(limiter, {.counter = old, .amount = 1000, .cost = 40}, at(0));
  const CounterId renamed = limiter.define({.identity = "new", .window = 60 * kSecond, .formerly = "old"});
  EXPECT_EQ(used(limiter, renamed), 40);
  EXPECT_EQ(used(limiter, sliding(limiter, "old", 60 * kSecond)), 0) << "another limit may take the old name";
  EXPECT_EQ(used(limiter, renamed), 40);
}

TEST(Redefine, ANameThatIsTakenOrAFormerOneThatNeverWasChangesNothing) {
  Limiter limiter;
  const CounterId old = sliding(limiter, "old", 60 * kSecond), taken = sliding(limiter, "taken", 60 * kSecond);
  admit(limiter, {.counter = old, .amount = 1000, .cost = 40}, at(0));
  admit(limiter, {.counter = taken, .amount = 1000, .cost = 3}, at(0));
  EXPECT_EQ(used(limiter, limiter.define({.identity = "taken", .window = 60 * kSecond, .formerly = "old"})), 3);
  EXPECT_EQ(used(limiter, limiter.define({.identity = "other", .window = 60 * kSecond, .formerly = "never"})), 0);
  EXPECT_EQ(used(limiter, sliding(limiter, "old", 60 * kSecond)), 40);
}

// Effects in the journal carry the name of their time: those from before the new name find it, too.
TEST(Redefine, EffectsFollowTheNewName) {
  Limiter limiter;
  std::vector<Effect> effects;
  admit(limiter, {.counter = sliding(limiter, "old", 60 * kSecond), .amount = 1000, .cost = 40}, at(0), &effects);
  const CounterId renamed = limiter.define({.identity = "new", .window = 60 * kSecond, .formerly = "old"});
  admit(limiter, {.counter = renamed, .amount = 1000, .cost = 2}, at(0), &effects);
  ASSERT_EQ(effects.size(), 2u);
  EXPECT_EQ(effects[0].counter, counter_hash("old"));
  EXPECT_EQ(effects[1].counter, counter_hash("new"));
}

TEST(Redefine, ASnapshotOfAnotherWindowIsTakenIntoTheWindowInForce) {
  std::string bytes;
  std::uint32_t epoch = 0;
  {
    Limiter before;
    admit(before, {.counter = sliding(before, "c", 60 * kSecond), .amount = 1000, .cost = 40}, at(0));
    epoch = before.snapshot([&](std::string_view chunk) { bytes.append(chunk); });
  }
  Limiter after;
  const CounterId counter = sliding(after, "c", 120 * kSecond);  // the policy changed while it was down
  ASSERT_TRUE(after.restore(bytes, epoch));
  EXPECT_EQ(used(after, counter), 40);
  EXPECT_TRUE(admit(after, {.counter = counter, .amount = 1000, .cost = 960}, at(1)).admitted);
  EXPECT_FALSE(admit(after, {.counter = counter, .amount = 1000}, at(1)).admitted);
}

TEST(Redefine, OtherCellsOfTheSubjectAreLeftAlone) {
  Limiter limiter;
  const CounterId day = limiter.define({.identity = "day", .kind = WindowKind::kCalendar});
  const CounterId other = sliding(limiter, "other", 30 * kSecond), counter = sliding(limiter, "c", 60 * kSecond);
  admit(limiter, {.counter = day, .amount = 1000, .cost = 5, .period_start = at(0), .period_end = at(3600)}, at(0));
  admit(limiter, {.counter = other, .amount = 1000, .cost = 7}, at(0));
  admit(limiter, {.counter = counter, .amount = 1000, .cost = 40}, at(0));
  const CounterId wider = sliding(limiter, "c", 90 * kSecond);
  EXPECT_TRUE(admit(limiter, {.counter = wider, .amount = 1000, .cost = 2}, at(1)).admitted);
  EXPECT_EQ(used(limiter, wider), 42);
  EXPECT_EQ(used(limiter, other), 7);
  const Ask of_day{.counter = day, .amount = 1000, .cost = 0, .period_start = at(0), .period_end = at(3600)};
  EXPECT_EQ(peek(limiter, of_day, at(1)).verdicts[0].used, 5);
}

// What a shorter window had dropped was given back all the same once a longer one was in force, at the cost of others.
TEST(P19P13, WhatLeftAWindowInBetweenIsNotGivenBack) {
  for (const bool tops_up : {false, true}) {
    Limiter limiter;
    Ask held{.counter = sliding(limiter, "c", 40 * kSecond, 4), .amount = 1000, .cost = 10, .hold = true, .id = {9, 1}};
    held.deadline = kMaxTime;
    ASSERT_TRUE(admit(limiter, held, at(1)).admitted);
    const CounterId shorter = sliding(limiter, "c", 5 * kSecond, 5);
    ASSERT_TRUE(admit(limiter, {.counter = shorter, .amount = 1000, .cost = 7}, at(8)).admitted);
    const CounterId counter = sliding(limiter, "c", 40 * kSecond, 4);
    const Decision before = peek(limiter, {.counter = counter, .amount = 1000, .cost = 0}, at(9));
    ASSERT_EQ(before.verdicts[0].used + before.verdicts[0].reserved, 7);
    if (tops_up) {
      const std::int64_t extra = 3;
      Decision decision;
      limiter.top_up({9, 1}, {&extra, 1}, at(9), decision);
      ASSERT_TRUE(decision.admitted);
    }
    EXPECT_EQ(limiter.cancel({9, 1}, at(9)).outcome, Outcome::kDone);
    EXPECT_EQ(peek(limiter, {.counter = counter, .amount = 1000, .cost = 0}, at(9)).verdicts[0].used, 7) << tops_up;
  }
}

TEST(P19P13, WhatNeverLeftAWindowIsGivenBackAfterReloads) {
  Limiter limiter;
  const Ask held{.counter = sliding(limiter, "c", 40 * kSecond, 40),
                 .amount = 1000,
                 .cost = 10,
                 .hold = true,
                 .id = {9, 1},
                 .deadline = kMaxTime};
  ASSERT_TRUE(admit(limiter, held, at(1)).admitted);
  admit(limiter, {.counter = sliding(limiter, "c", 20 * kSecond, 20), .amount = 1000, .cost = 7}, at(8));
  const CounterId counter = sliding(limiter, "c", 60 * kSecond, 60);
  EXPECT_EQ(limiter.cancel({9, 1}, at(9)).outcome, Outcome::kDone);
  EXPECT_EQ(peek(limiter, {.counter = counter, .amount = 1000, .cost = 0}, at(9)).verdicts[0].used, 7);
}

// Eviction judged cells that no request had met since the reload by the window of before.
TEST(P19P17, EvictionKnowsTheWindowInForce) {
  for (const std::int64_t amount : {30, 1000}) {
    for (const bool busy : {false, true}) {
      Limiter limiter({.stripes = 1});
      admit(limiter, {.counter = sliding(limiter, "c", 5 * kSecond), .amount = amount, .cost = 20}, at(0));
      const CounterId longer = sliding(limiter, "c", 60 * kSecond);
      // Another counter of the same subject keeps the record, but not each of its cells.
      if (busy) {
        const Ask other{.counter = limiter.define({.identity = "g", .kind = WindowKind::kConcurrency}),
                        .amount = 1,
                        .id = {1, 1},
                        .deadline = kMaxTime};
        ASSERT_TRUE(admit(limiter, other, at(10)).admitted);
      }
      for (int i = 0; i < 4; ++i) limiter.sweep(at(10), 1000);
      const Ask look{.counter = longer, .amount = amount, .cost = 0};
      EXPECT_EQ(peek(limiter, look, at(11)).verdicts[0].used, 20) << amount << busy;
      EXPECT_EQ(peek(limiter, look, at(62)).verdicts[0].used, 0) << amount << busy;
    }
  }
}

TEST(P19P17, WhatHasLeftBothWindowsIsEvicted) {
  for (const std::int64_t amount : {30, 1000}) {
    for (const std::int64_t seconds : {5, 60}) {
      Limiter limiter({.stripes = 1});
      admit(limiter, {.counter = sliding(limiter, "c", 30 * kSecond), .amount = amount, .cost = 20}, at(0));
      sliding(limiter, "c", seconds * kSecond);
      limiter.sweep(at(64), 1000);
      EXPECT_EQ(limiter.stats().subjects, 0u) << amount << " " << seconds;
    }
  }
}

}  // namespace
}  // namespace weir::engine
