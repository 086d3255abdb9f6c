// CallFilter on Responses, Anthropic, Gemini and Ollama, and on the streams of the simulator.
#include <gtest/gtest.h>

#include "providers/call_filter_fixture.h"
#include "providers/simulator.h"

namespace weir {
namespace {

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string event(const std::string& name, const std::string& fields) {
  return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + fields + "}\n\n";
}

// Messages.
const std::string kText = event("content_block_start", R"(,"index":0,"content_block":{"type":"text","text":""})") +
                          event("content_block_delta", R"(,"index":0,"delta":{"type":"text_delta","text":"Hi"})") +
                          event("content_block_stop", R"(,"index":0)");
std::string block(int index, const std::string& name) {
  const std::string at = ",\"index\":" + std::to_string(index);
  return event("content_block_start",
               at + R"(,"content_block":{"type":"tool_use","id":"t","name":")" + name + R"(","input":{}})") +
         event("content_block_delta", at + R"(,"delta":{"type":"input_json_delta","partial_json":""})") +
         event("content_block_delta", at + R"(,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"})") +
         event("ping", "") +
         event("content_block_delta", at + R"(,"delta":{"type":"input_json_delta","partial_json":"1}"})") +
         event("content_block_stop", at);
}
const std::string kStart = event("message_start", R"(,"message":{"id":"m","usage":{"input_tokens":1}})");
std::string end_of(const std::string& reason) {
  return event("message_delta", R"(,"delta":{"stop_reason":")" + reason + R"("},"usage":{"output_tokens":5})") +
         event("message_stop", "");
}
Filtered messages(const std::string& stream, const RulingsByName& rulings) {
  return filtered(Operation::kMessages, Framing::kSse, stream, rulings);
}
const std::string kPing = event("ping", "");

TEST(MessagesFilter, LaterBlocksCloseUp) {
  const std::string stream = kStart + kText + block(1, "pay") + block(2, "run") + end_of("tool_use");
  EXPECT_EQ(messages(stream, {}).out, stream);
  const Filtered got = messages(stream, {{"pay", kCutByName}});
  EXPECT_EQ(got.out, kStart + kText + kPing + block(1, "run") + end_of("tool_use"));
  EXPECT_EQ(got.asked, (std::vector<std::string>{"name pay", "name run", "call run {\"a\":1}"}));
}

TEST(MessagesFilter, ATurnWithoutItsCallsEnds) {
  const std::string stream = kStart + kText + block(1, "pay") + end_of("tool_use");
  EXPECT_EQ(messages(stream, {{"pay", kCutByName}}).out, kStart + kText + kPing + end_of("end_turn"));
  EXPECT_EQ(messages(stream, {{"pay", kHeldThenCut}}).out, kStart + kText + kPing + end_of("end_turn"));
  EXPECT_EQ(messages(kStart + block(0, "pay") + end_of("max_tokens"), {{"pay", kCutByName}}).out,
            kStart + kPing + end_of("max_tokens"));
}

TEST(MessagesFilter, AHeldBlockLeavesWhole) {
  const std::string stream = kStart + kText + block(1, "pay") + block(2, "run") + end_of("tool_use");
  const Filtered got = messages(stream, {{"pay", kHeldThenPassed}});
  EXPECT_EQ(got.out,
            kStart + kText + kPing + replaced(block(1, "pay"), kPing, "") + block(2, "run") + end_of("tool_use"));
}

TEST(MessagesFilter, ABlockThatNeverStopsIsAskedAboutWhenTheTurnEnds) {
  const std::string torn = replaced(block(0, "pay"), event("content_block_stop", R"(,"index":0)"), "");
  EXPECT_EQ(messages(kStart + torn + end_of("tool_use"), {{"pay", kHeldThenCut}}).out,
            kStart + kPing + end_of("end_turn"));
  EXPECT_EQ(messages(kStart + torn, {{"pay", kHeldThenPassed}}).out, kStart + kPing);
}

TEST(MessagesFilter, ToolsOfTheProviderAreNotAskedAbout) {
  const std::string stream = kStart + replaced(block(0, "web_search"), "\"tool_use\"", "\"server_tool_use\"") +
                             replaced(block(1, "x"), "\"tool_use\"", "\"mcp_tool_use\"") + end_of("end_turn");
  const Filtered got = messages(stream, {});
  EXPECT_EQ(got.out, stream);
  EXPECT_TRUE(got.asked.empty());
}

