// Tools and runs in the decision API: each named tool is a call, all in one admission; settling corrects their number.
#include <gtest/gtest.h>

#include "api/endpoints.h"
#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

constexpr std::string_view kToolLimits = R"(
tiers: { free: { tools: { deny: [drop_table] } }, pro: {} }
limits:
  - { name: requests, per: caller, meter: requests, allow: 100/1m }
  - { name: calls, per: caller, meter: tool_calls, allow: 8/1h }
  - { name: risky, per: [caller, tool], meter: tool_calls, allow: 2/1h, match: { tool: ["send_*", "pay_*"] } }
  - { name: runs, per: caller, meter: runs, allow: 4/1h }
)";

class DecisionToolsTest : public testing::Test {
 protected:
  DecisionToolsTest() : world(kToolLimits) { world.services.endpoints = &*api; }
  ~DecisionToolsTest() override { api->shut_down(); }
  Received post(std::string_view call, std::string_view body) {
    Connection client(world);
    client.say(request("POST", joined({"/weir/v1/", call}), world.agent, body));
    return client.answer();
  }
  Received admit(std::string_view id, std::string_view tools, std::string_view run = "r") {
    return post("admit",
                joined({R"({"id":")", id, R"(","tools":[)", tools, R"(],"attributes":{"run":")", run, R"("}})"}));
  }

  World world;
  ApiOptions options;
  std::unique_ptr<Api> api = std::make_unique<Api>(options);
};

TEST_F(DecisionToolsTest, EachToolIsACallAndAllAreOneAdmission) {
  EXPECT_EQ(admit("a", R"("send_email","pay_bill","send_email","search")").status, 200);
  EXPECT_EQ(world.state(world.agent, "calls").reserved, 4);
  const Received refused = admit("b", R"("search","send_email")");
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(has(refused.body, R"("limit":"risky","layer":"tool")")) << refused.body;
  EXPECT_TRUE(has(refused.body, R"("allowed":2)")) << refused.body;
  EXPECT_EQ(world.state(world.agent, "calls").reserved, 4) << "refused as a whole";
  EXPECT_EQ(admit("c", R"("pay_bill","search")").status, 200) << "one of two is used";
  EXPECT_EQ(admit("d", R"("search","search","search")").status, 429) << "calls: 6 of 8";
  EXPECT_EQ(admit("e", R"("search")").status, 200);
}

TEST_F(DecisionToolsTest, SettlingCorrectsTheNumber) {
  admit("a", R"("send_email","send_email","pay_bill")");
  const Received settled = post("settle", R"({"id":"a","usage":{},"tools":["send_email"]})");
  EXPECT_TRUE(has(settled.body, R"("tool_calls":1)")) << settled.body;
  EXPECT_EQ(world.used("calls"), 1);
  EXPECT_EQ(world.row().tool_calls, 1);
  EXPECT_EQ(admit("b", R"("pay_bill","pay_bill")").status, 200) << "none was made";
  EXPECT_EQ(admit("c", R"("send_email","send_email")").status, 429) << "one was";
  EXPECT_EQ(admit("d", R"("send_email")").status, 200);
}

TEST_F(DecisionToolsTest, WhatSettlingDoesNotSayWasAsAdmitted) {
  admit("a", R"("send_email","search")");
  EXPECT_TRUE(has(post("settle", R"({"id":"a","usage":{}})").body, R"("tool_calls":2)"));
  EXPECT_EQ(world.used("calls"), 2);
  admit("b", R"("send_email")");
  EXPECT_EQ(post("cancel", R"({"id":"b"})").status, 200);
  EXPECT_EQ(world.used("calls"), 2);
  EXPECT_EQ(admit("c", R"("send_email")").status, 200);
}

