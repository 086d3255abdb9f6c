#include "gateway/mcp_answer.h"

#include <gtest/gtest.h>

#include "gateway/mcp_replies.h"

namespace weir {
namespace {

const auto kHideMail = [](std::string_view name) { return name == "send_email"; };

TEST(McpAnswer, AResultIsTheToolsAndAnErrorIsNoticedInBothWays) {
  const McpAnswer good =
      read_mcp_answer(R"({"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"a"}]}})");
  EXPECT_TRUE(good.answers);
  EXPECT_FALSE(good.failed);
  EXPECT_EQ(good.id, "7");
  const McpAnswer tool = read_mcp_answer(R"({"jsonrpc":"2.0","id":"x","result":{"content":[],"isError":true}})");
  EXPECT_TRUE(tool.failed);
  EXPECT_EQ(tool.id, R"("x")");
  EXPECT_TRUE(read_mcp_answer(R"({"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no"}})").failed);
}

TEST(McpAnswer, EqualResultsHaveEqualHashesWhateverTheirSpacesAndMeta) {
  const auto hash = [](std::string_view result) {
    return read_mcp_answer(R"({"jsonrpc":"2.0","id":7,"result":)" + std::string(result) + "}").content;
  };
  EXPECT_EQ(hash(R"({"content":[{"type":"text","text":"a"}]})"),
            hash(R"({"_meta":{"t":1}, "content": [ {"type":"text", "text":"a"} ]})"));
  EXPECT_NE(hash(R"({"content":[{"type":"text","text":"a"}]})"), hash(R"({"content":[{"type":"text","text":"b"}]})"));
  EXPECT_NE(hash("{}"), 0u);
}

TEST(McpAnswer, NotificationsAndServersRequestsAreNoAnswers) {
  EXPECT_FALSE(read_mcp_answer(R"({"jsonrpc":"2.0","method":"notifications/progress","params":{}})").answers);
  EXPECT_FALSE(read_mcp_answer(R"({"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"})").answers);
  EXPECT_FALSE(read_mcp_answer("not json").answers);
  EXPECT_FALSE(read_mcp_answer("[]").answers);
  EXPECT_TRUE(read_mcp_answer(R"({"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required"}})").unfinished);
}

TEST(McpAnswer, HiddenToolsGoAndEveryOtherByteStays) {
  const std::string list =
      "{\"jsonrpc\":\"2.0\",\"id\":1, \"result\":{\"tools\":[ {\"name\":\"echo\"} "
      ",\n{\"name\":\"send_email\",\"x\":[1]}, "
      "{\"name\":\"slow\"} ],\"nextCursor\":\"c\"}}";
  EXPECT_EQ(without_tools(list, kHideMail),
            "{\"jsonrpc\":\"2.0\",\"id\":1, \"result\":{\"tools\":[ {\"name\":\"echo\"}, {\"name\":\"slow\"} "
            "],\"nextCursor\":\"c\"}}");
  EXPECT_EQ(without_tools(list, [](std::string_view) { return false; }), list);
  EXPECT_EQ(without_tools(list, [](std::string_view) { return true; }),
            "{\"jsonrpc\":\"2.0\",\"id\":1, \"result\":{\"tools\":[],\"nextCursor\":\"c\"}}");
  EXPECT_EQ(without_tools(R"({"result":{"tools":[{"name":"send_email"},{"name":"b"}]}})", kHideMail),
            R"({"result":{"tools":[{"name":"b"}]}})");
  EXPECT_EQ(without_tools(R"({"result":{"tools":[{"n\u0061me":"send_em\u0061il"},7]}})", kHideMail),
            R"({"result":{"tools":[7]}})");
  EXPECT_EQ(without_tools(R"([{"result":{"tools":[{"name":"send_email"}]}},{"id":2}])", kHideMail),
            R"([{"result":{"tools":[]}},{"id":2}])");
}

TEST(McpAnswer, AListIsReadUpToItsBound) {
  std::string list = R"({"jsonrpc":"2.0","id":1,"result":{"tools":[)";
  for (std::size_t i = 0; i <= kMaxListedTools; ++i) list += (i == 0 ? "" : ",") + std::string(R"({"name":"t"})");
  const McpAnswer answer = read_mcp_answer(list + "]}}");
  EXPECT_TRUE(answer.lists_tools);
  EXPECT_EQ(answer.tools.size(), kMaxListedTools);
}

TEST(McpAnswer, RefusalsAreJoinedWithTheAnswersOfABatch) {
  EXPECT_EQ(with_answers(R"([ {"id":1}, {"id":2} ])", {R"({"id":3})"}), R"([{"id":3},{"id":1},{"id":2}])");
  EXPECT_EQ(with_answers(R"({"id":1})", {R"({"id":3})"}), R"([{"id":3},{"id":1}])");
  EXPECT_EQ(with_answers("", {R"({"id":3})"}), R"([{"id":3}])");
}

