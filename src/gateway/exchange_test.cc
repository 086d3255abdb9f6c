// The life of a request against fakes: what is sent when, and that every way out settles exactly once.
#include "gateway/exchange.h"

#include <gtest/gtest.h>

#include "gateway/fake_world.h"

namespace weir {
namespace {

constexpr char kPolicy[] = R"(
providers:
  up: { dialect: openai, url: "http://provider.test:81/base/v1", key: upstream-credential, price: { input: 1, output: 2 } }
  ant: { dialect: anthropic, url: "http://ant.test", key: ant-credential, price: { input: 1, output: 2 } }
models: { "claude*": { provider: ant }, "*": { provider: up } }
upstreams:
  - { path: /api/**, kind: http, url: "http://api.test/root", meters: { units: { response_header: X-Units, estimate: 10 }, rows: { response_json: meta.rows, estimate: 5 } } }
retry: { attempts: 1 }
limits:
  - { name: requests, per: caller, meter: requests, allow: 5/1m }
  - { name: tokens, per: caller, meter: tokens, allow: 3000/1m }
  - { name: units, per: caller, meter: units, allow: 1000/1m }
  - { name: rows, per: caller, meter: rows, allow: 1000/1m }
)";
constexpr char kChat[] = R"({"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hello there"}]})";
constexpr char kStream[] =
    R"({"model":"m","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"hello there"}]})";

std::string answer(std::string_view body, std::string_view status = "200 OK", std::string_view headers = {}) {
  return "HTTP/1.1 " + std::string(status) + "\r\ncontent-type: application/json\r\n" + std::string(headers) +
         "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

constexpr char kUsage[] =
    R"({"id":"x","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"}}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}})";

constexpr char kSseHead[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
constexpr char kChunkedSseHead[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
constexpr char kSseText[] = "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n";
constexpr char kSseUsage[] =
    "data: "
    "{\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7,\"total_tokens\":18}}\n\n";
constexpr char kSseDone[] = "data: [DONE]\n\n";

class ExchangeTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(world.problems, ""); }
  void request(std::string_view body, std::string_view path = "/v1/chat/completions", std::string_view headers = {}) {
    session->on_bytes(post(path, body, headers));
  }
  void forward(std::string_view body, std::string_view path = "/v1/chat/completions") {
    request(body, path);
    world.journal.flush();
    ASSERT_FALSE(world.dialer.dialed.empty());
  }
  void play(std::string_view bytes) { world.upstream().events->on_upstream_bytes(bytes); }
  std::int64_t used(std::string_view limit) { return world.used(limit); }
  const UsageRow& row() { return world.journal.settled.back().row; }
  bool has(std::string_view text) const { return client.sent.find(text) != std::string::npos; }

  World world{kPolicy};
  FakeClient client;
  std::unique_ptr<Session> session = std::make_unique<Session>(world.services, client, "127.0.0.1");
};

TEST_F(ExchangeTest, NothingGoesUpstreamBeforeTheJournalHasIt) {
  request(kChat);
  EXPECT_EQ(world.journal.opened.size(), 1u);
  EXPECT_TRUE(world.dialer.dialed.empty());
  world.journal.flush();
  ASSERT_EQ(world.dialer.dialed.size(), 1u);
  const std::string& sent = world.upstream().received;
  EXPECT_TRUE(sent.starts_with("POST /base/v1/chat/completions HTTP/1.1\r\nhost: provider.test:81\r\n")) << sent;
  EXPECT_NE(sent.find("authorization: Bearer upstream-credential\r\n"), std::string::npos);
  EXPECT_EQ(sent.find("weir_"), std::string::npos);  // the caller's key stays here
  EXPECT_TRUE(sent.ends_with(kChat));
}

TEST_F(ExchangeTest, JsonIsSettledBeforeItsLastByteAndSaysWhatItCost) {
  forward(kChat);
  play(answer(kUsage, "200 OK", "x-ratelimit-limit-requests: 9\r\nx-echo: Bearer upstream-credential\r\n"));
  ASSERT_EQ(world.journal.settled.size(), 1u);
  EXPECT_EQ(client.sent, "");
  world.journal.flush();
  EXPECT_TRUE(has("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(has("x-weir-tokens: 18\r\n"));
  EXPECT_TRUE(has("x-weir-cost-usd: 0.000025\r\n"));
  EXPECT_TRUE(has("x-ratelimit-limit-requests: 5\r\n"));
  EXPECT_FALSE(has("x-ratelimit-limit-requests: 9"));
  EXPECT_FALSE(has("credential"));
  EXPECT_TRUE(client.sent.ends_with(kUsage));
  EXPECT_EQ(row().settled, Settled::kUsage);
  EXPECT_EQ(row().usage.total(), 18);
  EXPECT_EQ(row().attempts, 1);
  EXPECT_TRUE(world.upstream().kept);
  EXPECT_TRUE(world.clean());
  EXPECT_EQ(used("tokens"), 18);
  EXPECT_EQ(used("requests"), 1);
}

TEST_F(ExchangeTest, StreamsHideTheForcedUsageAtEverySplit) {
  const std::string bytes = std::string(kSseHead) + kSseText + kSseUsage + kSseDone;
  for (std::size_t split = 1; split < bytes.size(); split += 3) {
    SCOPED_TRACE(split);
    World other(kPolicy);
    FakeClient port;
    Session one(other.services, port, "127.0.0.1");
    one.on_bytes(post("/v1/chat/completions", kStream));
    other.journal.flush();
    EXPECT_NE(other.upstream().received.find("\"include_usage\":true"), std::string::npos);
    other.upstream().events->on_upstream_bytes(bytes.substr(0, split));
    other.upstream().events->on_upstream_bytes(bytes.substr(split));
    EXPECT_EQ(port.sent.find("[DONE]"), std::string::npos);  // held until the journal has the usage
    other.journal.flush();
    EXPECT_NE(port.sent.find(kSseText), std::string::npos);
    EXPECT_NE(port.sent.find(kSseDone), std::string::npos);
    EXPECT_EQ(port.sent.find("prompt_tokens"), std::string::npos);
    other.upstream().events->on_upstream_eof();
    EXPECT_TRUE(port.sent.ends_with("0\r\n\r\n"));
    ASSERT_EQ(other.journal.settled.size(), 1u);
    EXPECT_EQ(other.journal.settled[0].row.usage.total(), 18);
    EXPECT_TRUE(other.clean());
  }
}

TEST_F(ExchangeTest, UsageIsShownToThoseWhoAskedForIt) {
  forward(
      R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]})");
  play(std::string(kSseHead) + kSseUsage + kSseDone);
  world.journal.flush();
  EXPECT_TRUE(has("prompt_tokens"));
}

// Every moment at which a client can leave: settled once, the provider let go, nothing left.
TEST_F(ExchangeTest, ClientLeavesAtAnyMoment) {
  for (int moment = 0; moment < 6; ++moment) {
    SCOPED_TRACE(moment);
    World other(kPolicy);
    FakeClient port;
    auto one = std::make_unique<Session>(other.services, port, "127.0.0.1");
    one->on_bytes(post("/v1/chat/completions", kStream));
    if (moment > 0) other.journal.flush();
    if (moment > 1) other.upstream().events->on_upstream_bytes(kSseHead);
    if (moment > 2) other.upstream().events->on_upstream_bytes(kSseText);
    if (moment > 3) other.upstream().events->on_upstream_bytes(std::string(kSseUsage) + kSseDone);
    if (moment > 4) other.journal.flush();
    moment % 2 == 0 ? one->on_eof() : one->on_closed();
    ASSERT_EQ(other.journal.settled.size(), 1u);
    const UsageRow& settled = other.journal.settled[0].row;
    EXPECT_EQ(settled.settled, moment == 0 ? Settled::kNone : moment < 4 ? Settled::kCounted : Settled::kUsage);
    if (moment == 1) {
      EXPECT_GE(settled.usage.output(), 100);  // nothing seen: it may have been as long as allowed
    }
    if (moment == 3) {
      EXPECT_GT(settled.usage.output(), 0);
    }
    if (moment == 3) {
      EXPECT_LT(settled.usage.output(), 100);
    }
    one.reset();
    other.journal.flush();
    EXPECT_TRUE(other.clean());
  }
}

TEST_F(ExchangeTest, ProviderErrorsPassAndReleaseTheTokens) {
  forward(kChat);
  play(answer(R"({"error":{"message":"bad key upstream-credential"}})", "401 Unauthorized", "retry-after: 7\r\n"));
  world.journal.flush();
  EXPECT_TRUE(has("HTTP/1.1 401"));
  EXPECT_TRUE(has("retry-after: 7\r\n"));
  EXPECT_TRUE(has("bad key *******************"));
  EXPECT_EQ(row().settled, Settled::kNone);
  EXPECT_TRUE(world.clean());
  EXPECT_EQ(used("tokens"), 0);
  EXPECT_EQ(used("requests"), 1);
}

TEST_F(ExchangeTest, ProviderBreaksOff) {
  struct Case {
    const char* name;
    const char* seen;
    bool stream, timeout;
    const char* status;
    Settled settled;
  };
  const Case cases[] = {
      {"before a byte", "", false, false, "HTTP/1.1 502", Settled::kCounted},
      {"no answer in time", "", false, true, "HTTP/1.1 504", Settled::kCounted},
      {"inside the head", "HTTP/1.1 200 OK\r\ncontent-", false, false, "HTTP/1.1 502", Settled::kCounted},
      {"inside JSON", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{\"id\"", false,
       false, "HTTP/1.1 502", Settled::kCounted},
      {"malformed", "HTTP/1.1 200 OK\nx: y\n\n", false, false, "HTTP/1.1 502", Settled::kCounted},
      {"inside a stream", kChunkedSseHead, true, false, "HTTP/1.1 200", Settled::kCounted},
      {"a stream stalls", kSseHead, true, true, "HTTP/1.1 200", Settled::kCounted},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    World other(kPolicy);
    FakeClient port;
    Session one(other.services, port, "127.0.0.1");
    one.on_bytes(post("/v1/chat/completions", c.stream ? kStream : kChat));
    other.journal.flush();
    FakeUpstream& up = other.upstream();
    up.events->on_upstream_bytes(c.seen);
    if (!up.released) c.timeout ? up.events->on_upstream_deadline() : up.events->on_upstream_eof();
    other.journal.flush();
    EXPECT_TRUE(port.sent.starts_with(c.status)) << port.sent;
    ASSERT_EQ(other.journal.settled.size(), 1u);
    EXPECT_EQ(other.journal.settled[0].row.settled, c.settled);
    if (c.stream) {
      EXPECT_NE(port.sent.find("data: {\"error\":"), std::string::npos) << port.sent;
    }
    EXPECT_TRUE(other.clean());
  }
}

TEST_F(ExchangeTest, AStaleConnectionIsTriedOnceMoreAFreshOneIsNot) {
  world.dialer.pool = true;
  forward(kChat);
  world.upstream().events->on_upstream_failed(UpstreamFailure::kReset, "");
  ASSERT_EQ(world.dialer.dialed.size(), 2u);
  EXPECT_FALSE(world.upstream().from_pool);
  EXPECT_TRUE(world.upstream().received.ends_with(kChat));
  world.upstream().events->on_upstream_failed(UpstreamFailure::kReset, "");
  world.journal.flush();
  EXPECT_EQ(world.dialer.dialed.size(), 2u);
  EXPECT_TRUE(has("HTTP/1.1 502"));
  EXPECT_EQ(row().attempts, 2);
  EXPECT_TRUE(world.clean());
}

TEST_F(ExchangeTest, AJournalThatCannotBeWrittenForwardsNothing) {
  request(kChat);
  world.journal.flush(false);
  EXPECT_TRUE(world.dialer.dialed.empty());
  world.journal.flush(false);
  EXPECT_TRUE(has("HTTP/1.1 503"));
  EXPECT_TRUE(has("retry-after"));
  EXPECT_EQ(row().settled, Settled::kNone);
  EXPECT_TRUE(world.clean());
}

TEST_F(ExchangeTest, RefusalsChargeNothingAndLeaveAnAuditRow) {
  for (int i = 0; i < 5; ++i) {
    forward(kChat);
    play(answer(kUsage));
    world.journal.flush();
  }
  client.sent.clear();
  request(kChat);
  EXPECT_TRUE(has("HTTP/1.1 429"));
  EXPECT_TRUE(has("retry-after: 60\r\n"));
  EXPECT_TRUE(has("\"code\":\"rate_limit_exceeded\""));
  EXPECT_TRUE(has("\"weir\":{\"limit\":\"requests\",\"layer\":\"rate\",\"per\":{\"caller\":\"ann\"}"));
  ASSERT_EQ(world.journal.audits.size(), 1u);
  EXPECT_EQ(world.journal.audits[0].limit, "requests");
  EXPECT_EQ(world.journal.audits[0].key, "ann");
  client.sent.clear();
  request(kChat, "/v1/chat/completions", "accept: application/problem+json\r\n");
  EXPECT_TRUE(has("content-type: application/problem+json"));
  EXPECT_TRUE(has("#quota-exceeded"));
  EXPECT_EQ(world.dialer.dialed.size(), 5u);
  EXPECT_TRUE(world.clean());
  EXPECT_EQ(used("tokens"), 90);
}

TEST_F(ExchangeTest, WhatCanNeverFitIs413) {
  request(R"({"model":"m","messages":[{"role":"user","content":")" + std::string(20'000, 'x') + R"("}]})");
  EXPECT_TRUE(has("HTTP/1.1 413"));
  EXPECT_TRUE(has("\"retry_after\":null"));
  EXPECT_TRUE(has("x-should-retry: false"));
  EXPECT_FALSE(has("\r\nretry-after:"));
  EXPECT_TRUE(world.clean());
}

TEST_F(ExchangeTest, WrongModelsAreNamed) {
  request(R"({"model":"claude-x","messages":[{"role":"user","content":"x"}]})");
  EXPECT_TRUE(has("HTTP/1.1 404"));
  EXPECT_TRUE(has("model_not_found"));
  EXPECT_TRUE(has("anthropic"));
  client.sent.clear();
  request(R"({"model":)");
  EXPECT_TRUE(has("HTTP/1.1 400"));
  EXPECT_TRUE(world.clean());
  EXPECT_EQ(used("requests"), 0);
}

TEST_F(ExchangeTest, HttpUpstreamsAndTheirMeters) {
  forward("{}", "/api/rows?x=1");
  EXPECT_TRUE(world.upstream().received.starts_with("POST /root/api/rows?x=1 HTTP/1.1\r\nhost: api.test\r\n"));
  EXPECT_EQ(world.upstream().received.find("weir_"), std::string::npos);
  play(answer(R"({"meta":{"rows":42}})", "200 OK", "x-units: 17\r\n"));
  world.journal.flush();
  EXPECT_TRUE(has(R"({"meta":{"rows":42}})"));
  EXPECT_EQ(used("units"), 17);
  EXPECT_EQ(used("rows"), 42);
  forward("{}", "/api/rows");
  play(answer("{}"));
  world.journal.flush();
  EXPECT_EQ(used("units"), 27);  // not reported: the estimate stands
  EXPECT_EQ(used("rows"), 47);
  EXPECT_EQ(used("tokens"), 0);
  EXPECT_TRUE(world.clean());
}

TEST_F(ExchangeTest, ASlowReaderPausesTheProvider) {
  forward(kStream);
  client.stuck = Exchange::kHighWater + 1;
  play(std::string(kSseHead) + kSseText);
  EXPECT_FALSE(world.upstream().reading);
  client.stuck = 0;
  session->on_drained();
  EXPECT_TRUE(world.upstream().reading);
}

TEST_F(ExchangeTest, ARequestKeepsTheRulesItCameUnder) {
  forward(kChat);
  const LoadedPolicy tight =
      load_policy(std::string(kPolicy) + "  - { name: late, per: caller, meter: requests, allow: 1/1h }\n", "t",
                  [](std::string_view) { return std::nullopt; });
  ASSERT_TRUE(tight.policy);
  world.use(tight.policy);
  play(answer(kUsage));
  world.journal.flush();
  EXPECT_TRUE(has("x-weir-tokens: 18"));
  EXPECT_TRUE(world.clean());
  EXPECT_EQ(used("tokens"), 18);
}

TEST(ExchangeWithLateCounters, ClientMayLeaveBeforeTheAnswer) {
  for (const bool leaves_while_settling : {false, true}) {
    World world(kPolicy, true);
    FakeClient client;
    auto session = std::make_unique<Session>(world.services, client, "127.0.0.1");
    session->on_bytes(post("/v1/chat/completions", kChat));
    EXPECT_TRUE(world.journal.opened.empty());
    if (leaves_while_settling) {
      world.late->answer();
      world.journal.flush();
      world.upstream().events->on_upstream_bytes(answer(kUsage));
    }
    session->on_closed();
    session.reset();
    world.late->answer();
    world.late->answer();
    world.journal.flush();
    ASSERT_EQ(world.journal.settled.size(), 1u);
    EXPECT_EQ(world.journal.settled[0].row.settled, leaves_while_settling ? Settled::kUsage : Settled::kNone);
    EXPECT_TRUE(world.clean());
  }
}

}  // namespace
}  // namespace weir
