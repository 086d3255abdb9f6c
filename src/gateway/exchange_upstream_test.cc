// HTTP upstreams that are no LLM providers: what is forwarded, what passes back, custom meters.
#include <gtest/gtest.h>

#include "gateway/exchange.h"
#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

TEST(ExchangeUpstream, RequestAndAnswerPassUnchanged) {
  World world;
  Connection client(world);
  client.say(request("PUT", "/plain/a%20b?x=1&y=%2F", world.agent, "raw \x01 body",
                     "x-mine: 1\r\naccept-encoding: gzip\r\nx-weir-user: bob\r\n"));
  const std::string& sent = world.upstream().sent;
  EXPECT_TRUE(sent.starts_with("PUT /plain/a%20b?x=1&y=%2F HTTP/1.1\r\nhost: plain.test\r\n")) << sent;
  EXPECT_TRUE(sent.ends_with("\r\ncontent-length: 10\r\n\r\nraw \x01 body")) << sent;
  EXPECT_TRUE(has(sent, "accept-encoding: gzip"));
  EXPECT_FALSE(has(sent, "authorization"));
  EXPECT_FALSE(has(sent, "x-weir-user"));
  world.upstream().bytes(
      response("201 Created", "image/png", "\x89PNG", "location: /plain/1\r\ncontent-encoding: x\r\n"));
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, "\x89PNG");
  EXPECT_EQ(answer["location"], "/plain/1");
  EXPECT_EQ(answer["content-length"], "4");
  EXPECT_EQ(answer["x-ratelimit-limit-requests"], "(absent)");
  EXPECT_TRUE(has(answer["ratelimit"], "in-flight"));
  EXPECT_EQ(world.used("requests"), 1);
  EXPECT_EQ(world.used("tokens"), 0);
  EXPECT_EQ(world.used("bytes"), 4);
  world.expect_quiet();
}

TEST(ExchangeUpstream, UrlPathIsPrefixedAndAuthorizationKeptOnlyIfAsked) {
  World world;
  Connection client(world);
  client.say(request("GET", "/api/deep/x", world.agent));
  EXPECT_TRUE(world.upstream().sent.starts_with("GET /base/api/deep/x HTTP/1.1\r\nhost: api.test:3000\r\n"));
  EXPECT_FALSE(has(world.upstream().sent, world.agent));
  EXPECT_FALSE(has(world.upstream().sent, "content-length"));
  world.upstream().bytes(response("200 OK", "text/plain", "ok"));
  client.say(request("GET", "/trusting", world.agent));
  EXPECT_TRUE(has(world.upstream().sent, "authorization: Bearer " + world.agent));
  world.upstream().bytes(response("200 OK", "text/plain", "ok"));
  world.expect_quiet();
}

TEST(ExchangeUpstream, ChunkedBodiesAreSentWithTheirLength) {
  World world;
  Connection client(world);
  client.say(request("POST", "/plain/x", world.agent, {}, "transfer-encoding: chunked\r\n") + chunk("hello ") +
             chunk("there") + std::string(kLastChunk));
  EXPECT_TRUE(has(world.upstream().sent, "content-length: 11\r\n\r\nhello there"));
  EXPECT_FALSE(has(world.upstream().sent, "transfer-encoding"));
  world.upstream().bytes("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(client.answer().status, 204);
  EXPECT_EQ(client.answer()["content-length"], "(absent)");
  EXPECT_EQ(client.answer()["transfer-encoding"], "(absent)");
  world.expect_quiet();
}

TEST(ExchangeUpstream, AnAnswerUntilCloseBecomesChunked) {
  World world;
  Connection client(world);
  client.say(request("GET", "/plain/x", world.agent));
  world.upstream().bytes("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\npart one, ");
  EXPECT_EQ(client.answer().body, "part one, ");
  EXPECT_FALSE(client.answer().complete);
  world.upstream().bytes("part two");
  world.upstream().eof();
  EXPECT_EQ(client.answer().body, "part one, part two");
  EXPECT_TRUE(client.answer().complete);
  EXPECT_FALSE(world.upstream().reusable);
  EXPECT_FALSE(client.port.closing);
  world.expect_quiet();
}

TEST(ExchangeUpstream, ABrokenAnswerCutsTheConnection) {
  World world;
  Connection client(world);
  client.say(request("GET", "/plain/x", world.agent));
  world.upstream().bytes("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart");
  world.upstream().eof();
  EXPECT_TRUE(client.port.aborted);
  EXPECT_FALSE(client.answer().complete);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  world.expect_quiet();
}

TEST(ExchangeUpstream, HeadKeepsTheLengthItWasTold) {
  for (const std::string_view path : {"/plain/x", "/api/x"}) {
    World world;
    Connection client(world);
    client.say(request("HEAD", path, world.agent));
    EXPECT_TRUE(world.upstream().sent.starts_with("HEAD "));
    world.upstream().bytes("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n");
    const Received answer = client.answer(true);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer["content-length"], "5000") << path;
    EXPECT_TRUE(client.port.sent.ends_with("\r\n\r\n"));
    EXPECT_TRUE(world.upstream().reusable);
    world.expect_quiet();
  }
}

