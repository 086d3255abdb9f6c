// The everyday behaviour of the Limiter, one test per sentence of its header.
#include "weir/limiter.h"

#include <gtest/gtest.h>

#include "engine/test_support.h"

namespace weir::engine {
namespace {

TEST(Limiter, AdmitsUpToTheAmountAndSaysWhenAgain) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "requests", 60 * kSecond);
  Ask ask{.counter = counter, .amount = 3};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(admit(limiter, ask, at(i)).admitted);
  const Decision refused = admit(limiter, ask, at(10));
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.verdicts[0].used, 3);
  EXPECT_EQ(refused.retry_after, 50 * kSecond);
  EXPECT_EQ(refused.verdicts[0].reset_at, at(60));
  EXPECT_FALSE(admit(limiter, ask, at(60) - 1).admitted);
  EXPECT_TRUE(admit(limiter, ask, at(60)).admitted);
}

TEST(Limiter, ReservesAndSettlesExactlyOnce) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "tokens", 60 * kSecond);
  Ask ask{.counter = counter, .amount = 1000, .cost = 600, .hold = true, .id = {1, 1}};
  EXPECT_TRUE(admit(limiter, ask, at(0)).admitted);
  ask.id = {1, 2};
  const Decision refused = admit(limiter, ask, at(1));
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.verdicts[0].reserved, 600);
  const std::int64_t used = 100;
  EXPECT_EQ(limiter.settle({1, 1}, {&used, 1}, at(2)).outcome, Outcome::kDone);
  EXPECT_EQ(limiter.settle({1, 1}, {&used, 1}, at(2)).outcome, Outcome::kRepeated);
  EXPECT_EQ(limiter.cancel({1, 1}, at(2)).outcome, Outcome::kRepeated);
  EXPECT_EQ(limiter.settle({9, 9}, {&used, 1}, at(2)).outcome, Outcome::kUnknown);
  const Decision now_fits = admit(limiter, ask, at(3));
  EXPECT_TRUE(now_fits.admitted);
  EXPECT_EQ(now_fits.verdicts[0].used, 100);
}

TEST(Limiter, ForgetsAtOnceWhatNobodyRepeats) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "tokens", 60 * kSecond);
  const Subject subject{.key = {1, 2}};
  const Demand demand{.counter = counter, .hold = true, .cost = 600, .quota = {.amount = 1000}};
  const std::int64_t used = 100;
  for (const bool remember : {false, true}) {
    const AdmitRequest request{.subjects = {&subject, 1},
                               .demands = {&demand, 1},
                               .now = at(0),
                               .id = {7, remember ? 2u : 1u},
                               .deadline = at(30),
                               .remember = remember};
    Decision decision;
    limiter.admit(request, decision);
    EXPECT_TRUE(decision.admitted && !decision.replayed);
    limiter.admit(request, decision);
    EXPECT_TRUE(decision.replayed);
    EXPECT_EQ(limiter.settle(request.id, {&used, 1}, at(1)).outcome, Outcome::kDone);
    EXPECT_EQ(limiter.settle(request.id, {&used, 1}, at(1)).outcome, remember ? Outcome::kRepeated : Outcome::kUnknown);
    EXPECT_EQ(limiter.stats().closed_remembered, remember ? 1u : 0u);
  }
}

TEST(Limiter, RemembersSoManyClosedIdsAndNoMore) {
  constexpr std::uint64_t kMost = 3000;
  Limiter limiter({.max_closed = kMost});
  const CounterId counter = sliding(limiter, "tokens", 60 * kSecond);
  for (std::uint64_t i = 1; i <= 4 * kMost; ++i) {
    admit(limiter, {.counter = counter, .amount = 1'000'000, .hold = true, .id = {i * 0x9E3779B97F4A7C15ull, i}},
          at(0));
    ASSERT_EQ(limiter.cancel({i * 0x9E3779B97F4A7C15ull, i}, at(0)).outcome, Outcome::kDone);
  }
  std::uint64_t repeated = 0, oldest = 4 * kMost;
  for (std::uint64_t i = 1; i <= 4 * kMost; ++i) {
    if (limiter.cancel({i * 0x9E3779B97F4A7C15ull, i}, at(1)).outcome != Outcome::kRepeated) continue;
    ++repeated;
    oldest = std::min(oldest, i);
  }
  EXPECT_EQ(repeated, kMost);
  EXPECT_EQ(limiter.stats().closed_remembered, kMost);
  EXPECT_GT(oldest, 2 * kMost);
}

