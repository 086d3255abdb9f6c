// What the parts of an answer say: usage in the normal form, and how much text was generated. Shared by whole answers
// and stream events. Internal to this folder (it shows simdjson). Pure; any thread.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/usage.h"
#include "providers/dialect.h"

namespace weir {

// OpenAI's `usage` object: cached, cache-write and audio tokens are parts of prompt_tokens, reasoning of
// completion_tokens. nullopt if anything in it is negative, not an integer, > 2^40, or a part exceeds its whole.
std::optional<Usage> read_openai_usage(Operation operation, const simdjson::dom::object& usage);

// Anthropic's `usage`: cache reads and writes are beside input_tokens, not in it. In a stream, message_delta repeats
// whole-message totals: what is present overwrites.
// False if a field is malformed.
bool update_counts(AnthropicCounts& counts, const simdjson::dom::object& usage);
Usage normal_form(const AnthropicCounts& counts);

// Bytes of generated text in an OpenAI choice's `message` or `delta`.
std::int64_t openai_text_bytes(const simdjson::dom::object& message);
// Bytes of generated text in one Anthropic content block, or one content_block_delta's `delta`.
std::int64_t anthropic_text_bytes(const simdjson::dom::object& block);

// The string, or empty if it is not one.
std::string_view string_member(const simdjson::dom::object& object, std::string_view key);

}  // namespace weir
