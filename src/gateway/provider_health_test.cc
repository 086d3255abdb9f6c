#include "gateway/provider_health.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace weir {
namespace {

using Answer = ProviderHealth::Answer;
using Reason = ProviderHealth::Gate::Reason;
constexpr TimeNs kStart = 1'700'000'000 * kSecond;

ProviderLimits wait_for(DurationNs wait) {
  ProviderLimits limits;
  limits.retry_after = wait;
  return limits;
}
ProviderLimits tokens_left(std::int64_t tokens, DurationNs reset) {
  ProviderLimits limits;
  limits.remaining_tokens = tokens;
  limits.reset_tokens = reset;
  return limits;
}
ProviderLimits left(std::int64_t requests, DurationNs reset, std::int64_t tokens, DurationNs reset_tokens) {
  ProviderLimits limits = tokens_left(tokens, reset_tokens);
  limits.remaining_requests = requests;
  limits.reset_requests = reset;
  return limits;
}

void answers(ProviderHealth& health, int count, Answer answer, TimeNs now) {
  for (int i = 0; i < count; ++i) health.answered("p", "m", answer, now);
}

TEST(ProviderHealth, OpensAtHalfOfTwentyAndNotBefore) {
  ProviderHealth health;
  answers(health, 19, Answer::kFailed, kStart);
  EXPECT_TRUE(health.gate("p", "m", 1, kStart).closed()) << "nineteen are too few to tell";
  EXPECT_EQ(health.open_breakers(kStart), 0u);
  answers(health, 1, Answer::kFailed, kStart);
  const ProviderHealth::Gate gate = health.gate("p", "m", 1, kStart + kSecond);
  EXPECT_EQ(gate.reason, Reason::kBreaker);
  EXPECT_EQ(gate.retry_after, ProviderHealth::kOpenFor - kSecond);
  EXPECT_EQ(health.open_breakers(kStart), 1u);
  EXPECT_TRUE(health.gate("p", "other", 1, kStart).closed());
  EXPECT_TRUE(health.gate("other", "m", 1, kStart).closed());
}

TEST(ProviderHealth, TellsTheStateOfEachModelThoseThatAreOpenFirst) {
  ProviderHealth health;
  answers(health, 20, Answer::kFailed, kStart);
  health.sent("p", "fine", 1, false, kStart);
  health.answered("p", "fine", Answer::kGood, kStart);
  const auto states = health.states(kStart + kSecond, 10);
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].provider + "/" + states[0].model, "p/m");
  EXPECT_EQ(states[0].opened_at, kStart);
  EXPECT_EQ(states[0].asked_from, kStart + ProviderHealth::kOpenFor);
  EXPECT_EQ(states[1].model, "fine");
  EXPECT_EQ(states[1].opened_at, 0);
  EXPECT_EQ(health.states(kStart + ProviderHealth::kOpenFor, 1).at(0).asked_from, 0) << "half open: a probe may go";
}

TEST(ProviderHealth, LessThanHalfStaysClosedAndAbandonedSaysNothing) {
  ProviderHealth health;
  answers(health, 21, Answer::kGood, kStart);
  answers(health, 20, Answer::kFailed, kStart);
  answers(health, 100, Answer::kAbandoned, kStart);
  EXPECT_TRUE(health.gate("p", "m", 1, kStart).closed());
  answers(health, 1, Answer::kFailed, kStart);
  EXPECT_FALSE(health.gate("p", "m", 1, kStart).closed());
}

TEST(ProviderHealth, FailuresOlderThanTheWindowAreForgotten) {
  ProviderHealth health;
  answers(health, 19, Answer::kFailed, kStart);
  answers(health, 1, Answer::kFailed, kStart + ProviderHealth::kWindow);
  EXPECT_TRUE(health.gate("p", "m", 1, kStart + ProviderHealth::kWindow).closed());
}

struct Opened {
  ProviderHealth health;
  TimeNs probe_time = kStart + ProviderHealth::kOpenFor;
  Opened() { answers(health, 20, Answer::kFailed, kStart); }
};

