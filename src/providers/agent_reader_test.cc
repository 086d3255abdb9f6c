// Facts of an agent in requests of every dialect.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "providers/request.h"
#include "providers/tool_list.h"

namespace weir {
namespace {

AgentFacts facts_of(Operation operation, const std::string& body) {
  const auto facts = read_request(operation, body, {}, dialect_of(operation) == Dialect::kGemini ? "gemini-pro" : "");
  EXPECT_TRUE(facts.has_value()) << (facts ? "" : facts.error().message);
  return facts ? facts->agent : AgentFacts{};
}

AgentFacts chat(const std::string& messages, const std::string& more = "") {
  return facts_of(Operation::kChatCompletions, R"({"model":"m","messages":[)" + messages + "]" + more + "}");
}

AgentFacts responses(const std::string& input, const std::string& more = "") {
  return facts_of(Operation::kResponses, R"({"model":"m","input":)" + input + more + "}");
}

AgentFacts messages(const std::string& list, const std::string& more = "") {
  return facts_of(Operation::kMessages, R"({"model":"m","max_tokens":9,"messages":[)" + list + "]" + more + "}");
}

AgentFacts gemini(const std::string& list, const std::string& more = "") {
  return facts_of(Operation::kGenerate, R"({"contents":[)" + list + "]" + more + "}");
}

AgentFacts ollama(const std::string& list, const std::string& more = "") {
  return facts_of(Operation::kOllamaChat, R"({"model":"m","messages":[)" + list + "]" + more + "}");
}

using Names = std::vector<std::string>;

const std::string kAsk = R"({"role":"user","content":"pay the bill"})";

// --- Chat ---

TEST(AgentFactsOfChat, NamesDeclaredToolsOfEveryShapeEachOnce) {
  const AgentFacts facts = chat(kAsk, R"(,"tools":[{"type":"function","function":{"name":"pay"}},
      {"type":"custom","custom":{"name":"shell"}},{"type":"function","function":{"name":"pay"}},
      {"type":"web_search"}],"functions":[{"name":"old"},{"name":"pay"}])");
  EXPECT_EQ(facts.tools, (Names{"pay", "shell", "web_search", "old"}));
}

TEST(AgentFactsOfChat, LookAlikesAreOneTool) {
  const AgentFacts facts = chat(kAsk, R"(,"tools":[{"function":{"name":"pay"}},{"function":{"name":"p\u0430y"}}])");
  EXPECT_EQ(facts.tools, (Names{"pay"}));
}

TEST(AgentFactsOfChat, TellsCallsAndResultsOfTheLastTurnOnly) {
  const AgentFacts facts = chat(kAsk + R"(,
    {"role":"assistant","tool_calls":[{"id":"c0","type":"function","function":{"name":"look","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"c0","content":"old"},
    {"role":"assistant","content":null,"tool_calls":[
       {"id":"c1","type":"function","function":{"name":"read","arguments":"{\"path\":\"a\"}"}},
       {"id":"c2","type":"custom","custom":{"name":"shell","input":"ls"}}]},
    {"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"Error: no shell"}]},
    {"role":"tool","tool_call_id":"c1","content":"text"})");
  ASSERT_EQ(facts.calls.size(), 2U);
  EXPECT_EQ(facts.calls[0].id, "c1");
  EXPECT_EQ(facts.calls[0].name, "read");
  EXPECT_EQ(facts.calls[0].arguments, R"({"path":"a"})");
  EXPECT_NE(facts.calls[0].signature, 0U);
  EXPECT_EQ(facts.calls[1].name, "shell");
  EXPECT_EQ(facts.calls[1].arguments, "ls");
  ASSERT_EQ(facts.results.size(), 2U);
  EXPECT_EQ(facts.results[0].call_id, "c2");
  EXPECT_EQ(facts.results[0].name, "shell");
  EXPECT_TRUE(facts.results[0].error);
  EXPECT_EQ(facts.results[1].name, "read");
  EXPECT_FALSE(facts.results[1].error);
}

TEST(AgentFactsOfChat, LegacyFunctionsAreMatchedByName) {
  const AgentFacts facts = chat(kAsk + R"(,
    {"role":"assistant","content":null,"function_call":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}},
    {"role":"function","name":"weather","content":"{\"error\":\"no such city\"}"})");
  ASSERT_EQ(facts.calls.size(), 1U);
  EXPECT_EQ(facts.calls[0].name, "weather");
  ASSERT_EQ(facts.results.size(), 1U);
  EXPECT_EQ(facts.results[0].name, "weather");
  EXPECT_EQ(facts.results[0].call_id, "");
  EXPECT_TRUE(facts.results[0].error);
}

TEST(AgentFactsOfChat, ResultsWithoutAnAnswerBeforeThemAreResultsToo) {
  const AgentFacts facts = chat(R"({"role":"tool","tool_call_id":"x","name":"read","content":"y"})");
  ASSERT_EQ(facts.results.size(), 1U);
  EXPECT_EQ(facts.results[0].call_id, "x");
  EXPECT_EQ(facts.results[0].name, "read");
  EXPECT_EQ(facts.turn, 0U);
  EXPECT_EQ(facts.prompt, 0U);
}

TEST(AgentFactsOfChat, AnExplicitMarkIsAnErrorWhateverTheText) {
  const std::string call = R"(,{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":""}}]},)";
  EXPECT_TRUE(
      chat(kAsk + call + R"({"role":"tool","tool_call_id":"c","content":"fine","is_error":true})").results.at(0).error);
  EXPECT_FALSE(chat(kAsk + call + R"({"role":"tool","tool_call_id":"c","content":"fine","is_error":false})")
                   .results.at(0)
                   .error);
}

