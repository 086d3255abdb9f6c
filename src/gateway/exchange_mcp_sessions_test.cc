// A session of an MCP server belongs to the key that began it: the server behind Weir sees no keys, so its session id
// alone would let another caller in.
#include <gtest/gtest.h>

#include "gateway/exchange.h"
#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

constexpr std::string_view kInitialize =
    R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})";
constexpr std::string_view kCall =
    R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{}}})";
constexpr std::string_view kResult = R"({"jsonrpc":"2.0","id":7,"result":{"content":[]}})";

std::string server_policy() {
  return policy_with(R"(upstreams:
  - { path: /mcp/crm, kind: mcp, url: "http://crm.test:9100/mcp", server: crm }
  - { path: /mcp/erp, kind: mcp, url: "http://erp.test:9100/mcp", server: erp })",
                     "upstreams:");
}

std::string post(const std::string& key, std::string_view body, std::string_view fields,
                 std::string_view path = "/mcp/crm") {
  return request(
      "POST", path, key, body,
      std::string("content-type: application/json\r\naccept: application/json, text/event-stream\r\n").append(fields));
}

// What a client is answered, and whether the server was asked.
struct Outcome {
  Received answer;
  bool forwarded = false;
};

Outcome say(World& world, const std::string& bytes, std::string_view served = {}) {
  const std::size_t before = world.dialed.size();
  Connection client(world);
  client.say(bytes);
  const bool forwarded = world.dialed.size() > before;
  if (forwarded) world.upstream().bytes(served.empty() ? json_answer(kResult) : std::string(served));
  return {client.answer(), forwarded};
}

std::string begun(std::string_view id) {
  return std::string("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: ")
      .append(id)
      .append("\r\ncontent-length: 2\r\n\r\n{}");
}

void begin_session(World& world, const std::string& key, std::string_view id) {
  ASSERT_TRUE(say(world, post(key, kInitialize, ""), begun(id)).forwarded);
}

TEST(McpSession, OnlyTheKeyThatBeganItMayUseIt) {
  World world(server_policy());
  begin_session(world, world.agent, "s1");
  EXPECT_TRUE(say(world, post(world.agent, kCall, "mcp-session-id: s1\r\n")).forwarded);

  const Outcome other = say(world, post(world.human, kCall, "Mcp-Session-Id: s1\r\n"));
  EXPECT_FALSE(other.forwarded);
  EXPECT_EQ(other.answer.status, 404) << "what the protocol says of a session that is over: begin a new one";
  EXPECT_TRUE(has(other.answer.body, R"("id":7)")) << other.answer.body;
  EXPECT_TRUE(has(other.answer.body, "initialize")) << "says what to do";
  EXPECT_EQ(world.state(world.human, "requests").used, 0) << "nothing is charged";
  world.expect_quiet();
}

TEST(McpSession, StreamsAndEndsOfItAreItsOwnersToo) {
  World world(server_policy());
  begin_session(world, world.agent, "s1");
  for (const std::string_view method : {"GET", "DELETE"}) {
    const Outcome other = say(world, request(method, "/mcp/crm", world.human, "", "mcp-session-id: s1\r\n"));
    EXPECT_FALSE(other.forwarded) << method;
    EXPECT_EQ(other.answer.status, 404) << method;
  }
  EXPECT_TRUE(say(world, request("DELETE", "/mcp/crm", world.agent, "", "mcp-session-id: s1\r\n"),
                  "HTTP/1.1 204 No Content\r\n\r\n")
                  .forwarded);
}

TEST(McpSession, TheSameIdAtAnotherServerIsAnotherSession) {
  World world(server_policy());
  begin_session(world, world.agent, "s1");
  EXPECT_TRUE(say(world, post(world.human, kCall, "mcp-session-id: s1\r\n", "/mcp/erp")).forwarded);
}

TEST(McpSession, OneThatIsNotKnownIsTheServersToJudgeAndThenItsFirstUsers) {
  World world(server_policy());
  const std::string gone = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
  EXPECT_EQ(say(world, post(world.human, kCall, "mcp-session-id: s9\r\n"), gone).answer.status, 404);
  EXPECT_TRUE(say(world, post(world.agent, kCall, "mcp-session-id: s9\r\n")).forwarded)
      << "what the server did not accept makes nobody its owner";
  EXPECT_FALSE(say(world, post(world.human, kCall, "mcp-session-id: s9\r\n")).forwarded);
}

TEST(McpSession, AServerCannotHandItToAnotherKey) {
  World world(server_policy());
  begin_session(world, world.agent, "s1");
  begin_session(world, world.human, "s1");
  EXPECT_TRUE(say(world, post(world.agent, kCall, "mcp-session-id: s1\r\n")).forwarded);
  EXPECT_FALSE(say(world, post(world.human, kCall, "mcp-session-id: s1\r\n")).forwarded);
}

TEST(McpSession, TwoIdsInOneRequestAreRefused) {
  World world(server_policy());
  begin_session(world, world.agent, "s1");
  const Outcome both = say(world, post(world.human, kCall, "mcp-session-id: mine\r\nMCP-Session-Id: s1\r\n"));
  EXPECT_FALSE(both.forwarded);
  EXPECT_EQ(both.answer.status, 400);
  const Outcome stream =
      say(world, request("GET", "/mcp/crm", world.human, "", "mcp-session-id: mine\r\nmcp-session-id: s1\r\n"));
  EXPECT_FALSE(stream.forwarded);
  EXPECT_EQ(stream.answer.status, 400);
}

}  // namespace
}  // namespace weir
