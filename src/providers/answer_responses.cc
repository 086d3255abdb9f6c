// OpenAI's Responses: an object with items, and events about it.
#include <algorithm>

#include "providers/answer_parts.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// Calls of tools that the provider runs and bills by the call.
bool is_billed_call(std::string_view type) {
  return type == "web_search_call" || type == "file_search_call";
}

// One item of `output`: a message, reasoning, or a call of some kind.
void item_text(const object& item, TextSink& sink) {
  for (auto it = item.begin(); it != item.end(); ++it) {
    const std::string_view key = it.key();
    if (key == "content" || key == "summary") {
      sink.add_content(it.value());
    } else if (key == "name" || key == "arguments" || key == "input" || key == "code") {
      sink.add(string_value(it.value()));
    }
  }
}

void read_response(const object& response, bool with_usage, AnswerFacts& facts, TextSink* sink) {
  std::int64_t billed_calls = 0;
  for (auto it = response.begin(); it != response.end(); ++it) {
    const std::string_view key = it.key();
    const element value = it.value();
    object fields;
    if (key == "id") {
      facts.id = string_value(value);
    } else if (key == "model") {
      facts.model = string_value(value);
    } else if (key == "service_tier") {
      if (value.is_string()) facts.service_tier = service_tier_from(string_value(value));
    } else if (key == "error") {
      facts.error |= !value.is_null();
    } else if (key == "usage" && with_usage && value.get_object().get(fields) == simdjson::SUCCESS) {
      facts.usage = read_openai_usage(Operation::kResponses, fields);
    } else if (key == "output") {
      each_object_of(value, [&](const object& item) {
        billed_calls += is_billed_call(string_at(item, "type")) ? 1 : 0;
        if (sink != nullptr) item_text(item, *sink);
      });
    }
  }
  if (facts.usage) facts.usage->tool_units = billed_calls;
}

bool is_last(std::string_view type) {
  return type == "response.completed" || type == "response.incomplete" || type == "response.failed";
}

}  // namespace

void responses_answer(const object& root, AnswerFacts& facts, TextSink& sink) {
  facts.error = string_at(root, "type") == "error";
  read_response(root, /*with_usage=*/true, facts, &sink);
}

void responses_event(const object& root, StreamState& state, AnswerFacts& facts, TextSink& sink) {
  const std::string_view type = string_at(root, "type");
  std::int64_t number = 0;
  if (read_count(root, "sequence_number", number) == Field::kGood)
    state.sequence = std::max(state.sequence, number + 1);
  object part;
  if (type.ends_with(".delta")) {
    // Audio is base64; its transcript has deltas of its own.
    if (type != "response.audio.delta") sink.add(string_at(root, "delta"));
  } else if (type == "response.output_item.added") {
    // Arguments and text follow in deltas.
    if (root.at_key("item").get_object().get(part) == simdjson::SUCCESS) sink.add(string_at(part, "name"));
  } else if (root.at_key("response").get_object().get(part) == simdjson::SUCCESS) {
    // The items at the end repeat what the deltas said.
    read_response(part, is_last(type), facts, nullptr);
  }
  element error;
  facts.error |= type == "error" || type == "response.failed" ||
                 (root.at_key("error").get(error) == simdjson::SUCCESS && !error.is_null());
  state.finished |= is_last(type);
}

}  // namespace weir