TEST(AgentFactsOfChat, AForcedToolIsNamed) {
  const std::string tools = R"(,"tools":[{"type":"function","function":{"name":"pay"}}])";
  const auto forced = [&](const std::string& choice) {
    return chat(kAsk, tools + ",\"tool_choice\":" + choice).forced_tool;
  };
  EXPECT_EQ(forced(R"("auto")"), "");
  EXPECT_EQ(forced(R"("required")"), "");
  EXPECT_EQ(forced(R"({"type":"function","function":{"name":"pay"}})"), "pay");
  EXPECT_EQ(forced(R"({"type":"custom","custom":{"name":"pay"}})"), "pay");
  EXPECT_EQ(forced(R"({"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[
      {"type":"function","function":{"name":"pay"}}]}})"),
            "pay");
  EXPECT_EQ(forced(R"({"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[
      {"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"b"}}]}})"),
            "");
  EXPECT_EQ(chat(kAsk, R"(,"functions":[{"name":"pay"}],"function_call":{"name":"pay"})").forced_tool, "pay");
}

// --- Responses ---

TEST(AgentFactsOfResponses, FlatToolsAndItems) {
  const AgentFacts facts = responses(R"([{"role":"user","content":"go"},
      {"type":"reasoning","id":"r","summary":[]},
      {"type":"function_call","call_id":"c1","name":"read","arguments":"{}"},
      {"type":"custom_tool_call","call_id":"c2","name":"shell","input":"ls"},
      {"type":"local_shell_call","call_id":"c3","action":{"command":["ls"]}},
      {"type":"web_search_call","id":"ws","status":"completed"},
      {"type":"function_call_output","call_id":"c1","output":"Traceback (most recent call last):\n x"},
      {"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_text","text":"a b"}]},
      {"type":"local_shell_call_output","call_id":"c3","output":"a b"}])",
                                     R"(,"tools":[{"type":"function","name":"read"},{"type":"custom","name":"shell"},
      {"type":"local_shell"},{"type":"mcp","server_label":"s","server_url":"https://x"}],
      "tool_choice":{"type":"function","name":"read"})");
  EXPECT_EQ(facts.tools, (Names{"read", "shell", "local_shell", "mcp"}));
  EXPECT_EQ(facts.forced_tool, "read");
  ASSERT_EQ(facts.calls.size(), 3U);
  EXPECT_EQ(facts.calls[2].name, "local_shell");
  EXPECT_EQ(facts.calls[2].arguments, R"({"command":["ls"]})");
  ASSERT_EQ(facts.results.size(), 3U);
  EXPECT_TRUE(facts.results[0].error);
  EXPECT_EQ(facts.results[0].name, "read");
  EXPECT_FALSE(facts.results[1].error);
  EXPECT_EQ(facts.results[1].name, "shell");
  EXPECT_EQ(facts.results[1].content, facts.results[2].content);
}

