#include "providers/prompt_count.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace weir {
namespace {

constexpr auto kChat = Operation::kChatCompletions;

// Tokens of the published example's texts in o200k and cl100k, counted with npm gpt-tokenizer.
const std::map<std::string, std::pair<std::int64_t, std::int64_t>, std::less<>> kCounted = {
    {"system", {1, 1}},
    {"user", {1, 1}},
    {"example_user", {2, 2}},
    {"example_assistant", {3, 3}},
    {"You are a helpful, pattern-following assistant that translates corporate jargon into plain English.", {17, 18}},
    {"New synergies will help drive top-line growth.", {10, 10}},
    {"Things working well together will increase revenue.", {8, 8}},
    {"Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.", {17, 18}},
    {"Let's talk later when we're less busy about how to do better.", {13, 15}},
    {"This late pivot means we don't have time to boil the ocean for the client deliverable.", {18, 19}},
    {"get_current_weather:Get the current weather in a given location", {11, 11}},
    {"location:string:The city and state, e.g. San Francisco, CA", {14, 14}},
    {"unit:string:The unit of temperature to return", {8, 8}},
    {"celsius", {2, 2}},
    {"fahrenheit", {2, 2}},
    {"You are a helpful assistant that can answer to questions about the weather.", {14, 14}},
    {"What's the weather like in San Francisco?", {8, 9}},
};

std::int64_t known(std::string_view text, bool o200k) {
  const auto found = kCounted.find(text);
  EXPECT_NE(found, kCounted.end()) << "not in the table: " << text;
  return found == kCounted.end() ? 0 : o200k ? found->second.first : found->second.second;
}

PromptCount published(std::string_view body, std::string_view model, bool o200k) {
  return count_prompt_with(kChat, body, model, [&](std::string_view text) { return known(text, o200k); });
}

PromptCount by_bytes(Operation operation, std::string_view body, std::string_view model = "gpt-4o") {
  return count_prompt_with(operation, body, model,
                           [](std::string_view text) { return static_cast<std::int64_t>(text.size()); });
}

constexpr std::string_view kMessagesExample = R"({"model":"m","messages":[
  {"role":"system","content":"You are a helpful, pattern-following assistant that translates corporate jargon )"
                                              R"(into plain English."},
  {"role":"system","name":"example_user","content":"New synergies will help drive top-line growth."},
  {"role":"system","name":"example_assistant","content":"Things working well together will increase revenue."},
  {"role":"system","name":"example_user","content":"Let's circle back when we have more bandwidth to touch base )"
                                              R"(on opportunities for increased leverage."},
  {"role":"system","name":"example_assistant","content":"Let's talk later when we're less busy about how to do )"
                                              R"(better."},
  {"role":"user","content":"This late pivot means we don't have time to boil the ocean for the client )"
                                              R"(deliverable."}]})";

constexpr std::string_view kToolsExample = R"({"model":"m","messages":[
  {"role":"system","content":"You are a helpful assistant that can answer to questions about the weather."},
  {"role":"user","content":"What's the weather like in San Francisco?"}],
  "tools":[{"type":"function","function":{"name":"get_current_weather",
    "description":"Get the current weather in a given location","parameters":{"type":"object","properties":{
      "location":{"type":"string","description":"The city and state, e.g. San Francisco, CA"},
      "unit":{"type":"string","description":"The unit of temperature to return","enum":["celsius","fahrenheit"]}},
    "required":["location"]}}}]})";

TEST(PromptCount, ThePublishedConversationCountsAsPublished) {
  EXPECT_EQ(published(kMessagesExample, "gpt-4o", true).tokens, 124);
  EXPECT_EQ(published(kMessagesExample, "gpt-4o-mini", true).tokens, 124);
  EXPECT_EQ(published(kMessagesExample, "gpt-4-0613", false).tokens, 129);
  EXPECT_EQ(published(kMessagesExample, "gpt-3.5-turbo", false).tokens, 129);
  EXPECT_EQ(published(kMessagesExample, "gpt-3.5-turbo-0301", false).tokens, 127);
  EXPECT_TRUE(published(kMessagesExample, "gpt-4o", true).exact);
}

