// Whole answers without some of their calls, in every dialect.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "providers/tool_calls.h"

namespace weir {
namespace {

const std::string kChat =
    R"({"id":"c", "choices": [ {"index":0,"message":{"role":"assistant","content":null, "tool_calls": [ )"
    R"({"id":"1","type":"function","function":{"name":"pay","arguments":"{\"a\":1}"}} , )"
    R"({"id":"2","type":"custom","custom":{"name":"run","input":"x"}} ] ,"refusal":null},"finish_reason":"tool_calls"}],)"
    R"("usage":{"prompt_tokens":1}})";

TEST(WithoutCalls, OneOfTwoChatCallsGoesAndTheRestStaysAsItIs) {
  std::string expected = kChat;
  const std::size_t begin = expected.find(R"( , {"id":"2")");
  expected.erase(begin, expected.find(" ] ,") - begin);
  EXPECT_EQ(without_calls(Operation::kChatCompletions, kChat, {false, true}), expected);
  expected = kChat;
  expected.erase(expected.find(R"({"id":"1")"), expected.find(R"({"id":"2")") - expected.find(R"({"id":"1")"));
  EXPECT_EQ(without_calls(Operation::kChatCompletions, kChat, {true, false}), expected);
}

TEST(WithoutCalls, AChatAnswerWithoutCallsIsAnEmptyTextThatStopped) {
  EXPECT_EQ(without_calls(Operation::kChatCompletions, kChat, {true, true}),
            R"({"id":"c", "choices": [ {"index":0,"message":{"role":"assistant","content":"" ,"refusal":null},)"
            R"("finish_reason":"stop"}],"usage":{"prompt_tokens":1}})");
}

TEST(WithoutCalls, TextBesideChatCallsStays) {
  EXPECT_EQ(without_calls(Operation::kChatCompletions,
                          R"({"choices":[{"message":{"tool_calls":[{"function":{"name":"a"}}],"content":"Hi"},)"
                          R"("finish_reason":"length"}]})",
                          {true}),
            R"({"choices":[{"message":{"content":"Hi"},"finish_reason":"length"}]})");
}

TEST(WithoutCalls, TheOlderFunctionCallGoesToo) {
  EXPECT_EQ(without_calls(Operation::kChatCompletions,
                          R"({"choices":[{"message":{"content":null,"function_call":{"name":"a","arguments":"{}"}},)"
                          R"("finish_reason":"function_call"}]})",
                          {true}),
            R"({"choices":[{"message":{"content":""},"finish_reason":"stop"}]})");
  // Both in one message: no comma is taken twice.
  EXPECT_EQ(without_calls(Operation::kChatCompletions,
                          R"({"choices":[{"message":{"tool_calls":[{"function":{"name":"a"}}],"function_call":)"
                          R"({"name":"b"}}}]})",
                          {true, true}),
            R"({"choices":[{"message":{"function_call":null}}]})");
}

TEST(WithoutCalls, EachChoiceEndsAsItsOwnCallsDo) {
  const std::string body =
      R"({"choices":[{"message":{"content":null,"tool_calls":[{"function":{"name":"a"}}]},"finish_reason":"tool_calls"},)"
      R"({"message":{"content":null,"tool_calls":[{"function":{"name":"b"}}]},"finish_reason":"tool_calls"}]})";
  EXPECT_EQ(without_calls(Operation::kChatCompletions, body, {true, false}),
            R"({"choices":[{"message":{"content":""},"finish_reason":"stop"},)"
            R"({"message":{"content":null,"tool_calls":[{"function":{"name":"b"}}]},"finish_reason":"tool_calls"}]})");
}

TEST(WithoutCalls, AnthropicBlocksGoAndTheTurnEnds) {
  const std::string body =
      R"({"content":[{"type":"text","text":"Hi"},{"type":"tool_use","id":"1","name":"a","input":{}},)"
      R"({"type":"server_tool_use","id":"s","name":"web_search","input":{}},)"
      R"({"type":"tool_use","id":"2","name":"b","input":{"x":1}}],"stop_reason":"tool_use","usage":{"input_tokens":1}})";
  EXPECT_EQ(without_calls(Operation::kMessages, body, {true, false}),
            R"({"content":[{"type":"text","text":"Hi"},{"type":"server_tool_use","id":"s","name":"web_search","input":)"
            R"({}},{"type":"tool_use","id":"2","name":"b","input":{"x":1}}],"stop_reason":"tool_use",)"
            R"("usage":{"input_tokens":1}})");
  EXPECT_EQ(without_calls(Operation::kMessages, body, {true, true}),
            R"({"content":[{"type":"text","text":"Hi"},{"type":"server_tool_use","id":"s","name":"web_search","input":)"
            R"({}}],"stop_reason":"end_turn","usage":{"input_tokens":1}})");
}

TEST(WithoutCalls, ResponsesItemsGoAndTheStatusStays) {
  EXPECT_EQ(without_calls(Operation::kResponses,
                          R"({"status":"completed","output":[{"type":"reasoning"},{"type":"function_call","name":"a"},)"
                          R"({"type":"local_shell_call","action":{}},{"type":"web_search_call"}]})",
                          {true, true}),
            R"({"status":"completed","output":[{"type":"reasoning"},{"type":"web_search_call"}]})");
}

