// Weir's own endpoints, asked through a session as clients do.
#include "api/endpoints.h"

#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

class ApiTest : public testing::Test {
 protected:
  ApiTest() { world.services.endpoints = &api; }
  Received get(std::string_view path, std::string_view key, std::string_view fields = {},
               Session::Listener listener = Session::Listener::kData) {
    Connection client(world, "192.0.2.1", listener);
    client.say(request("GET", path, key, {}, fields));
    return client.answer();
  }
  World world;
  AdminAccess access{Secret("the-admin-token")};
  ApiOptions options{.access = &access};
  Api api{options};
};

TEST_F(ApiTest, MeShowsWhoAndEveryLimit) {
  Connection client(world);
  client.say(chat_request(world.agent));
  const Received answer = get("/weir/v1/me", world.agent);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer["content-type"], "application/json");
  EXPECT_TRUE(answer["x-weir-request-id"].starts_with("req_"));
  EXPECT_TRUE(
      answer.body.starts_with(R"({"key":"agent-1","tenant":"acme","user":null,"tier":"free","trust":1,"limits":[)"))
      << answer.body;
  EXPECT_TRUE(has(
      answer.body,
      R"({"name":"requests","layer":"rate","meter":"requests","window":"1m","allowed":100,"used":1,"reserved":0,"remaining":99,"reset_at":"2026-11-21T)"));
  EXPECT_TRUE(has(
      answer.body,
      R"({"name":"in-flight","layer":"rate","meter":"concurrency","window":null,"allowed":4,"used":1,"reserved":0,"remaining":3)"));
  EXPECT_TRUE(has(
      answer.body,
      R"("name":"spend","layer":"budget","meter":"usd","window":"day","allowed":10.000000,"used":0.000000,"reserved":0.00)"));
  EXPECT_TRUE(has(answer.body, R"("name":"units")"));
  EXPECT_EQ(world.used("requests"), 1);  // asking costs nothing
  EXPECT_EQ(world.journal.opens.size(), 1u);
  client.leave();
  world.expect_quiet();
}

TEST_F(ApiTest, MeSeesLimitsOfItsOwnHeaders) {
  world.use_policy(
      "limits: [{ name: teams, per: header.x-team, match: { header.x-team: red }, meter: requests, allow: 5/1m }]");
  EXPECT_TRUE(has(get("/weir/v1/me", world.agent, "x-team: red\r\n").body, R"("name":"teams")"));
  EXPECT_TRUE(has(get("/weir/v1/me", world.agent).body, R"("limits":[])"));
}

TEST_F(ApiTest, MeShowsTheEndUserOfAServiceKey) {
  const Received answer = get("/weir/v1/me", world.service, "x-weir-user: eve\r\nx-weir-tier: pro\r\n");
  EXPECT_TRUE(has(answer.body, R"("key":"service-1","tenant":"acme","user":"eve","tier":"pro")"));
}

TEST_F(ApiTest, MeNeedsAKeyAndReachableCounters) {
  EXPECT_EQ(get("/weir/v1/me", {}).status, 401);
  EXPECT_EQ(get("/weir/v1/me", {})["content-type"], "application/problem+json");
  world.counters.status = CountersStatus::kUnavailable;
  EXPECT_EQ(get("/weir/v1/me", world.agent).status, 503);
}

TEST_F(ApiTest, MeMayBeAnsweredLaterOrNotAtAll) {
  world.counters.deferred = world.counters.peeks_deferred = true;
  Connection client(world);
  client.say(request("GET", "/weir/v1/me", world.agent));
  EXPECT_EQ(client.port.sent, "");
  world.use_policy("limits: []");  // its own rules stay with it
  world.counters.answer();
  EXPECT_TRUE(has(client.answer().body, R"("name":"requests")"));

  Connection other(world);
  other.say(request("GET", "/weir/v1/me", world.agent));
  EXPECT_EQ(world.counters.waiting(), 1u);
  other.leave();
  EXPECT_EQ(world.counters.waiting(), 0u);
}

