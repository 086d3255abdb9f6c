#include "behavior/trust.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <thread>
#include <vector>

namespace weir {
namespace {

constexpr Hash128 kCaller{1, 2};
const TrustRules kRules{.min = 0.5, .recover = kHour};
const TrustRules kEscalating{
    .min = 0.5, .recover = kHour, .escalate = {3, 24 * kHour}, .action = TrustAction::kSuspend};

Hash128 numbered(std::uint64_t i) {
  return {i * 0x9E3779B97F4A7C15U, i * 0xD1B54A32D192ED03U + 1};
}

TEST(Trust, CallersWithoutHistoryHaveAllOfIt) {
  EXPECT_EQ(Trust({}).permille(kCaller, kRules, 0), 1000);
}

TEST(Trust, ThreeAnomaliesReachTheMinimumAndNoneGoesBelow) {
  Trust trust({});
  EXPECT_EQ(trust.drop(kCaller, "a", kRules, kHour).to, 833);
  EXPECT_EQ(trust.drop(kCaller, "b", kRules, kHour).to, 666);
  EXPECT_EQ(trust.drop(kCaller, "c", kRules, kHour).to, 500);
  const TrustChange last = trust.drop(kCaller, "d", kRules, kHour);
  EXPECT_EQ(last.from, 500);
  EXPECT_EQ(last.to, 500);
  EXPECT_EQ(trust.permille(kCaller, kRules, kHour), 500);
  EXPECT_EQ(trust.permille({1, 3}, kRules, kHour), 1000) << "others keep theirs";
}

TEST(Trust, QuietTimeRestoresItLinearly) {
  Trust trust({});
  for (int i = 0; i < 3; ++i) trust.drop(kCaller, "x", kRules, 0);
  EXPECT_EQ(trust.permille(kCaller, kRules, 30 * kMinute), 750);
  EXPECT_EQ(trust.permille(kCaller, kRules, kHour), 1000);
  Trust once({});
  once.drop(kCaller, "x", kRules, 0);
  EXPECT_EQ(once.permille(kCaller, kRules, 10 * kMinute), 833 + 83);
  EXPECT_EQ(once.permille(kCaller, kRules, 21 * kMinute), 1000);
}

RC_GTEST_PROP(Trust, StaysWithinItsBoundsAndNeverFallsByItself, ()) {
  const TrustRules rules{.min = *rc::gen::inRange(0, 1001) / 1000.0, .recover = *rc::gen::inRange<DurationNs>(0, kDay)};
  Trust trust({});
  TimeNs now = 0;
  int before = 1000;
  for (const auto& [wait, drops] : *rc::gen::container<std::vector<std::pair<int, bool>>>(
           rc::gen::pair(rc::gen::inRange(0, 7200), rc::gen::arbitrary<bool>()))) {
    now += wait * kSecond;
    if (drops) {
      const TrustChange change = trust.drop(kCaller, "x", rules, now);
      RC_ASSERT(change.to <= change.from);
      RC_ASSERT(change.from >= before);
    } else {
      RC_ASSERT(trust.permille(kCaller, rules, now) >= before);
    }
    before = trust.permille(kCaller, rules, now);
    RC_ASSERT(before >= static_cast<int>(rules.min * 1000) && before <= 1000);
  }
}

TEST(Trust, AClockThatJumpsBackRestoresNothing) {
  Trust trust({});
  trust.drop(kCaller, "x", kRules, kHour);
  EXPECT_EQ(trust.permille(kCaller, kRules, 0), 833);
  EXPECT_EQ(trust.drop(kCaller, "x", kRules, 0).to, 666);
  EXPECT_EQ(trust.permille(kCaller, kRules, kHour), 666);
}

TEST(Trust, TheThirdFallFromFullTrustEscalatesOnce) {
  Trust trust({});
  for (int fall = 1; fall <= 3; ++fall) {
    const TimeNs at = fall * 2 * kHour;
    const TrustChange change = trust.drop(kCaller, "first use of send_money", kEscalating, at);
    EXPECT_TRUE(change.throttle);
    EXPECT_EQ(change.throttles, fall);
    EXPECT_EQ(change.escalate, fall == 3 ? TrustAction::kSuspend : TrustAction::kNone);
    const TrustChange again = trust.drop(kCaller, "and again", kEscalating, at + kMinute);
    EXPECT_FALSE(again.throttle) << "it was not at full trust";
    EXPECT_EQ(again.escalate, TrustAction::kNone);
  }
  for (int fall = 4; fall <= 10; ++fall) {
    EXPECT_EQ(trust.drop(kCaller, "x", kEscalating, fall * 2 * kHour).escalate, TrustAction::kNone) << "told already";
  }
}

TEST(Trust, AnEscalationIsToldAgainAfterItsWindowByFreshThrottles) {
  Trust trust({});
  int told = 0;
  for (int fall = 1; fall <= 24; ++fall) {
    told += trust.drop(kCaller, "x", kEscalating, fall * 2 * kHour).escalate != TrustAction::kNone ? 1 : 0;
  }
  EXPECT_EQ(told, 2) << "at 6 h, and when 24 h had passed";
}

TEST(Trust, ThrottlesThatLieTooFarApartDoNotEscalate) {
  Trust trust({});
  for (int fall = 0; fall < 20; ++fall) {
    EXPECT_EQ(trust.drop(kCaller, "x", kEscalating, fall * 12 * kHour).escalate, TrustAction::kNone);
  }
}

TEST(Trust, ThrottlesRememberedOfACallerAreBounded) {
  TrustRules rules = kEscalating;
  rules.escalate = {1'000'000, 1000 * kDay};
  rules.recover = kSecond;
  Trust trust({});
  std::size_t falls = 0;
  while (trust.drop(kCaller, "x", rules, static_cast<TimeNs>(++falls) * kMinute).escalate == TrustAction::kNone) {
    ASSERT_LE(falls, Trust::kMaxThrottles);
  }
  EXPECT_EQ(falls, Trust::kMaxThrottles);
}

TEST(Trust, ShadowNotesWhatWouldHaveHappenedAndDoesNothing) {
  TrustRules shadow = kEscalating;
  shadow.shadow = true;
  Trust trust({});
  for (int fall = 1; fall <= 4; ++fall) {
    const TrustChange change = trust.drop(kCaller, "first use of x", shadow, fall * 2 * kHour);
    EXPECT_TRUE(change.shadow);
    EXPECT_EQ(change.to, 833);
    EXPECT_EQ(change.escalate, TrustAction::kNone);
    EXPECT_NE(change.sentence.find("shadow"), std::string::npos);
    EXPECT_EQ(trust.permille(kCaller, shadow, fall * 2 * kHour), 1000);
  }
}

TEST(Trust, AMinimumOfOneLowersNothing) {
  const TrustRules rules{.min = 1.0, .recover = kHour, .escalate = {1, kDay}, .action = TrustAction::kFlag};
  Trust trust({});
  const TrustChange change = trust.drop(kCaller, "x", rules, 0);
  EXPECT_EQ(change.to, 1000);
  EXPECT_EQ(change.escalate, TrustAction::kNone);
}

TEST(Trust, SaysWhyInOneSentence) {
  Trust trust({});
  EXPECT_EQ(trust.drop(kCaller, "send_money was never used", kRules, 0).sentence,
            "trust 1000 to 833 of 1000: send_money was never used");
}

TEST(Trust, NobodyRegainsTrustByFillingTheTable) {
  Trust trust({.max_callers = 160});
  for (int i = 0; i < 3; ++i) trust.drop(kCaller, "x", kRules, 0);
  for (std::uint64_t i = 1; i <= 10'000; ++i) trust.drop(numbered(i), "x", kRules, kSecond);
  EXPECT_LE(trust.size(), 160U);
  EXPECT_EQ(trust.permille(kCaller, kRules, kSecond), 500);
}

TEST(Trust, RoomIsMadeByThoseWhoAreBackAtFullTrust) {
  Trust trust({.max_callers = 160});
  for (std::uint64_t i = 1; i <= 10'000; ++i) trust.drop(numbered(i), "x", kRules, 0);
  EXPECT_LE(trust.size(), 160U);
  for (std::uint64_t i = 20'000; i < 20'100; ++i) {
    trust.drop(numbered(i), "x", kRules, 2 * kHour + static_cast<TimeNs>(i));
  }
  const TrustChange change = trust.drop(kCaller, "x", kRules, 10 * kHour);
  EXPECT_EQ(change.to, 833);
  EXPECT_LE(trust.size(), 160U);
  EXPECT_EQ(trust.permille(kCaller, kRules, 10 * kHour), 833);
}

TEST(Trust, WorkersShareIt) {
  Trust trust({});
  std::vector<std::thread> workers;
  for (int worker = 0; worker < 4; ++worker) {
    workers.emplace_back([&, worker] {
      for (std::uint64_t i = 0; i < 500; ++i) {
        trust.drop(numbered(i % 50), "x", kRules, static_cast<TimeNs>(i) * kSecond + worker);
        trust.permille(numbered(i % 50), kRules, static_cast<TimeNs>(i) * kSecond);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (std::uint64_t i = 0; i < 50; ++i) EXPECT_LT(trust.permille(numbered(i), kRules, 499 * kSecond), 600);
}

}  // namespace
}  // namespace weir