TEST(PromptCount, ThePublishedFunctionCountsAsPublished) {
  EXPECT_EQ(published(kToolsExample, "gpt-4o", true).tokens, 101);
  EXPECT_EQ(published(kToolsExample, "gpt-4", false).tokens, 105);
  EXPECT_EQ(published(kToolsExample, "gpt-3.5-turbo", false).tokens, 105);
  EXPECT_TRUE(published(kToolsExample, "gpt-4", false).exact);
}

TEST(PromptCount, PartsOfTextCountLikeText) {
  const PromptCount text = by_bytes(kChat, R"({"messages":[{"role":"user","content":"abcd"}]})");
  const PromptCount parts = by_bytes(
      kChat, R"({"messages":[{"role":"user","content":[{"type":"text","text":"ab"},{"type":"text","text":"cd"}]}]})");
  EXPECT_EQ(text.tokens, 3 + 4 + 4 + 3);
  EXPECT_EQ(parts.tokens, text.tokens);
  EXPECT_TRUE(parts.exact);
}

TEST(PromptCount, WhatHasNoRuleIsCountedFromAboveAndSaysSo) {
  const struct {
    Operation operation;
    const char* body;
    std::int64_t least;
  } cases[] = {
      {kChat,
       R"({"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c","function":{"name":"f",)"
       R"("arguments":"{}"}}]}]})",
       40},
      {kChat, R"({"messages":[{"role":"tool","tool_call_id":"c","content":"done"}]})", 12},
      {kChat,
       R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https:)"
       R"(//x"}}]}]})",
       10},
      {kChat,
       R"({"messages":[{"role":"user","content":"x"}],"tools":[{"function":{"name":"f","parameters":)"
       R"({"properties":{"a":{"type":"array","items":{"type":"string"}}}}}}]})",
       50},
      {kChat,
       R"({"messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":)"
       R"({"name":"abc"}}})",
       40},
      {Operation::kResponses, R"({"input":"hello"})", 6},
      {Operation::kResponses, R"({"input":[{"role":"user","content":"hello"}],"instructions":"be brief"})", 40},
      {Operation::kMessages, R"({"max_tokens":1,"system":"ab","messages":[{"role":"user","content":"hello"}]})", 40},
      {Operation::kGenerate, R"({"contents":[{"parts":[{"text":"hello"}]}]})", 30},
      {Operation::kOllamaGenerate, R"({"prompt":"hello"})", 6},
  };
  for (const auto& c : cases) {
    const PromptCount count = by_bytes(c.operation, c.body);
    EXPECT_FALSE(count.exact) << c.body;
    EXPECT_GE(count.tokens, c.least) << c.body;
  }
  EXPECT_FALSE(by_bytes(kChat, R"({"messages":[{"role":"user","content":"x"}]})", "gpt-5").exact);
}

