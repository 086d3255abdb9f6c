// What the tests of planning share: a ruleset with numbered counters, a consumer, and costs to vary.
#pragma once

#include "policy/ruleset.h"
#include "policy/test_policy.h"

namespace weir {

inline constexpr TimeNs kNow = 1'795'168'800 * kSecond;  // 2026-11-20T10:00:00Z

inline SubjectSecret secret() {
  SubjectSecret out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<unsigned char>(i * 7 + 1);
  return out;
}

// A ruleset with numbered counters, a consumer and attributes to vary.
class RulesetTest : public testing::Test {
 protected:
  void compile(std::string_view text) {
    specs_.clear();
    rules_ = Ruleset::compile(
        must_load(text),
        [this](const CounterSpec& spec) {
          for (std::size_t i = 0; i < specs_.size(); ++i) {
            if (specs_[i].identity == spec.identity) return static_cast<CounterId>(i);
          }
          specs_.push_back(spec);
          return static_cast<CounterId>(specs_.size() - 1);
        },
        secret());
    consumer_.id = 7;
    consumer_.name = "app";
    consumer_.tenant = "acme";
    use(consumer_);
    costs_.set(MeterKind::kRequests, 1, 1);
    costs_.set(MeterKind::kTokens, 100, 600);
    costs_.set(MeterKind::kInputTokens, 100, 100);
    costs_.set(MeterKind::kOutputTokens, 0, 500);
    costs_.set(MeterKind::kUsd, 1'000, 9'000);
  }

  void use(const Consumer& consumer) {
    attributes_.consumer = &consumer;
    attributes_.set(Attribute::kKey, consumer.name);
    attributes_.set(Attribute::kTenant, consumer.tenant);
    attributes_.set(Attribute::kCaller, consumer.user.empty() ? consumer.name : consumer.user);
    if (!consumer.user.empty()) attributes_.set(Attribute::kUser, consumer.user);
    attributes_.set(Attribute::kTier, "free");
    attributes_.set(Attribute::kKind, "agent");
    attributes_.set(Attribute::kIp, "10.1.2.3");
    attributes_.set(Attribute::kModel, "gpt-4o");
    attributes_.set(Attribute::kProvider, "sim");
    attributes_.set(Attribute::kRoute, "/v1/chat/completions");
    attributes_.set(Attribute::kMethod, "POST");
  }

  std::optional<PlanFault> plan() { return rules_->plan(attributes_, costs_, kNow, plan_); }
  std::vector<std::string> names() {
    EXPECT_FALSE(plan());
    std::vector<std::string> out;
    for (const PlannedLimit& limit : plan_.limits()) out.push_back(limit.rule->name);
    return out;
  }
  Hash128 subject() {
    EXPECT_FALSE(plan());
    EXPECT_GE(plan_.subjects().size(), 1u);
    return plan_.subjects()[0].key;
  }

  std::vector<CounterSpec> specs_;
  std::shared_ptr<const Ruleset> rules_;
  Consumer consumer_;
  Attributes attributes_;
  Costs costs_;
  Plan plan_;
};

using Names = std::vector<std::string>;

}  // namespace weir
