// How a stream ends in each dialect when the gateway must end it.
#include <fmt/format.h>

#include "base/json_writer.h"
#include "providers/error_words.h"
#include "providers/usage_json.h"

namespace weir {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string named_event(std::string_view name, std::string_view json) {
  return fmt::format("event: {}\ndata: {}\n\n", name, json);
}

std::string chat_end(Operation operation, const ErrorFacts& facts, const Usage* usage, const AnswerFacts& answer) {
  std::string out;
  if (usage != nullptr) {
    const char* object = operation == Operation::kChatCompletions ? "chat.completion.chunk" : "text_completion";
    out = fmt::format(R"(data: {{"id":{},"object":"{}","created":0,"model":{},"choices":[],"usage":{}}})"
                      "\n\n",
                      quoted(answer.id), object, quoted(answer.model), openai_usage_json(*usage));
  }
  // No [DONE] follows: who only looks for the end marker must not take this for a whole answer.
  return out + fmt::format("data: {}\n\n", error_body(ErrorShape::kOpenAi, facts));
}

std::string responses_end(const ErrorFacts& facts, const Usage* usage, const AnswerFacts& answer,
                          std::int64_t sequence) {
  const OpenAiWords words = openai_words(facts.kind, facts.status);
  const std::string code = quoted(words.code.empty() ? words.type : words.code);
  const std::string message = quoted(facts.message);
  const std::string failed = fmt::format(
      R"({{"type":"response.failed","sequence_number":{},"response":{{"id":{},"object":"response","status":"failed",)"
      R"("error":{{"code":{},"message":{}}},"incomplete_details":null,"model":{},"output":[],"usage":{}}}}})",
      sequence, quoted(answer.id), code, message, quoted(answer.model),
      usage != nullptr ? responses_usage_json(*usage) : "null");
  // The body is {"error":{…}}: its member goes into the event.
  const std::string body = error_body(ErrorShape::kOpenAi, facts);
  const std::string error =
      fmt::format(R"({{"type":"error","code":{},"message":{},"param":{},"sequence_number":{},{})", code, message,
                  facts.param.empty() ? "null" : quoted(facts.param), sequence + 1, body.substr(1));
  return named_event("response.failed", failed) + named_event("error", error);
}

std::string messages_end(const ErrorFacts& facts, const Usage* usage) {
  std::string out;
  if (usage != nullptr) {
    out = named_event("message_delta",
                      fmt::format(R"({{"type":"message_delta","delta":{{"stop_reason":null,"stop_sequence":null}},)"
                                  R"("usage":{}}})",
                                  anthropic_usage_json(*usage)));
  }
  return out + named_event("error", error_body(ErrorShape::kAnthropic, facts));
}

std::string gemini_end(Framing framing, const ErrorFacts& facts, const Usage* usage, const AnswerFacts& answer,
                       bool begun) {
  const std::string error = error_body(ErrorShape::kGemini, facts);
  std::string last;
  if (usage != nullptr) {
    last = fmt::format(R"({{"usageMetadata":{},"modelVersion":{},"responseId":{}}})", gemini_usage_json(*usage),
                       quoted(answer.model), quoted(answer.id));
  }
  if (framing == Framing::kJsonArray) {
    return fmt::format("{}{}{}{}]", begun ? ",\n" : "[", last, last.empty() ? "" : ",\n", error);
  }
  std::string out;
  if (!last.empty()) out = fmt::format("data: {}\n\n", last);
  // Google's JavaScript SDK takes the event for an answer without candidates and only fails on JSON that stands bare.
  // Readers of events ignore such a line.
  return out + fmt::format("data: {}\n\n{}\n", error, error);
}

}  // namespace

std::string stream_error_end(Operation operation, Framing framing, const ErrorFacts& facts, const Usage* usage,
                             bool told, const AnswerFacts* answer, StreamPosition at) {
  static const AnswerFacts kUnknown;
  const AnswerFacts& known = answer != nullptr ? *answer : kUnknown;
  if (!told) usage = nullptr;
  switch (dialect_of(operation)) {
    case Dialect::kOpenAi:
      return operation == Operation::kResponses ? responses_end(facts, usage, known, at.sequence)
                                                : chat_end(operation, facts, usage, known);
    case Dialect::kAnthropic:
      return messages_end(facts, usage);
    case Dialect::kGemini:
      return gemini_end(framing, facts, usage, known, at.begun);
    case Dialect::kOllama: {
      const std::string line = error_body(ErrorShape::kOllama, facts);
      return framing == Framing::kSse ? fmt::format("data: {}\n\n", line) : line + "\n";
    }
  }
  return {};  // every dialect is above
}

}  // namespace weir
