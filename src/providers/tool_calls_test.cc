// Calls of whole answers in every dialect, their signatures, and the words that an agent was told.
#include "providers/tool_calls.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace weir {
namespace {

using Calls = std::vector<ToolCall>;

TEST(AnnouncedCalls, OfChatOverAllChoices) {
  const Calls calls = announced_calls(Operation::kChatCompletions, R"({"choices":[
      {"message":{"role":"assistant","tool_calls":[
        {"id":"c1","type":"function","function":{"name":"s\u0435nd","arguments":"{\"to\": \"x\"}"}},
        {"id":"c2","type":"custom","custom":{"name":"shell","input":"ls -l"}}]}},
      {"message":{"function_call":{"name":"old","arguments":"{}"}}}]})");
  ASSERT_EQ(calls.size(), 3U);
  EXPECT_EQ(calls[0].id, "c1");
  EXPECT_EQ(calls[0].name, "send");
  EXPECT_EQ(calls[0].arguments, R"({"to": "x"})");
  EXPECT_EQ(calls[0].signature, call_signature("send", R"({"to":"x"})"));
  EXPECT_EQ(calls[1].arguments, "ls -l");
  EXPECT_EQ(calls[2].name, "old");
  EXPECT_EQ(calls[2].id, "");
}

TEST(AnnouncedCalls, OfResponsesWithoutThoseTheProviderExecutes) {
  const Calls calls = announced_calls(Operation::kResponses, R"({"output":[{"type":"reasoning"},
      {"type":"web_search_call","id":"w"},{"type":"mcp_call","name":"x","arguments":"{}"},
      {"type":"function_call","call_id":"c1","id":"fc","name":"a","arguments":"{}"},
      {"type":"computer_call","call_id":"c2","action":{"type":"click"}}]})");
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(calls[0].id, "c1");
  EXPECT_EQ(calls[1].name, "computer");
}

TEST(AnnouncedCalls, OfMessagesWithoutServerTools) {
  const Calls calls = announced_calls(Operation::kMessages, R"({"content":[{"type":"text","text":"x"},
      {"type":"server_tool_use","id":"s","name":"web_search","input":{}},
      {"type":"tool_use","id":"t1","name":"a","input":{"n":1,"m":"x"}}],"stop_reason":"tool_use"})");
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls[0].signature, call_signature("a", R"({"m":"x", "n":1})"));
  EXPECT_EQ(calls[0].arguments, R"({"n":1,"m":"x"})");
}

TEST(AnnouncedCalls, OfGeminiOverAllCandidatesAndOllama) {
  const Calls calls = announced_calls(Operation::kGenerate, R"({"candidates":[
      {"content":{"parts":[{"text":"x"},{"functionCall":{"name":"a","args":{"n":1}}}]}},
      {"content":{"parts":[{"functionCall":{"name":"b","id":"i"}}]}}]})");
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(calls[1].id, "i");
  EXPECT_EQ(calls[1].arguments, "");
  EXPECT_EQ(calls[1].signature, call_signature("b", "{}"));
  const Calls ollama = announced_calls(Operation::kOllamaChat,
                                       R"({"message":{"tool_calls":[{"function":{"name":"a","arguments":{"n":1}}}]}})");
  ASSERT_EQ(ollama.size(), 1U);
  EXPECT_EQ(ollama[0].signature, calls[0].signature);
}

TEST(AnnouncedCalls, OfWhatIsNoAnswerAreNone) {
  for (const char* body : {"", "[]", "{", R"({"error":{}})", R"({"choices":[1,{"message":null}]})",
                           R"({"choices":[{"message":{"tool_calls":[1,{},{"function":3}]}}]})"}) {
    EXPECT_TRUE(announced_calls(Operation::kChatCompletions, body).empty()) << body;
  }
  EXPECT_TRUE(announced_calls(Operation::kEmbeddings, R"({"choices":[{"message":{"function_call":{}}}]})").empty());
}

TEST(AnnouncedCalls, EndOneBeyondTheBound) {
  std::string body = R"({"content":[{"type":"text"})";
  for (std::size_t i = 0; i < kMaxCallsInTurn + 5; ++i)
    body += R"(,{"type":"tool_use","id":"t","name":"a","input":{}})";
  EXPECT_EQ(announced_calls(Operation::kMessages, body + "]}").size(), kMaxCallsInTurn + 1);
}

