// Ladders with a real limiter deciding: plan, look, degrade, plan again, admit, remember.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "policy/test_policy.h"

namespace weir {
namespace {

constexpr TimeNs kNow = 1'795'168'800 * kSecond;  // 2026-11-20T10:00:00Z

// Sends requests of a given price through the whole sequence, as the gateway does.
class World {
 public:
  explicit World(std::string_view text, const Variables& variables = {}) {
    rules_ = Ruleset::compile(
        must_load(text, variables), [this](const CounterSpec& s) { return limiter_.define(s); }, SubjectSecret{1});
    consumer_.id = 7;
    consumer_.name = "app";
    attributes_.consumer = &consumer_;
    attributes_.set(Attribute::kKey, consumer_.name);
    attributes_.set(Attribute::kCaller, consumer_.name);
    attributes_.set(Attribute::kTier, "free");
  }

  void use(std::int64_t key) { consumer_.id = key; }

  // What the ladders ask of a request that would cost `usd_micros` and `tokens`, as things stand.
  Degradation look(std::string_view model, std::int64_t usd_micros, std::int64_t tokens = 0) {
    make_plan(model, usd_micros, tokens);
    return rules_->degradation(plan_, state_, model, ladders_);
  }

  struct Answer {
    Degradation change;
    bool admitted = false;
    Refusal refusal;
  };
  // A degraded model costs a tenth.
  Answer send(std::string_view model, std::int64_t usd_micros, std::int64_t tokens = 0, TimeNs now = kNow) {
    now_ = now;
    Answer out;
    out.change = look(model, usd_micros, tokens);
    const Plan planned = plan_;
    const Decision seen = state_;
    if (!out.change.model.empty()) make_plan(out.change.model, usd_micros / 10, tokens);
    Decision decision;
    limiter_.admit(request(true), decision);
    out.admitted = decision.admitted;
    if (out.admitted) {
      rules_->remember(planned, seen, ladders_);
      held_.push_back(plan_.demands().size());
    } else {
      out.refusal = rules_->refusal(plan_, decision, attributes_, now_);
    }
    return out;
  }

  // The last admitted request really used nothing.
  void give_back() {
    std::array<std::int64_t, kMaxDemands> nothing{};
    limiter_.settle({1, ids_}, {nothing.data(), held_.back()}, now_);
  }

  const Ruleset& rules() const { return *rules_; }
  const Plan& plan() const { return plan_; }
  const Decision& state() const { return state_; }
  const Attributes& attributes() const { return attributes_; }
  Ladders& ladders() { return ladders_; }

 private:
  AdmitRequest request(bool charge) {
    AdmitRequest out{.subjects = plan_.subjects(), .demands = plan_.demands(), .now = now_};
    if (charge) out.id = {1, ++ids_}, out.deadline = now_ + kHour;
    return out;
  }

  void make_plan(std::string_view model, std::int64_t usd_micros, std::int64_t tokens) {
    attributes_.set(Attribute::kModel, model);
    Costs costs;
    costs.set(MeterKind::kRequests, 1, 1);
    costs.set(MeterKind::kUsd, 0, usd_micros);
    costs.set(MeterKind::kTokens, 0, tokens);
    costs.set(MeterKind::kInputTokens, 0, tokens);
    EXPECT_FALSE(rules_->plan(attributes_, costs, now_, plan_));
    limiter_.peek(request(false), state_);
  }

