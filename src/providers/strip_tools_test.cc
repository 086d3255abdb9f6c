// Tools that are taken out of a request, in every dialect.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

#include "providers/request.h"

namespace weir {
namespace {

std::string strip(Operation operation, const std::string& body, std::vector<std::string> names) {
  const std::string_view model = dialect_of(operation) == Dialect::kGemini ? "g" : "";
  const auto facts = read_request(operation, body, {}, model);
  EXPECT_TRUE(facts.has_value()) << (facts ? "" : facts.error().message) << body;
  if (!facts) return {};
  BodyEdits edits;
  edits.strip_tools = std::move(names);
  EXPECT_TRUE(needs_rewrite(operation, *facts, edits));
  const std::string out = upstream_body(operation, *facts, edits, body);
  EXPECT_TRUE(read_request(operation, out, {}, model).has_value()) << out;
  return out;
}

std::string chat(const std::string& rest) {
  return R"({ "model": "m", "messages": [{"role":"user","content":"x"}])" + rest + "}";
}

TEST(StripTools, TakesOneOutAndLeavesEveryOtherByte) {
  EXPECT_EQ(strip(Operation::kChatCompletions,
                  chat(R"(, "tools" : [ {"type":"function","function":{"name":"a"}} , {"type":"function","function":)"
                       R"({"name":"b"}},  {"type":"custom","custom":{"name":"c"}} ], "n": 1)"),
                  {"b"}),
            chat(R"(, "tools" : [ {"type":"function","function":{"name":"a"}} , {"type":"custom","custom":)"
                 R"({"name":"c"}} ], "n": 1)"));
  EXPECT_EQ(strip(Operation::kChatCompletions,
                  chat(R"(,"tools":[{"function":{"name":"a"}}, {"function":{"name":"b"}} ])"), {"b"}),
            chat(R"(,"tools":[{"function":{"name":"a"}} ])"));
  EXPECT_EQ(strip(Operation::kChatCompletions,
                  chat(R"(,"tools":[{"function":{"name":"a"}}, {"function":{"name":"b"}} ])"), {"a"}),
            chat(R"(,"tools":[{"function":{"name":"b"}} ])"));
}

TEST(StripTools, AnEmptyListGoesWithWhatIsOnlyAllowedBesideIt) {
  EXPECT_EQ(strip(Operation::kChatCompletions,
                  chat(R"(,"tools":[{"function":{"name":"a"}},{"function":{"name":"b"}}],"tool_choice":"auto",)"
                       R"("parallel_tool_calls":true,"n":1)"),
                  {"b", "a"}),
            chat(R"(,"n":1)"));
  EXPECT_EQ(
      strip(
          Operation::kChatCompletions,
          R"({"tools":[{"function":{"name":"a"}}],"tool_choice":"required","model":"m","messages":[{"role":"user"}]})",
          {"a"}),
      R"({"model":"m","messages":[{"role":"user"}]})");
  EXPECT_EQ(strip(Operation::kChatCompletions, chat(R"(,"tools":[],"tool_choice":"none")"), {"a"}),
            chat(R"(,"tools":[],"tool_choice":"none")"));
}

TEST(StripTools, AChoiceThatNamesOneGoesBackToTheDefault) {
  const std::string tools = R"(,"tools":[{"type":"function","function":{"name":"a"}}])";
  const std::string both =
      R"(,"tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"b"}}])";
  const auto left = [&](const std::string& choice) {
    return strip(Operation::kChatCompletions, chat(both + R"(,"tool_choice":)" + choice), {"b"});
  };
  EXPECT_EQ(left(R"({"type":"function","function":{"name":"b"}})"), chat(tools));
  EXPECT_EQ(left(R"({"type":"function","function":{"name":"a"}})"),
            chat(tools + R"(,"tool_choice":{"type":"function","function":{"name":"a"}})"));
  EXPECT_EQ(left(R"("required")"), chat(tools + R"(,"tool_choice":"required")"));
  EXPECT_EQ(left(R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[
      {"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"b"}}]}})"),
            chat(tools));
}

TEST(StripTools, LegacyFunctionsAndTheirChoice) {
  EXPECT_EQ(strip(Operation::kChatCompletions,
                  chat(R"(,"functions":[{"name":"a"},{"name":"b"}],"function_call":{"name":"b"})"), {"b"}),
            chat(R"(,"functions":[{"name":"a"}])"));
  EXPECT_EQ(strip(Operation::kChatCompletions, chat(R"(,"functions":[{"name":"b"}],"function_call":"auto")"), {"b"}),
            chat(""));
}

TEST(StripTools, LookAlikesAndEscapesAreTheSameTool) {
  EXPECT_EQ(strip(Operation::kChatCompletions,
                  chat(R"(,"tools":[{"function":{"name":"p\u0430y"}},{"function":{"name":"\u0070ay2"}},)"
                       R"({"function":{"name":"look"}}])"),
                  {"pay", "pay2"}),
            chat(R"(,"tools":[{"function":{"name":"look"}}])"));
}

TEST(StripTools, Responses) {
  EXPECT_EQ(strip(Operation::kResponses,
                  R"({"model":"m","input":"x","tools":[{"type":"function","name":"a"},{"type":"web_search"},)"
                  R"({"type":"mcp","server_label":"s"}],"tool_choice":{"type":"function","name":"a"}})",
                  {"a", "web_search"}),
            R"({"model":"m","input":"x","tools":[{"type":"mcp","server_label":"s"}]})");
}

TEST(StripTools, Anthropic) {
  const std::string head = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}])";
  EXPECT_EQ(strip(Operation::kMessages,
                  head + R"(,"tools":[{"name":"a","input_schema":{}},{"name":"b","input_schema":{}}],)"
                         R"("tool_choice":{"type":"tool","name":"b"}})",
                  {"b"}),
            head + R"(,"tools":[{"name":"a","input_schema":{}}]})");
  EXPECT_EQ(strip(Operation::kMessages, head + R"(,"tools":[{"name":"b"}],"tool_choice":{"type":"any"}})", {"b"}),
            head + "}");
}

