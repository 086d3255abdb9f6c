#include "behavior/rates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <random>
#include <vector>

#include "base/hash.h"

namespace weir {
namespace {

constexpr Hash128 kCaller{1, 2};
constexpr std::int64_t kBucketsPerDay = kDay / Rates::kBucket;

struct Found {
  std::int64_t bucket = 0;
  RateAnomaly anomaly;
};

// Plays `days` days of a caller whose requests in each bucket are Poisson around `mean(bucket)`, one event each.
// Tokens, tools, errors and repetitions follow the requests.
std::vector<Found> play(Rates& rates, Hash128 caller, std::int64_t days, unsigned seed,
                        const std::function<double(std::int64_t)>& mean) {
  std::mt19937 random(seed);
  std::lognormal_distribution<double> tokens(6.5, 1.0);
  std::vector<Found> found;
  for (std::int64_t bucket = 0; bucket < days * kBucketsPerDay; ++bucket) {
    const double expected = mean(bucket);
    const int requests = expected <= 0 ? 0 : std::poisson_distribution<int>(expected)(random);
    for (int i = 0; i < requests; ++i) {
      const RateEvent event{.requests = 1,
                            .tokens = static_cast<std::int64_t>(tokens(random)),
                            .errors = random() % 20 == 0 ? 1 : 0,
                            .repetitions = random() % 10 == 0 ? 1 : 0,
                            .tool = 1 + random() % 8};
      const TimeNs at = bucket * Rates::kBucket + i * (Rates::kBucket / (requests + 1));
      if (auto anomaly = rates.note(caller, event, at)) found.push_back({bucket, *anomaly});
    }
  }
  return found;
}

double hour_of(std::int64_t bucket) {
  return static_cast<double>(bucket % kBucketsPerDay) / 12.0;
}

TEST(Rates, ASteadyCallerIsNoAnomalyInAFortnight) {
  std::size_t anomalies = 0;
  std::int64_t buckets = 0;
  for (const double mean : {0.05, 0.5, 3.0, 12.0, 40.0, 150.0}) {
    for (unsigned seed = 1; seed <= 3; ++seed) {
      Rates rates({});
      anomalies += play(rates, kCaller, 14, seed, [&](std::int64_t) { return mean; }).size();
      buckets += 14 * kBucketsPerDay;
    }
  }
  EXPECT_LT(static_cast<double>(anomalies), static_cast<double>(buckets) / 10'000);
}

TEST(Rates, ADailyRhythmIsNoAnomalyFromTheSecondDayOn) {
  std::size_t anomalies = 0;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    Rates rates({});
    for (const Found& found : play(rates, kCaller, 14, seed, [](std::int64_t bucket) {
           return 60 * std::max(0.0, std::sin((hour_of(bucket) - 6) / 12 * std::numbers::pi));
         })) {
      anomalies += found.bucket >= 2 * kBucketsPerDay ? 1 : 0;
    }
  }
  EXPECT_LE(anomalies, 1U);  // of 13,824 buckets
}

TEST(Rates, OfficeHoursAreNoAnomalyAfterAWeekendOrAHoliday) {
  Rates rates({});
  const auto found = play(rates, kCaller, 42, 5, [](std::int64_t bucket) {
    const std::int64_t day = bucket / kBucketsPerDay;
    const bool off = day % 7 >= 5 || (day >= 14 && day < 28);
    return !off && hour_of(bucket) >= 9 && hour_of(bucket) < 17 ? 80.0 : 0.0;
  });
  for (const Found& each : found) EXPECT_LT(each.bucket, 2 * kBucketsPerDay) << each.anomaly.sentence;
}

TEST(Rates, ANightlyBatchIsAnAnomalyInItsFirstNightOnly) {
  Rates rates({});
  const auto found = play(rates, kCaller, 14, 7, [](std::int64_t bucket) {
    const bool batch = bucket >= 3 * kBucketsPerDay && bucket % kBucketsPerDay >= 24 && bucket % kBucketsPerDay < 27;
    return batch ? 900.0 : 10.0;
  });
  ASSERT_FALSE(found.empty());
  for (const Found& each : found) EXPECT_EQ(each.bucket / kBucketsPerDay, 3) << each.anomaly.sentence;
}

TEST(Rates, ATenfoldSpikeIsFoundWithinItsBucket) {
  for (const double mean : {10.0, 30.0, 100.0}) {
    for (unsigned seed = 1; seed <= 5; ++seed) {
      Rates rates({});
      const std::int64_t spike = 9 * kBucketsPerDay + 100;
      const auto found =
          play(rates, kCaller, 10, seed, [&](std::int64_t bucket) { return bucket == spike ? 10 * mean : mean; });
      bool requests = false;
      for (const Found& each : found) requests |= each.bucket == spike && each.anomaly.measure == "requests";
      EXPECT_TRUE(requests) << mean << " " << seed;
    }
  }
}

TEST(Rates, SlowGrowthIsNoAnomaly) {
  Rates rates({});
  const auto found = play(rates, kCaller, 42, 3, [](std::int64_t bucket) {
    return 20 * std::exp2(static_cast<double>(bucket) / static_cast<double>(14 * kBucketsPerDay));
  });
  EXPECT_TRUE(found.empty());
}

TEST(Rates, NothingIsJudgedWithoutHistory) {
  Rates rates({});
  for (int i = 0; i < 100'000; ++i) EXPECT_FALSE(rates.note(kCaller, {.requests = 100, .tokens = 1'000'000}, i));
  EXPECT_FALSE(rates.note(kCaller, {.requests = 1'000'000}, Rates::kLeastHistory - Rates::kBucket));
}

TEST(Rates, EachMeasureIsToldOncePerBucketWithASentence) {
  Rates rates({});
  play(rates, kCaller, 3, 1, [](std::int64_t) { return 12.0; });
  const TimeNs now = 3 * kDay;
  std::vector<std::string_view> told;
  for (int i = 0; i < 2000; ++i) {
    const auto anomaly = rates.note(
        kCaller,
        {.requests = 1, .tokens = 10'000, .errors = 1, .repetitions = 1, .tool = hash64("tool" + std::to_string(i))},
        now + i);
    if (!anomaly) continue;
    told.push_back(anomaly->measure);
    EXPECT_GT(anomaly->seen, anomaly->bound);
    EXPECT_NE(anomaly->sentence.find("within 5 minutes"), std::string::npos);
  }
  std::ranges::sort(told);
  EXPECT_EQ(told, (std::vector<std::string_view>{"errors", "repetitions", "requests", "tokens", "tools"}));
}

TEST(Rates, ALittleIsNeverAnAnomaly) {
  Rates rates({});
  rates.note(kCaller, {.requests = 1}, 0);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(rates.note(kCaller, {.requests = 1, .tokens = 1000}, 5 * kDay));
}

TEST(Rates, HugeAndNegativeAmountsDoNotOverflow) {
  Rates rates({});
  for (int day = 0; day < 3; ++day) {
    for (int i = 0; i < 10; ++i) {
      rates.note(kCaller, {.requests = kMaxAmount, .tokens = std::numeric_limits<std::int64_t>::max()}, day * kDay + i);
      rates.note(kCaller, {.requests = -5, .tokens = std::numeric_limits<std::int64_t>::min()}, day * kDay + i);
    }
  }
}

TEST(Rates, AClockThatJumpsBackIsTheSameBucket) {
  Rates rates({});
  rates.note(kCaller, {.requests = 1}, 0);
  for (int i = 1; i <= 60; ++i) EXPECT_FALSE(rates.note(kCaller, {.requests = 1}, (i % 2) * 10 * kDay));
  EXPECT_TRUE(rates.note(kCaller, {.requests = 1}, 0)) << "the sixty-first in the bucket of day 10";
}

TEST(Rates, CallersAreBoundedInNumberAndSize) {
  Rates rates({.max_callers = 160});
  for (std::uint64_t i = 1; i < 5000; ++i) rates.note({i * 0x9E3779B97F4A7C15U, i}, {.requests = 1}, 0);
  EXPECT_LE(rates.size(), 160U);
  EXPECT_GT(rates.size(), 100U);
  EXPECT_LE(Rates::bytes_per_caller(), 420U);
}

}  // namespace
}  // namespace weir