  Limiter limiter_;
  std::shared_ptr<const Ruleset> rules_;
  Consumer consumer_;
  Attributes attributes_;
  Plan plan_;
  Decision state_;
  Ladders ladders_;
  std::vector<std::size_t> held_;
  std::uint64_t ids_ = 0;
  TimeNs now_ = kNow;
};

constexpr std::int64_t kCent = 10'000;

TEST(DegradeTest, BuiltInSpendChangesTheModelFromHalfOfTheDay) {
  World world("");
  EXPECT_TRUE(world.send("gpt-4o", 499 * kCent).admitted);
  EXPECT_FALSE(world.look("gpt-4o", 0).any()) << "49.9%";
  const World::Answer half = world.send("gpt-4o", 1 * kCent);
  EXPECT_TRUE(half.admitted);
  EXPECT_EQ(half.change.header(), "spend; model=gpt-4o-mini; max_tokens=2048");
  EXPECT_EQ(world.look("gpt-4.1", 1 * kCent).header(), "spend; max_tokens=2048") << "no rung names this model";
  EXPECT_EQ(world.look("gpt-4o", 301 * kCent).header(), "spend; model=gpt-4o-mini; max_tokens=1024") << "rungs add up";
}

TEST(DegradeTest, ARequestThatWouldBeRefusedIsAdmittedDegraded) {
  World world("");
  ASSERT_TRUE(world.send("gpt-4.1", 990 * kCent).admitted);
  const World::Answer cheap = world.send("gpt-4o", 50 * kCent);  // 0.50 does not fit, 0.05 does
  EXPECT_TRUE(cheap.admitted);
  EXPECT_EQ(cheap.change.model, "gpt-4o-mini");
  const World::Answer dear = world.send("gpt-4.1", 50 * kCent);
  EXPECT_FALSE(dear.admitted);
  EXPECT_EQ(dear.refusal.limit, "spend");
  EXPECT_EQ(dear.refusal.allowed, "10");
}

TEST(DegradeTest, ARungIsLeftFivePointsBelow) {
  World world("limits: [{ name: s, per: key, meter: usd, allow: 1/day, degrade: [{ at: 50%, max_tokens: 9 }] }]");
  ASSERT_TRUE(world.send("m", 44 * kCent).admitted);
  EXPECT_FALSE(world.look("m", 5 * kCent).any()) << "49%, never entered";
  ASSERT_EQ(world.send("m", 6 * kCent).change.max_tokens, 9) << "50%";
  world.give_back();
  EXPECT_EQ(world.look("m", 5 * kCent).max_tokens, 9) << "49%, not left yet";
  EXPECT_EQ(world.look("m", kCent + 1).max_tokens, 9) << "just above 45%";
  EXPECT_FALSE(world.look("m", kCent).any()) << "45%";
  ASSERT_FALSE(world.send("m", kCent).change.any());
  EXPECT_FALSE(world.look("m", 4 * kCent).any()) << "49% again: it was left";
}

TEST(DegradeTest, SubjectsDoNotShareRungs) {
  World world("limits: [{ name: s, per: key, meter: usd, allow: 1/day, degrade: [{ at: 50%, max_tokens: 9 }] }]");
  ASSERT_TRUE(world.send("m", 60 * kCent).change.any());
  world.use(8);
  EXPECT_FALSE(world.look("m", 47 * kCent).any());
}

TEST(DegradeTest, RefusalsAndLooksLeaveNoTrace) {
  constexpr std::string_view kText =
      "limits: [{ name: s, per: key, meter: usd, allow: 1/day, degrade: [{ at: 50%, max_tokens: 9 }] },"
      " { name: r, per: key, meter: requests, allow: 1/1m }]";
  World world(kText);
  ASSERT_TRUE(world.send("m", 44 * kCent).admitted);
  const World::Answer refused = world.send("m", 20 * kCent);  // beyond the rung, and refused by `r`
  ASSERT_FALSE(refused.admitted);
  ASSERT_TRUE(refused.change.any());
  EXPECT_EQ(world.ladders().size(), 0u);
  EXPECT_FALSE(world.look("m", 4 * kCent).any()) << "48% was never entered";
}

TEST(DegradeTest, SeveralLimitsTakeTheSmallerNumbersAndTheFirstModel) {
  World world(R"(
models: { "*": { provider: sim } }
limits:
  - name: first
    per: key
    meter: usd
    allow: 1/day
    degrade: [{ at: 10%, model: { a: b }, max_tokens: 500 }, { at: 20%, model: { a: c, x: y }, keep_messages: 9 }]
  - { name: second, per: key, meter: tokens, allow: 100/1h, degrade: [{ at: 10%, model: { a: d, z: e }, max_tokens: 300, keep_messages: 12 }] }
)");
  EXPECT_EQ(world.look("a", 5 * kCent, 5).header(), "");
  EXPECT_EQ(world.look("a", 10 * kCent, 0).header(), "first; model=b; max_tokens=500");
  EXPECT_EQ(world.look("a", 0, 10).header(), "second; model=d; max_tokens=300; keep_messages=12");
  EXPECT_EQ(world.look("a", 20 * kCent, 10).header(),
            "first, second; model=c; max_tokens=300; keep_messages=9");  // the highest rung that maps `a`
  EXPECT_EQ(world.look("z", 20 * kCent, 10).model, "e");
  EXPECT_EQ(world.look("x", 10 * kCent, 0).model, "");
}

TEST(DegradeTest, ALowerRungsModelHoldsWhenAHigherOneMapsOthers) {
  World world(
      "limits: [{ name: s, per: key, meter: usd, allow: 1/day,"
      " degrade: [{ at: 10%, model: { a: b } }, { at: 50%, model: { c: d } }] }]");
  EXPECT_EQ(world.look("a", 60 * kCent).model, "b");
  EXPECT_EQ(world.look("e", 60 * kCent).header(), "") << "in force, but nothing changes";
}

TEST(DegradeTest, TheFullestWindowOfALimitCounts) {
  World world(
      "limits: [{ name: s, per: key, meter: usd, allow: [1/1h, 100/day],"
      " degrade: [{ at: 50%, max_tokens: 9 }] }]");
  EXPECT_EQ(world.send("m", 60 * kCent).change.header(), "s; max_tokens=9");
  EXPECT_EQ(world.send("m", 1 * kCent, 0, kNow + 2 * kHour).change.header(), "") << "the hour is over";
}

TEST(DegradeTest, ShadowLimitsChangeNothing) {
  World world(
      "limits: [{ name: s, per: key, meter: usd, allow: 1/day, mode: shadow,"
      " degrade: [{ at: 1%, max_tokens: 9 }] }]");
  EXPECT_FALSE(world.send("m", 90 * kCent).change.any());
  EXPECT_FALSE(world.rules().has_ladder(world.plan()));
  World enforced("limits: [{ name: s, per: key, meter: usd, allow: 1/day, degrade: [{ at: 1%, max_tokens: 9 }] }]");
  enforced.look("m", 0);
  EXPECT_TRUE(enforced.rules().has_ladder(enforced.plan()));
}

TEST(DegradeTest, AHardShareAdmitsBeyondTheAmountAndIsNamedWhenItRefuses) {
  World world(
      "limits: [{ name: s, per: key, meter: usd, allow: 1/day, on_exceed: degrade, hard: 120%,"
      " degrade: [{ at: 100%, max_tokens: 9 }] }]");
  EXPECT_FALSE(world.send("m", 99 * kCent).change.any());
  const World::Answer beyond = world.send("m", 20 * kCent);
  EXPECT_TRUE(beyond.admitted);
  EXPECT_EQ(beyond.change.max_tokens, 9);
  EXPECT_EQ(world.plan().limits()[0].amount, 100 * kCent);
  EXPECT_EQ(world.plan().demands()[0].quota.amount, 120 * kCent);
  const World::Answer refused = world.send("m", 2 * kCent);
  ASSERT_FALSE(refused.admitted);
  EXPECT_EQ(refused.refusal.allowed, "1.20");
  EXPECT_EQ(refused.refusal.reserved, "1.19");
  EXPECT_EQ(refused.refusal.requested, "0.02");
  world.look("m", 200 * kCent);
  EXPECT_EQ(world.plan().demands()[0].cost, 120 * kCent) << "a cap beyond the hard amount holds that";
}

TEST(DegradeTest, HugeAmountsAndNoneAtAllDoNotOverflow) {
  World huge(
      "limits: [{ name: t, per: key, meter: tokens, allow: 9000000G/1m, on_exceed: degrade, hard: 1000%,"
      " degrade: [{ at: 1000%, max_tokens: 9 }] }]");
  EXPECT_FALSE(huge.look("m", 0, kMaxAmount).any());
  EXPECT_EQ(huge.plan().demands()[0].quota.amount, kMaxAmount);
  World none("limits: [{ name: t, per: key, meter: requests, allow: 0/1m, degrade: [{ at: 1000%, max_tokens: 9 }] }]");
  EXPECT_TRUE(none.look("m", 0).any());
  World nothing("limits: [{ name: t, per: key, meter: tokens, allow: 0/1m, degrade: [{ at: 1%, max_tokens: 9 }] }]");
  EXPECT_FALSE(nothing.look("m", 0, 0).any());
}

TEST(DegradeTest, BucketsAndConcurrencyHaveLaddersToo) {
  World world(R"(
limits:
  - { name: pace, per: key, meter: tokens, allow: 10/s burst 100, degrade: [{ at: 50%, max_tokens: 7 }] }
  - { name: busy, per: key, meter: concurrency, allow: 4, degrade: [{ at: 100%, keep_messages: 3 }] }
)");
  EXPECT_FALSE(world.send("m", 0, 40).change.any());
  EXPECT_EQ(world.send("m", 0, 10).change.header(), "pace; max_tokens=7");
  EXPECT_EQ(world.send("m", 0, 0, kNow + 10 * kSecond).change.header(), "") << "refilled; three in flight";
  EXPECT_EQ(world.look("m", 0, 0).header(), "busy; keep_messages=3");
}

TEST(DegradeTest, ExplainedInWords) {
  World world("");
  world.look("gpt-4o", 0);
  const auto lines = world.rules().explain(world.plan(), world.attributes(), nullptr, kNow);
  EXPECT_EQ(lines.back(),
            "spend: $10 per calendar day of UTC per caller; from 50%: gpt-4o becomes gpt-4o-mini, at most 2048 output "
            "tokens; from 80%: at most 1024 output tokens");
  World hard(
      "limits: [{ name: t, per: key, meter: tokens, allow: 1k/1m, on_exceed: degrade, hard: 120%,"
      " degrade: [{ at: 90%, keep_messages: 20 }] }]");
  hard.look("m", 0);
  EXPECT_EQ(hard.rules().explain(hard.plan(), hard.attributes(), nullptr, kNow)[0],
            "t: 1,000 tokens in any 1 minute per key; from 90%: only the last 20 messages; refused only beyond 120%, "
            "1,200 tokens");
}

TEST(DegradeTest, UsdInSlidingAndCalendarWindowsAndWeightsRefuseWhereTheyShould) {
  World world(R"(
limits:
  - { name: hour, per: key, meter: usd, allow: 1/1h }
  - { name: day, per: key, meter: usd, allow: 1.50/day }
  - { name: weighted, per: key, meter: { input_tokens: 2, requests: 10 }, allow: 100/1m }
)");
  EXPECT_TRUE(world.send("m", 100 * kCent, 20).admitted);
  EXPECT_EQ(world.send("m", 1, 0).refusal.limit, "hour");
  EXPECT_TRUE(world.send("m", 50 * kCent, 0, kNow + 2 * kHour).admitted);
  EXPECT_EQ(world.send("m", 1, 0, kNow + 4 * kHour).refusal.limit, "day");
  EXPECT_TRUE(world.send("m", 0, 20, kNow + 5 * kHour).admitted) << "50 of 100";
  EXPECT_EQ(world.send("m", 0, 21, kNow + 5 * kHour).refusal.limit, "weighted") << "52 more";
  EXPECT_TRUE(world.send("m", 0, 20, kNow + 5 * kHour).admitted);
}

// A rung in force is explained by the share alone, or by an admitted request before it that stood on it.
RC_GTEST_PROP(DegradeProperty, RungsFollowTheShareWithFivePointsOfHysteresis, ()) {
  World world(
      "limits: [{ name: t, per: key, meter: tokens, allow: 1000/1h, on_exceed: degrade, hard: 1000%,"
      " degrade: [{ at: 30%, max_tokens: 30 }, { at: 60%, max_tokens: 20 }, { at: 90%, max_tokens: 10 }] }]");
  const std::pair<std::int64_t, std::int64_t> rungs[] = {{300, 30}, {600, 20}, {900, 10}};
  std::int64_t before = 0;  // the highest rung in force, by its beginning
  for (int step = 0; step < 40; ++step) {
    const auto cost = *rc::gen::inRange<std::int64_t>(0, 1'200);
    const World::Answer answer = world.send("m", 0, cost);
    RC_ASSERT(answer.admitted);
    std::int64_t now = 0, cap = 0;
    for (const auto& [begins, tokens] : rungs) {
      if (cost >= begins || (begins <= before && cost > begins - 50)) now = begins, cap = tokens;
    }
    RC_ASSERT(answer.change.max_tokens.value_or(0) == cap);
    before = now;
    world.give_back();
  }
}

}  // namespace
}  // namespace weir
