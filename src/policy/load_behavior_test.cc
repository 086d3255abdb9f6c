// `runs`, `breaker`, `profiles`, `trust`, lists of tools and MCP servers: what a file says, and what a wrong one is
// told.
#include "policy/test_policy.h"

namespace weir {
namespace {

using Texts = std::vector<std::string>;

TEST(LoadBehaviorTest, AnEmptyFileHasTheBuiltInRules) {
  const BehaviorRules b = must_load("")->behavior;
  EXPECT_EQ(b.runs.max_tool_calls, 200);
  EXPECT_EQ(b.runs.max_usd_micros, 5'000'000);
  EXPECT_EQ(b.runs.burst.count, 60);
  EXPECT_EQ(b.breaker.repeats_warn, 3);
  EXPECT_EQ(b.breaker.repeats.count, 5);
  EXPECT_EQ(b.breaker.cooldown, 30 * kSecond);
  EXPECT_EQ(b.profiles.warmup, 20);
  EXPECT_EQ(b.trust.min, 0.5);
  EXPECT_EQ(b.trust.action, TrustAction::kNone);
}

TEST(LoadBehaviorTest, ReadsRuns) {
  const RunRules r = must_load(
                         "runs: { mode: shadow, max_tool_calls: 7, max_llm_calls: 8, max_depth: 0, max_fanout: 2, "
                         "max_tokens: 2M, max_usd: 0.25, idle: 90s, burst: { tool_calls: 4, within: 2s } }")
                         ->behavior.runs;
  EXPECT_TRUE(r.shadow);
  EXPECT_EQ(r.max_tool_calls, 7);
  EXPECT_EQ(r.max_llm_calls, 8);
  EXPECT_EQ(r.max_depth, 0);
  EXPECT_EQ(r.max_fanout, 2);
  EXPECT_EQ(r.max_tokens, 2'000'000);
  EXPECT_EQ(r.max_usd_micros, 250'000);
  EXPECT_EQ(r.idle, 90 * kSecond);
  EXPECT_EQ(r.burst.count, 4);
  EXPECT_EQ(r.burst.within, 2 * kSecond);
}

TEST(LoadBehaviorTest, ReadsBreakers) {
  const BreakerRules b =
      must_load(
          "breaker: { mode: shadow, repeats: { warn: 2, break: 4, within: 3m }, tool_errors: { break: 6, within: 7s }, "
          "failed_prompts: { break: 8, within: 9s }, unlinked: { repeats: 10, failed: 11, within: 12s }, cooldown: "
          "13s, "
          "exempt: [get_status, \"poll_*\"] }")
          ->behavior.breaker;
  EXPECT_TRUE(b.shadow);
  EXPECT_EQ(b.repeats_warn, 2);
  EXPECT_EQ(b.repeats.count, 4);
  EXPECT_EQ(b.repeats.within, 3 * kMinute);
  EXPECT_EQ(b.tool_errors.count, 6);
  EXPECT_EQ(b.tool_errors.within, 7 * kSecond);
  EXPECT_EQ(b.failed_prompts.count, 8);
  EXPECT_EQ(b.failed_prompts.within, 9 * kSecond);
  EXPECT_EQ(b.unlinked_repeats.count, 10);
  EXPECT_EQ(b.unlinked_failed.count, 11);
  EXPECT_EQ(b.unlinked_repeats.within, 12 * kSecond);
  EXPECT_EQ(b.unlinked_failed.within, 12 * kSecond);
  EXPECT_EQ(b.cooldown, 13 * kSecond);
  EXPECT_EQ(b.exempt, (Texts{"get_status", "poll_*"}));
}

TEST(LoadBehaviorTest, WhatASectionLeavesOutKeepsItsDefault) {
  const BreakerRules b = must_load("breaker: { repeats: { break: 9 }, tool_errors: { within: 2m } }")->behavior.breaker;
  EXPECT_EQ(b.repeats_warn, 3);
  EXPECT_EQ(b.repeats.count, 9);
  EXPECT_EQ(b.repeats.within, 5 * kMinute);
  EXPECT_EQ(b.tool_errors.count, 5);
  EXPECT_EQ(b.tool_errors.within, 2 * kMinute);
  EXPECT_EQ(b.failed_prompts.count, 10);
}

TEST(LoadBehaviorTest, ReadsProfilesAndTrust) {
  const BehaviorRules b = must_load(
                              "profiles: { sensitive: [send_email, \"delete_*\"], warmup: 8, on_anomaly: refuse }\n"
                              "trust: { mode: shadow, min: 0.25, recover: 2h, escalate: { throttles: 3, within: 1d, "
                              "action: suspend } }")
                              ->behavior;
  EXPECT_EQ(b.profiles.sensitive, (Texts{"send_email", "delete_*"}));
  EXPECT_EQ(b.profiles.warmup, 8);
  EXPECT_TRUE(b.profiles.refuse);
  EXPECT_TRUE(b.trust.shadow);
  EXPECT_EQ(b.trust.min, 0.25);
  EXPECT_EQ(b.trust.recover, 2 * kHour);
  EXPECT_EQ(b.trust.escalate.count, 3);
  EXPECT_EQ(b.trust.escalate.within, kDay);
  EXPECT_EQ(b.trust.action, TrustAction::kSuspend);
  EXPECT_EQ(must_load("trust: { escalate: { throttles: 1, within: 1h, action: flag } }")->behavior.trust.action,
            TrustAction::kFlag);
  EXPECT_FALSE(must_load("profiles: { on_anomaly: audit }")->behavior.profiles.refuse);
}

TEST(LoadBehaviorTest, AListHoldsAThousandTools) {
  std::string tools;
  for (int i = 0; i < 1'000; ++i) tools += "t" + std::to_string(i) + ",";
  EXPECT_EQ(must_load("breaker: { exempt: [" + tools + "] }")->behavior.breaker.exempt.size(), 1'000u);
  const LoadedPolicy more = load("breaker: { exempt: [" + tools + "x] }");
  EXPECT_FALSE(more.policy);
  EXPECT_NE(problems(more).find("1:20: error: `exempt` must be a list of at most 1000"), std::string::npos);
}

TEST(LoadToolsTest, TiersSayWhichToolsTheirKeysMayUse) {
  const auto p = must_load("tiers: { free: { tools: { allow: [search, \"read_*\"], deny: [read_mail] } }, pro: {} }");
  EXPECT_EQ(p->tiers[0].tools.allow, (Texts{"search", "read_*"}));
  EXPECT_EQ(p->tiers[0].tools.deny, (Texts{"read_mail"}));
  EXPECT_TRUE(p->tiers[1].tools.allow.empty() && p->tiers[1].tools.deny.empty());
}

TEST(LoadToolsTest, McpServersAreNamedByTheirPath) {
  const auto p = must_load(
      "upstreams:\n"
      "  - { path: /mcp/crm, kind: mcp, url: \"http://127.0.0.1:9/mcp\" }\n"
      "  - { path: /mcp/b, kind: mcp, url: \"http://127.0.0.1:9/mcp\", server: billing, hide_tools: false }\n"
      "  - { path: /api/**, kind: http, url: \"http://127.0.0.1:9\" }\n"
      "  - { path: /mcp/all/**, kind: mcp, url: \"http://127.0.0.1:9\" }\n");
  ASSERT_EQ(p->upstreams.size(), 4u);
  EXPECT_EQ(p->upstreams[0].kind, UpstreamKind::kMcp);
  EXPECT_EQ(p->upstreams[0].server, "crm");
  EXPECT_TRUE(p->upstreams[0].hide_tools);
  EXPECT_EQ(p->upstreams[1].server, "billing");
  EXPECT_FALSE(p->upstreams[1].hide_tools);
  EXPECT_EQ(p->upstreams[2].kind, UpstreamKind::kHttp);
  EXPECT_EQ(p->upstreams[2].server, "");
  EXPECT_EQ(p->upstreams[3].server, "all");
}

LimitRule limit_of(const std::string& body) {
  const auto p = must_load("limits:\n  - { name: a, per: caller, " + body + " }\n");
  return p->limits.empty() ? LimitRule{} : p->limits[0];
}

TEST(LoadToolsTest, TheLayerFollowsFromTheMeter) {
  EXPECT_EQ(limit_of("meter: tool_calls, allow: 1/1h").layer, Layer::kTool);
  EXPECT_EQ(limit_of("meter: runs, allow: 1/1h").layer, Layer::kRate);
  EXPECT_EQ(limit_of("meter: { runs: 2, requests: 1 }, allow: 1/1h").layer, Layer::kRate);
  EXPECT_EQ(limit_of("meter: { tool_calls: 5, requests: 1 }, allow: 1/1h").layer, Layer::kTool);
  EXPECT_EQ(limit_of("meter: { tool_calls: 5, tokens: 1 }, allow: 1/1h").layer, Layer::kTool);
  EXPECT_EQ(limit_of("meter: concurrency, allow: 1, match: { tool: x }").layer, Layer::kRate);
}

TEST(LoadToolsTest, BeyondTheAmountToolsAreTakenAwayOrRequestsWait) {
  EXPECT_EQ(limit_of("meter: tool_calls, allow: 1/1h, on_exceed: strip_tool").on_exceed, OnExceed::kStripTool);
  EXPECT_EQ(limit_of("meter: concurrency, allow: 1, on_exceed: strip_tool, match: { tool: x }").on_exceed,
            OnExceed::kStripTool);
  for (const char* written : {"{ queue: 2s }", "\"queue: 2s\"", "\"queue:2s\"", "{ \"queue\": \"2000ms\" }"}) {
    const LimitRule rule = limit_of(std::string("meter: requests, allow: 1/1h, on_exceed: ") + written);
    EXPECT_EQ(rule.on_exceed, OnExceed::kQueue) << written;
    EXPECT_EQ(rule.queue, 2 * kSecond) << written;
  }
  EXPECT_TRUE(limit_of("meter: requests, allow: 1/1h, contextual: true").contextual);
  EXPECT_FALSE(limit_of("meter: requests, allow: 1/1h, contextual: false").contextual);
}

struct Wrong {
  const char* text;
  const char* says;
};
class WrongBehavior : public testing::TestWithParam<Wrong> {};

TEST_P(WrongBehavior, IsToldWhereAndWhat) {
  const LoadedPolicy loaded = load(GetParam().text);
  EXPECT_FALSE(loaded.policy);
  EXPECT_NE(problems(loaded).find(GetParam().says), std::string::npos) << GetParam().text << "\n" << problems(loaded);
}

INSTANTIATE_TEST_SUITE_P(
    Sections, WrongBehavior,
    testing::Values(
        Wrong{"runs: { max_toolcalls: 5 }", "1:9: error: unknown key `max_toolcalls`; did you mean `max_tool_calls`?"},
        Wrong{"runs: 5", "1:7: error: this runs must be a map such as { mode: … }"},
        Wrong{"runs: { max_depth: deep }", "1:20: error: `max_depth` must be a whole number from 0 to 1000"},
        Wrong{"runs: { max_tokens: many }", "1:21: error: `max_tokens` must be an amount such as 500k or 10M"},
        Wrong{"runs: { max_usd: -1 }", "1:18: error: `max_usd` must be dollars such as 2.50, from 0"},
        Wrong{"runs: { idle: 0s }", "1:15: error: `idle` must be 1ms to 7d"},
        Wrong{"runs: { burst: { within: 2d } }", "1:26: error: `within` must be 1ms to 1d"},
        Wrong{"runs: { mode: off }", "1:15: error: `mode` cannot be `off`"},
        Wrong{"breaker: { repeats: { warn: 6, break: 5 } }", "1:29: error: `warn` (6) must not be above `break` (5)"},
        Wrong{"breaker: { repeats: { break: 2 } }", "1:30: error: `warn` (3) must not be above `break` (2)"},
        Wrong{"breaker: { tool_errors: { break: 2, within: 0s } }", "1:45: error: `within` must be 1ms to 1d"},
        Wrong{"breaker: { tool_errors: 5 }", "1:25: error: this threshold must be a map such as { break: … }"},
        Wrong{"breaker: { unlinked: { faild: 5 } }", "1:24: error: unknown key `faild`; did you mean `failed`?"},
        Wrong{"breaker: { cooldown: 30 }", "1:22: error:"},
        Wrong{"breaker: { exempt: get_status }", "1:20: error: `exempt` must be a list"},
        Wrong{"breaker: { exempt: [\"a\\tb\"] }", "1:21: error: no tool can be called so"},
        Wrong{"profiles: { on_anomaly: block }", "1:25: error: `on_anomaly` cannot be `block`; use `audit`, `refuse`"},
        Wrong{"profiles: { warmup: 0 }", "1:21: error: `warmup` must be a whole number from 1"},
        Wrong{"trust: { min: 1.5 }", "1:15: error: `min` must be a number from 0.000 to 1.000"},
        Wrong{"trust: { recover: 0s }", "1:19: error: `recover` must be 1ms to 366d"},
        Wrong{"trust: { escalate: { throttles: 3, within: 1h } }", "1:20: error: this escalate needs `action`"},
        Wrong{"trust: { escalate: { throttles: 0, within: 1h, action: flag } }",
              "1:33: error: `throttles` must be a whole number from 1"},
        Wrong{"trust: { escalate: { throttles: 3, within: 1h, action: ban } }",
              "1:56: error: `action` cannot be `ban`"},
        Wrong{"tiers: { free: { tools: { dney: [x] } } }", "1:27: error: unknown key `dney`; did you mean `deny`?"},
        Wrong{"tiers: { free: { tools: { allow: [] } } }", "1:34: error: `allow` needs at least one tool"}));

#define UPSTREAM(body) "upstreams: [{ path: /m, url: \"http://h\", " body " }]"
INSTANTIATE_TEST_SUITE_P(
    Upstreams, WrongBehavior,
    testing::Values(Wrong{UPSTREAM("kind: mpc"), "1:48: error: `kind` cannot be `mpc`; did you mean `mcp`?"},
                    Wrong{UPSTREAM("kind: http, server: crm"), "1:62: error: `server` is of `kind: mcp` only"},
                    Wrong{UPSTREAM("kind: http, hide_tools: true"), "1:66: error: `hide_tools` is of `kind: mcp` only"},
                    Wrong{UPSTREAM("kind: mcp, tool: x"), "1:59: error: `tool` is of `kind: http` only"},
                    Wrong{UPSTREAM("kind: mcp, meters: { x: { response_json: y } }"),
                          "1:61: error: `meters` are of `kind: http` only"},
                    Wrong{"upstreams: [{ path: /, kind: mcp, url: \"http://h\" }]",
                          "1:13: error: this MCP server needs a `server` name"}));

#define LIMIT(body) "limits:\n  - { name: a, per: key, " body " }"
INSTANTIATE_TEST_SUITE_P(
    Limits, WrongBehavior,
    testing::Values(
        Wrong{LIMIT("meter: requests, allow: 1/1m, on_exceed: strip_tool"),
              "2:67: error: `on_exceed: strip_tool` needs `meter: tool_calls`"},
        Wrong{LIMIT("meter: concurrency, allow: 1, on_exceed: strip_tool"), "error: `on_exceed: strip_tool` needs"},
        Wrong{LIMIT("meter: requests, allow: 1/1m, on_exceed: { queue: 2m }"), "error: `queue` must say how long"},
        Wrong{LIMIT("meter: requests, allow: 1/1m, on_exceed: { queue: 0s }"), "error: `queue` must say how long"},
        Wrong{LIMIT("meter: requests, allow: 1/1m, on_exceed: queue"), "2:67: error: `queue` must say how long"},
        Wrong{LIMIT("meter: requests, allow: 1/1m, on_exceed: \"queue: soon\""), "error: `queue` must say how long"},
        Wrong{LIMIT("meter: requests, allow: 1/1m, on_exceed: strip_tol"), "did you mean `strip_tool`?"},
        Wrong{LIMIT("meter: requests, allow: 1/1m, on_exceed: { wait: 2s }"),
              "error: `on_exceed` must be a single value"},
        Wrong{LIMIT("meter: requests, allow: 1/1m, contextual: yes"), "error: `contextual` must be true or false"},
        Wrong{LIMIT("meter: tool_call, allow: 1/1m"), "error: unknown meter `tool_call`; did you mean `tool_calls`?"},
        Wrong{LIMIT("meter: tool_calls, allow: 1/1m, match: { tool: \"a\\tb\" }"), "error: a value is 1 to 256 bytes"},
        Wrong{LIMIT("meter: tool_calls, allow: 1/1m, match: { server: crm }"),
              "error: this can match nothing: no upstream of `kind: mcp` is called `crm`"},
        Wrong{LIMIT("meter: requests, allow: 1/1m, match: { depth: deep }"),
              "error: this can match nothing: no depth `deep`"}));

TEST(LoadToolsTest, AMisspeltServerIsTold) {
  const LoadedPolicy loaded = load("upstreams: [{ path: /mcp/crm, kind: mcp, url: \"http://h\" }]\n" LIMIT(
      "meter: tool_calls, allow: 1/1m, match: { server: crn }"));
  EXPECT_NE(problems(loaded).find("did you mean `crm`?"), std::string::npos) << problems(loaded);
}

TEST(LoadToolsTest, LimitsBoundedOnlyByWhatCallersAssertAreWarnedOf) {
  for (const std::string attribute : {"run", "agent", "task", "depth"}) {
    const LoadedPolicy alone =
        load("limits: [{ name: a, per: [key, " + attribute + "], meter: tool_calls, allow: 1/1m }]");
    ASSERT_TRUE(alone.policy);
    EXPECT_NE(problems(alone).find("warning: `a` is bounded only by `" + attribute + "`"), std::string::npos)
        << problems(alone);
  }
  const LoadedPolicy named = load("limits: [{ name: a, per: [key, tool, server], meter: tool_calls, allow: 1/1m }]");
  EXPECT_EQ(problems(named), "");
}

}  // namespace
}  // namespace weir
