#include "gateway/mcp_message.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr std::size_t kDepth = 128;

McpHeaders modern(std::string_view method, std::string_view name = {}) {
  return {.revision = "2026-07-28", .method = method, .name = name};
}

// The one message of a body that is good.
McpMessage message_of(std::string_view body, const McpHeaders& headers = {}) {
  const auto post = read_mcp_post(body, headers, kDepth);
  EXPECT_TRUE(post.has_value()) << (post ? "" : post.error().message);
  return post && post->messages.size() == 1 ? post->messages.front() : McpMessage{};
}

struct Wrong {
  std::string body;
  McpHeaders headers;
  int code;
  std::string words;  // part of the message
  std::string id;
};

void expect_fault(const Wrong& wrong) {
  const auto post = read_mcp_post(wrong.body, wrong.headers, kDepth);
  const std::string shown = wrong.body.substr(0, 200);
  ASSERT_FALSE(post.has_value()) << shown;
  EXPECT_EQ(post.error().code, wrong.code) << shown << ": " << post.error().message;
  EXPECT_NE(post.error().message.find(wrong.words), std::string::npos) << shown << ": " << post.error().message;
  EXPECT_EQ(post.error().id, wrong.id) << shown;
  EXPECT_LE(post.error().message.size(), 600u) << "a message must not repeat what was sent";
}

TEST(McpMessage, ACallIsReadWithItsToolAndArguments) {
  const McpMessage call = message_of(
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"send_email","arguments":{"to": "a@b"}}})");
  EXPECT_TRUE(call.is_call());
  EXPECT_EQ(call.id, "7");
  EXPECT_EQ(call.call.name, "send_email");
  EXPECT_EQ(call.call.arguments, R"({"to": "a@b"})");
  EXPECT_NE(call.call.signature, 0u);
  EXPECT_EQ(call.call.id, "");
}

TEST(McpMessage, EqualCallsHaveEqualSignaturesWhateverTheirIdsAndSpaces) {
  const McpMessage a =
      message_of(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"x":1,"y":2}}})");
  const McpMessage b = message_of(
      R"({"id":"b","jsonrpc":"2.0","method":"tools/call","params":{"arguments":{"y": 2, "x": 1},"name":"t"}})");
  EXPECT_EQ(a.call.signature, b.call.signature);
}

TEST(McpMessage, KindsAreToldApart) {
  EXPECT_TRUE(message_of(R"({"jsonrpc":"2.0","id":"a","method":"ping"})").is_request());
  EXPECT_EQ(message_of(R"({"jsonrpc":"2.0","method":"notifications/cancelled"})").kind,
            McpMessage::Kind::kNotification);
  EXPECT_EQ(message_of(R"({"jsonrpc":"2.0","id":3,"result":{}})").kind, McpMessage::Kind::kResponse);
  EXPECT_EQ(message_of(R"({"jsonrpc":"2.0","id":3,"error":{"code":1,"message":"x"}})").kind,
            McpMessage::Kind::kResponse);
}

TEST(McpMessage, IdsAreKeptInOneSpelling) {
  EXPECT_EQ(message_of(R"({"jsonrpc":"2.0","id":"a\u0062","method":"ping"})").id, R"("ab")");
  EXPECT_EQ(message_of(R"({"jsonrpc":"2.0","id":-5,"method":"ping"})").id, "-5");
  EXPECT_EQ(message_of(R"({"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"})").id, "18446744073709551615");
}

TEST(McpMessage, LookAlikesOfAToolShareItsName) {
  EXPECT_EQ(message_of(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"send_еmail"}})").call.name,
            "send_email");
}

TEST(McpMessage, EveryKnownRevisionIsAcceptedAndAbsentMeansTheFirstWithBatches) {
  for (const std::string_view revision : {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}) {
    const auto post = read_mcp_post(R"({"jsonrpc":"2.0","id":1,"method":"ping"})", {.revision = revision}, kDepth);
    ASSERT_TRUE(post.has_value()) << revision;
    EXPECT_FALSE(post->modern);
  }
  const auto absent = read_mcp_post(R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])", {}, kDepth);
  ASSERT_TRUE(absent.has_value());
  EXPECT_TRUE(absent->batch);
  EXPECT_EQ(absent->revision, "2025-03-26");
}

TEST(McpMessage, TheVersionThatInitializeProposesPasses) {
  const McpMessage hello = message_of(
      R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{}}})");
  EXPECT_EQ(hello.method, "initialize");
}

TEST(McpMessage, ModernRequestsAreReadWithTheirMirrors) {
  const std::string body =
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"größe","requestState":"s1","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})";
  const auto post = read_mcp_post(body, modern("tools/call", "=?base64?Z3LDtsOfZQ==?="), kDepth);
  ASSERT_TRUE(post.has_value()) << post.error().message;
  EXPECT_TRUE(post->modern);
  EXPECT_EQ(post->messages[0].request_state, "s1");
  EXPECT_TRUE(read_mcp_post(R"({"jsonrpc":"2.0","method":"notifications/x"})", modern("notifications/x"), kDepth));
  EXPECT_TRUE(read_mcp_post(R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a"}})",
                            modern("resources/read", "file:///a"), kDepth));
}

