// What has the wrong shape, and values that nothing can be made of: each says what to write instead.
#include "policy/amounts.h"
#include "policy/calendar.h"
#include "policy/test_policy.h"

namespace weir {
namespace {

struct Wrong {
  const char* text;
  const char* says;
};

class WrongShape : public testing::TestWithParam<Wrong> {};

TEST_P(WrongShape, IsRefusedAndSaysWhatToWrite) {
  const LoadedPolicy loaded = load(GetParam().text, {{"BYTES", "\xFF\xFE"}});
  EXPECT_FALSE(loaded.policy) << GetParam().text;
  EXPECT_NE(problems(loaded).find(GetParam().says), std::string::npos) << GetParam().text << "\n" << problems(loaded);
}

INSTANTIATE_TEST_SUITE_P(
    Sections, WrongShape,
    testing::Values(Wrong{"listen: \"[::1\"", "is not an address; write host:port"},
                    Wrong{"trusted_proxies: [10.0.0.x]", "is not an address or network; write `10.0.0.0/8`"},
                    Wrong{"zone: [UTC]", "`zone` must be a single value"}, Wrong{"bounds: { body: lots }", "lots"},
                    Wrong{"durability: { strict: yes }", "`durability` must be a single value"},
                    Wrong{"tenants: { \"\": { zone: UTC } }", "a tenant is 1 to 256 bytes"},
                    Wrong{"auth_failures: { allow: often }", "often"}, Wrong{"tiers: [gold]", "`tiers` must be a map"},
                    Wrong{"tiers: { default: { weight: 1 } }", "`default` is not a tier's name"},
                    Wrong{"providers: [openai]", "`providers` must be a map of at most 100"},
                    Wrong{"models: [a]", "`models` must be a map of at most 1000"},
                    Wrong{"upstreams: { a: b }", "`upstreams` must be a list of at most 1000"},
                    Wrong{"? [a, b]\n: c", "a key must be a plain word"},
                    Wrong{"zone: \"${NAME\"", "`${` without a closing `}`"},
                    Wrong{"zone: \"${a b}\"", "is not the name of a variable"},
                    Wrong{"zone: \"${BYTES}\"", "the variable BYTES is not UTF-8 text"}));

#define PROVIDER(body) "providers: { a: { dialect: openai, url: \"http://h\", " body " } }"
#define UPSTREAM(body) "upstreams: [{ kind: http, url: \"http://h\", " body " }]"
INSTANTIATE_TEST_SUITE_P(
    Providers, WrongShape,
    testing::Values(Wrong{PROVIDER("price: cheap"), "`price` must be USD per 1M tokens"},
                    Wrong{PROVIDER("price: { input: 2000000 }"), "a price is at most 1000000 USD"},
                    Wrong{PROVIDER("price: { input: cheap }"), "cheap"},
                    Wrong{PROVIDER("ca: /etc/ca.pem"), "`ca` needs an https:// url"},
                    Wrong{"providers: { a: { simulate: { output_tokens: 9..3 } } }", "must be a number or a range"},
                    Wrong{UPSTREAM("path: \"/a b\""), "`path` must begin with / and hold no spaces"},
                    Wrong{UPSTREAM("path: a"), "`path` must begin with /"},
                    Wrong{UPSTREAM("path: /a, ca: /etc/ca.pem"), "`ca` needs an https:// url"},
                    Wrong{UPSTREAM("path: /a, tool: \"a\\u0001\""), "`tool` is 1 to 256 bytes"},
                    Wrong{UPSTREAM("path: /a, meters: [rows]"), "`meters` must be a map of at most 32"}));

#define LIMIT(body) "limits: [{ name: a, per: key, " body " }]"
INSTANTIATE_TEST_SUITE_P(
    Limits, WrongShape,
    testing::Values(
        Wrong{LIMIT("meter: requests, allow: 1/1fortnight"), "is not a window; units are ms s m h d"},
        Wrong{LIMIT("meter: requests, allow: {}"), "`allow` needs at least one tier"},
        Wrong{LIMIT("meter: requests, allow: []"), "`allow` must be an amount"},
        Wrong{LIMIT("meter: [tokens], allow: 1/1m"), "`meter` must be a name, or weights"},
        Wrong{LIMIT("meter: requests, allow: 1/1m, match: { model: { is: x } }"), "or {not: …}"},
        Wrong{LIMIT("meter: requests, allow: 1/1m, match: { model: [] }"), "needs at least one value"},
        Wrong{"limits: [{ name: a, per: [], meter: requests, allow: 1/1m }]", "`per` must be an attribute"},
        Wrong{"limits: [{ name: a, per: { key: b }, meter: requests, allow: 1/1m }]", "`per` must be an attribute"},
        Wrong{"upstreams: [{ path: /a, kind: http, url: \"http://h\", meters: { rows: { response_json: r, "
              "estimate: 1 } } }]\nlimits: [{ name: a, per: key, meter: rowz, allow: 1/1m }]",
              "did you mean `rows`"},
        Wrong{"models: { m: { provider: sim } }\nproviders: { sim: { simulate: {} }, other: { simulate: {} } "
              "}\nlimits: [{ name: a, per: key, meter: requests, allow: 1/1m, match: { provider: other } }]",
              "no rule under `models` routes to that provider"},
        Wrong{"models: { m: { provider: sim }, n: { provider: other } }\nproviders: { sim: { simulate: {} }, "
              "other: { simulate: {} } }\nlimits: [{ name: a, per: key, meter: requests, allow: 1/1m, match: "
              "{ provider: other, model: m } }]",
              "routes that model to that provider"}));

TEST(WrongShape, AValueMayNotGrowBeyondItsBoundByTheEnvironment) {
  const LoadedPolicy loaded = load("zone: \"${BIG}${BIG}\"", {{"BIG", std::string(40'000, 'x')}});
  EXPECT_FALSE(loaded.policy);
  EXPECT_NE(problems(loaded).find("at most 64 KiB"), std::string::npos);
}

TEST(WrongShape, AFileThatIsOneUnsetVariableIsAnEmptyFile) {
  const LoadedPolicy unset = load("${NOT_SET}"), empty = load("");
  ASSERT_TRUE(unset.policy && empty.policy) << problems(unset);
  EXPECT_EQ(unset.policy->limits.size(), empty.policy->limits.size());
}

TEST(Amounts, HowFastALimitRefillsIsComparedAcrossItsKindsOfWindows) {
  const auto rate = [](std::string_view text) { return refill_per_ns(parse_window(text, AmountUnit::kCount).value()); };
  EXPECT_DOUBLE_EQ(rate("60/1m"), 1e-9);
  EXPECT_DOUBLE_EQ(rate("1/s burst 5"), 1e-9);
  EXPECT_DOUBLE_EQ(rate("3600/hour"), 1e-9);
  EXPECT_DOUBLE_EQ(rate("86400/day"), 1e-9);
  EXPECT_DOUBLE_EQ(rate("604800/week"), 1e-9);
  EXPECT_DOUBLE_EQ(rate("2592000/month"), 1e-9) << "of thirty days";
  EXPECT_LT(rate("100/day"), rate("100/hour"));
}

TEST(Calendar, TimesOfAZoneThatIsNotThereAreShownInUtc) {
  EXPECT_EQ(format_local(3'600 * kSecond, 3'600 * kSecond, "No/Where"),
            format_local(3'600 * kSecond, 3'600 * kSecond, "UTC"));
}

}  // namespace
}  // namespace weir
