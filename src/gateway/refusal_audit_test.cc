// What the audit is told of refusals and other events.
#include "gateway/refusal_audit.h"

#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

TEST(RefusalAudit, RowsSayWhichUserToolRunAndAgentWhateverTheLimitCountsPer) {
  World world;
  Identity who;
  who.consumer = std::make_shared<const Consumer>(Consumer{.name = "backend", .kind = ConsumerKind::kService});
  who.user = "eve";
  who.agent = "mailer";
  Refusal refusal{.limit = "high-risk", .layer = "tool"};
  refusal.per = {{"caller", "backend"}, {"tool", "pay"}};
  audit_event(world.services, AuditEvent::kRefused, refusal,
              {.rules = world.services.rules, .request_id = "req_1", .who = who, .run = "r1"}, {});
  ASSERT_EQ(world.journal.audits.size(), 1u);
  const AuditRow& row = world.journal.audits[0];
  EXPECT_EQ((std::vector{row.key, row.user, row.tool, row.run, row.agent}),
            (std::vector<std::string>{"backend", "eve", "pay", "r1", "mailer"}));
  audit_event(world.services, AuditEvent::kRefused, Refusal{.limit = "spend", .layer = "budget"},
              {.rules = world.services.rules, .request_id = "req_2", .who = who}, {});
  EXPECT_EQ(world.journal.audits.at(1).tool, "");
}

TEST(RefusalAudit, ANoteGetsItsTimeAndPolicyAndAFloodOfThemIsSummed) {
  World world;
  for (int i = 0; i < 1000; ++i) {
    audit_note(world.services, {.key = "ann", .event = AuditEvent::kWarned, .layer = "breaker", .limit = "repeats"});
  }
  ASSERT_EQ(world.journal.audits.size(), 20u);
  EXPECT_EQ(world.journal.audits[0].time, world.services.now);
  EXPECT_EQ(world.journal.audits[0].config_version, world.services.rules->policy().version);
  flush_audit(world.services, true);
  ASSERT_EQ(world.journal.audits.size(), 21u);
  EXPECT_EQ(world.journal.audits[20].count, 980);
}

TEST(RefusalAudit, ADegradedRequestsRowSaysWhoseItWasAndHowNearTheLimitAndAFloodIsSummed) {
  World world;
  UsageRow row;
  row.key = "ann", row.user = "eve", row.run = "r1", row.agent = "mailer";
  row.degraded = "spend; model=small";
  Refusal state{.limit = "spend", .layer = "budget", .per = {{"caller", "ann"}}};
  state.used = "0.45", state.allowed = "1";
  for (int i = 0; i < 53; ++i) note_degraded(world.services, row, world.services.rules, state);
  flush_audit(world.services, true);
  EXPECT_EQ(world.book.degraded.value(), 53);
  ASSERT_EQ(world.journal.audits.size(), 21u);
  const AuditRow& first = world.journal.audits[0];
  EXPECT_EQ((std::vector{first.key, first.user, first.run, first.agent, first.limit, first.layer, first.used,
                         first.allowed, first.per_json, first.evidence}),
            (std::vector<std::string>{"ann", "eve", "r1", "mailer", "spend", "budget", "0.45", "1",
                                      R"({"caller":"ann"})", "spend; model=small"}));
  EXPECT_EQ(world.journal.audits[20].count, 33);
}

}  // namespace
}  // namespace weir