TEST(ProviderHealth, OneProbeAtATimeAndAGoodOneCloses) {
  Opened s;
  EXPECT_FALSE(s.health.gate("p", "m", 1, s.probe_time - 1).closed());
  const auto probe = s.health.gate("p", "m", 1, s.probe_time);
  EXPECT_TRUE(probe.closed());
  EXPECT_TRUE(probe.probe);
  const auto second = s.health.gate("p", "m", 1, s.probe_time + 1);
  EXPECT_EQ(second.reason, Reason::kBreaker) << "one is on its way";
  EXPECT_GT(second.retry_after, 0);
  s.health.answered("p", "m", Answer::kGood, s.probe_time + kSecond, true);
  EXPECT_TRUE(s.health.gate("p", "m", 1, s.probe_time + kSecond).closed());
  EXPECT_FALSE(s.health.gate("p", "m", 1, s.probe_time + kSecond).probe);
  EXPECT_EQ(s.health.open_breakers(s.probe_time), 0u);
  answers(s.health, 19, Answer::kFailed, s.probe_time + kSecond);
  EXPECT_TRUE(s.health.gate("p", "m", 1, s.probe_time + kSecond).closed()) << "the old failures do not count again";
}

TEST(ProviderHealth, AFailedProbeOpensForAnotherTime) {
  Opened s;
  EXPECT_TRUE(s.health.gate("p", "m", 1, s.probe_time).probe);
  s.health.answered("p", "m", Answer::kFailed, s.probe_time + 5, true);
  EXPECT_FALSE(s.health.gate("p", "m", 1, s.probe_time + ProviderHealth::kOpenFor).closed());
  EXPECT_TRUE(s.health.gate("p", "m", 1, s.probe_time + 5 + ProviderHealth::kOpenFor).probe);
}

TEST(ProviderHealth, AnAbandonedProbeLetsTheNextOneTry) {
  Opened s;
  EXPECT_TRUE(s.health.gate("p", "m", 1, s.probe_time).probe);
  s.health.answered("p", "m", Answer::kAbandoned, s.probe_time + 1, true);
  EXPECT_TRUE(s.health.gate("p", "m", 1, s.probe_time + 1).probe);
}

TEST(ProviderHealth, AProbeThatNeverReportsIsGivenUp) {
  Opened s;
  EXPECT_TRUE(s.health.gate("p", "m", 1, s.probe_time).probe);
  EXPECT_FALSE(s.health.gate("p", "m", 1, s.probe_time + ProviderHealth::kOpenFor - 1).closed());
  EXPECT_TRUE(s.health.gate("p", "m", 1, s.probe_time + ProviderHealth::kOpenFor).probe);
}

TEST(ProviderHealth, AnswersFromBeforeTheOpeningDecideNothing) {
  Opened s;
  answers(s.health, 5, Answer::kGood, kStart + kSecond);
  EXPECT_EQ(s.health.gate("p", "m", 1, kStart + 2 * kSecond).reason, Reason::kBreaker);
}

TEST(ProviderHealth, OnlyTheProbeDecidesWhileItIsUnderWay) {
  Opened s;
  EXPECT_TRUE(s.health.gate("p", "m", 1, s.probe_time).probe);
  for (const Answer answer : {Answer::kGood, Answer::kFailed, Answer::kAbandoned}) {
    s.health.answered("p", "m", answer, s.probe_time + 1);  // of requests sent before the breaker opened
    EXPECT_EQ(s.health.gate("p", "m", 1, s.probe_time + 2).reason, Reason::kBreaker);
  }
  s.health.answered("p", "m", Answer::kGood, s.probe_time + 3, true);
  EXPECT_TRUE(s.health.gate("p", "m", 1, s.probe_time + 3).closed());
}

TEST(ProviderHealth, WhatTheProviderSaysRemainsIsSpentUntilItsReset) {
  ProviderHealth health;
  health.learn("p", "m", left(2, kSecond, 1000, 6 * kSecond), kStart);
  EXPECT_TRUE(health.gate("p", "m", 1000, kStart).closed());
  const auto large = health.gate("p", "m", 1001, kStart);
  EXPECT_EQ(large.reason, Reason::kExhausted);
  EXPECT_EQ(large.retry_after, 6 * kSecond);
  health.sent("p", "m", 600, false, kStart);
  EXPECT_TRUE(health.gate("p", "m", 400, kStart).closed());
  EXPECT_FALSE(health.gate("p", "m", 401, kStart).closed());
  health.sent("p", "m", 100, false, kStart);
  EXPECT_EQ(health.gate("p", "m", 1, kStart).retry_after, kSecond) << "no request is left";
  EXPECT_TRUE(health.gate("p", "m", 300, kStart + kSecond).closed()) << "requests are back, and 300 tokens are left";
  EXPECT_TRUE(health.gate("p", "m", 1'000'000, kStart + 6 * kSecond).closed()) << "nothing is known any more";
}

