// Answers of our own and the limit headers: numbers that clients act on.
#include "gateway/reply.h"

#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

TEST(Serialize, LengthBodyAndConnection) {
  const Reply reply{.status = 404, .content_type = "text/plain", .headers = "x-a: 1\r\n", .body = "gone"};
  EXPECT_EQ(serialize(reply, false, true, 1),
            "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 4\r\nx-a: 1\r\n\r\ngone");
  EXPECT_EQ(
      serialize(reply, true, false, 1),
      "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 4\r\nx-a: 1\r\nconnection: close\r\n\r\n");
  EXPECT_TRUE(has(serialize(reply, false, true, 0), "connection: keep-alive\r\n"));
  EXPECT_EQ(serialize({.status = 204, .content_type = {}, .headers = {}, .body = {}}, false, true, 1),
            "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(has(serialize({.status = 200, .content_type = {}, .headers = {}, .body = {}}, false, true, 1),
                  "content-length: 0\r\n"));
}

TEST(RetryAfter, IsRoundedUpAndNeverZero) {
  const auto lines = [](DurationNs wait) {
    std::string out;
    append_retry_after(wait, out);
    return out;
  };
  EXPECT_EQ(lines(0), "retry-after: 1\r\nretry-after-ms: 1\r\n");
  EXPECT_EQ(lines(1), "retry-after: 1\r\nretry-after-ms: 1\r\n");
  EXPECT_EQ(lines(2'500'000'001), "retry-after: 3\r\nretry-after-ms: 2501\r\n");
  EXPECT_EQ(lines(60 * kSecond), "retry-after: 60\r\nretry-after-ms: 60000\r\n");
  EXPECT_EQ(lines(60 * kSecond + 1), "retry-after: 61\r\nretry-after-ms: 60001\r\nx-should-retry: false\r\n");
}

TEST(RetryAfter, JitterSpreadsBetweenOnceAndTwice) {
  DurationNs least = kDay;
  DurationNs most = 0;
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    const DurationNs wait = jittered(kSecond, {1, i * 0x9e3779b97f4a7c15ull});
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  EXPECT_GE(least, kSecond);
  EXPECT_LT(most, 2 * kSecond);
  EXPECT_GT(most - least, 900 * kMillisecond);
}

TEST(DecimalUsd, HasSixDigits) {
  EXPECT_EQ(decimal_usd(0), "0.000000");
  EXPECT_EQ(decimal_usd(4'130), "0.004130");
  EXPECT_EQ(decimal_usd(12'000'001), "12.000001");
}

// One limit asked for `times` times; the headers of the last answer.
Received after(std::string_view limits, int times, World& world) {
  world.use_policy("upstreams: [{ path: /x, kind: http, url: \"http://x.test\" }]\n" + std::string(limits));
  Connection client(world);
  for (int i = 0; i < times; ++i) {
    const std::size_t before = world.dialed.size();
    client.say(request("GET", "/x", world.agent, {}, "x-team: red\r\n"));
    if (world.dialed.size() > before) world.upstream().bytes(response("200 OK", "text/plain", "ok"));
  }
  return client.answers().back();
}

TEST(LimitHeaders, ShowTheTwoWithTheSmallestShareLeft) {
  World world;
  const Received answer = after(R"(limits:
  - { name: roomy, per: caller, meter: requests, allow: 1000/1m }
  - { name: tight, per: caller, meter: requests, allow: [10/1m, 100/1h] }
  - { name: watched, per: caller, meter: requests, allow: 2/1m, mode: shadow }
  - { name: daily, per: caller, meter: requests, allow: 20/day }
)",
                                2, world);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer["ratelimit-policy"], R"("tight-1m";q=10;w=60, "daily";q=20;w=86400)");
  EXPECT_TRUE(has(answer["ratelimit"], R"("tight-1m";r=8;t=)"));
  EXPECT_TRUE(has(answer["ratelimit"], R"("daily";r=18;t=43200)"));  // noon: half a day to go
}

TEST(LimitHeaders, BucketsConcurrencyAndUnits) {
  World world;
  const Received bucket = after(
      "limits: [{ name: pace, per: caller, meter: requests, allow: 10/s burst 50 }, { name: sent, per: caller, meter: "
      "bytes_in, allow: 1M/1h }]",
      1, world);
  EXPECT_TRUE(has(bucket["ratelimit-policy"], R"("pace";q=50;w=5)"));
  EXPECT_TRUE(has(bucket["ratelimit-policy"], R"("sent";q=1000000;w=3600;qu="content-bytes")"));
  World other;
  const Received gauge = after("limits: [{ name: flying, per: caller, meter: concurrency, allow: 3 }]", 1, other);
  EXPECT_EQ(gauge["ratelimit-policy"], R"("flying";q=3;qu="concurrent-requests")");
  EXPECT_EQ(gauge["ratelimit"], R"("flying";r=2)");
}

TEST(LimitHeaders, RunsAndToolCallsHaveNoUnit) {
  World world;
  world.use_policy(
      "limits: [{ name: runs, per: caller, meter: runs, allow: 9/1m }, { name: calls, per: caller, meter: tool_calls, "
      "allow: 5/1h }]");
  Attributes attributes;
  attributes.set(Attribute::kCaller, "ann");
  Costs costs;
  for (const MeterKind kind : {MeterKind::kRequests, MeterKind::kRuns, MeterKind::kToolCalls}) costs.set(kind, 1, 1);
  Plan plan;
  ASSERT_FALSE(world.services.rules->plan(attributes, costs, kNoon, plan));
  Decision decision;
  world.limiter.admit({.subjects = plan.subjects(), .demands = plan.demands(), .now = kNoon, .id = {9, 9}}, decision);
  std::string headers;
  append_limit_state(ErrorShape::kProblem, plan, decision, kNoon, headers);
  EXPECT_TRUE(has(headers, "\"calls\";q=5;w=3600, \"runs\";q=9;w=60\r\n")) << headers;
}

TEST(LimitHeaders, NothingWithoutLimits) {
  World world;
  const Received answer = after("limits: []", 1, world);
  EXPECT_EQ(answer["ratelimit-policy"], "(absent)");
  EXPECT_EQ(answer["ratelimit"], "(absent)");
}

TEST(RefusalReply, NamesEveryLimitThatRefuses) {
  World world;
  const Received answer = after(R"(limits:
  - { name: short, per: caller, meter: requests, allow: 2/10s }
  - { name: long, per: [tenant, header.x-team], meter: requests, allow: 2/1h }
)",
                                3, world);
  EXPECT_EQ(answer.status, 429);
  EXPECT_TRUE(has(answer.body, R"("limit":"long")"));
  EXPECT_TRUE(has(answer.body, R"("also":["short"])"));
  EXPECT_TRUE(has(answer.body, R"("per":{"tenant":"acme","header.x-team":"red"})"));
  EXPECT_TRUE(has(answer.body, R"("allowed":2,"window":"1h","used":2,"reserved":0,"requested":1)"));
  EXPECT_TRUE(has(answer["ratelimit"], R"("short";r=0)"));
  EXPECT_EQ(answer["x-should-retry"], "false");
  EXPECT_TRUE(has(answer.body, "Limit `long` reached: 2 requests per 1h allowed, 2 used"));
}

TEST(RefusalReply, ItsWaitIsTrue) {
  World world;
  const Received answer = after("limits: [{ name: few, per: caller, meter: requests, allow: 2/30s }]", 3, world);
  ASSERT_EQ(answer.status, 429);
  const DurationNs wait = std::stoll(answer["retry-after-ms"]) * kMillisecond;
  world.pass(wait - kMillisecond);
  Connection early(world);
  early.say(request("GET", "/x", world.agent));
  EXPECT_EQ(early.answer().status, 429);
  world.pass(kMillisecond);
  Connection late(world);
  late.say(request("GET", "/x", world.agent));
  EXPECT_EQ(late.port.sent, "");
  late.leave();
}

}  // namespace
}  // namespace weir