TEST(MessagesFilter, InputThatComesAtOnceCounts) {
  const std::string stream = kStart +
                             event("content_block_start", R"(,"index":0,"content_block":{"type":"tool_use","id":"t",)"
                                                          R"("name":"pay","input":{"a":1}})") +
                             event("content_block_stop", R"(,"index":0)") + end_of("tool_use");
  EXPECT_EQ(messages(stream, {}).asked, (std::vector<std::string>{"name pay", "call pay {\"a\":1}"}));
}

TEST(MessagesFilter, StrayDeltasPass) {
  const std::string stream =
      kStart + event("content_block_delta", R"(,"index":9,"delta":{"type":"input_json_delta","partial_json":"x"})") +
      event("content_block_delta", R"(,"delta":{"type":"input_json_delta"})") + event("content_block_stop", "") +
      event("content_block_start", R"(,"index":-5,"content_block":7)") + end_of("tool_use");
  EXPECT_EQ(messages(stream, {}).out, stream);
}

// Responses.
class Numbered {
 public:
  Numbered& add(const std::string& type, const std::string& fields) {
    out_ += event(type, ",\"sequence_number\":" + std::to_string(next_++) + fields);
    return *this;
  }
  Numbered& text(int index) {
    const std::string at = ",\"output_index\":" + std::to_string(index);
    add("response.output_item.added", at + R"(,"item":{"type":"message","id":"msg"})");
    add("response.output_text.delta", at + R"(,"item_id":"msg","delta":"Hi")");
    return add("response.output_item.done", at + R"(,"item":{"type":"message","id":"msg"})");
  }
  Numbered& call(int index, const std::string& name) {
    const std::string at = ",\"output_index\":" + std::to_string(index);
    const std::string item =
        R"(,"item":{"type":"function_call","id":"fc_)" + name + R"(","call_id":"c","name":")" + name;
    add("response.output_item.added", at + item + R"(","arguments":""})");
    add("response.function_call_arguments.delta", at + R"(,"item_id":"fc_)" + name + R"(","delta":"{\"a\":1}")");
    add("response.function_call_arguments.done", at + R"(,"item_id":"fc_)" + name + R"(","arguments":"{\"a\":1}")");
    return add("response.output_item.done", at + item + R"(","arguments":"{\"a\":1}"})");
  }
  Numbered& completed(const std::vector<std::string>& names) {
    std::string items;
    for (const std::string& name : names) {
      items += items.empty() ? "" : ",";
      items += name.empty() ? R"({"type":"message","id":"msg"})"
                            : R"({"type":"function_call","id":"fc_)" + name + R"(","name":")" + name +
                                  R"(","arguments":"{\"a\":1}"})";
    }
    return add("response.completed",
               R"(,"response":{"id":"r","status":"completed","output":[)" + items + R"(],"usage":{"input_tokens":1}})");
  }
  const std::string& str() const { return out_; }

 private:
  std::string out_;
  std::int64_t next_ = 3;
};
Filtered responses(const Numbered& stream, const RulingsByName& rulings) {
  return filtered(Operation::kResponses, Framing::kSse, stream.str(), rulings);
}

TEST(ResponsesFilter, LaterItemsAndNumbersCloseUp) {
  const Numbered stream = Numbered().text(0).call(1, "pay").call(2, "run").completed({"", "pay", "run"});
  const Filtered passed = responses(stream, {});
  EXPECT_EQ(passed.out, stream.str());
  EXPECT_EQ(passed.asked,
            (std::vector<std::string>{"name pay", "call pay {\"a\":1}", "name run", "call run {\"a\":1}"}));
  EXPECT_EQ(responses(stream, {{"pay", kCutByName}}).out,
            Numbered().text(0).call(1, "run").completed({"", "run"}).str());
  EXPECT_EQ(responses(stream, {{"pay", kHeldThenCut}}).out,
            Numbered().text(0).call(1, "run").completed({"", "run"}).str());
  EXPECT_EQ(responses(stream, {{"pay", kHeldThenPassed}}).out, stream.str());
  EXPECT_EQ(responses(stream, {{"pay", kCutByName}, {"run", kHeldThenCut}}).out,
            Numbered().text(0).completed({""}).str());
}

TEST(ResponsesFilter, AnAnswerThatOnlyTellsItsCallsAtTheEndIsCutThere) {
  const Numbered stream = Numbered().text(0).completed({"", "pay", "run"});
  const Filtered got = responses(stream, {{"pay", kHeldThenCut}});
  EXPECT_EQ(got.out, Numbered().text(0).completed({"", "run"}).str());
  EXPECT_EQ(got.calls, 1u);
  EXPECT_EQ(got.cut, 1u);
}

