// Ollama's answers: one object per line, or one object.
#include "providers/answer_parts.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// Zero counts are left out. So one that is absent is a zero, unless both are or the text says otherwise.
std::optional<Usage> read_ollama_usage(const object& root, const AnswerFacts& facts) {
  Usage usage;
  const Field input = read_count(root, "prompt_eval_count", usage.input_uncached);
  const Field output = read_count(root, "eval_count", usage.output_visible);
  if (input == Field::kBad || output == Field::kBad) return std::nullopt;
  if (output == Field::kAbsent && (input == Field::kAbsent || facts.text_bytes > 0)) return std::nullopt;
  return usage;
}

void tool_calls_text(const element& calls, TextSink& sink) {
  each_object_of(calls, [&](const object& call) {
    object function;
    if (call.at_key("function").get_object().get(function) != simdjson::SUCCESS) return;
    sink.add(string_at(function, "name"));
    element arguments;
    if (function.at_key("arguments").get(arguments) == simdjson::SUCCESS) sink.add_object(arguments);
  });
}

void message_text(const object& message, TextSink& sink) {
  for (auto it = message.begin(); it != message.end(); ++it) {
    const std::string_view key = it.key();
    if (key == "content" || key == "thinking") {
      sink.add(string_value(it.value()));
    } else if (key == "tool_calls") {
      tool_calls_text(it.value(), sink);
    }
  }
}

// True if it says that nothing follows.
bool read_object(const object& root, AnswerFacts& facts, TextSink& sink) {
  bool done = false;
  for (auto it = root.begin(); it != root.end(); ++it) {
    const std::string_view key = it.key();
    const element value = it.value();
    object message;
    if (key == "model") {
      facts.model = string_value(value);
    } else if (key == "done") {
      done = value.is_bool() && value.get_bool().value_unsafe();
    } else if (key == "error") {
      facts.error |= !value.is_null();
    } else if (key == "response" || key == "thinking") {
      sink.add(string_value(value));
    } else if (key == "message" && value.get_object().get(message) == simdjson::SUCCESS) {
      message_text(message, sink);
    }
  }
  return done;
}

}  // namespace

void ollama_answer(Operation operation, const object& root, AnswerFacts& facts, TextSink& sink) {
  const bool done = read_object(root, facts, sink);
  element embeddings;
  const bool whole = operation == Operation::kOllamaEmbed
                         ? root.at_key("embeddings").get(embeddings) == simdjson::SUCCESS && embeddings.is_array()
                         : done;
  if (whole && !facts.error) facts.usage = read_ollama_usage(root, facts);
}

void ollama_line(const object& root, StreamState& state, AnswerFacts& facts, TextSink& sink) {
  if (!read_object(root, facts, sink)) return;
  facts.usage = read_ollama_usage(root, facts);
  state.finished = true;
}

}  // namespace weir
