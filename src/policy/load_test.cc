#include "base/json_writer.h"
#include "policy/test_policy.h"
#include "policy/yaml.h"

namespace weir {
namespace {

TEST(BuiltInPolicyTest, EmptyTextIsAWorkingGateway) {
  const LoadedPolicy loaded = load("");
  ASSERT_TRUE(loaded.policy) << problems(loaded);
  EXPECT_EQ(problems(loaded), "");
  const Policy& p = *loaded.policy;
  EXPECT_EQ(p.listen.port, 8080);
  EXPECT_EQ(p.admin.port, 8081);
  ASSERT_EQ(p.providers.size(), 1u);
  ASSERT_TRUE(p.find_provider("sim"));
  EXPECT_EQ(p.find_provider("sim")->simulate->output_tokens_max, 200);
  EXPECT_EQ(p.find_model("gpt-4o")->provider, "sim");  // its provider is absent: falls to *
  ASSERT_EQ(p.limits.size(), 6u);
  EXPECT_EQ(p.limits[0].name, "runs");
  EXPECT_EQ(p.limits[0].layer, Layer::kRate);
  ASSERT_EQ(p.limits[0].allow.size(), 1u);
  ASSERT_EQ(p.limits[0].allow[0].windows.size(), 2u);
  EXPECT_EQ(p.limits[0].allow[0].windows[0].amount, 20);
  EXPECT_EQ(p.limits[0].allow[0].windows[0].item, "runs-1m");
  EXPECT_EQ(p.limits[0].allow[0].windows[1].amount, 200);
  EXPECT_EQ(p.limits[1].name, "requests");
  ASSERT_EQ(p.limits[1].allow[0].windows.size(), 1u);
  EXPECT_EQ(p.limits[1].allow[0].windows[0].amount, 600);
  EXPECT_EQ(p.limits[2].allow[0].windows[1].amount, 500'000);
  EXPECT_EQ(p.limits[2].layer, Layer::kBudget);
  EXPECT_EQ(p.limits[3].allow[0].windows[0].amount, 16);
  const LimitRule& spend = p.limits[5];
  EXPECT_EQ(spend.allow[0].windows[0].amount, 10'000'000);
  EXPECT_EQ(spend.fail, FailMode::kClosed);
  ASSERT_EQ(spend.degrade.size(), 2u);
  EXPECT_EQ(spend.degrade[0].percent, 50);
  EXPECT_EQ(spend.degrade[0].model.at("gpt-4o"), "gpt-4o-mini");
  EXPECT_EQ(spend.degrade[0].max_tokens, 2048);
  EXPECT_EQ(spend.degrade[1].percent, 80);
  EXPECT_EQ(spend.degrade[1].max_tokens, 1024);
  EXPECT_EQ(spend.on_exceed, OnExceed::kRefuse);
  EXPECT_EQ(p.retry.attempts, 3);
  EXPECT_EQ(p.retry.within, 10 * kSecond);
  EXPECT_TRUE(p.retry.connect && p.retry.status_429 && p.retry.status_502 && p.retry.status_503 && p.retry.status_504);
  EXPECT_EQ(p.tiers.size(), 3u);
  EXPECT_EQ(p.bounds.header, 32u << 10);
  EXPECT_EQ(p.version.size(), 12u);
}

TEST(BuiltInPolicyTest, ToolsThatCannotBeTakenBackAreRare) {
  const auto policy = must_load("");
  const LimitRule& risky = policy->limits[4];
  EXPECT_EQ(risky.name, "high-risk");
  EXPECT_EQ(risky.layer, Layer::kTool);
  EXPECT_EQ(risky.per, (std::vector<std::string>{"caller", "tool"}));
  EXPECT_EQ(risky.on_exceed, OnExceed::kStripTool);
  EXPECT_EQ(risky.fail, FailMode::kClosed);
  EXPECT_EQ(risky.allow[0].windows[0].amount, 5);
  EXPECT_EQ(risky.allow[0].windows[0].label, "1h");
  ASSERT_EQ(risky.match.size(), 1u);
  EXPECT_EQ(risky.match[0].patterns,
            (std::vector<std::string>{"*payment*", "pay_*", "refund*", "transfer*", "send_money*", "send_email*",
                                      "delete_*", "*_delete", "drop_*"}));
}

TEST(TlsFilesTest, TheAdminListenerTakesThoseOfTheDataListenerUnlessOnlyThisMachineReachesIt) {
  const std::string pair = "tls: { cert: c.pem, key: k.pem }\n";
  const auto admin_cert = [&](const std::string& listen) {
    return must_load(pair + "admin: { listen: \"" + listen + "\" }\n")->admin_tls.cert;
  };
  EXPECT_EQ(must_load(pair)->tls.key, "k.pem");
  EXPECT_EQ(must_load(pair)->tls.line, 1);
  EXPECT_EQ(must_load(pair)->tls.column, 6);
  EXPECT_FALSE(must_load(pair)->admin_tls.on());
  for (const char* local : {"127.0.0.1:1", "127.8.8.8:1", "localhost:1", "[::1]:1"}) EXPECT_EQ(admin_cert(local), "");
  for (const char* open : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.example:1", "weir.internal:1"}) {
    EXPECT_EQ(admin_cert(open), "c.pem") << open;
  }
  const auto own = must_load(pair + "admin: { tls: { cert: a.pem, key: b.pem }, names: [Weir.Internal] }\n");
  EXPECT_EQ(own->admin_tls.cert, "a.pem");
  EXPECT_EQ(own->admin_names, std::vector<std::string>{"weir.internal"});
  EXPECT_FALSE(must_load("")->tls.on());
}

TEST(TlsFilesTest, PathsAndNamesHaveTheirBounds) {
  const auto names = [](int count) {
    std::string text = "admin: { names: [";
    for (int i = 0; i < count; ++i) text += "h" + std::to_string(i) + ", ";
    return text + "] }\n";
  };
  EXPECT_EQ(must_load(names(100))->admin_names.size(), 100u);
  EXPECT_FALSE(load(names(101)).policy);
  const auto path = [](std::size_t length) { return "tls: { key: k, cert: " + std::string(length, 'c') + " }\n"; };
  EXPECT_EQ(must_load(path(4096))->tls.cert.size(), 4096u);
  EXPECT_FALSE(load(path(4097)).policy);
}

TEST(TlsFilesTest, AFileOfTheEnvironmentThatIsNotSetIsAnErrorNotPlainHttp) {
  EXPECT_FALSE(load("tls: { cert: \"${CERT}\", key: \"${KEY}\" }\n").policy);
  EXPECT_TRUE(load("tls: { cert: \"${CERT}\", key: \"${KEY}\" }\n", {{"CERT", "c"}, {"KEY", "k"}}).policy);
}

TEST(BuiltInPolicyTest, ProvidersFollowTheEnvironment) {
  const auto p = must_load("", {{"OPENAI_API_KEY", "sk-1"}});
  EXPECT_TRUE(p->find_provider("openai"));
  EXPECT_FALSE(p->find_provider("claude"));
  EXPECT_EQ(p->find_model("gpt-4o-mini")->provider, "openai");
  EXPECT_EQ(p->find_model("claude-sonnet-4")->provider, "sim");
  const Price price = p->price_of("gpt-4o", *p->find_provider("openai"));
  EXPECT_EQ(price.input, 2'500'000);
  EXPECT_EQ(price.cached_input, 1'250'000);
  EXPECT_EQ(price.output, 10'000'000);
}

TEST(BuiltInPolicyTest, GeminiIsThereWithItsKeyAndGptFallsBack) {
  const auto p = must_load("", {{"OPENAI_API_KEY", "sk-1"}, {"GEMINI_API_KEY", "g-1"}});
  ASSERT_TRUE(p->find_provider("gemini"));
  EXPECT_EQ(p->find_provider("gemini")->dialect, Dialect::kGemini);
  EXPECT_EQ(p->find_provider("gemini")->url.host, "generativelanguage.googleapis.com");
  EXPECT_EQ(p->find_provider("gemini")->key, "g-1");
  EXPECT_EQ(p->find_model("gpt-5")->fallback, (std::vector<std::string>{"gpt-4o-mini"}));
  EXPECT_TRUE(p->find_model("gpt-4o")->fallback.empty());
}

// The built-in ladder must not stop a file whose models it does not know, nor send requests where they are not
// understood.
TEST(BuiltInPolicyTest, TheLadderKeepsOnlyModelsThatCanBeCalled) {
  const auto own = must_load("models: { m: { provider: sim, price: 0 } }");
  ASSERT_EQ(own->limits[5].degrade.size(), 2u);
  EXPECT_TRUE(own->limits[5].degrade[0].model.empty());
  EXPECT_EQ(own->limits[5].degrade[0].max_tokens, 2048);
  const auto split = must_load(
      "providers: { o: { dialect: openai, url: \"http://o\" }, c: { dialect: anthropic, url: \"http://c\" } }\n"
      "models: { gpt-4o: { provider: o }, \"*\": { provider: c } }\n");
  EXPECT_TRUE(split->limits[5].degrade[0].model.empty());
}

TEST(BuiltInPolicyTest, OwnLimitsReplaceThem) {
  EXPECT_EQ(must_load("limits: []")->limits.size(), 0u);
  const auto p = must_load(kMinimalLimits);
  ASSERT_EQ(p->limits.size(), 1u);
  EXPECT_EQ(p->limits[0].line, 2);
  EXPECT_TRUE(p->find_provider("sim"));  // providers stay
}

TEST(BuiltInPolicyTest, OwnProvidersKeepTheModelsTheyServe) {
  const auto p = must_load("providers: { mine: { dialect: openai, url: \"http://127.0.0.1:9/v1\" } }");
  EXPECT_EQ(p->find_model("anything")->provider, "mine");
  const auto q = must_load(
      "providers: { openai: { dialect: openai, url: \"https://x.example\" }, b: { dialect: anthropic, url: "
      "\"https://y.example\" } }\n");
  EXPECT_EQ(q->find_model("gpt-4o")->provider, "openai");
  EXPECT_EQ(q->find_model("llama"), nullptr);
}

TEST(LoadTest, ReadsEveryPart) {
  const auto p = must_load(R"(
listen: "[::1]:9000"
admin: { listen: "127.0.0.1:9001", token: "${T}", metrics: public }
data: /var/lib/weir
store: { counters: memory, records: embedded }
workers: 3
zone: Europe/Berlin
tenants: { acme: { zone: America/New_York } }
providers:
  up: { dialect: anthropic, url: "https://h.example:8443/base/v1/", key: "${K:-none}", ca: /ca.pem, price: 0, timeouts: { connect: 1s, first_byte: 2s, idle: 3s, total: 4m } }
  s: { simulate: { output_tokens: 7, first_byte: 0s, tokens_per_second: 0, seed: 9 }, price: { input: 1, output: 2.5 } }
models: { big: { provider: up, price: { input: 3, cached_input: 0.3, cache_write: 4, output: 15, audio_in: 1, audio_out: 2 } }, "*": { provider: s } }
upstreams:
  - { path: /api/**, kind: http, url: "http://127.0.0.1:3000", tool: "{method} {path}", pass_authorization: true, meters: { rows: { response_json: meta.rows }, units: { response_header: X-Units, estimate: 10 } } }
  - { path: /api/deep, kind: http, url: "http://127.0.0.1:3001" }
default_tier: basic
tiers: { basic: { weight: 2 }, gold: {} }
limits: [{ name: r, per: [tenant, header.X-Team], meter: {rows: 2, units: 1}, allow: { basic: 1/1h, default: [5/1h, 9/day] }, match: { method: GET, route: /api/** }, mode: shadow, fail: open, missing: refuse, precision: 10, on_exceed: refuse }, { name: t, per: tenant, meter: {rows: 2, units: 1}, allow: 9/1h }]
reservation: { mode: reserve, default_output: 10, trust_cap: 20, quantile: 0.9, warmup: 5, top_up: 6 }
timeouts: { header: 1s, body: 2s, idle: 3s }
bounds: { header: 16k, body: 1M, depth: 10, messages: 11, tools: 12 }
auth_failures: { per: ip, allow: 5/1h }
durability: strict
anonymous: allow
trusted_proxies: [10.0.0.0/8, "::1"]
retention: { ledger: 30d, audit: 60d }
drain: 5s
)",
                           {{"T", "secret-token"}});
  EXPECT_EQ(p->listen.host, "::1");
  EXPECT_EQ(p->admin_token.reveal(), "secret-token");
  EXPECT_TRUE(p->metrics_public);
  EXPECT_EQ(p->workers, 3);
  EXPECT_EQ(p->tenant_zones.at("acme"), "America/New_York");
  const Provider& up = *p->find_provider("up");
  EXPECT_EQ(up.dialect, Dialect::kAnthropic);
  EXPECT_EQ(up.url.port, 8443);
  EXPECT_EQ(up.url.path, "/base/v1");
  EXPECT_TRUE(up.url.tls);
  EXPECT_EQ(up.key, "none");
  EXPECT_EQ(up.price, Price{});
  EXPECT_EQ(up.timeouts.total, 4 * kMinute);
  EXPECT_EQ(p->find_provider("s")->simulate->tokens_per_second, 0);
  EXPECT_EQ(p->find_provider("s")->simulate->seed, 9u);
  EXPECT_EQ(p->find_model("big")->price->output, 15'000'000);
  EXPECT_EQ(p->find_upstream("/api/deep")->url.port, 3001);
  EXPECT_EQ(p->find_upstream("/api")->url.port, 3000);
  EXPECT_EQ(p->find_upstream("/api/x/y")->meters.size(), 2u);
  EXPECT_EQ(p->find_upstream("/apis"), nullptr);
  EXPECT_EQ(p->tiers[0].weight, 2);
  const LimitRule& r = p->limits[0];
  EXPECT_EQ(r.per[1], "header.x-team");
  EXPECT_EQ(r.meter_name, "2*rows+units");
  EXPECT_TRUE(r.shadow);
  EXPECT_EQ(r.fail, FailMode::kOpen);
  EXPECT_EQ(r.missing, MissingMode::kRefuse);
  EXPECT_EQ(r.precision, 10);
  EXPECT_EQ(r.allow[1].tier, "");
  EXPECT_EQ(r.allow[1].windows[1].item, "r-day");
  EXPECT_TRUE(p->reservation.reserve_whole_cap);
  EXPECT_DOUBLE_EQ(p->reservation.quantile, 0.9);
  EXPECT_EQ(p->bounds.json.tools, 12u);
  EXPECT_EQ(p->auth_failures.window, kHour);
  EXPECT_TRUE(p->strict_durability && p->anonymous_allowed);
  EXPECT_EQ(p->trusted_proxies[0].bits, 104);
  EXPECT_EQ(p->retain_audit, 60 * kDay);
  EXPECT_EQ(p->drain, 5 * kSecond);
}

TEST(EnvironmentTest, UnsetMeansAbsentAndDefaultsHold) {
  EXPECT_EQ(must_load("zone: ${Z}")->zone, "UTC");
  EXPECT_EQ(must_load("zone: ${Z:-Europe/Paris}")->zone, "Europe/Paris");
  EXPECT_EQ(must_load("zone: Europe/${CITY}", {{"CITY", "Rome"}})->zone, "Europe/Rome");
  EXPECT_EQ(must_load("zone: ${Z}", {{"Z", ""}})->zone, "UTC");
  EXPECT_EQ(must_load("data: a$${b}")->data, "a${b}");
  EXPECT_EQ(must_load("trusted_proxies: [\"${A}\", 10.0.0.1]")->trusted_proxies.size(), 1u);
}

TEST(EnvironmentTest, VersionFollowsWhatWasRead) {
  const std::string text = "data: ${D:-x}";
  EXPECT_EQ(must_load(text)->version, must_load(text)->version);
  EXPECT_NE(must_load(text)->version, must_load(text, {{"D", "y"}})->version);
  EXPECT_NE(must_load(text)->version, must_load(text + "\n")->version);
}

TEST(LoadTest, ReadsRetriesFallbacksDialectsAndLadders) {
  const auto p = must_load(R"(
retry: { attempts: 5, within: 3s, when: [connect, 503] }
providers:
  g: { dialect: gemini, url: "https://g.example" }
  l: { dialect: ollama, url: "http://127.0.0.1:11434" }
  s: { simulate: {} }
models:
  a: { provider: g, price: 1, fallback: [b, s-1] }
  b: { provider: g, price: 1 }
  s-1: { provider: s, price: 1, fallback: [a, l-1] }
  "l-*": { provider: l, fallback: [l-mini] }
limits:
  - name: spend
    per: key
    meter: usd
    allow: [2/1h, 10/day]
    on_exceed: degrade
    hard: 120%
    degrade:
      - { at: 110%, keep_messages: 4 }
      - { at: 50%, model: { a: b, l-max: l-mini }, max_tokens: 100 }
  - { name: soft, per: key, meter: tokens, allow: 9/1m, on_exceed: degrade, degrade: [{ at: 1000%, max_tokens: 1 }] }
)");
  EXPECT_EQ(p->retry.attempts, 5);
  EXPECT_EQ(p->retry.within, 3 * kSecond);
  EXPECT_TRUE(p->retry.connect && p->retry.status_503);
  EXPECT_FALSE(p->retry.status_429 || p->retry.status_502 || p->retry.status_504);
  EXPECT_EQ(p->find_provider("g")->dialect, Dialect::kGemini);
  EXPECT_EQ(p->find_provider("l")->dialect, Dialect::kOllama);
  EXPECT_EQ(p->find_model("a")->fallback, (std::vector<std::string>{"b", "s-1"}));
  EXPECT_EQ(p->find_model("l-7")->fallback, (std::vector<std::string>{"l-mini"}));
  const LimitRule& spend = p->limits[0];
  EXPECT_EQ(spend.on_exceed, OnExceed::kDegrade);
  EXPECT_EQ(spend.hard_percent, 120);
  ASSERT_EQ(spend.degrade.size(), 2u);
  EXPECT_EQ(spend.degrade[0].percent, 50);  // sorted
  EXPECT_EQ(spend.degrade[0].model.size(), 2u);
  EXPECT_EQ(spend.degrade[1].percent, 110);
  EXPECT_EQ(spend.degrade[1].keep_messages, 4u);
  EXPECT_EQ(p->limits[1].hard_percent, 100);
  EXPECT_EQ(p->limits[1].on_exceed, OnExceed::kDegrade);
}

TEST(BoundsTest, SixteenRungsAHundredModelsAndEightFallbacks) {
  const auto ladder = [](int rungs, int models) {
    std::string text = "limits: [{ name: a, per: key, meter: usd, allow: 1/day, degrade: [";
    for (int i = 1; i <= rungs; ++i) text += "{ at: " + std::to_string(i) + "%, max_tokens: 1 }, ";
    text += "{ at: 99%, model: { ";
    for (int i = 0; i < models; ++i) text += "m" + std::to_string(i) + ": small, ";
    return load(text + "} }] }]");
  };
  EXPECT_TRUE(ladder(15, 100).policy) << problems(ladder(15, 100));
  EXPECT_NE(problems(ladder(16, 100)).find("1 to 16 rungs"), std::string::npos);
  EXPECT_NE(problems(ladder(15, 101)).find("1 to 100 models"), std::string::npos);
  const auto fallbacks = [](int count) {
    std::string text = "models: { a: { provider: sim, price: 0, fallback: [";
    for (int i = 0; i < count; ++i) text += "m" + std::to_string(i) + ", ";
    return load(text + "] }, \"m*\": { provider: sim } }");
  };
  EXPECT_TRUE(fallbacks(8).policy) << problems(fallbacks(8));
  EXPECT_NE(problems(fallbacks(9)).find("1 to 8 models"), std::string::npos);
}

TEST(PriceTest, FurtherKeysComeFromTheRuleElseTheBookElseWhatStandsBeside) {
  const auto p = must_load(R"(
models:
  mine: { provider: sim, price: { input: 1, output: 5, cache_write: 2, cache_write_1h: 3, reasoning: 7, tool_unit: 10 } }
  plain: { provider: sim, price: { input: 1, output: 5 } }
  claude-sonnet-4-5: { provider: sim, price: { input: 1 } }
  gpt-4o: { provider: sim, price: { output: 1 } }
  flat: { provider: sim, price: 2 }
)");
  const Price& mine = *p->find_model("mine")->price;
  EXPECT_EQ(mine.cache_write_1h, 3'000'000);
  EXPECT_EQ(mine.reasoning, 7'000'000);
  EXPECT_EQ(cost_usd_micros(mine, {.tool_units = 1'000}), 10'000'000) << "$10 for a thousand calls";
  const Price& plain = *p->find_model("plain")->price;
  EXPECT_EQ(cost_usd_micros(plain, {.cache_write_1h = 10, .reasoning = 10, .tool_units = 10}), 10 + 50);
  EXPECT_EQ(p->find_model("claude-sonnet-4-5")->price->cache_write_1h, 6'000'000);
  EXPECT_EQ(p->find_model("gpt-4o")->price->priority_percent, 170);
  EXPECT_EQ(cost_usd_micros(*p->find_model("gpt-4o")->price, {.reasoning = 10}), 10) << "as the rule's output";
  EXPECT_EQ(cost_usd_micros(*p->find_model("flat")->price, {.cache_write_1h = 1, .reasoning = 1}), 4);
}

TEST(PriceTest, AnAnswerCostsWhatItsOwnModelDoesUnlessTheRuleSays) {
  const auto p = must_load(
      "providers: { a: { dialect: openai, url: \"http://h\", price: 1 } }\n"
      "models: { fixed: { provider: a, price: 7 }, \"*\": { provider: a } }\n");
  const Provider& a = *p->find_provider("a");
  const Price mini = PriceBook::built_in().find("gpt-4o-mini")->price;
  EXPECT_EQ(p->price_of_answer("fixed", "gpt-4o-mini", a).output, 7'000'000);
  EXPECT_EQ(p->price_of_answer("latest", "gpt-4o-mini-2024-07-18", a), mini);
  EXPECT_EQ(p->price_of_answer("gpt-4o-mini", "house-build-17", a), mini);
  EXPECT_EQ(p->price_of_answer("gpt-4o-mini", "", a), mini);
  EXPECT_EQ(p->price_of_answer("latest", "house-build-17", a).output, 1'000'000);
}

TEST(PriceTest, OrderIsRuleBookProviderDearest) {
  const auto p = must_load(
      "providers: { a: { dialect: openai, url: \"http://h\", price: 1 } }\n"
      "models: { mine: { provider: a, price: { input: 7, output: 8 } }, \"*\": { provider: a } }\n");
  const Provider& a = *p->find_provider("a");
  EXPECT_EQ(p->price_of("mine", a).input, 7'000'000);
  EXPECT_EQ(p->price_of("mine", a).cached_input, 7'000'000);
  EXPECT_EQ(p->price_of("no-such-model-anywhere", a).output, 1'000'000);
  Provider bare = a;
  bare.price.reset();
  EXPECT_EQ(p->price_of("no-such-model-anywhere", bare), PriceBook::built_in().dearest());
  const PriceRow* row = PriceBook::built_in().find("gpt-4o-mini");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(p->price_of("gpt-4o-mini", a), row->price);
}

TEST(BoundsTest, HostileFilesAreRefused) {
  EXPECT_NE(problems(load(std::string(kMaxPolicyBytes + 1, ' '))).find("larger than 1 MiB"), std::string::npos);
  EXPECT_NE(problems(load("a: " + std::string(100, '[') + std::string(100, ']'))).find("32 levels"), std::string::npos);
  std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) laughs += (j == 0 ? "*a" : ",*a") + std::to_string(i - 1);
    laughs += "]\n";
  }
  EXPECT_NE(problems(load(laughs)).find("50,000"), std::string::npos);
  std::string heavy = "a: &a " + std::string(60'000, 'x') + "\nb: [*a";
  for (int i = 0; i < 100; ++i) heavy += ",*a";
  EXPECT_NE(problems(load(heavy + "]")).find("1 MiB"), std::string::npos) << "few values of much text";
  std::string deep = "b0: &b0 [x]\n";
  for (int i = 1; i < 40; ++i)
    deep += "b" + std::to_string(i) + ": &b" + std::to_string(i) + " [*b" + std::to_string(i - 1) + "]\n";
  EXPECT_NE(problems(load(deep)).find("32 levels"), std::string::npos);
  EXPECT_NE(problems(load("a: &x [*x]")).find("1:8: error: an alias may not contain itself"), std::string::npos);
  // Few values, but each of them long: 60 KB of text that would be 1.2 GB.
  std::string long_value = "a: &x " + std::string(60'000, 'v') + "\nb: [";
  for (int i = 0; i < 20'000; ++i) long_value += "*x,";
  EXPECT_NE(problems(load(long_value + "x]")).find("1 MiB"), std::string::npos);
  std::string nested = "a: ";
  for (int i = 0; i < 20; ++i) nested += "&n" + std::to_string(i) + " [";
  for (int i = 0; i < 10'000; ++i) nested += "x,";
  EXPECT_NE(problems(load(nested + std::string(20, ']'))).find("anchors hold more"), std::string::npos);
  EXPECT_FALSE(load(std::string("a: \xFF\xFE", 5)).policy);
  EXPECT_FALSE(load("a: !!binary aGk=").policy);
  EXPECT_FALSE(load("--- {}\n--- {}\n").policy);
  EXPECT_FALSE(load("[1, 2]").policy);
  EXPECT_FALSE(load("a: [1").policy);
  std::string many;
  for (int i = 0; i < 500; ++i) many += "unknown" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(load(many).diagnostics.size(), kMaxDiagnostics + 1);
}

TEST(BoundsTest, AThousandLimitsAndNoMore) {
  const auto with = [](int count) {
    std::string text = "limits:\n";
    for (int i = 0; i < count; ++i)
      text += "  - { name: l" + std::to_string(i) + ", per: key, meter: requests, allow: 1/1m }\n";
    return load(text);
  };
  EXPECT_TRUE(with(1000).policy);
  EXPECT_NE(problems(with(1001)).find("at most 1000 limits"), std::string::npos);
}

}  // namespace
}  // namespace weir
