// Overruns of reservations that outlive their period: each counts in the period in which it was settled, and there
// only.
#include <gtest/gtest.h>

#include "engine/test_support.h"

namespace weir::engine {
namespace {

constexpr TimeNs kHourNs = 3600 * kSecond;
constexpr TimeNs kNine = kTestStart - kTestStart % kHourNs;

struct Hourly {
  Limiter limiter;
  CounterId counter = limiter.define({.identity = "hour", .kind = WindowKind::kCalendar});
  std::uint64_t last_id = 0;

  Ask ask(TimeNs t, std::int64_t cost) const {
    const TimeNs start = t - t % kHourNs;
    return {.counter = counter, .amount = 1000, .cost = cost, .period_start = start, .period_end = start + kHourNs};
  }
  Hash128 hold(TimeNs t, std::int64_t cost) {
    Ask held = ask(t, cost);
    held.hold = true, held.id = {9, ++last_id}, held.deadline = kMaxTime;
    EXPECT_TRUE(admit(limiter, held, t).admitted);
    return held.id;
  }
  void settle(Hash128 id, std::int64_t used, TimeNs t) {
    EXPECT_EQ(limiter.settle(id, {&used, 1}, t).outcome, Outcome::kDone);
  }
  std::int64_t used(TimeNs t) const { return peek(limiter, ask(t, 0), t).verdicts[0].used; }
};

// The first overrun opened a period an hour long in the middle of an hour; the second was lost in it.
TEST(P16, OverrunsOfOneOldPeriodCountEachInItsOwn) {
  Hourly hourly;
  const Hash128 first = hourly.hold(kNine, 1), second = hourly.hold(kNine, 1);
  hourly.settle(first, 6, kNine + 85 * 60 * kSecond);
  EXPECT_EQ(hourly.used(kNine + 86 * 60 * kSecond), 5);
  hourly.settle(second, 12, kNine + 125 * 60 * kSecond);
  EXPECT_EQ(hourly.used(kNine + 126 * 60 * kSecond), 11);
}

TEST(P16, OverrunsOfOnePeriodAddUpWhoeverOpenedIt) {
  for (const bool opened : {false, true}) {
    Hourly hourly;
    const Hash128 first = hourly.hold(kNine, 1), second = hourly.hold(kNine, 1);
    if (opened) admit(hourly.limiter, hourly.ask(kNine + 2 * kHourNs, 3), kNine + 2 * kHourNs);
    hourly.settle(first, 6, kNine + 2 * kHourNs + kSecond);
    hourly.settle(second, 12, kNine + 3 * kHourNs - 1);
    EXPECT_EQ(hourly.used(kNine + 3 * kHourNs - 1), opened ? 19 : 16);
    EXPECT_EQ(hourly.used(kNine + 3 * kHourNs), 0);
  }
}

}  // namespace
}  // namespace weir::engine
