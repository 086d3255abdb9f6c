#include "providers/answer_parts.h"

#include <algorithm>
#include <array>

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;

enum class Field : std::uint8_t { kAbsent, kGood, kBad };

// null counts as absent; `value` is only touched by a good field.
Field read_count(const object& from, std::string_view key, std::int64_t& value) {
  element found;
  if (from.at_key(key).get(found) != simdjson::SUCCESS || found.is_null()) return Field::kAbsent;
  std::int64_t count = 0;
  if (!found.is_int64() || found.get_int64().get(count) != simdjson::SUCCESS || count < 0 || count > kMaxCount) {
    return Field::kBad;
  }
  value = count;
  return Field::kGood;
}

std::int64_t length(std::string_view text) {
  return static_cast<std::int64_t>(text.size());
}

// `content` of a message: a string, or parts with `text` or `refusal`.
std::int64_t content_bytes(const element& content) {
  std::string_view text;
  if (content.get_string().get(text) == simdjson::SUCCESS) return length(text);
  array parts;
  if (content.get_array().get(parts) != simdjson::SUCCESS) return 0;
  std::int64_t bytes = 0;
  for (const element part : parts) {
    object fields;
    if (part.get_object().get(fields) != simdjson::SUCCESS) continue;
    bytes += length(string_member(fields, "text")) + length(string_member(fields, "refusal"));
  }
  return bytes;
}

// {"name":…,"arguments":…} of a function, {"name":…,"input":…} of a custom tool.
std::int64_t call_bytes(const object& call) {
  return length(string_member(call, "name")) + length(string_member(call, "arguments")) +
         length(string_member(call, "input"));
}

std::int64_t tool_calls_bytes(const element& calls) {
  array list;
  if (calls.get_array().get(list) != simdjson::SUCCESS) return 0;
  std::int64_t bytes = 0;
  for (const element call : list) {
    for (const char* kind : {"function", "custom"}) {
      object body;
      object fields;
      if (call.get_object().get(fields) == simdjson::SUCCESS &&
          fields.at_key(kind).get_object().get(body) == simdjson::SUCCESS) {
        bytes += call_bytes(body);
      }
    }
  }
  return bytes;
}

}  // namespace

std::string_view string_member(const object& from, std::string_view key) {
  std::string_view text;
  return from.at_key(key).get_string().get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

std::optional<Usage> read_openai_usage(Operation operation, const object& usage) {
  std::int64_t prompt = 0, completion = 0, cached = 0, written = 0, reasoning = 0;
  Usage out;
  if (read_count(usage, "prompt_tokens", prompt) != Field::kGood) return std::nullopt;
  const Field output = read_count(usage, "completion_tokens", completion);
  if (output == Field::kBad || (output == Field::kAbsent && operation != Operation::kEmbeddings)) return std::nullopt;
  object details;
  if (usage.at_key("prompt_tokens_details").get_object().get(details) == simdjson::SUCCESS) {
    if (read_count(details, "cached_tokens", cached) == Field::kBad ||
        read_count(details, "cache_write_tokens", written) == Field::kBad ||
        read_count(details, "audio_tokens", out.audio_in) == Field::kBad) {
      return std::nullopt;
    }
  }
  if (usage.at_key("completion_tokens_details").get_object().get(details) == simdjson::SUCCESS) {
    if (read_count(details, "reasoning_tokens", reasoning) == Field::kBad ||
        read_count(details, "audio_tokens", out.audio_out) == Field::kBad) {
      return std::nullopt;
    }
  }
  if (cached + written > prompt || reasoning > completion || out.audio_in > prompt || out.audio_out > completion) {
    return std::nullopt;
  }
  out.input_uncached = prompt - cached - written;
  out.cache_read = cached;
  out.cache_write = written;
  out.output_visible = completion - reasoning;
  out.reasoning = reasoning;
  return out;
}

bool update_counts(AnthropicCounts& counts, const object& usage) {
  const Field in = read_count(usage, "input_tokens", counts.input);
  const Field out = read_count(usage, "output_tokens", counts.output);
  const Field read = read_count(usage, "cache_read_input_tokens", counts.cache_read);
  Field written = read_count(usage, "cache_creation_input_tokens", counts.cache_write);
  object parts;
  if (written == Field::kAbsent && usage.at_key("cache_creation").get_object().get(parts) == simdjson::SUCCESS) {
    std::int64_t minutes = 0, hour = 0;
    const Field first = read_count(parts, "ephemeral_5m_input_tokens", minutes);
    const Field second = read_count(parts, "ephemeral_1h_input_tokens", hour);
    written = first == Field::kBad || second == Field::kBad ? Field::kBad : Field::kGood;
    counts.cache_write = minutes + hour;
  }
  Field thought = Field::kAbsent;
  if (usage.at_key("output_tokens_details").get_object().get(parts) == simdjson::SUCCESS) {
    thought = read_count(parts, "thinking_tokens", counts.thinking);
  }
  counts.has_input |= in == Field::kGood;
  counts.has_output |= out == Field::kGood;
  const std::array all{in, out, read, written, thought};
  return std::find(all.begin(), all.end(), Field::kBad) == all.end();
}

Usage normal_form(const AnthropicCounts& counts) {
  // The thinking part is approximate; the output is not.
  const std::int64_t reasoning = std::min(counts.thinking, counts.output);
  return {.input_uncached = counts.input,
          .cache_read = counts.cache_read,
          .cache_write = counts.cache_write,
          .output_visible = counts.output - reasoning,
          .reasoning = reasoning};
}

std::int64_t openai_text_bytes(const object& message) {
  std::int64_t bytes = 0;
  std::int64_t reasoning = 0;
  for (auto it = message.begin(); it != message.end(); ++it) {
    const std::string_view key = it.key();
    const element value = it.value();
    object nested;
    if (key == "content" || key == "refusal") {
      bytes += content_bytes(value);
    } else if (key == "reasoning_content" || key == "reasoning") {
      // Some servers send the same text under both names.
      reasoning = std::max(reasoning, content_bytes(value));
    } else if (key == "tool_calls") {
      bytes += tool_calls_bytes(value);
    } else if (key == "function_call" && value.get_object().get(nested) == simdjson::SUCCESS) {
      bytes += call_bytes(nested);
    } else if (key == "audio" && value.get_object().get(nested) == simdjson::SUCCESS) {
      bytes += length(string_member(nested, "transcript"));
    }
  }
  return bytes + reasoning;
}

std::int64_t anthropic_text_bytes(const object& block) {
  std::int64_t bytes = 0;
  for (auto it = block.begin(); it != block.end(); ++it) {
    const std::string_view key = it.key();
    if (key == "text" || key == "thinking" || key == "partial_json" || key == "name") {
      bytes += content_bytes(it.value());
    } else if (key == "input" && it.value().is_object()) {
      object input;
      // An empty object announces that the arguments follow in pieces.
      if (it.value().get_object().get(input) == simdjson::SUCCESS && input.size() > 0) {
        bytes += length(simdjson::minify(it.value()));
      }
    }
  }
  return bytes;
}

}  // namespace weir