TEST(AgentFactsOfResponses, AnEarlierResponseOrConversationIsThePrevious) {
  EXPECT_EQ(responses(R"("x")", R"(,"previous_response_id":"resp_1")").previous, "resp_1");
  EXPECT_EQ(responses(R"("x")", R"(,"conversation":"conv_1")").previous, "conv_1");
  EXPECT_EQ(responses(R"("x")", R"(,"conversation":{"id":"conv_2"})").previous, "conv_2");
  const AgentFacts results = responses(R"([{"type":"function_call_output","call_id":"c","output":"1"}])",
                                       R"(,"previous_response_id":"resp_1")");
  EXPECT_EQ(results.turn, 0U);
  ASSERT_EQ(results.results.size(), 1U);
  EXPECT_EQ(results.results[0].name, "");
}

TEST(AgentFactsOfResponses, TheSameWordsAfterAnotherResponseAreAnotherTurn) {
  const AgentFacts first = responses(R"("yes")", R"(,"previous_response_id":"resp_1")");
  const AgentFacts second = responses(R"("yes")", R"(,"previous_response_id":"resp_2")");
  EXPECT_NE(first.turn, second.turn);
  EXPECT_EQ(first.prompt, second.prompt);
}

TEST(AgentFactsOfResponses, ATextAndAMessageOfTheSameTextAreOne) {
  const AgentFacts text = responses(R"("hello")");
  const AgentFacts item = responses(R"([{"type":"message","role":"user","content":[
      {"type":"input_text","text":"hello"}]}])");
  EXPECT_EQ(text.prompt, item.prompt);
  EXPECT_EQ(text.turn, item.turn);
}

// --- Completions and generate ---

TEST(AgentFactsOfCompletions, HaveAPromptAndATurn) {
  const AgentFacts facts = facts_of(Operation::kCompletions, R"({"model":"m","prompt":"a"})");
  EXPECT_NE(facts.prompt, 0U);
  EXPECT_EQ(facts.turn, facts_of(Operation::kCompletions, R"({"model":"m","prompt":"a","n":2})").turn);
  EXPECT_NE(facts.turn, facts_of(Operation::kCompletions, R"({"model":"m","prompt":"b"})").turn);
  EXPECT_TRUE(facts.tools.empty());
}

TEST(AgentFactsOfOllamaGenerate, ThePromptAndItsContextAreTheTurn) {
  const auto turn = [](const std::string& more) {
    return facts_of(Operation::kOllamaGenerate, R"({"model":"m","prompt":"yes")" + more + "}").turn;
  };
  EXPECT_NE(turn(""), 0U);
  EXPECT_NE(turn(R"(,"context":[1,2])"), turn(R"(,"context":[1,3])"));
}

// --- Anthropic ---

TEST(AgentFactsOfMessages, ToolsUsesAndResults) {
  const AgentFacts facts = messages(kAsk + R"(,{"role":"assistant","content":[{"type":"text","text":"ok"},
      {"type":"server_tool_use","id":"s1","name":"web_search","input":{}},
      {"type":"tool_use","id":"t1","name":"read","input":{"a":1}},
      {"type":"tool_use","id":"t2","name":"send","input":{}}]},
      {"role":"user","content":[
        {"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"body"}]},
        {"type":"tool_result","tool_use_id":"t2","content":"denied","is_error":true}]})",
                                    R"(,"tools":[{"name":"read","input_schema":{}},{"name":"send","input_schema":{}},
      {"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"tool","name":"send"})");
  EXPECT_EQ(facts.tools, (Names{"read", "send", "web_search"}));
  EXPECT_EQ(facts.forced_tool, "send");
  ASSERT_EQ(facts.calls.size(), 2U);
  EXPECT_EQ(facts.calls[0].arguments, R"({"a":1})");
  ASSERT_EQ(facts.results.size(), 2U);
  EXPECT_EQ(facts.results[0].name, "read");
  EXPECT_FALSE(facts.results[0].error);
  EXPECT_EQ(facts.results[1].name, "send");
  EXPECT_TRUE(facts.results[1].error);
  EXPECT_EQ(messages(kAsk, R"(,"tool_choice":{"type":"any"})").forced_tool, "");
}

