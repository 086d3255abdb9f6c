// What `weir explain` says of tools and agents.
#include "policy/behavior_words.h"

#include "policy/test_policy.h"

namespace weir {
namespace {

using Lines = std::vector<std::string>;

TEST(BehaviorWordsTest, TheBuiltInToolLimitIsSaidInOneSentence) {
  const auto policy = must_load("");
  const std::string all =
      "high-risk: 5 tool calls per hour and caller and tool, for *payment*, pay_*, refund*, transfer*, send_money*, "
      "send_email*, delete_*, *_delete, drop_*; then the tool is taken from the request's list";
  EXPECT_EQ(tool_limits_in_words(*policy), Lines{all});
  EXPECT_EQ(tool_limits_in_words(*policy, "send_email"), Lines{all});
  EXPECT_EQ(tool_limits_in_words(*policy, "search"), Lines{});
}

TEST(BehaviorWordsTest, EveryPartOfALimitIsSaid) {
  const auto policy = must_load(R"(
limits:
  - { name: a, per: caller, meter: tool_calls, allow: [1/1m, 10/day], match: { tool: { not: [x] }, kind: agent }, mode: shadow }
  - { name: b, per: tool, meter: concurrency, allow: 3, match: { tool: "b_*" }, on_exceed: { queue: 2s }, contextual: true }
  - { name: c, per: [key, tool], meter: tool_calls, allow: { free: 2/1500ms, default: 4/2h } }
  - { name: d, per: key, meter: tool_calls, allow: 2/1m }
)");
  EXPECT_EQ(tool_limits_in_words(*policy),
            (Lines{"a: 1 tool call per minute, 10 tool calls per day and caller, for all but x, where kind is agent; "
                   "then the call is refused (shadow: refuses nothing)",
                   "b: 3 tool calls at once and tool, for b_*; then it waits up to 2 seconds for room (scaled by the "
                   "caller's trust)",
                   "c: 2 tool calls per 1500 ms for tier free, 4 tool calls per 2 hours and key and tool; then the "
                   "call is refused"}));
}

TEST(BehaviorWordsTest, ListsSayWhatTheyDeny) {
  EXPECT_EQ(tool_lists_in_words({}, "tier free"), Lines{});
  EXPECT_EQ(tool_lists_in_words({.allow = {"search"}, .deny = {"a", "b*"}}, "tier free"),
            (Lines{"tools: tier free may use only search", "tools: tier free may not use a, b*"}));
  std::vector<std::string> many;
  for (int i = 0; i < 20; ++i) many.push_back("t" + std::to_string(i));
  const Lines cut = tool_lists_in_words({.allow = {}, .deny = many}, "it");
  ASSERT_EQ(cut.size(), 1u);
  EXPECT_TRUE(cut[0].ends_with("t11 and 8 more")) << cut[0];
}

TEST(BehaviorWordsTest, TheBuiltInRulesAreSaid) {
  EXPECT_EQ(
      behavior_in_words({}),
      (Lines{"runs: one run has at most 200 tool calls, 60 tool calls within 10 seconds, 300 model calls, 5 levels of "
             "agents, 20 sub-agents of one agent that bring nothing new, 10,000,000 tokens, $5",
             "runs: one run is over after 10 minutes without a request",
             "breaker: refused for 30 seconds after 5 equal tool calls or prompts of one run within 5 minutes, 5 "
             "tool errors in a row within 1 minute, 10 failed runs of a caller within 1 minute, 60 equal requests "
             "outside of runs within 1 minute, 5 such requests that failed within 1 minute",
             "breaker: 3 equal calls are noted",
             "trust: anomalies scale contextual limits down to 0.5 of their amounts, 1 hour of quiet restore "
             "them"}));
}

TEST(BehaviorWordsTest, OneIsNoPlural) {
  const auto policy = must_load("runs: { max_depth: 1 }");
  EXPECT_NE(behavior_in_words(policy->behavior).at(0).find(" 1 level of agents"), std::string::npos);
}

TEST(BehaviorWordsTest, WhatIsOffIsNotSaidAndShadowIs) {
  const auto policy = must_load(R"(
runs: { mode: shadow, max_tool_calls: 0, max_llm_calls: 0, max_depth: 0, max_fanout: 0, max_tokens: 0, max_usd: 0, burst: { tool_calls: 0 } }
breaker: { repeats: { warn: 0, break: 0 }, tool_errors: { break: 0 }, failed_prompts: { break: 0 }, unlinked: { repeats: 0, failed: 0 }, exempt: [poll] }
profiles: { sensitive: [send_email], warmup: 8, on_anomaly: refuse }
trust: { mode: shadow, escalate: { throttles: 3, within: 1d, action: suspend } }
)");
  EXPECT_EQ(
      behavior_in_words(policy->behavior),
      (Lines{
          "runs: one run is over after 10 minutes without a request", "breaker: repeats are ordinary of poll",
          "profiles: after 8 ordinary runs of an agent's task, unusual calls of send_email are refused",
          "trust: anomalies scale contextual limits down to 0.5 of their amounts, 1 hour of quiet restore them; after "
          "3 throttles within 1 day the key is suspended (shadow: throttles nothing)"}));
}

}  // namespace
}  // namespace weir
