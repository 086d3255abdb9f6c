#include "behavior/caller_breakers.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace weir {
namespace {

constexpr Hash128 kCaller{1, 2}, kOther{3, 4};
constexpr std::uint64_t kPost = 42;
constexpr bool kModel = true, kHttp = false;

Hash128 numbered(std::uint64_t i) {
  return {i * 0x9E3779B97F4A7C15U, i * 0xD1B54A32D192ED03U + 1};
}

TEST(FailedPrompts, TripAtTheThresholdAndSayWhy) {
  FailedPrompts prompts({});
  const BreakerRules rules;
  for (std::uint64_t run = 1; run <= 10; ++run) {
    EXPECT_FALSE(prompts.enter(kCaller, rules, 0).trip);
    prompts.end(kCaller, numbered(run), true, false, rules, static_cast<TimeNs>(run) * kSecond);
  }
  const BreakerGate gate = prompts.enter(kCaller, rules, 11 * kSecond);
  ASSERT_TRUE(gate.trip);
  EXPECT_EQ(gate.trip->meter, "prompts");
  EXPECT_EQ(gate.trip->allowed, 10);
  EXPECT_EQ(gate.trip->used, 10);
  EXPECT_EQ(gate.trip->retry_after, 29 * kSecond);
  EXPECT_TRUE(gate.trip->first);
  EXPECT_EQ(gate.trip->evidence, "the last answer of 10 runs of this caller within 60 s failed");
  EXPECT_FALSE(prompts.enter(kCaller, rules, 11 * kSecond).trip->first);
  EXPECT_FALSE(prompts.enter(kOther, rules, 11 * kSecond).trip) << "others are not its fault";
}

TEST(FailedPrompts, ARunCountsOnceAndNoLongerOnceItSucceeds) {
  FailedPrompts prompts({});
  const BreakerRules rules;
  for (int i = 0; i < 50; ++i) prompts.end(kCaller, numbered(1), true, false, rules, 0);
  EXPECT_FALSE(prompts.enter(kCaller, rules, 0).trip);
  for (std::uint64_t run = 2; run <= 9; ++run) prompts.end(kCaller, numbered(run), true, false, rules, 0);
  prompts.end(kCaller, numbered(5), false, false, rules, 0);
  prompts.end(kCaller, numbered(10), true, false, rules, 0);
  EXPECT_FALSE(prompts.enter(kCaller, rules, 0).trip) << "nine failed, one of ten recovered";
  prompts.end(kCaller, numbered(11), true, false, rules, 0);
  EXPECT_TRUE(prompts.enter(kCaller, rules, 0).trip);
}

TEST(FailedPrompts, FailuresLeaveTheWindow) {
  FailedPrompts prompts({});
  const BreakerRules rules;
  for (std::uint64_t run = 1; run <= 100; ++run) {
    prompts.end(kCaller, numbered(run), true, false, rules, static_cast<TimeNs>(run) * 7 * kSecond);
    EXPECT_FALSE(prompts.enter(kCaller, rules, static_cast<TimeNs>(run) * 7 * kSecond).trip);
  }
}

class HalfOpenPrompts : public testing::Test {
 protected:
  HalfOpenPrompts() {
    for (std::uint64_t run = 1; run <= 10; ++run) prompts.end(kCaller, numbered(run), true, false, rules, 0);
  }
  FailedPrompts prompts{FailedPrompts::Options{}};
  const BreakerRules rules;
  const TimeNs after = 30 * kSecond;
};

TEST_F(HalfOpenPrompts, LetOneProbeThroughAfterTheCooldown) {
  EXPECT_TRUE(prompts.enter(kCaller, rules, after - 1).trip);
  const BreakerGate probe = prompts.enter(kCaller, rules, after);
  EXPECT_FALSE(probe.trip);
  EXPECT_TRUE(probe.probe);
  const BreakerGate second = prompts.enter(kCaller, rules, after);
  ASSERT_TRUE(second.trip);
  EXPECT_GT(second.trip->retry_after, 0);
}

TEST_F(HalfOpenPrompts, CloseWhenTheProbeSucceeds) {
  ASSERT_TRUE(prompts.enter(kCaller, rules, after).probe);
  prompts.end(kCaller, numbered(99), false, true, rules, after);
  const BreakerGate gate = prompts.enter(kCaller, rules, after);
  EXPECT_FALSE(gate.trip);
  EXPECT_FALSE(gate.probe);
  EXPECT_EQ(prompts.size(), 0U);
}

TEST_F(HalfOpenPrompts, OpenAgainWhenTheProbeFails) {
  ASSERT_TRUE(prompts.enter(kCaller, rules, after).probe);
  prompts.end(kCaller, numbered(99), true, true, rules, after);
  EXPECT_TRUE(prompts.enter(kCaller, rules, after + 29 * kSecond).trip);
  EXPECT_TRUE(prompts.enter(kCaller, rules, after + 30 * kSecond).probe);
}

TEST_F(HalfOpenPrompts, GrantAnotherProbeWhenOneIsAbandonedOrLost) {
  ASSERT_TRUE(prompts.enter(kCaller, rules, after).probe);
  prompts.abandon(kCaller, true);
  ASSERT_TRUE(prompts.enter(kCaller, rules, after).probe);
  EXPECT_TRUE(prompts.enter(kCaller, rules, after + 29 * kSecond).trip);
  EXPECT_TRUE(prompts.enter(kCaller, rules, after + 30 * kSecond).probe) << "it never reported";
}

TEST_F(HalfOpenPrompts, AreNotClosedByAnAnswerFromBefore) {
  prompts.end(kCaller, numbered(3), false, false, rules, kSecond);
  EXPECT_TRUE(prompts.enter(kCaller, rules, 2 * kSecond).trip);
}

TEST(FailedPrompts, AThresholdOfZeroNeverTrips) {
  FailedPrompts prompts({});
  BreakerRules rules;
  rules.failed_prompts.count = 0;
  for (std::uint64_t run = 0; run < 100; ++run) prompts.end(kCaller, numbered(run), true, false, rules, 0);
  EXPECT_FALSE(prompts.enter(kCaller, rules, 0).trip);
}

TEST(FailedPrompts, RunsAndCallersAreBounded) {
  FailedPrompts prompts({.max_callers = 160});
  BreakerRules rules;
  rules.failed_prompts = {1'000'000, kDay};
  for (std::uint64_t run = 1; run < FailedPrompts::kMaxFailedRuns; ++run) {
    prompts.end(kCaller, numbered(run), true, false, rules, 0);
  }
  EXPECT_FALSE(prompts.enter(kCaller, rules, 0).trip);
  prompts.end(kCaller, numbered(0), true, false, rules, 0);
  EXPECT_TRUE(prompts.enter(kCaller, rules, 0).trip) << "as many as are remembered act like the threshold";
  for (std::uint64_t i = 1; i < 5000; ++i) prompts.end(numbered(i), {}, true, false, rules, 0);
  EXPECT_LE(prompts.size(), 160U);
}

// Sends `count` failing requests in sequence; how many the upstream saw.
int send_failing(Unlinked& unlinked, int count, bool model, DurationNs apart) {
  const BreakerRules rules;
  int seen = 0;
  for (int i = 0; i < count; ++i) {
    const BreakerGate gate = unlinked.enter(kCaller, kPost, model, rules, i * apart);
    if (gate.trip) continue;
    ++seen;
    unlinked.end(kCaller, kPost, true, gate.probe, rules, i * apart);
  }
  return seen;
}

TEST(Unlinked, AFailingRequestRepeated500TimesReachesTheUpstreamFiveTimes) {
  for (const bool model : {kModel, kHttp}) {
    Unlinked unlinked({});
    EXPECT_EQ(send_failing(unlinked, 500, model, 10 * kMillisecond), 5);
  }
}

TEST(Unlinked, AfterEachCooldownOneProbeReachesTheUpstream) {
  Unlinked unlinked({});
  EXPECT_EQ(send_failing(unlinked, 10'000, kModel, 10 * kMillisecond), 5 + 3);  // 100 s: after 30, 60 and 90
}

TEST(Unlinked, FiveHundredAtOnceReachTheUpstreamFiveTimes) {
  Unlinked unlinked({});
  const BreakerRules rules;
  int in_flight = 0;
  for (int i = 0; i < 500; ++i) {
    const BreakerGate gate = unlinked.enter(kCaller, kPost, kHttp, rules, 0);
    in_flight += gate.trip ? 0 : 1;
    if (!gate.trip) continue;
    EXPECT_FALSE(gate.probe);
  }
  EXPECT_EQ(in_flight, 5);
  for (int i = 0; i < in_flight; ++i) unlinked.end(kCaller, kPost, true, false, rules, kSecond);
  const BreakerGate gate = unlinked.enter(kCaller, kPost, kHttp, rules, kSecond);
  ASSERT_TRUE(gate.trip);
  EXPECT_EQ(gate.trip->evidence, "the same request failed 5 times within 60 s");
  EXPECT_TRUE(gate.trip->first);
}

RC_GTEST_PROP(Unlinked, HoweverFailuresInterleaveTheUpstreamSeesAtMostFiveAMinute, ()) {
  Unlinked unlinked({});
  const BreakerRules rules;
  int in_flight = 0, seen = 0;
  for (const bool arrives : *rc::gen::container<std::vector<bool>>(300, rc::gen::arbitrary<bool>())) {
    if (arrives) {
      if (unlinked.enter(kCaller, kPost, kHttp, rules, 0).trip) continue;
      ++in_flight;
      ++seen;
    } else if (in_flight > 0) {
      --in_flight;
      unlinked.end(kCaller, kPost, true, false, rules, 0);
    }
  }
  RC_ASSERT(seen <= 5);
}

TEST(Unlinked, ManyEqualPromptsAtOnceAreOrdinaryUntilOneFails) {
  Unlinked unlinked({});
  const BreakerRules rules;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(unlinked.enter(kCaller, kPost, kModel, rules, 0).trip);
  unlinked.end(kCaller, kPost, true, false, rules, 0);
  const BreakerGate gate = unlinked.enter(kCaller, kPost, kModel, rules, 0);
  ASSERT_TRUE(gate.trip);
  EXPECT_EQ(gate.trip->retry_after, Unlinked::kBusy);
  EXPECT_EQ(gate.trip->used, 100);
  unlinked.end(kCaller, kPost, false, false, rules, 0);
  EXPECT_FALSE(unlinked.enter(kCaller, kPost, kModel, rules, 0).trip) << "one ended well since";
}

TEST(Unlinked, StreamsThatLastAreNotTakenForFailures) {
  Unlinked unlinked({});
  const BreakerRules rules;
  for (int i = 0; i < 40; ++i) {
    const TimeNs now = i * Unlinked::kPatience / 5;
    EXPECT_FALSE(unlinked.enter(kCaller, kPost, kHttp, rules, now).trip) << i;
  }
  EXPECT_TRUE(unlinked.enter(kCaller, kPost, kHttp, rules, 40 * Unlinked::kPatience / 5 - 1).trip)
      << "too many at once";
}

TEST(Unlinked, PollingThatSucceedsIsRefusedByRepeatsOnlyAndOnlyOutsideModels) {
  Unlinked unlinked({});
  const BreakerRules rules;
  for (int i = 0; i < 1000; ++i) {
    const TimeNs now = i * kSecond + i * (kSecond / 10);  // 55 a minute
    for (const bool model : {kModel, kHttp}) {
      const std::uint64_t print = model ? 1 : 2;
      ASSERT_FALSE(unlinked.enter(kCaller, print, model, rules, now).trip) << i;
      unlinked.end(kCaller, print, false, false, rules, now);
    }
  }
  for (int i = 0; i < 500; ++i) {
    ASSERT_FALSE(unlinked.enter(kCaller, 3, kModel, rules, kHour).trip);
    unlinked.end(kCaller, 3, false, false, rules, kHour);
  }
}

TEST(Unlinked, SixtyEqualRequestsInAMinuteOpenForTheCooldown) {
  Unlinked unlinked({});
  const BreakerRules rules;
  for (int i = 0; i < 60; ++i) {
    ASSERT_FALSE(unlinked.enter(kCaller, kPost, kHttp, rules, 0).trip);
    unlinked.end(kCaller, kPost, false, false, rules, 0);
  }
  const BreakerGate gate = unlinked.enter(kCaller, kPost, kHttp, rules, 0);
  ASSERT_TRUE(gate.trip);
  EXPECT_EQ(gate.trip->meter, "requests");
  EXPECT_EQ(gate.trip->used, 60);
  EXPECT_EQ(gate.trip->retry_after, 30 * kSecond);
  EXPECT_EQ(gate.trip->evidence, "the same request came 60 times within 60 s");
  EXPECT_FALSE(unlinked.enter(kCaller, kPost + 1, kHttp, rules, 0).trip) << "another request";
  EXPECT_FALSE(unlinked.enter(kOther, kPost, kHttp, rules, 0).trip) << "another caller";
  const BreakerGate probe = unlinked.enter(kCaller, kPost, kHttp, rules, 30 * kSecond);
  ASSERT_TRUE(probe.probe);
  unlinked.end(kCaller, kPost, false, true, rules, 30 * kSecond);
  EXPECT_FALSE(unlinked.enter(kCaller, kPost, kHttp, rules, 30 * kSecond).trip);
}

TEST(Unlinked, WhoKeepsComingBackBeforeItsWaitIsOverIsFailing) {
  Unlinked unlinked({});
  const BreakerRules rules;
  int limited = 0;
  for (int i = 0; i < 500; ++i) {
    const BreakerGate gate = unlinked.enter(kCaller, kPost, kModel, rules, i * kMillisecond);
    if (gate.trip) continue;
    ++limited;
    unlinked.refused(kCaller, kPost, kHour, gate.probe);
  }
  EXPECT_EQ(limited, 5) << "the first, and four returns";
}

TEST(Unlinked, WhoWaitsAsToldIsNot) {
  Unlinked unlinked({});
  const BreakerRules rules;
  for (int i = 0; i < 100; ++i) {
    const BreakerGate gate = unlinked.enter(kCaller, kPost, kModel, rules, i * kSecond);
    ASSERT_FALSE(gate.trip);
    unlinked.refused(kCaller, kPost, (i + 1) * kSecond, gate.probe);
  }
}

TEST(Unlinked, AWaitIsOverOnceTheRequestWasLetInEarlier) {
  Unlinked unlinked({});
  const BreakerRules rules;
  ASSERT_FALSE(unlinked.enter(kCaller, kPost, kModel, rules, 0).trip);
  unlinked.refused(kCaller, kPost, kHour, false);
  for (int i = 1; i <= 100; ++i) {  // the operator raised the limit meanwhile
    ASSERT_FALSE(unlinked.enter(kCaller, kPost, kModel, rules, i * kMillisecond).trip) << i;
    unlinked.end(kCaller, kPost, false, false, rules, i * kMillisecond);
  }
}

TEST(Unlinked, AProbeThatALimitRefusesLeavesRoomForAnother) {
  Unlinked unlinked({});
  const BreakerRules rules;
  send_failing(unlinked, 5, kModel, 0);
  ASSERT_TRUE(unlinked.enter(kCaller, kPost, kModel, rules, kMinute).probe);
  unlinked.refused(kCaller, kPost, 0, true);
  EXPECT_TRUE(unlinked.enter(kCaller, kPost, kModel, rules, kMinute).probe);
}

TEST(Unlinked, WithoutFingerprintOrThresholdNothingIsWatched) {
  Unlinked unlinked({});
  BreakerRules rules;
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(unlinked.enter(kCaller, 0, kHttp, rules, 0).trip);
    unlinked.end(kCaller, 0, true, false, rules, 0);
  }
  EXPECT_EQ(unlinked.size(), 0U);
  rules.unlinked_failed.count = rules.unlinked_repeats.count = 0;
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(unlinked.enter(kCaller, kPost, kHttp, rules, 0).trip);
    unlinked.end(kCaller, kPost, true, false, rules, 0);
  }
}

TEST(Unlinked, ACallersFingerprintsAreBoundedAndItsOldestGo) {
  Unlinked unlinked({});
  const BreakerRules rules;
  send_failing(unlinked, 5, kModel, 0);
  for (std::uint64_t print = 100; print < 100 + Unlinked::kMaxPerCaller - 1; ++print) {
    unlinked.enter(kCaller, print, kModel, rules, 0);
  }
  EXPECT_TRUE(unlinked.enter(kCaller, kPost, kModel, rules, 0).trip) << "still among the last 64";
  for (std::uint64_t print = 200; print < 1000; ++print) unlinked.enter(kCaller, print, kModel, rules, 0);
  EXPECT_EQ(unlinked.size(), Unlinked::kMaxPerCaller);
  EXPECT_FALSE(unlinked.enter(kCaller, kPost, kModel, rules, 0).trip);
}

TEST(Unlinked, NoCallerPushesOutAnotherByItself) {
  Unlinked unlinked({});
  send_failing(unlinked, 5, kModel, 0);
  const BreakerRules rules;
  for (std::uint64_t print = 1; print < 100'000; ++print) unlinked.enter(kOther, print, kModel, rules, 0);
  EXPECT_TRUE(unlinked.enter(kCaller, kPost, kModel, rules, 0).trip);
}

TEST(Unlinked, FingerprintsOfAllCallersAreBounded) {
  const BreakerRules rules;
  for (const std::size_t most : {std::size_t{16}, std::size_t{64}, std::size_t{1600}}) {
    Unlinked unlinked({.max_fingerprints = most});
    for (std::uint64_t i = 1; i < 5000; ++i) {
      for (std::uint64_t print = 1; print <= 3; ++print) unlinked.enter(numbered(i), print, kModel, rules, 0);
    }
    EXPECT_LE(unlinked.size(), most);
    unlinked.end(numbered(1), 1, true, true, rules, 0);  // forgotten meanwhile
    unlinked.refused(numbered(1), 1, kHour, true);
  }
}

TEST(Unlinked, ThresholdsBeyondWhatIsCountedActLikeIt) {
  Unlinked unlinked({});
  BreakerRules rules;
  rules.unlinked_repeats = {1'000'000, kDay};
  std::size_t passed = 0;
  for (int i = 0; i < 5000; ++i) {
    const BreakerGate gate = unlinked.enter(kCaller, kPost, kHttp, rules, i);
    if (gate.trip) continue;
    ++passed;
    unlinked.end(kCaller, kPost, false, gate.probe, rules, i);
  }
  EXPECT_EQ(passed, Unlinked::kMaxCounted);
}

TEST(Unlinked, WorkersTogetherLetNoMoreThanTheThresholdThrough) {
  Unlinked unlinked({});
  const BreakerRules rules;
  std::atomic<int> seen = 0;
  std::vector<std::thread> workers;
  for (int worker = 0; worker < 4; ++worker) {
    workers.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const BreakerGate gate = unlinked.enter(kCaller, kPost, kHttp, rules, kSecond);
        if (gate.trip) continue;
        ++seen;
        std::this_thread::yield();
        unlinked.end(kCaller, kPost, true, gate.probe, rules, kSecond);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(seen, 5);
}

}  // namespace
}  // namespace weir
