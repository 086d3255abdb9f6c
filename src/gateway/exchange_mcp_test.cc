// MCP servers behind the gateway: what is forwarded and counted, what is refused in whose words, what an answer loses
// and gains on its way.
#include <gtest/gtest.h>

#include "gateway/exchange.h"
#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

LimitRule limit(std::string name, MeterKind meter, std::string meter_name, std::int64_t amount, Layer layer) {
  const bool concurrency = meter == MeterKind::kConcurrency;
  WindowRule window{.kind = concurrency ? WindowKind::kConcurrency : WindowKind::kSliding,
                    .length = concurrency ? 0 : kHour,
                    .calendar = {},
                    .anchor = {},
                    .amount = amount,
                    .amount_metadata = {},
                    .label = concurrency ? "" : "1h",
                    .item = name};
  return {.name = std::move(name),
          .match = {},
          .per = {"caller"},
          .meter = {{.kind = meter, .custom = {}}},
          .meter_name = std::move(meter_name),
          .allow = {{.tier = {}, .windows = {std::move(window)}}},
          .layer = layer,
          .degrade = {}};
}

// A policy with MCP servers, a cap of two calls of send_email an hour, and the limits that expect_quiet() looks at.
void use_mcp_policy(World& world, std::int64_t requests = 100) {
  auto policy = std::make_shared<Policy>(*must_load(kTestPolicy));
  Upstream crm{.path = "/mcp/crm", .kind = UpstreamKind::kMcp, .url = {}, .tool = {}, .server = "crm"};
  crm.url = {.tls = false, .host = "crm.test", .port = 9100, .path = "/mcp"};
  Upstream shown = crm;
  shown.path = "/mcp/open/**";
  shown.hide_tools = false;
  policy->upstreams.push_back(crm);
  policy->upstreams.push_back(shown);
  for (LimitRule& rule : policy->limits) {
    if (rule.name == "requests") rule.allow[0].windows[0].amount = requests;
  }
  policy->tiers.at(0).tools.deny = {"forbid*"};
  LimitRule mail = limit("mail", MeterKind::kToolCalls, "tool_calls", 2, Layer::kTool);
  mail.match = {{.attribute = "tool", .patterns = {"send_*"}}};
  policy->limits.push_back(std::move(mail));
  world.services.rules =
      Ruleset::compile(policy, [&](const CounterSpec& s) { return world.limiter.define(s); }, *world.services.secret);
}

std::string post(const World& world, std::string_view body, std::string_view fields = {},
                 std::string_view path = "/mcp/crm") {
  return request(
      "POST", path, world.agent, body,
      std::string("content-type: application/json\r\naccept: application/json, text/event-stream\r\n").append(fields));
}

std::string call(std::string_view tool, std::string_view id = "7") {
  return std::string(R"({"jsonrpc":"2.0","id":)")
      .append(id)
      .append(R"(,"method":"tools/call","params":{"name":")")
      .append(tool)
      .append(R"(","arguments":{"to":"a@b"}}})");
}

std::string result(std::string_view id = "7", bool error = false) {
  return std::string(R"({"jsonrpc":"2.0","id":)")
      .append(id)
      .append(R"(,"result":{"content":[{"type":"text","text":"done"}],"isError":)")
      .append(error ? "true}}" : "false}}");
}

constexpr std::string_view kList = R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})";
constexpr std::string_view kTools =
    R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo"},{"name":"send_email"},{"name":"slow"}]}})";
constexpr std::string_view kModern = "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\n";

