// Tool calls: counted once, stripped, refused, cut.
#include <gtest/gtest.h>

#include "gateway/agent_fixture.h"

namespace weir {
namespace {

using namespace stage;

Call mail(int i) {
  return {
      .id = "mail_" + std::to_string(i), .name = "send_email", .arguments = R"({"to":")" + std::to_string(i) + "\"}"};
}

std::int64_t mails_counted(World& world) {
  Identity identity;
  const std::string authorization = "Bearer " + world.agent;
  Headers headers{{{"authorization", authorization}}};
  identity = identify(world.services, headers, "192.0.2.1");
  Attributes attributes;
  fill_attributes(identity, headers, attributes);
  attributes.set(Attribute::kTool, "send_email");
  Costs costs;
  costs.set(MeterKind::kToolCalls, 1, 1);
  costs.tool_call_only = true;
  Plan plan;
  EXPECT_FALSE(world.services.rules->plan(attributes, costs, world.services.now, plan));
  Decision decision;
  world.limiter.peek({.subjects = plan.subjects(), .demands = plan.demands(), .now = world.services.now}, decision);
  return decision.count == 0 ? -1 : decision.verdicts[0].used;
}

TEST(ExchangeCalls, AnAnnouncedCallIsCountedOnceWhateverComesBack) {
  World world(kAgentPolicy);
  Talk talk("Write to Ann.");
  exchange_once(world, world.agent, talk, announcing({mail(1)}));
  EXPECT_EQ(mails_counted(world), 1);
  EXPECT_EQ(world.row().tool_calls, 1);
  talk.announced({mail(1)}).returned("mail_1", "sent");
  exchange_once(world, world.agent, talk, json_answer(kChatAnswer));
  EXPECT_EQ(mails_counted(world), 1);
  exchange_once(world, world.agent, talk, json_answer(kChatAnswer));  // a retry
  EXPECT_EQ(mails_counted(world), 1);
  world.expect_quiet();
}

TEST(ExchangeCalls, AResultWhoseCallWasNeverSeenIsCountedOnce) {
  World world(kAgentPolicy);
  Talk talk("Write to Ann.");
  talk.announced({mail(7)}).returned("mail_7", "sent");
  exchange_once(world, world.agent, talk, json_answer(kChatAnswer));
  EXPECT_EQ(mails_counted(world), 1);
  exchange_once(world, world.agent, talk, json_answer(kChatAnswer));
  EXPECT_EQ(mails_counted(world), 1);
  world.expect_quiet();
}

TEST(ExchangeCalls, AToolThatIsUsedUpIsTakenFromTheList) {
  World world(kAgentPolicy);
  Talk talk("Write.");
  exchange_once(world, world.agent, talk, announcing({mail(1), mail(2)}));
  EXPECT_EQ(mails_counted(world), 2);
  const Received answer = exchange_once(world, world.agent, Talk("Write more."), json_answer(kChatAnswer));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer["x-weir-stripped"], "send_email");
  EXPECT_TRUE(has(world.upstream().sent, "lookup"));
  EXPECT_FALSE(has(world.upstream().sent, "send_email"));
  const auto stripped = std::find_if(world.journal.audits.begin(), world.journal.audits.end(),
                                     [](const AuditRow& row) { return row.event == AuditEvent::kStripped; });
  ASSERT_NE(stripped, world.journal.audits.end());
  EXPECT_EQ(stripped->limit, "mail");
  EXPECT_EQ(stripped->layer, "tool");
  world.expect_quiet();
}

TEST(ExchangeCalls, CallsOverACapAreCutFromAnAnswer) {
  World world(kAgentPolicy);
  const Received answer =
      exchange_once(world, world.agent, Talk("Write."), announcing({mail(1), mail(2), mail(3), {"l", "lookup"}}));
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(has(answer.body, "mail_2"));
  EXPECT_FALSE(has(answer.body, "mail_3"));
  EXPECT_TRUE(has(answer.body, "lookup"));
  EXPECT_TRUE(has(answer.body, R"("finish_reason":"tool_calls")"));
  EXPECT_EQ(answer["content-length"], std::to_string(answer.body.size()));
  EXPECT_EQ(world.row().tool_calls, 3);
  world.expect_quiet();
}

