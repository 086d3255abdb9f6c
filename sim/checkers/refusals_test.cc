#include <gtest/gtest.h>

#include "checkers/checker_fixture.h"

namespace weir::sim {
namespace {

constexpr const char* kLimited =
    "limits:\n"
    "  - { name: requests, per: key, meter: requests, allow: 2/1m, fail: closed }\n"
    "  - { name: in-flight, per: key, meter: concurrency, allow: 1 }\n";

class RefusalsTest : public ::testing::Test {
 protected:
  RefusalSeen by_requests() {
    RefusalSeen out;
    out.limit = "requests";
    out.layer = "rate";
    out.meter = "requests";
    out.window = "1m";
    out.allowed = out.used = 2;
    out.requested = 1;
    out.retry_after_ms = 1000;
    return out;
  }
  void decide(const Decision& decision, std::vector<Effect> effects = {}) {
    const Subject subject{.key = {3, 3}};
    const Demand demand{.counter = 1, .cost = 1, .quota = {.amount = 2}};
    world_.decided({.at = world_.now(),
                    .id = {1, 1},
                    .subjects = {&subject, 1},
                    .demands = {&demand, 1},
                    .amounts = {},
                    .decision = &decision,
                    .effects = effects});
  }
  Decision refused(DurationNs wait) {
    Decision out{.retry_after = wait, .count = 1};
    out.verdicts[0] = {.refuses = true, .used = 2, .retry_after = wait};
    return out;
  }
  CheckerFixture world_{kLimited};
};

TEST_F(RefusalsTest, ARefusalThatChargesIsFound) {
  auto checker = world_.make(make_inert_refusal);
  decide(refused(kSecond));
  EXPECT_FALSE(CheckerFixture::failed(*checker));
  decide(refused(kSecond), {Effect{.amount = 1}});
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(RefusalsTest, ARefusalThatReachedAProviderOrTheLedgerIsFound) {
  auto checker = world_.make(make_inert_refusal);
  Ask& quiet = world_.ask();
  world_.refuse(quiet, by_requests());
  world_.audit.push_back({.key = "ann", .event = AuditEvent::kRefused, .limit = "requests"});
  checker->at_end();
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  world_.ledger.push_back(world_.row_of(quiet));
  checker->at_end();
  EXPECT_EQ(checker->failures().size(), 1u);
  Ask& called = world_.ask();
  world_.call(called);
  world_.refuse(called, by_requests());
  EXPECT_EQ(checker->failures().size(), 2u);
}

TEST_F(RefusalsTest, ARefusalThatIsNotInTheAuditIsFound) {
  auto checker = world_.make(make_inert_refusal);
  for (int i = 0; i < 3; ++i) world_.refuse(world_.ask(), by_requests());
  world_.audit.push_back({.key = "ann", .event = AuditEvent::kRefused, .limit = "requests", .count = 2});
  checker->at_end();
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(RefusalsTest, ARefusalNamesALimitThatExistsAndWasReached) {
  auto checker = world_.make(make_justified_refusal);
  world_.start();
  world_.refuse(world_.ask(), by_requests());
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  RefusalSeen below = by_requests();
  below.used = 1;
  world_.refuse(world_.ask(), below);
  EXPECT_EQ(checker->failures().size(), 1u);
  RefusalSeen unknown = by_requests();
  unknown.limit = "nobody";
  world_.refuse(world_.ask(), unknown);
  EXPECT_EQ(checker->failures().size(), 2u);
  RefusalSeen breaker;
  breaker.layer = "breaker";
  breaker.limit = "repeats";
  breaker.allowed = 5;
  breaker.used = 4;
  world_.refuse(world_.ask(), breaker);
  EXPECT_EQ(checker->failures().size(), 3u);
}

TEST_F(RefusalsTest, TheWaitIsTrueToTheNanosecond) {
  auto checker = world_.make(make_honest_retry);
  TimeNs free_at = world_.now() + kSecond;
  world_.peek = [&](const AdmitRequest& request, Decision& decision) { decision.admitted = request.now >= free_at; };
  decide(refused(kSecond));
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  decide(refused(kSecond + 1));
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(RefusalsTest, AProberIsNotRefusedAgainOnceItHasWaited) {
  for (const bool late : {false, true}) {
    CheckerFixture world(kLimited);
    auto checker = world.make(make_honest_retry);
    Ask asked;
    asked.client = "prober.0";
    world.refuse(world.ask(asked), by_requests());
    world.wait(late ? kSecond + kMillisecond : kSecond - kMillisecond);
    world.refuse(world.ask(asked), by_requests());
    EXPECT_EQ(CheckerFixture::failed(*checker), late);
  }
}

TEST_F(RefusalsTest, NumbersOfOneRefusalBelongToOnePolicy) {
  auto checker = world_.make(make_one_ruleset);
  world_.start();
  world_.refuse(world_.ask(), by_requests());
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  RefusalSeen mixed = by_requests();
  mixed.allowed = 3;
  world_.refuse(world_.ask(), mixed);
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(RefusalsTest, MoreRequestsAtProvidersThanAllowedAreFound) {
  auto checker = world_.make(make_truth_limits);
  world_.start();
  for (int i = 0; i < 2; ++i) {
    Ask& ask = world_.ask();
    world_.call(ask);
    world_.settled(world_.row_of(ask));
  }
  world_.wait(kMinute);
  for (int i = 0; i < 2; ++i) {
    Ask& ask = world_.ask();
    world_.call(ask);
    world_.settled(world_.row_of(ask));
  }
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  Ask& third = world_.ask();
  world_.call(third);
  EXPECT_NE(CheckerFixture::why(*checker).find("3 requests"), std::string::npos);
}

TEST_F(RefusalsTest, MoreRequestsAtOnceThanAllowedAreFound) {
  auto checker = world_.make(make_truth_limits);
  world_.start();
  Ask& first = world_.ask();
  world_.call(first);
  world_.wait(2 * kMinute);
  EXPECT_FALSE(CheckerFixture::failed(*checker));
  world_.call(world_.ask());
  EXPECT_NE(CheckerFixture::why(*checker).find("at once"), std::string::npos);
}

TEST_F(RefusalsTest, ARefusalForWhatOthersUsedIsFound) {
  auto checker = world_.make(make_isolation);
  world_.start();
  world_.wait(kHour);
  for (int i = 0; i < 2; ++i) world_.answer(world_.ask());
  world_.refuse(world_.ask(), by_requests());
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  Ask other;
  other.key = "bob";
  world_.refuse(world_.ask(other), by_requests());
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(RefusalsTest, RepeatsThatChargeAgainAreFound) {
  auto checker = world_.make(make_idempotence);
  const auto settle = [&](Outcome outcome) {
    world_.decided({.at = world_.now(),
                    .what = Decided::What::kSettle,
                    .id = {1, 1},
                    .subjects = {},
                    .demands = {},
                    .amounts = {},
                    .outcome = outcome,
                    .effects = {}});
  };
  settle(Outcome::kDone);
  settle(Outcome::kRepeated);
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  settle(Outcome::kDone);
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(RefusalsTest, OrdinaryRequestsNeverMeetABreakerAndLoopsEnd) {
  auto checker = world_.make(make_loops);
  world_.start();
  RefusalSeen breaker;
  breaker.layer = "breaker";
  breaker.limit = "repeats";
  Ask loop;
  loop.client = "loop.0";
  loop.run = "r";
  loop.ordinary = false;
  world_.refuse(world_.ask(loop), breaker);
  for (int i = 0; i < 5; ++i) world_.call(world_.ask(loop));
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  for (int i = 0; i < 40; ++i) world_.call(world_.ask(loop));
  EXPECT_TRUE(CheckerFixture::failed(*checker));
  const std::size_t so_far = checker->failures().size();
  world_.refuse(world_.ask(), breaker);
  EXPECT_EQ(checker->failures().size(), so_far + 1);
}

TEST_F(RefusalsTest, NothingPassesALimitThatFailsClosed) {
  auto checker = world_.make(make_fail_modes);
  world_.start();
  const auto away = [&](bool on) {
    world_.context.truth.tell([&](Observer& o) { o.on_counters_away(on, world_.now()); });
  };
  Ask& before = world_.ask();
  world_.wait(kSecond);
  away(true);
  world_.call(before);
  away(false);
  world_.call(world_.ask());
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  away(true);
  world_.wait(kSecond);
  world_.call(world_.ask());
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(RefusalsTest, AnswersAreWholeAndComeFromProviders) {
  auto checker = world_.make(make_answers);
  Ask streamed;
  streamed.stream = true;
  Ask& good = world_.ask(streamed);
  Call& call = world_.call(good);
  call.status = 200;
  call.complete = true;
  call.streamed = good.tokens_received = 30;
  world_.answer(good);
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  Ask& cut = world_.ask(streamed);
  Call& whole = world_.call(cut);
  whole.complete = true;
  whole.streamed = 30;
  cut.tokens_received = 29;
  world_.answer(cut);
  EXPECT_EQ(checker->failures().size(), 1u);
  world_.answer(world_.ask());
  EXPECT_EQ(checker->failures().size(), 2u);
}

TEST_F(RefusalsTest, EverythingEnds) {
  auto checker = world_.make(make_liveness);
  Ask& ask = world_.ask();
  checker->at_end();
  EXPECT_EQ(checker->failures().size(), 1u);
  world_.answer(ask);
  checker->at_end();
  EXPECT_EQ(checker->failures().size(), 1u);
  world_.books.journal_healthy = false;
  checker->at_end();
  EXPECT_EQ(checker->failures().size(), 2u);
}

TEST_F(RefusalsTest, ABrokenAuditChainIsFound) {
  auto checker = world_.make(make_audit_chain);
  world_.start();
  EXPECT_FALSE(CheckerFixture::failed(*checker));
  world_.verdict.intact = false;
  checker->at_end();
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(RefusalsTest, ClocksNeverStartBehindTheirJournal) {
  auto checker = world_.make(make_clock);
  world_.start();
  world_.wait(kMinute);
  world_.opened(world_.row_of(world_.ask()));
  world_.wait(kMinute);
  world_.clock_offset = -kSecond;
  world_.start();
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  world_.clock_offset = -kHour;
  world_.start();
  EXPECT_EQ(checker->failures().size(), 1u);
  world_.opened(world_.row_of(world_.ask()));
  EXPECT_EQ(checker->failures().size(), 2u);
}

}  // namespace
}  // namespace weir::sim
