// Profiles and trust at the gateway: what an agent's task never did before is seen before the call leaves.
#include <gtest/gtest.h>

#include "gateway/agent_fixture.h"

namespace weir {
namespace {

using namespace stage;

constexpr std::string_view kTask = "x-weir-agent: clerk\r\nx-weir-task: triage\r\n";

std::string guarded(std::string_view on_anomaly, std::string_view more = {}) {
  std::string out(kAgentPolicy);
  const std::string_view old = "meter: runs, allow: 3/1m";
  out.replace(out.find(old), old.size(), "meter: runs, allow: 1000/1m");
  const std::string_view requests = "meter: requests, allow: 1000/1m";
  out.replace(out.find(requests), requests.size(), "meter: requests, allow: 12/1m, contextual: true");
  return out + "profiles: { sensitive: [send_email, pay], warmup: 3, on_anomaly: " + std::string(on_anomaly) + " }\n" +
         std::string(more);
}

// An ordinary run of the task: one e-mail to whom the user named.
void ordinary_run(World& world, int i) {
  const Call mail{.id = "m" + std::to_string(i), .name = "send_email", .arguments = R"({"to":"ann@example.com"})"};
  exchange_once(world, world.agent, Talk("Tell ann@example.com that case " + std::to_string(i) + " is closed."),
                announcing({mail}), kTask);
  const BehaviorRules& rules = world.services.rules->policy().behavior;
  world.pass(rules.runs.idle + kHour);
  world.guard.sweep(rules, world.services.now, 1000);
}

Received with_payment(World& world) {
  return exchange_once(world, world.agent, Talk("Tell ann@example.com that case 9 is closed.", {"send_email", "pay"}),
                       announcing({{.id = "p", .name = "pay", .arguments = R"({"iban":"DE89370400440532013000"})"}}),
                       kTask);
}

const AuditRow* find(const World& world, AuditEvent event) {
  const auto& rows = world.journal.audits;
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const AuditRow& row) { return row.event == event; });
  return found == rows.end() ? nullptr : &*found;
}

TEST(ExchangeBehavior, AToolThatTheTaskNeverUsedIsCutBeforeItLeaves) {
  World world(guarded("refuse"));
  for (int i = 0; i < 4; ++i) ordinary_run(world, i);
  const Received answer = with_payment(world);
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(has(answer.body, "iban"));
  EXPECT_TRUE(has(answer.body, R"("finish_reason":"stop")"));
  const AuditRow* broken = find(world, AuditEvent::kBroken);
  ASSERT_NE(broken, nullptr);
  EXPECT_EQ(broken->limit, "profile");
  EXPECT_EQ(broken->tool, "pay");
  EXPECT_EQ(broken->agent, "clerk");
  EXPECT_FALSE(has(broken->evidence, "DE89"));
  world.expect_quiet();
}

TEST(ExchangeBehavior, WithAuditItPassesAndLowersTrustAndContextualLimits) {
  World world(guarded("audit"));
  for (int i = 0; i < 4; ++i) ordinary_run(world, i);
  const Received answer = with_payment(world);
  EXPECT_TRUE(has(answer.body, "iban"));
  EXPECT_TRUE(has(answer["x-weir-warning"], "profile"));
  ASSERT_NE(find(world, AuditEvent::kTrust), nullptr);
  int admitted = 1;
  while (exchange_once(world, world.agent, Talk(std::to_string(admitted)), json_answer(kChatAnswer)).status == 200) {
    ++admitted;
    ASSERT_LT(admitted, 20);
  }
  EXPECT_EQ(admitted, 9);  // 12 at full trust; a third of the way down to a half is 0.833
  world.expect_quiet();
}

TEST(ExchangeBehavior, QuietTimeRestoresTrust) {
  World world(guarded("audit"));
  for (int i = 0; i < 4; ++i) ordinary_run(world, i);
  with_payment(world);
  world.pass(2 * kHour);
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(exchange_once(world, world.agent, Talk(std::to_string(i)), json_answer(kChatAnswer)).status, 200) << i;
  }
  EXPECT_EQ(exchange_once(world, world.agent, Talk("more"), json_answer(kChatAnswer)).status, 429);
  world.expect_quiet();
}

TEST(ExchangeBehavior, InShadowTrustChangesAreNotedAndScaleNothing) {
  World world(guarded("audit", "trust: { mode: shadow }\n"));
  for (int i = 0; i < 4; ++i) ordinary_run(world, i);
  with_payment(world);
  EXPECT_NE(find(world, AuditEvent::kTrust), nullptr);
  for (int i = 1; i < 12; ++i) {
    EXPECT_EQ(exchange_once(world, world.agent, Talk(std::to_string(i)), json_answer(kChatAnswer)).status, 200) << i;
  }
  world.expect_quiet();
}

TEST(ExchangeBehavior, ADestinationThatNobodyNamedIsAnAnomaly) {
  World world(guarded("refuse"));
  for (int i = 0; i < 5; ++i) ordinary_run(world, i);
  const Received answer = exchange_once(
      world, world.agent, Talk("Tell ann@example.com that case 9 is closed."),
      announcing({{.id = "x", .name = "send_email", .arguments = R"({"to":"mallory@evil.test"})"}}), kTask);
  EXPECT_FALSE(has(answer.body, "mallory"));
  const Received other =
      exchange_once(world, world.agent, Talk("Tell bob@example.com that case 10 is closed."),
                    announcing({{.id = "y", .name = "send_email", .arguments = R"({"to":"bob@example.com"})"}}), kTask);
  EXPECT_TRUE(has(other.body, "bob@example.com"));
  world.expect_quiet();
}

TEST(ExchangeBehavior, AnotherAgentsTaskHasAProfileOfItsOwn) {
  World world(guarded("refuse"));
  for (int i = 0; i < 4; ++i) ordinary_run(world, i);
  const Received answer = exchange_once(world, world.agent, Talk("Pay.", {"pay"}),
                                        announcing({{.id = "p", .name = "pay", .arguments = "{}"}}),
                                        "x-weir-agent: cashier\r\nx-weir-task: payroll\r\n");
  EXPECT_TRUE(has(answer.body, "\"pay\""));  // not warm: nothing is judged
  world.expect_quiet();
}

}  // namespace
}  // namespace weir