TEST(ExchangeCalls, AnAnswerLeftWithoutCallsEndsLikeOneThatHadNone) {
  World world(kAgentPolicy);
  exchange_once(world, world.agent, Talk("Write."), announcing({mail(1), mail(2)}));
  const Received answer = exchange_once(world, world.agent, Talk("Write.", {"lookup"}), announcing({mail(3)}));
  EXPECT_FALSE(has(answer.body, "tool_calls"));
  EXPECT_TRUE(has(answer.body, R"("finish_reason":"stop")"));
  world.expect_quiet();
}

std::string call_chunk(int index, const std::string& id, const std::string& name, const std::string& arguments) {
  return chunk(
      "data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":" +
      std::to_string(index) + (id.empty() ? "" : ",\"id\":" + json_text(id) + ",\"type\":\"function\"") +
      ",\"function\":{" + (name.empty() ? "" : "\"name\":" + json_text(name) + ",") +
      "\"arguments\":" + json_text(arguments) + "}}]}}]}\n\n");
}

TEST(ExchangeCalls, InAStreamACallOverTheCapNeverReachesTheClient) {
  World world(kAgentPolicy);
  exchange_once(world, world.agent, Talk("Write."), announcing({mail(1), mail(2)}));
  Connection client(world);
  client.say(chat_request(world.agent, Talk("More.", {"lookup"}, true).body()));
  FakeUpstream& provider = world.upstream();
  provider.bytes(kStreamHead);
  provider.bytes(chunk(kDelta1));
  provider.bytes(call_chunk(0, "mail_9", "send_email", ""));
  EXPECT_FALSE(has(client.port.sent, "send_email"));
  provider.bytes(call_chunk(0, "", "", "{\\\"to\\\":1}"));
  provider.bytes(
      chunk("data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{},"
            "\"finish_reason\":\"tool_calls\"}]}\n\n"));
  provider.bytes(joined({chunk(kUsageEvent), chunk(kDone), kLastChunk}));
  const Received answer = client.answer();
  EXPECT_FALSE(has(answer.body, "mail_9"));
  EXPECT_FALSE(has(answer.body, "tool_calls"));
  EXPECT_TRUE(has(answer.body, R"("finish_reason":"stop")"));
  EXPECT_TRUE(has(answer.body, "[DONE]"));
  EXPECT_TRUE(answer.complete);
  EXPECT_EQ(world.row().settled, Settled::kUsage);
  world.expect_quiet();
}

TEST(ExchangeCalls, InAStreamACallWithinTheCapPassesAsItCame) {
  World world(kAgentPolicy);
  Connection client(world);
  client.say(chat_request(world.agent, Talk("Write.", {"send_email"}, true).body()));
  FakeUpstream& provider = world.upstream();
  provider.bytes(kStreamHead);
  const std::string first = call_chunk(0, "mail_1", "send_email", "");
  provider.bytes(first);
  EXPECT_TRUE(has(client.port.sent, "mail_1"));
  provider.bytes(call_chunk(0, "", "", "{}"));
  provider.bytes(
      chunk("data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{},"
            "\"finish_reason\":\"tool_calls\"}]}\n\n"));
  provider.bytes(joined({chunk(kUsageEvent), chunk(kDone), kLastChunk}));
  EXPECT_TRUE(has(client.answer().body, R"("finish_reason":"tool_calls")"));
  EXPECT_EQ(mails_counted(world), 1);
  EXPECT_EQ(world.row().tool_calls, 1);
  world.expect_quiet();
}

TEST(ExchangeCalls, AStreamWaitsWhereTheCountersAnswerLaterAboutACall) {
  World world(kAgentPolicy);
  exchange_once(world, world.agent, Talk("Write."), announcing({mail(1)}));
  world.counters.deferred = world.counters.peeks_deferred = true;
  const auto answers = [&] {
    for (int i = 0; i < 8 && world.counters.waiting() > 0; ++i) world.counters.answer();
    world.turn();
  };
  Connection client(world);
  client.say(chat_request(world.agent, Talk("More.", {"send_email"}, true).body()));
  answers();
  FakeUpstream& provider = world.upstream();
  provider.bytes(kStreamHead);
  provider.bytes(call_chunk(0, "mail_2", "send_email", ""));
  EXPECT_FALSE(has(client.port.sent, "mail_2"));
  EXPECT_FALSE(provider.reading);
  provider.bytes(call_chunk(0, "", "", "{}"));
  answers();
  EXPECT_TRUE(has(client.port.sent, "mail_2"));
  EXPECT_TRUE(provider.reading);
  // The last place is gone; the stream ends before the counters have said so.
  provider.bytes(call_chunk(1, "mail_3", "send_email", "{}"));
  provider.bytes(
      chunk("data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{},"
            "\"finish_reason\":\"tool_calls\"}]}\n\n"));
  provider.bytes(joined({chunk(kUsageEvent), chunk(kDone), kLastChunk}));
  EXPECT_FALSE(client.answer().complete);
  answers();
  EXPECT_TRUE(client.answer().complete);
  EXPECT_FALSE(has(client.answer().body, "mail_3"));
  EXPECT_TRUE(has(client.answer().body, R"("finish_reason":"tool_calls")")) << "one call was left";
  EXPECT_EQ(mails_counted(world), 2);
  EXPECT_EQ(world.row().settled, Settled::kUsage);
  world.expect_quiet();
}