std::int64_t mails(World& world) {
  Attributes attributes;
  const std::string authorization = "Bearer " + world.agent;
  Headers headers{{{"authorization", authorization}}};
  const Identity identity = identify(world.services, headers, "192.0.2.1");
  fill_attributes(identity, headers, attributes);
  attributes.set(Attribute::kTool, "send_email");
  Costs costs;
  costs.tool_call_only = true;
  costs.set(MeterKind::kToolCalls, 1, 1);
  Plan plan;
  EXPECT_FALSE(world.services.rules->plan(attributes, costs, world.services.now, plan));
  Decision decision;
  world.limiter.peek({.subjects = plan.subjects(), .demands = plan.demands(), .now = world.services.now}, decision);
  for (std::size_t i = 0; i < plan.limits().size(); ++i) {
    if (plan.limits()[i].rule->name == "mail") return decision.verdicts[i].used + decision.verdicts[i].reserved;
  }
  return -1;
}

// Calls send_email until its cap is reached.
void use_up_mails(World& world) {
  for (int i = 0; i < 2; ++i) {
    Connection client(world);
    client.say(post(world, call("send_email")));
    world.upstream().bytes(json_answer(result()));
    ASSERT_EQ(client.answer().status, 200);
  }
  ASSERT_EQ(mails(world), 2);
}

TEST(ExchangeMcp, ACallGoesToTheServersOwnPathAndIsCounted) {
  World world;
  use_mcp_policy(world);
  Connection client(world);
  client.say(post(world, call("send_email"), "mcp-session-id: s1\r\n"));
  const std::string& sent = world.upstream().sent;
  EXPECT_TRUE(sent.starts_with("POST /mcp HTTP/1.1\r\nhost: crm.test:9100\r\n")) << sent;
  EXPECT_TRUE(has(sent, "mcp-session-id: s1\r\n"));
  EXPECT_TRUE(has(sent, "accept-encoding: identity"));
  EXPECT_FALSE(has(sent, world.agent));
  EXPECT_TRUE(sent.ends_with(call("send_email")));
  EXPECT_EQ(mails(world), 1);
  world.upstream().bytes(json_answer(result(), "mcp-session-id: s1\r\n"));
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(client.answer().body, result());
  EXPECT_EQ(client.answer()["mcp-session-id"], "s1");
  EXPECT_EQ(world.used("requests"), 1);
  EXPECT_EQ(mails(world), 1);
  EXPECT_EQ(world.row().tool_calls, 1);
  EXPECT_EQ(world.row().route, "/mcp/crm");
  EXPECT_EQ(world.row().settled, Settled::kUsage);
  world.expect_quiet();
}

TEST(ExchangeMcp, BelowAWildcardTheRestOfThePathFollows) {
  World world;
  use_mcp_policy(world);
  Connection client(world);
  client.say(post(world, kList, {}, "/mcp/open/a/b?x=1"));
  EXPECT_TRUE(world.upstream().sent.starts_with("POST /mcp/a/b?x=1 HTTP/1.1\r\n")) << world.upstream().sent;
  world.upstream().bytes(json_answer(kTools));
  world.expect_quiet();
}

TEST(ExchangeMcp, AnExhaustedToolIsRefusedInWordsForTheModelAndOthersGoOn) {
  World world;
  use_mcp_policy(world);
  use_up_mails(world);
  const std::int64_t requests = world.used("requests");
  const std::size_t sent = world.dialed.size();
  Connection client(world);
  client.say(post(world, call("send_email", "\"x\"")));
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer["content-type"], "application/json");
  EXPECT_TRUE(has(answer.body, R"({"jsonrpc":"2.0","id":"x","result":{"content":[{"type":"text","text":"Rate limit: )"
                               "send_email 2/1h used. Retry after "));
  EXPECT_TRUE(has(answer.body, R"("isError":true)"));
  EXPECT_TRUE(has(answer.body, R"("structuredContent":{"weir":{"limit":"mail","layer":"tool")"));
  EXPECT_GT(std::stoi(answer["retry-after"]), 3'000);
  EXPECT_NE(answer["x-weir-request-id"], "(absent)");
  EXPECT_EQ(world.used("requests"), requests) << "a refused request leaves no trace";
  EXPECT_EQ(world.dialed.size(), sent);
  ASSERT_EQ(world.journal.audits.size(), 1u);
  EXPECT_EQ(world.journal.audits[0].limit, "mail");
  client.say(post(world, call("echo")));
  world.upstream().bytes(json_answer(result()));
  EXPECT_EQ(client.answers().back().status, 200);
  EXPECT_FALSE(has(client.answers().back().body, "Rate limit"));
  world.expect_quiet();
}

