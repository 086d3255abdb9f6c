// Which messages stay when a conversation is cut to its newest turns.
//
//   auto dropped = dropped_turns(Operation::kMessages, messages, 20);   // indexes, ascending
//
// A conversation is cut only before a user's turn, never between a tool call and its result, and never so that no
// user's turn is left; system and developer messages stay wherever they stand. If no cut leaves at most `keep`
// messages, the one that leaves the fewest beyond is taken. Internal to this folder (it shows simdjson).
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <vector>

#include "providers/operation.h"

namespace weir {

std::vector<std::size_t> dropped_turns(Operation operation, const simdjson::dom::array& messages, std::size_t keep);

}  // namespace weir