TEST(Limiter, ReplaysTheOriginalDecision) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "tokens", 60 * kSecond);
  Ask ask{.counter = counter, .amount = 1000, .cost = 600, .hold = true, .id = {1, 1}};
  admit(limiter, ask, at(0));
  EXPECT_TRUE(admit(limiter, ask, at(1)).replayed);
  limiter.cancel({1, 1}, at(2));
  const Decision again = admit(limiter, ask, at(3));
  EXPECT_TRUE(again.admitted && again.replayed);
  EXPECT_EQ(again.verdicts[0].used, 0);
  ask.id = {};
  EXPECT_EQ(peek(limiter, ask, at(3)).verdicts[0].used, 0);
}

TEST(Limiter, ConcurrencyIsReleasedBySettleAndByExpiry) {
  Limiter limiter;
  const CounterId counter = limiter.define({.identity = "in-flight", .kind = WindowKind::kConcurrency});
  Ask ask{.counter = counter, .amount = 1, .id = {1, 1}, .deadline = at(100)};
  EXPECT_TRUE(admit(limiter, ask, at(0)).admitted);
  ask.id = {1, 2};
  EXPECT_EQ(admit(limiter, ask, at(1)).retry_after, kSecond);
  limiter.settle({1, 1}, {}, at(2));
  EXPECT_TRUE(admit(limiter, ask, at(3)).admitted);
  std::vector<Hash128> expired;
  EXPECT_EQ(limiter.expire(at(100) - 1, 10), 0u);
  EXPECT_EQ(limiter.expire(at(100), 10, [&](Hash128 id) { expired.push_back(id); }), 1u);
  EXPECT_EQ(expired, std::vector<Hash128>({{1, 2}}));
  ask.id = {1, 3};
  EXPECT_TRUE(admit(limiter, ask, at(101)).admitted);
}

TEST(Limiter, TopUpExtendsAllOrNothing) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "tokens", 60 * kSecond);
  Ask ask{.counter = counter, .amount = 1000, .cost = 600, .hold = true, .id = {1, 1}};
  admit(limiter, ask, at(0));
  std::int64_t extra = 300;
  Decision decision;
  limiter.top_up({1, 1}, {&extra, 1}, at(30), decision);
  EXPECT_TRUE(decision.admitted);
  limiter.top_up({1, 1}, {&extra, 1}, at(31), decision);
  EXPECT_FALSE(decision.admitted);
  EXPECT_EQ(decision.verdicts[0].reserved, 900);
  limiter.top_up({7, 7}, {&extra, 1}, at(31), decision);
  EXPECT_FALSE(decision.admitted);
  EXPECT_EQ(decision.count, 0);
}

TEST(Limiter, ShadowDemandsRefuseNothingAndChargeOnlyWhatWouldHaveBeenAdmitted) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "requests", 60 * kSecond);
  Ask ask{.counter = counter, .amount = 2, .shadow = true};
  for (int i = 0; i < 5; ++i) {
    const Decision decision = admit(limiter, ask, at(i));
    EXPECT_TRUE(decision.admitted);
    EXPECT_EQ(decision.verdicts[0].refuses, i >= 2);
  }
  EXPECT_EQ(peek(limiter, ask, at(6)).verdicts[0].used, 2);
}

TEST(Limiter, OwnersWithTooManyChildrenShareTheOverflow) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "requests", 60 * kSecond);
  for (std::uint64_t i = 0; i < kMaxChildren; ++i) {
    Ask ask{.counter = counter, .amount = 5, .key = {i + 1, i}, .owner = {7, 7}, .overflow = {8, 8}};
    ASSERT_TRUE(admit(limiter, ask, at(0)).admitted);
  }
  EXPECT_EQ(limiter.stats().subjects, kMaxChildren);
  int admitted = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    Ask ask{.counter = counter, .amount = 5, .key = {i + 1, 1'000'000 + i}, .owner = {7, 7}, .overflow = {8, 8}};
    admitted += admit(limiter, ask, at(1)).admitted;
  }
  EXPECT_EQ(admitted, 5);
  Ask known{.counter = counter, .amount = 5, .key = {1, 0}, .owner = {7, 7}, .overflow = {8, 8}};
  EXPECT_EQ(peek(limiter, known, at(1)).verdicts[0].used, 1);
  // Once they are idle and swept, there is room again.
  limiter.sweep(at(200), 1'000'000);
  EXPECT_EQ(limiter.stats().subjects, 0u);
  known.key = {5, 123'456'789};
  admit(limiter, known, at(201));
  EXPECT_EQ(peek(limiter, known, at(201)).verdicts[0].used, 1);
}

TEST(Limiter, InvalidRequestsAreRefusedForEver) {
  Limiter limiter;
  Ask ask{.counter = 5, .amount = 3};
  const Decision decision = admit(limiter, ask, at(0));
  EXPECT_FALSE(decision.admitted);
  EXPECT_EQ(decision.retry_after, kNever);
}

}  // namespace
}  // namespace weir::engine
