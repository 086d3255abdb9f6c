#include "providers/turns.h"

#include "providers/request_parts.h"

namespace weir {
namespace {

using simdjson::dom::object;

bool is_member(const object& from, std::string_view key) {
  return from.at_key(key).error() == simdjson::SUCCESS;
}

Speaker by_role(std::string_view role) {
  if (role == "user") return Speaker::kUser;
  if (role == "assistant" || role == "model") return Speaker::kModel;
  if (role == "tool" || role == "function") return Speaker::kTool;
  if (role == "system" || role == "developer") return Speaker::kSystem;
  return Speaker::kOther;
}

Speaker responses_speaker(const object& item) {
  const std::string_view type = string_at(item, "type");
  if (type.empty() || type == "message") return by_role(string_at(item, "role"));
  if (type.ends_with("_call_output")) return Speaker::kTool;
  if (type.ends_with("_call") || type == "reasoning" || type == "item_reference") return Speaker::kModel;
  return Speaker::kOther;
}

Speaker anthropic_speaker(const object& message) {
  const Speaker speaker = by_role(string_at(message, "role"));
  if (speaker != Speaker::kUser) return speaker;
  const bool answers =
      !each_object(message, "content", [](const object& block) { return string_at(block, "type") != "tool_result"; });
  return answers ? Speaker::kTool : Speaker::kUser;
}

Speaker gemini_speaker(const object& content) {
  const std::string_view role = string_at(content, "role");
  const Speaker speaker = role.empty() ? Speaker::kUser : by_role(role);
  if (speaker != Speaker::kUser) return speaker;
  const bool answers = !each_object(content, "parts", [](const object& part) {
    return !is_member(part, "functionResponse") && !is_member(part, "function_response");
  });
  return answers ? Speaker::kTool : Speaker::kUser;
}

}  // namespace

Speaker speaker_of(Operation operation, const object& message) {
  if (operation == Operation::kResponses) return responses_speaker(message);
  switch (dialect_of(operation)) {
    case Dialect::kAnthropic:
      return anthropic_speaker(message);
    case Dialect::kGemini:
      return gemini_speaker(message);
    default:
      return by_role(string_at(message, "role"));
  }
}

}  // namespace weir