TEST(McpAnswer, ANoteIsOneMoreText) {
  EXPECT_EQ(with_note(R"({"id":1,"result":{"content":[{"type":"text","text":"a"}],"isError":false}})", "slow \"down\""),
            R"({"id":1,"result":{"content":[{"type":"text","text":"a"},)"
            R"({"type":"text","text":"Weir: slow \"down\""}],"isError":false}})");
  EXPECT_EQ(with_note(R"({"id":1,"result":{"content":[]}})", "x"),
            R"({"id":1,"result":{"content":[{"type":"text","text":"Weir: x"}]}})");
  EXPECT_EQ(with_note(R"({"id":1,"result":{}})", "x"), R"({"id":1,"result":{}})");
}

TEST(McpAnswer, WhatBreaksOffStaysAsItIsAndNothingBehindItIsRead) {
  const std::string_view list = R"({"id":1,"result":{"tools":[]}})", result = R"({"id":1,"result":{"content":[]}})";
  const std::string_view broken_list = list.substr(0, list.find('[')), broken = result.substr(0, result.find('['));
  EXPECT_EQ(without_tools(broken_list, kHideMail), broken_list);
  EXPECT_EQ(with_note(broken, "used up"), broken);
}

TEST(McpAnswer, EventsAreReadAndWrittenWithTheirOtherLines) {
  const std::string event = "id: 5\r\nevent: message\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n";
  const SseMessage read = read_event(event);
  EXPECT_EQ(read.data, "{\"a\":\n1}");
  EXPECT_TRUE(read.has_id);
  EXPECT_EQ(with_data(event, "{}"), "id: 5\nevent: message\ndata: {}\n\n");
  EXPECT_EQ(with_data(event, "{\n}"), "id: 5\nevent: message\ndata: {\ndata: }\n\n");
  EXPECT_EQ(read_event(": comment\n\n").data, "");
  EXPECT_FALSE(read_event("data: x\n\n").has_id);
}

TEST(McpReplies, ARefusedToolIsToldToTheModelInWords) {
  Refusal refusal{.limit = "mail",
                  .layer = "tool",
                  .per = {},
                  .meter = "tool_calls",
                  .allowed = "5",
                  .used = "5",
                  .reserved = "0",
                  .requested = "1",
                  .window = "1h",
                  .retry_after_s = 1839.2};
  EXPECT_EQ(refusal_words("send_email", refusal),
            "Rate limit: send_email 5/1h used. Retry after 1840 s. Do not retry now; continue without it.");
  const std::string legacy = tool_error_message("7", false, "x", &refusal);
  EXPECT_EQ(legacy.find("resultType"), std::string::npos);
  EXPECT_NE(legacy.find(R"("structuredContent":{"weir":{"limit":"mail")"), std::string::npos) << legacy;
  EXPECT_NE(tool_error_message("7", true, "x", &refusal).find(R"("resultType":"complete")"), std::string::npos);
  refusal.retry_after_s = -1;
  EXPECT_EQ(refusal_words("send_email", refusal),
            "Rate limit: send_email 5/1h used. Do not call it again; continue without it.");
}

TEST(McpReplies, AnErrorCarriesItsIdAndWhenToComeAgain) {
  const Refusal refusal{.limit = "requests",
                        .layer = "rate",
                        .per = {},
                        .meter = "requests",
                        .allowed = "1",
                        .used = "1",
                        .reserved = "0",
                        .requested = "1",
                        .window = "1m",
                        .retry_after_s = 31.2};
  const std::string error = rpc_error_message("\"a\"", kRpcQuota, "m", &refusal);
  EXPECT_TRUE(error.starts_with(R"({"jsonrpc":"2.0","id":"a","error":{"code":42900,"message":"m","data":{"weir":{)"))
      << error;
  EXPECT_TRUE(error.ends_with(R"("retryable":true,"retryAfterMs":31200}}})")) << error;
  EXPECT_EQ(rpc_error_message("1", kRpcHeaderMismatch, "m", nullptr),
            R"({"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"m"}})");
  const Reply batch = rpc_error_reply({.batch = true, .ids = {"1", "2"}}, 429, kRpcQuota, "m", nullptr);
  EXPECT_EQ(batch.status, 429);
  EXPECT_TRUE(batch.body.starts_with(R"([{"jsonrpc":"2.0","id":1,)")) << batch.body;
  EXPECT_EQ(rpc_error_reply({}, 429, kRpcQuota, "m", nullptr).body,
            R"({"jsonrpc":"2.0","error":{"code":42900,"message":"m"}})");
}

TEST(McpReplies, EventsAreUsedOnlyForClientsThatTakeNothingElse) {
  EXPECT_TRUE(accepts_events_only("text/event-stream"));
  EXPECT_FALSE(accepts_events_only("application/json, text/event-stream"));
  EXPECT_FALSE(accepts_events_only("*/*, text/event-stream"));
  EXPECT_FALSE(accepts_events_only(""));
}

}  // namespace
}  // namespace weir
