// Gemini's answers; a stream's chunks are answers too.
#include <utility>

#include "base/strings.h"
#include "providers/answer_parts.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// Adds up the audio of a list {modality,tokenCount}.
bool read_audio(const object& usage, const char* key, std::int64_t& audio) {
  array list;
  if (usage.at_key(key).get_array().get(list) != simdjson::SUCCESS) return true;
  audio = 0;
  for (const element entry : list) {
    object fields;
    if (entry.get_object().get(fields) != simdjson::SUCCESS || string_at(fields, "modality") != "AUDIO") continue;
    std::int64_t count = 0;
    if (read_count(fields, "tokenCount", count) == Field::kBad) return false;
    audio += count;
  }
  return true;
}

// False: it holds no counts at all (the first chunks of some models say other things there).
bool read_gemini_usage(const object& usage, std::optional<Usage>& out) {
  std::int64_t prompt = 0, candidates = 0, thoughts = 0, tools = 0, cached = 0, total = 0;
  const Field input = read_count(usage, "promptTokenCount", prompt);
  const Field all[] = {input,
                       read_count(usage, "candidatesTokenCount", candidates),
                       read_count(usage, "thoughtsTokenCount", thoughts),
                       read_count(usage, "toolUsePromptTokenCount", tools),
                       read_count(usage, "cachedContentTokenCount", cached),
                       read_count(usage, "totalTokenCount", total)};
  bool any = false;
  bool good = input == Field::kGood;
  for (const Field field : all) {
    any |= field != Field::kAbsent;
    good &= field != Field::kBad;
  }
  if (!any) return false;
  out.reset();
  Usage read{.input_uncached = prompt - cached + tools,
             .cache_read = cached,
             .output_visible = candidates,
             .reasoning = thoughts};
  good = good && cached <= prompt && read_audio(usage, "promptTokensDetails", read.audio_in) &&
         read_audio(usage, "candidatesTokensDetails", read.audio_out);
  if (good && read.audio_in <= prompt && read.audio_out <= candidates) out = read;
  return true;
}

void part_text(const object& part, TextSink& sink) {
  for (auto it = part.begin(); it != part.end(); ++it) {
    const std::string_view key = it.key();
    object fields;
    if (key == "text") {
      sink.add(string_value(it.value()));
    } else if (key == "functionCall" && it.value().get_object().get(fields) == simdjson::SUCCESS) {
      sink.add(string_at(fields, "name"));
      element arguments;
      if (fields.at_key("args").get(arguments) == simdjson::SUCCESS) sink.add_object(arguments);
    } else if (key == "executableCode" && it.value().get_object().get(fields) == simdjson::SUCCESS) {
      sink.add(string_at(fields, "code"));
    }
  }
}

void candidate_text(const object& candidate, StreamState& state, TextSink& sink) {
  std::int64_t index = 0;
  (void)read_count(candidate, "index", index);
  const std::uint64_t bit = std::uint64_t{1} << (index < 63 ? index : 63);
  state.candidates_seen |= bit;
  if (!string_at(candidate, "finishReason").empty()) state.candidates_finished |= bit;
  element parts;
  if (candidate.at_key("content").at_key("parts").get(parts) != simdjson::SUCCESS) return;
  each_object_of(parts, [&](const object& part) { part_text(part, sink); });
}

// "FLEX", "SERVICE_TIER_FLEX", Vertex "ON_DEMAND_FLEX".
ServiceTier tier_of(const object& usage) {
  for (const char* key : {"serviceTier", "trafficType"}) {
    const std::string word = to_lower(string_at(usage, key));
    const std::size_t bar = word.rfind('_');
    const ServiceTier tier = service_tier_from(std::string_view(word).substr(bar == std::string::npos ? 0 : bar + 1));
    if (tier != ServiceTier::kStandard) return tier;
  }
  return ServiceTier::kStandard;
}

}  // namespace

void gemini_chunk(const object& root, StreamState& state, AnswerFacts& facts, TextSink& sink) {
  bool has_usage = false;
  for (auto it = root.begin(); it != root.end(); ++it) {
    const std::string_view key = it.key();
    const element value = it.value();
    object fields;
    if (key == "candidates") {
      each_object_of(value, [&](const object& candidate) { candidate_text(candidate, state, sink); });
    } else if (key == "usageMetadata" && value.get_object().get(fields) == simdjson::SUCCESS) {
      has_usage |= read_gemini_usage(fields, facts.usage);
      if (const ServiceTier tier = tier_of(fields); tier != ServiceTier::kStandard) facts.service_tier = tier;
    } else if (key == "modelVersion" && value.is_string()) {
      facts.model = string_value(value);
    } else if (key == "responseId" && value.is_string()) {
      facts.id = string_value(value);
    } else if (key == "error") {
      facts.error |= !value.is_null();
    } else if (key == "promptFeedback" && value.get_object().get(fields) == simdjson::SUCCESS &&
               !string_at(fields, "blockReason").empty()) {
      // A blocked prompt has no candidates: nothing else will say that the answer is over.
      state.candidates_seen |= 1;
      state.candidates_finished |= 1;
    }
  }
  const bool finished = has_usage && state.candidates_seen != 0 && state.candidates_finished == state.candidates_seen;
  state.finished |= finished;
  // Text that its usage does not count is not free: only the input side of it holds.
  if (finished && facts.usage && facts.usage->output() == 0 && facts.text_bytes > 0) {
    facts.so_far = std::exchange(facts.usage, std::nullopt);
  }
}

}  // namespace weir
