#include "tokens/output_hold.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 53;
const OutputRule kRule{};  // the defaults of weir.yaml
const OutputRule kWholeCap{.whole_cap = true};

TEST(OutputCeiling, IsTheCapForEachChoice) {
  EXPECT_EQ(output_ceiling({.cap = 500}, kRule), 500);
  EXPECT_EQ(output_ceiling({.cap = 500, .choices = 4}, kRule), 2000);
  EXPECT_EQ(output_ceiling({.cap = 0}, kRule), 0);
}

TEST(OutputCeiling, WithoutACapIsTheDefaultAndTheThinkingBudget) {
  EXPECT_EQ(output_ceiling({}, kRule), 1024);
  EXPECT_EQ(output_ceiling({.thinking_budget = 2000}, kRule), 3024);
  EXPECT_EQ(output_ceiling({.thinking_budget = 2000, .choices = 2}, kRule), 6048);
  EXPECT_EQ(output_ceiling({.cap = 4000, .thinking_budget = 2000}, kRule), 4000) << "a cap counts thinking too";
}

TEST(OutputCeiling, SaturatesAndTakesNonsenseForNothing) {
  EXPECT_EQ(output_ceiling({.cap = INT64_MAX, .choices = INT64_MAX}, kRule), kMost);
  EXPECT_EQ(output_ceiling({.cap = kMost, .choices = 2}, kRule), kMost);
  EXPECT_EQ(output_ceiling({.thinking_budget = INT64_MAX}, kRule), kMost);
  EXPECT_EQ(output_ceiling({.cap = -5}, kRule), 0);
  EXPECT_EQ(output_ceiling({.cap = 7, .choices = 0}, kRule), 7) << "a request asks for at least one answer";
}

TEST(OutputToHold, ColdStreamsHoldTheCapUpToTrustCap) {
  EXPECT_EQ(output_to_hold({.cap = 500, .stream = true}, kRule, {}), 500);
  EXPECT_EQ(output_to_hold({.cap = 100'000, .stream = true}, kRule, {}), 4096);
  EXPECT_EQ(output_to_hold({.cap = 500, .choices = 20, .stream = true}, kRule, {}), 4096);
  EXPECT_EQ(output_to_hold({.stream = true}, kRule, {}), 1024);
}

TEST(OutputToHold, ColdAnswersThatAreNotStreamedHoldTheWholeCap) {
  EXPECT_EQ(output_to_hold({.cap = 100'000}, kRule, {}), 100'000);
  EXPECT_EQ(output_to_hold({}, kRule, {}), 1024);
}

TEST(OutputToHold, WarmStreamsHoldWhatWasLearnedButNeverMoreThanTheCap) {
  EXPECT_EQ(output_to_hold({.cap = 1000, .stream = true}, kRule, 300), 300);
  EXPECT_EQ(output_to_hold({.cap = 200, .stream = true}, kRule, 300), 200);
  EXPECT_EQ(output_to_hold({.cap = 100'000, .stream = true}, kRule, 9000), 9000) << "trust_cap is for the cold";
}

TEST(OutputToHold, WarmAnswersThatAreNotStreamedTrustCapsUpToTrustCap) {
  EXPECT_EQ(output_to_hold({.cap = 4096}, kRule, 300), 4096);
  EXPECT_EQ(output_to_hold({.cap = 4097}, kRule, 300), 300);
  EXPECT_EQ(output_to_hold({.cap = 2048, .choices = 3}, kRule, 300), 300);
  EXPECT_EQ(output_to_hold({.cap = 5000}, kRule, 9000), 5000);
}

TEST(OutputToHold, ModeReserveAlwaysHoldsTheWholeCap) {
  for (const bool stream : {false, true}) {
    EXPECT_EQ(output_to_hold({.cap = 100'000, .stream = stream}, kWholeCap, 300), 100'000);
    EXPECT_EQ(output_to_hold({.cap = 100'000, .choices = 2, .stream = stream}, kWholeCap, {}), 200'000);
  }
}

}  // namespace
}  // namespace weir
