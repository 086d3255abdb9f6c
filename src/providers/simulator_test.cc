#include "providers/simulator.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <simdjson.h>

#include "tokens/calibration.h"
#include "tokens/estimate.h"

namespace weir {
namespace {

constexpr auto kChat = Operation::kChatCompletions;
constexpr auto kEmbed = Operation::kEmbeddings;
constexpr auto kMsg = Operation::kMessages;
constexpr TimeNs kNow = 1'790'000'000 * kSecond;

struct Response {
  std::string head, body;
  std::vector<DurationNs> waits;
  Usage usage;
};

// Undoes chunked coding as an HTTP client would.
std::string unchunked(std::string_view coded) {
  std::string out;
  for (;;) {
    const std::size_t line = coded.find("\r\n");
    if (line == std::string_view::npos) return "BROKEN";
    const std::size_t size = std::stoul(std::string(coded.substr(0, line)), nullptr, 16);
    if (coded.size() < line + 2 + size + 2 || coded.substr(line + 2 + size, 2) != "\r\n") return "BROKEN";
    if (size == 0) return coded.size() == line + 4 ? out : "BROKEN";
    out += coded.substr(line + 2, size);
    coded.remove_prefix(line + 2 + size + 2);
  }
}

Response ask(Operation operation, const std::string& body, SimulatorOptions options = {}, std::uint64_t ordinal = 1) {
  SimulatedAnswer answer(options, operation, body, ordinal, kNow);
  Response response;
  std::string bytes;
  for (SimulatedStep step; answer.next(step);) {
    bytes += step.bytes;
    response.waits.push_back(step.after);
  }
  const std::size_t end = bytes.find("\r\n\r\n");
  response.head = bytes.substr(0, end + 2);
  response.body = bytes.substr(end + 4);
  if (response.head.find("transfer-encoding: chunked\r\n") != std::string::npos) {
    response.body = unchunked(response.body);
  } else {
    EXPECT_NE(response.head.find("content-length: " + std::to_string(response.body.size()) + "\r\n"),
              std::string::npos);
  }
  response.usage = answer.usage();
  return response;
}

std::string chat(const std::string& members) {
  return R"({"model":"gpt-4o","messages":[{"role":"user","content":"Say something about rivers"}])" +
         (members.empty() ? "" : "," + members) + "}";
}

std::string message(const std::string& members) {
  return R"({"model":"claude-x","messages":[{"role":"user","content":"Say something"}],)" + members + "}";
}

std::string string_at(const std::string& json, const char* pointer) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  EXPECT_EQ(parser.parse(json).get(document), simdjson::SUCCESS) << json.substr(0, 300);
  std::string_view text;
  return document.at_pointer(pointer).get_string().get(text) == simdjson::SUCCESS ? std::string(text) : "(none)";
}

AnswerFacts streamed(Operation operation, const std::string& body) {
  StreamReader reader(operation, Framing::kSse, false);
  std::string out;
  reader.feed(body, out);
  reader.finish(out);
  EXPECT_EQ(out, body);
  EXPECT_TRUE(reader.ended());
  return reader.facts();
}

TEST(Simulator, ChatWhole) {
  const Response response = ask(kChat, chat(""));
  EXPECT_TRUE(response.head.starts_with("HTTP/1.1 200 OK\r\n"));
  const AnswerFacts facts = read_answer(kChat, response.body);
  EXPECT_EQ(facts.usage, response.usage);
  EXPECT_EQ(facts.model, "gpt-4o");
  EXPECT_GE(response.usage.output(), 20);
  EXPECT_LE(response.usage.output(), 200);
  EXPECT_EQ(string_at(response.body, "/choices/0/finish_reason"), "stop");
  ASSERT_EQ(response.waits.size(), 1u);
  EXPECT_EQ(response.waits[0], 150 * kMillisecond + response.usage.output() * 10 * kMillisecond);
}

TEST(Simulator, ChatStream) {
  const Response response = ask(kChat, chat(R"("stream":true,"stream_options":{"include_usage":true})"));
  const AnswerFacts facts = streamed(kChat, response.body);
  EXPECT_EQ(facts.usage, response.usage);
  EXPECT_EQ(static_cast<std::int64_t>(response.waits.size()), response.usage.output());
  EXPECT_EQ(response.waits[0], 150 * kMillisecond);
  EXPECT_EQ(response.waits[1], 10 * kMillisecond);
  EXPECT_NE(response.body.find("\"usage\":null"), std::string::npos);
  const Response plain = ask(kChat, chat(R"("stream":true)"));
  EXPECT_FALSE(streamed(kChat, plain.body).usage.has_value());
  EXPECT_EQ(plain.body.find("usage"), std::string::npos);
}

TEST(Simulator, MessagesWholeAndStream) {
  const Response whole = ask(kMsg, message(R"("max_tokens":1000)"));
  EXPECT_EQ(read_answer(kMsg, whole.body).usage, whole.usage);
  EXPECT_EQ(string_at(whole.body, "/stop_reason"), "end_turn");
  const Response stream = ask(kMsg, message(R"("max_tokens":1000,"stream":true)"));
  const AnswerFacts facts = streamed(kMsg, stream.body);
  EXPECT_EQ(facts.usage, stream.usage);
  EXPECT_EQ(facts.model, "claude-x");
  EXPECT_TRUE(stream.body.starts_with("event: message_start\ndata: "));
}

TEST(Simulator, CapsAndChoicesAreHonoured) {
  const Response capped = ask(kChat, chat(R"("max_tokens":5,"n":3)"));
  EXPECT_EQ(capped.usage.output(), 15);
  EXPECT_EQ(string_at(capped.body, "/choices/2/finish_reason"), "length");
  const Response stream =
      ask(kChat, chat(R"("max_tokens":5,"n":2,"stream":true,"stream_options":{"include_usage":true})"));
  EXPECT_EQ(streamed(kChat, stream.body).usage->output(), 10);
  const Response none = ask(kMsg, message(R"("max_tokens":0)"));
  EXPECT_EQ(none.usage.output(), 0);
  EXPECT_EQ(string_at(none.body, "/stop_reason"), "max_tokens");
  const Response none_streamed = ask(kMsg, message(R"("max_tokens":0,"stream":true)"));
  EXPECT_EQ(streamed(kMsg, none_streamed.body).usage, none_streamed.usage);
}

TEST(Simulator, ToolCallsWhenDemanded) {
  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"pay"}},{"type":"function","function":{"name":"see"}}])";
  const Response any = ask(kChat, chat(tools + R"(,"tool_choice":"required")"));
  EXPECT_EQ(string_at(any.body, "/choices/0/message/tool_calls/0/function/name"), "pay");
  EXPECT_EQ(string_at(any.body, "/choices/0/message/tool_calls/0/function/arguments"), "{}");
  EXPECT_EQ(string_at(any.body, "/choices/0/finish_reason"), "tool_calls");
  const Response named =
      ask(kChat, chat(tools + R"(,"tool_choice":{"type":"function","function":{"name":"see"}},"stream":true)"));
  EXPECT_EQ(streamed(kChat, named.body).text_bytes, 3 + 2);
  for (const char* choice : {R"("auto")", R"("none")", "null"}) {
    const Response text = ask(kChat, chat(tools + R"(,"tool_choice":)" + choice));
    EXPECT_EQ(string_at(text.body, "/choices/0/finish_reason"), "stop") << choice;
  }
  const std::string anthropic = R"("max_tokens":100,"tools":[{"name":"look","input_schema":{"type":"object"}}],)";
  const Response use = ask(kMsg, message(anthropic + R"("tool_choice":{"type":"any"})"));
  EXPECT_EQ(string_at(use.body, "/content/0/name"), "look");
  EXPECT_EQ(string_at(use.body, "/stop_reason"), "tool_use");
  const Response use_stream =
      ask(kMsg, message(anthropic + R"("stream":true,"tool_choice":{"type":"tool","name":"look"})"));
  EXPECT_EQ(streamed(kMsg, use_stream.body).text_bytes, 4 + 2);
}

