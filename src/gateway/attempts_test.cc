#include "gateway/attempts.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using Kind = NextAttempt::Kind;

constexpr TimeNs kStart = 1000 * kSecond;

bool yes() {
  return true;
}
bool no() {
  return false;
}

NextAttempt after(const Attempts& attempts, AttemptFailure failure, TimeNs now = kStart,
                  std::optional<DurationNs> retry_after = std::nullopt) {
  return attempts.after(failure, retry_after, now, 0, yes);
}

TEST(Attempts, TheSameModelIsTriedAgainAfterAGrowingPause) {
  Attempts attempts({.attempts = 3}, 0, kStart);
  attempts.begun();
  NextAttempt next = after(attempts, AttemptFailure::kStatus503);
  EXPECT_EQ(next.kind, Kind::kSameModel);
  EXPECT_EQ(next.wait, 250 * kMillisecond);
  attempts.begun();
  next = after(attempts, AttemptFailure::kConnect);
  EXPECT_EQ(next.kind, Kind::kSameModel);
  EXPECT_EQ(next.wait, 500 * kMillisecond);
  attempts.begun();
  EXPECT_EQ(after(attempts, AttemptFailure::kStatus503).kind, Kind::kNone);
}

TEST(Attempts, AnAttemptIsLeftForEveryFallback) {
  Attempts attempts({.attempts = 3}, 2, kStart);
  attempts.begun();
  EXPECT_EQ(after(attempts, AttemptFailure::kStatus502).kind, Kind::kFallback);
  attempts.fell_back();
  attempts.begun();
  EXPECT_EQ(after(attempts, AttemptFailure::kStatus502).kind, Kind::kFallback);
  attempts.fell_back();
  attempts.begun();
  EXPECT_EQ(after(attempts, AttemptFailure::kStatus502).kind, Kind::kNone);
}

TEST(Attempts, AWaitBeyondWithinIsNotWaitedFor) {
  Attempts attempts({.attempts = 3, .within = 10 * kSecond}, 1, kStart);
  attempts.begun();
  EXPECT_EQ(after(attempts, AttemptFailure::kStatus429, kStart, 4 * kSecond).wait, 4 * kSecond);
  EXPECT_EQ(after(attempts, AttemptFailure::kStatus429, kStart, 11 * kSecond).kind, Kind::kFallback);
  EXPECT_EQ(after(attempts, AttemptFailure::kStatus429, kStart + 8 * kSecond, 4 * kSecond).kind, Kind::kFallback);
  Attempts alone({.attempts = 3, .within = 10 * kSecond}, 0, kStart);
  alone.begun();
  EXPECT_EQ(after(alone, AttemptFailure::kStatus429, kStart, 11 * kSecond).kind, Kind::kNone);
}

TEST(Attempts, OnlyWhatThePolicyNamesIsTriedAgain) {
  Attempts attempts({.attempts = 3, .status_429 = false}, 1, kStart);
  attempts.begun();
  EXPECT_EQ(after(attempts, AttemptFailure::kStatus429).kind, Kind::kNone);
  EXPECT_EQ(after(attempts, AttemptFailure::kOther).kind, Kind::kNone);
  EXPECT_EQ(failure_of_status(500), AttemptFailure::kOther);
  EXPECT_EQ(after(attempts, failure_of_status(504)).kind, Kind::kSameModel);
}

TEST(Attempts, WithoutRetryBudgetThereIsOnlyTheFallback) {
  Attempts attempts({.attempts = 3}, 1, kStart);
  attempts.begun();
  EXPECT_EQ(attempts.after(AttemptFailure::kStatus503, {}, kStart, 0, no).kind, Kind::kFallback);
  Attempts alone({.attempts = 3}, 0, kStart);
  alone.begun();
  EXPECT_EQ(alone.after(AttemptFailure::kStatus503, {}, kStart, 0, no).kind, Kind::kNone);
}

TEST(Attempts, TheBudgetIsOnlyAskedWhenItWouldBeUsed) {
  Attempts attempts({.attempts = 2}, 1, kStart);
  attempts.begun();
  int asked = 0;
  const auto count = [&] { return ++asked > 0; };
  EXPECT_EQ(attempts.after(AttemptFailure::kStatus503, {}, kStart, 0, count).kind, Kind::kFallback);
  EXPECT_EQ(asked, 0);
}

}  // namespace
}  // namespace weir
