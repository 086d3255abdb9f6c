// Where counting itself has an end: no room in the counter table, more limits than one request can have.
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

TEST(ExchangeBounds, AFullCounterTableRefusesUntilThereIsRoomAgain) {
  World world(kTestPolicy, {.max_reservations = 1});
  Connection first(world), second(world);
  first.say(chat_request(world.agent));
  second.say(chat_request(world.agent));
  const Received refused = second.answer();
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(has(refused.body, "no room to count another caller"));
  EXPECT_FALSE(has(refused.body, "\"weir\"")) << "no limit refused it";
  EXPECT_GE(std::stoi(refused["retry-after"]), 5);
  EXPECT_LE(std::stoi(refused["retry-after"]), 8);
  EXPECT_EQ(refused["x-should-retry"], "(absent)");
  EXPECT_EQ(refused["x-ratelimit-limit-requests"], "(absent)");
  EXPECT_EQ(world.book.table_full.value(), 1);
  ASSERT_EQ(world.journal.audits.size(), 1u);
  EXPECT_EQ(world.journal.audits[0].limit, "table_full");
  EXPECT_EQ(world.journal.audits[0].layer, "entry");
  EXPECT_EQ(world.dialed.size(), 1u);
  EXPECT_EQ(world.used("requests"), 1) << "only the first";

  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(first.answer().status, 200);
  second.say(chat_request(world.agent));
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(second.answers().back().status, 200);
  world.expect_quiet();
}

TEST(ExchangeBounds, MoreLimitsThanARequestCanHaveAreThePolicysFaultAndChargeNothing) {
  std::string more;
  for (std::size_t i = 0; i < kMaxDemands; ++i) {
    more += "  - { name: more-" + std::to_string(i) + ", per: caller, meter: requests, allow: 100/1m }\n";
  }
  World world(policy_with(more, "  - { name: bytes"));
  Connection client(world);
  client.say(chat_request(world.agent));
  EXPECT_EQ(client.answer().status, 500);
  EXPECT_TRUE(has(client.answer().body, "limits apply to this request, at most 16 can: requests, "));
  EXPECT_TRUE(world.dialed.empty());
  EXPECT_TRUE(world.journal.opens.empty());
  world.use_policy(kTestPolicy);
  EXPECT_EQ(world.used("requests"), 0);
  world.expect_quiet();
}

}  // namespace
}  // namespace weir