TEST(AgentFactsOfMessages, MarksOfTheCacheMoveWithoutChangingTheTurn) {
  const AgentFacts before = messages(R"({"role":"user","content":[
      {"type":"text","text":"go","cache_control":{"type":"ephemeral"}}]})");
  const AgentFacts after = messages(R"({"role":"user","content":"go"},
      {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"1",
        "cache_control":{"type":"ephemeral"}}]})");
  EXPECT_EQ(before.turn, after.turn);
  EXPECT_EQ(before.prompt, after.prompt);
}

// --- Gemini ---

TEST(AgentFactsOfGemini, FunctionsOfEveryShape) {
  const AgentFacts facts = gemini(R"({"role":"user","parts":[{"text":"go"}]})",
                                  R"(,"tools":[{"functionDeclarations":[{"name":"a"},{"name":"b"}]},
      {"function_declarations":[{"name":"c"}]},{"googleSearch":{}}],
      "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["a"]}})");
  EXPECT_EQ(facts.tools, (Names{"a", "b", "c", "googleSearch"}));
  EXPECT_EQ(facts.forced_tool, "a");
  EXPECT_EQ(gemini(R"({"parts":[{"text":"go"}]})", R"(,"tools":{"functionDeclarations":{"name":"d"}})").tools,
            (Names{"d"}));
}

TEST(AgentFactsOfGemini, ResponsesAreMatchedByIdElseByOrderAndName) {
  const std::string turn = R"({"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[
      {"functionCall":{"id":"i1","name":"get","args":{"n":1}}},
      {"functionCall":{"id":"i2","name":"get","args":{"n":2}}},
      {"functionCall":{"id":"i3","name":"put","args":{}}}]},)";
  const AgentFacts facts = gemini(turn + R"({"role":"user","parts":[
      {"functionResponse":{"name":"put","response":{"error":"full"}}},
      {"functionResponse":{"name":"get","response":{"result":"Error: gone"}}},
      {"functionResponse":{"id":"i1","name":"get","response":{"result":"ok"}}}]})");
  ASSERT_EQ(facts.calls.size(), 3U);
  ASSERT_EQ(facts.results.size(), 3U);
  EXPECT_EQ(facts.results[0].call_id, "i3");
  EXPECT_TRUE(facts.results[0].error);
  EXPECT_EQ(facts.results[1].call_id, "i2");
  EXPECT_TRUE(facts.results[1].error);
  EXPECT_EQ(facts.results[2].call_id, "i1");
  EXPECT_FALSE(facts.results[2].error);
}

TEST(AgentFactsOfGemini, AResponseThatMentionsNoErrorIsNone) {
  const auto error = [](const std::string& response) {
    return gemini(R"({"role":"function","parts":[{"function_response":{"name":"f","response":)" + response + "}}]}")
        .results.at(0)
        .error;
  };
  EXPECT_FALSE(error(R"({"error":null,"output":"x"})"));
  EXPECT_FALSE(error(R"({"errors_seen":3})"));
  EXPECT_FALSE(error(R"({})"));
  EXPECT_TRUE(error(R"({"error":{"code":5}})"));
}

// --- Ollama ---

TEST(AgentFactsOfOllama, IdsAreOptionalAndOrderTells) {
  const AgentFacts facts = ollama(kAsk + R"(,{"role":"assistant","content":"","tool_calls":[
      {"function":{"name":"a","arguments":{"x":1}}},{"function":{"name":"b","arguments":{}}}]},
      {"role":"tool","content":"1"},{"role":"tool","tool_name":"b","content":"2"})",
                                  R"(,"tools":[{"type":"function","function":{"name":"a"}}])");
  EXPECT_EQ(facts.tools, (Names{"a"}));
  ASSERT_EQ(facts.calls.size(), 2U);
  EXPECT_EQ(facts.calls[0].id, "");
  EXPECT_EQ(facts.calls[0].arguments, R"({"x":1})");
  ASSERT_EQ(facts.results.size(), 2U);
  EXPECT_EQ(facts.results[0].name, "a");
  EXPECT_EQ(facts.results[1].name, "b");
}

