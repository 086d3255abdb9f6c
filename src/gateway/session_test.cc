// One client connection: keys, routes, pipelining, early refusals, timeouts.
#include "gateway/session.h"

#include <gtest/gtest.h>

#include "gateway/fake_world.h"

namespace weir {
namespace {

constexpr char kPolicy[] = R"(
providers: { up: { dialect: openai, url: "http://provider.test", key: upstream-credential } }
models: { "*": { provider: up } }
auth_failures: { per: ip, allow: 3/1m }
trusted_proxies: [10.0.0.0/8]
limits: [{ name: requests, per: caller, meter: requests, allow: 3/1m }]
)";
constexpr char kChat[] = R"({"model":"m","messages":[{"role":"user","content":"hello"}]})";
constexpr char kAnswer[] = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(world.problems, ""); }
  void send(std::string_view bytes) { session->on_bytes(bytes); }
  bool has(std::string_view text) const { return client.sent.find(text) != std::string::npos; }
  std::size_t answers() const {
    std::size_t n = 0;
    for (std::size_t at = client.sent.find("HTTP/1.1 "); at != std::string::npos;
         at = client.sent.find("HTTP/1.1 ", at + 1))
      ++n;
    return n;
  }
  std::string with_key(std::string_view seed, std::string_view headers = {}) {
    return "POST /v1/chat/completions HTTP/1.1\r\nhost: weir\r\nx-api-key: " + World::key(seed) + "\r\n" +
           std::string(headers) + "content-length: " + std::to_string(sizeof kChat - 1) + "\r\n\r\n" + kChat;
  }
  void answer() {
    world.journal.flush();
    world.upstream().events->on_upstream_bytes(kAnswer);
    world.journal.flush();
  }

  World world{kPolicy};
  FakeClient client;
  std::unique_ptr<Session> session = std::make_unique<Session>(world.services, client, "192.0.2.1");
};

TEST_F(SessionTest, PipelinedRequestsAreAnsweredInOrder) {
  send(post("/v1/chat/completions", kChat) + "GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n" + post("/nowhere", ""));
  EXPECT_EQ(answers(), 0u);
  answer();
  EXPECT_EQ(answers(), 3u);
  EXPECT_LT(client.sent.find("x-weir-tokens"), client.sent.find("404"));
  EXPECT_FALSE(client.closing);
  EXPECT_TRUE(world.clean());
}

TEST_F(SessionTest, KeysThatDoNotHold) {
  send("POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\ncontent-length: 0\r\n\r\n");
  EXPECT_TRUE(has("HTTP/1.1 401"));
  EXPECT_TRUE(has("www-authenticate"));
  EXPECT_TRUE(has("invalid_api_key"));
  client.sent.clear();
  send(with_key(kRevokedKey));
  EXPECT_TRUE(has("HTTP/1.1 401"));
  EXPECT_TRUE(has("revoked"));
  EXPECT_TRUE(world.journal.opened.empty());
}

TEST_F(SessionTest, WrongKeysBlockOnlyWrongKeys) {
  for (int i = 0; i < 3; ++i) send(with_key("unknown"));
  client.sent.clear();
  send(with_key("unknown"));
  EXPECT_TRUE(has("HTTP/1.1 429"));
  EXPECT_TRUE(has("retry-after"));
  client.sent.clear();
  send(with_key(kAgentKey));
  answer();
  EXPECT_TRUE(has("HTTP/1.1 200"));
}

TEST_F(SessionTest, InventedUsersGetNoFreshBudget) {
  for (int i = 0; i < 3; ++i) {
    send(with_key(kAgentKey, "x-weir-user: u" + std::to_string(i) + "\r\n"));
    answer();
  }
  client.sent.clear();
  send(with_key(kAgentKey, "x-weir-user: another\r\n"));
  EXPECT_TRUE(has("HTTP/1.1 429"));
  EXPECT_EQ(world.journal.settled[1].row.user, "u1");  // a label all the same
}

TEST_F(SessionTest, UsersOfAServiceKeyAreCallers) {
  for (int i = 0; i < 5; ++i) {
    send(with_key(kServiceKey, "x-weir-user: u" + std::to_string(i) + "\r\nx-weir-tier: free\r\n"));
    answer();
  }
  EXPECT_EQ(answers(), 5u);
  EXPECT_FALSE(has("HTTP/1.1 429"));
  client.sent.clear();
  send(with_key(kServiceKey, "x-weir-user: u1\r\nx-weir-tier: no-such-tier\r\n"));
  EXPECT_TRUE(has("HTTP/1.1 400"));
}