TEST(StripTools, GeminiShapesOfDeclarations) {
  const std::string head = R"({"contents":[{"parts":[{"text":"x"}]}])";
  const auto left = [&](const std::string& rest, std::vector<std::string> names) {
    return strip(Operation::kGenerate, head + rest, std::move(names));
  };
  EXPECT_EQ(left(R"(,"tools":[{"functionDeclarations":[{"name":"a"}, {"name":"b"}]},{"googleSearch":{}}]})", {"b"}),
            head + R"(,"tools":[{"functionDeclarations":[{"name":"a"}]},{"googleSearch":{}}]})");
  // A tool that is its key, however the key is written.
  for (const char* key : {R"(\u691c索)", R"(\u691C\u7d22)", "検索"}) {
    EXPECT_EQ(left(R"(,"tools":[{"a":{},")" + std::string(key) + R"(":{}}]})", {"検索"}),
              head + R"(,"tools":[{"a":{}}]})");
  }
  for (const char* key : {R"(\ud83d\ude00\/)", "\U0001F600\\u002f"}) {
    EXPECT_EQ(left(R"(,"tools":[{"a":{},")" + std::string(key) + R"(":{}}]})", {"\U0001F600/"}),
              head + R"(,"tools":[{"a":{}}]})");
  }
  EXPECT_EQ(left(R"(,"tools":[{"function_declarations":[{"name":"b"}]},{"googleSearch":{}}]})", {"b"}),
            head + R"(,"tools":[{"googleSearch":{}}]})");
  EXPECT_EQ(left(R"(,"tools":[{"functionDeclarations":[{"name":"b"}],"googleSearch":{},"codeExecution":{}}]})",
                 {"b", "googleSearch"}),
            head + R"(,"tools":[{"codeExecution":{}}]})");
  EXPECT_EQ(left(R"(,"tools":{"functionDeclarations":{"name":"b"}},"toolConfig":{"functionCallingConfig":)"
                 R"({"mode":"ANY"},"retrievalConfig":{}}})",
                 {"b"}),
            head + R"(,"toolConfig":{"retrievalConfig":{}}})");
  EXPECT_EQ(left(R"(,"tools":[{"functionDeclarations":[{"name":"a"},{"name":"b"}]}],"tool_config":)"
                 R"({"function_calling_config":{"mode":"ANY","allowed_function_names":["a","b"]}}})",
                 {"b"}),
            head + R"(,"tools":[{"functionDeclarations":[{"name":"a"}]}],"tool_config":{}})");
}

