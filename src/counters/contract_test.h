// The suite every implementation of Counters passes. Plug one in with
//
//   INSTANTIATE_TEST_SUITE_P(Mine, CountersContract, testing::Values(+[] { return std::unique_ptr<CountersRig>(…); }));
//
// A rig waits until an answer has come, so that remote implementations fit as well.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "counters/counters.h"

namespace weir {

class CountersRig {
 public:
  virtual ~CountersRig() = default;
  virtual Counters& counters() = 0;
  virtual void wait() = 0;  // until every answer asked for has been given
};

struct RecordedDecision final : AdmissionEvents {
  int calls = 0;
  CountersStatus status = CountersStatus::kUnavailable;
  Decision decision;
  std::vector<Effect> effects;

  void on_decision(CountersStatus new_status, const Decision& new_decision,
                   std::span<const Effect> new_effects) override {
    ++calls;
    status = new_status;
    decision = new_decision;
    effects.assign(new_effects.begin(), new_effects.end());
  }
};

struct RecordedSettlement final : SettlementEvents {
  int calls = 0;
  Outcome outcome = Outcome::kUnknown;
  std::vector<Effect> effects;

  void on_settled(CountersStatus, Outcome new_outcome, std::span<const Effect> new_effects) override {
    ++calls;
    outcome = new_outcome;
    effects.assign(new_effects.begin(), new_effects.end());
  }
};

using CountersRigMaker = std::unique_ptr<CountersRig> (*)();

class CountersContract : public testing::TestWithParam<CountersRigMaker> {
 protected:
  static constexpr TimeNs kNow = 1'700'000'000ll * 1'000'000'000;
  static constexpr DurationNs kMinute = 60ll * 1'000'000'000;

  void SetUp() override {
    rig_ = GetParam()();
    tokens_ = rig_->counters().define({.identity = "tokens", .kind = WindowKind::kSliding, .window = kMinute});
    dollars_ = rig_->counters().define({.identity = "dollars", .kind = WindowKind::kCalendar});
  }

  RecordedDecision admit(std::int64_t tokens, std::int64_t dollars, Hash128 id = {}, bool only_peek = false) {
    const Subject subject{.key = {1, 2}};
    const std::array<Demand, 2> demands{
        Demand{.counter = tokens_, .hold = true, .cost = tokens, .quota = {.amount = 1000}},
        Demand{.counter = dollars_,
               .hold = true,
               .cost = dollars,
               .quota = {.amount = 50, .period_start = kNow - kMinute, .period_end = kNow + 60 * kMinute}}};
    const AdmitRequest request{
        .subjects = {&subject, 1}, .demands = demands, .now = kNow, .id = id, .deadline = kNow + kMinute};
    RecordedDecision recorded;
    only_peek ? rig_->counters().peek(request, recorded) : rig_->counters().admit(request, recorded);
    rig_->wait();
    EXPECT_EQ(recorded.calls, 1);
    return recorded;
  }

  RecordedSettlement settle(Hash128 id, std::int64_t tokens, std::int64_t dollars) {
    const std::array<std::int64_t, 2> used{tokens, dollars};
    RecordedSettlement recorded;
    rig_->counters().settle(id, used, kNow + 1, recorded);
    rig_->wait();
    EXPECT_EQ(recorded.calls, 1);
    return recorded;
  }

  std::unique_ptr<CountersRig> rig_;
  CounterId tokens_ = 0;
  CounterId dollars_ = 0;
};

TEST_P(CountersContract, AllDemandsAreChargedOrNone) {
  EXPECT_TRUE(admit(600, 30).decision.admitted);
  const RecordedDecision refused = admit(100, 30);
  EXPECT_FALSE(refused.decision.admitted);
  EXPECT_TRUE(refused.effects.empty());
  EXPECT_EQ(admit(0, 0, {}, true).decision.verdicts[0].used, 600);
}

TEST_P(CountersContract, PeekTellsTheTruthAndChangesNothing) {
  EXPECT_TRUE(admit(1000, 1, {}, true).decision.admitted);
  EXPECT_FALSE(admit(1001, 1, {}, true).decision.admitted);
  EXPECT_TRUE(admit(1000, 1).decision.admitted);
  EXPECT_FALSE(admit(1, 1, {}, true).decision.admitted);
}

TEST_P(CountersContract, SettlementHappensOnceAndIsJournalled) {
  const RecordedDecision admitted = admit(600, 30, {7, 7});
  ASSERT_EQ(admitted.effects.size(), 2u);
  EXPECT_EQ(admitted.effects[0].amount, 600);
  EXPECT_EQ(admitted.effects[0].counter, counter_hash("tokens"));
  const RecordedSettlement settled = settle({7, 7}, 100, 40);
  EXPECT_EQ(settled.outcome, Outcome::kDone);
  ASSERT_EQ(settled.effects.size(), 2u);
  EXPECT_EQ(settled.effects[0].amount, -500);
  EXPECT_EQ(settled.effects[1].amount, 10);
  EXPECT_EQ(settle({7, 7}, 999, 999).outcome, Outcome::kRepeated);
  EXPECT_EQ(settle({8, 8}, 1, 1).outcome, Outcome::kUnknown);
  EXPECT_EQ(admit(0, 0, {}, true).decision.verdicts[1].used, 40);
}

TEST_P(CountersContract, AKnownIdGetsItsFirstAnswer) {
  admit(600, 30, {7, 7});
  const RecordedDecision again = admit(900, 1, {7, 7});
  EXPECT_TRUE(again.decision.admitted && again.decision.replayed);
  EXPECT_TRUE(again.effects.empty());
}

TEST_P(CountersContract, TopUpAndCancel) {
  admit(600, 30, {7, 7});
  const std::array<std::int64_t, 2> extra{300, 0};
  RecordedDecision topped;
  rig_->counters().top_up({7, 7}, extra, kNow, topped);
  rig_->wait();
  EXPECT_TRUE(topped.decision.admitted);
  EXPECT_EQ(admit(0, 0, {}, true).decision.verdicts[0].reserved, 900);
  RecordedSettlement cancelled;
  rig_->counters().cancel({7, 7}, kNow, cancelled);
  rig_->wait();
  EXPECT_EQ(cancelled.outcome, Outcome::kDone);
  EXPECT_EQ(admit(0, 0, {}, true).decision.verdicts[0].reserved, 0);
  EXPECT_EQ(admit(0, 0, {}, true).decision.verdicts[0].used, 0);
}

}  // namespace weir