TEST(ExchangeMcp, AModernResultSaysThatItIsComplete) {
  World world;
  use_mcp_policy(world);
  use_up_mails(world);
  Connection client(world);
  client.say(post(world, call("send_email"), std::string(kModern) + "mcp-name: send_email\r\n"));
  EXPECT_TRUE(has(client.answer().body, R"("resultType":"complete")"));
}

TEST(ExchangeMcp, AClientThatTakesOnlyEventsGetsTheRefusalAsOne) {
  World world;
  use_mcp_policy(world);
  use_up_mails(world);
  Connection client(world);
  client.say(request("POST", "/mcp/crm", world.agent, call("send_email"), "accept: text/event-stream\r\n"));
  EXPECT_EQ(client.answer()["content-type"], "text/event-stream");
  EXPECT_TRUE(client.answer().body.starts_with("event: message\ndata: {\"jsonrpc\""));
  EXPECT_TRUE(client.answer().body.ends_with("}\n\n"));
}

TEST(ExchangeMcp, OtherLimitsRefuseAsJsonRpcErrors) {
  World world;
  use_mcp_policy(world, 1);
  Connection client(world);
  client.say(post(world, kList));
  world.upstream().bytes(json_answer(kTools));
  client.say(post(world, call("echo", "\"q\"")));
  const Received answer = client.answers().back();
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer["content-type"], "application/json");
  EXPECT_TRUE(has(answer.body, R"({"jsonrpc":"2.0","id":"q","error":{"code":42900,)"));
  EXPECT_TRUE(has(answer.body, R"("data":{"weir":{"limit":"requests","layer":"rate")"));
  EXPECT_TRUE(has(answer.body, R"("retryAfterMs":)"));
  EXPECT_GE(std::stoi(answer["retry-after"]), 1);
  client.say(post(world, R"({"jsonrpc":"2.0","method":"notifications/initialized"})"));
  EXPECT_EQ(client.answers().back().status, 429);
  EXPECT_FALSE(has(client.answers().back().body, "\"id\""));
  world.expect_quiet();
}

TEST(ExchangeMcp, WhatIsWrongWithAMessageCostsNothingAndIsSaid) {
  World world;
  use_mcp_policy(world);
  Connection client(world);
  client.say(post(world, call("echo"), "mcp-method: ping\r\n"));
  EXPECT_EQ(client.answers().back().status, 400);
  EXPECT_TRUE(has(client.answers().back().body, R"("id":7,"error":{"code":-32020)"));
  client.say(post(world, call("echo"), "mcp-protocol-version: 2099-01-01\r\n"));
  EXPECT_EQ(client.answers().back().status, 400);
  EXPECT_TRUE(has(client.answers().back().body, R"("code":-32022)"));
  client.say(post(world, "{not json"));
  EXPECT_EQ(client.answers().back().status, 400);
  EXPECT_EQ(client.answers().back()["content-type"], "application/problem+json");
  client.say(request("PUT", "/mcp/crm", world.agent, "{}"));
  EXPECT_EQ(client.answers().back().status, 405);
  EXPECT_EQ(client.answers().back()["allow"], "GET, POST, DELETE, OPTIONS");
  EXPECT_TRUE(world.dialed.empty());
  EXPECT_EQ(world.used("requests"), 0);
  world.expect_quiet();
}

