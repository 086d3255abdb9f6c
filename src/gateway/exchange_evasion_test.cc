// Ways around caps and budgets, by callers and by chance: none of them works.
#include <gtest/gtest.h>

#include "gateway/agent_fixture.h"

namespace weir {
namespace {

using namespace stage;

Call mail(int i, const std::string& id = {}) {
  return {.id = id.empty() ? "mail_" + std::to_string(i) : id,
          .name = "send_email",
          .arguments = R"({"to":)" + std::to_string(i) + "}"};
}

bool mails(const Received& answer) {
  return answer.body.find("send_email") != std::string::npos;
}

TEST(ExchangeEvasion, CallIdsThatComeAgainAreCallsOfTheirOwn) {
  std::string yaml(kAgentPolicy);
  yaml.insert(yaml.find("  - { name: posts"),
              "  - { name: at-once, per: caller, meter: concurrency, allow: 10, match: { tool: \"send_email*\" } }\n");
  World world(yaml);
  int passed = 0;
  for (int i = 0; i < 5; ++i) {
    passed += mails(exchange_once(world, world.agent, Talk("Write " + std::to_string(i), {"lookup"}),
                                  announcing({mail(i, "call_0")}), "x-weir-run: r" + std::to_string(i % 2) + "\r\n"))
                  ? 1
                  : 0;
  }
  EXPECT_EQ(passed, 2);
}

TEST(ExchangeEvasion, APathThatIsSpeltDifferentlyIsTheSameTool) {
  for (const char* other : {"/api/%6Cimited", "/api//limited", "/api/limited/", "/api/limited;v=1"}) {
    World world(kAgentPolicy);
    int passed = 0;
    for (int i = 0; i < 12; ++i) {
      Connection client(world);
      const std::size_t dialed = world.dialed.size();
      client.say(
          request("POST", i % 2 != 0 ? "/api/limited" : other, world.agent, std::to_string(i), "x-weir-run: r\r\n"));
      if (world.dialed.size() == dialed) continue;
      ++passed;
      world.upstream().bytes(json_answer("{}"));
    }
    EXPECT_EQ(passed, 5) << other;
    world.expect_quiet();
  }
}

TEST(ExchangeEvasion, AHeaderCannotAskForAnotherMethodThanTheOneThatIsJudged) {
  World world(kAgentPolicy);
  for (const char* field :
       {"X-HTTP-Method-Override: DELETE\r\n", "x-http-method: DELETE\r\n", "X-Method-Override: x\r\n"}) {
    Connection client(world);
    client.say(request("POST", "/api/limited", world.agent, "1", field));
    EXPECT_EQ(client.answer().status, 400) << field;
  }
  EXPECT_TRUE(world.dialed.empty());
  EXPECT_EQ(world.used("requests"), 0);
  Connection same(world);
  same.say(request("POST", "/api/limited", world.agent, "1", "X-HTTP-Method-Override: POST\r\n"));
  world.upstream().bytes(json_answer("{}"));
  EXPECT_EQ(same.answer().status, 200);
  world.expect_quiet();
}

TEST(ExchangeEvasion, AnAnswerTooLongToJudgeDoesNotReachAnAgent) {
  World world(kAgentPolicy);
  std::string body = announcing({{"w", "wipe_disk"}, mail(1), mail(2), mail(3)});
  body = body.substr(body.find("\r\n\r\n") + 4);
  body.insert(body.find("\"usage\""), "\"padding\":\"" + std::string(9 << 20, 'x') + "\",");
  const Received answer = exchange_once(world, world.agent, Talk("Write."), json_answer(body));
  EXPECT_EQ(answer.status, 502);
  EXPECT_FALSE(has(answer.body, "wipe_disk"));
  const Received plain = exchange_once(world, world.agent, Talk("Write.", {}), json_answer(body));
  EXPECT_EQ(plain.status, 200);  // no tools are spoken of
  world.expect_quiet();
}

TEST(ExchangeEvasion, TheBeginningOfAnAnswerHidesNoResults) {
  for (const char* role : {"assistant", "user"}) {
    World world(kAgentPolicy);
    for (int i = 0; i < 3; ++i) {
      Talk talk("Write " + std::to_string(i), {"lookup"});
      talk.announced({mail(i)}).returned("mail_" + std::to_string(i), "sent").said(role, "Go on.");
      exchange_once(world, world.agent, talk, json_answer(kChatAnswer), "x-weir-run: r\r\n");
    }
    const Received answer =
        exchange_once(world, world.agent, Talk("Write."), announcing({mail(9)}), "x-weir-run: r\r\n");
    EXPECT_EQ(answer["x-weir-stripped"], "send_email") << role;
    world.expect_quiet();
  }
}

TEST(ExchangeEvasion, AClientThatLeavesWhileItsAnswerIsJudgedPaysForIt) {
  World world(kAgentPolicy);
  Connection client(world);
  client.say(chat_request(world.agent, Talk("Write to Ann.").body()));
  world.counters.deferred = true;
  world.upstream().bytes(announcing({mail(1)}));
  client.leave();
  while (world.counters.waiting() > 0) {
    world.counters.answer();
    world.turn();
  }
  EXPECT_EQ(world.row().usage.total(), 14);
  EXPECT_EQ(world.used("tokens"), 14);
  world.expect_quiet();
}

TEST(ExchangeEvasion, ABudgetThatIsGivenBackLeavesNothingInTheJournal) {
  std::string yaml(kAgentPolicy);
  const std::string_view old = "requests, allow: 1000/1m";
  yaml.replace(yaml.find(old), old.size(), "requests, allow: 1/1m");
  World world(yaml);
  exchange_once(world, world.agent, Talk("one"), json_answer(kChatAnswer));
  const std::size_t before = world.journal.top_ups.size();
  exchange_once(world, world.agent, Talk("two"), json_answer(kChatAnswer), "x-weir-run-budget: tokens=2000\r\n");
  std::int64_t sum = 0;
  for (std::size_t i = before; i < world.journal.top_ups.size(); ++i) {
    for (const Effect& effect : world.journal.top_ups[i].effects) sum += effect.amount;
  }
  EXPECT_EQ(sum, 0);
  EXPECT_GT(world.journal.top_ups.size(), before);
}

TEST(ExchangeEvasion, TwoFirstRequestsOfARunHoldOneBudget) {
  std::string yaml(kAgentPolicy);
  const std::string_view old = "concurrency, allow: 4";
  yaml.replace(yaml.find(old), old.size(), "concurrency, allow: 1, on_exceed: { queue: 2s }");
  World world(yaml);
  constexpr std::string_view kFields = "x-weir-run: r1\r\nx-weir-run-budget: tokens=2000\r\n";
  Connection other(world), first(world), second(world);
  other.say(chat_request(world.agent));
  first.say(chat_request(world.agent, kChat, kFields));
  second.say(chat_request(world.agent, Talk("other").body(), kFields));
  world.upstream().bytes(json_answer(kChatAnswer));
  first.wake();
  ASSERT_EQ(world.dialed.size(), 2u);
  world.upstream().bytes(json_answer(kChatAnswer));
  second.session->on_deadline();
  world.turn();
  ASSERT_EQ(world.dialed.size(), 3u);
  world.upstream().bytes(json_answer(kChatAnswer));
  world.pass(11 * kMinute);
  world.guard.sweep(world.services.rules->policy().behavior, world.services.now, 100);
  for (const Guard::EndedBudget& ended : world.guard.take_ended_budgets()) {
    if (auto budget = world.budgets.take(ended.tag)) end_run_budget(world.services, *budget, ended.used);
  }
  EXPECT_EQ(world.limiter.stats().open_reservations, 0u);
}

TEST(ExchangeEvasion, AStreamPaysItsWayWithinTheBudgetOfItsRun) {
  std::string yaml(kAgentPolicy);
  const std::string_view old = "allow: 1M/1m";
  yaml.replace(yaml.find(old), old.size(), "allow: 3000/1m");
  World world(yaml);
  Connection client(world);
  client.say(chat_request(world.agent,
                          R"({"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Hi"}]})",
                          "x-weir-run-budget: tokens=2000\r\n"));
  ASSERT_FALSE(world.dialed.empty());
  world.upstream().bytes(kStreamHead);
  std::string words;
  for (int i = 0; i < 100; ++i) words += " hello";
  for (int i = 0; i < 100 && !world.upstream().released; ++i) {
    world.upstream().bytes(
        chunk("data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + words +
              "\"}}]}\n\n"));
  }
  EXPECT_TRUE(world.upstream().released);
  EXPECT_LE(world.row().usage.total(), 2000);
  EXPECT_TRUE(has(client.port.sent, "runs"));
}

}  // namespace
}  // namespace weir