TEST(CallSignature, IsTheSameHoweverTheArgumentsAreWritten) {
  const std::uint64_t one = call_signature("f", R"({"a":1,"b":[true,{"c":"x/y","d":null}]})");
  EXPECT_NE(one, 0U);
  EXPECT_EQ(one, call_signature("f", " {\n \"b\" : [ true, {\"d\":null,\"c\":\"x\\/\\u0079\"} ],\t\"a\" : 1 }\n"));
  EXPECT_EQ(call_signature("f", ""), call_signature("f", "{ }"));
}

TEST(CallSignature, DiffersWithNameKeysValuesAndNumberForms) {
  std::set<std::uint64_t> seen;
  const char* const arguments[] = {R"({"a":1})",
                                   R"({"a":1.0})",
                                   R"({"a":"1"})",
                                   R"({"a":true})",
                                   R"({"a":null})",
                                   R"({"b":1})",
                                   R"({"a":[1]})",
                                   R"({"a":{}})",
                                   R"({"a":[]})",
                                   R"({"a":[1,2]})",
                                   R"({"a":[2,1]})",
                                   R"({"a":1,"b":2})",
                                   R"({"a":2,"b":1})",
                                   R"({"a":{"b":1}})",
                                   "{}",
                                   "ls",
                                   R"("ls")",
                                   R"({"a":[[1],2]})",
                                   R"({"a":[[1,2]]})",
                                   "1",
                                   R"({"a":)",
                                   R"({"a":"\u0031 "})"};
  for (const char* text : arguments) EXPECT_TRUE(seen.insert(call_signature("f", text)).second) << text;
  EXPECT_NE(call_signature("f", "{}"), call_signature("g", "{}"));
}

TEST(CallSignature, TextThatIsNoJsonCountsAsItStandsAndDepthIsBounded) {
  EXPECT_EQ(call_signature("f", "ls -l"), call_signature("f", "ls -l"));
  EXPECT_NE(call_signature("f", "ls -l"), call_signature("f", "ls  -l"));
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_NE(call_signature("f", deep), 0U);
  EXPECT_NE(call_signature("f", deep), call_signature("f", " [" + deep + "]"));
}

TEST(PromptText, IsTheSystemsAndTheUsersWordsOnly) {
  EXPECT_EQ(prompt_text(Operation::kChatCompletions, R"({"messages":[{"role":"system","content":"s"},
      {"role":"user","content":[{"type":"text","text":"u1"},{"type":"image_url","image_url":{"url":"x"}}]},
      {"role":"assistant","content":"no"},{"role":"tool","tool_call_id":"c","content":"no"},
      {"role":"user","content":"u2"}]})"),
            "s\nu1\nu2");
  EXPECT_EQ(prompt_text(Operation::kMessages, R"({"system":[{"type":"text","text":"s"}],"messages":[
      {"role":"user","content":"u1"},{"role":"assistant","content":[{"type":"text","text":"no"}]},
      {"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"no"}]},
        {"type":"text","text":"u2"}]}]})"),
            "s\nu1\nu2");
  EXPECT_EQ(prompt_text(Operation::kResponses, R"({"instructions":"s","input":[{"role":"user","content":"u"},
      {"type":"function_call","name":"f","arguments":"no"},
      {"type":"function_call_output","call_id":"c","output":"no"}]})"),
            "s\nu");
  EXPECT_EQ(prompt_text(Operation::kResponses, R"({"input":"u"})"), "u");
  EXPECT_EQ(prompt_text(Operation::kGenerate, R"({"systemInstruction":{"parts":[{"text":"s"}]},"contents":[
      {"role":"user","parts":[{"text":"u"}]},{"role":"model","parts":[{"text":"no"}]},
      {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"text":"no"}}}]}]})"),
            "s\nu");
  EXPECT_EQ(prompt_text(Operation::kOllamaChat, R"({"messages":[{"role":"user","content":"u"},
      {"role":"tool","content":"no"}]})"),
            "u");
  EXPECT_EQ(prompt_text(Operation::kOllamaGenerate, R"({"system":"s","prompt":"u"})"), "s\nu");
  EXPECT_EQ(prompt_text(Operation::kCompletions, R"({"prompt":["a","b"]})"), "a\nb");
  EXPECT_EQ(prompt_text(Operation::kEmbeddings, R"({"input":"a"})"), "");
  EXPECT_EQ(prompt_text(Operation::kChatCompletions, "no json"), "");
}

}  // namespace
}  // namespace weir