TEST(ExchangeMcp, ExhaustedToolsAreHiddenFromTheList) {
  World world;
  use_mcp_policy(world);
  Connection client(world);
  client.say(post(world, kList));
  world.upstream().bytes(json_answer(kTools));
  EXPECT_EQ(client.answer().body, kTools);
  use_up_mails(world);
  client.say(post(world, kList));
  world.upstream().bytes(json_answer(kTools));
  EXPECT_EQ(client.answers().back().body,
            R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo"},{"name":"slow"}]}})");
  client.say(post(world, kList, {}, "/mcp/open/x"));
  world.upstream().bytes(json_answer(kTools));
  EXPECT_EQ(client.answers().back().body, kTools) << "this server shows its tools whatever their state";
  EXPECT_EQ(mails(world), 2) << "looking is free";
  world.expect_quiet();
}

TEST(ExchangeMcp, TheListIsEditedInAStreamToo) {
  World world;
  use_mcp_policy(world);
  use_up_mails(world);
  for (const bool late : {false, true}) {
    Connection client(world);
    world.counters.deferred = world.counters.peeks_deferred = late;
    client.say(post(world, kList));
    if (late) world.counters.answer();  // admitted
    world.turn();
    world.upstream().bytes(kStreamHead);
    world.upstream().bytes(chunk("id: 1\nevent: message\ndata: " + std::string(kTools) + "\n\n: bye\n\n") +
                           std::string(kLastChunk));
    if (late) {
      EXPECT_EQ(client.answer().body, "") << "nothing before it is known what to hide";
      EXPECT_FALSE(world.upstream().reading);
      while (world.counters.waiting() > 0) {
        world.counters.answer();
        world.turn();
      }
    }
    world.counters.deferred = false;
    EXPECT_EQ(client.answer().body,
              "id: 1\nevent: message\ndata: "
              R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo"},{"name":"slow"}]}})"
              "\n\n: bye\n\n");
    EXPECT_TRUE(client.answer().complete);
    world.expect_quiet();
  }
}

TEST(ExchangeMcp, EventsLeaveAsTheyComeAndTheLastWaitsForTheJournal) {
  World world;
  use_mcp_policy(world);
  Connection client(world);
  client.say(post(world, call("slow")));
  world.upstream().bytes(kStreamHead);
  const std::string progress =
      "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":1}}\n\n";
  world.upstream().bytes(chunk(progress.substr(0, 30)));
  EXPECT_EQ(client.answer().body, "");
  world.upstream().bytes(chunk(progress.substr(30)));
  EXPECT_EQ(client.answer().body, progress);
  world.disk_ok = true;
  world.upstream().bytes_within_turn(chunk("data: " + result() + "\n\n"));
  EXPECT_EQ(client.answer().body, progress) << "what it cost is not on disk yet";
  world.turn();
  EXPECT_EQ(client.answer().body, progress + "data: " + result() + "\n\n");
  EXPECT_EQ(world.reserved("in-flight") + world.used("in-flight"), 0);
  world.upstream().bytes(kLastChunk);
  EXPECT_TRUE(client.answer().complete);
  world.expect_quiet();
}

TEST(ExchangeMcp, BytesOfAStreamAreUnchangedAtEverySplit) {
  const std::string events =
      ": hello\r\n\r\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\r\n\r\nevent: message\r\ndata: " + result() +
      "\r\n\r\n";
  const std::string answer = std::string(kStreamHead) + chunk(events) + std::string(kLastChunk);
  for (std::size_t at = 0; at <= answer.size(); ++at) {
    World world;
    use_mcp_policy(world);
    Connection client(world);
    client.say(post(world, call("echo")));
    world.upstream().bytes(answer.substr(0, at));
    world.upstream().bytes(answer.substr(at));
    ASSERT_EQ(client.answer().body, events) << at;
    ASSERT_TRUE(client.answer().complete);
    world.expect_quiet();
  }
}

