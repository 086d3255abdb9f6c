#include "tokens/calibration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace weir {
namespace {

TEST(Calibration, StartsWithAWideBound) {
  const Calibration calibration;
  const TokenEstimate e = calibration.tokens_of(1, 3200);
  EXPECT_EQ(e.expected, 800);
  EXPECT_EQ(e.upper, 1000);
  EXPECT_EQ(calibration.tokens_of(1, 0).upper, 0);
  EXPECT_EQ(calibration.tokens_of(1, 1).upper, 1);
}

TEST(Calibration, LearnsTheRatioOfATenantAndModel) {
  Calibration calibration;
  for (int i = 0; i < 19; ++i) calibration.learn(1, 4000, 1000);
  EXPECT_EQ(calibration.tokens_of(1, 3200).upper, 1000);  // not warm yet
  calibration.learn(1, 4000, 1000);
  const TokenEstimate e = calibration.tokens_of(1, 8000);
  EXPECT_EQ(e.expected, 2000);
  EXPECT_GE(e.upper, 2000);
  EXPECT_LE(e.upper, 2200);                               // one step of 4%, and the margin of 5%
  EXPECT_EQ(calibration.tokens_of(2, 3200).upper, 1000);  // another tenant learns nothing from it
}

TEST(Calibration, TextsOfSpacesTeachNobodyCheapTokens) {
  Calibration calibration;
  for (int i = 0; i < 100; ++i) calibration.learn(1, 8000, 100);
  EXPECT_EQ(calibration.tokens_of(1, 5000).upper, 1000);
}

TEST(Calibration, TheUpperBoundCoversNinetyNineOfAHundred) {
  Calibration calibration;
  int covered = 0;
  const auto tokens_of_text = [](int i) { return 800 + (i * 7919) % 401; };  // 0.2 to 0.3 tokens per byte
  for (int i = 0; i < 1000; ++i) calibration.learn(1, 4000, tokens_of_text(i));
  for (int i = 1000; i < 2000; ++i) covered += calibration.tokens_of(1, 4000).upper >= tokens_of_text(i) ? 1 : 0;
  EXPECT_GE(covered, 990);
  EXPECT_LE(calibration.tokens_of(1, 4000).upper, 1200 * 1.1);
}

TEST(Calibration, FollowsAChange) {
  Calibration calibration;
  for (int i = 0; i < 3000; ++i) calibration.learn(1, 4000, 2000);
  for (int i = 0; i < 20000; ++i) calibration.learn(1, 4000, 1000);
  EXPECT_LE(calibration.tokens_of(1, 4000).upper, 1100);
}

TEST(Calibration, NeverMoreThanOneTokenPerByte) {
  Calibration calibration;
  for (int i = 0; i < 100; ++i) calibration.learn(1, 1000, 1'000'000);
  EXPECT_EQ(calibration.tokens_of(1, 500).upper, 500);
}

TEST(Calibration, ShortAndEmptyTextsTeachNothing) {
  Calibration calibration;
  for (int i = 0; i < 100; ++i) calibration.learn(1, Calibration::kLeastBytes - 1, 199), calibration.learn(1, 4000, 0);
  EXPECT_EQ(calibration.tokens_of(1, 3200).upper, 1000);
}

TEST(Calibration, ForgetsTheLongestUnusedBeyondItsBound) {
  Calibration calibration;
  const auto teach = [&](std::uint64_t key) {
    for (int i = 0; i < Calibration::kWarm; ++i) calibration.learn(key, 1000, 100);
  };
  teach(1);
  for (std::uint64_t key = 2; key < 2 + 2 * Calibration::kMaxKeys; ++key) calibration.learn(key, 1000, 100);
  EXPECT_EQ(calibration.tokens_of(1, 3200).upper, 1000);
}

}  // namespace
}  // namespace weir
