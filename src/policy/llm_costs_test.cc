#include "policy/llm_costs.h"

#include <gtest/gtest.h>

#include "policy/test_policy.h"

namespace weir {
namespace {

const Price kPrice{.input = 1'000'000, .cached_input = 500'000, .output = 4'000'000};  // micro-dollars per 1M tokens

std::int64_t certain(const Costs& costs, MeterKind kind) {
  return costs.certain[static_cast<std::size_t>(kind)];
}
std::int64_t held(const Costs& costs, MeterKind kind) {
  return costs.held[static_cast<std::size_t>(kind)];
}

TEST(LlmCosts, InputIsCertainAndOutputIsHeld) {
  Costs costs;
  hold_llm_costs(costs, kPrice, {.input_uncached = 1000, .output_visible = 500});
  EXPECT_EQ(certain(costs, MeterKind::kTokens), 1000);
  EXPECT_EQ(held(costs, MeterKind::kTokens), 1500);
  EXPECT_EQ(held(costs, MeterKind::kInputTokens), 1000);
  EXPECT_EQ(certain(costs, MeterKind::kOutputTokens), 0);
  EXPECT_EQ(held(costs, MeterKind::kOutputTokens), 500);
  EXPECT_EQ(certain(costs, MeterKind::kUsd), 1000);
  EXPECT_EQ(held(costs, MeterKind::kUsd), 3000);
  hold_llm_costs(costs, kPrice, {.input_uncached = 1, .output_visible = kMaxAmount});
  EXPECT_EQ(held(costs, MeterKind::kTokens), kMaxAmount);
}

TEST(LlmCosts, TheServiceTierSetsThePrice) {
  Costs costs;
  hold_llm_costs(costs, kPrice, {.input_uncached = 1000, .cache_read = 1000, .output_visible = 500},
                 ServiceTier::kFlex);
  EXPECT_EQ(certain(costs, MeterKind::kUsd), 750);
  EXPECT_EQ(held(costs, MeterKind::kUsd), 1750);
  EXPECT_EQ(held(costs, MeterKind::kCachedTokens), 1000);
  use_llm_costs(costs, kPrice, {.output_visible = 500}, ServiceTier::kPriority);
  EXPECT_EQ(held(costs, MeterKind::kUsd), 4000);
}

TEST(LlmCosts, WhatWasUsedCountsInEveryMeter) {
  Costs costs;
  use_llm_costs(costs, kPrice, {.input_uncached = 600, .cache_read = 400, .output_visible = 90, .reasoning = 10});
  EXPECT_EQ(held(costs, MeterKind::kTokens), 1100);
  EXPECT_EQ(held(costs, MeterKind::kInputTokens), 1000);
  EXPECT_EQ(held(costs, MeterKind::kOutputTokens), 100);
  EXPECT_EQ(held(costs, MeterKind::kCachedTokens), 400);
  EXPECT_EQ(held(costs, MeterKind::kUsd), 600 + 200 + 400);
}

// The output that fits when `limits` apply to a call with 100 tokens of input that would hold 1,000 of output.
std::int64_t fits(std::string_view limits, ServiceTier tier = ServiceTier::kStandard) {
  const auto policy = must_load("limits:\n" + std::string(limits));
  CounterId next = 0;
  const auto rules = Ruleset::compile(policy, [&](const CounterSpec&) { return next++; }, {});
  Attributes attributes;
  attributes.set(Attribute::kModel, "m");
  Costs costs;
  costs.set(MeterKind::kRequests, 1, 1);
  hold_llm_costs(costs, kPrice, {.input_uncached = 100, .output_visible = 1000}, tier);
  Plan plan;
  EXPECT_FALSE(rules->plan(attributes, costs, 0, plan));
  return fitting_output(plan, costs, kPrice, 1000, tier);
}

TEST(FittingOutput, IsAllOfItWhileTheAmountsAreLargeEnough) {
  EXPECT_EQ(fits("  - { name: a, per: global, meter: tokens, allow: 1100/1m }\n"), 1000);
  EXPECT_EQ(fits("  - { name: a, per: global, meter: requests, allow: 1/1m }\n"), 1000);
}

TEST(FittingOutput, IsWhatTheSmallestAmountLeavesBesideTheInput) {
  EXPECT_EQ(fits("  - { name: a, per: global, meter: tokens, allow: 600/1m }\n"), 500);
  EXPECT_EQ(fits("  - { name: a, per: global, meter: tokens, allow: 600/1m }\n"
                 "  - { name: b, per: global, meter: output_tokens, allow: 300/1m }\n"),
            300);
  // In a tier at twice the price: 200 are the input's, an output token costs 8.
  EXPECT_EQ(fits("  - { name: a, per: global, meter: usd, allow: 0.0042/day }\n", ServiceTier::kPriority), 500);
  // $0.0021 is 2,100 micro-dollars; 100 are the input's, an output token costs 4.
  EXPECT_EQ(fits("  - { name: a, per: global, meter: usd, allow: 0.0021/day }\n"), 500);
}

TEST(FittingOutput, LeavesAloneWhatOnlyWatchesAndWhatTheInputAloneExceeds) {
  EXPECT_EQ(fits("  - { name: a, per: global, meter: tokens, allow: 600/1m, mode: shadow }\n"), 1000);
  EXPECT_EQ(fits("  - { name: a, per: global, meter: tokens, allow: 50/1m }\n"), 1000);
}

}  // namespace
}  // namespace weir
