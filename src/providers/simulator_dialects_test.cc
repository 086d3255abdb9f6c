// The simulator in the dialects beside chat and messages: what it reports is what Weir reads of it.
#include <gtest/gtest.h>
#include <simdjson.h>

#include "providers/simulator.h"

namespace weir {
namespace {

constexpr TimeNs kNow = 1'790'000'000 * kSecond;

struct Response {
  std::string head, body;
  Usage usage;
  std::size_t steps = 0;
};

// Undoes chunked coding as an HTTP client would.
std::string unchunked(std::string_view coded) {
  std::string out;
  for (;;) {
    const std::size_t line = coded.find("\r\n");
    if (line == std::string_view::npos) return "BROKEN";
    const std::size_t size = std::stoul(std::string(coded.substr(0, line)), nullptr, 16);
    if (coded.size() < line + 2 + size + 2) return "BROKEN";
    if (size == 0) return out;
    out += coded.substr(line + 2, size);
    coded.remove_prefix(line + 2 + size + 2);
  }
}

Response ask(Operation operation, const std::string& body, bool alt_sse = false,
             const SimulatorOptions& options = {.output_tokens_min = 7, .output_tokens_max = 9}) {
  const bool gemini = dialect_of(operation) == Dialect::kGemini;
  SimulatedAnswer answer(options, operation, body, 1, kNow, gemini ? "gemini-2.5-flash" : "", alt_sse);
  Response response;
  std::string bytes;
  for (SimulatedStep step; answer.next(step); ++response.steps) bytes += step.bytes;
  const std::size_t end = bytes.find("\r\n\r\n");
  response.head = bytes.substr(0, end + 2);
  response.body = bytes.substr(end + 4);
  if (response.head.find("chunked") != std::string::npos) response.body = unchunked(response.body);
  response.usage = answer.usage();
  return response;
}

std::string string_at(const std::string& json, const char* pointer) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  EXPECT_EQ(parser.parse(json).get(document), simdjson::SUCCESS) << json.substr(0, 300);
  std::string_view text;
  return document.at_pointer(pointer).get_string().get(text) == simdjson::SUCCESS ? std::string(text) : "(none)";
}

// Read with the framing that its own content type tells.
AnswerFacts streamed(Operation operation, const Response& response) {
  const std::size_t at = response.head.find("content-type: ") + 14;
  const auto framing = framing_of(operation, response.head.substr(at, response.head.find("\r\n", at) - at));
  EXPECT_TRUE(framing.has_value()) << response.head;
  StreamReader reader(operation, framing.value_or(Framing::kSse), false);
  std::string out;
  reader.feed(response.body, out);
  EXPECT_EQ(out, response.body);
  EXPECT_TRUE(reader.ended()) << response.body;
  EXPECT_FALSE(reader.facts().error);
  return reader.facts();
}

struct Case {
  Operation operation;
  const char *whole, *stream;
  bool alt_sse;
};
const Case kCases[] = {
    {Operation::kCompletions, R"({"model":"m","prompt":"Say something"})",
     R"({"model":"m","prompt":"Say something","stream":true,"stream_options":{"include_usage":true}})", false},
    {Operation::kResponses, R"({"model":"m","input":"Say something"})",
     R"({"model":"m","input":"Say something","stream":true})", false},
    {Operation::kStreamGenerate, R"({"contents":[{"parts":[{"text":"Say something"}]}]})",
     R"({"contents":[{"parts":[{"text":"Say something"}]}]})", true},
    {Operation::kStreamGenerate, R"({"contents":[{"parts":[{"text":"Say something"}]}]})",
     R"({"contents":[{"parts":[{"text":"Say something"}]}]})", false},
    {Operation::kOllamaChat, R"({"model":"m","stream":false,"messages":[{"role":"user","content":"Say something"}]})",
     R"({"model":"m","messages":[{"role":"user","content":"Say something"}]})", false},
    {Operation::kOllamaGenerate, R"({"model":"m","stream":false,"prompt":"Say something"})",
     R"({"model":"m","prompt":"Say something"})", false},
};

TEST(SimulatorDialects, WholeAnswersReportTheirUsage) {
  for (const Case& c : kCases) {
    const Operation operation = c.operation == Operation::kStreamGenerate ? Operation::kGenerate : c.operation;
    const Response response = ask(operation, c.whole);
    const AnswerFacts facts = read_answer(operation, response.body);
    EXPECT_TRUE(response.head.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_NE(response.head.find("content-type: application/json\r\n"), std::string::npos);
    EXPECT_TRUE(facts.usage == response.usage) << response.body;
    EXPECT_GE(response.usage.output(), 7);
    EXPECT_GE(response.usage.input(), 3);
    EXPECT_EQ(facts.model, dialect_of(operation) == Dialect::kGemini ? "gemini-2.5-flash" : "m");
    EXPECT_GT(facts.text_bytes, 20);
  }
}

TEST(SimulatorDialects, StreamsPaceTheirTokensAndReportTheSame) {
  for (const Case& c : kCases) {
    const Response response = ask(c.operation, c.stream, c.alt_sse);
    const AnswerFacts facts = streamed(c.operation, response);
    EXPECT_TRUE(facts.usage == response.usage) << response.body;
    EXPECT_EQ(static_cast<std::int64_t>(response.steps), response.usage.output());
    EXPECT_GT(facts.text_bytes, 20);
    EXPECT_FALSE(facts.model.empty());
  }
}

TEST(SimulatorDialects, CapsAndChoicesAreHonoured) {
  const Response completions = ask(
      Operation::kCompletions,
      R"({"model":"m","prompt":["a","b"],"max_tokens":3,"n":2,"stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_EQ(streamed(Operation::kCompletions, completions).usage->output(), 6);
  const Response responses = ask(Operation::kResponses, R"({"model":"m","input":"a","max_output_tokens":3})");
  EXPECT_EQ(responses.usage.output(), 3);
  EXPECT_EQ(string_at(responses.body, "/incomplete_details/reason"), "max_output_tokens");
  const Response responses_stream =
      ask(Operation::kResponses, R"({"model":"m","input":"a","max_output_tokens":3,"stream":true})");
  EXPECT_NE(responses_stream.body.find("event: response.incomplete\n"), std::string::npos);
  EXPECT_EQ(streamed(Operation::kResponses, responses_stream).usage->output(), 3);
  for (const bool alt_sse : {false, true}) {
    const Response gemini =
        ask(Operation::kStreamGenerate,
            R"({"contents":[],"generationConfig":{"maxOutputTokens":3,"candidateCount":2}})", alt_sse);
    EXPECT_EQ(streamed(Operation::kStreamGenerate, gemini).usage->output(), 6);
    EXPECT_NE(gemini.body.find("MAX_TOKENS"), std::string::npos);
  }
  const Response ollama = ask(Operation::kOllamaChat, R"({"model":"m","messages":[],"options":{"num_predict":3}})");
  EXPECT_EQ(streamed(Operation::kOllamaChat, ollama).usage->output(), 3);
  const Response unlimited = ask(Operation::kOllamaChat, R"({"model":"m","messages":[],"options":{"num_predict":-1}})");
  EXPECT_GE(streamed(Operation::kOllamaChat, unlimited).usage->output(), 7);
}

TEST(SimulatorDialects, ToolCallsWhenDemanded) {
  const std::string tools = R"("tools":[{"type":"function","name":"pay"}],"tool_choice":"required")";
  const Response whole = ask(Operation::kResponses, R"({"model":"m","input":"a",)" + tools + "}");
  EXPECT_EQ(string_at(whole.body, "/output/0/name"), "pay");
  const Response stream = ask(Operation::kResponses, R"({"model":"m","input":"a","stream":true,)" + tools + "}");
  EXPECT_EQ(streamed(Operation::kResponses, stream).text_bytes, 3 + 2);
  const std::string gemini = R"({"contents":[],"tools":[{"functionDeclarations":[{"name":"look"},{"name":"see"}]}],)"
                             R"("toolConfig":{"functionCallingConfig":{"mode":"ANY")";
  EXPECT_EQ(
      string_at(ask(Operation::kGenerate, gemini + "}}}").body, "/candidates/0/content/parts/0/functionCall/name"),
      "look");
  EXPECT_EQ(string_at(ask(Operation::kGenerate, gemini + R"(,"allowedFunctionNames":["see"]}}})").body,
                      "/candidates/0/content/parts/0/functionCall/name"),
            "see");
}

TEST(SimulatorDialects, ResponsesEventsAreNumberedWithoutGaps) {
  for (const char* tool : {"", R"(,"tools":[{"name":"pay"}],"tool_choice":"required")"}) {
    const Response stream =
        ask(Operation::kResponses, std::string(R"({"model":"m","input":"a","stream":true)") + tool + "}");
    const std::string key = "\"sequence_number\":";
    int expected = 0;
    for (std::size_t at = 0; (at = stream.body.find(key, at)) != std::string::npos; ++expected) {
      at += key.size();
      EXPECT_EQ(std::stoi(stream.body.substr(at)), expected);
    }
    EXPECT_GE(expected, 7);
  }
}

TEST(SimulatorDialects, AnArrayIsOneJsonDocument) {
  for (const std::int64_t tokens : {0, 1, 5}) {
    const Response response = ask(Operation::kStreamGenerate, R"({"contents":[]})", false,
                                  {.output_tokens_min = tokens, .output_tokens_max = tokens});
    simdjson::dom::parser parser;
    simdjson::dom::element document;
    ASSERT_EQ(parser.parse(response.body).get(document), simdjson::SUCCESS) << response.body;
    EXPECT_EQ(document.get_array().value().size(), static_cast<std::size_t>(tokens) + 2);
    EXPECT_EQ(streamed(Operation::kStreamGenerate, response).usage->output(), tokens);
  }
}

TEST(SimulatorDialects, CountingAndEmbedding) {
  const Response anthropic =
      ask(Operation::kCountTokens, R"({"model":"m","messages":[{"role":"user","content":"abcdefgh"}]})");
  EXPECT_EQ(anthropic.body, R"({"input_tokens":3})");
  EXPECT_EQ(anthropic.usage, Usage{});
  EXPECT_EQ(ask(Operation::kGeminiCountTokens, R"({"contents":[{"parts":[{"text":"abcdefgh"}]}]})").body,
            R"({"totalTokens":2})");
  const Response embed = ask(Operation::kOllamaEmbed, R"({"model":"m","input":["a","b","a"],"dimensions":4})");
  EXPECT_TRUE(read_answer(Operation::kOllamaEmbed, embed.body).usage == embed.usage);
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  ASSERT_EQ(parser.parse(embed.body).get(document), simdjson::SUCCESS);
  EXPECT_EQ(document["embeddings"].get_array().value().size(), 3u);
  EXPECT_EQ(simdjson::minify(document.at_pointer("/embeddings/0").value()),
            simdjson::minify(document.at_pointer("/embeddings/2").value()));
}

TEST(SimulatorDialects, BrokenBodiesGet400InTheDialect) {
  for (std::size_t i = 0; i < kOperationCount; ++i) {
    const auto operation = static_cast<Operation>(i);
    for (const char* body : {"", "{", "[]", "3"}) {
      const Response response = ask(operation, body);
      EXPECT_TRUE(response.head.starts_with("HTTP/1.1 400 ")) << route_of(operation) << body;
      EXPECT_TRUE(read_answer(operation, response.body).error) << response.body;
    }
  }
}

TEST(SimulatorDialects, HugeChoicesAreBounded) {
  const SimulatorOptions huge{
      .output_tokens_min = 1'000'000'000, .output_tokens_max = 2'000'000'000, .tokens_per_second = 0};
  const Response response =
      ask(Operation::kGenerate, R"({"contents":[],"generationConfig":{"candidateCount":1000000000}})", false, huge);
  EXPECT_LE(response.usage.output(), 1'000'000);
}

}  // namespace
}  // namespace weir
