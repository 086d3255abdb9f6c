// What those who watch are told of requests.
#include "gateway/publish.h"

#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;
using What = DecisionEvent::What;

class Publish : public testing::Test {
 protected:
  explicit Publish(std::string_view yaml = kTestPolicy) : world(yaml) { world.services.events = &feed; }
  std::vector<DecisionEvent> events() {
    EventBatch batch;
    EXPECT_EQ(feed.take(batch), 0u);
    return {batch.events().begin(), batch.events().end()};
  }
  static const LimitPressure* pressure(const DecisionEvent& event, std::string_view limit) {
    for (std::size_t i = 0; i < event.pressure_count; ++i) {
      if (event.rules->policy().limits[event.pressures[i].limit].name == limit) return &event.pressures[i];
    }
    return nullptr;
  }
  EventFeed feed;
  World world;
};

TEST_F(Publish, ARequestIsAdmittedWithWhatItsLimitsHaveInUseThenSettled) {
  Connection client(world);
  client.say(chat_request(world.agent, kChat, "x-weir-run: r1\r\nx-weir-agent: mailer\r\n"));
  std::vector<DecisionEvent> seen = events();
  ASSERT_EQ(seen.size(), 1u);
  const DecisionEvent admitted = seen[0];
  EXPECT_EQ(admitted.what, What::kAdmitted);
  EXPECT_EQ(admitted.time, kNoon);
  EXPECT_TRUE(admitted.request_id.starts_with("req_"));
  EXPECT_EQ((std::vector{admitted.key, admitted.caller, admitted.tenant, admitted.tier, admitted.model,
                         admitted.provider, admitted.route, admitted.run, admitted.agent}),
            (std::vector<std::string>{"agent-1", "agent-1", "acme", "free", "gpt-4o", "openai", "/v1/chat/completions",
                                      "r1", "mailer"}));
  EXPECT_FALSE(admitted.of_call || admitted.shadow);
  ASSERT_NE(pressure(admitted, "in-flight"), nullptr);
  EXPECT_EQ(pressure(admitted, "in-flight")->permille, 250);  // itself included
  EXPECT_EQ(pressure(admitted, "in-flight")->allowed, 4);
  EXPECT_EQ(pressure(admitted, "requests")->permille, 10);
  world.upstream().bytes(json_answer(kChatAnswer));
  seen = events();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].what, What::kSettled);
  EXPECT_EQ(seen[0].input_tokens + seen[0].output_tokens, 14);
  EXPECT_EQ(seen[0].usd_micros, world.row().usd_micros);
  EXPECT_EQ(seen[0].status, 200);
  EXPECT_EQ(seen[0].request_id, admitted.request_id);
  world.expect_quiet();
}

TEST_F(Publish, ARefusalNamesItsLimitWithTheAuditsNumbers) {
  world.use_policy(
      policy_with("  - { name: requests, per: caller, meter: requests, allow: 1/1m }", "  - { name: requests,"));
  Connection first(world);
  first.say(chat_request(world.agent));
  Connection second(world);
  second.say(chat_request(world.agent));
  EXPECT_EQ(second.answer().status, 429);
  const std::vector<DecisionEvent> seen = events();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1].what, What::kRefused);
  EXPECT_EQ(seen[1].limit, "requests");
  EXPECT_EQ(seen[1].layer, "rate");
  EXPECT_EQ(seen[1].model, "gpt-4o");
  EXPECT_GT(seen[1].retry_after_s, 0);
  ASSERT_NE(seen[1].audited, nullptr);
  EXPECT_EQ(seen[1].audited->allowed, "1");
  EXPECT_EQ(pressure(seen[1], "requests")->permille, 1000);
  first.leave();
}

TEST_F(Publish, ALimitInModeShadowThatWouldHaveRefusedShows) {
  world.use_policy(policy_with("  - { name: tokens, per: caller, meter: tokens, allow: 1/1m, mode: shadow }",
                               "  - { name: tokens,"));
  Connection client(world);
  client.say(chat_request(world.agent));
  const std::vector<DecisionEvent> seen = events();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen[0].shadow);
  int bits = 0;
  for (std::size_t i = 0; i < seen[0].pressure_count; ++i) {
    if ((seen[0].shadow_limits >> i & 1) == 0) continue;
    ++bits;
    EXPECT_EQ(seen[0].rules->policy().limits[seen[0].pressures[i].limit].name, "tokens");
    EXPECT_EQ(seen[0].pressures[i].permille, 0);  // it charged nothing
  }
  EXPECT_EQ(bits, 1);
  client.leave();
}

TEST_F(Publish, WhoIsTurnedAwayAtTheEntryIsRejectedUnderNobodysNameButHisOwn) {
  Connection client(world);
  client.say(request("GET", "/v1/models", world.agent));
  client.say(request("GET", "/v1/models", "weir_wrong"));
  client.say(chat_request(world.agent, R"({"model":"unknown","messages":[]})"));
  const std::vector<DecisionEvent> seen = events();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].what, What::kRejected);
  EXPECT_EQ(seen[0].layer, "entry");
  EXPECT_EQ(seen[0].status, 401);
  EXPECT_EQ(seen[0].key, "");
  EXPECT_FALSE(seen[0].evidence.empty());
  EXPECT_EQ(seen[1].key, "agent-1");
  EXPECT_EQ(seen[1].what, What::kRejected);
}

TEST_F(Publish, AKillSwitchBreaksWithItsEvidence) {
  auto kills = std::make_shared<KillSwitches>();
  kills->add({.kind = KillSwitch::Kind::kKey, .name = "agent-1", .reason = "stolen"});
  world.services.kills = kills;
  Connection client(world);
  client.say(chat_request(world.agent));
  const std::vector<DecisionEvent> seen = events();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].what, What::kBroken);
  EXPECT_EQ(seen[0].layer, "breaker");
  EXPECT_TRUE(has(seen[0].evidence, "stolen")) << seen[0].evidence;
}

TEST_F(Publish, NobodyWatchesAndNothingIsBuilt) {
  world.services.events = nullptr;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_TRUE(events().empty());
}

}  // namespace
}  // namespace weir
