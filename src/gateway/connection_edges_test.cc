// What connections seldom meet: ends in the middle, assertions that do not hold, keys that come back in answers.
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

TEST(ConnectionEdges, HalfARequestIsNoRequest) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent).substr(0, 150));
  client.session->on_eof();
  world.turn();
  EXPECT_EQ(client.answer().status, 400);
  EXPECT_TRUE(client.port.closing);
  EXPECT_TRUE(world.journal.opens.empty());
  client.leave();
  world.expect_quiet();
}

TEST(ConnectionEdges, ATierThatIsNotThereIs400AndChargesNothing) {
  World world;
  Connection client(world);
  client.say(chat_request(world.service, kChat, "x-weir-user: u1\r\nx-weir-tier: no-such-tier\r\n"));
  EXPECT_EQ(client.answer().status, 400);
  EXPECT_TRUE(has(client.answer().body, "no-such-tier"));
  EXPECT_TRUE(world.dialed.empty());
  world.expect_quiet();
}

TEST(ConnectionEdges, ACredentialThatAProviderSaysBackDoesNotReachTheClient) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(json_answer(kChatAnswer, "x-echo: Bearer sk-provider-secret\r\n"));
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_FALSE(has(client.port.sent, kProviderKey));
  world.expect_quiet();
}

TEST(ConnectionEdges, ARevokedKeyIsToldSoWhicheverHeaderBringsIt) {
  World world;
  Connection client(world);
  client.say(request("POST", "/v1/messages", {}, kMessage, "x-api-key: " + world.revoked + "\r\n"));
  EXPECT_EQ(client.answer().status, 401);
  EXPECT_TRUE(has(client.answer().body, "revoked"));
  EXPECT_TRUE(world.journal.opens.empty());
}

// However it is spelled, a path that climbs is refused before anybody else reads it.
TEST(ConnectionEdges, PathsThatClimbAreRefusedInEverySpelling) {
  for (const char* path : {"/api/../plain/x", "/api/./x", "/api/%2e%2e/x", "/api/%2E%2e%2Fx", "/api/..%5cx", "/api/..",
                           "/api/x/%2e", "/api%2f..%2fplain"}) {
    World world;
    Connection client(world);
    client.say(request("GET", path, world.agent));
    EXPECT_EQ(client.answer().status, 400) << path;
    EXPECT_TRUE(has(client.answer().body, "segments")) << path;
    EXPECT_TRUE(world.dialed.empty()) << path;
  }
  World world;
  Connection client(world);
  client.say(request("GET", "/api/..x/.y/z..", world.agent));
  EXPECT_EQ(world.dialed.size(), 1u) << "dots in names are names";
  world.upstream().bytes(json_answer("{}"));
  world.expect_quiet();
}

TEST(ConnectionEdges, OwnEndpointsReadNoLargeBodies) {
  World world;
  Connection client(world);
  client.say("POST /weir/v1/admit HTTP/1.1\r\nhost: w\r\nauthorization: Bearer " + world.agent +
             "\r\ncontent-length: 5000000\r\n\r\n");
  EXPECT_EQ(client.answer().status, 413);
  EXPECT_TRUE(has(client.answer().body, "at most 1 MB"));
}

TEST(ConnectionEdges, ARefusedBodyThatEndsOrStallsEndsTheConnectionWithoutAnotherWord) {
  for (const bool stalls : {false, true}) {
    World world;
    Connection client(world);
    client.say("POST /nowhere HTTP/1.1\r\nhost: w\r\ncontent-length: 10\r\n\r\n12345");
    EXPECT_EQ(client.answer().status, 404);
    EXPECT_FALSE(client.port.closing);
    const std::string sent = client.port.sent;
    if (stalls) {
      client.wake();
    } else {
      client.session->on_eof();
    }
    EXPECT_TRUE(client.port.closing || client.port.aborted);
    EXPECT_EQ(client.port.sent, sent);
  }
}

TEST(ConnectionEdges, AProviderWhoseTlsFailsIsNamedAsSuch) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().fail(UpstreamFailure::kTls, "certificate has expired");
  EXPECT_EQ(client.answer().status, 502);
  EXPECT_TRUE(has(client.answer().body, "TLS failed")) << client.answer().body;
  EXPECT_EQ(world.used("tokens"), 0);
  world.expect_quiet();
}

TEST(ConnectionEdges, ALongWaitIsSaidInDays) {
  World world(policy_with("  - { name: monthly, per: caller, meter: requests, allow: 1/month }", "  - { name: rows"));
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(json_answer(kChatAnswer));
  client.say(chat_request(world.agent));
  const Received refused = client.answers().back();
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(has(refused.body, "9 d 12 h")) << refused.body;  // from the 21st at noon to the 1st
  world.expect_quiet();
}

}  // namespace
}  // namespace weir
