#include <gtest/gtest.h>

#include <array>

#include "checkers/checker_fixture.h"
#include "checkers/exact_log.h"

namespace weir::sim {
namespace {

constexpr Hash128 kSubject{7, 7};

TEST(ExactLog, CountsWhatLiesInTheWindowAndWhatARingMayStillCount) {
  ExactLog log;
  log.add({.at = 10, .id = {1, 1}, .amount = 3, .certain = 3});
  log.add({.at = 50, .id = {1, 2}, .amount = 4, .certain = 4});
  EXPECT_EQ(log.sums(60, 60, 5).low, 7);
  EXPECT_EQ(log.sums(70, 60, 5).low, 4);
  EXPECT_EQ(log.sums(70, 60, 5).high, 7);
  EXPECT_EQ(log.sums(80, 60, 5).high, 4);
  EXPECT_EQ(log.sums(60, 60, 5).low, 7);  // asked again for the past
}

TEST(ExactLog, GivesBackOnlyWhatThatChargeHolds) {
  ExactLog log;
  log.add({.at = 10, .id = {1, 1}, .amount = 3, .certain = 3});
  EXPECT_EQ(log.give_back({1, 2}, 10, 1), 0);
  EXPECT_EQ(log.give_back({1, 1}, 11, 1), 0);
  EXPECT_EQ(log.give_back({1, 1}, 10, 5), 3);
  EXPECT_EQ(log.sums(10, 60, 5).high, 0);
}

TEST(ExactLog, DoubtIsInTheUpperBoundOnly) {
  ExactLog log;
  log.add({.at = 10, .id = {1, 1}, .amount = 3, .certain = 3});
  log.doubt({1, 1}, 10, 2);
  EXPECT_EQ(log.sums(10, 60, 5).low, 1);
  EXPECT_EQ(log.sums(10, 60, 5).high, 3);
  log.may_return({1, 1}, 10, 2);
  EXPECT_EQ(log.sums(10, 60, 5).high, 5);
}

// One limit, one subject; the test plays the limiter.
class WindowOracleTest : public ::testing::Test {
 protected:
  void define(WindowKind kind, DurationNs window = kMinute) {
    world_.defined(1, {.identity = "tokens|key|tokens|x", .kind = kind, .window = window});
    kind_ = kind;
  }
  Demand demand(std::int64_t cost, std::int64_t amount) const {
    Demand out{.counter = 1, .subject = 0, .hold = true, .cost = cost, .quota = {.amount = amount}};
    out.quota.rate = {.units = 1, .per = kSecond};
    out.quota.period_start = world_.now() / kDay * kDay;
    out.quota.period_end = out.quota.period_start + kDay;
    return out;
  }
  Effect effect(std::int64_t amount, TimeNs at) const {
    return {.subject = kSubject,
            .counter = counter_hash("tokens|key|tokens|x"),
            .at = at,
            .amount = amount,
            .period_start = kind_ == WindowKind::kCalendar ? at / kDay * kDay : 0};
  }
  void admit(Hash128 id, std::int64_t cost, std::int64_t amount, std::int64_t used, bool admitted = true) {
    const Subject subject{.key = kSubject};
    const Demand asked = demand(cost, amount);
    Decision decision{.admitted = admitted, .count = 1};
    decision.verdicts[0] = {.refuses = !admitted, .used = used};
    std::vector<Effect> effects;
    if (admitted && kind_ != WindowKind::kConcurrency) effects.push_back(effect(cost, world_.now()));
    world_.decided({.at = world_.now(),
                    .what = Decided::What::kAdmit,
                    .id = id,
                    .subjects = {&subject, 1},
                    .demands = {&asked, 1},
                    .amounts = {},
                    .decision = &decision,
                    .effects = effects});
  }
  void settle(Hash128 id, std::int64_t actual, std::vector<Effect> effects) {
    world_.decided({.at = world_.now(),
                    .what = Decided::What::kSettle,
                    .id = id,
                    .subjects = {},
                    .demands = {},
                    .amounts = {&actual, 1},
                    .effects = effects});
  }

