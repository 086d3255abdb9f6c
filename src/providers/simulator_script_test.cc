// Calls that a prompt scripts: announced in every dialect as Weir reads them, and only when it is the user's turn.
#include "providers/simulator_script.h"

#include <gtest/gtest.h>

#include "providers/call_filter_fixture.h"
#include "providers/simulator.h"

namespace weir {
namespace {

// A request of each dialect: `{}` in the texts is where the script goes, `results` comes after the user's message.
struct Way {
  Operation operation;
  Framing framing;
  std::string_view before, after, results, stream, end;
};
const Way kWays[] = {
    {Operation::kChatCompletions, Framing::kSse, R"({"model":"m","messages":[{"role":"user","content":")", R"("})",
     R"(,{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"a","arguments":"{}"}}]})"
     R"(,{"role":"tool","tool_call_id":"c","content":"done"})",
     R"("stream":true,)", R"("tools":[{"type":"function","function":{"name":"pay"}}]})"},
    {Operation::kResponses, Framing::kSse,
     R"({"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":")", R"("}]})",
     R"(,{"type":"function_call_output","call_id":"c","output":"done"})", R"("stream":true,)",
     R"("tools":[{"type":"function","name":"pay"}]})"},
    {Operation::kMessages, Framing::kSse, R"({"model":"m","max_tokens":1000,"messages":[{"role":"user","content":")",
     R"("})",
     R"(,{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"a","input":{}}]})"
     R"(,{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"done"}]})",
     R"("stream":true,)", R"("tools":[{"name":"pay","input_schema":{}}]})"},
    {Operation::kGenerate, Framing::kSse, R"({"contents":[{"role":"user","parts":[{"text":")", R"("}]})",
     R"(,{"role":"user","parts":[{"functionResponse":{"name":"a","response":{}}}]})", "",
     R"("tools":[{"functionDeclarations":[{"name":"pay"}]}]})"},
    {Operation::kOllamaChat, Framing::kNdjson, R"({"model":"m","messages":[{"role":"user","content":")", R"("})",
     R"(,{"role":"tool","content":"done"})", "", R"("tools":[{"type":"function","function":{"name":"pay"}}]})"},
};

std::string body_of(const Way& way, std::string_view script, bool results = false, bool stream = false) {
  std::string out;
  out.append(way.before).append(script).append(way.after).append(results ? way.results : "").append("],");
  out.append(way.operation == Operation::kOllamaChat ? (stream ? "" : R"("stream":false,)") : stream ? way.stream : "");
  return out.append(way.end);
}

std::string answered(Operation operation, const std::string& body) {
  SimulatedAnswer answer({}, operation, body, 1, 0, "m", true);
  std::string out;
  for (SimulatedStep step; answer.next(step);) out += step.bytes;
  return out.substr(out.find("\r\n\r\n") + 4);
}

std::string unchunked(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const std::size_t size = std::stoul(std::string(bytes.substr(0, bytes.find('\r'))), nullptr, 16);
    bytes.remove_prefix(bytes.find('\n') + 1);
    out += bytes.substr(0, size);
    bytes.remove_prefix(std::min(bytes.size(), size + 2));
  }
  return out;
}

std::vector<std::string> shown(const std::vector<ToolCall>& calls) {
  std::vector<std::string> out;
  for (const ToolCall& call : calls) out.push_back("call " + call.name + " " + call.arguments);
  return out;
}

// As it stands in JSON.
constexpr std::string_view kScript = R"(Please.\nweir-sim: call pay {\"to\": \"a\\\"b\",\r \"n\":[1]}\n)"
                                     R"( weir-sim: call look\nweir-sim: call pay {\"to\":\"c\"}\nThanks.)";
const std::vector<std::string> kCalls{R"(call pay {"to":"a\"b","n":[1]})", "call look {}", R"(call pay {"to":"c"})"};

TEST(SimulatorScript, EveryDialectAnnouncesExactlyTheCallsOfTheLastMessage) {
  for (const Way& way : kWays) {
    const std::string whole = answered(way.operation, body_of(way, kScript));
    const std::vector<ToolCall> calls = announced_calls(way.operation, whole);
    EXPECT_EQ(shown(calls), kCalls) << whole;
    if (way.operation != Operation::kGenerate && way.operation != Operation::kOllamaChat) {
      ASSERT_EQ(calls.size(), 3u);
      EXPECT_NE(calls[0].id, calls[2].id) << whole;
    }
  }
}

TEST(SimulatorScript, StreamsAnnounceTheSame) {
  for (const Way& way : kWays) {
    const auto operation = way.operation == Operation::kGenerate ? Operation::kStreamGenerate : way.operation;
    const std::string stream = unchunked(answered(operation, body_of(way, kScript, false, true)));
    const Filtered got = filtered(operation, way.framing, stream, {});
    EXPECT_EQ(got.out, stream);
    std::vector<std::string> asked;
    for (const std::string& line : got.asked) {
      if (line.starts_with("call ")) asked.push_back(line);
    }
    EXPECT_EQ(asked, kCalls) << stream;
    StreamReader reader(operation, way.framing, false);
    std::string out;
    reader.feed(stream, out);
    EXPECT_TRUE(reader.ended()) << stream;
    const Filtered cut = filtered(operation, way.framing, stream, {{"pay", kCutByName}});
    EXPECT_EQ(cut.cut, 2u) << stream;
    EXPECT_EQ(cut.out.find("\"pay\""), std::string::npos) << cut.out;
  }
}

TEST(SimulatorScript, AfterTheResultsTheAnswerIsText) {
  for (const Way& way : kWays) {
    const std::string whole = answered(way.operation, body_of(way, kScript, true));
    EXPECT_TRUE(announced_calls(way.operation, whole).empty()) << whole;
    EXPECT_GT(read_answer(way.operation, whole).text_bytes, 20) << whole;
  }
}

TEST(SimulatorScript, WithoutToolsAScriptIsText) {
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"weir-sim: call pay {}"}]})";
  const std::string whole = answered(Operation::kChatCompletions, body);
  EXPECT_TRUE(announced_calls(Operation::kChatCompletions, whole).empty()) << whole;
}

TEST(SimulatorScript, LinesThatAreNoCallsAreText) {
  for (const char* line : {"weir-sim: call", "weir-sim: call ", "weir-sim: call pay [1]", "weir-sim: call pay {",
                           "weir-sim: pay {}", "say weir-sim: call pay {}", "weir-sim: call pay {} {}"}) {
    const std::string whole = answered(Operation::kChatCompletions, body_of(kWays[0], line));
    EXPECT_TRUE(announced_calls(Operation::kChatCompletions, whole).empty()) << line;
  }
}

TEST(SimulatorScript, CallsBeyondTheMostAreNotAnnounced) {
  std::string script;
  for (std::size_t i = 0; i < kMaxScriptedCalls + 10; ++i) script += R"(weir-sim: call pay\n)";
  const std::string whole = answered(Operation::kChatCompletions, body_of(kWays[0], script));
  EXPECT_EQ(announced_calls(Operation::kChatCompletions, whole).size(), kMaxScriptedCalls);
}

}  // namespace
}  // namespace weir
