// X-Weir-Run-Budget: held whole at a run's first request, drawn on, given back.
#include <gtest/gtest.h>

#include "gateway/agent_fixture.h"

namespace weir {
namespace {

using namespace stage;

constexpr std::string_view kBudget = "x-weir-run: job\r\nx-weir-run-budget: tokens=1000\r\n";

std::string policy_of(std::string_view tokens, std::string_view more = {}) {
  std::string out(kAgentPolicy);
  const std::string_view old = "allow: 1M/1m";
  return out.replace(out.find(old), old.size(), "allow: " + std::string(tokens)) + std::string(more);
}

// What the server does once a while: idle runs end, and what their budgets did not use comes back.
void end_idle_runs(World& world) {
  const BehaviorRules& rules = world.services.rules->policy().behavior;
  world.pass(rules.runs.idle + kSecond);
  world.guard.sweep(rules, world.services.now, 1000);
  for (const Guard::EndedBudget& ended : world.guard.take_ended_budgets()) {
    if (auto budget = world.budgets.take(ended.tag)) end_run_budget(world.services, *budget, ended.used);
  }
}

TEST(ExchangeBudget, IsHeldOnceAndPaysForTheWholeRun) {
  World world(policy_of("10k/1h"));
  EXPECT_EQ(exchange_once(world, world.agent, Talk("a"), json_answer(kChatAnswer), kBudget).status, 200);
  EXPECT_EQ(world.reserved("tokens"), 1000);
  EXPECT_EQ(world.used("tokens"), 0);
  EXPECT_EQ(exchange_once(world, world.agent, Talk("b"), json_answer(kChatAnswer), kBudget).status, 200);
  EXPECT_EQ(world.reserved("tokens"), 1000);
  EXPECT_EQ(world.row().usage.total(), 14);
  end_idle_runs(world);
  EXPECT_EQ(world.reserved("tokens"), 0);
  EXPECT_EQ(world.used("tokens"), 28);
  world.expect_quiet();
}

TEST(ExchangeBudget, ThatDoesNotFitRefusesTheRunBeforeItBegins) {
  World world(policy_of("1500/1h"));
  EXPECT_EQ(exchange_once(world, world.agent, Talk("a"), json_answer(kChatAnswer), kBudget).status, 200);
  const Received refused = exchange_once(world, world.agent, Talk("b"), json_answer(kChatAnswer),
                                         "x-weir-run: other\r\nx-weir-run-budget: tokens=1000\r\n");
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(has(refused.body, R"("limit":"tokens")"));
  EXPECT_TRUE(has(refused.body, R"("requested":1000)"));
  EXPECT_EQ(world.dialed.size(), 1u);
  EXPECT_EQ(world.reserved("tokens"), 1000);
  EXPECT_EQ(world.used("runs"), 1);
  const Received never = exchange_once(world, world.agent, Talk("c"), json_answer(kChatAnswer),
                                       "x-weir-run: third\r\nx-weir-run-budget: tokens=2000\r\n");
  EXPECT_EQ(never.status, 413);
}

TEST(ExchangeBudget, BoundsItsRun) {
  World world(policy_of("10k/1h"));
  constexpr std::string_view kSmall = "x-weir-run: job\r\nx-weir-run-budget: tokens=40\r\n";
  int answered = 0;
  Received last;
  for (int i = 0; i < 6; ++i) {
    last = exchange_once(world, world.agent, Talk(std::to_string(i), {}), json_answer(kChatAnswer), kSmall);
    answered += last.status == 200 ? 1 : 0;
  }
  EXPECT_GE(answered, 1);
  EXPECT_LE(answered, 3);  // of 14 tokens each
  EXPECT_EQ(last.status, 429);
  EXPECT_TRUE(has(last.body, R"("limit":"runs","layer":"breaker")"));
  EXPECT_TRUE(has(last.body, R"("meter":"tokens")"));
  EXPECT_EQ(world.reserved("tokens"), 40);
}

TEST(ExchangeBudget, IsGivenBackWhenAnotherLimitRefusesTheFirstRequest) {
  World world(policy_of("10k/1h", "  \n"));
  for (int i = 0; i < 3; ++i) exchange_once(world, world.agent, Talk(std::to_string(i)), json_answer(kChatAnswer));
  const std::int64_t used = world.used("tokens");
  EXPECT_EQ(exchange_once(world, world.agent, Talk("x"), json_answer(kChatAnswer), kBudget).status, 429);
  EXPECT_EQ(world.reserved("tokens"), 0);
  EXPECT_EQ(world.used("tokens"), used);
  EXPECT_FALSE(world.budgets.full());
  world.expect_quiet();
}

TEST(ExchangeBudget, AMalformedOneIsAClearError) {
  World world(policy_of("10k/1h"));
  for (const char* value : {"", "tokens", "tokens=-1", "tokens=1, tokens=2", "eur=3", "tokens=0", "usd=abc"}) {
    const Received refused = exchange_once(world, world.agent, Talk("a"), json_answer(kChatAnswer),
                                           std::string("x-weir-run-budget: ") + value + "\r\n");
    EXPECT_EQ(refused.status, 400) << value;
    EXPECT_TRUE(has(refused.body, "tokens=200000, usd=2")) << value;
  }
  EXPECT_EQ(world.used("requests"), 0);
  world.expect_quiet();
}

TEST(ExchangeBudget, InDollarsIsHeldInDollars) {
  World world(policy_of("10k/1h", "") + "");
  std::string yaml = policy_of("10k/1h");
  yaml.insert(yaml.find("  - { name: mail"), "  - { name: spend, per: caller, meter: usd, allow: 10/day }\n");
  world.use_policy(yaml);
  exchange_once(world, world.agent, Talk("a"), json_answer(kChatAnswer), "x-weir-run-budget: usd=2.50\r\n");
  EXPECT_EQ(world.reserved("spend"), 2'500'000);
  EXPECT_EQ(world.reserved("tokens"), 0);
  EXPECT_EQ(world.used("tokens"), 14);
}

}  // namespace
}  // namespace weir