std::string batch_of(std::initializer_list<std::string_view> messages) {
  std::string out = "[";
  for (const std::string_view message : messages) out.append(out.size() > 1 ? "," : "").append(message);
  return out + "]";
}

TEST(ExchangeMcp, RefusedCallsOfABatchAreTakenOutAndAnsweredHere) {
  World world;
  use_mcp_policy(world);
  Connection client(world);
  client.say(post(world, batch_of({call("send_email", "1"), call("send_email", "2"), call("send_email", "3"),
                                   call("echo", "4"), R"({"jsonrpc":"2.0","method":"notifications/x"})"})));
  EXPECT_TRUE(world.upstream().sent.ends_with(
      "\r\n\r\n" + batch_of({call("send_email", "1"), call("send_email", "2"), call("echo", "4"),
                             R"({"jsonrpc":"2.0","method":"notifications/x"})"})))
      << world.upstream().sent;
  EXPECT_EQ(mails(world), 2);
  EXPECT_EQ(world.used("requests"), 4);
  world.upstream().bytes(json_answer(batch_of({result("1"), result("2"), result("4")})));
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.body.starts_with(R"([{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"Rate)"))
      << answer.body;
  EXPECT_TRUE(answer.body.ends_with("," + result("1") + "," + result("2") + "," + result("4") + "]"));
  EXPECT_EQ(world.row().tool_calls, 3);
  EXPECT_EQ(mails(world), 2);
  world.expect_quiet();
}

TEST(ExchangeMcp, ABatchOfRefusedCallsGoesNowhere) {
  World world;
  use_mcp_policy(world);
  use_up_mails(world);
  const std::size_t sent = world.dialed.size();
  for (const bool late : {false, true}) {
    Connection client(world);
    world.counters.deferred = late;
    client.say(post(world, batch_of({call("send_email", "1"), call("send_email", "2")})));
    while (world.counters.waiting() > 0) {
      world.counters.answer();
      world.turn();
    }
    world.counters.deferred = false;
    EXPECT_EQ(client.answer().status, 200);
    EXPECT_TRUE(client.answer().body.starts_with(R"([{"jsonrpc":"2.0","id":1,"result")"));
    EXPECT_TRUE(has(client.answer().body, R"({"jsonrpc":"2.0","id":2,"result")"));
    EXPECT_EQ(world.dialed.size(), sent);
    world.expect_quiet();
  }
  EXPECT_EQ(mails(world), 2);
}

