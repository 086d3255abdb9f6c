// Who speaks in one message of a conversation, in every dialect.
//
//   for (const element item : list) {
//     if (speaker_of(operation, message) == Speaker::kUser) …
//   }
//
// Internal to this folder (it shows simdjson). Pure, thread-safe.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string_view>

#include "providers/objects.h"
#include "providers/operation.h"

namespace weir {

enum class Speaker : std::uint8_t {
  kSystem,  // developer too
  kUser,    // their own words; a user's message that brings results of tools is the tools'
  kModel,
  kTool,
  kOther,  // compactions, approvals, roles nobody has told us of
};

Speaker speaker_of(Operation operation, const simdjson::dom::object& message);

}  // namespace weir
