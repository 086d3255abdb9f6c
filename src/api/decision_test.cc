// The decision API, asked through a session as clients do: the desk's states, and what it does when counters or the
// disk fail. Whole flows with restarts are in tests/e2e/decision.test.mjs.
#include <gtest/gtest.h>

#include <chrono>

#include "api/endpoints.h"
#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

constexpr TimeNs kForever = kNoon + 300 * kDay;
constexpr std::string_view kEstimate = R"("estimate":{"input_tokens":900,"output_tokens":500})";

std::string admit_body(std::string_view id, std::string_view hold = "120s") {
  return joined({R"({"model":"gpt-4o",)", kEstimate, R"(,"id":")", id, R"(","hold":")", hold, R"("})"});
}
std::string id_body(std::string_view id) {
  return joined({R"({"id":")", id, R"("})"});
}
std::string usage_body(std::string_view id, std::string_view usage) {
  return joined({R"({"id":")", id, R"(","usage":{)", usage, "}}"});
}

class DecisionTest : public testing::Test {
 protected:
  DecisionTest() { world.services.endpoints = &*api; }
  ~DecisionTest() override { api->shut_down(); }
  Received post(std::string_view call, std::string_view body, std::string_view key) {
    Connection client(world);
    client.say(request("POST", joined({"/weir/v1/", call}), key, body));
    return client.answer();
  }
  Received post(std::string_view call, std::string_view body) { return post(call, body, world.agent); }
  // What the background does every so often.
  void expire() {
    world.limiter.expire(world.services.now, 100, [&](Hash128 id) { api->desk().expired(world.services, id); });
    world.turn();
  }

  World world;
  ApiOptions options;
  std::unique_ptr<Api> api = std::make_unique<Api>(options);
};

TEST_F(DecisionTest, HoldsSettlesOnceAndAnswersTheSame) {
  const Received admitted = post("admit", admit_body("a"));
  ASSERT_EQ(admitted.status, 200) << admitted.body;
  EXPECT_TRUE(admitted.body.starts_with(R"({"id":"a","decision":"allow","limits":[{"name":"requests")"));
  EXPECT_EQ(world.reserved("tokens"), 1400);
  EXPECT_EQ(world.reserved("spend"), 7250);
  ASSERT_EQ(world.journal.opens.size(), 1u);
  EXPECT_EQ(world.journal.opens[0].row.reserved_tokens, 1400);
  EXPECT_LT(first_of(world.trace, "written"), first_of(world.trace, "client"))
      << "in the journal before it is answered";
  EXPECT_EQ(post("admit", admit_body("a")).body, admitted.body);
  const Received settled = post("settle", usage_body("a", R"("input_tokens":880,"output_tokens":412)"));
  EXPECT_TRUE(settled.body.starts_with(R"({"id":"a","settled":"usage","input_tokens":880,"output_tokens":412,)"));
  EXPECT_EQ(post("settle", usage_body("a", "")).body, settled.body);
  EXPECT_EQ(world.used("tokens"), 1292);
  EXPECT_EQ(world.row().usd_micros, 6320);
  EXPECT_EQ(world.row().route, "/weir/v1/admit");
  EXPECT_EQ(api->desk().open(), 0u);
  EXPECT_EQ(api->desk().closed(), 1u);
  world.expect_quiet();
}