TEST(ResponsesFilter, ArgumentsBeforeTheItemAreKept) {
  const Numbered stream = Numbered()
                              .add("response.function_call_arguments.delta", R"(,"output_index":0,"delta":"{}")")
                              .add("response.function_call_arguments.done", R"(,"output_index":0,"name":"pay",)"
                                                                            R"("arguments":"{}")")
                              .completed({"pay"});
  EXPECT_EQ(responses(stream, {}).out, stream.str());
  EXPECT_EQ(responses(stream, {{"pay", kCutByName}}).out, Numbered().completed({}).str());
}

TEST(ResponsesFilter, CustomAndBuiltInToolsOfTheClientAreCalls) {
  const Numbered stream =
      Numbered()
          .add("response.output_item.added", R"(,"output_index":0,"item":{"type":"custom_tool_call",)"
                                             R"("id":"x","name":"sh","input":""})")
          .add("response.custom_tool_call_input.delta", R"(,"output_index":0,"item_id":"x","delta":"ls")")
          .add("response.output_item.done", R"(,"output_index":0,"item":{"type":"custom_tool_call",)"
                                            R"("id":"x","name":"sh","input":"ls"})")
          .add("response.output_item.done",
               R"(,"output_index":1,"item":{"type":"local_shell_call","id":"y","action":{"b":1}})");
  EXPECT_EQ(responses(stream, {}).asked,
            (std::vector<std::string>{"name sh", "call sh ls", "name local_shell", "call local_shell {\"b\":1}"}));
}

TEST(ResponsesFilter, AbsurdNumbersCostNothing) {
  for (const char* index : {"2147483648", "-1", "\"0\"", "9223372036854775807"}) {
    const std::string stream = replaced(Numbered().call(0, "pay").text(1).completed({"pay", ""}).str(),
                                        "\"output_index\":0", "\"output_index\":" + std::string(index));
    EXPECT_EQ(filtered(Operation::kResponses, Framing::kSse, stream, {}).out, stream);
    const Filtered cut = filtered(Operation::kResponses, Framing::kSse, stream, {{"pay", kCutByName}});
    EXPECT_EQ(cut.out.find("pay"), std::string::npos) << cut.out;
  }
}

// Gemini.
std::string chunk(const std::string& parts, const std::string& rest = "") {
  return R"({"candidates":[{"content":{"parts":[)" + parts + R"(],"role":"model"}}])" + rest + "}";
}
const std::string kPay = R"({"functionCall":{"name":"pay","args":{"a":1}},"thoughtSignature":"s"})";
const std::string kRun = R"({"functionCall":{"name":"run"}})";
const std::string kMeta = R"(,"usageMetadata":{"promptTokenCount":1})";
const std::string kLast = R"({"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}})";
std::string events(const std::vector<std::string>& chunks) {
  std::string out;
  for (const std::string& json : chunks) out += "data: " + json + "\r\n\r\n";
  return out;
}
std::string array_of(const std::vector<std::string>& chunks) {
  std::string out = "[";
  for (const std::string& json : chunks) out += (out.size() > 1 ? "\n,\r\n" : "") + json;
  return out + "\n]\n";
}

TEST(GeminiFilter, CallsGoFromTheirParts) {
  const std::vector<std::string> all = {chunk(kPay + ", {\"text\":\"Hi\"} ," + kRun, kMeta), chunk(kPay), kLast};
  for (const bool sse : {true, false}) {
    const Framing framing = sse ? Framing::kSse : Framing::kJsonArray;
    const auto framed = sse ? events : array_of;
    const auto run = [&](const RulingsByName& rulings) {
      return filtered(Operation::kStreamGenerate, framing, framed(all), rulings);
    };
    EXPECT_EQ(run({}).out, framed(all));
    EXPECT_EQ(run({}).asked, (std::vector<std::string>{"name pay", "call pay {\"a\":1}", "name run", "call run {}",
                                                       "name pay", "call pay {\"a\":1}"}));
    EXPECT_EQ(run({{"pay", kHeldThenPassed}}).out, framed(all));
    EXPECT_EQ(run({{"pay", kCutByName}}).out, framed({chunk("{\"text\":\"Hi\"} ," + kRun, kMeta), kLast}));
    EXPECT_EQ(run({{"pay", kHeldThenCut}, {"run", kCutByName}}).out,
              framed({chunk("{\"text\":\"Hi\"}", kMeta), kLast}));
  }
}

