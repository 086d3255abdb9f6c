// `alerts`: what a file says, and what a wrong one is told.
#include "policy/test_policy.h"

namespace weir {
namespace {

constexpr std::string_view kTargets =
    "alerts: { targets: { ops: { url: \"https://hooks.example.com/weir?x=1\", secret: 0123456789abcdef },\n"
    "    chat: { url: \"http://127.0.0.1:9000/s\", kind: slack } }, rules: [ @ ] }\n"
    "limits: [{ name: spend, per: key, meter: usd, allow: 10/day }]\n";

std::string with_rule(std::string_view rule) {
  std::string out(kTargets);
  return out.replace(out.find('@'), 1, rule);
}

AlertRule rule_of(std::string_view rule) {
  const auto policy = must_load(with_rule(rule));
  return policy->alerts.rules.empty() ? AlertRule() : policy->alerts.rules.front();
}

TEST(LoadAlertsTest, ReadsTargets) {
  const auto policy = must_load(with_rule("{ when: usage }"));
  ASSERT_EQ(policy->alerts.targets.size(), 2u);
  const AlertTarget &ops = policy->alerts.targets[0], &chat = policy->alerts.targets[1];
  EXPECT_EQ(ops.name, "ops");
  EXPECT_EQ(ops.url, "https://hooks.example.com/weir?x=1");
  EXPECT_EQ(ops.host, "hooks.example.com");
  EXPECT_EQ(ops.secret.reveal(), "0123456789abcdef");
  EXPECT_EQ(chat.kind, AlertTarget::Kind::kSlack);
  EXPECT_EQ(chat.host, "127.0.0.1:9000");
}

TEST(LoadAlertsTest, ReadsEachKindOfRule) {
  const AlertRule usage =
      rule_of("{ name: budget, when: usage, limit: spend, above: 90%, for: 10s, every: 4h, to: [ops] }");
  EXPECT_EQ(usage.name, "budget");
  EXPECT_EQ(usage.limit, "spend");
  EXPECT_EQ(usage.above_percent, 90);
  EXPECT_EQ(usage.hold, 10 * kSecond);
  EXPECT_EQ(usage.every, 4 * kHour);
  EXPECT_EQ(usage.to, std::vector<std::string>{"ops"});
  const AlertRule spend = rule_of("{ when: spend, above: 2.50/1h, per: tenant }");
  EXPECT_EQ(spend.name, "spend");
  EXPECT_EQ(spend.amount_micros, 2'500'000);
  EXPECT_EQ(spend.within, kHour);
  EXPECT_EQ(spend.per, AlertRule::Per::kTenant);
  const AlertRule forecast = rule_of("{ when: spend, forecast: 1000/month }");
  EXPECT_EQ(forecast.period, "month");
  EXPECT_EQ(forecast.amount_micros, 1'000'000'000);
  EXPECT_EQ(forecast.per, AlertRule::Per::kGlobal);
  const AlertRule spike = rule_of("{ when: spike, meter: usd, factor: 3, min: 0.50, within: 30s, warmup: 5m }");
  EXPECT_EQ(spike.meter, AlertRule::Meter::kUsd);
  EXPECT_EQ(spike.factor, 3);
  EXPECT_EQ(spike.least, 500'000);
  EXPECT_EQ(spike.within, 30 * kSecond);
  EXPECT_EQ(spike.warmup, 5 * kMinute);
  EXPECT_EQ(spike.per, AlertRule::Per::kKey);
  EXPECT_EQ(rule_of("{ when: breaker_opened }").when, AlertRule::When::kBreakerOpened);
  EXPECT_EQ(rule_of("{ when: fail_open, for: 10s }").when, AlertRule::When::kFailOpen);
  EXPECT_EQ(rule_of("{ when: settlement_drift }").above_percent, 10);
  EXPECT_EQ(rule_of("{ when: provider_errors }").within, 5 * kMinute);
}

TEST(LoadAlertsTest, SaysWhatIsWrongWithARule) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"{ above: 80% }", "this alert rule needs `when`"},
      {"{ when: usge }", "did you mean `usage`?"},
      {"{ when: usage, limit: spent }", "there is no limit `spent`; did you mean `spend`?"},
      {"{ when: usage, above: 80 }", "write `80%`"},
      {"{ when: usage, above: 0% }", "a whole percentage from 1% to 1000%"},
      {"{ when: usage, factor: 3 }", "`factor` says nothing for `when: usage`; it is of `when: spike`"},
      {"{ when: usage, to: [op] }", "there is no alert target `op`; did you mean `ops`?"},
      {"{ when: usage, to: [] }", "`to` must be a list of targets"},
      {"{ when: usage, every: 1s }", "`every` must be"},
      {"{ when: usage, name: Budget! }", "a rule's name has 1 to 64"},
      {"{ when: usage }, { when: usage }", "two rules are called `usage`"},
      {"{ when: spend }", "needs either `above`"},
      {"{ when: spend, above: 5/1h, forecast: 5/day }", "needs either `above`"},
      {"{ when: spend, above: 80% }", "dollars and 1m to 24h, as in 50/1h"},
      {"{ when: spend, above: 5/day }", "dollars and 1m to 24h, as in 50/1h"},
      {"{ when: spend, forecast: 5/1h }", "dollars and day, week or month"},
      {"{ when: spike, per: user }", "`per` cannot be `user`"},
      {"{ when: spike, factor: 1 }", "`factor` must be"},
      {"{ when: spike, min: many }", "`min` must be an amount such as 10k"},
  };
  for (const auto& [rule, said] : cases) {
    const LoadedPolicy loaded = load(with_rule(rule));
    EXPECT_FALSE(loaded.policy) << rule;
    EXPECT_NE(problems(loaded).find(said), std::string::npos) << rule << "\n" << problems(loaded);
  }
}

TEST(LoadAlertsTest, SaysWhatIsWrongWithATargetAndNeverItsAddress) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"{ kind: slack }", "this alert target needs `url`"},
      {"{ url: \"http://hooks.example.com/SECRET\", kind: slack }", "`url` must be https://"},
      {"{ url: \"ftp://hooks.example.com/SECRET\", kind: slack }", "`url` must be an address such as"},
      {"{ url: \"https://me:SECRET@hooks.example.com/\", kind: slack }", "`url` must be an address such as"},
      {"{ url: \"https://a.example/SECRET\", kind: slak }", "did you mean `slack`?"},
      {"{ url: \"https://a.example/SECRET\" }", "needs a `secret` of 16 to 256 characters"},
      {"{ url: \"https://a.example/SECRET\", secret: short }", "openssl rand -hex 32"},
      {"{ url: \"https://a.example/SECRET\", kind: slack, secret: 0123456789abcdef }",
       "`secret` is of `kind: webhook` only"},
  };
  for (const auto& [target, said] : cases) {
    const LoadedPolicy loaded = load("alerts: { targets: { ops: " + std::string(target) + " } }");
    EXPECT_FALSE(loaded.policy) << target;
    EXPECT_NE(problems(loaded).find(said), std::string::npos) << target << "\n" << problems(loaded);
    EXPECT_EQ(problems(loaded).find("SECRET"), std::string::npos) << problems(loaded);
  }
}

TEST(LoadAlertsTest, TargetsAndRulesHaveABound) {
  std::string targets, rules;
  for (std::size_t i = 0; i <= kMaxAlertTargets; ++i) {
    targets += "t" + std::to_string(i) + ": { url: \"https://a.example\", kind: slack }, ";
  }
  for (std::size_t i = 0; i <= kMaxAlertRules; ++i) rules += "{ when: usage, name: r" + std::to_string(i) + " }, ";
  EXPECT_NE(problems(load("alerts: { targets: { " + targets + "} }")).find("at most 20 targets"), std::string::npos);
  EXPECT_NE(problems(load("alerts: { rules: [ " + rules + "] }")).find("at most 100 rules"), std::string::npos);
}

TEST(LoadAlertsTest, WarnsOfRulesThatTellNobody) {
  const LoadedPolicy loaded = load("alerts: { rules: [{ when: breaker_opened }] }");
  ASSERT_TRUE(loaded.policy);
  EXPECT_NE(problems(loaded).find("warning: alerts have no `targets`"), std::string::npos);
}

}  // namespace
}  // namespace weir
