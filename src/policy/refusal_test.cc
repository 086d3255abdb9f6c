// What a refused caller and `weir explain` are told, with the real limiter deciding.
#include <gtest/gtest.h>

#include "policy/ruleset.h"
#include "policy/test_policy.h"
#include "weir/limiter.h"

namespace weir {
namespace {

constexpr TimeNs kNow = 1'795'168'800 * kSecond;  // 2026-11-20T10:00:00Z

class RefusalTest : public testing::Test {
 protected:
  void compile(std::string_view text) {
    SubjectSecret secret{};
    secret.fill(9);
    const std::shared_ptr<const Ruleset> before = rules_;
    rules_ = Ruleset::compile(
        must_load(text), [this](const CounterSpec& s) { return limiter_.define(s); }, secret,
        before ? &before->policy() : nullptr);
    consumer_.id = 7;
    consumer_.name = "app";
    attributes_.consumer = &consumer_;
    attributes_.set(Attribute::kKey, "app");
    attributes_.set(Attribute::kTenant, "acme");
    attributes_.set(Attribute::kCaller, "ann");
    attributes_.set(Attribute::kUser, "ann");
    attributes_.set(Attribute::kTier, "free");
    attributes_.set(Attribute::kModel, "gpt-4o");
  }
  Decision admit(TimeNs now, std::int64_t tokens = 100, std::int64_t micros = 0) {
    Costs costs;
    costs.set(MeterKind::kRequests, 1, 1);
    costs.set(MeterKind::kRuns, 1, 1);
    costs.set(MeterKind::kTokens, tokens, tokens);
    costs.set(MeterKind::kUsd, micros, micros);
    const auto fault = rules_->plan(attributes_, costs, now, plan_);
    EXPECT_FALSE(fault) << fault->message;
    Decision decision;
    limiter_.admit({.subjects = plan_.subjects(),
                    .demands = plan_.demands(),
                    .now = now,
                    .id = {1, ++ids_},
                    .deadline = now + kMinute},
                   decision);
    return decision;
  }
  Refusal refusal(const Decision& decision, TimeNs now) { return rules_->refusal(plan_, decision, attributes_, now); }