TEST_F(ApiTest, ModelsInTheShapeOfWhoAsks) {
  const Received openai = get("/v1/models", world.agent);
  EXPECT_TRUE(openai.body.starts_with(
      R"({"object":"list","data":[{"id":"gpt-4o","object":"model","created":0,"owned_by":"openai"},{"id":"embed")"))
      << openai.body;
  EXPECT_TRUE(has(openai.body, R"({"id":"claude-)"));  // names of the price book that match the glob
  EXPECT_FALSE(has(openai.body, "claude-*"));
  EXPECT_FALSE(has(openai.body, "gpt-4o-mini"));  // nothing routes it
  const Received anthropic = get("/v1/models", world.agent, "anthropic-version: 2023-06-01\r\n");
  EXPECT_TRUE(anthropic.body.starts_with(R"({"data":[{"id":"gpt-4o","type":"model","display_name":"gpt-4o")"))
      << anthropic.body;
  EXPECT_TRUE(has(anthropic.body, R"("has_more":false,"first_id":"gpt-4o","last_id":"claude-)"));
  EXPECT_EQ(get("/v1/models", {}).status, 401);
  EXPECT_EQ(world.used("requests"), 0);
}

TEST_F(ApiTest, NoModelsIsAnEmptyList) {
  world.use_policy(
      "providers: { a: { dialect: openai, url: \"http://a.test\" }, b: { dialect: openai, url: \"http://b.test\" } "
      "}\nmodels: {}\n");
  EXPECT_EQ(get("/v1/models", world.agent).body, R"({"object":"list","data":[]})");
  EXPECT_TRUE(
      has(get("/v1/models", world.agent, "anthropic-version: 1\r\n").body, R"("first_id":null,"last_id":null)"));
}

TEST_F(ApiTest, HealthReadinessAndSchemaNeedNoKey) {
  EXPECT_EQ(get("/healthz", {}).body, "ok\n");
  EXPECT_EQ(get("/readyz", {}).status, 200);
  std::string why = "the journal cannot be written";
  options.why_not_ready = [&] { return why; };
  EXPECT_EQ(get("/readyz", {}).status, 503);
  EXPECT_EQ(get("/readyz", {}).body, "not ready: the journal cannot be written\n");
  why.clear();
  EXPECT_EQ(get("/readyz", {}, {}, Session::Listener::kAdmin).body, "ready\n");
  EXPECT_EQ(get("/schema.json", {}).body, policy_schema());
}

TEST_F(ApiTest, MetricsNeedTheAdminToken) {
  int refreshed = 0;
  options.before_metrics = [&] { ++refreshed; };
  const auto metrics = [&](std::string_view key) { return get("/metrics", key, {}, Session::Listener::kAdmin); };
  for (const std::string_view wrong : {std::string_view(), std::string_view("the-admin-toke"),
                                       std::string_view("the-admin-tokem"), std::string_view(world.agent)}) {
    const Received refused = metrics(wrong);
    EXPECT_EQ(refused.status, 401) << wrong;
    EXPECT_EQ(refused["www-authenticate"], "Bearer realm=\"weir admin\"");
  }
  EXPECT_EQ(refreshed, 0);
  const Received answer = metrics("the-admin-token");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(refreshed, 1);
  EXPECT_TRUE(answer["content-type"].starts_with("text/plain; version=0.0.4"));
  EXPECT_TRUE(has(answer.body, "# TYPE weir_open_connections gauge\n"));
  EXPECT_EQ(get("/metrics", "the-admin-token").status, 404);  // not on the data listener
}

TEST_F(ApiTest, AnEmptyAdminTokenOpensNothing) {
  const AdminAccess nobody{Secret()};
  options.access = &nobody;
  EXPECT_EQ(get("/metrics", {}, {}, Session::Listener::kAdmin).status, 401);
}

TEST_F(ApiTest, PublicMetricsNeedNone) {
  world.use_policy("admin: { metrics: public }\n");
  EXPECT_EQ(get("/metrics", {}, {}, Session::Listener::kAdmin).status, 200);
}

}  // namespace
}  // namespace weir
