#include "replay/replay.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "replay/requests.h"
#include "replay/test_replay.h"

namespace weir {
namespace {

constexpr auto kAllow = ReplayDecision::kAllow;
constexpr auto kRefuse = ReplayDecision::kRefuse;
using Decisions = std::vector<ReplayDecision>;

std::int64_t charged(const Told& told, std::int64_t row) {
  return std::accumulate(
      told.charges.begin(), told.charges.end(), std::int64_t{0},
      [&](std::int64_t sum, const ReplayedCharge& c) { return sum + (c.row == row ? c.tokens : 0); });
}

TEST(Replay, TellsEachRowAndTheSums) {
  const auto policy = policy_from("limits: [{ name: tokens, per: tenant, meter: tokens, allow: 2000/1m }]");
  const Told told = replay_calls(policy, {{0.25, "acme", 100, 20}, {0.5, "acme", 1000, 1}, {1, "", 5, 5}});
  ASSERT_EQ(told.lines.size(), 3u);
  EXPECT_EQ(told.lines[0],
            R"({"row":1,"t":0.25,"tenant":"acme","decision":"allow","limit":null,"reserved":1124,"settled":120,)"
            R"("retry_after":null})"
            "\n");
  // The first answer ends at 1.15 s, so its hold is still there; the wait is until it leaves the window.
  EXPECT_EQ(told.lines[1],
            R"({"row":2,"t":0.5,"tenant":"acme","decision":"refuse","limit":"tokens","reserved":2000,"settled":null,)"
            R"("retry_after":60.5})"
            "\n");
  EXPECT_EQ(summary_json(told.summary),
            R"({"rows":3,"allowed":2,"refused":1,"tokens_asked":4153,"tokens_used":130,"open_reservations":0})");
  EXPECT_EQ(told.summary.refusals_by_limit.at("tokens"), 1);
  EXPECT_EQ(told.summary.refusals_by_tenant.at("acme"), 1);
}

TEST(Replay, ModeReserveHoldsInputAndCapWhateverThePolicySays) {
  const auto policy = policy_from(
      "reservation: { mode: estimate, trust_cap: 50 }\nlimits: [{ name: a, per: global, meter: tokens, allow: 1M/1m "
      "}]");
  EXPECT_EQ(replay_calls(policy, {{0, "", 10, 5}}).reserved[0], 60);
  EXPECT_EQ(replay_calls(policy, {{0, "", 10, 5}}, {.whole_cap = true}).reserved[0], 1034);
  EXPECT_EQ(replay_calls(policy, {{0, "", 10, 3000}}, {.whole_cap = true}).reserved[0], 3010)
      << "a row's cap is never below its output";
  EXPECT_EQ(replay_calls(policy, {{0, "", 10, 5}}, {.whole_cap = true, .max_tokens = 0}).reserved[0], 15);
}

TEST(Replay, LearnsPerTenantAndModelFromWhatHasCompletedByThen) {
  const auto policy =
      policy_from("reservation: { warmup: 2 }\nlimits: [{ name: a, per: global, meter: tokens, allow: 1M/1m }]");
  // Answers of 15 tokens take 0.8 s: the second ends at the very instant of the fourth row.
  const Told told = replay_calls(policy, {{0, "t", 10, 15},
                                          {0.1, "t", 10, 15},
                                          {0.85, "t", 10, 15},
                                          {0.9, "t", 10, 15},
                                          {0.9, "u", 10, 15},
                                          {0.9, "t", 10, 15, "n"}});
  EXPECT_EQ(told.reserved, (std::vector<std::int64_t>{1034, 1034, 1034, 25, 1034, 1034}));
}

TEST(Replay, TopsUpAsTokensAppear) {
  const auto policy = policy_from(
      "reservation: { warmup: 1, top_up: 10 }\nlimits: [{ name: a, per: global, meter: tokens, allow: 1000/1m }]");
  const Told told = replay_calls(policy, {{0, "t", 10, 10}, {100, "t", 10, 35}});
  EXPECT_EQ(told.summary.top_ups, 3);
  EXPECT_EQ(told.summary.debts, 0);
  ASSERT_EQ(told.charges.size(), 5u);
  // Token 11 appears at 100 + 0.5 + 11 x 0.02 s; the last top-up of ten is used for five only.
  const auto at = [](double seconds) { return static_cast<double>(seconds) * 1e9; };
  EXPECT_NEAR(static_cast<double>(told.charges[2].time), at(100.72), 1);
  EXPECT_NEAR(static_cast<double>(told.charges[3].time), at(100.92), 1);
  EXPECT_NEAR(static_cast<double>(told.charges[4].time), at(101.12), 1);
  EXPECT_EQ(told.charges[4].tokens, 5);
  EXPECT_EQ(charged(told, 2), 45);
  EXPECT_EQ(told.summary.open_reservations, 0);
}

TEST(Replay, AnAdmittedRowIsNeverCutAndWhatDoesNotFitIsDebt) {
  const auto policy = policy_from(
      "reservation: { warmup: 1, top_up: 10 }\nlimits: [{ name: a, per: global, meter: tokens, allow: 100/1m }]");
  // The second answer ends at 104.5 s having used 210 of 100; its overrun leaves a minute after that, not earlier.
  const Told told = replay_calls(
      policy, {{0, "t", 10, 10}, {100, "t", 10, 200}, {104.6, "t", 1, 1}, {163, "t", 90, 1}, {167, "t", 1, 1}});
  EXPECT_EQ(told.decisions, (Decisions{kAllow, kAllow, kRefuse, kRefuse, kAllow}));
  EXPECT_GT(told.summary.debts, 0);
  EXPECT_EQ(charged(told, 2), 210);
  EXPECT_NE(told.lines[1].find("\"settled\":210"), std::string::npos);
  EXPECT_EQ(told.summary.open_reservations, 0);
}

TEST(Replay, ACapBeyondTheAmountHoldsTheAmountAndAnInputBeyondItNeverFits) {
  const auto policy = policy_from("limits: [{ name: a, per: global, meter: tokens, allow: 500/1m }]");
  const Told told = replay_calls(policy, {{0, "", 100, 10}, {61, "", 501, 1}}, {.whole_cap = true});
  EXPECT_EQ(told.decisions, (Decisions{kAllow, kRefuse}));
  EXPECT_EQ(told.reserved[0], 500);
  EXPECT_NE(told.lines[1].find("\"limit\":\"a\""), std::string::npos);
  EXPECT_NE(told.lines[1].find("\"retry_after\":null"), std::string::npos);
}

TEST(Replay, DollarsRequestsAndPlacesInFlightCountToo) {
  const auto spend = policy_from(
      "models: { m: { provider: sim, price: { input: 1, output: 2 } } }\n"
      "limits: [{ name: spend, per: tenant, meter: usd, allow: 0.002/day }]");
  // 1000 input and 100 output tokens cost $0.0012; while the first holds its cap nothing else fits.
  EXPECT_EQ(replay_calls(spend, {{0, "t", 1000, 100}, {1, "t", 300, 100}, {10, "t", 100, 100}, {20, "t", 900, 1}},
                         {.max_tokens = 100})
                .decisions,
            (Decisions{kAllow, kAllow, kAllow, kRefuse}));
  const auto flight = policy_from("limits: [{ name: f, per: tenant, meter: concurrency, allow: 1 }]");
  EXPECT_EQ(replay_calls(flight, {{0, "t"}, {0.69, "t"}, {0.7, "t"}}).decisions, (Decisions{kAllow, kRefuse, kAllow}))
      << "an answer that ends at an instant has ended for a row that arrives at it";
  const auto requests = policy_from("limits: [{ name: r, per: tenant, meter: requests, allow: 2/day }]");
  EXPECT_EQ(replay_calls(requests, {{0, "t"}, {1, "t"}, {2, "t"}, {86'399, "t"}, {86'400, "t"}}).decisions,
            (Decisions{kAllow, kAllow, kRefuse, kRefuse, kAllow}))
      << "load rows begin at midnight UTC";
}

TEST(Replay, ALoadRowsKeyAndCallerAreItsTenant) {
  for (const char* per : {"caller", "key", "tenant", "[key, conversation]"}) {
    const auto policy =
        policy_from("limits: [{ name: r, per: " + std::string(per) + ", meter: requests, allow: 1/1h }]");
    const Told told = replay_calls(policy, {{0, "a"}, {1, "b"}, {2, ""}, {3, "a"}, {4, "b"}, {5, ""}});
    EXPECT_EQ(told.decisions, (Decisions{kAllow, kAllow, kAllow, kRefuse, kRefuse, kRefuse})) << per;
  }
}

TEST(Replay, ARowWithoutAnAttributeThatALimitInsistsOnIsRefused) {
  const auto policy = policy_from("limits: [{ name: r, per: tenant, meter: requests, allow: 5/1h, missing: refuse }]");
  const Told told = replay_calls(policy, {{0, ""}, {1, "a"}});
  EXPECT_EQ(told.decisions, (Decisions{kRefuse, kAllow}));
  EXPECT_NE(told.lines[0].find("\"limit\":null"), std::string::npos);
}

TEST(Replay, MoreLimitsThanOneRequestMayHaveIsAnError) {
  std::string text = "limits:\n";
  for (int i = 0; i < 17; ++i) {
    text +=
        "  - { name: l" + std::to_string(i) + ", per: global, meter: requests, allow: 5/1h, match: { model: m* } }\n";
  }
  Replay replay(policy_from(text), {}, {});
  replay.begin_trace(FakeTrace());
  ASSERT_TRUE(replay.add(row_of({0, "", 1, 1, "other"})));
  const auto added = replay.add(row_of({0}));
  ASSERT_FALSE(added);
  EXPECT_NE(added.error().message.find("l16"), std::string::npos) << added.error().message;
}

TEST(Replay, LedgerRowsAreTheirOwnKeysUsersAndTiers) {
  const auto policy = policy_from(
      "tiers: { free: { weight: 1 }, pro: { weight: 2 } }\n"
      "limits:\n"
      "  - { name: key, per: key, meter: requests, allow: { free: 1/1h, pro: 2/1h } }\n"
      "  - { name: user, per: user, meter: requests, allow: 3/1h, missing: skip }\n");
  std::vector<std::string> limits;
  Replay replay(policy, {}, [&](const ReplayedRow& row) {
    limits.push_back(row.decision == kAllow ? "" : std::string(row.limit));
  });
  replay.begin_trace(FakeTrace(true));
  const auto add = [&](double at, std::string_view key, std::string_view tier, std::string_view user) {
    const Call call{at, "acme"};
    TraceRow row = row_of(call);
    row.key = key, row.tier = tier, row.user = user;
    ASSERT_TRUE(replay.add(row));
  };
  add(1.7e9, "a", "free", "");
  add(1.7e9 + 1, "a", "free", "");
  add(1.7e9 + 2, "b", "pro", "ann");
  add(1.7e9 + 3, "b", "pro", "ann");
  add(1.7e9 + 4, "b", "pro", "ann");
  add(1.7e9 + 5, "c", "free", "ann");
  add(1.7e9 + 6, "d", "free", "ann");
  EXPECT_EQ(limits, (std::vector<std::string>{"", "key", "", "", "key", "", "user"}));
}

TEST(Replay, TracesFollowOneAnother) {
  const auto policy = policy_from("limits: [{ name: r, per: global, meter: requests, allow: 1/1h }]");
  std::vector<double> times;
  Replay replay(policy, {}, [&](const ReplayedRow& row) { times.push_back(static_cast<double>(row.time) / 1e9); });
  const auto add = [&](double at) { ASSERT_TRUE(replay.add(row_of({at}))); };
  replay.begin_trace(FakeTrace());
  add(1), add(10);
  replay.begin_trace(FakeTrace());
  add(0), add(2);
  replay.begin_trace(FakeTrace(true));
  add(static_cast<double>(kReplayOrigin) / 1e9 - 50), add(static_cast<double>(kReplayOrigin) / 1e9);
  replay.begin_trace(FakeTrace(true));
  add(static_cast<double>(kReplayOrigin) / 1e9 + 1000);
  EXPECT_EQ(times, (std::vector<double>{1, 10, 10, 12, 12, 62, 1000}))
      << "instants are kept where they are later, moved where they are not";
  replay.finish();
  EXPECT_EQ(replay.summary().open_reservations, 0);
}

TEST(Replay, TracesThatTogetherAreTooLongAreAnError) {
  Replay replay(policy_from("limits: []"), {}, {});
  bool refused = false;
  for (int i = 0; i < 40 && !refused; ++i) {
    replay.begin_trace(FakeTrace());
    refused = !replay.add(row_of({static_cast<double>(kMaxTraceTime / kSecond)}));
  }
  EXPECT_TRUE(refused);
}

// Half of a dollar a day, then another model at a tenth of the price and a cap of 50.
constexpr const char* kLadder =
    "models:\n"
    "  m: { provider: sim, price: { input: 0, output: 1000 } }\n"
    "  cheap: { provider: sim, price: { input: 0, output: 100 } }\n"
    "limits:\n"
    "  - name: a\n"
    "    per: tenant\n"
    "    meter: usd\n"
    "    allow: 1/day\n"
    "    degrade: [{ at: 50%, model: { m: cheap }, max_tokens: 50 }]\n"
    "  - { name: dear, per: tenant, match: { model: m }, meter: requests, allow: 3/1h }\n";

constexpr auto kDegrade = ReplayDecision::kDegrade;

TEST(Replay, ALadderChangesModelPriceLimitsAndCapAndTheAnswerEndsThere) {
  const std::vector<Call> calls = {
      {0, "t", 10, 400}, {100, "t", 10, 400}, {200, "t", 10, 20}, {300, "t", 10, 20}, {400, "t", 10, 400, "cheap"}};
  const Told told = replay_calls(policy_from(kLadder), calls, {.max_tokens = 0});
  EXPECT_EQ(told.decisions, (Decisions{kAllow, kDegrade, kAllow, kAllow, kAllow})) << "at 40, 80, 42.5, 44.5, 48.5%";
  EXPECT_NE(told.lines[1].find(R"("decision":"degrade","limit":null,"reserved":60,"settled":60,)"), std::string::npos)
      << told.lines[1];
  EXPECT_NE(told.lines[2].find(R"("reserved":30,"settled":30,)"), std::string::npos) << told.lines[2];
  EXPECT_EQ(told.summary.allowed, 5);
  EXPECT_EQ(told.summary.degraded, 1);
}

constexpr const char* kCapLadder =
    "limits: [{ name: a, per: tenant, meter: tokens, allow: 1000/100s, degrade: [{ at: 50%, max_tokens: 1 }] }]";

TEST(Replay, ARungIsLeftFivePointsBelowWhereItBegan) {
  const std::vector<Call> calls = {
      {0, "t", 40, 0}, {10, "t", 430, 0}, {20, "t", 40, 0}, {105, "t", 10, 0}, {200, "t", 10, 0}};
  const Told told = replay_calls(policy_from(kCapLadder), calls, {.max_tokens = 2});
  EXPECT_EQ(told.decisions, (Decisions{kAllow, kAllow, kDegrade, kDegrade, kAllow}))
      << "51% is entered, 48% is not left yet, 2% is";
}

TEST(Replay, ARefusedRowIsNotRememberedByTheLadder) {
  const std::vector<Call> calls = {{0, "t", 460, 0}, {1, "t", 2000, 0}, {2, "t", 10, 0}};
  const Told told = replay_calls(policy_from(kCapLadder), calls, {.max_tokens = 2});
  EXPECT_EQ(told.decisions, (Decisions{kAllow, kRefuse, kAllow}));
}

TEST(ReplayBounds, MoreAnswersAtOnceAreRefusedByTableFull) {
  const auto policy = policy_from("limits: []");
  std::int64_t table_full = 0;
  Replay replay(policy, {}, [&](const ReplayedRow& row) { table_full += row.limit == "table_full" ? 1 : 0; });
  replay.begin_trace(FakeTrace());
  const Call call;
  const TraceRow row = row_of(call);
  for (std::size_t i = 0; i < kMaxInFlight + 3; ++i) ASSERT_TRUE(replay.add(row));
  EXPECT_EQ(table_full, 3);
  ASSERT_TRUE(replay.add(row_of({1})));
  replay.finish();
  EXPECT_EQ(table_full, 3) << "once they have ended there is room again";
  EXPECT_EQ(replay.summary().open_reservations, 0);
}

TEST(ReplayBounds, TenantsBeyondTheMostAreNotCountedByName) {
  const auto policy = policy_from("limits: [{ name: a, per: global, meter: input_tokens, allow: 1/1m }]");
  Replay replay(policy, {}, {});
  replay.begin_trace(FakeTrace());
  const std::size_t rows = kMaxTenantsCounted + 10;
  for (std::size_t i = 0; i < rows; ++i) ASSERT_TRUE(replay.add(row_of({0, std::to_string(i)})));
  ASSERT_TRUE(replay.add(row_of({0, "0"})));
  EXPECT_EQ(replay.summary().refusals_by_tenant.size(), kMaxTenantsCounted);
  EXPECT_EQ(replay.summary().refusals_by_tenant.at("0"), 2);
  EXPECT_EQ(replay.summary().refused, static_cast<std::int64_t>(rows) + 1);
}

TEST(ReplayBounds, PricesOfManyModelsStayRight) {
  const auto policy = policy_from(
      "models: { \"cheap*\": { provider: sim, price: { input: 1, output: 1 } }, "
      "\"*\": { provider: sim, price: { input: 9, output: 9 } } }");
  RowRequest request(*policy);
  for (std::size_t round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i <= RowRequest::kMaxModels; ++i) {
      const bool cheap = i % 2 == 0;
      request.read(row_of({0, "", 1, 1, (cheap ? "cheap" : "dear") + std::to_string(i)}));
      ASSERT_EQ(request.price().input, cheap ? 1'000'000 : 9'000'000) << i;
      ASSERT_EQ(request.attributes()[Attribute::kProvider], "sim");
    }
  }
}

}  // namespace
}  // namespace weir
