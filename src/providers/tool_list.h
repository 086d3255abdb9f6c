// The tools that a request declares, and those that it wants called, by name.
//
//   each_declared(operation, tool, [&](std::string_view name) { … });     // one element of `tools` or `functions`
//   each_chosen(operation, tool_choice, [&](std::string_view name) { … });
//
// A tool of the provider's own that has no name is named by its type: "web_search", "googleSearch". Names are as they
// stand there. Internal to this folder (it shows simdjson). Pure, thread-safe.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <functional>
#include <string_view>

#include "providers/operation.h"

namespace weir {

// Of one of Gemini's tools, where each is a tool by itself; a request with more is refused.
inline constexpr std::size_t kMaxToolMembers = 32;

using NameVisit = std::function<void(std::string_view)>;

// Of one tool; Gemini's elements may declare many functions, every other at most one.
void each_declared(Operation operation, const simdjson::dom::object& tool, const NameVisit& visit);
// Of tool_choice, function_call or toolConfig; nothing for "auto" and the like.
void each_chosen(Operation operation, const simdjson::dom::element& choice, const NameVisit& visit);

}  // namespace weir