TEST(ExchangeUpstream, CustomMetersReplaceTheirEstimates) {
  World world;
  Connection client(world);
  client.say(request("POST", "/api/q", world.agent, "{}"));
  EXPECT_EQ(world.reserved("units"), 10);
  EXPECT_EQ(world.reserved("rows"), 3);
  EXPECT_TRUE(has(world.upstream().sent, "accept-encoding: identity"));
  world.upstream().bytes(json_answer(R"({"meta":{"rows":41.2}})", "x-units: 7\r\n"));
  EXPECT_EQ(world.used("units"), 7);
  EXPECT_EQ(world.used("rows"), 42);
  EXPECT_EQ(client.answer().body, R"({"meta":{"rows":41.2}})");
  EXPECT_EQ(world.row().settled, Settled::kUsage);
  world.expect_quiet();
}

TEST(ExchangeUpstream, MetersThatAreMissingOrOddKeepTheirEstimates) {
  for (const std::string_view answer :
       {json_answer("{}"), json_answer(R"({"meta":{"rows":-4}})", "x-units: many\r\n"),
        json_answer("not json", "x-units: -1\r\n"), response("200 OK", "text/plain", "x", "x-units: \r\n"),
        response("500 Oops", "text/plain", "x")}) {
    World world;
    Connection client(world);
    client.say(request("POST", "/api/q", world.agent, "{}"));
    world.upstream().bytes(answer);
    EXPECT_EQ(world.used("units"), 10) << answer;
    EXPECT_EQ(world.used("rows"), 3);
    world.expect_quiet();
  }
}

TEST(ExchangeUpstream, UnreachableReleasesAndTimeoutKeepsTheEstimates) {
  World world;
  Connection client(world);
  client.say(request("POST", "/api/q", world.agent, "{}"));
  world.upstream().fail(UpstreamFailure::kResolve, "no such host");
  EXPECT_EQ(client.answer().status, 502);
  EXPECT_EQ(client.answer()["content-type"], "application/problem+json");
  EXPECT_TRUE(has(client.answer().body, "Upstream `/api/**`"));
  EXPECT_EQ(world.used("units"), 0);
  client.say(request("POST", "/api/q", world.agent, "{}"));
  world.upstream().expire();
  EXPECT_EQ(client.answers().back().status, 504);
  EXPECT_EQ(world.used("units"), 10);
  world.expect_quiet();
}

TEST(ExchangeUpstream, RefusalsAreProblems) {
  World world;
  world.use_policy(R"(
upstreams: [{ path: /api/**, kind: http, url: "http://api.test" }]
limits: [{ name: few, per: caller, meter: requests, allow: 1/1h }]
)");
  Connection client(world);
  client.say(request("GET", "/api/x", world.agent));
  world.upstream().bytes(response("200 OK", "text/plain", "ok"));
  world.pass(kMinute);
  client.say(request("GET", "/api/x", world.agent));
  const Received answer = client.answers().back();
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer["content-type"], "application/problem+json");
  EXPECT_TRUE(has(answer.body, "http-problem-types#quota-exceeded"));
  EXPECT_TRUE(has(answer.body, R"("violated-policies":["few"])"));
  EXPECT_TRUE(has(answer.body, R"("per":{"caller":"agent-1"})"));
  EXPECT_EQ(answer["x-should-retry"], "false");
  EXPECT_GT(std::stoi(answer["retry-after"]), 3'500);
}

TEST(ExchangeUpstream, BytesAreUnchangedAtEverySplit) {
  const std::string answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk("one") +
                             chunk("two, three") + std::string(kLastChunk);
  for (std::size_t at = 0; at <= answer.size(); ++at) {
    World world;
    Connection client(world);
    client.say(request("GET", "/plain/x", world.agent));
    world.upstream().bytes(answer.substr(0, at));
    world.upstream().bytes(answer.substr(at));
    ASSERT_EQ(client.answer().body, "onetwo, three") << at;
    ASSERT_TRUE(client.answer().complete);
    ASSERT_TRUE(world.upstream().reusable);
    world.expect_quiet();
  }
}

}  // namespace
}  // namespace weir
