// Properties of single windows, as direct sums over what was admitted, without a model: P2, P3, P7, P9, P10, P13, P16,
// P19, P22.
#include "engine/property_support.h"

namespace weir::engine {
namespace {

struct Charged {
  TimeNs at = 0;
  std::int64_t units = 0;
};

// Units charged in (from, to].
std::int64_t sum_within(const std::vector<Charged>& charges, TimeNs from, TimeNs to) {
  std::int64_t sum = 0;
  for (const Charged& charge : charges) sum += charge.at > from && charge.at <= to ? charge.units : 0;
  return sum;
}

TEST(P2, NoWindowHoldsMoreWhateverIsToppedUpSettledAndCancelled) {
  for (const std::int64_t amount : {12, 100}) {
    check_property(80, [amount](const std::vector<Op>& history) {
      Limiter limiter;
      const DurationNs window = 10 * kSecond + 1;
      const CounterId counter = sliding(limiter, "c", window, 7);
      std::vector<std::vector<Charged>> held(history.size());
      TimeNs now = kTestStart;
      for (std::size_t i = 0; i < history.size(); ++i) {
        const Op& op = history[i];
        now += op.gap_ms * kMillisecond;
        const std::size_t which = static_cast<std::size_t>(op.pick) % (i + 1);
        Decision decision;
        if (op.kind < 10) {
          const std::int64_t cost = op.cost % (amount / 2);
          if (admit(limiter, {.counter = counter, .amount = amount, .cost = cost, .hold = true, .id = {7, i + 1}}, now)
                  .admitted)
            held[i].push_back({now, cost});
        } else if (op.kind < 15) {
          const std::int64_t extra = op.cost % 5;
          limiter.top_up({7, which + 1}, {&extra, 1}, now, decision);
          if (decision.admitted) held[which].push_back({now, extra});
        } else if (!held[which].empty()) {
          std::int64_t total = 0;
          for (const Charged& charge : held[which]) total += charge.units;
          const std::int64_t used = op.kind == 15 ? 0 : std::min(op.actual, total);
          if (limiter.settle({7, which + 1}, {&used, 1}, now).outcome != Outcome::kDone) continue;
          std::int64_t surplus = total - used;
          for (auto charge = held[which].rbegin(); charge != held[which].rend(); ++charge) {
            const std::int64_t part = std::min(surplus, charge->units);
            charge->units -= part, surplus -= part;
          }
        }
      }
      std::vector<Charged> all;
      for (const auto& charges : held) all.insert(all.end(), charges.begin(), charges.end());
      for (const Charged& last : all) RC_ASSERT(sum_within(all, last.at - window, last.at) <= amount);
    });
  }
}

// The time of one unit is a whole number of nanoseconds here, so the formulas hold to the nanosecond.
TEST(P3P7, ABucketAdmitsWhatEveryIntervalAllowsAndNothingLess) {
  check_property(80, [](const std::vector<Op>& history) {
    Limiter limiter;
    constexpr DurationNs kUnit = 125 * kMillisecond;
    constexpr std::int64_t kBurst = 25;
    Ask ask{.counter = limiter.define({.identity = "b", .kind = WindowKind::kBucket}),
            .amount = kBurst,
            .rate = {.units = 8, .per = kSecond}};
    std::vector<Charged> admitted;
    TimeNs now = kTestStart;
    for (const Op& op : history) {
      now += op.gap_ms * kMillisecond * (op.pick % 30 == 0 ? 10 : 1) + op.pick;
      ask.cost = op.cost;
      bool allowed = ask.cost <= kBurst;
      std::int64_t sum = ask.cost;
      for (auto first = admitted.rbegin(); first != admitted.rend(); ++first) {
        sum += first->units;
        allowed = allowed && sum <= kBurst + (now - first->at) / kUnit;
      }
      RC_ASSERT(admit(limiter, ask, now).admitted == allowed);
      if (allowed && op.cost > 0) admitted.push_back({now, op.cost});
    }
  });
}

TEST(P7, EveryRefusalOfASlidingWindowIsJustifiedByADirectSum) {
  for (const std::int64_t amount : {12, 100}) {
    check_property(80, [amount](const std::vector<Op>& history) {
      Limiter limiter;
      const DurationNs window = 10 * kSecond;
      const std::int64_t precision = 8;
      Ask ask{.counter = sliding(limiter, "c", window, precision), .amount = amount};
      std::vector<Charged> admitted;
      TimeNs now = kTestStart;
      for (const Op& op : history) {
        now += op.gap_ms * kMillisecond;
        ask.cost = op.cost;
        const bool yes = admit(limiter, ask, now).admitted;
        // A log (small amounts) is exact; a ring looks back one bucket more at most.
        const DurationNs looks_back = amount <= 32 ? window : window + window / precision;
        if (!yes) RC_ASSERT(sum_within(admitted, now - looks_back, now) + op.cost > amount);
        if (yes) RC_ASSERT(sum_within(admitted, now - window, now) + op.cost <= amount);
        if (yes) admitted.push_back({now, op.cost});
      }
    });
  }
}

TEST(P9, LessIsAdmittedWhereMoreIsAndRemainingOnlyFalls) {
  check_property(60, [](const std::vector<Op>& history) {
    Bench bench;
    TimeNs now = kTestStart;
    for (std::size_t i = 0; i < history.size(); ++i) {
      Op op = history[i];
      if (op.pick % 3 == 0) now += op.gap_ms * kMillisecond;
      const bool admitted = bench.peek(op, now, {9, 9}).admitted;
      const auto amounts = bench.amounts;
      for (std::int64_t& amount : bench.amounts) amount += op.pick % 50;
      if (admitted) RC_ASSERT(bench.peek(op, now, {9, 9}).admitted);
      bench.amounts = amounts;
      Op less = op;
      less.cost = op.cost - op.cost % 4;  // cost % 4 of the log becomes 0
      if (admitted) RC_ASSERT(bench.peek(less, now, {9, 9}).admitted);
      const auto before = bench.observe(now);
      bench.admit(op, now, {9, 100 + i});
      const auto after = bench.observe(now);
      for (std::size_t k = 0; k < after.size(); k += 3) {
        RC_ASSERT(after[k] + after[k + 1] >= before[k] + before[k + 1]);
      }
    }
  });
}

TEST(P10, RetryAfterOfMixedLimitsIsExact) {
  int refused = 0;
  const bool many = check_property(80, [&](const std::vector<Op>& history) {
    Bench bench;
    TimeNs now = kTestStart;
    for (std::size_t i = 0; i < history.size(); ++i) {
      Op op = history[i];
      op.mask &= 15;  // a gauge has no time at which it is free
      now += op.gap_ms * kMillisecond / 4 + op.pick;
      if (op.pick % 50 == 0) op.cost = 41;  // more than the bucket can ever hold
      const Decision decision = bench.admit(op, now, op.kind % 2 == 0 ? Hash128{9, i + 1} : Hash128{});
      const bool never = op.cost == 41 && (op.mask & 4) != 0;
      RC_ASSERT((decision.retry_after == kNever) == never);
      if (decision.admitted || never) continue;
      ++refused;
      RC_ASSERT(!bench.peek(op, now + decision.retry_after - 1).admitted);
      RC_ASSERT(bench.peek(op, now + decision.retry_after).admitted);
    }
  });
  EXPECT_TRUE(!many || refused > 500) << refused;
}

TEST(P13, ACancelledReservationIsAsIfItHadNeverBeen) {
  for (const std::size_t kind : {0u, 1u, 3u}) {
    check_property(
        60,
        [kind](const std::vector<Op>& history) {
          Bench with, without;
          for (Bench* bench : {&with, &without}) bench->amounts = {1000, 32, 40, 100'000, 5};
          TimeNs now = kTestStart;
          const Op ask{.mask = 1 << kind, .cost = 15};
          with.admit(ask, now, {9, 1});
          std::int64_t refunds = 0;
          for (const Op& op : history) {
            now += op.gap_ms * kMillisecond;
            if (op.kind == 0) {
              const auto before = with.observe(now), clean = without.observe(now);
              if (with.limiter.cancel({9, 1}, now).outcome == Outcome::kDone) {
                const auto after = with.observe(now);
                for (std::size_t k = 0; k < after.size(); k += 3)
                  refunds += before[k] + before[k + 1] - after[k] - after[k + 1];
              }
              RC_ASSERT(refunds >= 0 && refunds <= 15);
              RC_ASSERT(with.observe(now) == without.observe(now));
            } else if (with.admit({.mask = 1 << kind, .cost = op.cost % 4}, now).admitted) {
              RC_ASSERT(without.admit({.mask = 1 << kind, .cost = op.cost % 4}, now).admitted);
            }
          }
        },
        60);
  }
}

// Days of 23 and 25 hours as two changes of daylight saving time give them: the engine only sees their bounds.
TEST(P16, CalendarPeriodsOfAnyLengthPartitionTime) {
  check_property(80, [](const std::vector<Op>& history) {
    std::vector<TimeNs> bounds{kTestStart};
    for (const int hours : {24, 23, 24, 25, 24, 23, 25, 24, 24, 24, 24, 24, 24, 24, 24})
      bounds.push_back(bounds.back() + hours * kHour);
    Limiter limiter;
    Ask ask{.counter = limiter.define({.identity = "day", .kind = WindowKind::kCalendar}), .amount = 60};
    std::vector<std::int64_t> used(bounds.size());
    TimeNs now = bounds[0];
    std::size_t day = 0;
    for (const Op& op : history) {
      const bool exactly = op.pick % 20 == 0;  // on a bound, or the last instant before it
      TimeNs next = now + op.gap_ms * 10 * kSecond;
      if (exactly) next = std::max(now, bounds[day + 1] - op.pick % 40 / 20);
      if (next >= bounds.back()) break;
      now = next;
      while (bounds[day + 1] <= now) ++day;
      ask.period_start = bounds[day], ask.period_end = bounds[day + 1], ask.cost = op.cost;
      const Decision decision = admit(limiter, ask, now);
      RC_ASSERT(decision.verdicts[0].used == used[day]);
      RC_ASSERT(decision.admitted == (used[day] + op.cost <= 60));
      if (decision.admitted)
        used[day] += op.cost;
      else
        RC_ASSERT(now + decision.retry_after == bounds[day + 1]);
    }
  });
}

// Months anchored at an instant such as 03:25:40.768 begin and end within a second.
TEST(P16P17, APeriodThatEndsWithinASecondCountsToItsLastInstant) {
  for (const bool sweeps : {true, false}) {
    Limiter limiter({.stripes = 1});
    const TimeNs start = at(0) + 768 * kMillisecond, end = start + 720 * kHour;
    Ask ask{.counter = limiter.define({.identity = "month", .kind = WindowKind::kCalendar}),
            .amount = 40,
            .cost = 40,
            .period_start = start,
            .period_end = end};
    ASSERT_TRUE(admit(limiter, ask, start).admitted);
    ask.cost = 0;
    if (sweeps) {
      for (int i = 0; i < 4; ++i) limiter.sweep(end - 1, 1000);
    } else {
      // Another counter of the same subject knows how late it is; then the clock steps back by two months.
      const Ask other{.counter = limiter.define({.identity = "g", .kind = WindowKind::kConcurrency}),
                      .amount = 1,
                      .id = {1, 1},
                      .deadline = kMaxTime};
      ASSERT_TRUE(admit(limiter, other, end - 1).admitted);
      ask.period_start = start - 720 * kHour, ask.period_end = start;
    }
    EXPECT_EQ(peek(limiter, ask, sweeps ? end - 1 : start - 720 * kHour).verdicts[0].used, 40) << sweeps;
  }
}

TEST(P16, AClockThatStepsBackAdmitsNothingExtraAndDelaysByTheStepAtMost) {
  for (const std::int64_t amount : {10, 100}) {
    Limiter limiter;
    const DurationNs window = 60 * kSecond, step = 500 * kSecond;
    Ask ask{.counter = sliding(limiter, "c", window), .amount = amount, .cost = amount};
    EXPECT_TRUE(admit(limiter, ask, at(0) + step).admitted);
    const Decision back = admit(limiter, ask, at(0));
    EXPECT_FALSE(back.admitted);
    EXPECT_LE(back.retry_after, step + window + window / 60);
    EXPECT_FALSE(peek(limiter, ask, at(0) + back.retry_after - 1).admitted);
    EXPECT_TRUE(peek(limiter, ask, at(0) + back.retry_after).admitted);
  }
}

// Amounts, lengths and precisions change while reservations are open and eviction looks for what it can drop; what the
// rings know is never counted for less.
TEST(P19, ReloadsNeverForgetAndReservationsSettleOnce) {
  check_property(100, [](const std::vector<Op>& history) {
    Limiter limiter({.stripes = 1});
    struct Known : Charged {
      bool open = true, kept = true;
    };
    std::vector<Known> charges;
    DurationNs window = 20 * kSecond;
    Ask ask{.counter = sliding(limiter, "c", window, 10), .amount = 200, .hold = true};
    TimeNs now = kTestStart;
    for (const Op& op : history) {
      now += op.gap_ms * kMillisecond;
      if (op.kind == 0) {
        for (Known& charge : charges) charge.kept = charge.kept && charge.at + window > now;
        window = (5 + op.actual) * kSecond;
        ask.counter = sliding(limiter, "c", window, static_cast<std::uint16_t>(1 + op.pick % 40));
      } else if (op.kind == 1) {
        ask.amount = op.pick % 2 == 0 ? 20 : 50 + op.pick;
      } else if (op.kind < 12) {
        ask.cost = op.cost;
        ask.id = {9, charges.size() + 1};
        if (admit(limiter, ask, now).admitted) charges.push_back({{now, op.cost}});
      } else if (!charges.empty()) {
        const std::size_t which = static_cast<std::size_t>(op.pick) % charges.size();
        Known& charge = charges[which];
        const std::int64_t used = std::min(op.actual, charge.units);
        const Outcome outcome = limiter.settle({9, which + 1}, {&used, 1}, now).outcome;
        RC_ASSERT(outcome == (charge.open ? Outcome::kDone : Outcome::kRepeated));
        if (charge.open) charge.units = used, charge.open = false;
      }
      if (op.who == 0) {  // before anything looks at the cell again
        limiter.sweep(now, 100);
        continue;
      }
      std::int64_t least = 0;
      for (const Known& charge : charges) least += charge.kept && charge.at + window > now ? charge.units : 0;
      Ask look = ask;
      look.id = {}, look.cost = std::max<std::int64_t>(ask.amount - least + 1, 0);
      const Decision seen = peek(limiter, look, now);
      RC_ASSERT(seen.verdicts[0].used + seen.verdicts[0].reserved >= least);
      RC_ASSERT(!seen.admitted);
    }
  });
}

TEST(P22, TheLargestAmountIsUsableToTheLastUnit) {
  for (const DurationNs window : {kMinWindow, kMaxWindow}) {
    for (const std::int64_t amount : {std::int64_t{1}, std::int64_t{33}, (std::int64_t{1} << 31) + 1, kMaxAmount}) {
      Limiter limiter;
      const std::array<CounterId, 3> counters{sliding(limiter, "sliding", window),
                                              limiter.define({.identity = "calendar", .kind = WindowKind::kCalendar}),
                                              limiter.define({.identity = "gauge", .kind = WindowKind::kConcurrency})};
      for (const CounterId counter : counters) {
        Ask ask{.counter = counter,
                .amount = amount,
                .cost = amount - 1,
                .id = {9, counter + 1},
                .deadline = kMaxTime,
                .period_start = at(0),
                .period_end = at(3600)};
        EXPECT_TRUE(admit(limiter, ask, at(0)).admitted);
        ask.cost = 1, ask.id.high = 10;
        EXPECT_TRUE(admit(limiter, ask, at(0)).admitted) << "the last unit of " << amount;
        ask.id.high = 11;
        EXPECT_FALSE(admit(limiter, ask, at(0)).admitted) << "one more than " << amount;
        ask.cost = 0, ask.id.high = 12;
        EXPECT_TRUE(admit(limiter, ask, at(0)).admitted);
      }
      Ask ask{.counter = counters[0], .amount = amount, .cost = amount};
      const Decision refused = peek(limiter, ask, at(0));
      EXPECT_TRUE(peek(limiter, ask, at(0) + refused.retry_after).admitted);
      EXPECT_FALSE(peek(limiter, ask, at(0) + refused.retry_after - 1).admitted);
    }
  }
}

TEST(P22, CostsOutOfRangeAreRefusedForEver) {
  Limiter limiter;
  Ask ask{.counter = sliding(limiter, "c", kSecond), .amount = kMaxAmount};
  for (const std::int64_t cost : {std::int64_t{-1}, kMaxAmount + 1, std::numeric_limits<std::int64_t>::max()}) {
    ask.cost = cost;
    EXPECT_FALSE(admit(limiter, ask, at(0)).admitted);
    EXPECT_EQ(admit(limiter, ask, at(0)).retry_after, kNever);
    EXPECT_EQ(limiter.stats().subjects, 0u);
  }
}

}  // namespace
}  // namespace weir::engine