TEST(ProviderHealth, OnlyANewerReportRaises) {
  ProviderHealth health;
  health.learn("p", "m", tokens_left(10, kMinute), kStart);
  health.answered("p", "m", Answer::kGood, kStart);
  EXPECT_FALSE(health.gate("p", "m", 11, kStart).closed());
  health.learn("p", "m", tokens_left(500, 0), kStart + kSecond);
  EXPECT_TRUE(health.gate("p", "m", 500, kStart + kSecond).closed());
  EXPECT_EQ(health.gate("p", "m", 501, kStart + kSecond).retry_after, kMinute - kSecond) << "the reset known before";
  health.learn("p", "n", tokens_left(0, 0), kStart);
  EXPECT_TRUE(health.gate("p", "n", 1, kStart).closed()) << "no end is known: nothing to wait for";
}

TEST(ProviderHealth, RetryAfterBlocksForAnHourAtMost) {
  ProviderHealth health;
  const auto said = [&](DurationNs wait) {
    health.learn("p", "m", wait_for(wait), kStart);
    return health.gate("p", "m", 1, kStart).retry_after;
  };
  EXPECT_EQ(said(-5 * kSecond), 0);
  EXPECT_EQ(said(0), 0);
  EXPECT_EQ(said(20 * kSecond), 20 * kSecond);
  EXPECT_EQ(said(5 * kSecond), 20 * kSecond) << "a shorter word does not undo a longer one";
  EXPECT_EQ(said(INT64_MAX), ProviderHealth::kMaxBlock);
  EXPECT_TRUE(health.gate("p", "m", 1, kStart + ProviderHealth::kMaxBlock).closed());
}

TEST(ProviderHealth, AnExhaustedProviderGetsNoProbeBeforeItsReset) {
  Opened s;
  s.health.learn("p", "m", wait_for(ProviderHealth::kOpenFor + kSecond), kStart);
  EXPECT_EQ(s.health.gate("p", "m", 1, s.probe_time - kSecond).retry_after, 2 * kSecond);
  EXPECT_EQ(s.health.gate("p", "m", 1, s.probe_time).reason, Reason::kExhausted);
  EXPECT_TRUE(s.health.gate("p", "m", 1, s.probe_time + kSecond).probe);
}

