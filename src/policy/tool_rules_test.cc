// Limits on tools: when they apply, to what amount, and who may use which tool.
#include "base/strings.h"
#include "policy/test_ruleset.h"
#include "policy/tool_patterns.h"

namespace weir {
namespace {

class ToolRulesTest : public RulesetTest {
 protected:
  void call(std::string_view tool, bool alone = false) {
    attributes_.set(Attribute::kTool, tool);
    costs_.set(MeterKind::kToolCalls, 1, 1);
    if (!alone) return;
    costs_ = {};
    costs_.tool_call_only = true;
    costs_.set(MeterKind::kToolCalls, 1, 1);
  }
};

constexpr std::string_view kMixed = R"(
limits:
  - { name: requests, per: caller, meter: requests, allow: 9/1m }
  - { name: tokens, per: caller, meter: tokens, allow: 9k/1m }
  - { name: calls, per: caller, meter: tool_calls, allow: 9/1m }
  - { name: by-tool, per: [caller, tool], meter: tool_calls, allow: 9/1m }
  - { name: mail, per: caller, meter: tool_calls, allow: 9/1m, match: { tool: send_email } }
  - { name: others, per: caller, meter: tool_calls, allow: 9/1m, match: { tool: { not: send_email } } }
  - { name: flight, per: caller, meter: concurrency, allow: 9 }
  - { name: mail-flight, per: caller, meter: concurrency, allow: 9, match: { tool: "send_*" } }
  - { name: other-flight, per: caller, meter: concurrency, allow: 9, match: { tool: { not: "send_*" } } }
  - { name: runs, per: caller, meter: runs, allow: 9/1m }
  - { name: weights, per: caller, meter: { requests: 1, tool_calls: 5, runs: 7 }, allow: 99/1m }
)";

TEST_F(ToolRulesTest, ARequestWithoutACallIsNotCountedByLimitsOfTools) {
  compile(kMixed);
  EXPECT_EQ(names(), (Names{"requests", "tokens", "flight", "weights"}));
  EXPECT_EQ(plan_.demands()[3].cost, 1);
}

TEST_F(ToolRulesTest, ARequestThatIsACallIsCountedByAllThatMatch) {
  compile(kMixed);
  call("send_email");
  EXPECT_EQ(names(), (Names{"requests", "tokens", "calls", "by-tool", "mail", "flight", "mail-flight", "weights"}));
  EXPECT_EQ(plan_.demands()[7].cost, 6);
  call("search");
  EXPECT_EQ(names(), (Names{"requests", "tokens", "calls", "by-tool", "others", "flight", "other-flight", "weights"}));
}

TEST_F(ToolRulesTest, CallsOfNoNamedToolAreCountedWhereNamesDoNotMatter) {
  compile(kMixed);
  costs_.set(MeterKind::kToolCalls, 3, 3);
  EXPECT_EQ(names(), (Names{"requests", "tokens", "calls", "flight", "weights"}));
  EXPECT_EQ(plan_.demands()[2].cost, 3);
}

TEST_F(ToolRulesTest, AToolCallAloneMeetsOnlyWhatCountsToolCalls) {
  compile(kMixed);
  call("send_email", true);
  EXPECT_EQ(names(), (Names{"calls", "by-tool", "mail", "mail-flight", "weights"}));
  for (const Demand& demand : plan_.demands()) EXPECT_TRUE(demand.hold);
  EXPECT_EQ(plan_.demands()[4].cost, 5);
  costs_ = {};
  costs_.tool_call_only = true;  // not even a call: nothing applies
  EXPECT_EQ(names(), Names{});
}

TEST_F(ToolRulesTest, ANewRunIsHeldAndAKnownOneIsNotAsked) {
  compile(kMixed);
  costs_.set(MeterKind::kRuns, 1, 1);
  EXPECT_EQ(names(), (Names{"requests", "tokens", "flight", "runs", "weights"}));
  EXPECT_TRUE(plan_.demands()[3].hold);
  EXPECT_EQ(plan_.demands()[4].cost, 8);
  Costs actual;  // another request had begun the run already
  actual.set(MeterKind::kRequests, 1, 1);
  std::array<std::int64_t, 5> used{};
  rules_->actuals(plan_, actual, used);
  EXPECT_EQ(used[3], 0);
  EXPECT_EQ(used[4], 1);
}

TEST_F(ToolRulesTest, ALookSeesLimitsOfToolsThatItNames) {
  compile(kMixed);
  costs_ = {};
  EXPECT_EQ(names(), (Names{"requests", "tokens", "calls", "flight", "runs", "weights"}));
  attributes_.set(Attribute::kTool, "send_email");
  EXPECT_EQ(names(),
            (Names{"requests", "tokens", "calls", "by-tool", "mail", "flight", "mail-flight", "runs", "weights"}));
}

TEST_F(ToolRulesTest, EachToolOfACallerHasItsOwnBucket) {
  compile("limits: [{ name: a, per: [caller, tool], meter: tool_calls, allow: 5/1h }]");
  call("send_email", true);
  const Hash128 mail = subject();
  attributes_.set(Attribute::kTool, "pay_invoice");
  EXPECT_NE(subject(), mail);
  attributes_.set(Attribute::kTool, "send_email");
  EXPECT_EQ(subject(), mail);
  EXPECT_FALSE(plan_.subjects()[0].owner);  // a tool is no attribute that the caller makes up
}

TEST_F(ToolRulesTest, ACallersRunsAreNestedUnderItsKey) {
  compile("limits: [{ name: a, per: run, meter: requests, allow: 5/1h }]");
  attributes_.set(Attribute::kRun, "r1");
  const Hash128 mine = subject();
  EXPECT_TRUE(plan_.subjects()[0].owner);
  Consumer other = consumer_;
  other.id = 8;
  attributes_.consumer = &other;
  EXPECT_NE(subject(), mine);
}

TEST_F(ToolRulesTest, MissingNamesSayHowToSendThem) {
  for (const auto& [attribute, header] :
       std::map<std::string, std::string>{{"run", "X-Weir-Run"}, {"agent", "X-Weir-Agent"}, {"task", "X-Weir-Task"}}) {
    compile("limits: [{ name: a, per: " + attribute + ", meter: requests, allow: 5/1h, missing: refuse }]");
    const auto fault = plan();
    ASSERT_TRUE(fault) << attribute;
    EXPECT_NE(fault->message.find(header), std::string::npos) << fault->message;
  }
}

TEST_F(ToolRulesTest, TheBuiltInPolicyLimitsTheFiveKindsOfHarm) {
  compile("");
  for (const char* tool : {"send_email", "send_email_v2", "make_payment_now", "pay_invoice", "refund", "transfer_money",
                           "delete_user", "user_delete", "drop_table", "send_money"}) {
    EXPECT_TRUE(rules_->limits_tool(tool)) << tool;
    call(tool, true);
    EXPECT_EQ(names(), Names{"high-risk"}) << tool;
    EXPECT_EQ(plan_.demands()[0].quota.amount, 5);
  }
  for (const char* tool : {"search", "display", "undelete_x", "resend_email"}) {
    EXPECT_FALSE(rules_->limits_tool(tool)) << tool;
    call(tool, true);
    EXPECT_EQ(names(), Names{}) << tool;
  }
}

TEST_F(ToolRulesTest, LimitsToolAgreesWithThePlan) {
  const std::vector<std::string> policies = {
      "limits: [{ name: a, per: key, meter: tool_calls, allow: 1/1h }]",
      "limits: [{ name: a, per: key, meter: tool_calls, allow: 1/1h, match: { tool: [a, \"b*\", \"*c\", \"x*y\"] } }]",
      "limits: [{ name: a, per: key, meter: tool_calls, allow: 1/1h, match: { tool: { not: [a, \"b*\"] } } }]",
      "limits: [{ name: a, per: key, meter: concurrency, allow: 1, match: { tool: \"*a*\" } }]",
      "limits: [{ name: a, per: key, meter: requests, allow: 1/1h, match: { tool: a } }]",
      "limits: [{ name: a, per: key, meter: concurrency, allow: 1 }]",
      "limits: []"};
  for (const std::string& policy : policies) {
    compile(policy);
    for (const char* tool : {"a", "b", "bb", "abc", "c", "xzy", "xy", "zz", "ba"}) {
      call(tool, true);
      EXPECT_EQ(rules_->limits_tool(tool), !names().empty()) << policy << " " << tool;
    }
  }
}

TEST_F(ToolRulesTest, TierAndKeyMayEachDenyATool) {
  compile("tiers: { free: { tools: { allow: [search, \"read_*\"], deny: [read_mail] } }, pro: {} }\nlimits: []");
  const auto denied = [&](std::string_view tool) { return rules_->denies_tool(attributes_, tool); };
  EXPECT_FALSE(denied("search"));
  EXPECT_FALSE(denied("read_file"));
  EXPECT_TRUE(denied("read_mail"));
  EXPECT_TRUE(denied("send_email"));
  Consumer listed = consumer_;
  listed.metadata = {{"tools.deny.0", "search"}, {"tools.deny.1", "read_f*"}, {"tools.denyx", "read_book"}};
  use(listed);
  EXPECT_TRUE(denied("search"));
  EXPECT_TRUE(denied("read_file"));
  EXPECT_FALSE(denied("read_book"));
  listed.metadata = {{"tools.allow.0", "read_book"}, {"tools.allow.1", "send_email"}};
  EXPECT_FALSE(denied("read_book"));
  EXPECT_TRUE(denied("search"));
  EXPECT_TRUE(denied("send_email"));  // the key allows it, its tier does not
  attributes_.set(Attribute::kTier, "pro");
  EXPECT_FALSE(denied("send_email"));
  EXPECT_TRUE(denied("read_mail"));  // not among what the key allows
  listed.metadata = {{"tools.deny", "send_*"}};
  EXPECT_TRUE(denied("send_email"));
}

TEST_F(ToolRulesTest, KeysWithoutATierHaveTheListsOfTheDefaultOne) {
  compile("tiers: { free: { tools: { deny: [x] } } }\nlimits: []");
  attributes_.values[static_cast<std::size_t>(Attribute::kTier)] = {};
  EXPECT_TRUE(rules_->denies_tool(attributes_, "x"));
  attributes_.consumer = nullptr;  // anonymous: its tier is another
  EXPECT_FALSE(rules_->denies_tool(attributes_, "x"));
}

TEST_F(ToolRulesTest, MetadataOverridesAmountsOfTools) {
  compile("limits: [{ name: mail, per: [caller, tool], meter: tool_calls, allow: 5/1h, match: { tool: send_email } }]");
  Consumer generous = consumer_;
  generous.metadata = {{"limits.mail", "50/1h"}};
  use(generous);
  call("send_email", true);
  EXPECT_EQ(names(), Names{"mail"});
  EXPECT_EQ(plan_.demands()[0].quota.amount, 50);
}

TEST_F(ToolRulesTest, ContextualAmountsFollowTrust) {
  compile(R"(
limits:
  - { name: a, per: caller, meter: requests, allow: [7/1m, 1/1h], contextual: true }
  - { name: b, per: caller, meter: requests, allow: 10/s burst 50, contextual: true }
  - { name: c, per: caller, meter: requests, allow: 0/1m, contextual: true }
  - { name: d, per: caller, meter: requests, allow: 7/1m }
)");
  const auto amounts = [&](int permille) {
    attributes_.trust_permille = permille;
    EXPECT_FALSE(plan());
    std::vector<std::int64_t> out;
    for (std::size_t i = 0; i < plan_.demands().size(); ++i) {
      EXPECT_EQ(plan_.limits()[i].amount, plan_.demands()[i].quota.amount);
      out.push_back(plan_.demands()[i].quota.amount);
    }
    out.push_back(plan_.demands()[2].quota.rate.units);
    return out;
  };
  EXPECT_EQ(amounts(1000), (std::vector<std::int64_t>{7, 1, 50, 0, 7, 10}));
  EXPECT_EQ(amounts(500), (std::vector<std::int64_t>{3, 1, 25, 0, 7, 5}));  // rounded down, at least 1
  EXPECT_EQ(amounts(0), (std::vector<std::int64_t>{1, 1, 1, 0, 7, 1}));
  EXPECT_EQ(amounts(2000), (std::vector<std::int64_t>{7, 1, 50, 0, 7, 10}));
}

TEST_F(ToolRulesTest, TrustScalesWhatMetadataGives) {
  compile("limits: [{ name: a, per: caller, meter: requests, allow: 5/1h, contextual: true }]");
  Consumer rich = consumer_;
  rich.metadata = {{"limits.a", "100"}};
  use(rich);
  attributes_.trust_permille = 250;
  EXPECT_FALSE(plan());
  EXPECT_EQ(plan_.limits()[0].amount, 25);
}

TEST_F(ToolRulesTest, ARequestWaitsAsLongAsEveryRefusingLimitQueues) {
  compile(R"(
limits:
  - { name: a, per: caller, meter: requests, allow: 1/1m, on_exceed: { queue: 2s } }
  - { name: b, per: caller, meter: requests, allow: 1/1h, on_exceed: { queue: 5s } }
  - { name: c, per: caller, meter: requests, allow: 1/day }
  - { name: d, per: caller, meter: concurrency, allow: 1, on_exceed: { queue: 500ms } }
  - { name: e, per: caller, meter: requests, allow: 1/2m, mode: shadow }
)");
  EXPECT_FALSE(plan());
  Decision decision;
  decision.count = 5;
  const auto refuse = [&](std::size_t i, DurationNs wait) {
    decision.verdicts[i] = {.refuses = true, .retry_after = wait};
  };
  EXPECT_EQ(Ruleset::queue_for(plan_, decision), 0);  // nothing refuses
  refuse(0, kSecond);
  EXPECT_EQ(Ruleset::queue_for(plan_, decision), 2 * kSecond);
  refuse(1, kSecond);
  EXPECT_EQ(Ruleset::queue_for(plan_, decision), 2 * kSecond);
  refuse(4, kNever);  // a shadow refuses nothing
  EXPECT_EQ(Ruleset::queue_for(plan_, decision), 2 * kSecond);
  refuse(0, 100 * kMillisecond);
  refuse(1, 100 * kMillisecond);
  refuse(3, kSecond);  // in flight: nobody knows when it ends
  EXPECT_EQ(Ruleset::queue_for(plan_, decision), 500 * kMillisecond);
  refuse(1, 3 * kSecond);  // longer than anybody would wait
  EXPECT_EQ(Ruleset::queue_for(plan_, decision), 0);
  refuse(1, kSecond);
  refuse(2, kMillisecond);  // does not queue
  EXPECT_EQ(Ruleset::queue_for(plan_, decision), 0);
}

TEST(ToolPatternsTest, AgreeWithGlobMatch) {
  const std::vector<std::string> patterns = {"a", "a*", "*a", "*a*", "a*b", "*a*b*", "*", "**", "a**", "**a", "ab"};
  for (const std::string& pattern : patterns) {
    const ToolPatterns one({pattern});
    EXPECT_FALSE(one.empty());
    for (const char* tool : {"", "a", "b", "ab", "ba", "aab", "bab", "abab", "xay", "a*"}) {
      EXPECT_EQ(one.matches(tool), glob_match(pattern, tool)) << pattern << " " << tool;
    }
  }
  EXPECT_TRUE(ToolPatterns().empty());
  EXPECT_FALSE(ToolPatterns().matches("a"));
}

}  // namespace
}  // namespace weir
