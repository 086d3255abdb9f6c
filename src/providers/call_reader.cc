#include "providers/call_reader.h"

#include <array>

#include "base/hash.h"
#include "providers/dialect.h"
#include "providers/json_hash.h"
#include "providers/request_parts.h"
#include "providers/tool_calls.h"
#include "providers/turns.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;
using Visit = std::function<bool(const CallView&)>;

// Calls of OpenAI's built-in tools that the client executes.
struct BuiltIn {
  std::string_view type, name, arguments;
};
constexpr std::array<BuiltIn, 4> kBuiltIns = {{{"computer_call", "computer", "action"},
                                               {"local_shell_call", "local_shell", "action"},
                                               {"shell_call", "shell", "action"},
                                               {"apply_patch_call", "apply_patch", "operation"}}};

void take_arguments(const object& from, std::string_view key, CallView& call) {
  element value;
  if (from.at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) return;
  if (value.get_string().get(call.text) != simdjson::SUCCESS) call.value = value;
}

// False: the visitor has had enough.
bool visit_if(const std::optional<CallView>& call, const Visit& visit) {
  return !call || visit(*call);
}

bool chat_message(const object& message, const Visit& visit) {
  if (!each_object(message, "tool_calls", [&](const object& call) { return visit_if(chat_call(call), visit); })) {
    return false;
  }
  object older;
  if (message.at_key("function_call").get_object().get(older) != simdjson::SUCCESS) return true;
  return visit_if(function_call(older), visit);
}

bool message_calls(Operation operation, const object& message, const Visit& visit) {
  if (operation == Operation::kResponses) return visit_if(responses_call(message), visit);
  switch (dialect_of(operation)) {
    case Dialect::kAnthropic:
      return each_object(message, "content",
                         [&](const object& block) { return visit_if(anthropic_call(block), visit); });
    case Dialect::kGemini:
      return each_object(message, "parts", [&](const object& part) { return visit_if(gemini_call(part), visit); });
    default:
      return chat_message(message, visit);
  }
}

}  // namespace

std::optional<CallView> chat_call(const object& call) {
  object body;
  CallView view{.id = string_at(call, "id"), .name = {}, .text = {}, .value = {}};
  if (call.at_key("function").get_object().get(body) == simdjson::SUCCESS) {
    take_arguments(body, "arguments", view);
  } else if (call.at_key("custom").get_object().get(body) == simdjson::SUCCESS) {
    take_arguments(body, "input", view);
  } else {
    return std::nullopt;
  }
  view.name = string_at(body, "name");
  return view;
}

std::optional<CallView> function_call(const object& call) {
  CallView view{.id = {}, .name = string_at(call, "name"), .text = {}, .value = {}};
  take_arguments(call, "arguments", view);
  return view;
}

std::optional<CallView> responses_call(const object& item) {
  const std::string_view type = string_at(item, "type");
  CallView view{.id = string_at(item, "call_id"), .name = string_at(item, "name"), .text = {}, .value = {}};
  if (type == "function_call" || type == "custom_tool_call") {
    take_arguments(item, type == "function_call" ? "arguments" : "input", view);
    return view;
  }
  for (const BuiltIn& built_in : kBuiltIns) {
    if (type != built_in.type) continue;
    view.name = built_in.name;
    take_arguments(item, built_in.arguments, view);
    return view;
  }
  return std::nullopt;
}

std::optional<CallView> anthropic_call(const object& block) {
  if (string_at(block, "type") != "tool_use") return std::nullopt;
  CallView view{.id = string_at(block, "id"), .name = string_at(block, "name"), .text = {}, .value = {}};
  take_arguments(block, "input", view);
  return view;
}

std::optional<CallView> gemini_call(const object& part) {
  object call;
  if (part.at_key("functionCall").get_object().get(call) != simdjson::SUCCESS &&
      part.at_key("function_call").get_object().get(call) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  CallView view{.id = string_at(call, "id"), .name = string_at(call, "name"), .text = {}, .value = {}};
  take_arguments(call, "args", view);
  return view;
}

void each_call_of_message(Operation operation, const object& message, const Visit& visit) {
  message_calls(operation, message, visit);
}

void each_call(Operation operation, const object& root, const Visit& visit) {
  const auto inner = [&](std::string_view key) {
    return [&visit, operation, key](const object& choice) {
      object message;
      return choice.at_key(key).get_object().get(message) != simdjson::SUCCESS ||
             message_calls(operation, message, visit);
    };
  };
  switch (operation) {
    case Operation::kChatCompletions:
      each_object(root, "choices", inner("message"));
      return;
    case Operation::kResponses:
      each_object(root, "output", [&](const object& item) { return message_calls(operation, item, visit); });
      return;
    case Operation::kMessages:
      message_calls(operation, root, visit);
      return;
    case Operation::kGenerate:
    case Operation::kStreamGenerate:
      each_object(root, "candidates", inner("content"));
      return;
    case Operation::kOllamaChat:
      inner("message")(root);
      return;
    default:
      return;  // no tools
  }
}

void collect_calls(Operation operation, const object& root, std::vector<ToolCall>& calls) {
  each_call(operation, root, [&](const CallView& call) {
    calls.push_back(tool_call_of(call));
    return calls.size() <= kMaxCallsInTurn;
  });
}

ToolCall tool_call_of(const CallView& view) {
  ToolCall call;
  if (view.id.size() <= kMaxCallId) call.id = view.id;
  call.name = canonical_tool_name(view.name);
  call.arguments = view.value ? simdjson::minify(*view.value) : std::string(view.text);
  call.signature = signature_of(view);
  return call;
}

std::uint64_t signature_of(const CallView& call) {
  const std::string name = canonical_tool_name(call.name);
  // As call_signature() does for the same arguments in a text.
  if (call.value) return hash_pair(hash64(name), json_hash(*call.value));
  return call_signature(name, call.text);
}

}  // namespace weir
