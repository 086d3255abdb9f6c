// Runs, breakers and kill switches, as clients see them.
#include <gtest/gtest.h>

#include "gateway/agent_fixture.h"

namespace weir {
namespace {

using namespace stage;

const Call kLookup{.id = "call_1", .name = "lookup", .arguments = R"({"q":"invoice"})"};

std::string queueing(const char* amount, const char* wait) {
  return std::string(R"(
providers:
  openai: { dialect: openai, url: "http://openai.test:8000/v1", key: sk-provider-secret }
models:
  gpt-4o: { provider: openai, price: { input: 1, output: 1 } }
limits:
  - { name: tokens, per: caller, meter: tokens, allow: 1M/1m }
  - { name: in-flight, per: caller, meter: concurrency, allow: 4 }
  - { name: requests, per: caller, meter: requests, allow: )") +
         amount + ", on_exceed: { queue: " + wait + " } }\n";
}

TEST(ExchangeAgent, ResultsOfAnnouncedCallsJoinTheRunWithoutAnyHeader) {
  World world(kAgentPolicy);
  Talk talk("Find the invoice.");
  const Received first = exchange_once(world, world.agent, talk, announcing({kLookup}));
  ASSERT_EQ(first.status, 200);
  const std::string run = world.row().run;
  EXPECT_FALSE(run.empty());
  talk.announced({kLookup}).returned("call_1", "found");
  exchange_once(world, world.agent, talk, json_answer(kChatAnswer));
  EXPECT_EQ(world.row().run, run);
  EXPECT_EQ(world.used("runs"), 1);
  world.expect_quiet();
}

TEST(ExchangeAgent, EveryPromptIsARunAndTheLimitOfRunsCountsIt) {
  World world(kAgentPolicy);
  for (int i = 0; i < 3; ++i) {
    const Received answer =
        exchange_once(world, world.agent, Talk("Prompt " + std::to_string(i)), json_answer(kChatAnswer));
    EXPECT_EQ(answer.status, 200);
  }
  const Received refused = exchange_once(world, world.agent, Talk("One more"), json_answer(kChatAnswer));
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(has(refused.body, R"("limit":"runs")"));
  EXPECT_TRUE(has(refused.body, R"("layer":"rate")"));
  world.expect_quiet();
}

TEST(ExchangeAgent, ANamedRunIsCountedOnceAndARefusedRequestBeginsNone) {
  World world(agent_policy_with("runs: { max_llm_calls: 100 }\n"));
  for (int i = 0; i < 5; ++i) {
    const Received answer = exchange_once(world, world.agent, Talk("Step " + std::to_string(i)),
                                          json_answer(kChatAnswer), "x-weir-run: nightly\r\n");
    EXPECT_EQ(answer.status, 200);
  }
  EXPECT_EQ(world.used("runs"), 1);
  EXPECT_EQ(world.row().run, "nightly");
  exchange_once(world, world.agent, Talk("a"), json_answer(kChatAnswer));
  exchange_once(world, world.agent, Talk("b"), json_answer(kChatAnswer));
  EXPECT_EQ(exchange_once(world, world.agent, Talk("c"), json_answer(kChatAnswer), "x-weir-run: other\r\n").status,
            429);
  world.pass(61 * kSecond);
  // Had the refused request begun `other`, this one would have joined it and cost nothing.
  EXPECT_EQ(exchange_once(world, world.agent, Talk("d"), json_answer(kChatAnswer), "x-weir-run: other\r\n").status,
            200);
  EXPECT_EQ(world.used("runs"), 1);
  world.expect_quiet();
}

TEST(ExchangeAgent, RepeatingAnEmbeddingThatGoesWellIsOrdinary) {
  World world(R"(
providers: { openai: { dialect: openai, url: "http://openai.test:8000/v1", key: sk-provider-secret } }
models: { embed: { provider: openai, price: { input: 1, output: 0 } } }
limits:
  - { name: requests, per: caller, meter: requests, allow: 1000/1m }
  - { name: tokens, per: caller, meter: tokens, allow: 1M/1m }
  - { name: in-flight, per: caller, meter: concurrency, allow: 4 }
)");
  const std::string body = R"({"model":"embed","input":"the same text"})";
  for (int i = 0; i < 80; ++i) {
    Connection client(world);
    client.say(request("POST", "/v1/embeddings", world.agent, body));
    world.upstream().bytes(
        json_answer(R"({"object":"list","model":"embed","data":[{"object":"embedding","index":0,"embedding":[0.5]}],)"
                    R"("usage":{"prompt_tokens":3,"total_tokens":3}})"));
    ASSERT_EQ(client.answer().status, 200) << i;
  }
  world.expect_quiet();
}

TEST(ExchangeAgent, ASignedLineageJoinsTheRunOneLevelDeeperAlsoUnderAnotherKeyOfTheTenant) {
  World world(kAgentPolicy);
  const Received parent = exchange_once(world, world.agent, Talk("Plan."), json_answer(kChatAnswer));
  const std::string run = world.row().run;
  const std::string token = parent["x-weir-lineage"];
  ASSERT_NE(token, "(absent)");
  const Received child = exchange_once(world, world.human, Talk("Do part one."), json_answer(kChatAnswer),
                                       "x-weir-lineage: " + token + "\r\n");
  EXPECT_EQ(child.status, 200);
  EXPECT_EQ(world.row().run, run);
  EXPECT_NE(child["x-weir-lineage"], token);
  world.expect_quiet();
}

TEST(ExchangeAgent, AForgedLineageIsRefusedAndNothingIsCharged) {
  World world(kAgentPolicy);
  const Received parent = exchange_once(world, world.agent, Talk("Plan."), json_answer(kChatAnswer));
  std::string token = parent["x-weir-lineage"];
  token[token.size() - 3] = token[token.size() - 3] == 'A' ? 'B' : 'A';
  const Received refused =
      exchange_once(world, world.agent, Talk("Child."), json_answer(kChatAnswer), "x-weir-lineage: " + token + "\r\n");
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(has(refused.body, "X-Weir-Lineage"));
  EXPECT_EQ(world.used("requests"), 1);
  EXPECT_EQ(world.dialed.size(), 1u);
  world.expect_quiet();
}

TEST(ExchangeAgent, DepthIsTheTokensAndIsBounded) {
  World world(agent_policy_with("runs: { max_depth: 2 }\n"));
  std::string token = exchange_once(world, world.agent, Talk("0"), json_answer(kChatAnswer))["x-weir-lineage"];
  for (int depth = 1; depth <= 2; ++depth) {
    const Received answer = exchange_once(world, world.agent, Talk(std::to_string(depth)), json_answer(kChatAnswer),
                                          "x-weir-lineage: " + token + "\r\nx-weir-depth: 0\r\n");
    ASSERT_EQ(answer.status, 200);
    token = answer["x-weir-lineage"];
  }
  const Received refused = exchange_once(world, world.agent, Talk("3"), json_answer(kChatAnswer),
                                         "x-weir-lineage: " + token + "\r\nx-weir-depth: 0\r\n");
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(has(refused.body, R"("limit":"runs","layer":"breaker")"));
  EXPECT_TRUE(has(refused.body, R"("meter":"depth")"));
  EXPECT_EQ(refused["x-should-retry"], "false");
  world.expect_quiet();
}

TEST(ExchangeAgent, AFailingPostReachesTheUpstreamFiveTimesAtMost) {
  World world(kAgentPolicy);
  const std::string_view body = R"({"order":7})";
  int refusals = 0;
  for (int i = 0; i < 50; ++i) {
    Connection client(world);
    const std::size_t dialed = world.dialed.size();
    client.say(request("POST", "/api/orders", world.agent, body));
    if (world.dialed.size() > dialed) world.upstream().bytes(response("500 Internal Server Error", "text/plain", "no"));
    const Received answer = client.answer();
    refusals += answer.status == 429 && has(answer.body, R"("limit":"unlinked")") ? 1 : 0;
    world.pass(kMillisecond);
  }
  EXPECT_LE(world.dialed.size(), 5u);
  EXPECT_GE(refusals, 40);
  world.expect_quiet();
}

TEST(ExchangeAgent, AThrownSwitchStopsAKeyBeforeAnyLimit) {
  World world(kAgentPolicy);
  auto kills = std::make_shared<KillSwitches>();
  kills->add({.kind = KillSwitch::Kind::kKey, .name = "agent-1", .reason = "leaked"});
  world.services.kills = kills;
  const Received refused = exchange_once(world, world.agent, Talk("Hi"), json_answer(kChatAnswer));
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(has(refused.body, R"("limit":"killed")"));
  EXPECT_EQ(world.used("requests"), 0);
  EXPECT_EQ(exchange_once(world, world.human, Talk("Hi"), json_answer(kChatAnswer)).status, 200);
  world.expect_quiet();
}

TEST(ExchangeAgent, AQueueWaitsForRoomAndThenGoesOn) {
  World queued(queueing("1/1s", "2s"));
  exchange_once(queued, queued.agent, Talk("one"), json_answer(kChatAnswer));
  Connection client(queued);
  client.say(chat_request(queued.agent, Talk("two").body()));
  EXPECT_EQ(queued.dialed.size(), 1u);
  for (int i = 0; i < 4 && queued.dialed.size() == 1; ++i) client.wake();
  ASSERT_EQ(queued.dialed.size(), 2u);
  queued.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(client.answer().status, 200);
  queued.expect_quiet();
}

TEST(ExchangeAgent, AClientThatLeavesTheQueueHoldsNothing) {
  World world(queueing("1/1m", "60s"));
  exchange_once(world, world.agent, Talk("one"), json_answer(kChatAnswer));
  Connection client(world);
  client.say(chat_request(world.agent, Talk("two").body()));
  client.leave();
  EXPECT_EQ(world.services.queued, 0u);
  world.expect_quiet();
}

TEST(ExchangeAgent, AKeyThatMustShowItsLineageIsRefusedWithoutIt) {
  World world(kAgentPolicy);
  const std::string key = world.add_key({.name = "child", .tenant = "acme", .metadata = {{"lineage", "required"}}});
  EXPECT_EQ(exchange_once(world, key, Talk("Hi"), json_answer(kChatAnswer)).status, 400);
  for (const std::string& any : {key, world.agent}) {
    const Received empty = exchange_once(world, any, Talk("Hi"), json_answer(kChatAnswer), "x-weir-lineage:\r\n");
    EXPECT_EQ(empty.status, 400) << "an empty one is none, and no valid one";
  }
  const std::string token = exchange_once(world, world.agent, Talk("Hi"), json_answer(kChatAnswer))["x-weir-lineage"];
  EXPECT_EQ(exchange_once(world, key, Talk("Hi"), json_answer(kChatAnswer), "x-weir-lineage: " + token + "\r\n").status,
            200);
  world.expect_quiet();
}

}  // namespace
}  // namespace weir
