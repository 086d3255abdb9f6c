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

// Each object in the array (or the one object) at `key`. `each` may return bool: false ends it.
template <typename Each>
bool each_object(const simdjson::dom::object& from, std::string_view key, Each each) {
  simdjson::dom::element value;
  if (from.at_key(key).get(value) != simdjson::SUCCESS) return true;
  simdjson::dom::object fields;
  if (value.get_object().get(fields) == simdjson::SUCCESS) return each(fields);
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) return true;
  for (const simdjson::dom::element item : list) {
    if (item.get_object().get(fields) == simdjson::SUCCESS && !each(fields)) return false;
  }
  return true;
}

}  // namespace weir
