// Anthropic's messages.
#include <algorithm>
#include <array>

#include "providers/answer_parts.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// The parts of the cache writes; false if they contradict the whole.
bool update_cache_writes(AnthropicCounts& counts, const object& usage) {
  const Field whole = read_count(usage, "cache_creation_input_tokens", counts.cache_write);
  object parts;
  std::int64_t minutes = 0, hour = 0;
  Field split = Field::kAbsent;
  if (usage.at_key("cache_creation").get_object().get(parts) == simdjson::SUCCESS) {
    const Field first = read_count(parts, "ephemeral_5m_input_tokens", minutes);
    const Field second = read_count(parts, "ephemeral_1h_input_tokens", hour);
    if (first == Field::kBad || second == Field::kBad) return false;
    if (first == Field::kGood || second == Field::kGood) split = Field::kGood;
  }
  if (split == Field::kGood) {
    if (whole == Field::kGood && minutes + hour != counts.cache_write) return false;
    counts.cache_write = minutes + hour;
    counts.cache_write_1h = hour;
  }
  return whole != Field::kBad;
}

// Of one usage object.
void read_tier(const object& usage, AnswerFacts& facts) {
  if (const std::string_view tier = string_at(usage, "service_tier"); !tier.empty()) {
    facts.service_tier = service_tier_from(tier);
  }
}

}  // namespace

bool update_counts(AnthropicCounts& counts, const object& usage) {
  const Field in = read_count(usage, "input_tokens", counts.input);
  const Field out = read_count(usage, "output_tokens", counts.output);
  const Field read = read_count(usage, "cache_read_input_tokens", counts.cache_read);
  const bool writes = update_cache_writes(counts, usage);
  object parts;
  Field thought = Field::kAbsent, searched = Field::kAbsent, fetched = Field::kAbsent;
  if (usage.at_key("output_tokens_details").get_object().get(parts) == simdjson::SUCCESS) {
    thought = read_count(parts, "thinking_tokens", counts.thinking);
  }
  if (usage.at_key("server_tool_use").get_object().get(parts) == simdjson::SUCCESS) {
    searched = read_count(parts, "web_search_requests", counts.searches);
    fetched = read_count(parts, "web_fetch_requests", counts.fetches);
  }
  counts.has_input |= in == Field::kGood;
  counts.has_output |= out == Field::kGood;
  const std::array all{in, out, read, thought, searched, fetched};
  return writes && std::find(all.begin(), all.end(), Field::kBad) == all.end();
}

Usage normal_form(const AnthropicCounts& counts) {
  // The thinking part is approximate; the output is not. A later whole may come without its parts.
  const std::int64_t reasoning = std::min(counts.thinking, counts.output);
  const std::int64_t hour = std::min(counts.cache_write_1h, counts.cache_write);
  return {.input_uncached = counts.input,
          .cache_read = counts.cache_read,
          .cache_write = counts.cache_write - hour,
          .cache_write_1h = hour,
          .output_visible = counts.output - reasoning,
          .reasoning = reasoning,
          .tool_units = counts.searches + counts.fetches};
}

void anthropic_text(const object& block, TextSink& sink) {
  for (auto it = block.begin(); it != block.end(); ++it) {
    const std::string_view key = it.key();
    if (key == "text" || key == "thinking" || key == "partial_json" || key == "name") {
      sink.add(string_value(it.value()));
    } else if (key == "input") {
      sink.add_object(it.value());
    }
  }
}

void anthropic_answer(const object& root, AnswerFacts& facts, TextSink& sink) {
  for (auto it = root.begin(); it != root.end(); ++it) {
    const std::string_view key = it.key();
    const element value = it.value();
    object fields;
    if (key == "id") {
      facts.id = string_value(value);
    } else if (key == "model") {
      facts.model = string_value(value);
    } else if (key == "error") {
      facts.error |= !value.is_null();
    } else if (key == "type") {
      facts.error |= string_value(value) == "error";
    } else if (key == "usage" && value.get_object().get(fields) == simdjson::SUCCESS) {
      AnthropicCounts counts;
      const bool good = update_counts(counts, fields) && counts.has_input && counts.has_output;
      facts.usage = good ? std::optional(normal_form(counts)) : std::nullopt;
      read_tier(fields, facts);
    } else if (key == "content") {
      each_object_of(value, [&](const object& block) { anthropic_text(block, sink); });
    }
  }
}

void anthropic_event(const object& root, StreamState& state, AnswerFacts& facts, TextSink& sink) {
  const std::string_view type = string_at(root, "type");
  object part;
  object usage;
  if (type == "content_block_delta" || type == "content_block_start") {
    const char* name = type == "content_block_delta" ? "delta" : "content_block";
    if (root.at_key(name).get_object().get(part) == simdjson::SUCCESS) anthropic_text(part, sink);
    return;
  }
  element error;
  facts.error |= type == "error" || (root.at_key("error").get(error) == simdjson::SUCCESS && !error.is_null());
  const bool start = type == "message_start";
  if (start && root.at_key("message").get_object().get(part) == simdjson::SUCCESS) {
    facts.model = string_at(part, "model");
    facts.id = string_at(part, "id");
  } else {
    part = root;
  }
  if ((start || type == "message_delta") && part.at_key("usage").get_object().get(usage) == simdjson::SUCCESS) {
    AnthropicCounts& counts = state.anthropic;
    state.usage_damaged |= !update_counts(counts, usage);
    if (start) counts.has_output = false;  // provisional: only message_delta makes the usage whole
    read_tier(usage, facts);
    facts.so_far = !state.usage_damaged && counts.has_input ? std::optional(normal_form(counts)) : std::nullopt;
    facts.usage = counts.has_output ? facts.so_far : std::nullopt;
  }
  state.finished |= type == "message_stop";
}

}  // namespace weir