TEST(StripTools, Ollama) {
  EXPECT_EQ(strip(Operation::kOllamaChat,
                  R"({"model":"m","messages":[{"role":"user"}],"tools":[{"type":"function","function":{"name":"a"}}]})",
                  {"a"}),
            R"({"model":"m","messages":[{"role":"user"}]})");
}

TEST(StripTools, GoesTogetherWithOtherEdits) {
  const std::string body = chat(R"(,"stream":true,"tools":[{"function":{"name":"a"}}],"max_tokens":100)");
  const auto facts = read_request(Operation::kChatCompletions, body, {});
  ASSERT_TRUE(facts);
  BodyEdits edits{.model = "n", .max_output = 10};
  edits.strip_tools = {"a"};
  const std::string out = upstream_body(Operation::kChatCompletions, *facts, edits, body);
  const auto again = read_request(Operation::kChatCompletions, out, {});
  ASSERT_TRUE(again) << out;
  EXPECT_EQ(again->model, "n");
  EXPECT_EQ(again->output_cap, 10);
  EXPECT_EQ(again->tools, 0U);
  EXPECT_TRUE(again->wants_stream_usage);
}

// Whatever is taken out, exactly the others stay, in their order.
TEST(StripToolsProperty, ExactlyTheOthersStay) {
  const bool good = rc::check([] {
    const auto operation = *rc::gen::element(Operation::kChatCompletions, Operation::kResponses, Operation::kMessages,
                                             Operation::kGenerate, Operation::kOllamaChat);
    const auto count = *rc::gen::inRange(0, 8);
    std::vector<std::string> stripped, kept;
    std::string list;
    for (int i = 0; i < count; ++i) {
      const std::string name = "t" + std::to_string(i);
      (*rc::gen::arbitrary<bool>() ? stripped : kept).push_back(name);
      const std::string tool = dialect_of(operation) == Dialect::kOpenAi && operation != Operation::kResponses
                                   ? R"({"function":{"name":")" + name + R"("}})"
                                   : R"({"name":")" + name + R"("})";
      list += (list.empty() ? "" : *rc::gen::element(std::string(","), std::string(" , \n"))) + tool;
    }
    const bool gemini = operation == Operation::kGenerate;
    const std::string tools = gemini ? R"([{"functionDeclarations":[)" + list + "]}]" : "[" + list + "]";
    const std::string body = R"({"model":"g","max_tokens":1,"tools":)" + tools +
                             R"(,"messages":[{"role":"user"}],"input":"x","contents":[{}]})";
    const auto facts = read_request(operation, body, {}, gemini ? "g" : "");
    RC_ASSERT(facts.has_value());
    BodyEdits edits;
    edits.strip_tools = stripped;
    const std::string out = upstream_body(operation, *facts, edits, body);
    const auto again = read_request(operation, out, {}, gemini ? "g" : "");
    RC_ASSERT(again.has_value());
    RC_ASSERT(again->agent.tools == kept);
    if (stripped.empty()) RC_ASSERT(out == body);
  });
  EXPECT_TRUE(good);
}

}  // namespace
}  // namespace weir