TEST(GeminiFilter, AnArrayKeepsItsFirstElement) {
  EXPECT_EQ(filtered(Operation::kStreamGenerate, Framing::kJsonArray, array_of({chunk(kPay), chunk(kPay), kLast}),
                     {{"pay", kCutByName}})
                .out,
            array_of({chunk(""), kLast}));
  EXPECT_EQ(
      filtered(Operation::kStreamGenerate, Framing::kJsonArray, array_of({chunk(kPay)}), {{"pay", kCutByName}}).out,
      array_of({chunk("")}));
}

TEST(GeminiFilter, ArgumentsOverSeveralPartsAreOneCall) {
  const std::vector<std::string> all = {
      chunk(R"({"functionCall":{"name":"pay","partialArgs":[1],"willContinue":true}})"), chunk(R"({"text":"Hi"})"),
      chunk(R"({"functionCall":{"partialArgs":[2],"willContinue":true}})"), chunk(R"({"functionCall":{}})"), kLast};
  const auto run = [&](Framing framing, const RulingsByName& rulings) {
    return filtered(Operation::kStreamGenerate, framing, framing == Framing::kSse ? events(all) : array_of(all),
                    rulings);
  };
  EXPECT_EQ(run(Framing::kSse, {}).out, events(all));
  EXPECT_EQ(run(Framing::kSse, {}).asked, (std::vector<std::string>{"name pay", "call pay [1][2]"}));
  EXPECT_EQ(run(Framing::kSse, {{"pay", kHeldThenPassed}}).out, events({all[1], all[0], all[2], all[3], kLast}));
  EXPECT_EQ(run(Framing::kSse, {{"pay", kHeldThenCut}}).out, events({all[1], kLast}));
  const std::string array = run(Framing::kJsonArray, {{"pay", kHeldThenPassed}}).out;
  StreamReader reader(Operation::kStreamGenerate, Framing::kJsonArray, false);
  std::string again;
  reader.feed(array, again);
  EXPECT_TRUE(reader.ended()) << array;
  EXPECT_FALSE(reader.facts().unread);
  EXPECT_EQ(filtered(Operation::kStreamGenerate, Framing::kJsonArray, array, {}).asked.back(), "call pay [1][2]");
}

TEST(GeminiFilter, ACallTooLongForOneEventIsPutTogether) {
  const std::string arguments = "{\"x\":\"" + std::string(5 << 20, 'y') + "\"}";
  const std::string big = R"({"functionCall":{"name":"pay","args":)" + arguments + "}}";
  for (const bool sse : {true, false}) {
    const Framing framing = sse ? Framing::kSse : Framing::kJsonArray;
    const auto framed = sse ? events : array_of;
    const std::string stream = framed({chunk(R"({"text":"Hi"})"), chunk(big, kMeta), kLast});
    const Filtered passed = filtered(Operation::kStreamGenerate, framing, stream, {});
    EXPECT_TRUE(passed.out == stream);
    ASSERT_EQ(passed.asked.size(), 2u);
    EXPECT_TRUE(passed.asked[1] == "call pay " + arguments);
    EXPECT_EQ(filtered(Operation::kStreamGenerate, framing, stream, {{"pay", kCutByName}}).out,
              framed({chunk(R"({"text":"Hi"})"), chunk("", kMeta), kLast}));
  }
}

TEST(GeminiFilter, ACallTooLongToHoldIsDropped) {
  const std::string big = R"({"functionCall":{"name":"pay","args":{"x":")" + std::string(9 << 20, 'y') + "\"}}}";
  const Filtered got = filtered(Operation::kStreamGenerate, Framing::kSse, events({chunk(big), kLast}), {});
  EXPECT_EQ(got.out, events({kLast}));
  EXPECT_EQ(got.cut, 1u);
  // Text is not held however long.
  const std::string text = events({chunk(R"({"text":")" + std::string(9 << 20, 'y') + "\"}"), kLast});
  EXPECT_TRUE(filtered(Operation::kStreamGenerate, Framing::kSse, text, {}).out == text);
}