TEST(ExchangeMcp, RefusalsGoFirstWhereABatchIsAnsweredByAStream) {
  World world;
  use_mcp_policy(world);
  use_up_mails(world);
  Connection client(world);
  client.say(post(world, batch_of({call("send_email", "1"), call("echo", "2")})));
  world.upstream().bytes(kStreamHead);
  world.upstream().bytes(chunk("data: " + result("2") + "\n\n") + std::string(kLastChunk));
  EXPECT_TRUE(client.answer().body.starts_with(R"(event: message
data: {"jsonrpc":"2.0","id":1,"result")"))
      << client.answer().body;
  EXPECT_TRUE(client.answer().body.ends_with("data: " + result("2") + "\n\n"));
  world.expect_quiet();
}

TEST(ExchangeMcp, ABatchWhoseRestNeedsNoAnswerIsAnsweredWithTheRefusals) {
  World world;
  use_mcp_policy(world);
  use_up_mails(world);
  Connection client(world);
  client.say(post(world, batch_of({call("send_email", "1"), R"({"jsonrpc":"2.0","method":"notifications/x"})"})));
  world.upstream().bytes("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_TRUE(client.answer().body.starts_with(R"([{"jsonrpc":"2.0","id":1,"result")")) << client.answer().body;
  world.expect_quiet();
}

TEST(ExchangeMcp, CallsAreGivenBackWhenTheServerCannotBeReachedAndKeptOnceSent) {
  for (const bool batch : {false, true}) {
    World world;
    use_mcp_policy(world);
    const std::string body = batch ? batch_of({call("send_email", "1")}) : call("send_email", "1");
    Connection client(world);
    client.say(post(world, body));
    EXPECT_EQ(mails(world), 1);
    world.upstream().fail(UpstreamFailure::kConnect);
    EXPECT_EQ(client.answer().status, 502);
    EXPECT_TRUE(has(client.answer().body, R"("id":1,"error":{"code":-32603)")) << client.answer().body;
    EXPECT_EQ(mails(world), 0);
    EXPECT_EQ(world.used("requests"), 1);
    Connection other(world);
    other.say(post(world, body));
    other.leave();
    EXPECT_TRUE(world.upstream().released);
    EXPECT_FALSE(world.upstream().reusable);
    EXPECT_EQ(mails(world), 1);
    EXPECT_EQ(world.row().status, 499);
    world.expect_quiet();
  }
}

TEST(ExchangeMcp, ABrokenStreamEndsWithAnErrorUnlessItCanBeTakenUpAgain) {
  for (const bool resumable : {false, true}) {
    World world;
    use_mcp_policy(world);
    Connection client(world);
    client.say(post(world, call("slow")));
    world.upstream().bytes(kStreamHead);
    const std::string first =
        std::string(resumable ? "id: 1\n" : "") + "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n";
    world.upstream().bytes(chunk(first));
    world.upstream().eof();
    if (resumable) {
      EXPECT_TRUE(client.port.aborted);
      EXPECT_EQ(client.answer().body, first);
    } else {
      EXPECT_TRUE(client.answer().complete);
      EXPECT_TRUE(has(client.answer().body, first + "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"error\""));
    }
    world.expect_quiet();
  }
}

TEST(ExchangeMcp, StreamsOfTheServerLiveLongAndSessionsEnd) {
  World world;
  use_mcp_policy(world);
  Connection client(world);
  client.say(request("GET", "/mcp/crm", world.agent, {}, "accept: text/event-stream\r\nmcp-session-id: s1\r\n"));
  EXPECT_TRUE(world.upstream().sent.starts_with("GET /mcp HTTP/1.1\r\n"));
  world.upstream().bytes(kStreamHead);
  world.pass(50 * kMinute);
  world.upstream().bytes(chunk("data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n"));
  EXPECT_TRUE(has(client.answer().body, "\"x\""));
  EXPECT_GT(world.upstream().deadline, world.services.now + 30 * kMinute);
  EXPECT_EQ(world.reserved("in-flight") + world.used("in-flight"), 1);
  client.leave();
  EXPECT_TRUE(world.upstream().released);
  Connection other(world);
  other.say(request("DELETE", "/mcp/crm", world.agent, {}, "mcp-session-id: s1\r\n"));
  EXPECT_TRUE(world.upstream().sent.starts_with("DELETE /mcp HTTP/1.1\r\n"));
  world.upstream().bytes("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(other.answer().status, 204);
  EXPECT_EQ(world.used("requests"), 1) << "the window of the stream is over";
  world.expect_quiet();
}

TEST(ExchangeMcp, AStandingStreamDoesNotKeepTheServerFromStopping) {
  World world;
  use_mcp_policy(world);
  Connection client(world), other(world);
  client.say(request("GET", "/mcp/crm", world.agent, {}, "accept: text/event-stream\r\n"));
  world.upstream().bytes(kStreamHead);
  other.say(post(world, call("slow")));
  client.session->close_if_idle();
  other.session->close_if_idle();
  EXPECT_TRUE(client.port.aborted);
  EXPECT_TRUE(world.dialed.front()->released);
  EXPECT_FALSE(other.port.aborted) << "a call is waited for";
  world.upstream().bytes(json_answer(result()));
  EXPECT_EQ(other.answer().status, 200);
  world.expect_quiet();
}

TEST(ExchangeMcp, ADeniedToolIsHiddenAndRefusedWhoeverServesIt) {
  World world;
  use_mcp_policy(world);
  Connection client(world);
  client.say(post(world, call("forbidden")));
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_TRUE(has(client.answer().body, "Not allowed: you may not use forbidden."));
  EXPECT_TRUE(has(client.answer().body, R"("isError":true)"));
  EXPECT_TRUE(world.dialed.empty());
  EXPECT_EQ(world.used("requests"), 0);
  ASSERT_EQ(world.journal.audits.size(), 1u);
  EXPECT_EQ(world.journal.audits[0].key, "agent-1");
  client.say(post(world, batch_of({call("forbidden", "1"), call("echo", "2")})));
  EXPECT_TRUE(world.upstream().sent.ends_with("\r\n\r\n" + batch_of({call("echo", "2")})));
  world.upstream().bytes(json_answer(batch_of({result("2")})));
  EXPECT_TRUE(has(client.answers().back().body, R"({"jsonrpc":"2.0","id":1,"result":{"content")"));
  EXPECT_EQ(world.used("requests"), 1);
  client.say(post(world, kList));
  world.upstream().bytes(json_answer(R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"forbidden"}]}})"));
  EXPECT_EQ(client.answers().back().body, R"({"jsonrpc":"2.0","id":1,"result":{"tools":[]}})");
  world.expect_quiet();
}

TEST(ExchangeMcp, ServersErrorsPassAsTheyAre) {
  World world;
  use_mcp_policy(world);
  Connection client(world);
  client.say(post(world, call("echo"), "mcp-session-id: gone\r\n"));
  world.upstream().bytes(response("404 Not Found", "application/json", R"({"jsonrpc":"2.0","id":7,"error":{}})"));
  EXPECT_EQ(client.answer().status, 404);
  EXPECT_EQ(client.answer().body, R"({"jsonrpc":"2.0","id":7,"error":{}})");
  world.expect_quiet();
}

TEST(ExchangeMcp, AnAnswerThatCannotBeEditedIsNotPassedOn) {
  World world;
  use_mcp_policy(world);
  Connection client(world);
  client.say(post(world, kList));
  world.upstream().bytes(json_answer("xxxx", "content-encoding: gzip\r\n"));
  EXPECT_EQ(client.answers().back().status, 502);
  client.say(post(world, kList));
  world.upstream().bytes(json_answer(std::string(Exchange::kMaxBuffered + 1, ' ')));
  EXPECT_EQ(client.answers().back().status, 502);
  client.say(post(world, call("echo")));
  world.upstream().bytes(json_answer(std::string(Exchange::kMaxBuffered + 1, ' ')));
  EXPECT_EQ(client.answers().back().status, 200) << "what only is read may be too long to be read";
  world.expect_quiet();
}

TEST(ExchangeMcp, AnEventTooLongToBeReadPassesUnlessAPartOfItMustNot) {
  const std::string event = "data: " + std::string(Exchange::kMaxBuffered, ' ');
  for (const bool edited : {false, true}) {
    World world;
    use_mcp_policy(world);
    Connection client(world);
    client.say(post(world, edited ? std::string(kList) : call("echo")));
    world.upstream().bytes(kStreamHead);
    world.upstream().bytes(chunk(event));
    if (edited) {
      EXPECT_TRUE(client.answer().body.starts_with("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"error\""));
      EXPECT_TRUE(has(client.answer().body, "more than 8 MB, of which a part must not pass"));
    } else {
      EXPECT_EQ(client.answer().body, event);
      const std::string rest = "{}\n\ndata: " + result() + "\n\n";
      world.upstream().bytes(chunk(rest) + std::string(kLastChunk));
      EXPECT_EQ(client.answer().body, event + rest);
    }
    EXPECT_TRUE(client.answer().complete);
    world.expect_quiet();
  }
}

}  // namespace
}  // namespace weir
