// read_answer: a whole JSON answer. framing_of: whether an answer is a stream.
#include <simdjson.h>

#include "base/strings.h"
#include "providers/answer_parts.h"
#include "providers/call_reader.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kSharedParser = 256 << 10;

void read_root(Operation operation, const object& root, AnswerFacts& facts, GeneratedText* listener) {
  TextSink sink(facts, listener);
  StreamState unused;
  switch (operation) {
    case Operation::kChatCompletions:
    case Operation::kCompletions:
    case Operation::kEmbeddings:
      return openai_answer(operation, root, facts, sink);
    case Operation::kResponses:
      return responses_answer(root, facts, sink);
    case Operation::kMessages:
      return anthropic_answer(root, facts, sink);
    case Operation::kGenerate:
    case Operation::kStreamGenerate:
      return gemini_chunk(root, unused, facts, sink);
    case Operation::kOllamaChat:
    case Operation::kOllamaGenerate:
    case Operation::kOllamaEmbed:
      return ollama_answer(operation, root, facts, sink);
    case Operation::kCountTokens:
    case Operation::kGeminiCountTokens: {
      element error;
      facts.error = root.at_key("error").get(error) == simdjson::SUCCESS && !error.is_null();
      if (!facts.error) facts.usage = Usage{};
      return;
    }
  }
}

void read_with(simdjson::dom::parser& parser, Operation operation, std::string_view body, AnswerFacts& facts,
               GeneratedText* listener, std::vector<ToolCall>* calls) {
  object root;
  if (parser.parse(body.data(), body.size(), /*realloc_if_needed=*/true).get_object().get(root) != simdjson::SUCCESS) {
    return;
  }
  read_root(operation, root, facts, listener);
  if (calls != nullptr) collect_calls(operation, root, *calls);
}

}  // namespace

AnswerFacts read_answer(Operation operation, std::string_view body, GeneratedText* listener,
                        std::vector<ToolCall>* calls) {
  AnswerFacts facts;
  if (body.size() > kSharedParser) {
    simdjson::dom::parser parser;
    read_with(parser, operation, body, facts, listener, calls);
  } else {
    thread_local simdjson::dom::parser parser;
    read_with(parser, operation, body, facts, listener, calls);
  }
  return facts;
}

std::optional<Framing> framing_of(Operation operation, std::string_view content_type) {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  if (!generates(operation)) return std::nullopt;
  if (equal_ignoring_case(type, "text/event-stream")) return Framing::kSse;
  if (dialect_of(operation) == Dialect::kOllama &&
      (equal_ignoring_case(type, "application/x-ndjson") || equal_ignoring_case(type, "application/ndjson"))) {
    return Framing::kNdjson;
  }
  if (operation == Operation::kStreamGenerate && equal_ignoring_case(type, "application/json")) {
    return Framing::kJsonArray;
  }
  return std::nullopt;
}

}  // namespace weir