TEST(McpMessage, WhatHeadersSayOtherwiseThanTheBodyIsRefused) {
  const std::string call = R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"send_email"}})";
  const std::string meta =
      R"({"jsonrpc":"2.0","id":7,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})";
  McpHeaders twice = modern("ping");
  twice.repeated = true;
  for (const Wrong& wrong : {
           Wrong{
               call, {.revision = "2026-07-28"}, kRpcHeaderMismatch, "needs the header `Mcp-Method: tools/call`", "7"},
           Wrong{call, modern("tools/call"), kRpcHeaderMismatch, "needs the header Mcp-Name", "7"},
           Wrong{call, modern("tools/list"), kRpcHeaderMismatch, "Mcp-Method says `tools/list`", "7"},
           Wrong{call, modern("tools/call", "echo"), kRpcHeaderMismatch, "Mcp-Name says `echo`", "7"},
           Wrong{call, modern("tools/call", "=?base64?!!!?="), kRpcHeaderMismatch, "not valid =?base64?", "7"},
           Wrong{call, modern("tools/call", "=?base64?/w==?="), kRpcHeaderMismatch, "not valid =?base64?", "7"},
           Wrong{call, {.method = "ping"}, kRpcHeaderMismatch, "must agree", "7"},
           Wrong{call, {.method = "tools/call", .name = "echo"}, kRpcHeaderMismatch, "must agree", "7"},
           Wrong{call, modern("tools/call", std::string(10'000, 'x')), kRpcHeaderMismatch, "at most 4096", "7"},
           Wrong{meta, {.revision = "2025-06-18"}, kRpcHeaderMismatch, "`_meta` says `2026-07-28`", "7"},
           Wrong{meta, {}, kRpcHeaderMismatch, "MCP-Protocol-Version is missing", "7"},
           Wrong{meta, twice, kRpcHeaderMismatch, "more than once", "7"},
       }) {
    expect_fault(wrong);
  }
}

TEST(McpMessage, UnknownRevisionsAndMisplacedBatchesAreRefused) {
  const std::string ping = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
  for (const Wrong& wrong : {
           Wrong{ping, {.revision = "2099-01-01"}, kRpcUnsupportedRevision, "Use one of", "1"},
           Wrong{ping, {.revision = ""}, kRpcUnsupportedRevision, "not known", "1"},
           Wrong{ping, {.revision = "\x01garbage"}, kRpcUnsupportedRevision, "`?garbage`", "1"},
           Wrong{"[" + ping + "]", {.revision = "2025-06-18"}, kRpcInvalidRequest, "one message per POST", ""},
           Wrong{"[" + ping + "]", modern("ping"), kRpcInvalidRequest, "one message per POST", ""},
           Wrong{"[" + ping + "]", {.revision = "1999"}, kRpcUnsupportedRevision, "not known", ""},
           Wrong{"[]", {}, kRpcInvalidRequest, "empty", ""},
           Wrong{"[" + ping + "," + ping + "]", {}, kRpcInvalidRequest, "ids must be unique", "1"},
           Wrong{"[" + ping + R"(,{"jsonrpc":"2.0","id":2}])", {}, kRpcInvalidRequest, "`method` is missing", "2"},
           Wrong{"[1]", {}, kRpcInvalidRequest, "JSON object", ""},
       }) {
    expect_fault(wrong);
  }
}

TEST(McpMessage, ABatchHoldsAtMostItsBound) {
  const auto batch = [](std::size_t count) {
    std::string out = "[";
    for (std::size_t i = 0; i < count; ++i) {
      out.append(i == 0 ? "" : ",").append(R"({"jsonrpc":"2.0","id":)").append(std::to_string(i));
      out += R"(,"method":"ping"})";
    }
    return out + "]";
  };
  const auto full = read_mcp_post(batch(kMaxBatch), {}, kDepth);
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->messages.size(), kMaxBatch);
  expect_fault({batch(kMaxBatch + 1), {}, kRpcInvalidRequest, "101 messages, at most 100", ""});
  expect_fault({batch(10'000), {}, kRpcInvalidRequest, "10000 messages", ""});
}

TEST(McpMessage, MalformedMessagesSayWhatIsWrong) {
  const std::string deep = std::string(1100, '[') + std::string(1100, ']');
  for (const Wrong& wrong : {
           Wrong{"", {}, kRpcParseError, "empty", ""},
           Wrong{"{\"jsonrpc\":", {}, kRpcParseError, "not valid JSON", ""},
           Wrong{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\xff\"}", {}, kRpcParseError, "UTF-8", ""},
           Wrong{deep, {}, kRpcParseError, "deep", ""},
           Wrong{"7", {}, kRpcInvalidRequest, "JSON-RPC message", ""},
           Wrong{R"({"jsonrpc":"2.0","id":1,"method":"ping","id":2})", {}, kRpcInvalidRequest, "appears twice", ""},
           Wrong{R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}})",
                 {},
                 kRpcInvalidRequest,
                 "appears twice",
                 ""},
           // A server whose JSON ignores case, as Go's does, would take the other one.
           Wrong{R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}})",
                 {},
                 kRpcInvalidRequest,
                 "another case",
                 ""},
           Wrong{R"({"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"tools/call"})",
                 {},
                 kRpcInvalidRequest,
                 "another case",
                 ""},
           Wrong{R"({"jsonrpc":"2.0","id":1,"result":{},"Method":"tools/call"})",
                 {},
                 kRpcInvalidRequest,
                 "another case",
                 ""},
           Wrong{R"({"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{"name":"b"}})",
                 {},
                 kRpcInvalidRequest,
                 "another case",
                 ""},
           Wrong{R"({"id":1,"method":"ping"})", {}, kRpcInvalidRequest, "\"2.0\"", "1"},
           Wrong{R"({"jsonrpc":"1.0","id":1,"method":"ping"})", {}, kRpcInvalidRequest, "\"2.0\"", "1"},
           Wrong{R"({"jsonrpc":"2.0","id":null,"method":"ping"})", {}, kRpcInvalidRequest, "`id`", ""},
           Wrong{R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})", {}, kRpcInvalidRequest, "`id`", ""},
           Wrong{R"({"jsonrpc":"2.0","id":{},"method":"ping"})", {}, kRpcInvalidRequest, "`id`", ""},
           Wrong{R"({"jsonrpc":"2.0","id":")" + std::string(kMaxRpcId + 1, 'x') + R"(","method":"ping"})",
                 {},
                 kRpcInvalidRequest,
                 "`id`",
                 ""},
           Wrong{R"({"jsonrpc":"2.0","id":1,"method":""})", {}, kRpcInvalidRequest, "`method`", "1"},
           Wrong{R"({"jsonrpc":"2.0","id":1,"method":"a b"})", {}, kRpcInvalidRequest, "`method`", "1"},
           Wrong{R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(kMaxMcpMethod + 1, 'm') + "\"}",
                 {},
                 kRpcInvalidRequest,
                 "`method`",
                 "1"},
           Wrong{R"({"jsonrpc":"2.0","id":1,"method":"ping","result":{}})", {}, kRpcInvalidRequest, "not both", "1"},
           Wrong{R"({"jsonrpc":"2.0","result":{}})", {}, kRpcInvalidRequest, "`method` is missing", ""},
           Wrong{
               R"({"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}})", {}, kRpcInvalidRequest, "`id`", ""},
       }) {
    expect_fault(wrong);
  }
}

