// The properties of the limiter, each on its own and named by its number (P2 also against its definition, not a model).
#include <gtest/gtest.h>

#include <random>

#include "engine/prove_support.h"
#include "engine/rate_scale.h"
#include "engine/timing_wheel.h"
#include "weir/subject.h"

namespace weir::engine {
namespace {

struct Hit {
  TimeNs at = 0;
  std::int64_t cost = 0;
};

std::int64_t fullest_window(const std::vector<Hit>& hits, DurationNs window) {
  std::int64_t fullest = 0, sum = 0;
  std::size_t oldest = 0;
  for (const Hit& hit : hits) {
    sum += hit.cost;
    while (hits[oldest].at + window <= hit.at) sum -= hits[oldest++].cost;
    fullest = std::max(fullest, sum);
  }
  return fullest;
}

TEST(P2, NoWindowEverHoldsMoreThanItsAmount) {
  check_seeds(60, [](std::uint64_t seed) {
    Random random(seed);
    const std::int64_t amount = seed % 2 == 0 ? 20 : 500;
    Limiter limiter;
    const DurationNs window = 10 * kSecond + static_cast<DurationNs>(random() % 1000);
    Ask ask{.counter = sliding(limiter, "c", window, static_cast<std::uint16_t>(1 + random() % 60)), .amount = amount};
    std::vector<Hit> hits;
    TimeNs now = kTestStart;
    std::int64_t total = 0;
    for (int i = 0; i < 1000; ++i) {
      now += random.below(kSecond / 2);
      ask.cost = random.below(amount / 4);
      if (!admit(limiter, ask, now).admitted) continue;
      hits.push_back({now, ask.cost});
      total += ask.cost;
    }
    EXPECT_LE(fullest_window(hits, window), amount);
    EXPECT_GT(total, 4 * amount) << "the limiter admits something at all";
  });
}

// throttlecrab 0.4.40: burst 10, drained, idle 17 s: 17 admitted at one instant.
TEST(P3, AnIdleBucketHoldsItsBurstAndNoMore) {
  Limiter limiter;
  Ask ask{.counter = limiter.define({.identity = "b", .kind = WindowKind::kBucket}),
          .amount = 10,
          .rate = {.units = 1, .per = kSecond}};
  const auto burst_at = [&](TimeNs now) {
    int admitted = 0;
    while (admit(limiter, ask, now).admitted) ++admitted;
    return admitted;
  };
  EXPECT_EQ(burst_at(at(0)), 10);
  EXPECT_EQ(burst_at(at(17)), 10);
  EXPECT_EQ(burst_at(at(20)), 3);
}

TEST(P3, NoIntervalAdmitsMoreThanBurstAndRefill) {
  check_seeds(60, [](std::uint64_t seed) {
    Random random(seed);
    Limiter limiter;
    const RefillRate rate{.units = 1 + static_cast<std::int64_t>(random() % 1000), .per = kSecond};
    const std::int64_t burst = 1 + static_cast<std::int64_t>(random() % 50);
    Ask ask{.counter = limiter.define({.identity = "b", .kind = WindowKind::kBucket}), .amount = burst, .rate = rate};
    const RateScale& scale = RateScale::of(rate);
    std::vector<Hit> hits;
    TimeNs now = kTestStart;
    for (int i = 0; i < 300; ++i) {
      now += static_cast<DurationNs>(random() % static_cast<std::uint64_t>(scale.span(3)));
      ask.cost = 1 + static_cast<std::int64_t>(random() % 4);
      if (admit(limiter, ask, now).admitted) hits.push_back({now, ask.cost});
    }
    for (std::size_t i = 0; i < hits.size(); ++i) {
      DurationNs spent = 0;
      for (std::size_t j = i; j < hits.size(); ++j) {
        spent += scale.span(hits[j].cost);
        ASSERT_LE(spent, scale.span(burst) + hits[j].at - hits[i].at);
      }
    }
  });
}

TEST(P5P6, ARefusalLeavesNoTraceInAnyCounter) {
  Limiter limiter;
  const CounterId small = sliding(limiter, "small", 60 * kSecond), large = sliding(limiter, "large", 60 * kSecond);
  const std::array<Subject, 2> subjects{Subject{.key = {1, 1}}, Subject{.key = {2, 2}}};
  const std::array<Demand, 2> demands{Demand{.counter = large, .subject = 0, .cost = 1, .quota = {.amount = 1000}},
                                      Demand{.counter = small, .subject = 1, .cost = 1, .quota = {.amount = 2}}};
  Decision decision;
  for (int i = 0; i < 50; ++i)
    limiter.admit({.subjects = subjects, .demands = demands, .now = at(1 + i % 3)}, decision);
  EXPECT_FALSE(decision.admitted);
  EXPECT_FALSE(decision.verdicts[0].refuses);
  EXPECT_EQ(decision.verdicts[0].used, 2);
  EXPECT_EQ(limiter.stats().subjects, 2u);
  Ask fresh{.counter = small, .amount = 0, .key = {9, 9}};
  admit(limiter, fresh, at(1));
  EXPECT_EQ(limiter.stats().subjects, 2u) << "a refused subject takes no memory";
}

TEST(P10, RefusedOneTickBeforeAndAdmittedAtIt) {
  check_seeds(300, [](std::uint64_t seed) {
    Random random(seed);
    Limiter limiter;
    Ask ask{.amount = seed % 3 == 0 ? 10 : 1 + random.below(5000)};
    ask.counter = seed % 2 == 0 ? sliding(limiter, "c", 10 * kSecond, static_cast<std::uint16_t>(1 + random.below(100)))
                                : limiter.define({.identity = "c", .kind = WindowKind::kBucket});
    ask.rate = {.units = 1 + random.below(1'000'000), .per = kSecond + random.below(1000)};
    TimeNs now = kTestStart;
    for (int i = 0; i < 100; ++i) {
      now += random.below(kSecond);
      ask.cost = 1 + random.below(ask.amount);
      const Decision decision = admit(limiter, ask, now);
      if (decision.admitted) continue;
      ASSERT_NE(decision.retry_after, kNever);
      ASSERT_FALSE(peek(limiter, ask, now + decision.retry_after - 1).admitted);
      ASSERT_TRUE(peek(limiter, ask, now + decision.retry_after).admitted);
    }
    ask.cost = ask.amount + 1;
    ASSERT_EQ(peek(limiter, ask, now).retry_after, kNever);
  });
}

TEST(P12, ExpireThenSettleAdjustsOnce) {
  Limiter limiter;
  Ask ask{.counter = sliding(limiter, "tokens", 600 * kSecond),
          .amount = 1000,
          .cost = 600,
          .hold = true,
          .id = {1, 1},
          .deadline = at(10)};
  admit(limiter, ask, at(0));
  EXPECT_EQ(limiter.expire(at(10), 10), 1u);
  ask.id = {};
  EXPECT_EQ(peek(limiter, ask, at(11)).verdicts[0].used, 600);
  EXPECT_EQ(peek(limiter, ask, at(11)).verdicts[0].reserved, 0);
  const std::int64_t used = 700;
  EXPECT_EQ(limiter.settle({1, 1}, {&used, 1}, at(12)).outcome, Outcome::kDone);
  EXPECT_EQ(limiter.settle({1, 1}, {&used, 1}, at(12)).outcome, Outcome::kRepeated);
  EXPECT_EQ(peek(limiter, ask, at(12)).verdicts[0].used, 700);
}

TEST(P13, WhatHasLeftItsWindowIsNotGivenBack) {
  Limiter limiter;
  Ask ask{.counter = sliding(limiter, "tokens", 60 * kSecond), .amount = 1000, .cost = 600, .hold = true, .id = {1, 1}};
  admit(limiter, ask, at(0));
  Ask other{.counter = ask.counter, .amount = 1000, .cost = 500};
  EXPECT_TRUE(admit(limiter, other, at(100)).admitted);
  limiter.cancel({1, 1}, at(101));
  EXPECT_EQ(peek(limiter, other, at(101)).verdicts[0].used, 500);
}

TEST(P14, NothingIsLeftAfterTheLastDeadline) {
  Limiter limiter({.max_closed = 4096, .remember_closed = kSecond});
  const CounterId gauge = limiter.define({.identity = "g", .kind = WindowKind::kConcurrency});
  const CounterId tokens = sliding(limiter, "t", 60 * kSecond);
  const std::size_t base = limiter.stats().bytes;
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    const Subject subject{.key = {i, i * 7}};
    const std::array<Demand, 2> demands{Demand{.counter = gauge, .cost = 1, .quota = {.amount = 5}},
                                        Demand{.counter = tokens, .hold = true, .cost = 9, .quota = {.amount = 50}}};
    Decision decision;
    limiter.admit({.subjects = {&subject, 1}, .demands = demands, .now = at(0), .id = {3, i}, .deadline = at(5)},
                  decision);
  }
  EXPECT_EQ(limiter.stats().open_reservations, 5000u);
  while (limiter.expire(at(6), 100) > 0) {
  }
  limiter.expire(at(100), 1);
  for (int i = 0; i < 20; ++i) limiter.sweep(at(200), 1'000'000);
  const LimiterStats stats = limiter.stats();
  EXPECT_EQ(stats.open_reservations, 0u);
  EXPECT_EQ(stats.closed_remembered, 0u);
  EXPECT_EQ(stats.subjects, 0u);
  EXPECT_EQ(stats.bytes, base);
}

// An insertion evicts in every stripe it has locked; the index of one that it emptied was never given back.
TEST(P14, AStripeEmptiedByAnInsertionElsewhereGivesItsMemoryBack) {
  Limiter limiter({.stripes = 2});
  const std::size_t base = limiter.stats().bytes;
  const CounterId counter = sliding(limiter, "c", kSecond);
  const std::array<Subject, 2> subjects{Subject{.key = {1, 2}}, Subject{.key = {1, 3}}};
  std::array<Demand, 2> demands{Demand{.counter = counter, .subject = 0, .cost = 1, .quota = {.amount = 9}},
                                Demand{.counter = counter, .subject = 1, .cost = 0, .quota = {.amount = 9}}};
  Decision decision;
  limiter.admit({.subjects = subjects, .demands = demands, .now = at(0)}, decision);
  std::swap(demands[0].cost, demands[1].cost);
  for (int i = 1; i <= 4; ++i) {
    limiter.admit({.subjects = subjects, .demands = demands, .now = at(10 * i)}, decision);
    limiter.sweep(at(10 * i + 5), 1000);
  }
  for (int i = 0; i < 10; ++i) limiter.sweep(at(100), 1000);
  EXPECT_EQ(limiter.stats().subjects, 0u);
  EXPECT_EQ(limiter.stats().bytes, base);
}

TEST(P16, AForwardJumpYieldsOneWindowAndABackwardStepNothing) {
  Limiter limiter;
  Ask ask{.counter = sliding(limiter, "c", 60 * kSecond), .amount = 100, .cost = 100};
  EXPECT_TRUE(admit(limiter, ask, at(0)).admitted);
  EXPECT_FALSE(admit(limiter, ask, at(-1000)).admitted);
  EXPECT_TRUE(admit(limiter, ask, at(1'000'000)).admitted);
  EXPECT_FALSE(admit(limiter, ask, at(1'000'000)).admitted);
  EXPECT_FALSE(admit(limiter, ask, at(0)).admitted) << "the clock stepped back";
}

TEST(P17, AFullTableRefusesNewSubjectsAndForgetsNoLiveOne) {
  Limiter limiter({.max_bytes = 400'000, .stripes = 16});
  Ask ask{.counter = sliding(limiter, "c", 60 * kSecond), .amount = 1};
  std::vector<std::uint64_t> admitted;
  for (std::uint64_t i = 1; i < 20'000; ++i) {
    ask.key = {i * 0x9E3779B97F4A7C15ull, i};
    const Decision decision = admit(limiter, ask, at(0));
    if (decision.admitted)
      admitted.push_back(i);
    else
      ASSERT_TRUE(decision.table_full);
  }
  EXPECT_GT(admitted.size(), 1000u);
  EXPECT_LT(admitted.size(), 19'000u);
  EXPECT_LE(limiter.stats().bytes, 400'000u);
  for (const std::uint64_t i : admitted) {
    ask.key = {i * 0x9E3779B97F4A7C15ull, i};
    ASSERT_FALSE(admit(limiter, ask, at(59)).admitted);
  }
  ask.key = {77, 20'001};
  limiter.sweep(at(100), 100'000);
  EXPECT_TRUE(admit(limiter, ask, at(100)).admitted) << "room again once the old ones are idle";
}

TEST(P17, EvictionDoesNotChangeAnyAnswer) {
  check_seeds(60, [](std::uint64_t seed) {
    Random random(seed);
    Limiter swept({.stripes = 4}), kept({.stripes = 4});
    for (Limiter* limiter : {&swept, &kept}) {
      sliding(*limiter, "ring", 5 * kSecond);
      limiter->define({.identity = "bucket", .kind = WindowKind::kBucket});
    }
    TimeNs now = kTestStart;
    for (int i = 0; i < 1000; ++i) {
      now += random.below(kSecond / 2);
      Ask ask{.counter = static_cast<CounterId>(random() % 2),
              .amount = random() % 2 == 0 ? 8 : 100,
              .cost = static_cast<std::int64_t>(random() % 8),
              .key = {1, random() % 8},
              .rate = {.units = 2, .per = kSecond}};
      if (ask.counter == 0) ask.amount = 100;
      const Decision a = admit(swept, ask, now), b = admit(kept, ask, now);
      ASSERT_EQ(a.admitted, b.admitted);
      ASSERT_EQ(a.retry_after, b.retry_after);
      ASSERT_EQ(a.verdicts[0].used, b.verdicts[0].used);
      swept.sweep(now, 1000);
    }
    EXPECT_LE(swept.stats().subjects, kept.stats().subjects);
  });
}

// envoyproxy/ratelimit joins with `_`, so (a_b, c) and (a, b_c) share a counter there.
TEST(P18, DistinctValuesNeverShareAKey) {
  const SubjectSecret secret{};
  SubjectHasher hasher(secret);
  const std::string nul(1, '\0'), lengthy(300, 'x');
  const std::vector<std::vector<std::string>> tuples{{"a_b", "c"},   {"a", "b_c"},     {"a_b_c"},
                                                     {"a|b", "c"},   {"a", "b|c"},     {"", "abc"},
                                                     {"abc", ""},    {"abc"},          {nul},
                                                     {""},           {"", ""},         {"\xC3\xA9"},
                                                     {"e\xCC\x81"},  {"a" + nul, "b"}, {"a", nul + "b"},
                                                     {lengthy, "a"}, {lengthy + "a"},  {lengthy}};
  std::vector<Hash128> keys;
  for (const auto& tuple : tuples) {
    hasher.begin("scope");
    for (const std::string& value : tuple) hasher.add(value);
    keys.push_back(hasher.finish());
  }
  keys.push_back(hasher.begin("other scope").add("abc").finish());
  std::ranges::sort(keys);
  EXPECT_EQ(std::ranges::adjacent_find(keys), keys.end());
}

TEST(P19, ANewWindowKeepsWhatTheOldRingKnows) {
  for (const std::int64_t amount : {30, 300}) {
    Limiter limiter;
    Ask ask{.counter = sliding(limiter, "c", 60 * kSecond), .amount = amount, .cost = 10};
    EXPECT_TRUE(admit(limiter, ask, at(0)).admitted);
    EXPECT_TRUE(admit(limiter, ask, at(30)).admitted);
    ask.counter = sliding(limiter, "c", 120 * kSecond, 30);
    EXPECT_EQ(peek(limiter, ask, at(90)).verdicts[0].used, 20);
    EXPECT_GE(peek(limiter, ask, at(121)).verdicts[0].used, 10);
    ask.counter = sliding(limiter, "c", 20 * kSecond);
    EXPECT_EQ(peek(limiter, ask, at(40)).verdicts[0].used, 10);
    const Decision lowered = peek(
        limiter,
        [&] {
          Ask a = ask;
          a.amount = 5;
          a.cost = 1;
          return a;
        }(),
        at(40));
    EXPECT_FALSE(lowered.admitted);
    EXPECT_EQ(sliding(limiter, "c", 20 * kSecond), ask.counter) << "the same spec has the same id";
  }
}

TEST(P22, ExtremesSaturate) {
  Limiter limiter;
  const CounterId wide = sliding(limiter, "w", kMaxWindow, 1000), narrow = sliding(limiter, "n", kMinWindow, 1000);
  const CounterId bucket = limiter.define({.identity = "b", .kind = WindowKind::kBucket});
  const CounterId day = limiter.define({.identity = "d", .kind = WindowKind::kCalendar});
  std::uint64_t id = 1;
  for (const CounterId counter : {wide, narrow, bucket, day}) {
    Ask ask{.counter = counter,
            .amount = 0,
            .cost = 1,
            .rate = {.units = 1, .per = kMaxWindow},
            .period_start = at(0),
            .period_end = at(86'400)};
    EXPECT_FALSE(admit(limiter, ask, at(0)).admitted);
    ask.cost = 0;
    EXPECT_TRUE(admit(limiter, ask, at(0)).admitted);
    ask.amount = ask.cost = kMaxAmount;
    ask.hold = true;
    for (int i = 0; i < 300; ++i) {
      ask.id = {1, ++id};
      ask.shadow = false;
      ask.cost = 0;
      const std::int64_t used = kMaxAmount;
      const Decision before = admit(limiter, ask, at(0));
      ASSERT_GE(before.verdicts[0].used, 0);
      if (!before.admitted) break;
      limiter.settle(ask.id, {&used, 1}, at(0));
    }
    ask.cost = 1;
    ask.id = {};
    const Decision refused = admit(limiter, ask, at(0));
    EXPECT_FALSE(refused.admitted);
    EXPECT_GE(refused.verdicts[0].used, kMaxAmount / 2);
    EXPECT_GT(refused.retry_after, 0);
  }
}

TEST(TimingWheel, FiresExactlyWhatIsDueWhateverTheJumps) {
  std::mt19937_64 random(5);
  TimingWheel wheel;
  std::vector<WheelEntry> entries(500);
  TimeNs now = kTestStart;
  wheel.pop_due(now);
  for (WheelEntry& entry : entries) {
    entry.deadline = now + static_cast<TimeNs>(random() >> (2 + random() % 60));
    wheel.add(entry);
  }
  std::size_t fired = 0;
  for (int i = 0; i < 3000 && fired < entries.size(); ++i) {
    now = std::min(kMaxTime, now + static_cast<TimeNs>(random() >> (4 + random() % 58)));
    while (WheelEntry* due = wheel.pop_due(now)) {
      ASSERT_LE(due->deadline, now);
      ++fired;
    }
    for (const WheelEntry& entry : entries) ASSERT_EQ(entry.linked(), entry.deadline > now);
  }
  for (WheelEntry& entry : entries)
    if (entry.linked()) TimingWheel::remove(entry);
}

}  // namespace
}  // namespace weir::engine
