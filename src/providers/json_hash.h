// Hashes of JSON values that do not depend on how they are written: spaces, escapes and the order of an object's keys.
//
//   std::uint64_t h = json_hash(element);
//   std::uint64_t same = content_hash(message_content);   // "text" and [{"type":"text","text":"text"}] are one
//
// 1 and 1.0 differ, as do 1 and "1". Internal to this folder (it shows simdjson). Thread-safe. Depth is bounded by the
// parser's. Never 0.
#pragma once

#include <simdjson.h>

#include <cstdint>

namespace weir {

std::uint64_t json_hash(const simdjson::dom::element& value);

// What a message or a tool's result says: a text, an array of parts, or one part. Marks for the provider's cache
// (`cache_control`) are no content: clients move them from message to message.
std::uint64_t content_hash(const simdjson::dom::element& content);
// Of a text alone: what content_hash() gives for it.
std::uint64_t content_hash(std::string_view text);

}  // namespace weir
