// What a consumer cannot have under a policy, in the words of whoever refuses it.
#include "policy/key_metadata.h"

#include "policy/test_policy.h"

namespace weir {
namespace {

const Policy& policy() {
  static const std::shared_ptr<const Policy> kPolicy = must_load(R"(
tiers: { free: {}, pro: {} }
limits:
  - { name: requests, per: caller, meter: requests, allow: { default: [20/1m, 500/1h], pro: 90/5m } }
  - { name: spend, per: [tenant, key], meter: usd, allow: 2.50/day }
  - { name: burst, per: user, meter: requests, allow: 10/s burst 50 }
  - { name: flights, per: key, meter: concurrency, allow: 4 }
  - { name: team, per: tenant, meter: requests, allow: 900/1m }
  - { name: gpt-4.1, per: key, meter: tokens, allow: 10k/1m, match: { model: gpt-4.1 } }
  - { name: bought, per: key, meter: requests, allow: "{metadata.limits.rpm}/1m", missing: skip,
      match: { metadata.tools.set: big } }
)");
  return *kPolicy;
}

std::string why(std::map<std::string, std::string> metadata, Consumer consumer = {}, const Consumer& before = {}) {
  consumer.metadata = std::move(metadata);
  const auto unfit = unfit_for(policy(), consumer, before);
  return unfit ? std::string(unfit->field) + ": " + unfit->why : "";
}

TEST(KeyMetadata, WhatALimitCanTakeFits) {
  const std::pair<const char*, const char*> fits[] = {{"limits.requests", "500/1m"},
                                                      {"limits.requests.1", "9/1h"},
                                                      {"limits.spend", "60/day"},
                                                      {"limits.spend", "60"},
                                                      {"limits.flights", "9"},
                                                      {"limits.gpt-4.1", "2M/1m"},
                                                      {"limits.burst", "3/s burst 9"},
                                                      {"limits.rpm", "80"},
                                                      {"tools.set", "big"},
                                                      {"tools.allow", "search"},
                                                      {"tools.deny.12", "delete_*"},
                                                      {"limitless.x", "y"},
                                                      {"plan", "gold"},
                                                      {"limits.bought", "7/1m"},
                                                      {"limits.gpt-4.1.0", "2M"}};
  for (const auto& [path, text] : fits) EXPECT_EQ(why({{path, text}}), "") << path << " " << text;
}

TEST(KeyMetadata, WhatTheLimitDoesNotTakeIsRefusedWithWhatItTakes) {
  const std::string requests = " is no amount of limit `requests` for this key; write for example `20/1m` or `500/1h`";
  for (const std::string text : {"lots", "50", "50/5m", "-1/1m", "1_000/1m", "{metadata.x}/1m", ""}) {
    EXPECT_EQ(why({{"limits.requests", text}}), "metadata: `" + text + "`" + requests);
  }
  EXPECT_EQ(why({{"limits.requests.1m", "50"}}), "metadata: `50`" + requests) << "an object in the place of a text";
  EXPECT_EQ(why({{"limits.spend", "60/month"}}),
            "metadata: `60/month` is no amount of limit `spend` for this key; write for example `2.50/day`");
  EXPECT_NE(why({{"limits.burst", "5"}}).find("for example `10/s burst 50`"), std::string::npos);
  EXPECT_NE(why({{"limits.flights", "5/1m"}}).find("for example `4`"), std::string::npos);
  EXPECT_NE(why({{"limits.bought", "many"}}).find("for example `100/1m`"), std::string::npos);
  EXPECT_EQ(why({{"limits.team", "5/1m"}}),
            "metadata: limit `team` is not per key, user or caller, so that no key can have its own amount of it");
}

TEST(KeyMetadata, TheWindowsAreThoseOfTheTier) {
  const std::map<std::string, std::string> five = {{"limits.requests", "50/5m"}}, one = {{"limits.requests", "50/1m"}};
  EXPECT_EQ(why(five, {.tier = "pro"}), "");
  EXPECT_NE(why(one, {.tier = "pro"}).find("for example `90/5m`"), std::string::npos);
  EXPECT_EQ(why(five, {.kind = ConsumerKind::kService}), "") << "its requests say their tier";
  EXPECT_EQ(why(one, {.tier = "pro", .kind = ConsumerKind::kService}), "");
}

TEST(KeyMetadata, NamesThatThePolicyDoesNotKnowAreRefusedWithTheNearest) {
  EXPECT_EQ(
      why({{"limits.reqests", "50/1m"}}),
      "metadata: there is no limit `reqests`; did you mean `requests`? There are requests, spend, burst, flights, "
      "gpt-4.1, bought");
  EXPECT_TRUE(why({{"limits.0", "x"}}).starts_with("metadata: there is no limit `0`; there are requests, "));
  EXPECT_EQ(why({{"limits", "50/1m"}}),
            R"(metadata: `limits` has amounts by name, as in {"limits": {"requests": "500/1m"}})");
  EXPECT_EQ(why({{"tools.dney.0", "x"}}),
            "metadata: there is no list of tools `dney`; did you mean `deny`? There are allow, deny");
  for (const char* path : {"tools", "tools.deny.0.1", "tools.allow.x"}) {
    EXPECT_TRUE(why({{path, "x"}}).starts_with("metadata: `tools` has lists of names, as in ")) << path;
  }
  EXPECT_TRUE(why({}, {.tier = "prro"}).starts_with("tier: there is no tier `prro`; did you mean `pro`?"));
}

TEST(KeyMetadata, WhatTheKeyHadAlreadyIsNotJudged) {
  Consumer before{.tier = "gone", .metadata = {{"limits.gone", "5/1m"}, {"tools.x", "y"}}};
  EXPECT_EQ(why({{"limits.gone", "5/1m"}, {"note", "new"}}, before, before), "");
  EXPECT_NE(why({{"limits.gone", "6/1m"}}, before, before), "");
}

TEST(KeyMetadata, OfManyLimitsTwentyAreNamed) {
  std::string text = "limits:\n";
  for (int i = 0; i < 21; ++i) {
    text += "  - { name: n" + std::to_string(i) + ", per: key, meter: requests, allow: 1/1m, match: { model: m } }\n";
  }
  const auto many = must_load(text);
  const auto unfit = unfit_for(*many, {.metadata = {{"limits.other", "1/1m"}}});
  ASSERT_TRUE(unfit);
  EXPECT_TRUE(unfit->why.ends_with(", n19, …")) << unfit->why;
}

}  // namespace
}  // namespace weir
