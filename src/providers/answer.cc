// read_answer: a whole JSON answer.
#include <simdjson.h>

#include "providers/answer_parts.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kSharedParser = 256 << 10;

void openai_answer(Operation operation, const object& root, AnswerFacts& facts) {
  object usage;
  if (root.at_key("usage").get_object().get(usage) == simdjson::SUCCESS) {
    facts.usage = read_openai_usage(operation, usage);
  }
  array choices;
  if (operation != Operation::kChatCompletions ||
      root.at_key("choices").get_array().get(choices) != simdjson::SUCCESS) {
    return;
  }
  for (const element choice : choices) {
    object fields;
    object message;
    if (choice.get_object().get(fields) != simdjson::SUCCESS) continue;
    if (fields.at_key("message").get_object().get(message) == simdjson::SUCCESS) {
      facts.text_bytes += openai_text_bytes(message);
    }
  }
}

void anthropic_answer(const object& root, AnswerFacts& facts) {
  object usage;
  if (root.at_key("usage").get_object().get(usage) == simdjson::SUCCESS) {
    AnthropicCounts counts;
    if (update_counts(counts, usage) && counts.has_input && counts.has_output) facts.usage = normal_form(counts);
  }
  array blocks;
  if (root.at_key("content").get_array().get(blocks) != simdjson::SUCCESS) return;
  for (const element block : blocks) {
    object fields;
    if (block.get_object().get(fields) == simdjson::SUCCESS) facts.text_bytes += anthropic_text_bytes(fields);
  }
}

void read_with(simdjson::dom::parser& parser, Operation operation, std::string_view body, AnswerFacts& facts) {
  object root;
  if (parser.parse(body.data(), body.size(), /*realloc_if_needed=*/true).get_object().get(root) != simdjson::SUCCESS) {
    return;
  }
  facts.model = string_member(root, "model");
  element error;
  facts.error = (root.at_key("error").get(error) == simdjson::SUCCESS && !error.is_null()) ||
                string_member(root, "type") == "error";
  dialect_of(operation) == Dialect::kOpenAi ? openai_answer(operation, root, facts) : anthropic_answer(root, facts);
}

}  // namespace

AnswerFacts read_answer(Operation operation, std::string_view body, GeneratedText* /*listener*/) {
  AnswerFacts facts;
  if (body.size() > kSharedParser) {
    simdjson::dom::parser parser;
    read_with(parser, operation, body, facts);
  } else {
    thread_local simdjson::dom::parser parser;
    read_with(parser, operation, body, facts);
  }
  return facts;
}

}  // namespace weir
