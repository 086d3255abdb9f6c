// What a wrong file is told: line, column, and what to write instead.
#include "policy/test_policy.h"

namespace weir {
namespace {

struct Wrong {
  const char* text;
  const char* starts;  // line:column and the beginning of the message
  const char* says;    // part of the same line
};

TEST(DiagnosticsTest, AreOneLineEachAndWithoutTheControlCharactersOfTheFile) {
  EXPECT_TRUE(problems(load("\"li\\nsten\": 1")).starts_with("1:1: error: unknown key `li\\x0asten`"))
      << problems(load("\"li\\nsten\": 1"));
  const std::string zone = problems(load("zone: \"a\\e[2J\\x7f\""));
  EXPECT_TRUE(zone.starts_with("1:7: error:")) << zone;
  EXPECT_NE(zone.find("a\\x1b[2J\\x7f"), std::string::npos) << zone;
}

class WrongFile : public testing::TestWithParam<Wrong> {};

TEST_P(WrongFile, IsToldWhereAndWhat) {
  const LoadedPolicy loaded = load(GetParam().text);
  EXPECT_FALSE(loaded.policy);
  const std::string all = "\n" + problems(loaded);
  const std::size_t at = all.find("\n" + std::string(GetParam().starts));
  ASSERT_NE(at, std::string::npos) << GetParam().text << all;
  const std::string line = all.substr(at + 1, all.find('\n', at + 1) - at - 1);
  EXPECT_NE(line.find(GetParam().says), std::string::npos) << GetParam().text << "\n" << line;
}

INSTANTIATE_TEST_SUITE_P(
    TopLevel, WrongFile,
    testing::Values(
        Wrong{"lisen: 1.2.3.4:80", "1:1: error: unknown key `lisen`", "did you mean `listen`"},
        Wrong{"zone: UTC\nzone: UTC", "2:1: error: key `zone` appears twice", ""},
        Wrong{"zone: Europe/Berln", "1:7: error: unknown time zone", "Europe/Berlin"},
        Wrong{"listen: 8080", "1:9: error:", "`127.0.0.1:8080`"}, Wrong{"listen: :8080", "1:9: error:", "0.0.0.0:8080"},
        Wrong{"listen: 127.0.0.1", "1:9: error:", "has no port"},
        Wrong{"listen: 127.0.0.1:1\nadmin: { listen: 127.0.0.1:1 }", "1:1: error:", "same address"},
        Wrong{"tls: { cert: a.pem }", "1:6: error: this tls needs `key`", ""},
        Wrong{"tls: { key: a.pem }", "1:6: error: this tls needs `cert`", ""},
        Wrong{"tls: a.pem", "1:6: error: this tls must be a map such as { cert:", ""},
        Wrong{"tls: { cert: [a], key: b }", "1:14: error: `cert` must name a PEM file", ""},
        Wrong{"tls: { cert: a, key: \"-----BEGIN PRIVATE KEY\" }", "1:22: error: `key` must name a PEM file",
              "not hold"},
        Wrong{"tls: { cert: a, key: b, ciphers: c }", "1:25: error: unknown key `ciphers`", "`cert`"},
        Wrong{"admin: { tls: { cert: a } }", "1:15: error: this tls needs `key`", ""},
        Wrong{"admin: { names: weir }", "1:17: error: `names` must be a list", "[weir.internal]"},
        Wrong{"admin: { names: [\"http://weir\"] }", "1:18: error:", "not a host name"},
        Wrong{"admin: { names: [\"a:80\"] }", "1:18: error:", "without scheme and port"},
        Wrong{"admin: { token: short }", "1:17: error: `token` must be 8", ""},
        Wrong{"workers: many", "1:10: error: `workers` must be auto", ""},
        Wrong{"durability: strikt", "1:13: error: `durability` cannot be `strikt`", "did you mean `strict`"},
        Wrong{"drain: 25", "1:8: error:", "`25s`"}, Wrong{"drain: 2h", "1:8: error: `drain` must be 0s to 1h", ""},
        Wrong{"drain:", "1:1: error: `drain` has no value", ""},
        Wrong{"timeouts: { header: 10 sec }", "1:21: error:", "not a duration"},
        Wrong{"bounds: { body: 1 }", "1:17: error: `body` must be 1024", ""},
        Wrong{"reservation: { quantile: nan }", "1:26: error: `quantile`", ""},
        Wrong{"trusted_proxies: [10.0.0.1/8]", "1:19: error:", "bits set beyond"},
        Wrong{"trusted_proxies: 10.0.0.0/8", "1:18: error:", "must be a list"},
        Wrong{"default_tier: gold", "1:15: error: unknown tier `gold`", ""},
        Wrong{"tiers: { gold: {} }", "1:8: error: none of the tiers is the default", ""},
        Wrong{"auth_failures: { allow: 5/day }", "1:25: error:", "sliding window"},
        Wrong{"tenants: { a: { zon: UTC } }", "1:17: error: unknown key `zon`", "did you mean `zone`"},
        Wrong{"providers: { a: { dialect: openia, url: \"http://h\" } }", "1:28: error:", "did you mean `openai`"},
        Wrong{"providers: { a: { url: \"http://h\" } }", "1:17: error: this provider needs `dialect`", ""},
        Wrong{"providers: { a: { dialect: openai } }", "1:17: error: this provider needs `url`", ""},
        Wrong{"providers: { a: { dialect: openai, url: api.openai.com } }", "1:41: error:", "`https://api.openai.com`"},
        Wrong{"providers: { a: { dialect: openai, url: \"http://u:pw@h\" } }", "1:41: error:", "may not hold a user"},
        Wrong{"providers: { A: { simulate: {} } }", "1:14: error:", "a-z 0-9"},
        Wrong{"models: { a: { provider: simm } }", "1:26: error: unknown provider `simm`", "did you mean `sim`"},
        Wrong{"models: { \"g*\": { provider: sim }, gpt: { provider: sim } }", "1:36: error: `gpt` is never reached",
              "`g*` above"},
        Wrong{"models: { a: { provider: sim, price: { inputt: 3 } } }", "1:40: error: unknown key `inputt`", "`input`"},
        Wrong{"upstreams: [{ path: /v1/messages, kind: http, url: \"http://h\" }]", "1:21: error:", "LLM route"},
        Wrong{"upstreams: [{ path: /weir/v1/x, kind: http, url: \"http://h\" }]", "1:21: error:", "by Weir itself"},
        Wrong{"upstreams: [{ path: /a/*/b, kind: http, url: \"http://h\" }]", "1:21: error:", "ends in /**"},
        Wrong{"upstreams: [{ path: /a, url: \"http://h\" }]", "1:13: error: this upstream needs `kind`", ""},
        Wrong{"upstreams: [{ path: /a, kind: http, url: \"http://h\", meters: { usd: { response_json: a } } }]",
              "1:64: error: `usd` is a built-in meter", ""},
        Wrong{"upstreams: [{ path: /a, kind: http, url: \"http://h\", meters: { x: {} } }]",
              "1:64: error: meter `x` needs either", ""}));

#define LIMIT(body) "limits:\n  - { " body " }"
INSTANTIATE_TEST_SUITE_P(
    Limits, WrongFile,
    testing::Values(
        Wrong{LIMIT("name: a, pre: key, meter: requests, allow: 1/1m"), "2:16: error: unknown key `pre`",
              "did you mean `per`"},
        Wrong{LIMIT("name: a, per: caler, meter: requests, allow: 1/1m"), "2:21: error: unknown attribute `caler`",
              "`caller`"},
        Wrong{LIMIT("name: a, per: key, meter: request, allow: 1/1m"), "2:33: error: unknown meter `request`",
              "`requests`"},
        Wrong{LIMIT("name: a, per: key, meter: requests, allow: 1/min"), "2:50: error:", "`1/1m`"},
        Wrong{LIMIT("name: a, per: key, meter: requests, allow: [1/1m, 2/1m]"),
              "2:57: error: two amounts for the same window", ""},
        Wrong{LIMIT("name: a, per: key, meter: concurrency, allow: 5/1m"), "2:53: error: concurrency has no window",
              "`5`"},
        Wrong{LIMIT("name: a, per: key, meter: requests, allow: { gold: 1/1m }"), "2:52: error: unknown tier `gold`",
              ""},
        Wrong{LIMIT("name: Aa, per: key, meter: requests, allow: 1/1m"), "2:13: error: a limit's name", "write `aa`"},
        Wrong{LIMIT("name: a, meter: requests, allow: 1/1m"), "2:5: error: this limit needs `per`", ""},
        Wrong{LIMIT("name: a, per: [key, key], meter: requests, allow: 1/1m"), "2:27: error: `key` appears twice", ""},
        Wrong{LIMIT("name: a, per: [key, global], meter: requests, allow: 1/1m"), "2:27: error: `global` stands alone",
              ""},
        Wrong{LIMIT("name: a, per: key, meter: {usd: 1, tokens: 1}, allow: 1/1m"), "2:33: error: usd cannot be mixed",
              ""},
        Wrong{LIMIT("name: a, per: key, meter: {tokens: 0}, allow: 1/1m"), "2:42: error: a weight is", ""},
        Wrong{LIMIT("name: a, per: key, meter: {concurrency: 2}, allow: 1"),
              "2:33: error: concurrency cannot be weighted", ""},
        Wrong{LIMIT("name: a, per: key, meter: requests, allow: 1/1m, precision: 0"),
              "2:67: error: `precision` must be", ""},
        Wrong{LIMIT("name: a, per: key, meter: requests, allow: 1/1m, match: { tier: glod }"),
              "2:71: error: this can match nothing: no tier `glod`", ""},
        Wrong{LIMIT("name: a, per: key, meter: requests, allow: 1/1m, match: { kind: [agent, robot] }"),
              "2:79: error: this can match nothing: no kind `robot`", ""},
        Wrong{LIMIT("name: a, per: key, meter: requests, allow: 1/1m, match: { provider: {not: opnai} }"),
              "2:81: error:", "no provider `opnai`"},
        Wrong{LIMIT("name: a, per: key, meter: requests, allow: 1/1m, match: { route: /v1/mesages }"),
              "2:72: error:", "did you mean `/v1/messages`"},
        Wrong{LIMIT("name: a, per: key, meter: requests, allow: 1/1m, match: { method: get }"),
              "2:73: error:", "did you mean `GET`"},
        Wrong{"models: { a: { provider: sim, price: 0 } }\n" LIMIT(
                  "name: a, per: key, meter: requests, allow: 1/1m, match: { model: b }"),
              "3:72: error: this can match nothing", "`b`"},
        Wrong{"models: { a: { provider: sim, price: 0 } }\n" LIMIT(
                  "name: a, per: key, meter: requests, allow: 1/1m, match: { model: \"b*\" }"),
              "3:72: error: this can match nothing", "`b*`"},
        Wrong{LIMIT("name: a, per: key, meter: requests, allow: 1/1m") "\n  - { name: a, per: key, meter: requests, "
                                                                       "allow: 1/1m }",
              "3:13: error: two limits are called `a`", ""},
        Wrong{LIMIT("name: a, per: key, meter: requests, allow: [1/1m, 2/1h]") "\n  - { name: a-1m, per: key, meter: "
                                                                               "requests, allow: 1/1m }",
              "3:13: error: `a-1m` would name both", ""}));

INSTANTIATE_TEST_SUITE_P(
    Retry, WrongFile,
    testing::Values(Wrong{"retry: { attempts: 0 }", "1:20: error: `attempts` must be a whole number from 1 to 10", ""},
                    Wrong{"retry: { attempts: 11 }", "1:20: error: `attempts` must be", ""},
                    Wrong{"retry: { within: 10 }", "1:18: error:", "`10s`"},
                    Wrong{"retry: { within: 2h }", "1:18: error: `within` must be 1ms to 1h", ""},
                    Wrong{"retry: { when: [connect, 500] }", "1:26: error: nothing is tried again after `500`", ""},
                    Wrong{"retry: { when: [conect] }", "1:17: error:", "did you mean `connect`"},
                    Wrong{"retry: { when: [] }", "1:16: error: `when` must be a list", "`attempts: 1`"},
                    Wrong{"retry: { when: connect }", "1:16: error: `when` must be a list", ""},
                    Wrong{"retry: { atempts: 2 }", "1:10: error: unknown key `atempts`", "`attempts`"},
                    Wrong{"retry: 3", "1:8: error: this retry must be a map", "attempts"}));

#define MODELS(body)                                                                                         \
  "providers: { o: { dialect: openai, url: \"http://o\" }, c: { dialect: anthropic, url: \"http://c\" } }\n" \
  "models: { gpt-a: { provider: o, price: 1 }, \"gpt-*\": { provider: o" body                                \
  " }, claude: { provider: c, price: 1 } }\n"
INSTANTIATE_TEST_SUITE_P(
    Fallbacks, WrongFile,
    testing::Values(Wrong{MODELS(", fallback: gpt-a"), "2:79: error: `fallback` must be a list", "[gpt-4o-mini]"},
                    Wrong{MODELS(", fallback: []"), "2:79: error: `fallback` must be a list of 1 to 8", ""},
                    Wrong{MODELS(", fallback: [gpt-1, gpt-2, gpt-3, gpt-4, gpt-5, gpt-6, gpt-7, gpt-8, gpt-9]"),
                          "2:79: error: `fallback` must be a list of 1 to 8", ""},
                    Wrong{MODELS(", fallback: [\"gpt-*\"]"), "2:80: error: write the full name", ""},
                    Wrong{MODELS(", fallback: [gpt-b, gpt-b]"), "2:87: error: `gpt-b` appears twice", ""},
                    Wrong{MODELS(", fallback: [claud]"), "2:80: error: no rule under `models` routes `claud`",
                          "did you mean `claude`"},
                    Wrong{"models: { \"gpt-*\": { provider: sim, fallback: [gpx-4] } }",
                          "1:48: error: no rule under `models` routes `gpx-4`; add one", ""},
                    Wrong{MODELS(", fallback: [gpt-b, claude]"),
                          "2:87: error: `claude` is served by `c`, which speaks anthropic", "`o` are in openai"},
                    Wrong{"models: { a: { provider: sim, price: 0, fallback: [a] } }",
                          "1:52: error: `a` would fall back to itself", ""}));

#define LADDER(body) LIMIT("name: a, per: key, meter: usd, allow: 1/day, degrade: [" body "]")
INSTANTIATE_TEST_SUITE_P(
    Ladders, WrongFile,
    testing::Values(
        Wrong{LADDER(""), "2:61: error: `degrade` must be a list of 1 to 16 rungs", "at: 80%"},
        Wrong{LIMIT("name: a, per: key, meter: usd, allow: 1/day, degrade: { at: 5%, max_tokens: 1 }"),
              "2:61: error: `degrade` must be a list", ""},
        Wrong{LADDER("{ at: 50, max_tokens: 1 }"), "2:68: error: `at` must be a whole percentage", "write `50%`"},
        Wrong{LADDER("{ at: 0%, max_tokens: 1 }"), "2:68: error: `at` must be a whole percentage from 1% to 1000%", ""},
        Wrong{LADDER("{ at: 1001%, max_tokens: 1 }"), "2:68: error: `at` must be", ""},
        Wrong{LADDER("{ at: 50.5%, max_tokens: 1 }"), "2:68: error: `at` must be", ""},
        Wrong{LADDER("{ max_tokens: 1 }"), "2:62: error: this rung needs `at`", ""},
        Wrong{LADDER("{ at: 50% }"), "2:62: error: this rung changes nothing", "`max_tokens`"},
        Wrong{LADDER("{ at: 50%, max_token: 1 }"), "2:73: error: unknown key `max_token`", "did you mean `max_tokens`"},
        Wrong{LADDER("{ at: 50%, max_tokens: 0 }"), "2:85: error: `max_tokens` must be", ""},
        Wrong{LADDER("{ at: 50%, keep_messages: none }"), "2:88: error: `keep_messages` must be", ""},
        Wrong{LADDER("{ at: 50%, max_tokens: 2 }, { at: 50%, max_tokens: 1 }"), "2:90: error: two rungs begin at 50%",
              ""},
        Wrong{LADDER("{ at: 50%, model: gpt-4o }"), "2:80: error: `model` must be a map", "{ gpt-4o: gpt-4o-mini }"},
        Wrong{LADDER("{ at: 50%, model: { \"gpt-*\": gpt-4o } }"), "2:82: error: write the full name", ""},
        Wrong{LADDER("{ at: 50%, model: { gpt-4o: gpt-4o } }"), "2:90: error: `gpt-4o` would become itself", ""},
        Wrong{MODELS("") LADDER("{ at: 50%, model: { gpt-a: claude } }"), "4:89: error: `claude` is served by `c`",
              "`o` are in openai"},
        Wrong{MODELS("") LADDER("{ at: 50%, model: { gpt-a: clade } }"),
              "4:89: error: no rule under `models` routes `clade`", "did you mean `claude`"},
        Wrong{LIMIT("name: a, per: key, meter: usd, allow: 1/day, on_exceed: degrade"),
              "2:63: error: `on_exceed: degrade` needs a ladder", "max_tokens: 1024"},
        Wrong{LIMIT("name: a, per: key, meter: usd, allow: 1/day, on_exceed: degrad"),
              "2:63: error:", "did you mean `degrade`"},
        Wrong{LIMIT("name: a, per: key, meter: usd, allow: 1/day, on_exceed: { degrade: 120% }"),
              "2:63: error: `on_exceed` must be a single value", "`hard: 120%`"},
        Wrong{LIMIT("name: a, per: key, meter: usd, allow: 1/day, hard: 120%"),
              "2:58: error: `hard` works only with `on_exceed: degrade`", ""},
        Wrong{LIMIT("name: a, per: key, meter: usd, allow: 1/day, on_exceed: degrade, degrade: [{ at: 5%, max_tokens: "
                    "1 }], hard: 99%"),
              "2:116: error: `hard` must be a whole percentage from 100% to 1000%", ""},
        Wrong{LIMIT("name: a, per: key, meter: usd, allow: 1/day, on_exceed: degrade, degrade: [{ at: 5%, max_tokens: "
                    "1 }], hard: 1.2"),
              "2:116: error: `hard` must be", ""}));

INSTANTIATE_TEST_SUITE_P(NotAvailable, WrongFile,
                         testing::Values(Wrong{"guards: {}", "1:1: error: `guards` is not available", ""},
                                         Wrong{"cache: {}", "1:1: error: `cache` is not available", ""},
                                         Wrong{"edge: {}", "1:1: error: `edge` is not available", ""},
                                         Wrong{"plans: {}", "1:1: error: `plans` is not available", ""},
                                         Wrong{"adjust: {}", "1:1: error: `adjust` is not available", ""},
                                         Wrong{"script: a.lua", "1:1: error: `script` is not available", ""},
                                         Wrong{"route: {}", "1:1: error: `route` is not available", ""},
                                         Wrong{"rls: {}", "1:1: error: `rls` is not available", ""},
                                         Wrong{"store: { counters: \"redis://:pw@h\" }",
                                               "1:20: error: `counters: redis://` is not available", ""},
                                         Wrong{"store: { records: \"postgres://h\" }",
                                               "1:19: error: `records: postgres://` is not available", ""},
                                         Wrong{LIMIT("name: a, per: key, meter: usd, allow: 1/day, soft: true"),
                                               "2:52: error: `soft` is not available", ""},
                                         Wrong{LIMIT("name: a, per: key, meter: usd, allow: 1/day, layer: plan"),
                                               "2:52: error: `layer` is not available", ""}));

TEST(DiagnosticsTest, AllErrorsAreReportedInFileOrder) {
  const LoadedPolicy loaded =
      load("lisen: a\ndrain: 5\nlimits:\n  - { name: X, per: who, meter: what, allow: 1/1m }\n");
  ASSERT_EQ(loaded.diagnostics.size(), 5u) << problems(loaded);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_GE(loaded.diagnostics[i].line, loaded.diagnostics[i - 1].line);
}

TEST(DiagnosticsTest, SecretsAreNotRepeated) {
  for (const char* text : {"providers: { a: { dialect: openai, url: \"http://h\", key: \"se cret\\u0001\" } }",
                           "providers: { a: { dialect: openai, url: \"https://user:se cret@h\" } }",
                           "admin: { token: \"se cret token\" }", "store: { counters: \"redis://:se cret@h\" }"}) {
    const std::string told = problems(load(text));
    EXPECT_NE(told.find("error"), std::string::npos) << text;
    EXPECT_EQ(told.find("se cret"), std::string::npos) << told;
  }
}

TEST(WarningsTest, DoNotStopAFile) {
  const LoadedPolicy tiers = load(LIMIT("name: a, per: key, meter: requests, allow: { pro: 9/1m, enterprise: 50/1m }"));
  ASSERT_TRUE(tiers.policy);
  EXPECT_EQ(problems(tiers),
            "2:50: warning: no amount for tier `free`; it gets the smallest, that of `pro`. Add it, or `default`\n");
  EXPECT_EQ(tiers.policy->limits[0].allow.back().tier, "");
  EXPECT_EQ(tiers.policy->limits[0].allow.back().windows[0].amount, 9);

  const LoadedPolicy split = load(LIMIT("name: a, per: [key, conversation], meter: tokens, allow: 9/1m"));
  ASSERT_TRUE(split.policy);
  EXPECT_NE(problems(split).find("2:21: warning: `a` is bounded only by `conversation`"), std::string::npos)
      << problems(split);
  EXPECT_EQ(
      problems(load(LIMIT("name: a, per: conversation, meter: tokens, allow: 9/1m") "\n  - { name: b, per: key, meter: "
                                                                                    "tokens, allow: 9/1m }")),
      "");

  const LoadedPolicy ladder = load(MODELS("") LADDER("{ at: 50%, model: { claud: claude } }"));
  ASSERT_TRUE(ladder.policy) << problems(ladder);
  EXPECT_NE(problems(ladder).find("4:82: warning: no rule under `models` routes `claud`; did you mean `claude`?"),
            std::string::npos)
      << problems(ladder);

  EXPECT_NE(problems(load("models: { unpriced-thing: { provider: sim } }")).find("1:11: warning: no price is known"),
            std::string::npos);
  EXPECT_NE(
      problems(
          load("providers: { a: { simulate: {} }, b: { simulate: {} } }\nmodels: { x: { provider: a, price: 0 } }"))
          .find("1:35: warning: no model is routed"),
      std::string::npos);
}

}  // namespace
}  // namespace weir