TEST_F(DecisionTest, CachedTokensAreCheaperAndAGivenPriceWins) {
  post("admit", admit_body("a"));
  post("settle", usage_body("a", R"("input_tokens":1000,"cached_tokens":1000)"));
  EXPECT_EQ(world.row().usd_micros, 1250);
  post("admit", admit_body("b"));
  post("settle", usage_body("b", R"("input_tokens":1000,"usd":0.5)"));
  EXPECT_EQ(world.row().usd_micros, 500'000);
  post("admit", R"({"id":"c","estimate":{"usd":2}})");
  EXPECT_EQ(world.reserved("spend"), 2'000'000);
  post("settle", usage_body("c", ""));
  EXPECT_EQ(world.row().usd_micros, 0);
  world.expect_quiet();
}

TEST_F(DecisionTest, CustomMetersCostTheirEstimateWhenLeftOut) {
  post("admit", R"({"id":"a","estimate":{"units":10,"rows":3}})");
  EXPECT_EQ(world.reserved("units"), 10);
  const Received settled = post("settle", usage_body("a", R"("rows":1)"));
  EXPECT_TRUE(has(settled.body, R"("meters":{"rows":1,"units":10})"));
  EXPECT_EQ(world.used("units"), 10);
  EXPECT_EQ(world.used("rows"), 1);
  post("admit", R"({"id":"b","estimate":{"units":10}})");
  EXPECT_EQ(post("settle", usage_body("b", R"("unitz":1)")).status, 400);
  EXPECT_EQ(post("admit", R"({"estimate":{"unitz":1}})").status, 400);
  post("cancel", id_body("b"));
  EXPECT_EQ(world.used("units"), 10);
  world.expect_quiet();
}

TEST_F(DecisionTest, WhatExpiresIsChargedAndALateSettlementAdjusts) {
  post("admit", admit_body("a", "10s"));
  world.pass(11 * kSecond);
  expire();
  EXPECT_EQ(world.row().settled, Settled::kExpired);
  EXPECT_EQ(world.row().usage.total(), 1400);
  EXPECT_EQ(world.used("tokens"), 1400);
  EXPECT_EQ(world.state(world.agent, "in-flight").reserved, 0);
  const Received late = post("settle", usage_body("a", R"("input_tokens":100)"));
  EXPECT_TRUE(has(late.body, R"("settled":"usage","input_tokens":100,)"));
  EXPECT_TRUE(has(late.body, R"("expired":true)"));
  EXPECT_EQ(world.used("tokens"), 100);
  EXPECT_EQ(world.journal.settles.size(), 2u);
  EXPECT_EQ(post("settle", usage_body("a", "")).body, late.body);
}

// So that a debt of tokens does not stop work that has none. The ledger has what was used all the same.
TEST_F(DecisionTest, LimitsOfTokensCountWhereAModelOrTokensWereNamed) {
  post("admit", R"({"id":"a","estimate":{"usd":1}})");
  post("settle", usage_body("a", R"("input_tokens":1271)"));
  EXPECT_EQ(world.row().usage.total(), 1271);
  EXPECT_EQ(world.used("tokens"), 0);
  post("admit", R"({"id":"b","model":"gpt-4o","estimate":{"usd":1}})");
  post("settle", usage_body("b", R"("input_tokens":1271)"));
  EXPECT_EQ(world.used("tokens"), 1271);
}

TEST_F(DecisionTest, ASettlementThatOvertakesTheNewsOfExpiryIsTheOnlyRow) {
  post("admit", admit_body("a", "10s"));
  world.pass(11 * kSecond);
  std::vector<Hash128> ids;
  world.limiter.expire(world.services.now, 100, [&](Hash128 id) { ids.push_back(id); });
  EXPECT_TRUE(has(post("settle", usage_body("a", R"("input_tokens":100)")).body, R"("expired":true)"));
  for (const Hash128& id : ids) api->desk().expired(world.services, id);
  ASSERT_EQ(ids.size(), 1u);
  EXPECT_EQ(world.used("tokens"), 100);
  world.expect_quiet();
}

TEST_F(DecisionTest, IdsAreForgottenAnHourAfterTheyWereClosed) {
  post("admit", admit_body("a"));
  post("settle", usage_body("a", ""));
  world.pass(59 * kMinute);
  EXPECT_EQ(post("settle", usage_body("a", "")).status, 200);
  world.pass(61 * kSecond);
  const Received gone = post("settle", usage_body("a", ""));
  EXPECT_EQ(gone.status, 404);
  EXPECT_TRUE(has(gone.body, R"("code":"unknown_id")"));
  EXPECT_EQ(post("admit", admit_body("a")).status, 200);
  EXPECT_EQ(world.journal.opens.size(), 2u);
}

TEST_F(DecisionTest, ClosedIdsAreBoundedOldestFirst) {
  DecisionDesk desk({.closed = 3, .closed_bytes = 1000});
  for (std::uint64_t i = 1; i <= 5; ++i) desk.remember({.id = {1, i}, .at = kNoon, .admitted = "{}", .answer = "{}"});
  EXPECT_EQ(desk.closed(), 3u);
  desk.remember({.id = {1, 9}, .at = kNoon, .admitted = std::string(900, 'x'), .answer = std::string(99, 'x')});
  EXPECT_EQ(desk.closed(), 1u);
  std::string body;
  const auto ask = [&](std::uint64_t id) {
    desk.cancel(world.services, {1, id}, [&](Reply reply) { body = reply.body; });
    return body;
  };
  EXPECT_TRUE(has(ask(5), "unknown_id"));
  EXPECT_TRUE(has(ask(9), "already"));
}

TEST_F(DecisionTest, CallsForOneIdWaitForEachOther) {
  world.counters.deferred = true;
  Connection first(world), second(world), third(world);
  first.say(request("POST", "/weir/v1/admit", world.agent, admit_body("a")));
  second.say(request("POST", "/weir/v1/admit", world.agent, admit_body("a")));
  third.say(request("POST", "/weir/v1/cancel", world.agent, id_body("a")));
  EXPECT_EQ(world.counters.waiting(), 1u);
  world.counters.answer();
  world.turn();
  EXPECT_EQ(first.answer().body, second.answer().body);
  EXPECT_EQ(third.port.sent, "");
  world.counters.answer();
  world.turn();
  EXPECT_EQ(third.answer().status, 200);
  world.counters.deferred = false;
  world.expect_quiet();
}

TEST_F(DecisionTest, OnlySoManyCallsWaitForOneId) {
  world.counters.deferred = true;
  std::vector<std::unique_ptr<Connection>> clients;
  for (std::size_t i = 0; i < DecisionDesk::kMaxWaiting + 2; ++i) {
    clients.push_back(std::make_unique<Connection>(world));
    clients.back()->say(request("POST", "/weir/v1/admit", world.agent, admit_body("a")));
  }
  EXPECT_EQ(clients.back()->answer().status, 503);
  EXPECT_EQ(clients[clients.size() - 2]->port.sent, "");
  world.counters.answer();
  world.turn();
  for (std::size_t i = 0; i + 1 < clients.size(); ++i) EXPECT_EQ(clients[i]->answer().status, 200) << i;
  EXPECT_EQ(world.journal.opens.size(), 1u);
  world.counters.deferred = false;
  post("cancel", id_body("a"));
  world.expect_quiet();
}

TEST_F(DecisionTest, TokensAreLimitedWithoutAModelToo) {
  post("admit", R"({"id":"a","estimate":{"input_tokens":45000}})");
  EXPECT_EQ(world.reserved("tokens"), 45'000);
  EXPECT_EQ(post("admit", R"({"estimate":{"input_tokens":6000}})").status, 429);
  EXPECT_EQ(post("admit", R"({"id":"b","estimate":{}})").status, 200) << "work without tokens is no token limit's";
  post("cancel", id_body("a"));
  post("cancel", id_body("b"));
  world.expect_quiet();
}

TEST_F(DecisionTest, AClientThatLeavesLosesOnlyItsAnswer) {
  world.counters.deferred = true;
  Connection client(world);
  client.say(request("POST", "/weir/v1/admit", world.agent, admit_body("a")));
  client.leave();
  world.counters.answer();
  world.turn();
  world.counters.deferred = false;
  EXPECT_EQ(world.reserved("tokens"), 1400);
  EXPECT_EQ(post("admit", admit_body("a")).status, 200);
  EXPECT_EQ(world.journal.opens.size(), 1u);
  post("cancel", id_body("a"));
  world.expect_quiet();
}

TEST_F(DecisionTest, WithoutTheJournalNothingIsAdmitted) {
  world.disk_ok = false;
  const Received refused = post("admit", admit_body("a"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused["retry-after"], "(absent)");
  world.disk_ok = true;
  EXPECT_EQ(world.reserved("tokens"), 0);
  EXPECT_EQ(world.row().settled, Settled::kNone);
  EXPECT_EQ(post("admit", admit_body("a")).status, 200);
  post("cancel", id_body("a"));
}

TEST_F(DecisionTest, WithoutCountersNothingIsDecided) {
  world.counters.status = CountersStatus::kUnavailable;
  EXPECT_EQ(post("admit", admit_body("a")).status, 503);
  EXPECT_EQ(post("check", admit_body("a")).status, 503);
  world.counters.status = CountersStatus::kOk;
  EXPECT_EQ(post("settle", usage_body("a", "")).status, 404);
  world.expect_quiet();
}

TEST_F(DecisionTest, OneKeyHasOnlySoManyHoldsOpen) {
  const auto hash = [](std::uint64_t n) { return Hash128{.high = 77, .low = n}; };
  UsageRow row;
  row.key = "agent-1";
  row.route = kDecisionRoute;
  for (std::uint64_t n = 0; n + 1 < kMaxHoldsPerKey; ++n) {
    ASSERT_TRUE(api->desk().adopt(hash(n), row, encode_hold({.held = {.id = hash(n), .deadline = kForever}})));
  }
  // Room for one: what is not admitted, for whatever reason, does not take it.
  EXPECT_EQ(post("admit", R"({"model":"gpt-4o","estimate":{"input_tokens":60000}})").status, 413);
  world.disk_ok = false;
  EXPECT_EQ(post("admit", admit_body("a")).status, 503);
  world.disk_ok = true;
  world.counters.status = CountersStatus::kUnavailable;
  EXPECT_EQ(post("admit", admit_body("a")).status, 503);
  world.counters.status = CountersStatus::kOk;
  const Received admitted = post("admit", admit_body("a"));
  EXPECT_EQ(admitted.status, 200);
  EXPECT_EQ(post("admit", admit_body("a")).body, admitted.body) << "a repeat is no further hold";

  const std::int64_t requests = world.used("requests");
  const std::size_t opens = world.journal.opens.size();
  const Received full = post("admit", admit_body("b"));
  EXPECT_EQ(full.status, 429);
  EXPECT_TRUE(has(full.body, "Key `agent-1` has 10000 holds open"));
  EXPECT_TRUE(has(full.body, R"("code":"too_many_holds")"));
  EXPECT_NE(full["retry-after"], "(absent)");
  EXPECT_EQ(world.used("requests"), requests) << "nothing is charged";
  EXPECT_EQ(world.reserved("tokens"), 1400);
  EXPECT_EQ(world.journal.opens.size(), opens);
  EXPECT_EQ(post("cancel", id_body("b")).status, 404);
  EXPECT_EQ(post("admit", admit_body("c"), world.human).status, 200) << "another key has its own bound";

  const auto room_for_one = [&](std::string_view id) {
    EXPECT_EQ(post("admit", admit_body(id, "10s")).status, 200) << id;
    EXPECT_EQ(post("admit", admit_body("b")).status, 429) << id;
  };
  post("settle", usage_body("a", ""));
  room_for_one("d");
  post("cancel", id_body("d"));
  room_for_one("e");
  world.pass(11 * kSecond);
  expire();
  post("settle", usage_body("e", ""));  // late: its place was free already
  room_for_one("f");
}

TEST_F(DecisionTest, CheckIsAdmitWithoutAnyTrace) {
  const Received check = post("check", admit_body("a"));
  EXPECT_EQ(check.status, 200);
  EXPECT_TRUE(check.body.starts_with(R"({"decision":"allow","limits":[)"));
  const Received refused = post("check", R"({"model":"gpt-4o","estimate":{"input_tokens":60000}})");
  EXPECT_EQ(refused.status, 413);
  EXPECT_TRUE(has(refused.body, R"("weir":{"limit":"tokens")"));
  EXPECT_EQ(world.used("requests"), 0);
  EXPECT_TRUE(world.journal.opens.empty());
  EXPECT_TRUE(world.journal.audits.empty());
  world.expect_quiet();
}

TEST_F(DecisionTest, ARefusalIsThatOfTheUserForWhomAServiceAsked) {
  const std::string backend = world.add_key({.name = "backend", .tenant = "acme", .kind = ConsumerKind::kService});
  const std::string_view body =
      R"({"id":"a","model":"gpt-4o","attributes":{"user":"eve","run":"r1"},"estimate":{"input_tokens":60000}})";
  EXPECT_EQ(post("admit", body, backend).status, 413);
  ASSERT_EQ(world.journal.audits.size(), 1u);
  const AuditRow& row = world.journal.audits[0];
  EXPECT_EQ((std::vector{row.key, row.user, row.run}), (std::vector<std::string>{"backend", "eve", "r1"}));
}

TEST_F(DecisionTest, RefusalsAreAuditedAndMayBeAskedAgain) {
  post("admit", R"({"id":"big","model":"gpt-4o","estimate":{"input_tokens":45000}})");
  const Received refused = post("admit", R"({"id":"a","model":"gpt-4o","estimate":{"input_tokens":45000}})");
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(has(refused.body, R"("weir":{"limit":"tokens","layer":"budget")"));
  ASSERT_EQ(world.journal.audits.size(), 1u);
  EXPECT_EQ(world.journal.audits[0].key, "agent-1");
  post("cancel", id_body("big"));
  EXPECT_EQ(post("admit", R"({"id":"a","model":"gpt-4o","estimate":{"input_tokens":45000}})").status, 200);
  post("cancel", id_body("a"));
  world.expect_quiet();
}

// The spend limit of the test policy with a ladder.
const std::string kLadder = policy_with(
    "  - { name: spend, per: caller, meter: usd, allow: 10/day, degrade: [{ at: 50%, model: { gpt-4o: embed }, "
    "max_tokens: 100, keep_messages: 20 }] }",
    "  - { name: spend,");

TEST_F(DecisionTest, ALadderChangesModelCapAndPrice) {
  world.use_policy(kLadder);
  post("admit", R"({"id":"half","estimate":{"usd":4.995}})");
  const Received admitted = post("admit", admit_body("a"));
  EXPECT_TRUE(
      has(admitted.body,
          R"("decision":"degrade","degrade":{"model":"embed","max_tokens":100,"keep_messages":20},"limits":[)"));
  EXPECT_EQ(admitted["x-weir-degraded"], "spend; model=embed; max_tokens=100; keep_messages=20");
  EXPECT_EQ(world.reserved("tokens"), 1000) << "the cap of the rung, not the estimate";
  EXPECT_EQ(world.reserved("spend"), 4'995'900) << "at the price of the model that will be called";
  ASSERT_EQ(world.journal.audits.size(), 1u);
  EXPECT_EQ(world.journal.audits[0].event, AuditEvent::kDegraded);
  EXPECT_EQ(world.journal.audits[0].limit, "spend");
  EXPECT_EQ(world.journal.audits[0].request_id, "a");
  EXPECT_EQ(world.journal.audits[0].allowed, "10");
  EXPECT_EQ(world.journal.audits[0].reserved, "4.995") << "what the ladder saw";
  EXPECT_EQ(world.book.degraded.value(), 1);
  post("settle", usage_body("a", R"("input_tokens":900,"output_tokens":100)"));
  EXPECT_EQ(world.row().model, "embed");
  EXPECT_EQ(world.row().degraded, "spend; model=embed; max_tokens=100; keep_messages=20");
  EXPECT_EQ(world.row().usd_micros, 900);
  post("cancel", id_body("half"));
  world.expect_quiet();
}

TEST_F(DecisionTest, CheckDegradesAsAdmitWouldAndTeachesTheLadderNothing) {
  world.use_policy(kLadder);
  post("admit", R"({"id":"half","estimate":{"usd":4.995}})");
  const Received checked = post("check", admit_body("c"));
  EXPECT_EQ(checked.status, 200);
  EXPECT_TRUE(has(checked.body, R"({"decision":"degrade","degrade":{"model":"embed",)")) << checked.body;
  EXPECT_EQ(checked["x-weir-degraded"], "spend; model=embed; max_tokens=100; keep_messages=20");
  EXPECT_EQ(world.learned.ladders.size(), 0u);
  EXPECT_TRUE(world.journal.audits.empty());
  EXPECT_EQ(world.book.degraded.value(), 0);
  post("cancel", id_body("half"));
  world.expect_quiet();
}

TEST_F(DecisionTest, ARungIsLeftFivePointsBelowWhereItBeganByAdmittedCallsOnly) {
  world.use_policy(kLadder);
  int calls = 0;
  const auto decide = [&](std::string_view call) {
    const std::string id = "x" + std::to_string(++calls);
    const Received answer =
        post(call, joined({R"({"id":")", id, R"(","model":"gpt-4o","estimate":{"input_tokens":10}})"}));
    EXPECT_EQ(answer.status, 200) << answer.body;
    if (call == "admit") post("cancel", id_body(id));
    return has(answer.body, R"("decision":"degrade")") ? "degrade" : "allow";
  };
  const auto spend = [&](std::string_view id, std::string_view usd) {
    post("admit", joined({R"({"id":")", id, R"(","estimate":{"usd":)", usd, R"(},"hold":"24h"})"}));
  };
  spend("most", "4.7");
  EXPECT_STREQ(decide("admit"), "allow");
  spend("more", "0.4");
  EXPECT_STREQ(decide("check"), "degrade");
  EXPECT_STREQ(decide("admit"), "degrade");
  post("cancel", id_body("more"));
  EXPECT_STREQ(decide("check"), "degrade") << "at 47% the rung of 50% is not left yet";
  EXPECT_STREQ(decide("admit"), "degrade");
  post("cancel", id_body("most"));
  EXPECT_STREQ(decide("admit"), "allow") << "and that is remembered, also without a change";
  spend("again", "4.7");
  EXPECT_STREQ(decide("admit"), "allow");
  post("cancel", id_body("again"));
  world.expect_quiet();
}

TEST_F(DecisionTest, ARefusedCallTeachesTheLadderNothing) {
  world.use_policy(kLadder);
  post("admit", R"({"id":"half","estimate":{"usd":4.995}})");
  EXPECT_EQ(post("admit", R"({"model":"gpt-4o","estimate":{"input_tokens":60000}})").status, 413);
  EXPECT_EQ(world.learned.ladders.size(), 0u);
  post("cancel", id_body("half"));
  world.expect_quiet();
}

TEST_F(DecisionTest, AnEstimateBeyondAnAmountHoldsTheAmountInEveryLimitAndInTheRow) {
  EXPECT_EQ(
      post("admit", R"({"id":"a","model":"gpt-4o","estimate":{"input_tokens":1000,"output_tokens":90000}})").status,
      200);
  EXPECT_EQ(world.reserved("tokens"), 50'000);
  EXPECT_EQ(world.reserved("spend"), 2'500 + 490'000);
  EXPECT_EQ(world.journal.opens.back().row.reserved_tokens, 50'000);
  post("cancel", id_body("a"));
  world.expect_quiet();
}

TEST_F(DecisionTest, AnUnreadHoldIsNotAdopted) {
  EXPECT_FALSE(api->desk().adopt({1, 1}, {}, "garbage"));
  EXPECT_EQ(api->desk().open(), 0u);
}

TEST_F(DecisionTest, CountEstimatesFromAboveAsTheGatewayDoesAndAddsPictures) {
  const std::string text(4000, 'x');
  const std::string question = joined({R"({"model":"claude-x","text":")", text, R"("})"});
  EXPECT_TRUE(has(post("count", question).body, R"("tokens":1250,"exact":false)"));
  for (int i = 0; i < 40; ++i) {
    world.learned.calibration.learn(OutputHistory::key("tenant acme", "claude-x"), 4000, 500);
  }
  const std::int64_t learned =
      world.learned.calibration.tokens_of(OutputHistory::key("tenant acme", "claude-x"), 4000).upper;
  EXPECT_LT(learned, 1250);
  EXPECT_TRUE(has(post("count", question).body, joined({R"("tokens":)", std::to_string(learned), ","})));
  const Received pictured = post("count", R"({"model":"gpt-4o","messages":[{"role":"user","content":[)"
                                          R"({"type":"text","text":"hello"},)"
                                          R"({"type":"image_url","image_url":{"url":"https://x.test/a.png"}}]}]})");
  EXPECT_TRUE(has(pictured.body, R"("exact":false)"));
  const std::size_t at = pictured.body.find(R"("tokens":)");
  ASSERT_NE(at, std::string::npos);
  EXPECT_GT(std::stoi(pictured.body.substr(at + 9)), 500) << pictured.body;
}

TEST_F(DecisionTest, CountUsesTheTokenizerWhenThereIsOneAndAnEstimateOtherwise) {
  const Received estimated = post("count", R"({"model":"claude-x","text":"hello world"})");
  EXPECT_EQ(estimated.body, R"({"model":"claude-x","encoding":null,"tokens":4,"exact":false})");
  EXPECT_EQ(post("count", R"({"model":"gpt-4o","text":"hello world"})").body,
            R"({"model":"gpt-4o","encoding":"o200k_base","tokens":2,"exact":true})");
  EXPECT_EQ(post("count", R"({"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]})").body,
            R"({"model":"gpt-4o","encoding":"o200k_base","tokens":8,"exact":true})");
  EXPECT_EQ(post("count", R"({"model":"nobody-knows","messages":[{"role":"user","content":"hello"}]})").body,
            R"({"model":"nobody-knows","encoding":null,"tokens":7,"exact":false})");
  EXPECT_EQ(post("count", R"({"model":"gpt-4o","messages":7})").status, 400);
  EXPECT_EQ(world.used("requests"), 0);
  world.expect_quiet();
}

TEST_F(DecisionTest, EveryCallNeedsAKeyAndPost) {
  for (const std::string_view call : {"admit", "settle", "cancel", "check", "count"}) {
    EXPECT_EQ(post(call, "{}", {}).status, 401) << call;
    Connection client(world);
    client.say(request("GET", joined({"/weir/v1/", call}), world.agent));
    EXPECT_EQ(client.answer().status, 405) << call;
  }
  EXPECT_EQ(post("admit", std::string(kMaxOwnBody + 1, ' ')).status, 413);
  EXPECT_EQ(world.buffers.used.load(), 0);
}

TEST(DecisionRequest, TooManyNamesAreAFault) {
  std::string tools, meters;
  for (std::size_t i = 0; i <= kMaxToolNames; ++i) tools += i == 0 ? R"("t")" : R"(,"t")";
  for (std::size_t i = 0; i <= kMaxCustomMeters; ++i) meters += (i == 0 ? "\"m" : ",\"m") + std::to_string(i) + "\":1";
  EXPECT_FALSE(read_admit("{\"tools\":[" + tools + "]}"));
  EXPECT_TRUE(read_admit("{\"tools\":[" + tools.substr(4) + "]}"));
  EXPECT_FALSE(read_admit("{\"estimate\":{" + meters + "}}"));
  EXPECT_TRUE(read_admit("{\"estimate\":{" + meters.substr(7) + "}}"));
}

// A megabyte of names was once compared each with each, for as long as the worker's other clients waited.
TEST(DecisionRequest, AMegabyteOfNamesIsTurnedAwayAtOnce) {
  const auto object_of = [](std::size_t count, const auto& name) {
    std::string out = "{";
    for (std::size_t i = 0; i < count; ++i) {
      out += (i == 0 ? "\"" : ",\"") + std::string(name) + std::to_string(i) + "\":1";
    }
    return out + "}";
  };
  const std::string many = object_of(90'000, "m");
  const auto begun = std::chrono::steady_clock::now();
  const auto estimate = read_admit(R"({"estimate":)" + many + "}");
  const auto usage = read_settle(R"({"id":"a","usage":)" + many + "}");
  const auto attributes = read_admit(R"({"attributes":)" + many + "}");
  const auto body = read_admit(many);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(3));
  ASSERT_FALSE(estimate || usage || attributes || body);
  for (const CallFault& fault : {estimate.error(), usage.error(), attributes.error(), body.error()}) {
    EXPECT_EQ(fault.status, 400);
    EXPECT_TRUE(has(fault.message, "more than 80 members")) << fault.message;
  }
  // Just within the bound: the first fault is the answer, and nothing after it is looked at.
  const auto first = read_admit(R"({"estimate":{"usd":-1,"requests":"x","usd":1}})");
  ASSERT_FALSE(first);
  EXPECT_TRUE(has(first.error().message, "`usd` must be dollars"));
  const auto within = read_admit(R"({"estimate":)" + object_of(80, "m") + "}");
  ASSERT_FALSE(within);
  EXPECT_TRUE(has(within.error().message, "too many meters; 64 ")) << within.error().message;
}

TEST(DecisionHold, ComesBackAsItWasAndDamageIsSeen) {
  DecisionHold hold{
      .held = {.id = {1, 2}, .deadline = kNoon, .remember = false, .count = 2},
      .meters = {{{.kind = MeterKind::kTokens}}, {{.kind = MeterKind::kCustom, .custom = "units", .weight = 3}}},
      .estimate = {.input_tokens = 5, .usd_micros = 7, .custom = {{"units", 4}}},
      .price = {.input = 2'500'000, .output = 10'000'000},
      .admitted = "{\"id\":\"a\"}"};
  hold.held.demands.push_back({.subject = {~0ull, 3},
                               .counter = ~0ull,
                               .kind = WindowKind::kCalendar,
                               .demand = 1,
                               .shadow = true,
                               .quota = {.amount = 9, .period_start = 1, .period_end = kNoon},
                               .units = 12,
                               .charges = {{.at = 1, .amount = 12}}});
  const std::string bytes = encode_hold(hold);
  DecisionHold again;
  ASSERT_TRUE(decode_hold(bytes, again));
  EXPECT_EQ(encode_hold(again), bytes);
  EXPECT_EQ(again.held.demands[0].counter, ~0ull);
  EXPECT_TRUE(again.held.demands[0].shadow);
  EXPECT_EQ(again.admitted, hold.admitted);
  EXPECT_EQ(actual_units(again, {.input_tokens = 1, .output_tokens = 2}), (std::vector<std::int64_t>{3, 12}));
  EXPECT_EQ(actual_units(again, {.custom = {{"units", 1}}}), (std::vector<std::int64_t>{0, 3}));
  for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_FALSE(decode_hold(bytes.substr(0, i), again)) << i;
  EXPECT_FALSE(decode_hold(bytes + "x", again));
}

}  // namespace
}  // namespace weir