// --- Hashes ---

TEST(AgentHashes, TheTurnStaysWhileTheModelAndItsToolsGoOn) {
  const std::string system = R"({"role":"system","content":"be good"},)";
  const std::string more = R"(,{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c","content":"r"})";
  const AgentFacts first = chat(system + kAsk);
  EXPECT_NE(first.turn, 0U);
  EXPECT_EQ(chat(system + kAsk + more).turn, first.turn);
  EXPECT_EQ(chat(system + kAsk + more).prompt, first.prompt);
  const AgentFacts next = chat(system + kAsk + more + "," + kAsk);
  EXPECT_NE(next.turn, first.turn);
  EXPECT_EQ(next.prompt, first.prompt);
  EXPECT_NE(chat(system + R"({"role":"user","content":"pay the bil"})").turn, first.turn);
}

TEST(AgentHashes, TheTurnDependsOnEveryMessageBeforeIt) {
  const auto turn = [](const std::string& answer) {
    return chat(kAsk + R"(,{"role":"assistant","content":")" + answer + R"("},{"role":"user","content":"yes"})").turn;
  };
  EXPECT_NE(turn("shall I pay 1?"), turn("shall I pay 2?"));
  EXPECT_NE(chat(R"({"role":"user","content":"a"},{"role":"user","content":"b"})").turn,
            chat(R"({"role":"user","content":"b"},{"role":"user","content":"a"})").turn);
  EXPECT_NE(chat(R"({"role":"system","content":"a"},{"role":"user","content":"b"})").turn,
            chat(R"({"role":"user","content":"a"},{"role":"user","content":"b"})").turn);
}

TEST(AgentHashes, TheTaskIsTheSystemPromptAndTheToolsNotTheUsersWords) {
  const std::string tools = R"(,"tools":[{"function":{"name":"a"}},{"function":{"name":"b"}}])";
  const std::string reordered = R"(,"tools":[{"function":{"name":"b"}},{"function":{"name":"a"}}])";
  const std::string system = R"({"role":"developer","content":"be good"},)";
  const std::uint64_t task = chat(system + kAsk, tools).task;
  EXPECT_NE(task, 0U);
  EXPECT_EQ(chat(system + R"({"role":"user","content":"other"})", tools).task, task);
  EXPECT_EQ(chat(system + kAsk, reordered).task, task);
  EXPECT_NE(chat(system + kAsk).task, task);
  EXPECT_NE(chat(kAsk, tools).task, task);
  EXPECT_EQ(chat(kAsk).task, 0U);
  // A system message in the midst of it is no system prompt.
  EXPECT_EQ(chat(system + kAsk + R"(,{"role":"system","content":"hurry"})", tools).task, task);
}

TEST(AgentHashes, EveryDialectHasATask) {
  EXPECT_NE(messages(kAsk, R"(,"system":"s")").task, messages(kAsk, R"(,"system":"t")").task);
  EXPECT_EQ(messages(kAsk, R"(,"system":"s")").task,
            messages(kAsk, R"(,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}])").task);
  EXPECT_NE(responses(R"("x")", R"(,"instructions":"s")").task, responses(R"("x")", R"(,"instructions":"t")").task);
  const auto told = [](const char* text) {
    return gemini(R"({"parts":[{"text":"x"}]})",
                  std::string(R"(,"systemInstruction":{"parts":[{"text":")") + text + R"("}]})")
        .task;
  };
  EXPECT_NE(told("s"), told("t"));
  EXPECT_NE(facts_of(Operation::kOllamaGenerate, R"({"model":"m","prompt":"x","system":"s"})").task, 0U);
}

TEST(AgentHashes, EqualResultsAreEqualWhateverTheirShape) {
  const auto content = [](const std::string& value) {
    return chat(R"({"role":"tool","tool_call_id":"c","content":)" + value + "}").results.at(0).content;
  };
  EXPECT_EQ(content(R"("a")"), content(R"([{"type":"text","text":"a"}])"));
  EXPECT_NE(content(R"("a")"), content(R"("b")"));
  EXPECT_NE(content(R"("a")"), 0U);
  EXPECT_NE(content(R"([{"type":"text","text":"a"},{"type":"text","text":"b"}])"), content(R"("ab")"));
}

// --- Bounds ---

TEST(AgentBounds, ANameThatCannotBeUsedIsRefusedWithItsPlace) {
  const auto fault = read_request(
      Operation::kChatCompletions,
      R"({"model":"m","messages":[{"role":"user"}],"tools":[{"function":{"name":"ok"}},{"function":{"name":"a\u200bb"}}]})",
      {});
  ASSERT_FALSE(fault.has_value());
  EXPECT_EQ(fault.error().status, 400);
  EXPECT_EQ(fault.error().param, "tools[1]");
  EXPECT_NE(fault.error().message.find("tools[1]"), std::string::npos);
  for (const std::string& name : {std::string(), std::string(kMaxToolName + 1, 'n'), std::string("a\\u0007")}) {
    EXPECT_FALSE(read_request(Operation::kMessages,
                              R"({"model":"m","max_tokens":1,"messages":[{"role":"user"}],"tools":[{"name":")" + name +
                                  R"("}]})",
                              {})
                     .has_value());
    EXPECT_FALSE(read_request(Operation::kGenerate,
                              R"({"contents":[{}],"tools":[{"functionDeclarations":[{"name":")" + name + R"("}]}]})",
                              {}, "g")
                     .has_value());
  }
}

