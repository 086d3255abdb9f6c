// What an operator changes over the file.
#include "policy/overrides.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "policy/limit_words.h"
#include "policy/loader.h"
#include "policy/test_policy.h"
#include "policy/yaml_writer.h"

namespace weir {
namespace {

using Kind = Override::Kind;

constexpr std::string_view kFile = R"(# ours
listen: 127.0.0.1:0
providers:
  a: { dialect: openai, url: "http://a.test/v1", key: sk-secret }
  b: { dialect: openai, url: "http://b.test", key: "${B_KEY}" }
models: { "b-*": { provider: b }, "*": { provider: a } }
admin: { token: very-secret-token }
tiers: { free: { weight: 1 }, pro: { weight: 4 } }
limits:
  - { name: tokens, per: caller, meter: tokens, allow: { default: 10k/1m, pro: [50k/1m, 1M/day] } }
  - { name: spend, per: tenant, meter: usd, allow: 10/day, match: { tool: "x*" } }
)";

Override limit(std::string name, std::string json) {
  return {Kind::kLimit, std::move(name), std::move(json), "ops", 1};
}
Override tier(std::string name, std::string json) {
  return {Kind::kTier, std::move(name), std::move(json), "ops", 1};
}

MergedPolicy merge(std::string_view text, std::vector<Override> overrides, Variables variables = {{"B_KEY", "kb"}}) {
  return merge_overrides(text, "weir.yaml", environment_of(std::move(variables)), overrides);
}

const LimitRule* find(const MergedPolicy& merged, std::string_view name) {
  for (const LimitRule& rule : merged.loaded.policy->limits) {
    if (rule.name == name) return &rule;
  }
  return nullptr;
}

std::string words(const MergedPolicy& merged, std::string_view name) {
  const LimitRule* rule = merged.loaded.policy ? find(merged, name) : nullptr;
  return rule == nullptr ? problems(merged.loaded) : words_of(*rule);
}

TEST(Overrides, NoneIsTheFile) {
  const MergedPolicy merged = merge(kFile, {});
  ASSERT_TRUE(merged.loaded.policy);
  EXPECT_EQ(merged.yaml, kFile);
  EXPECT_EQ(merged.loaded.policy->version, load(kFile, {{"B_KEY", "kb"}}).policy->version);
}

TEST(Overrides, MembersReplaceThoseOfTheFilesLimitAndNullTakesOneAway) {
  const MergedPolicy merged =
      merge(kFile, {limit("spend", R"({"allow":["2.50/1h","20/day"],"match":null,"mode":"shadow"})")});
  EXPECT_TRUE(merged.skipped.empty());
  EXPECT_EQ(words(merged, "spend"),
            "spend: $2.50 in any 1 hour and $20 per calendar day; per tenant (shadow: refuses nothing)");
  EXPECT_NE(merged.loaded.policy->version, load(kFile, {{"B_KEY", "kb"}}).policy->version);
}

TEST(Overrides, AnUnknownNameIsANewEntry) {
  const MergedPolicy merged =
      merge(kFile, {limit("more", R"({"per":["key","tool"],"meter":"tool_calls","allow":"3/1h"})"),
                    tier("gold", R"({"weight":9,"tools":{"deny":["rm_*"]}})"),
                    {Kind::kTenant, "Käse \"x\"", R"({"zone":"Europe/Berlin"})", "ops", 1}});
  ASSERT_TRUE(merged.skipped.empty()) << merged.skipped[0].why;
  EXPECT_EQ(words(merged, "more"), "more: 3 tool calls in any 1 hour; per key and tool");
  EXPECT_EQ(merged.loaded.policy->tiers.back().weight, 9);
  EXPECT_EQ(merged.loaded.policy->tiers.size(), 3u);
  EXPECT_EQ(merged.loaded.policy->tenant_zones.at("Käse \"x\""), "Europe/Berlin");
}

TEST(Overrides, AmountsOfATierBecomeItsPartOfTheLimits) {
  const MergedPolicy merged = merge(kFile, {tier("pro", R"({"amounts":{"tokens":["99k/1m"],"spend":["70/day"]}})"),
                                            tier("free", R"({"amounts":{"spend":"1/day"}})")});
  ASSERT_TRUE(merged.skipped.empty()) << merged.skipped[0].why;
  EXPECT_EQ(words(merged, "tokens"),
            "tokens: 10,000 tokens in any 1 minute, for tier pro 99,000 tokens in any 1 minute; per caller");
  EXPECT_EQ(words(merged, "spend"),
            "spend: $10 per calendar day, for tier free $1 per calendar day, for tier pro $70 per calendar day; per "
            "tenant, where tool is x*");
}

TEST(Overrides, TheBuiltInPolicyTakesThemToo) {
  const MergedPolicy merged = merge("", {limit("requests", R"({"allow":"7/1m"})"), tier("pro", R"({"weight":5})")}, {});
  ASSERT_TRUE(merged.loaded.policy) << problems(merged.loaded);
  ASSERT_TRUE(merged.skipped.empty()) << merged.skipped[0].why;
  EXPECT_EQ(words(merged, "requests"), "requests: 7 requests in any 1 minute; per caller");
  const auto plain = load("");
  ASSERT_EQ(merged.loaded.policy->limits.size(), plain.policy->limits.size());
  for (std::size_t i = 0; i < plain.policy->limits.size(); ++i) {
    if (plain.policy->limits[i].name == "requests") continue;
    EXPECT_EQ(words_of(merged.loaded.policy->limits[i]), words_of(plain.policy->limits[i]));
  }
  EXPECT_EQ(merged.loaded.policy->models.size(), plain.policy->models.size());
  EXPECT_EQ(merged.loaded.policy->tiers.size(), 3u);
}

TEST(Overrides, ABuiltInLadderUnderTheFilesOwnModelsStaysCutDown) {
  constexpr std::string_view kOwn =
      "providers: { a: { dialect: openai, url: http://a.test, key: x } }\nmodels: { m: { provider: a } }\n";
  const MergedPolicy merged = merge(kOwn, {limit("spend", R"({"allow":"3/day"})")});
  ASSERT_TRUE(merged.loaded.policy);
  ASSERT_TRUE(merged.skipped.empty()) << merged.skipped[0].why;
  EXPECT_TRUE(find(merged, "spend")->degrade.front().model.empty());
}

TEST(Overrides, OneThatDoesNotFitIsLeftOutWithItsReasonAndTheRestHolds) {
  const MergedPolicy merged = merge(kFile, {limit("gone", R"({"allow":"5/1m"})"),
                                            limit("spend", R"({"allow":"5/day"})"),
                                            limit("tokens", R"({"allow":{"platinum":"5/1m"},"per":"key"})"),
                                            tier("pro", R"({"wait":1})"),
                                            tier("free", R"({"amounts":{"nope":"1/1m"}})"),
                                            {Kind::kTenant, "t", R"({"zone":"Mars/Crater"})", "ops", 1}});
  ASSERT_TRUE(merged.loaded.policy);
  std::map<std::string, std::pair<std::string, std::string>> skipped;
  for (const SkippedOverride& s : merged.skipped) skipped[s.name] = {s.member, s.why};
  EXPECT_EQ(skipped.size(), 5u);
  EXPECT_NE(skipped["gone"].second.find("`per`"), std::string::npos) << skipped["gone"].second;
  EXPECT_EQ(skipped["tokens"].first, "allow");
  EXPECT_NE(skipped["tokens"].second.find("unknown tier `platinum`"), std::string::npos);
  EXPECT_NE(skipped["free"].second.find("no limit `nope`"), std::string::npos);
  EXPECT_NE(skipped["t"].second.find("zone"), std::string::npos) << skipped["t"].second;
  EXPECT_NE(words(merged, "spend").find("$5 per calendar day"), std::string::npos);
  EXPECT_NE(words(merged, "tokens").find("10,000 tokens"), std::string::npos);
}

TEST(Overrides, AmountsOfALimitThatIsLeftOutAreLeftOutWithIt) {
  const MergedPolicy merged = merge(kFile, {limit("new", R"({"per":"key","meter":"nonsense","allow":"5/1m"})"),
                                            tier("pro", R"({"weight":7,"amounts":{"new":"9/1m"}})")});
  ASSERT_TRUE(merged.loaded.policy);
  ASSERT_EQ(merged.skipped.size(), 2u);
  EXPECT_EQ(merged.skipped[1].name, "pro");
  EXPECT_NE(merged.skipped[1].why.find("no limit `new`"), std::string::npos) << merged.skipped[1].why;
}

TEST(Overrides, BrokenOnesAndThoseThatReachForTheEnvironmentAreLeftOut) {
  for (const char* json : {"", "nope", "[1]", "{\"allow\":", R"({"match":{"model":"${B_KEY}"}})", R"({"name":"other"})",
                           R"({"match":{"model":"a\u0000b"}})", R"({"allow":"1/1m","allow":"2/1m"})"}) {
    const MergedPolicy merged = merge(kFile, {limit("tokens", json)});
    ASSERT_TRUE(merged.loaded.policy) << json;
    EXPECT_EQ(merged.skipped.size(), 1u) << json;
    EXPECT_EQ(merged.yaml.find("kb"), std::string::npos);
  }
  std::string deep = R"({"match":)";
  for (int i = 0; i < 100; ++i) deep += "[";
  for (int i = 0; i < 100; ++i) deep += "]";
  EXPECT_EQ(merge(kFile, {limit("tokens", deep + "}")}).skipped.size(), 1u);
  EXPECT_EQ(merge(kFile, {limit("tokens", "{\"per\":\"" + std::string(kMaxOverrideBytes, 'a') + "\"}")}).skipped[0].why,
            "more than 16 KiB");
}

TEST(Overrides, DiagnosticsOfTheFileKeepTheirLines) {
  const std::string file = std::string(kFile) + "tenants: { x: { zone: Nowhere } }\n";
  EXPECT_EQ(problems(merge(file, {limit("spend", R"({"allow":"5/day"})")}).loaded),
            problems(load(file, {{"B_KEY", "kb"}})));
  const std::string warned = std::string(kFile) + "retry: { attempts: 1 }\n";
  EXPECT_EQ(problems(merge(warned, {limit("spend", R"({"allow":"5/day"})")}).loaded),
            problems(load(warned, {{"B_KEY", "kb"}})));
}

TEST(Overrides, MoreLimitsThanAFileMayHaveAreLeftOut) {
  std::vector<Override> many;
  for (int i = 0; i < 1'002; ++i) {
    many.push_back(
        limit("n" + std::to_string(i),
              R"({"per":"key","meter":"requests","allow":"9/1m","match":{"model":"m)" + std::to_string(i) + "\"}}"));
  }
  const MergedPolicy merged = merge(kFile, many);
  ASSERT_TRUE(merged.loaded.policy);
  EXPECT_EQ(merged.loaded.policy->limits.size(), 1'000u);
  EXPECT_EQ(merged.skipped.size(), 4u);
}

TEST(Overrides, WhatNoLineExplainsIsFoundBySearching) {
  // Together they are longer than a file may be: no line of the merged text is at fault.
  std::vector<Override> many;
  for (int i = 0; i < 8; ++i) {
    std::string models;
    for (int k = 0; k < 60; ++k) {
      models += (k > 0 ? ",\"" : "\"") + std::string(235, 'x') + std::to_string(i * 100 + k) + "\"";
    }
    many.push_back(limit("n" + std::to_string(i),
                         R"({"per":"key","meter":"requests","allow":"9/1m","match":{"model":[)" + models + "]}}"));
  }
  std::string file(kFile);
  for (int i = 0; i < 900; ++i) {
    file += "  - { name: f" + std::to_string(i) + ", per: key, meter: requests, allow: 1/1m, match: { model: [";
    for (int k = 0; k < 4; ++k) file += (k > 0 ? ", " : "") + std::string(250, 'y') + std::to_string(i * 4 + k);
    file += "] } }\n";
  }
  const MergedPolicy merged = merge(file, many);
  ASSERT_TRUE(merged.loaded.policy) << problems(merged.loaded);
  EXPECT_GT(merged.skipped.size(), 0u);
  EXPECT_LT(merged.skipped.size(), 8u);
  EXPECT_LE(merged.yaml.size(), kMaxPolicyBytes);
}

// --- exports --------------------------------------------------------------------------------------------------------

TEST(Overrides, SecretsAreMaskedReferencesStay) {
  const std::string masked = secrets_masked(std::string(kFile) + "tls: { cert: a.pem, key: b.pem }\n");
  EXPECT_EQ(masked.find("sk-secret"), std::string::npos);
  EXPECT_EQ(masked.find("very-secret"), std::string::npos);
  EXPECT_EQ(secrets_masked("upstreams: [{ path: /a, url: \"http://user:pw@a.test/x\" }]"),
            "upstreams:\n  - path: \"/a\"\n    url: \"http://***@a.test/x\"\n");
  EXPECT_NE(masked.find("${B_KEY}"), std::string::npos);
  EXPECT_NE(masked.find("b.pem"), std::string::npos) << "the path of a file is no secret";
  EXPECT_EQ(secrets_masked("providers: { a: { key: \"${A:-sk-default}\" } }").find("sk-default"), std::string::npos);
  EXPECT_EQ(secrets_masked("alerts: { targets: { s: { url: https://hooks.test/T0/B1/xyz, secret: abc } } }"),
            "alerts:\n  targets: { s: { url: \"https://hooks.test/***\", secret: \"***\" } }\n");
  EXPECT_NE(secrets_masked("limits:\n  - { name: a, match: { key: alice } }\n").find("alice"), std::string::npos);
}

TEST(Overrides, ADraftCannotReadTheEnvironment) {
  EXPECT_TRUE(new_references(kFile, kFile).empty());
  EXPECT_TRUE(new_references("limits: [", kFile).empty()) << "loading it says why";
  for (const char* draft : {"limits:\n  - { name: a, match: { model: \"${B_KEY}\" } }\n", "default_tier: x${HOME}\n",
                            "limits:\n  - { name: a, match: { key: \"${B_KEY}\" } }\n",
                            "providers: { x: { key: \"${B_KEY:-}${HOME}\" } }\n", "a: [[\"${B_KEY}\"]]\n"}) {
    const auto found = new_references(draft, kFile);
    ASSERT_EQ(found.size(), 1u) << draft;
    EXPECT_GT(found[0].line, 0);
  }
  std::string many = "a: [";
  for (int i = 0; i < 200; ++i) many += "\"${X}\", ";
  EXPECT_EQ(new_references(many + "]", kFile).size(), kMaxDiagnostics);
}

// The same decisions: every limit, tier and zone of the two.
bool same_policy(const Policy& a, const Policy& b) {
  const auto key = [](const Policy& p) {
    std::string out;
    for (const LimitRule& rule : p.limits) out += words_of(rule) + "\n";
    for (const Tier& t : p.tiers) {
      out += t.name + std::to_string(t.weight);
      for (const auto& tool : t.tools.allow) out += "+" + tool;
      for (const auto& tool : t.tools.deny) out += "-" + tool;
    }
    for (const auto& [tenant, zone] : p.tenant_zones) out += tenant + zone;
    for (const Provider& provider : p.providers) out += provider.name + provider.url.host;
    for (const ModelRule& model : p.models) out += model.pattern + model.provider;
    return out;
  };
  return key(a) == key(b);
}

TEST(Overrides, TheMaskedTextLoadsAndDecidesTheSame) {
  for (const std::string_view file : {kFile, std::string_view()}) {
    const MergedPolicy merged =
        merge(file, {limit("tokens", R"({"allow":"5/1m"})")}, {{"B_KEY", "kb"}, {"OPENAI_API_KEY", "k"}});
    ASSERT_TRUE(merged.loaded.policy) << problems(merged.loaded);
    const LoadedPolicy again = load(secrets_masked(merged.yaml), {{"B_KEY", "kb"}, {"OPENAI_API_KEY", "k"}});
    ASSERT_TRUE(again.policy) << problems(again);
    EXPECT_TRUE(same_policy(*again.policy, *merged.loaded.policy));
  }
}

TEST(Overrides, ADraftMadeOfTheMaskedTextHasTheSecretsOfWhatHolds) {
  const std::string file =
      "providers: { a: { dialect: openai, url: \"https://a.test\", key: sk-secret } }\n"
      "models: { m: { provider: a, price: { input: 1, output: 1 } } }\n"
      "alerts: { targets: { ops: { url: https://hooks.test/T0/B1, secret: 0123456789abcdef } } }\n";
  const LoadedPolicy real = load(file);
  ASSERT_TRUE(real.policy) << problems(real);
  const std::string draft = secrets_masked(file);
  const Environment none = [](std::string_view) { return std::nullopt; };
  const LoadedPolicy restored = load_policy(draft, "draft", none, file);
  ASSERT_TRUE(restored.policy) << problems(restored);
  EXPECT_TRUE(same_policy(*restored.policy, *real.policy));
  EXPECT_EQ(restored.policy->alerts.targets[0].secret.reveal(), "0123456789abcdef");
  EXPECT_TRUE(restored.diagnostics.empty());

  const LoadedPolicy alone = load_policy(draft, "export.yaml", none);
  EXPECT_FALSE(alone.policy) << "nobody would get its messages";
  EXPECT_NE(problems(alone).find("stands where an export left out a secret"), std::string::npos) << problems(alone);
  const LoadedPolicy moved = load_policy(
      "providers: { b: { dialect: openai, url: \"https://b.test\", key: \"***\" } }\n"
      "models: { m: { provider: b, price: { input: 1, output: 1 } } }\n",
      "draft", none, file);
  ASSERT_TRUE(moved.policy) << problems(moved);
  EXPECT_EQ(moved.policy->providers[0].key, "***") << "a secret stays in its place";
  EXPECT_EQ(moved.diagnostics.size(), 1u);
}

TEST(Overrides, TheBuiltInLimitsAreSpelledOutForReaders) {
  const auto plain = load("");
  const std::string text = with_limits_spelled_out("", *plain.policy);
  const auto again = load(text);
  ASSERT_TRUE(again.policy) << problems(again);
  EXPECT_TRUE(same_policy(*again.policy, *plain.policy));
}

// --- properties -----------------------------------------------------------------------------------------------------

rc::Gen<std::string> any_member() {
  return rc::gen::elementOf(std::vector<std::string>{R"("allow":"5/1m")",
                                                     R"("allow":["7/1h","9/day"])",
                                                     R"("allow":{"default":"3/1m","pro":"4/1m"})",
                                                     R"("allow":"x")",
                                                     R"("per":"key")",
                                                     R"("per":["tenant","model"])",
                                                     R"("per":null)",
                                                     R"("meter":"requests")",
                                                     R"("meter":"tokens")",
                                                     R"("meter":{"input_tokens":1,"output_tokens":4})",
                                                     R"("mode":"shadow")",
                                                     R"("match":{"model":["gpt-*","a, b: {c}"]})",
                                                     R"("match":{"model":{"not":"- x"}})",
                                                     R"("match":null)",
                                                     R"("weight":3)",
                                                     R"("weight":0)",
                                                     R"("zone":"UTC")",
                                                     R"("zone":"Asia/Tokyo")",
                                                     R"("tools":{"deny":["rm*"]})",
                                                     R"("amounts":{"tokens":"8/1m"})",
                                                     R"("amounts":{"spend":null})",
                                                     R"("fail":"closed")",
                                                     R"("bogus":[1,{"a":null}])",
                                                     R"("contextual":true)"});
}

rc::Gen<Override> any_override() {
  return rc::gen::map(rc::gen::tuple(rc::gen::elementOf(std::vector<Kind>{Kind::kLimit, Kind::kTier, Kind::kTenant}),
                                     rc::gen::elementOf(std::vector<std::string>{"tokens", "spend", "pro", "free",
                                                                                 "new", "Bad Name", "#"}),
                                     rc::gen::container<std::vector<std::string>>(any_member())),
                      [](const auto& parts) {
                        std::string json = "{";
                        for (const std::string& member : std::get<2>(parts))
                          json += (json.size() > 1 ? "," : "") + member;
                        return Override{std::get<0>(parts), std::get<1>(parts), json + "}", "ops", 1};
                      });
}

std::vector<Override> distinct(std::vector<Override> all) {
  const auto less = [](const Override& a, const Override& b) {
    return std::tie(a.kind, a.name) < std::tie(b.kind, b.name);
  };
  std::stable_sort(all.begin(), all.end(), less);
  all.erase(
      std::unique(all.begin(), all.end(), [&](const auto& a, const auto& b) { return !less(a, b) && !less(b, a); }),
      all.end());
  return all;
}

RC_GTEST_PROP(OverridesProperty, WhatHoldsIsAFileThatLoadsByItselfAndSaysTheSame, ()) {
  const auto overrides = distinct(*rc::gen::container<std::vector<Override>>(any_override()));
  const std::string_view file = *rc::gen::element(kFile, std::string_view());
  const MergedPolicy merged = merge(file, overrides);
  RC_ASSERT(merged.loaded.policy != nullptr);
  const LoadedPolicy alone = load(merged.yaml, {{"B_KEY", "kb"}});
  RC_ASSERT(alone.policy != nullptr);
  RC_ASSERT(same_policy(*alone.policy, *merged.loaded.policy));
  RC_ASSERT(alone.policy->version == merged.loaded.policy->version);
  RC_ASSERT(merged.skipped.size() <= overrides.size());
  RC_ASSERT(alone.policy->listen.port == load(file, {{"B_KEY", "kb"}}).policy->listen.port);
}

RC_GTEST_PROP(OverridesProperty, TheOrderOfOverridesIsOfNoConsequence, ()) {
  auto overrides = distinct(*rc::gen::container<std::vector<Override>>(any_override()));
  const MergedPolicy one = merge(kFile, overrides);
  std::reverse(overrides.begin(), overrides.end());
  const MergedPolicy other = merge(kFile, overrides);
  RC_ASSERT(one.yaml == other.yaml);
  RC_ASSERT(one.loaded.policy->version == other.loaded.policy->version);
  RC_ASSERT(one.skipped.size() == other.skipped.size());
}

RC_GTEST_PROP(OverridesProperty, WhatIsWrittenReadsBackAsTheSameTree, ()) {
  Yaml root = make_yaml(Yaml::Kind::kMap);
  const auto words = *rc::gen::container<std::vector<std::string>>(
      rc::gen::container<std::string>(rc::gen::elementOf(std::string("abN09 -:#{}[],&*!|>'\"%@`~?\n\t\\$yes."))));
  Yaml list = make_yaml(Yaml::Kind::kList);
  for (std::size_t i = 0; i < words.size(); ++i) {
    Yaml map = make_yaml(Yaml::Kind::kMap);
    set_member(map, "k" + words[i], make_yaml(Yaml::Kind::kScalar, words[i]));
    set_member(map, "none", make_yaml(Yaml::Kind::kNull));
    set_member(map, words[i] + "m", Yaml(map));
    list.items.push_back(map);
    set_member(root, "s" + words[i], std::move(map));
  }
  set_member(root, "list", std::move(list));
  Reporter reporter("x");
  const auto again = parse_yaml(write_yaml(root).text, reporter);
  RC_ASSERT(again.has_value());
  RC_ASSERT(same_yaml(*again, root));
}

}  // namespace
}  // namespace weir