TEST(WithoutCalls, GeminiPartsGoAndTheListStays) {
  const std::string body =
      R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"a","args":{}}},{"text":"x"},)"
      R"({"functionCall":{"name":"b"}}],"role":"model"},"finishReason":"STOP"}]})";
  EXPECT_EQ(without_calls(Operation::kGenerate, body, {false, true}),
            R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"a","args":{}}},{"text":"x"}],)"
            R"("role":"model"},"finishReason":"STOP"}]})");
  EXPECT_EQ(without_calls(Operation::kGenerate,
                          R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"a"}}]}}]})", {true}),
            R"({"candidates":[{"content":{"parts":[]}}]})");
}

TEST(WithoutCalls, OllamaCallsGo) {
  EXPECT_EQ(without_calls(Operation::kOllamaChat,
                          R"({"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"a",)"
                          R"("arguments":{"x":1}}}]},"done_reason":"stop","done":true})",
                          {true}),
            R"({"message":{"role":"assistant","content":""},"done_reason":"stop","done":true})");
}

TEST(WithoutCalls, CallsBeyondTheListGoToo) {
  EXPECT_EQ(without_calls(Operation::kChatCompletions, kChat, {false}),
            without_calls(Operation::kChatCompletions, kChat, {false, true}));
  EXPECT_EQ(without_calls(Operation::kChatCompletions, kChat, {}),
            without_calls(Operation::kChatCompletions, kChat, {true, true}));
}

TEST(WithoutCalls, WhatIsNoAnswerStaysAsItIs) {
  for (const char* body : {"", "null", "[]", "{", R"({"choices":[{"message":{"tool_calls":[{}]})", R"({"error":{}})",
                           R"({"choices":[{"message":{"tool_calls":[{"id":"neither"}]}}]})",
                           R"({"choices":{"message":{"tool_calls":"x"}}})", R"({"output":[1,null]})"}) {
    for (std::size_t i = 0; i < kOperationCount; ++i) {
      EXPECT_EQ(without_calls(static_cast<Operation>(i), body, {}), body) << body;
    }
  }
}

TEST(WithoutCalls, MoreCallsThanATurnMayHaveAreCut) {
  std::string body = R"({"content":[)";
  for (std::size_t i = 0; i < kMaxCallsInTurn + 50; ++i) {
    body += (i == 0 ? "" : ",") + std::string(R"({"type":"tool_use","id":"x","name":"a","input":{}})");
  }
  body += R"(],"stop_reason":"tool_use"})";
  const std::string rest =
      without_calls(Operation::kMessages, body, std::vector<bool>(announced_calls(Operation::kMessages, body).size()));
  EXPECT_EQ(announced_calls(Operation::kMessages, rest).size(), kMaxCallsInTurn + 1);
  const std::string bounded = without_calls(Operation::kMessages, body, std::vector<bool>(kMaxCallsInTurn));
  EXPECT_EQ(announced_calls(Operation::kMessages, bounded).size(), kMaxCallsInTurn);
}

// The two functions count the same things as calls, whatever stands in the answer.
RC_GTEST_PROP(WithoutCallsProperty, ExactlyTheCallsThatWereCutAreGone, ()) {
  static const std::vector<std::string> kParts = {R"({"function":{"name":"a","arguments":"{}"}})",
                                                  R"({"custom":{"name":"b","input":"x"}})",
                                                  R"({"type":"function_call","name":"c","arguments":"{}"})",
                                                  R"({"type":"tool_use","name":"d","input":{}})",
                                                  R"({"functionCall":{"name":"e","args":{"x":[1,"]"]}}})",
                                                  R"({"function_call":{"name":"f"}})",
                                                  R"({"type":"computer_call","action":{}})",
                                                  R"({"text":"tool_calls"})",
                                                  "null",
                                                  "7",
                                                  R"({"id":"neither","function":7})"};
  const auto picked = *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kParts));
  std::string list;
  for (const std::string& part : picked) list += (list.empty() ? "" : ", ") + part;
  list = picked.size() == 1 && *rc::gen::arbitrary<bool>() ? list : "[" + list + "]";
  const std::string message =
      R"({"function_call":{"name":"z"},"tool_calls":)" + list + R"(,"content":null,"parts":)" + list + "}";
  const std::string body = R"({"output":)" + list + R"(,"content":)" + list + R"(,"message":)" + message +
                           R"(,"choices":[{"message":)" + message + R"(},{"message":)" + message +
                           R"(}],"candidates":[{"content":)" + message + "}]}";
  for (std::size_t i = 0; i < kOperationCount; ++i) {
    const auto operation = static_cast<Operation>(i);
    const std::vector<ToolCall> calls = announced_calls(operation, body);
    std::vector<bool> cut;
    std::vector<std::string> left;
    for (const ToolCall& call : calls) {
      cut.push_back(*rc::gen::arbitrary<bool>());
      if (!cut.back()) left.push_back(call.name);
    }
    std::vector<std::string> found;
    for (const ToolCall& call : announced_calls(operation, without_calls(operation, body, cut)))
      found.push_back(call.name);
    RC_ASSERT(found == left);
    RC_ASSERT(without_calls(operation, body, std::vector<bool>(calls.size())) == body);
  }
}

}  // namespace
}  // namespace weir