TEST(ExchangeCalls, WithoutCountersALimitThatFailsClosedCutsTheCallAndOneThatFailsOpenDoesNot) {
  for (const bool closed : {false, true}) {
    std::string yaml(kAgentPolicy);
    const std::string_view mode = "on_exceed: strip_tool";
    yaml.insert(yaml.find(mode), closed ? "fail: closed, " : "fail: open, ");
    World world(yaml);
    Connection client(world);
    client.say(chat_request(world.agent, Talk("Write.").body()));
    world.counters.status = CountersStatus::kUnavailable;
    world.upstream().bytes(announcing({mail(1), {"l", "lookup"}}));
    EXPECT_EQ(has(client.answer().body, "mail_1"), testing::AssertionResult(!closed));
    EXPECT_TRUE(has(client.answer().body, "lookup"));
    EXPECT_EQ(mails_counted(world), 0);
    world.counters.status = CountersStatus::kOk;
    world.expect_quiet();
  }
}

TEST(ExchangeCalls, TheFifthIdenticalCallOfARunIsCut) {
  World world(agent_policy_with("breaker: { repeats: { warn: 3, break: 5, within: 5m } }\n"));
  Talk talk("Find it.");
  std::string warned;
  for (int i = 1; i <= 5; ++i) {
    const Call call{.id = "l" + std::to_string(i), .name = "lookup", .arguments = R"({"q": "x"})"};
    const Received answer = exchange_once(world, world.agent, talk, announcing({call}));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(has(answer.body, "lookup"), testing::AssertionResult(i < 5)) << i;
    if (answer["x-weir-warning"] != "(absent)" && warned.empty()) {
      EXPECT_EQ(i, 3);
      warned = answer["x-weir-warning"];
    }
    talk.announced({call}).returned(call.id, "nothing found " + std::to_string(i));
  }
  EXPECT_EQ(warned, "repeats; used=3; allowed=5");
  const auto noted = std::find_if(world.journal.audits.begin(), world.journal.audits.end(),
                                  [](const AuditRow& row) { return row.event == AuditEvent::kWarned; });
  ASSERT_NE(noted, world.journal.audits.end());
  EXPECT_EQ(noted->tool, "lookup");
  EXPECT_LT(noted->retry_after_s, 0) << "nobody was told to wait";
  const auto broken = std::find_if(world.journal.audits.begin(), world.journal.audits.end(),
                                   [](const AuditRow& row) { return row.event == AuditEvent::kBroken; });
  ASSERT_NE(broken, world.journal.audits.end());
  EXPECT_EQ(broken->limit, "repeats");
  EXPECT_TRUE(has(broken->evidence, "lookup"));
  std::string metrics;
  world.metrics.write_prometheus(metrics);
  EXPECT_TRUE(has(metrics, R"(decision="cut",layer="breaker"} 1)")) << metrics;
  world.expect_quiet();
}

TEST(ExchangeCalls, ADeniedToolIsTakenFromTheListAndCutFromAnswers) {
  World world(kAgentPolicy);
  const Received answer =
      exchange_once(world, world.agent, Talk("Clean up.", {"wipe_disk", "lookup"}), announcing({{"w", "wipe_disk"}}));
  EXPECT_FALSE(has(world.upstream().sent, "\"name\":\"wipe_disk\""));
  EXPECT_FALSE(has(answer.body, "wipe_disk"));
  world.expect_quiet();
}