TEST(Simulator, SameSeedOrdinalAndBodyGiveTheSameAnswer) {
  const std::string body = chat(R"("stream":true)");
  EXPECT_EQ(ask(kChat, body).body, ask(kChat, body).body);
  EXPECT_NE(ask(kChat, body).body, ask(kChat, body, {}, 2).body);
  EXPECT_NE(ask(kChat, body).body, ask(kChat, body, {.seed = 7}).body);
}

TEST(Simulator, PromptsDoNotSteerIt) {
  const Response response = ask(kChat, chat(R"("sim":{"output_tokens":1},"simulate":true)"),
                                {.output_tokens_min = 50, .output_tokens_max = 50});
  EXPECT_EQ(response.usage.output(), 50);
}

TEST(Simulator, Embeddings) {
  const Response floats = ask(kEmbed, R"({"model":"text-embedding-3-small","input":["a","b","a"],"dimensions":4})");
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  ASSERT_EQ(parser.parse(floats.body).get(document), simdjson::SUCCESS);
  EXPECT_EQ(document.at_pointer("/data").get_array().value().size(), 3u);
  EXPECT_EQ(document.at_pointer("/data/0/embedding").get_array().value().size(), 4u);
  EXPECT_EQ(simdjson::minify(document.at_pointer("/data/0/embedding").value()),
            simdjson::minify(document.at_pointer("/data/2/embedding").value()));
  EXPECT_NE(simdjson::minify(document.at_pointer("/data/0/embedding").value()),
            simdjson::minify(document.at_pointer("/data/1/embedding").value()));
  EXPECT_EQ(read_answer(kEmbed, floats.body).usage, floats.usage);
  const Response base64 = ask(kEmbed, R"({"model":"m","input":"a","encoding_format":"base64"})");
  EXPECT_EQ(string_at(base64.body, "/data/0/embedding").size(), 1536u * 4 * 4 / 3);
  const Response odd = ask(kEmbed, R"({"model":"m","input":[1,2],"encoding_format":"base64","dimensions":1})");
  EXPECT_EQ(string_at(odd.body, "/data/0/embedding").size(), 8u);
  EXPECT_TRUE(string_at(odd.body, "/data/0/embedding").ends_with("=="));
}

