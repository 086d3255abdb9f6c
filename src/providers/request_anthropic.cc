// What only Anthropic's endpoints take.
#include "providers/request_reader.h"

namespace weir {

bool RequestReader::user_metadata(const element& value) {
  if (value.is_null()) return true;
  object fields;
  if (!object_of("metadata", value, fields)) return false;
  element id;
  return fields.at_key("user_id").get(id) != simdjson::SUCCESS || text("metadata.user_id", id, facts_.user);
}

bool RequestReader::system_prompt(const element& value) {
  if (value.is_null() || value.is_string()) return true;
  if (!value.is_array()) return refuse("`system` must be a string or an array of text blocks.", "system");
  parts_.content(value);
  return true;
}

// {"type":"enabled","budget_tokens":2048}, {"type":"adaptive"}, {"type":"disabled"}
bool RequestReader::thinking(const element& value) {
  if (value.is_null()) return true;
  object fields;
  if (!object_of("thinking", value, fields)) return false;
  element budget;
  if (fields.at_key("budget_tokens").get(budget) != simdjson::SUCCESS || budget.is_null()) return true;
  std::int64_t tokens = 0;
  if (!integer("thinking.budget_tokens", budget, 0, kMaxTokens, tokens)) return false;
  if (string_at(fields, "type") == "enabled") facts_.thinking_budget = tokens;
  return true;
}

bool RequestReader::container(const element& value) {
  // A container alone is no prompt: messages stay required.
  const bool had_input = has_input_;
  bool good = true;
  if (value.is_object()) {
    element id;
    good = value.at_key("id").get(id) != simdjson::SUCCESS || reference("container.id", id);
  } else {
    good = reference("container", value);
  }
  has_input_ = had_input;
  return good;
}

}  // namespace weir
