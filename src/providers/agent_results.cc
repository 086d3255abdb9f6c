#include "providers/agent_results.h"

#include <algorithm>
#include <string>

#include "base/hash.h"
#include "providers/json_hash.h"
#include "providers/request_parts.h"
#include "providers/tool_error.h"
#include "providers/turns.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;
using Visit = std::function<bool(const ResultView&)>;

bool is_true(const object& from, std::string_view key) {
  bool value = false;
  return from.at_key(key).get_bool().get(value) == simdjson::SUCCESS && value;
}

std::optional<element> member_of_result(const object& from, std::string_view key) {
  element value;
  if (from.at_key(key).get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

std::string_view first_string(const object& from, std::string_view first, std::string_view second) {
  const std::string_view text = string_at(from, first);
  return text.empty() ? string_at(from, second) : text;
}

bool anthropic_result(const object& block, const Visit& visit) {
  if (string_at(block, "type") != "tool_result") return true;
  return visit({.call_id = string_at(block, "tool_use_id"),
                .name = {},
                .error = is_true(block, "is_error"),
                .content = member_of_result(block, "content")});
}

bool gemini_result(const object& part, const Visit& visit) {
  object answer;
  if (part.at_key("functionResponse").get_object().get(answer) != simdjson::SUCCESS &&
      part.at_key("function_response").get_object().get(answer) != simdjson::SUCCESS) {
    return true;
  }
  return visit({.call_id = string_at(answer, "id"),
                .name = string_at(answer, "name"),
                .error = is_true(answer, "is_error"),
                .content = member_of_result(answer, "response"),
                .is_response = true});
}

// Of a text, or of the first text among parts.
std::string_view text_of(const element& content) {
  std::string_view text;
  if (content.get_string().get(text) == simdjson::SUCCESS) return text;
  each_object_of(content,
                 [&](const object& part) { return part.at_key("text").get_string().get(text) != simdjson::SUCCESS; });
  return text;
}

// {"error":…}, or {"result":"Error: …"} whatever its only member is called.
bool is_error_response(const object& response) {
  if (is_error_object(response)) return true;
  const auto only = response.begin();
  return response.size() == 1 && is_error_text(text_of(only.value()));
}

bool tells_error(const ResultView& view) {
  if (view.error) return true;
  if (!view.content) return false;
  object fields;
  if (view.content->get_object().get(fields) != simdjson::SUCCESS) return is_error_text(text_of(*view.content));
  return view.is_response ? is_error_response(fields) : is_error_object(fields);
}

}  // namespace

void each_result(Operation operation, const object& message, const Visit& visit) {
  if (operation == Operation::kResponses) {
    visit({.call_id = string_at(message, "call_id"),
           .name = string_at(message, "name"),
           .error = is_true(message, "is_error"),
           .content = member_of_result(message, "output")});
    return;
  }
  switch (dialect_of(operation)) {
    case Dialect::kAnthropic:
      each_object(message, "content", [&](const object& block) { return anthropic_result(block, visit); });
      return;
    case Dialect::kGemini:
      each_object(message, "parts", [&](const object& part) { return gemini_result(part, visit); });
      return;
    default:
      visit({.call_id = string_at(message, "tool_call_id"),
             .name = first_string(message, "tool_name", "name"),
             .error = is_true(message, "is_error"),
             .content = member_of_result(message, "content")});
  }
}

ToolResult tool_result_of(const ResultView& view) {
  ToolResult result;
  if (view.call_id.size() <= kMaxCallId) result.call_id = view.call_id;
  result.name = canonical_tool_name(view.name);
  result.error = tells_error(view);
  result.content = view.content ? content_hash(*view.content) : content_hash(std::string_view{});
  return result;
}

void match_results(const std::vector<ToolCall>& calls, std::vector<ToolResult>& results) {
  // Hashes first: 512 long ids that differ only at their ends are compared with 512 others.
  struct Open {
    std::uint64_t id, name;
    bool answered = false;
  };
  std::vector<Open> open;
  open.reserve(calls.size());
  for (const ToolCall& call : calls) open.push_back({hash64(call.id), hash64(call.name)});
  const auto settle = [&](ToolResult& result, auto matches) {
    const auto found = std::find_if(open.begin(), open.end(), matches);
    if (found == open.end()) return;
    found->answered = true;
    const ToolCall& call = calls[static_cast<std::size_t>(found - open.begin())];
    if (result.name.empty()) result.name = call.name;
    if (result.call_id.empty()) result.call_id = call.id;
  };
  for (ToolResult& result : results) {
    if (result.call_id.empty()) continue;
    settle(result, [id = hash64(result.call_id)](const Open& call) { return call.id == id; });
  }
  for (ToolResult& result : results) {
    if (!result.call_id.empty()) continue;
    settle(result, [name = hash64(result.name), any = result.name.empty()](const Open& call) {
      return !call.answered && (any || call.name == name);
    });
  }
}

}  // namespace weir