TEST(McpMessage, ToolNamesThatCannotBeToldApartAreRefused) {
  const auto call = [](const std::string& name) {
    return R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":)" + name + "}}";
  };
  for (const std::string& name :
       {std::string(R"("")"), std::string(R"("send\u0000email")"), std::string(R"("send\nemail")"), std::string("7"),
        std::string("null"), "\"" + std::string(10'000, 'n') + "\""}) {
    expect_fault({call(name), {}, kRpcInvalidParams, "a tool's name of 1 to 256 bytes", "7"});
  }
  EXPECT_EQ(message_of(call("\"" + std::string(kMaxToolName, 'n') + "\"")).call.name.size(), kMaxToolName);
  expect_fault({R"({"jsonrpc":"2.0","id":7,"method":"tools/call"})", {}, kRpcInvalidParams, "params.name", "7"});
  expect_fault(
      {R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":["a"]})", {}, kRpcInvalidParams, "params.name", "7"});
  expect_fault({R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","arguments":[]}})",
                {},
                kRpcInvalidParams,
                "must be an object",
                "7"});
}

TEST(McpMessage, LargeArgumentsAreKeptAsTheyCame) {
  const std::string text(5 << 20, 'x');
  const McpMessage call = message_of(
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"t":")" + text + "\"}}}");
  EXPECT_EQ(call.call.arguments.size(), text.size() + 8);
}

TEST(McpMessage, HeadersAreFoundWhateverTheirCaseAndNoticedWhenRepeated) {
  const Headers once{{{"MCP-Protocol-Version", "2025-06-18"}, {"mcp-NAME", "a"}}};
  const McpHeaders read = mcp_headers(once);
  EXPECT_EQ(read.revision, "2025-06-18");
  EXPECT_EQ(read.name, "a");
  EXPECT_EQ(read.method.data(), nullptr);
  EXPECT_FALSE(read.repeated);
  EXPECT_TRUE(mcp_headers({{{"mcp-method", "a"}, {"Mcp-Method", "a"}}}).repeated);
}

}  // namespace
}  // namespace weir