TEST(PromptCount, PartsThatNobodyHasToldUsOfCountByTheirJson) {
  const std::string text(500'000, 'x');
  const std::string open = R"({"messages":[{"role":"user","content":[)";
  for (const std::string& part : {
           R"({"type":"input_text","text":")" + text + "\"}",
           R"({"type":"output_text","text":")" + text + "\"}",
           R"({"type":"tool_result","content":[{"type":"text","text":")" + text + "\"}]}",
           R"({"text":")" + text + "\"}",
           R"({"type":null,"text":")" + text + "\"}",
           R"({"type":"text","text":[")" + text + "\"]}",
           R"({"type":"refusal","refusal":{"a":")" + text + "\"}}",
           "\"" + text + "\"",
           "[\"" + text + "\"]",
       }) {
    for (const char* model : {"gpt-oss-120b", "gpt-4o"}) {
      const PromptCount count = by_bytes(kChat, open + part + "]}]}", model);
      EXPECT_GE(count.tokens, 500'000) << part.substr(0, 40);
      EXPECT_LE(count.tokens, 600'000) << part.substr(0, 40);
      EXPECT_FALSE(count.exact) << part.substr(0, 40);
    }
  }
}

TEST(PromptCount, AttachmentsAreLeftToTheirOwnRules) {
  const std::string payload(100'000, 'A');
  for (const std::string& part : {
           R"({"type":"image_url","image_url":{"url":"data:image/png;base64,)" + payload + "\"}}",
           R"({"type":"video_url","video_url":{"url":"data:video/mp4;base64,)" + payload + "\"}}",
           R"({"type":"input_image","image_url":"data:image/png;base64,)" + payload + "\"}",
           R"({"type":"input_audio","input_audio":{"format":"mp3","data":")" + payload + "\"}}",
           R"({"type":"file","file":{"file_data":"data:application/pdf;base64,)" + payload + "\"}}",
       }) {
    const PromptCount count = by_bytes(kChat, R"({"messages":[{"role":"user","content":[)" + part + "]}]}");
    EXPECT_LE(count.tokens, 20) << part.substr(0, 40);
    EXPECT_FALSE(count.exact) << part.substr(0, 40);
  }
}