TEST(ExchangeCalls, ACallWhoseNameNoLimitCanHoldIsCutAndNoted) {
  World world(kAgentPolicy);
  for (const std::string name : {R"(send_email\u0000)", R"(send\u200b_email)", ""}) {
    const std::string answer = R"({"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[)"
                               R"({"id":"a","type":"function","function":{"name":"lookup","arguments":"{}"}},)"
                               R"({"id":"b","type":"function","function":{"name":")" +
                               name +
                               R"(","arguments":"{\"bad\":1}"}}]},"finish_reason":"tool_calls"}],)"
                               R"("usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}})";
    const Received got = exchange_once(world, world.agent, Talk("Write " + name.substr(0, 5)), json_answer(answer));
    EXPECT_TRUE(has(got.body, "lookup"));
    EXPECT_FALSE(has(got.body, "bad")) << name;
    EXPECT_EQ(world.row().tool_calls, 1);
    EXPECT_EQ(world.journal.audits.back().limit, "tools");
  }
  world.expect_quiet();
}

TEST(ExchangeCalls, AnAnswerWhoseCallsWereAllCutIsNoProgress) {
  World world(agent_policy_with("runs: { max_fanout: 3 }\n"));
  const std::string token =
      exchange_once(world, world.agent, Talk("Spread."), announcing({{"r", "lookup"}}))["x-weir-lineage"];
  Received answer;
  for (int i = 0; i < 4; ++i) {
    const std::string number = std::to_string(i);
    answer = exchange_once(world, world.agent, Talk("Child " + number), announcing({{"w" + number, "wipe_disk"}}),
                           "x-weir-lineage: " + token + "\r\n");
    EXPECT_EQ(answer.status, i < 3 ? 200 : 429) << answer.body;
  }
  EXPECT_TRUE(has(answer.body, "fanout"));
  world.expect_quiet();
}

TEST(ExchangeCalls, AToolLimitThatRefusesRefusesTheRequest) {
  World world(agent_policy_with(""));
  std::string yaml(kAgentPolicy);
  const std::size_t at = yaml.find("on_exceed: strip_tool");
  world.use_policy(yaml.replace(at, std::string_view("on_exceed: strip_tool").size(), "on_exceed: refuse"));
  exchange_once(world, world.agent, Talk("Write."), announcing({mail(1), mail(2)}));
  const Received refused = exchange_once(world, world.agent, Talk("Write."), json_answer(kChatAnswer));
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(has(refused.body, R"("limit":"mail","layer":"tool")"));
  world.expect_quiet();
}

TEST(ExchangeCalls, AnHttpRouteNamedAsAToolIsCountedWhereItIsExecuted) {
  World world(kAgentPolicy);
  int admitted = 0;
  for (int i = 0; i < 7; ++i) {
    Connection client(world);
    const std::size_t dialed = world.dialed.size();
    client.say(request("POST", "/api/limited", world.agent, std::to_string(i), "x-weir-run: r\r\n"));
    if (world.dialed.size() > dialed) {
      ++admitted;
      world.upstream().bytes(response("200 OK", "text/plain", std::to_string(i)));
      EXPECT_EQ(world.row().tool_calls, 1);
    } else {
      EXPECT_EQ(client.answer().status, 429);
      EXPECT_TRUE(has(client.answer().body, R"("limit":"posts")"));
    }
  }
  EXPECT_EQ(admitted, 5);
  world.expect_quiet();
}

TEST(ExchangeCalls, CallsInFlightAreCountedUntilTheirResultsCome) {
  World world(agent_policy_with(""));
  std::string yaml(kAgentPolicy);
  const std::size_t at = yaml.find("  - { name: calls");
  world.use_policy(
      yaml.insert(at, "  - { name: flying, per: caller, meter: concurrency, allow: 1, match: { tool: lookup } }\n"));
  Talk talk("Find it.");
  const Received first =
      exchange_once(world, world.agent, talk, announcing({{"a", "lookup", "{\"q\":1}"}, {"b", "lookup", "{\"q\":2}"}}));
  EXPECT_TRUE(has(first.body, "\"a\""));
  EXPECT_FALSE(has(first.body, "\"b\""));
  talk.announced({{"a", "lookup", "{\"q\":1}"}}).returned("a", "one");
  const Received second = exchange_once(world, world.agent, talk, announcing({{"c", "lookup", "{\"q\":3}"}}));
  EXPECT_TRUE(has(second.body, "\"c\""));
  EXPECT_EQ(world.limiter.stats().open_reservations, 1u);  // of call c
}

}  // namespace
}  // namespace weir