  Limiter limiter_;
  std::shared_ptr<const Ruleset> rules_;
  Consumer consumer_;
  Attributes attributes_;
  Plan plan_;
  std::uint64_t ids_ = 0;
};

TEST_F(RefusalTest, BuiltInPolicyBitesAtTheTwentyFirst) {
  compile("");
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(admit(kNow).admitted) << i;
  const Decision busy = admit(kNow);
  ASSERT_FALSE(busy.admitted);
  const Refusal flight = refusal(busy, kNow);
  EXPECT_EQ(flight.limit, "in-flight");
  EXPECT_EQ(flight.used, "16");
  EXPECT_EQ(flight.reserved, "0");
  EXPECT_EQ(flight.requested, "1");
  EXPECT_EQ(flight.window, "");
  EXPECT_EQ(flight.retry_after_s, 1);
  EXPECT_EQ(flight.reset_at, 0);
  for (std::uint64_t id = 1; id <= 16; ++id) {
    const std::array<std::int64_t, 7> used{1, 1, 1, 100, 100, 0, 0};
    EXPECT_EQ(limiter_.settle({1, id}, used, kNow).outcome, Outcome::kDone);
  }
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(admit(kNow).admitted) << i;
  const Decision decision = admit(kNow);
  ASSERT_FALSE(decision.admitted);
  const Refusal r = refusal(decision, kNow);
  EXPECT_EQ(r.limit, "runs");
  EXPECT_EQ(r.layer, "rate");
  EXPECT_EQ(r.window, "1m");
  EXPECT_EQ(r.allowed, "20");
  EXPECT_EQ(r.used, "16");     // settled
  EXPECT_EQ(r.reserved, "4");  // the four that are still under way
  EXPECT_EQ(r.per, (std::vector<std::pair<std::string, std::string>>{{"caller", "ann"}}));
  EXPECT_GT(r.retry_after_s, 0);
  EXPECT_FALSE(Ruleset::never_fits(plan_, decision));
  // The wait is true: refused just before, admitted at it.
  const DurationNs wait = decision.retry_after;
  EXPECT_FALSE(admit(kNow + wait - 1).admitted);
  EXPECT_TRUE(admit(kNow + wait).admitted);
}

TEST_F(RefusalTest, WhatNoLimitRefusesIsRefusedAtTheEntry) {
  compile("limits: [{ name: r, per: key, meter: requests, allow: 9/1m }]");
  Decision full = admit(kNow);
  full.admitted = false;
  full.table_full = true;
  EXPECT_EQ(refusal(full, kNow).layer, "entry");
  EXPECT_EQ(refusal(full, kNow).limit, "");
}

TEST_F(RefusalTest, ACallerWithoutATierHasTheAmountsOfTheDefaultOneAndStrangersTheirOwn) {
  compile(
      "tiers: { free: { weight: 1 }, pro: { weight: 4 } }\n"
      "limits: [{ name: r, per: global, meter: requests, allow: { free: 1/500ms, default: 2/500ms } }]");
  attributes_ = Attributes();
  attributes_.consumer = &consumer_;
  ASSERT_TRUE(admit(kNow).admitted);
  const Decision decision = admit(kNow);
  ASSERT_FALSE(decision.admitted) << "free is the default tier";
  EXPECT_EQ(refusal(decision, kNow).allowed, "1");
  EXPECT_EQ(refusal(decision, kNow).window, "500ms");
  attributes_.consumer = nullptr;
  EXPECT_TRUE(admit(kNow).admitted) << "no tier is named anonymous: the rest's amounts";
  EXPECT_FALSE(admit(kNow).admitted);
}

TEST_F(RefusalTest, DollarsAreDecimalAndTheLongestWaitIsNamed) {
  compile(
      "limits: [{ name: spend, per: [tenant, key], meter: usd, allow: 2.50/day }, { name: r, per: key, meter: "
      "requests, allow: 1/1m }, { name: s, per: key, meter: requests, allow: 1/1m, mode: shadow }]");
  ASSERT_TRUE(admit(kNow, 1, 2'400'000).admitted);
  const Decision decision = admit(kNow, 1, 200'000);
  ASSERT_FALSE(decision.admitted);
  const Refusal r = refusal(decision, kNow);
  EXPECT_EQ(r.limit, "spend");
  EXPECT_EQ(r.allowed, "2.50");
  EXPECT_EQ(r.reserved, "2.40");
  EXPECT_EQ(r.used, "0");
  EXPECT_EQ(r.requested, "0.20");
  EXPECT_EQ(r.window, "day");
  EXPECT_EQ(r.retry_after_s, 14 * 3600);
  EXPECT_EQ(format_rfc3339(r.reset_at), "2026-11-21T00:00:00Z");
  EXPECT_EQ(r.also, (std::vector<std::string>{"r"}));  // a shadow limit refuses nothing
  EXPECT_EQ(r.per, (std::vector<std::pair<std::string, std::string>>{{"tenant", "acme"}, {"key", "app"}}));
}

TEST_F(RefusalTest, WhereTheValueIsMissingTheBucketIsTheKeysAndSaysSo) {
  compile("limits: [{ name: r, per: [tenant, model], meter: requests, allow: 1/1m }]");
  attributes_ = Attributes();
  attributes_.consumer = &consumer_;
  ASSERT_TRUE(admit(kNow).admitted);
  const Decision decision = admit(kNow);
  ASSERT_FALSE(decision.admitted);
  EXPECT_EQ(refusal(decision, kNow).per, (std::vector<std::pair<std::string, std::string>>{{"key", consumer_.name}}));
}

TEST_F(RefusalTest, WhatCanNeverFitHasNoWait) {
  compile("limits: [{ name: t, per: key, meter: tokens, allow: 50/1m }]");
  const Decision decision = admit(kNow, 51);
  ASSERT_FALSE(decision.admitted);
  EXPECT_TRUE(Ruleset::never_fits(plan_, decision));
  const Refusal r = refusal(decision, kNow);
  EXPECT_LT(r.retry_after_s, 0);
  EXPECT_EQ(r.reset_at, 0);
  EXPECT_NE(machine_json(r).find("\"retry_after\":null"), std::string::npos);
}

TEST_F(RefusalTest, ExplainsInWords) {
  compile(R"(
tenants: { acme: { zone: Europe/Berlin } }
limits:
  - { name: spend, per: caller, meter: usd, allow: 10/day }
  - { name: tokens, per: caller, meter: tokens, allow: 50k/1m }
  - { name: in-flight, per: key, meter: concurrency, allow: 16 }
  - { name: pace, per: global, meter: requests, allow: 10/s burst 50, mode: shadow }
  - { name: quick, per: global, meter: requests, allow: 9/1500ms, mode: shadow }
)");
  ASSERT_TRUE(admit(kNow, 1'200, 4'200'000).admitted);
  const std::array<std::int64_t, 5> used{4'200'000, 1'200, 0, 0, 0};
  limiter_.settle({1, 1}, used, kNow);
  Decision state;
  Costs nothing;
  ASSERT_FALSE(rules_->plan(attributes_, nothing, kNow, plan_));
  limiter_.peek({.subjects = plan_.subjects(), .demands = plan_.demands(), .now = kNow}, state);
  const auto lines = rules_->explain(plan_, attributes_, &state, kNow);
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0], "spend: $10 per calendar day of Europe/Berlin per caller, 4.20 used, resets 00:00");
  EXPECT_EQ(lines[1], "tokens: 50,000 tokens in any 1 minute per caller, 1,200 used");
  EXPECT_EQ(lines[2], "in-flight: 16 requests at once per key, 0 in flight");
  EXPECT_TRUE(lines[3].starts_with("pace: 50 requests at once, refilled at 10 per second for everybody together, "))
      << lines[3];
  EXPECT_TRUE(lines[3].ends_with(" (shadow: refuses nothing)"));
  EXPECT_TRUE(lines[4].starts_with("quick: 9 requests in any 1500 milliseconds for everybody together")) << lines[4];
  EXPECT_EQ(rules_->explain(plan_, attributes_, nullptr, kNow)[1], "tokens: 50,000 tokens in any 1 minute per caller");
}

TEST_F(RefusalTest, ReloadKeepsWhatWasUsed) {
  compile("limits: [{ name: r, per: caller, meter: requests, allow: 3/1m }]");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(admit(kNow).admitted);
  ASSERT_FALSE(admit(kNow).admitted);
  compile(
      "limits: [{ name: other, per: caller, meter: requests, allow: 9/1m }, { name: r, per: caller, meter: requests, "
      "allow: 4/1m }]");
  EXPECT_TRUE(admit(kNow).admitted);
  EXPECT_FALSE(admit(kNow).admitted);
  compile("limits: [{ name: r, per: caller, meter: requests, allow: 4/2m }]");  // a longer window, the same counter
  EXPECT_FALSE(admit(kNow).admitted);
  // A window more, in front or behind: the one that stays keeps its usage.
  compile("limits: [{ name: r, per: caller, meter: requests, allow: [30/5s, 4/2m] }]");
  EXPECT_FALSE(admit(kNow).admitted);
  compile("limits: [{ name: r, per: caller, meter: requests, allow: [4/2m, 90/1h] }]");
  EXPECT_FALSE(admit(kNow).admitted);
}

}  // namespace
}  // namespace weir