TEST(AgentBounds, MoreCallsOrResultsThanATurnMayHaveAreRefused) {
  const auto body = [](std::size_t calls, std::size_t results) {
    std::string text = R"({"model":"m","messages":[{"role":"assistant","tool_calls":[)";
    for (std::size_t i = 0; i < calls; ++i) {
      text += (i == 0 ? "" : ",") + (R"({"id":"c)" + std::to_string(i)) + R"(","function":{"name":"f"}})";
    }
    text += "]}";
    for (std::size_t i = 0; i < results; ++i) {
      text += R"(,{"role":"tool","tool_call_id":"c)" + std::to_string(i) + R"("})";
    }
    return text + "]}";
  };
  const auto full = read_request(Operation::kChatCompletions, body(kMaxCallsInTurn, kMaxCallsInTurn), {});
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->agent.results.size(), kMaxCallsInTurn);
  EXPECT_EQ(full->agent.results.back().name, "f");
  EXPECT_FALSE(read_request(Operation::kChatCompletions, body(kMaxCallsInTurn + 1, 1), {}).has_value());
  EXPECT_FALSE(read_request(Operation::kChatCompletions, body(1, kMaxCallsInTurn + 1), {}).has_value());
}

TEST(AgentBounds, AnIdTooLongIsAsGoodAsNone) {
  const std::string id(kMaxCallId + 1, 'i');
  const AgentFacts facts = chat(R"({"role":"assistant","tool_calls":[{"id":")" + id + R"(","function":{"name":"f"}}]},
      {"role":"tool","tool_call_id":")" +
                                id + R"(","content":"x"})");
  EXPECT_EQ(facts.calls.at(0).id, "");
  EXPECT_EQ(facts.results.at(0).call_id, "");
  EXPECT_EQ(facts.results.at(0).name, "f");
}

TEST(AgentBounds, AToolOfGeminiHasAtMostSoManyMembers) {
  const auto body = [](std::size_t members) {
    std::string text = R"({"contents":[{}],"tools":[{)";
    for (std::size_t i = 0; i < members; ++i) text += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) + "\":{}";
    return text + "}]}";
  };
  const auto full = read_request(Operation::kGenerate, body(kMaxToolMembers), {}, "g");
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->agent.tools.size(), kMaxToolMembers);
  EXPECT_FALSE(read_request(Operation::kGenerate, body(kMaxToolMembers + 1), {}, "g").has_value());
}

TEST(AgentBounds, OperationsThatGenerateNothingHaveNoFacts) {
  const AgentFacts facts = facts_of(Operation::kCountTokens, R"({"model":"m","messages":[{"role":"user","content":"x"}],
      "tools":[{"name":"a"}]})");
  EXPECT_TRUE(facts.tools.empty());
  EXPECT_EQ(facts.turn, 0U);
}

}  // namespace
}  // namespace weir