// Ollama.
TEST(OllamaFilter, CallsGoFromTheirLine) {
  const auto line = [](const std::string& list, const std::string& rest = R"(,"done":false})") {
    return R"({"message":{"role":"assistant","content":"",)" + list + "}" + rest + "\n";
  };
  const auto call = [](int index, const std::string& name) {
    return R"({"function":{"index":)" + std::to_string(index) + R"(,"name":")" + name + R"(","arguments":{"a":1}}})";
  };
  const std::string last = "{\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"eval_count\":1}\n";
  const std::string stream = line(R"("tool_calls":[)" + call(0, "pay") + "," + call(1, "run") + "]") +
                             line(R"("tool_calls":[)" + call(2, "pay") + "]") + last;
  const auto run = [&](const RulingsByName& rulings) {
    return filtered(Operation::kOllamaChat, Framing::kNdjson, stream, rulings);
  };
  EXPECT_EQ(run({}).out, stream);
  EXPECT_EQ(run({{"pay", kHeldThenPassed}}).out, stream);
  EXPECT_EQ(run({{"pay", kHeldThenCut}}).out, line(R"("tool_calls":[)" + call(0, "run") + "]") + last);
  EXPECT_EQ(run({{"pay", kCutByName}, {"run", kCutByName}}).out, last);
  // With the end in the same line.
  EXPECT_EQ(filtered(Operation::kOllamaChat, Framing::kNdjson,
                     line(R"("tool_calls":[)" + call(0, "pay") + "]", R"(,"done":true,"done_reason":"tool_calls"})"),
                     {{"pay", kCutByName}})
                .out,
            R"({"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"})"
            "\n");
}

// The simulator's streams, without the chunks of HTTP.
std::string simulated(Operation operation, const std::string& body, bool alt_sse) {
  SimulatorOptions options;
  options.output_tokens_max = 30;
  SimulatedAnswer answer(options, operation, body, 1, 0, "m", alt_sse);
  std::string out;
  bool head = true;
  for (SimulatedStep step; answer.next(step);) {
    std::string_view bytes = step.bytes;
    if (head) bytes.remove_prefix(bytes.find("\r\n\r\n") + 4);
    head = false;
    while (!bytes.empty()) {
      const std::size_t size = std::stoul(std::string(bytes.substr(0, bytes.find('\r'))), nullptr, 16);
      bytes.remove_prefix(bytes.find('\n') + 1);
      out += bytes.substr(0, size);
      bytes.remove_prefix(std::min(bytes.size(), size + 2));
    }
  }
  return out;
}

TEST(CallFilter, TheSimulatorsStreamsPassAndAreCut) {
  const std::string chat = R"({"model":"m","stream":true,"messages":[{"role":"user","content":"x"}])";
  const struct {
    Operation operation;
    Framing framing;
    std::string body;
    bool calls;
  } cases[] = {
      {Operation::kChatCompletions, Framing::kSse, chat + R"(,"stream_options":{"include_usage":true}})", false},
      {Operation::kChatCompletions, Framing::kSse,
       chat + R"(,"tools":[{"type":"function","function":{"name":"pay"}}],"tool_choice":"required"})", true},
      {Operation::kResponses, Framing::kSse,
       R"({"model":"m","stream":true,"input":"x","tools":[{"type":"function","name":"pay"}],"tool_choice":"required"})",
       true},
      {Operation::kMessages, Framing::kSse,
       chat + R"(,"max_tokens":50,"tools":[{"name":"pay","input_schema":{}}],"tool_choice":{"type":"any"}})", true},
      {Operation::kStreamGenerate, Framing::kSse, R"({"contents":[{"parts":[{"text":"x"}]}]})", false},
      {Operation::kStreamGenerate, Framing::kJsonArray,
       R"({"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"pay"}]}],)"
       R"("toolConfig":{"functionCallingConfig":{"mode":"ANY"}}})",
       true},
      {Operation::kOllamaChat, Framing::kNdjson, chat + "}", false},
  };
  for (const auto& c : cases) {
    const std::string stream = simulated(c.operation, c.body, c.framing == Framing::kSse);
    const Filtered got = filtered(c.operation, c.framing, stream, {});
    EXPECT_EQ(got.out, stream) << c.body;
    EXPECT_EQ(got.calls, c.calls ? 1u : 0u) << stream;
    const Filtered cut = filtered(c.operation, c.framing, stream, {{"pay", kHeldThenCut}});
    EXPECT_EQ(cut.out.find("pay"), std::string::npos) << cut.out;
    StreamReader reader(c.operation, c.framing, false);
    std::string again;
    reader.feed(cut.out, again);
    EXPECT_TRUE(reader.ended()) << cut.out;
    EXPECT_FALSE(reader.facts().unread) << cut.out;
  }
}

}  // namespace
}  // namespace weir
