// One tool call as each dialect writes it, over a parsed document: in answers, in events of streams, and in the history
// that a request brings along.
//
//   each_call(operation, root, [&](const CallView& call) { calls.push_back(tool_call_of(call)); });
//   if (const auto call = anthropic_call(block)) …one block of a message, or of content_block_start…
//
// Calls that the provider executes itself (web searches and the like) are none. Internal to this folder (it shows
// simdjson). Thread-safe; a CallView must not outlive its document.
#pragma once

#include <simdjson.h>

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "model/agent.h"
#include "providers/operation.h"

namespace weir {

struct CallView {
  std::string_view id;                          // empty: none
  std::string_view name;                        // as it stands there
  std::string_view text;                        // arguments given as a text of JSON, or as the input of a custom tool
  std::optional<simdjson::dom::element> value;  // arguments given as a value; then `text` is empty
};

// An element of `tool_calls`: OpenAI chat ({"id","function":{"name","arguments":"…"}}, also
// {"custom":{"name","input"}}) and Ollama (arguments are a value). A fragment of a stream may lack any of it; nullopt:
// neither function nor custom.
std::optional<CallView> chat_call(const simdjson::dom::object& call);
// OpenAI's older {"name","arguments":"…"} in `function_call`.
std::optional<CallView> function_call(const simdjson::dom::object& call);
// An item of Responses' `output` or `input` whose type is one that the client executes: function_call,
// custom_tool_call, and those without a name of their own, which are named by their type: "computer", "local_shell",
// "shell", "apply_patch".
std::optional<CallView> responses_call(const simdjson::dom::object& item);
// A block of type tool_use.
std::optional<CallView> anthropic_call(const simdjson::dom::object& block);
// A part with functionCall.
std::optional<CallView> gemini_call(const simdjson::dom::object& part);

// Every call that the client is to execute, of the object that is a whole answer (Gemini: also of a chunk; Ollama: also
// of a line), in order of appearance. False from `visit` ends it.
void each_call(Operation operation, const simdjson::dom::object& root,
               const std::function<bool(const CallView&)>& visit);

// What announced_calls() answers, of a document.
void collect_calls(Operation operation, const simdjson::dom::object& root, std::vector<ToolCall>& calls);

// The same calls of one message of a model, where it stands in an answer or in a request's history: a chat message,
// a Responses item, an Anthropic message, a Gemini content, an Ollama message.
void each_call_of_message(Operation operation, const simdjson::dom::object& message,
                          const std::function<bool(const CallView&)>& visit);

// With canonical name and signature. An id longer than kMaxCallId is as good as none; a name that is not usable stays
// empty.
ToolCall tool_call_of(const CallView& call);
std::uint64_t signature_of(const CallView& call);

}  // namespace weir
