#include <gtest/gtest.h>

#include "checkers/checker_fixture.h"
#include "checkers/periods.h"

namespace weir::sim {
namespace {

constexpr const char* kPriced =
    "providers: { one: { dialect: openai, url: http://one } }\n"
    "models: { m: { provider: one, price: { input: 2, output: 10 } } }\n"
    "limits:\n"
    "  - { name: tokens, per: key, meter: tokens, allow: 1000/1h }\n";

class LedgerCheckersTest : public ::testing::Test {
 protected:
  // A call that the provider answered with so many tokens of output, and says so.
  Ask& served(std::int64_t output) {
    Ask& ask = world_.ask();
    Call& call = world_.call(ask);
    call.produced.output_visible = call.streamed = output;
    call.told = call.produced;
    call.complete = true;
    world_.truth.end(call, world_.now());
    ask.tokens_received = output;
    world_.answer(ask);
    return ask;
  }
  CheckerFixture world_{kPriced};
};

TEST_F(LedgerCheckersTest, ConservationIsSilentWhenRowsSayWhatWasProduced) {
  auto checker = world_.make(make_conservation);
  world_.ledger.push_back(world_.row_of(served(70), Settled::kUsage, 70));
  checker->at_end();
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  EXPECT_EQ(checker->looks(), 1u);
}

TEST_F(LedgerCheckersTest, ConservationFailsOverAMissingADoubledOrAWrongRow) {
  for (const int wrong : {0, 1, 2, 3}) {
    CheckerFixture world(kPriced);
    auto checker = world.make(make_conservation);
    Ask& ask = world.ask();
    Call& call = world.call(ask);
    call.produced.output_visible = 70;
    call.told = call.produced;
    world.answer(ask);
    UsageRow row = world.row_of(ask, Settled::kUsage, 70);
    if (wrong == 1) world.ledger.push_back(row);
    if (wrong == 1) row.request_id += "b";
    if (wrong == 2) row.usage.output_visible = 69;
    if (wrong == 3) row = world.row_of(ask, Settled::kNone);
    if (wrong > 0) world.ledger.push_back(row);
    checker->at_end();
    EXPECT_TRUE(CheckerFixture::failed(*checker)) << wrong;
  }
}

TEST_F(LedgerCheckersTest, ConservationFailsOverARowOfUsageThatNobodyProduced) {
  auto checker = world_.make(make_conservation);
  Ask& ask = world_.ask();
  world_.answer(ask);
  world_.ledger.push_back(world_.row_of(ask, Settled::kUsage, 5));
  checker->at_end();
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(LedgerCheckersTest, ConservationFailsWhenLessIsCountedThanTheClientReceived) {
  auto checker = world_.make(make_conservation);
  Ask& ask = world_.ask();
  Call& call = world_.call(ask);
  call.produced.output_visible = 200;
  ask.tokens_received = 100;
  world_.truth.end(ask, AskEnd::kBroken, world_.now());
  UsageRow row = world_.row_of(ask, Settled::kCounted, 50);
  row.reserved_tokens = 300;
  world_.ledger.push_back(row);
  checker->at_end();
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(LedgerCheckersTest, PricesAreTokensTimesPrice) {
  auto checker = world_.make(make_prices);
  world_.start();
  UsageRow row = world_.row_of(served(1000), Settled::kUsage, 1000);
  row.model = "m";
  row.usage.input_uncached = 500;
  row.usd_micros = 1000 * 10 + 500 * 2;
  world_.opened(row);
  world_.settled(row);
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  row.request_id = "other";
  row.usd_micros -= 2;
  world_.settled(row);
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(LedgerCheckersTest, ExpiredRowsAreOfRequestsThatWereInFlightAtACrash) {
  auto checker = world_.make(make_crash_rows);
  UsageRow died = world_.row_of(served(1)), ended = world_.row_of(served(1));
  world_.opened(died);
  world_.opened(ended);
  world_.settled(ended);
  world_.wait(kMinute);
  world_.tell(NodeEvent::kCrashed);
  died.settled = Settled::kExpired;
  world_.ledger = {died, ended};
  checker->at_end();
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  world_.ledger.back().settled = Settled::kExpired;
  checker->at_end();
  EXPECT_EQ(checker->failures().size(), 1u);
  world_.ledger.front().settled = Settled::kUsage;
  checker->at_end();
  EXPECT_EQ(checker->failures().size(), 3u);
}

TEST_F(LedgerCheckersTest, CountersMustSayWhatTheLedgerSays) {
  auto checker = world_.make(make_counters_match_ledger);
  UsageRow row = world_.row_of(served(100), Settled::kUsage, 100);
  world_.settled(row);
  world_.ledger = {row};
  world_.usage = Node::Usage{.used = 100, .amount = 1000, .kind = WindowKind::kSliding, .window = kHour};
  checker->at_end();
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  world_.usage->used = 99;
  checker->at_end();
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(LedgerCheckersTest, BooksMustBeEmptyAtTheEnd) {
  auto checker = world_.make(make_no_leak);
  checker->at_end();
  EXPECT_FALSE(CheckerFixture::failed(*checker));
  world_.books.limiter.open_reservations = 1;
  world_.books.upstream_ports = 2;
  checker->at_end();
  EXPECT_EQ(checker->failures().size(), 2u);
}

TEST_F(LedgerCheckersTest, BooksStayWithinTheirBounds) {
  auto checker = world_.make(make_bounds);
  const auto look = [&] {
    world_.wait(kMinute);
    checker->on_step(world_.now());
  };
  look();
  EXPECT_FALSE(CheckerFixture::failed(*checker));
  world_.books.requests_in_flight = -1;
  look();
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(LedgerCheckersTest, SubjectsAreForgottenOnceTheirWindowsAreOver) {
  world_.set_policy("limits:\n  - { name: r, per: key, meter: requests, allow: 5/1m }\n");
  auto checker = world_.make(make_bounds);
  checker->at_end();
  EXPECT_FALSE(CheckerFixture::failed(*checker));
  world_.books.limiter.subjects = 3;
  checker->at_end();
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST(OwnPeriods, AreThoseOfTheZoneAlsoWhenClocksChange) {
  const TimeNs march = 1'774'738'800 * kSecond;  // 2026-03-28T23:00:00Z, midnight in Berlin
  EXPECT_EQ(*own_period("day", "Europe/Berlin", march), (Span{march, march + 23 * kHour}));
  EXPECT_EQ(*own_period("day", "Europe/Berlin", march + 22 * kHour), (Span{march, march + 23 * kHour}));
  const TimeNs october = 1'792'879'200 * kSecond;  // 2026-10-24T22:00:00Z
  EXPECT_EQ(*own_period("day", "Europe/Berlin", october), (Span{october, october + 25 * kHour}));
  EXPECT_EQ(own_period("month", "UTC", march)->start, 1'772'323'200 * kSecond);
  EXPECT_EQ(own_period("week", "UTC", march)->start, 1'774'224'000 * kSecond);
  EXPECT_EQ(own_period("hour", "Asia/Kolkata", march)->start, march - kHour / 2);
  EXPECT_FALSE(own_period("day", "Mars/Olympus", march));
}

TEST_F(LedgerCheckersTest, PeriodsAreThoseOfTheTenantsZone) {
  world_.set_policy(
      "tenants: { acme: { zone: Europe/Berlin } }\n"
      "limits:\n  - { name: spend, per: key, meter: usd, allow: 10/day }\n");
  auto checker = world_.make(make_calendar);
  world_.start();
  world_.defined(1, {.identity = "spend|key|usd|calendar|day", .kind = WindowKind::kCalendar});
  const auto decide = [&](Hash128 id, const Span& period) {
    const Subject subject{.key = {3, id.low}};
    Demand demand{.counter = 1, .cost = 1, .quota = {.amount = 10}};
    demand.quota.period_start = period.start;
    demand.quota.period_end = period.end;
    const Decision decision{.admitted = true, .count = 1};
    world_.decided({.at = world_.now(),
                    .id = id,
                    .subjects = {&subject, 1},
                    .demands = {&demand, 1},
                    .amounts = {},
                    .decision = &decision,
                    .effects = {}});
    UsageRow row;
    row.tenant = "acme";
    checker->on_opened(id, row);
  };
  decide({1, 1}, *own_period("day", "Europe/Berlin", world_.now()));
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  decide({1, 2}, *own_period("day", "UTC", world_.now()));
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

}  // namespace
}  // namespace weir::sim