TEST(PromptCount, FilesOfTextCountAsTheTextTheyHold) {
  // "hello, this is a letter" and more of it, in base64.
  std::string payload;
  for (int i = 0; i < 1'000; ++i) payload += "aGVsbG8sIHRo";
  for (const std::string& part : {
           R"({"type":"file","file":{"filename":"a.txt","file_data":"data:text/plain;base64,)" + payload + "\"}}",
           R"({"type":"input_file","file_data":"data:text/csv;base64,)" + payload + "\"}",
       }) {
    const PromptCount count = by_bytes(kChat, R"({"messages":[{"role":"user","content":[)" + part + "]}]}");
    EXPECT_GE(count.tokens, 9'000) << part.substr(0, 40);
    EXPECT_LE(count.tokens, 10'000) << part.substr(0, 40);
    EXPECT_FALSE(count.exact);
  }
}

TEST(PromptCount, MembersThatNobodyHasToldUsOfCountInEveryOpenAiBody) {
  const std::string text(1'000, 'x');
  for (const auto& [operation, input] :
       {std::pair{kChat, R"("messages":[{"role":"user","content":"x"}])"},
        std::pair{Operation::kResponses, R"("input":"x")"}, std::pair{Operation::kCompletions, R"("prompt":"x")"},
        std::pair{Operation::kEmbeddings, R"("input":"x")"}}) {
    for (const std::string& more : {"\"documents\":[\"" + text + "\"]", "\"documents\":\"" + text + "\""}) {
      const PromptCount count = by_bytes(operation, "{" + std::string(input) + "," + more + "}");
      EXPECT_GE(count.tokens, 1'000) << route_of(operation);
      EXPECT_FALSE(count.exact) << route_of(operation);
    }
  }
}

TEST(PromptCount, AMemberCalledTextHidesNoInput) {
  const std::string input(1'000, 'x');
  EXPECT_GE(by_bytes(Operation::kCompletions, R"({"text":"y","prompt":")" + input + "\"}").tokens, 1'000);
  EXPECT_GE(by_bytes(Operation::kEmbeddings, R"({"text":"y","input":")" + input + "\"}").tokens, 1'000);
  EXPECT_GE(by_bytes(Operation::kResponses, R"({"text":"y","input":")" + input + "\"}").tokens, 1'000);
  EXPECT_GE(by_bytes(Operation::kOllamaGenerate, R"({"text":"y","prompt":")" + input + "\"}").tokens, 1'000);
}

TEST(PromptCount, NoMemberOfAToolIsFree) {
  const std::string text = "\"" + std::string(10'000, 'x') + "\"";
  for (const std::string& tool : {
           R"({"type":"function","function":{"name":"f","more":)" + text + "}}",
           R"({"type":"function","function":{"name":"f"},"more":)" + text + "}",
           R"({"type":"function","function":{"name":"f","description":[)" + text + "]}}",
           R"({"type":"function","function":{"name":[)" + text + "]}}",
           R"({"type":"function","function":{"name":"f","parameters":)" + text + "}}",
           R"({"type":"function","function":{"name":"f","parameters":{"type":)" + text + "}}}",
           R"({"type":"function","function":{"name":"f","parameters":{"required":[)" + text + "]}}}",
           R"({"type":"function","function":{"name":"f","parameters":{"additionalProperties":{"a":)" + text + "}}}}",
           R"({"type":"function","function":{"name":"f","parameters":{"properties":{"a":{"type":[)" + text + "]}}}}}",
           R"({"type":"function","function":{"name":"f","parameters":{"properties":{"a":{"description":[)" + text +
               "]}}}}}",
           R"({"type":"function","function":{"name":"f","parameters":{"properties":{"a":{"enum":)" + text + "}}}}}",
           R"({"type":"function","function":{"name":"f","parameters":{"properties":{"a":{"name":)" + text + "}}}}}",
           R"({"type":"function","function":{"name":"f","type":)" + text + "}}",
           R"({"type":)" + text + R"(,"function":{"name":"f"}})",
           R"({"type":"function","name":"f","more":)" + text + "}",
       }) {
    const PromptCount count =
        by_bytes(kChat, R"({"messages":[{"role":"user","content":"x"}],"tools":[)" + tool + "]}", "gpt-oss-120b");
    EXPECT_GE(count.tokens, 10'000) << tool.substr(0, 90);
    EXPECT_LE(count.tokens, 12'000) << tool.substr(0, 90);
    EXPECT_FALSE(count.exact) << tool.substr(0, 90);
  }
}

TEST(PromptCount, RolesAndNamesThatAreNoTextsCountToo) {
  const std::string text(10'000, 'x');
  for (const char* key : {"role", "name"}) {
    const std::string body = R"({"messages":[{")" + std::string(key) + R"(":[")" + text + R"("],"content":"x"}]})";
    EXPECT_GE(by_bytes(kChat, body).tokens, 10'000) << key;
  }
}

TEST(PromptCount, SettingsDoNotCount) {
  const std::int64_t plain = by_bytes(kChat, R"({"messages":[{"role":"user","content":"abcd"}]})").tokens;
  const PromptCount set = by_bytes(kChat, R"({"model":"gpt-4o","stop":["aaa"],"user":"bbb","temperature":0.5,"n":3,
    "tool_choice":"auto","tools":[],"stream":true,"messages":[{"role":"user","content":"abcd"}]})");
  EXPECT_EQ(set.tokens, plain);
  EXPECT_TRUE(set.exact);
}

TEST(PromptCount, InputsOfCompletionsAndEmbeddingsAreTheirTokensAlone) {
  EXPECT_EQ(by_bytes(Operation::kEmbeddings, R"({"input":["ab","cde"]})").tokens, 5);
  EXPECT_EQ(by_bytes(Operation::kEmbeddings, R"({"input":[[1,2],[3]]})").tokens, 3);
  EXPECT_EQ(by_bytes(Operation::kCompletions, R"({"prompt":"hello"})").tokens, 5);
  EXPECT_TRUE(by_bytes(Operation::kCompletions, R"({"prompt":[1,2,3]})").exact);
}

TEST(PromptCount, ABareTextIsCountedAlone) {
  const PromptCount count = by_bytes(kChat, R"({"model":"gpt-4o","text":"hello"})");
  EXPECT_EQ(count.tokens, 5);
  EXPECT_TRUE(count.exact);
}

TEST(PromptCount, WhatIsNoObjectCountsNothing) {
  for (const char* body : {"", "[]", "null", "{", "\"x\""}) {
    const PromptCount count = by_bytes(kChat, body);
    EXPECT_EQ(count.tokens, 0) << body;
    EXPECT_FALSE(count.exact) << body;
  }
}

}  // namespace
}  // namespace weir