TEST_F(SessionTest, AnEarlyRefusalReadsAShortBodyAndGoesOn) {
  send("POST /nowhere HTTP/1.1\r\nhost: w\r\ncontent-length: 10\r\n\r\n12345");
  EXPECT_TRUE(has("HTTP/1.1 404"));
  EXPECT_FALSE(client.closing);
  send("67890GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n");
  EXPECT_TRUE(has("HTTP/1.1 200"));
}

TEST_F(SessionTest, AnEarlyRefusalEndsTheConnectionWhenTheBodyIsLong) {
  send("POST /nowhere HTTP/1.1\r\nhost: w\r\ncontent-length: 10000000\r\n\r\n12345");
  EXPECT_TRUE(has("HTTP/1.1 404"));
  EXPECT_TRUE(has("connection: close"));
  EXPECT_TRUE(client.closing);
}

TEST_F(SessionTest, ContinueIsSaidOnlyToRequestsThatMayGoOn) {
  const std::string body = kChat;
  const std::string length = "content-length: " + std::to_string(body.size()) + "\r\n";
  send("POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nexpect: 100-continue\r\nx-api-key: " + World::key(kAgentKey) +
       "\r\n" + length + "\r\n");
  EXPECT_EQ(client.sent, "HTTP/1.1 100 Continue\r\n\r\n");
  send(body);
  answer();
  EXPECT_TRUE(has("HTTP/1.1 200"));
  client.sent.clear();
  send("POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nexpect: 100-continue\r\n" + length + "\r\n");
  EXPECT_TRUE(client.sent.starts_with("HTTP/1.1 401"));
  EXPECT_TRUE(client.closing);
}

TEST_F(SessionTest, SlowClientsAreToldAndLetGo) {
  EXPECT_EQ(client.deadline, world.services.now + 75 * kSecond);
  send("POST /v1/chat");
  EXPECT_EQ(client.deadline, world.services.now + 10 * kSecond);
  session->on_deadline();
  EXPECT_TRUE(has("HTTP/1.1 408"));
  EXPECT_TRUE(client.closing);
}

TEST_F(SessionTest, HalfARequestIsNoRequest) {
  send(post("/v1/chat/completions", kChat).substr(0, 100));
  session->on_eof();
  EXPECT_TRUE(has("HTTP/1.1 400"));
  EXPECT_TRUE(client.closing);
  EXPECT_TRUE(world.journal.opened.empty());
}

TEST_F(SessionTest, MethodsHeadAndOptions) {
  send("GET /v1/chat/completions HTTP/1.1\r\nhost: w\r\n\r\n");
  EXPECT_TRUE(has("HTTP/1.1 405"));
  EXPECT_TRUE(has("allow: POST, OPTIONS"));
  client.sent.clear();
  send("OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: w\r\n\r\n");
  EXPECT_TRUE(has("HTTP/1.1 204"));
  client.sent.clear();
  send("HEAD /healthz HTTP/1.1\r\nhost: w\r\n\r\n");
  EXPECT_TRUE(has("content-length: 2"));
  EXPECT_TRUE(client.sent.ends_with("\r\n\r\n"));
}

TEST_F(SessionTest, OldHttpClosesUnlessAsked) {
  send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(client.closing);
  EXPECT_TRUE(has("connection: close"));
}

TEST_F(SessionTest, DrainingEndsConnectionsAfterTheirAnswer) {
  send(post("/v1/chat/completions", kChat));
  world.health.draining = true;
  session->close_if_idle();
  EXPECT_FALSE(client.closing);
  answer();
  EXPECT_TRUE(has("connection: close"));
  EXPECT_TRUE(client.closing);
}

TEST(ClientAddress, ForwardedOnlyByTrustedProxies) {
  World world(kPolicy);
  const std::vector<Cidr>& trusted = world.services.rules->policy().trusted_proxies;
  Headers headers;
  headers.fields = {{"X-Forwarded-For", "203.0.113.9, 10.0.0.7"}};
  EXPECT_EQ(client_ip("192.0.2.1", headers, trusted), "192.0.2.1");
  EXPECT_EQ(client_ip("10.1.1.1", headers, trusted), "203.0.113.9");
  EXPECT_EQ(client_ip("2001:db8:1:2:3:4:5:6", headers, trusted), "2001:db8:1:2::/64");
  headers.fields = {{"X-Forwarded-For", "junk"}};
  EXPECT_EQ(client_ip("10.1.1.1", headers, trusted), "10.1.1.1");
}

}  // namespace
}  // namespace weir