  CheckerFixture world_;
  std::unique_ptr<Checker> oracle_ = world_.make(make_window_oracle);
  WindowKind kind_ = WindowKind::kSliding;
};

TEST_F(WindowOracleTest, IsSilentWhileEverythingFits) {
  define(WindowKind::kSliding);
  admit({1, 1}, 60, 100, 0);
  admit({1, 2}, 40, 100, 60);
  admit({1, 3}, 1, 100, 100, false);
  const TimeNs first = world_.now();
  settle({1, 1}, 10, {effect(-50, first)});
  admit({1, 4}, 50, 100, 50);
  world_.wait(kMinute + 3 * kSecond);
  admit({1, 5}, 100, 100, 0);
  EXPECT_EQ(CheckerFixture::why(*oracle_), "");
  EXPECT_GT(oracle_->looks(), 5u);
}

TEST_F(WindowOracleTest, FailsWhenAWindowHoldsMoreThanItsAmount) {
  define(WindowKind::kSliding);
  admit({1, 1}, 60, 100, 0);
  admit({1, 2}, 60, 100, 0);
  EXPECT_TRUE(CheckerFixture::failed(*oracle_));
}

TEST_F(WindowOracleTest, FailsWhenACounterForgetsBeforeItsWindowIsOver) {
  define(WindowKind::kSliding);
  admit({1, 1}, 60, 100, 0);
  world_.wait(59 * kSecond);
  admit({1, 2}, 10, 100, 0);
  EXPECT_NE(CheckerFixture::why(*oracle_).find("the log holds 60 to 60"), std::string::npos);
}

TEST_F(WindowOracleTest, FailsWhenACounterKeepsMoreThanARingMay) {
  define(WindowKind::kSliding);
  admit({1, 1}, 60, 100, 0);
  world_.wait(63 * kSecond);
  admit({1, 2}, 10, 100, 60);
  EXPECT_TRUE(CheckerFixture::failed(*oracle_));
}

TEST_F(WindowOracleTest, FailsWhenMoreIsGivenBackThanWasHeld) {
  define(WindowKind::kSliding);
  admit({1, 1}, 60, 100, 0);
  settle({1, 1}, 10, {effect(-60, world_.now())});
  EXPECT_TRUE(CheckerFixture::failed(*oracle_));
}

TEST_F(WindowOracleTest, FailsWhenNothingIsGivenBack) {
  define(WindowKind::kSliding);
  admit({1, 1}, 60, 100, 0);
  settle({1, 1}, 10, {});
  EXPECT_TRUE(CheckerFixture::failed(*oracle_));
}

TEST_F(WindowOracleTest, FailsWhenAReservationIsSettledTwice) {
  define(WindowKind::kSliding);
  admit({1, 1}, 60, 100, 0);
  settle({1, 1}, 10, {effect(-50, world_.now())});
  EXPECT_FALSE(CheckerFixture::failed(*oracle_));
  settle({1, 1}, 10, {effect(-10, world_.now())});
  EXPECT_TRUE(CheckerFixture::failed(*oracle_));
}

TEST_F(WindowOracleTest, AllowsDebtOnlyWhereMoreWasUsedThanHeld) {
  define(WindowKind::kSliding);
  admit({1, 1}, 60, 100, 0);
  settle({1, 1}, 150, {effect(90, world_.now())});
  EXPECT_FALSE(CheckerFixture::failed(*oracle_));
  admit({1, 2}, 1, 100, 150, false);
  EXPECT_FALSE(CheckerFixture::failed(*oracle_));
  admit({1, 3}, 1, 200, 150);
  settle({1, 3}, 1, {effect(5, world_.now())});
  EXPECT_TRUE(CheckerFixture::failed(*oracle_));
}

TEST_F(WindowOracleTest, RemembersWhatWasWrittenWhenTheProcessDies) {
  define(WindowKind::kSliding);
  admit({1, 1}, 60, 100, 0);
  UsageRow row;
  world_.context.truth.tell([&](Observer& o) { o.on_opened({1, 1}, row); });
  world_.wait(5 * kSecond);
  world_.tell(NodeEvent::kCrashed);
  define(WindowKind::kSliding);
  admit({1, 2}, 10, 100, 0);  // forgot it
  EXPECT_TRUE(CheckerFixture::failed(*oracle_));
}

TEST_F(WindowOracleTest, DoesNotAskForWhatWasNeverWritten) {
  define(WindowKind::kSliding);
  admit({1, 1}, 60, 100, 0);
  world_.wait(5 * kSecond);
  world_.tell(NodeEvent::kCrashed);
  define(WindowKind::kSliding);
  admit({1, 2}, 10, 100, 0);
  admit({1, 3}, 10, 100, 70);
  EXPECT_EQ(CheckerFixture::why(*oracle_), "");
}

TEST_F(WindowOracleTest, HoldsConcurrencyToItsAmountAndForgetsItWithTheProcess) {
  define(WindowKind::kConcurrency, 0);
  admit({1, 1}, 1, 1, 0);
  admit({1, 2}, 1, 1, 1, false);
  settle({1, 1}, 1, {});
  admit({1, 3}, 1, 1, 0);
  world_.tell(NodeEvent::kCrashed);
  define(WindowKind::kConcurrency, 0);
  admit({1, 4}, 1, 1, 0);
  EXPECT_EQ(CheckerFixture::why(*oracle_), "");
  admit({1, 5}, 1, 1, 0);
  EXPECT_TRUE(CheckerFixture::failed(*oracle_));
}

TEST_F(WindowOracleTest, CountsPeriodsExactly) {
  define(WindowKind::kCalendar, 0);
  admit({1, 1}, 60, 100, 0);
  admit({1, 2}, 40, 100, 60);
  EXPECT_EQ(CheckerFixture::why(*oracle_), "");
  world_.wait(kDay);
  admit({1, 3}, 100, 100, 0);
  EXPECT_EQ(CheckerFixture::why(*oracle_), "");
  admit({1, 4}, 1, 200, 0);
  EXPECT_TRUE(CheckerFixture::failed(*oracle_));
}

TEST_F(WindowOracleTest, HoldsABucketToItsBurstAndRate) {
  define(WindowKind::kBucket, 0);
  admit({1, 1}, 10, 10, 0);
  world_.wait(5 * kSecond);
  admit({1, 2}, 5, 10, 5);
  EXPECT_EQ(CheckerFixture::why(*oracle_), "");
  admit({1, 3}, 1, 10, 0);
  EXPECT_TRUE(CheckerFixture::failed(*oracle_));
}

TEST_F(WindowOracleTest, FailsWhenARefusalIsNotSoByItsOwnNumbers) {
  define(WindowKind::kSliding);
  admit({1, 1}, 60, 100, 0, false);
  EXPECT_TRUE(CheckerFixture::failed(*oracle_));
}

}  // namespace
}  // namespace weir::sim