TEST(ProviderHealth, RetriesAreATenthOfTheRequestsAfterASmallBurst) {
  ProviderHealth health;
  int taken = 0;
  while (health.take_retry("p", kStart)) ++taken;
  EXPECT_EQ(taken, ProviderHealth::kMaxRetryBurst);
  for (int i = 0; i < 9; ++i) health.sent("p", "m", 1, false, kStart);
  for (int i = 0; i < 50; ++i) health.sent("p", "m", 1, true, kStart);
  EXPECT_FALSE(health.take_retry("p", kStart)) << "retries earn nothing";
  health.sent("p", "m", 1, false, kStart);
  EXPECT_TRUE(health.take_retry("p", kStart));
  EXPECT_FALSE(health.take_retry("p", kStart));
  EXPECT_TRUE(health.take_retry("q", kStart)) << "each provider has its own";
  for (int i = 0; i < 10'000; ++i) health.sent("p", "m", 1, false, kStart);
  taken = 0;
  while (health.take_retry("p", kStart)) ++taken;
  EXPECT_EQ(taken, ProviderHealth::kMaxRetryBurst) << "what is not used does not pile up";
}

TEST(ProviderHealth, ForgetsTheLongestUnusedBeyondTheBound) {
  ProviderHealth health;
  const auto block = [&](std::size_t n) { health.learn("p", "m" + std::to_string(n), wait_for(kHour), kStart); };
  const auto blocked = [&](std::size_t n) { return !health.gate("p", "m" + std::to_string(n), 1, kStart).closed(); };
  for (std::size_t n = 0; n < ProviderHealth::kMaxModels; ++n) block(n);
  EXPECT_TRUE(blocked(0)) << "all fit; and now this one was used last";
  block(ProviderHealth::kMaxModels);
  EXPECT_FALSE(blocked(1)) << "the longest unused made room";
  EXPECT_TRUE(blocked(0));
  EXPECT_TRUE(blocked(2));
  EXPECT_TRUE(blocked(ProviderHealth::kMaxModels));
  // The same for providers: the budget that was used up is forgotten.
  while (health.take_retry("first", kStart)) continue;
  for (std::size_t n = 0; n < ProviderHealth::kMaxModels; ++n)
    health.sent("q" + std::to_string(n), "m", 1, false, kStart);
  EXPECT_TRUE(health.take_retry("first", kStart));
}

TEST(ProviderHealth, ASmallStepBackInTimeChangesNothing) {
  ProviderHealth health;
  answers(health, 10, Answer::kFailed, kStart);
  answers(health, 10, Answer::kFailed, kStart - 3 * kSecond);
  EXPECT_EQ(health.gate("p", "m", 1, kStart - kSecond).retry_after, ProviderHealth::kOpenFor);
}

// The same rules over a plain list of answers, kept for ever.
struct Plain {
  static constexpr DurationNs kStep = 2 * kSecond;  // answers are kept in steps of this
  std::vector<std::pair<TimeNs, bool>> answers;     // since the breaker last closed
  TimeNs opened = 0, probe = 0, blocked = 0;
  std::int64_t requests = 0, tokens = 0;
  TimeNs reset = 0;

  Reason gate(std::int64_t needed, TimeNs now, bool& granted) {
    granted = false;
    if (opened != 0 && now < std::max(opened, probe) + ProviderHealth::kOpenFor) return Reason::kBreaker;
    if (now < blocked || (now < reset && (requests < 1 || tokens < needed))) return Reason::kExhausted;
    granted = opened != 0;
    if (granted) probe = now;
    return Reason::kNone;
  }
  void answered(bool failed, TimeNs now, bool of_probe) {
    if (opened != 0) {
      if (probe == 0 || !of_probe) return;
      probe = 0;
      opened = failed ? now : 0;
      if (!failed) answers.clear();
      return;
    }
    answers.emplace_back(now, failed);
    std::int64_t all = 0, bad = 0;
    for (const auto& [at, was_failed] : answers) {
      if (now / kStep - at / kStep >= ProviderHealth::kWindow / kStep) continue;
      ++all;
      bad += was_failed ? 1 : 0;
    }
    if (all >= ProviderHealth::kLeast && 2 * bad >= all) opened = now;
  }
};

RC_GTEST_PROP(ProviderHealth, DoesWhatThePlainModelDoes, ()) {
  ProviderHealth health;
  Plain model;
  TimeNs now = kStart;
  const std::vector<std::uint32_t> steps =
      *rc::gen::resize(800, rc::gen::container<std::vector<std::uint32_t>>(rc::gen::arbitrary<std::uint32_t>()));
  const std::uint32_t failing = *rc::gen::inRange<std::uint32_t>(20, 80);
  for (const std::uint32_t step : steps) {
    now += static_cast<DurationNs>(step % 1'000) * kMillisecond;
    const std::uint32_t value = step / 1'000 % 100;
    switch (step / 100'000 % 8) {
      case 0:
        health.learn("p", "m", left(value % 5, kSecond, value * 10, kSecond), now);
        model.requests = value % 5;
        model.tokens = value * 10;
        model.reset = now + kSecond;
        break;
      case 1:
        health.sent("p", "m", value, value % 2 == 0, now);
        model.requests = std::max<std::int64_t>(model.requests - 1, 0);
        model.tokens = std::max<std::int64_t>(model.tokens - value, 0);
        break;
      case 2:
        if (value % 20 != 0) break;
        health.learn("p", "m", wait_for(value * kSecond / 10), now);
        model.blocked = std::max(model.blocked, now + value * kSecond / 10);
        break;
      case 3: {
        bool granted = false;
        const Reason expected = model.gate(value, now, granted);
        const auto gate = health.gate("p", "m", value, now);
        RC_ASSERT(gate.reason == expected);
        RC_ASSERT(gate.probe == granted);
        RC_ASSERT(gate.closed() == (gate.retry_after == 0));
        break;
      }
      default:
        health.answered("p", "m", value < failing ? Answer::kFailed : Answer::kGood, now, step % 3 == 0);
        model.answered(value < failing, now, step % 3 == 0);
    }
    RC_ASSERT(health.open_breakers(now) == (model.opened != 0 ? 1u : 0u));
  }
}

TEST(ProviderHealth, SharedBetweenThreadsOneProbeOnly) {
  Opened s;
  std::atomic<int> probes = 0, retries = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string own = "m" + std::to_string(t);
      for (int i = 0; i < 500; ++i) {
        if (s.health.gate("p", "m", 1, s.probe_time + i).probe) ++probes;
        if (s.health.take_retry("p", s.probe_time)) ++retries;
        s.health.learn("p", own, left(i, kSecond, i, kSecond), s.probe_time);
        s.health.sent("p", own, 1, true, s.probe_time);
        s.health.answered("p", own, Answer::kGood, s.probe_time);
        s.health.open_breakers(s.probe_time);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(probes, 1);
  EXPECT_EQ(retries, ProviderHealth::kMaxRetryBurst);
}

}  // namespace
}  // namespace weir
