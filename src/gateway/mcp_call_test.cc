#include "gateway/mcp_call.h"

#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "gateway/tool_asks.h"

namespace weir {
namespace {

const Upstream kServer{.path = "/mcp/crm", .kind = UpstreamKind::kMcp, .url = {}, .tool = {}, .server = "crm"};
const auto kNone = [](std::string_view) { return false; };

McpCall call_of(std::string_view body, const Upstream& upstream = kServer) {
  const RequestHead head{.method = "POST", .target = {}, .path = "/mcp/crm", .query = {}, .headers = {}};
  auto call = McpCall::read(upstream, head, body, 128);
  EXPECT_TRUE(call.has_value()) << (call ? "" : call.error().message);
  return call ? std::move(*call) : *McpCall::read(upstream, {.method = "GET"}, {}, 128);
}

std::string tool_call(std::string_view tool, int id) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"tools/call","params":{"name":")" +
         std::string(tool) + "\"}}";
}
std::string tool_result(int id, bool error = false) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":{"content":[],"isError":)" +
         (error ? "true}}" : "false}}");
}

TEST(McpCall, OnlyCallsOfToolsBeginRuns) {
  EXPECT_FALSE(call_of(R"({"jsonrpc":"2.0","id":1,"method":"initialize"})").calls_tools());
  EXPECT_FALSE(call_of(R"({"jsonrpc":"2.0","method":"notifications/initialized"})").calls_tools());
  EXPECT_TRUE(call_of(tool_call("echo", 1)).calls_tools());
  EXPECT_EQ(call_of(tool_call("echo", 1)).single_call()->name, "echo");
  const McpCall batch = call_of("[" + tool_call("echo", 1) + "]");
  EXPECT_TRUE(batch.calls_tools());
  EXPECT_EQ(batch.single_call(), nullptr);
}

TEST(McpCall, NotificationsCountAsOneRequestTogetherAndRequestsEach) {
  EXPECT_EQ(call_of(R"({"jsonrpc":"2.0","method":"notifications/x"})").requests(), 1);
  EXPECT_EQ(
      call_of(R"([{"jsonrpc":"2.0","method":"notifications/x"},{"jsonrpc":"2.0","id":1,"result":{}}])").requests(), 1);
  EXPECT_EQ(
      call_of("[" + tool_call("a", 1) + "," + tool_call("a", 2) + R"(,{"jsonrpc":"2.0","method":"n/x"}])").requests(),
      2);
}

TEST(McpCall, TheFingerprintIsOfWhatIsAskedNotOfIds) {
  EXPECT_EQ(call_of(tool_call("echo", 1)).fingerprint(), call_of(tool_call("echo", 2)).fingerprint());
  EXPECT_NE(call_of(tool_call("echo", 1)).fingerprint(), call_of(tool_call("other", 1)).fingerprint());
  EXPECT_NE(call_of(tool_call("echo", 1)).fingerprint(), 0u);
}

TEST(McpCall, StreamsThatListenLiveLong) {
  EXPECT_EQ(call_of(tool_call("echo", 1)).timeouts().total, kServer.timeouts.total);
  const McpCall listening = call_of(R"({"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"})");
  EXPECT_EQ(listening.timeouts().total, McpCall::kMaxStreamLife);
  EXPECT_EQ(listening.timeouts().idle, McpCall::kStreamIdle);
}

TEST(McpCall, EveryResultIsToldOnceWithItsCall) {
  McpCall call = call_of("[" + tool_call("a", 1) + "," + tool_call("b", 2) + "]");
  std::vector<std::string> told;
  call.hooks.on_result = [&](const ToolCall& tool, const ToolResult& result) {
    EXPECT_EQ(tool.name, result.name);
    EXPECT_NE(result.content, 0u);
    told.push_back(tool.name + (result.error ? " failed" : " did"));
  };
  call.take_event("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n");
  call.take_event("data: " + tool_result(2, true) + "\n\n");
  EXPECT_FALSE(call.answered());
  call.take_event("data: " + tool_result(2, false) + "\n\n");
  call.take_event("data: " + tool_result(99) + "\n\n");
  call.take_event("data: " + tool_result(1) + "\n\n");
  EXPECT_TRUE(call.answered());
  EXPECT_EQ(told, (std::vector<std::string>{"b failed", "a did"}));
}

TEST(McpCall, AQuestionBackIsNoResult) {
  McpCall call = call_of(tool_call("a", 1));
  call.hooks.on_result = [](const ToolCall&, const ToolResult&) { ADD_FAILURE() << "nothing was returned yet"; };
  call.take_body(R"({"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"s"}})");
  EXPECT_TRUE(call.answered());
}