TEST_F(DecisionToolsTest, OneToolMayBeAnAttribute) {
  EXPECT_EQ(
      post("admit", R"({"id":"a","attributes":{"tool":"send_email","run":"r"},"estimate":{"tool_calls":2}})").status,
      200);
  EXPECT_EQ(admit("b", R"("send_email")").status, 429);
  const Received twice = post("admit", R"({"attributes":{"tool":"x"},"tools":["y"]})");
  EXPECT_EQ(twice.status, 400);
  EXPECT_TRUE(has(twice.body, "name them in `tools`"));
  EXPECT_EQ(post("admit", R"({"tools":["x","y"],"estimate":{"tool_calls":1}})").status, 400);
}

TEST_F(DecisionToolsTest, ADeniedToolIsRefusedAndNothingIsCharged) {
  for (const char* call : {"admit", "check"}) {
    const Received denied = post(call, R"({"tools":["search","drop_table"]})");
    EXPECT_EQ(denied.status, 429);
    EXPECT_TRUE(has(denied.body, R"("limit":"tools","layer":"tool","per":{"tool":"drop_table"})")) << denied.body;
    EXPECT_TRUE(has(denied.body, R"("retry_after":null)")) << denied.body;
    EXPECT_EQ(denied["x-should-retry"], "false");
  }
  EXPECT_EQ(world.state(world.agent, "requests").used, 0);
  EXPECT_EQ(world.state(world.agent, "calls").reserved, 0);
  EXPECT_EQ(api->desk().open(), 0u);
}

TEST_F(DecisionToolsTest, WhatAnOperatorStoppedIsRefused) {
  auto kills = std::make_shared<KillSwitches>();
  kills->add({.kind = KillSwitch::Kind::kTool, .name = "search", .reason = "it loops"});
  kills->add({.kind = KillSwitch::Kind::kRun, .name = "nightly"});
  world.services.kills = kills;
  const Received tool = post("admit", R"({"tools":["search"]})");
  EXPECT_EQ(tool.status, 429);
  EXPECT_TRUE(has(tool.body, R"("limit":"killed","layer":"breaker","per":{"tool":"search"})")) << tool.body;
  EXPECT_TRUE(has(tool.body, "it loops"));
  EXPECT_EQ(post("admit", R"({"attributes":{"run":"nightly"}})").status, 429);
  EXPECT_EQ(post("check", R"({"attributes":{"run":"daily"}})").status, 200);
  EXPECT_EQ(world.state(world.agent, "requests").used, 0);
}

TEST_F(DecisionToolsTest, MoreLimitsThanFitIntoOneAdmissionAreToldAndNothingIsCharged) {
  std::string tools;
  for (int i = 0; i < 12; ++i) tools += (i == 0 ? "\"pay_" : ",\"pay_") + std::to_string(i) + "\"";
  world.use_policy(
      "limits: [{ name: risky, per: [caller, tool], meter: tool_calls, allow: [2/1h, 9/day], match: { tool: \"pay_*\" "
      "} "
      "}]");
  const Received refused = admit("a", tools);
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(has(refused.body, "name fewer `tools`")) << refused.body;
  EXPECT_EQ(admit("b", R"("pay_1","pay_2","pay_3","pay_4","pay_5","pay_6","pay_7","pay_8")").status, 200);
}

TEST_F(DecisionToolsTest, ACallWithoutANamedRunBeginsOne) {
  for (const char* id : {"a", "b", "c", "d"}) EXPECT_EQ(admit(id, "").status, 200);  // of one run
  EXPECT_EQ(world.state(world.agent, "runs").reserved, 0);
  for (const char* id : {"e", "f", "g", "h"}) EXPECT_EQ(post("admit", joined({R"({"id":")", id, R"("})"})).status, 200);
  const Received refused = post("admit", R"({"id":"i"})");
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(has(refused.body, R"("limit":"runs","layer":"rate")")) << refused.body;
  EXPECT_EQ(post("settle", R"({"id":"e","usage":{}})").status, 200);
  EXPECT_EQ(world.used("runs"), 1);
  EXPECT_EQ(post("cancel", R"({"id":"f"})").status, 200);
  EXPECT_EQ(post("admit", R"({"id":"i"})").status, 200);
  EXPECT_EQ(admit("j", "").status, 200) << "a known run goes on";
}

}  // namespace
}  // namespace weir
