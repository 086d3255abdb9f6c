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

}  // namespace
}  // namespace weir
