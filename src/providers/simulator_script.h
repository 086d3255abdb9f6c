// What a prompt tells the simulator to do: lines `weir-sim: call NAME {json}` of the last message, if it is the user's.
// Once results of tools come after it, that message is not the last any more, and the script is over.
//
//   root: {"messages":[{"role":"user","content":"Please\nweir-sim: call search {\"q\":\"weir\"}"}], "tools":[…]}
//   scripted_calls(Operation::kChatCompletions, root)   // {"search", R"({"q":"weir"})"}
//
// Arguments that are left out are {}; a line whose arguments are no JSON object is ordinary text. Nothing is announced
// to a request that declares no tools, and at most kMaxScriptedCalls are. Internal to this folder. Pure; any thread.
#pragma once

#include <simdjson.h>

#include <vector>

#include "providers/simulator_plan.h"

namespace weir {

inline constexpr std::size_t kMaxScriptedCalls = 128;

std::vector<SimulatedCall> scripted_calls(Operation operation, const simdjson::dom::object& root);

}  // namespace weir