TEST(McpCall, ToolsThatAServerListsAreToldAndHiddenOnesLeft) {
  McpCall call = call_of(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  std::vector<std::string> told;
  call.hooks.on_tools = [&](const std::vector<std::string>& tools) { told = tools; };
  const std::string list =
      R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo"},{"name":"sеnd"},{"name":"a\u0001"}]}})";
  call.take_body(list);
  EXPECT_EQ(told, (std::vector<std::string>{"echo", "send"}));
  EXPECT_EQ(call.edited_body(list, [](std::string_view tool) { return tool == "send"; }),
            R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo"}]}})")
      << "a look-alike is the same tool, and what cannot be called is not shown";
}

TEST(McpCall, ToolsAreReadOnlyInAnswersToTheirQuestion) {
  McpCall call = call_of(tool_call("a", 1));
  call.hooks.on_tools = [](const std::vector<std::string>&) { ADD_FAILURE() << "nobody asked for tools"; };
  const std::string body = R"({"jsonrpc":"2.0","id":1,"result":{"content":[],"tools":[{"name":"echo"}]}})";
  call.take_body(body);
  EXPECT_EQ(call.edited_body(body, [](std::string_view) { return true; }), body);
}

TEST(McpCall, ANoteReachesTheModelInTheResult) {
  McpCall call = call_of(tool_call("a", 1));
  call.note("called 3 times with the same arguments");
  EXPECT_TRUE(call.edits_answer());
  const std::string event = "id: 1\ndata: " + tool_result(1) + "\n\n";
  call.take_event(event);
  const std::string edited = call.edited_event(event, kNone);
  EXPECT_NE(edited.find(R"({"type":"text","text":"Weir: called 3 times)"), std::string::npos) << edited;
  EXPECT_TRUE(edited.starts_with("id: 1\ndata: {"));
}

TEST(McpCall, OtherBytesStayWhereNothingIsEdited) {
  McpCall call = call_of(tool_call("a", 1));
  const std::string event = "data:" + tool_result(1) + "\r\n\r\n";
  call.take_event(event);
  EXPECT_EQ(call.edited_event(event, kNone), event);
}

class ToolAsksTest : public testing::Test {
 protected:
  ToolAsksTest() {
    world.use_policy(R"(
limits:
  - { name: requests, per: caller, meter: requests, allow: 100/1m }
  - { name: tokens, per: caller, meter: tokens, allow: 100/1m }
  - { name: in-flight, per: caller, meter: concurrency, allow: 4 }
  - { name: each, per: [caller, tool], meter: tool_calls, allow: 1/1h }
)");
    headers.fields = {{"authorization", authorization}};
    identity = identify(world.services, headers, "192.0.2.1");
    fill_attributes(identity, headers, attributes);
  }
  std::size_t answer_all() {
    std::size_t count = 0;
    for (; world.counters.waiting() > 0; ++count) world.counters.answer();
    return count;
  }

  stage::World world;
  const std::string authorization = "Bearer " + world.agent;
  Headers headers;
  Identity identity;
  Attributes attributes;
};

TEST_F(ToolAsksTest, LooksAtNoMoreToolsThanItsBound) {
  world.counters.deferred = world.counters.peeks_deferred = true;
  std::vector<std::string> tools;
  for (std::size_t i = 0; i < ToolAsks::kMaxAsked + 10; ++i) tools.push_back("t" + std::to_string(i));
  ToolAsks asks(world.services, *world.services.rules, attributes);
  std::size_t answers = 0;
  asks.look(tools, [&](const std::vector<ToolAsks::Answer>& all) { answers = all.size(); });
  EXPECT_TRUE(asks.busy());
  EXPECT_EQ(answer_all(), ToolAsks::kMaxAsked);
  EXPECT_EQ(answers, tools.size());
  EXPECT_FALSE(asks.busy());
}

TEST_F(ToolAsksTest, EachCallIsJudgedThenAdmittedAndSettledOnce) {
  for (const bool made : {false, true}) {
    for (const bool late : {false, true}) {
      world.counters.deferred = late;
      world.pass(2 * kHour);
      ToolAsks asks(world.services, *world.services.rules, attributes);
      std::vector<ToolAsks::Answer> answers;
      std::vector<std::string> unjudged;
      const auto judge = [](const ToolCall& call) {
        return call.name == "bad" ? std::optional(Refusal{.limit = "repeats", .layer = "breaker"}) : std::nullopt;
      };
      asks.admit(
          {{.name = "a"}, {.name = "bad"}, {.name = "a"}, {.name = "b"}}, world.services.next_id(),
          world.services.now + kHour, judge, [&](const ToolCall& call) { unjudged.push_back(call.name); },
          [&](std::vector<ToolAsks::Answer> all) { answers = std::move(all); });
      EXPECT_EQ(answer_all(), late ? 3u : 0u);
      ASSERT_EQ(answers.size(), 4u);
      EXPECT_TRUE(answers[0].admitted);
      EXPECT_EQ(answers[1].refusal.layer, "breaker");
      EXPECT_EQ(answers[2].refusal.limit, "each");
      EXPECT_TRUE(answers[3].admitted);
      EXPECT_EQ(unjudged, std::vector<std::string>{"a"});
      EXPECT_EQ(asks.admitted(), 2u);
      EXPECT_FALSE(asks.take_effects().empty());
      bool settled = false;
      asks.settle(made, [&] { settled = true; });
      EXPECT_EQ(answer_all(), late ? 2u : 0u);
      EXPECT_TRUE(settled);
      EXPECT_EQ(world.limiter.stats().open_reservations, 0u);
      std::vector<bool> room;
      asks.look({"a", "b", "c"}, [&](const std::vector<ToolAsks::Answer>& all) {
        for (const ToolAsks::Answer& one : all) room.push_back(one.admitted);
      });
      EXPECT_EQ(room, (std::vector<bool>{!made, !made, true}));
    }
  }
  EXPECT_EQ(world.used("in-flight") + world.reserved("in-flight"), 0) << "a call is no request";
}

TEST_F(ToolAsksTest, WithoutCountersCallsAreRefusedAndToolsStayVisible) {
  world.counters.status = CountersStatus::kUnavailable;
  ToolAsks asks(world.services, *world.services.rules, attributes);
  bool refused = false, visible = false;
  asks.admit({{.name = "a"}}, world.services.next_id(), world.services.now + kHour, {}, {},
             [&](const std::vector<ToolAsks::Answer>& all) { refused = !all[0].admitted && !all[0].problem.empty(); });
  asks.look({"a"}, [&](const std::vector<ToolAsks::Answer>& all) { visible = all[0].admitted; });
  EXPECT_TRUE(refused);
  EXPECT_TRUE(visible);
}

}  // namespace
}  // namespace weir