TEST(Simulator, EmbeddingsAreBounded) {
  std::string input = "\"a\"";
  for (int i = 0; i < 1400; ++i) input += ",\"a\"";
  const Response many = ask(kEmbed, R"({"model":"m","input":[)" + input + "]}");
  EXPECT_TRUE(many.head.starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(string_at(many.body, "/error/param"), "input");
  const Response wide = ask(kEmbed, R"({"model":"m","input":"a","dimensions":1000000000})");
  EXPECT_LT(wide.body.size(), 3072u * 8);
}

TEST(Simulator, HugeConfigurationIsBounded) {
  const SimulatorOptions huge{
      .output_tokens_min = 1'000'000'000, .output_tokens_max = 2'000'000'000, .tokens_per_second = 0};
  EXPECT_LE(ask(kChat, chat(R"("n":128)"), huge).usage.output(), 1'000'000);
}

TEST(Simulator, BrokenBodiesGet400InTheDialect) {
  EXPECT_TRUE(ask(kChat, "{").head.starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(string_at(ask(kMsg, "{").body, "/type"), "error");
}

RC_GTEST_PROP(SimulatorProperty, UsageNeverExceedsTheEstimates, ()) {
  const auto ordinal = *rc::gen::arbitrary<std::uint64_t>();
  const auto choices = *rc::gen::inRange(1, 4);
  const auto stream = *rc::gen::arbitrary<bool>();
  const std::string body = chat("\"n\":" + std::to_string(choices) +
                                (stream ? R"(,"stream":true,"stream_options":{"include_usage":true})" : ""));
  const Response response = ask(kChat, body, {.seed = ordinal}, ordinal);
  const RequestFacts facts = *read_request(kChat, body, {});
  RC_ASSERT(response.usage.input() <= Calibration().tokens_of(0, facts.text_bytes).upper);
  const AnswerFacts answer = stream ? streamed(kChat, response.body) : read_answer(kChat, response.body);
  RC_ASSERT(answer.usage == response.usage);
  RC_ASSERT(response.usage.output() <= estimate_output_tokens(answer.text_bytes));
}

}  // namespace
}  // namespace weir
