// OpenAI's chat completions, legacy completions and embeddings.
#include <algorithm>

#include "providers/answer_parts.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// The names of one usage object; Responses renamed them.
struct UsageNames {
  const char *input, *output, *input_details, *output_details;
};
constexpr UsageNames kChatNames{"prompt_tokens", "completion_tokens", "prompt_tokens_details",
                                "completion_tokens_details"};
constexpr UsageNames kResponsesNames{"input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"};

// {"name":…,"arguments":…} of a function, {"name":…,"input":…} of a custom tool.
void call_text(const object& call, TextSink& sink) {
  for (const char* key : {"name", "arguments", "input"}) sink.add(string_at(call, key));
}

void tool_calls_text(const element& calls, TextSink& sink) {
  each_object_of(calls, [&](const object& call) {
    for (const char* kind : {"function", "custom"}) {
      object body;
      if (call.at_key(kind).get_object().get(body) == simdjson::SUCCESS) call_text(body, sink);
    }
  });
}

void choices_text(const array& choices, const char* message_name, TextSink& sink) {
  for (const element choice : choices) {
    object fields;
    object message;
    if (choice.get_object().get(fields) != simdjson::SUCCESS) continue;
    for (auto it = fields.begin(); it != fields.end(); ++it) {
      if (it.key() == "text") {
        sink.add(string_value(it.value()));
      } else if (it.key() == message_name && it.value().get_object().get(message) == simdjson::SUCCESS) {
        openai_text(message, sink);
      }
    }
  }
}

// The members that answers and chunks share; false: it is none of them.
bool common_member(Operation operation, std::string_view key, const element& value, AnswerFacts& facts) {
  object usage;
  if (key == "model") {
    if (facts.model.empty()) facts.model = string_value(value);
  } else if (key == "id") {
    if (facts.id.empty()) facts.id = string_value(value);
  } else if (key == "usage") {
    if (value.get_object().get(usage) == simdjson::SUCCESS) facts.usage = read_openai_usage(operation, usage);
  } else if (key == "error") {
    facts.error |= !value.is_null();
  } else if (key == "service_tier") {
    if (value.is_string()) facts.service_tier = service_tier_from(string_value(value));
  } else {
    return false;
  }
  return true;
}

// Usage as it was told: OpenAI's parts are within their whole, other servers' may stand beside it.
struct ToldUsage {
  std::int64_t input = 0, output = 0, cached = 0, written = 0, reasoning = 0, total = 0;
};

// A part stands beside its whole if the total says so. A part that is larger than its whole otherwise is wrong, and
// the whole is believed: its tokens are charged, and none at a discount that only the wrong part claims. To discard the
// usage instead would leave the request to an estimate, and the whole was told.
void reconcile(ToldUsage& told) {
  const std::int64_t cache = told.cached + told.written;
  const std::int64_t beyond = told.total - told.input - told.output;
  const bool too_large = cache > told.input;
  const bool reasoning_beside = !too_large && beyond == told.reasoning;  // the dearer reading of an ambiguous total
  const bool cache_beside = cache > 0 && !reasoning_beside && (beyond == cache || beyond == cache + told.reasoning);
  if (cache_beside) {
    told.input += cache;
  } else if (too_large) {
    told.written = std::min(told.written, told.input);
    told.cached = 0;
  }
  // Some servers count reasoning beside the output even when it is the smaller of both.
  if (told.reasoning == beyond - (cache_beside ? cache : 0)) {
    told.output += told.reasoning;
  } else {
    told.reasoning = std::min(told.reasoning, told.output);
  }
}

}  // namespace

std::optional<Usage> read_openai_usage(Operation operation, const object& usage) {
  const UsageNames& names = operation == Operation::kResponses ? kResponsesNames : kChatNames;
  ToldUsage told;
  Usage out;
  if (read_count(usage, names.input, told.input) != Field::kGood) return std::nullopt;
  const Field output = read_count(usage, names.output, told.output);
  if (output == Field::kBad || (output == Field::kAbsent && operation != Operation::kEmbeddings)) return std::nullopt;
  object details;
  if (usage.at_key(names.input_details).get_object().get(details) == simdjson::SUCCESS) {
    if (read_count(details, "cached_tokens", told.cached) == Field::kBad ||
        read_count(details, "cache_write_tokens", told.written) == Field::kBad ||
        read_count(details, "audio_tokens", out.audio_in) == Field::kBad) {
      return std::nullopt;
    }
  }
  if (usage.at_key(names.output_details).get_object().get(details) == simdjson::SUCCESS) {
    // Rejected prediction tokens are inside the output and billed with it.
    if (read_count(details, "reasoning_tokens", told.reasoning) == Field::kBad ||
        read_count(details, "audio_tokens", out.audio_out) == Field::kBad) {
      return std::nullopt;
    }
  }
  if (read_count(usage, "total_tokens", told.total) != Field::kGood) told.total = 0;
  reconcile(told);
  if (out.audio_in > told.input || out.audio_out > told.output) return std::nullopt;
  out.input_uncached = told.input - told.cached - told.written;
  out.cache_read = told.cached;
  out.cache_write = told.written;
  out.output_visible = told.output - told.reasoning;
  out.reasoning = told.reasoning;
  return out;
}

void openai_text(const object& message, TextSink& sink) {
  element reasoning;
  std::size_t reasoning_size = 0;
  for (auto it = message.begin(); it != message.end(); ++it) {
    const std::string_view key = it.key();
    const element value = it.value();
    object nested;
    if (key == "content" || key == "refusal") {
      sink.add_content(value);
    } else if (key == "reasoning_content" || key == "reasoning") {
      // Some servers send the same text under both names.
      if (const std::size_t size = string_value(value).size(); size > reasoning_size) {
        reasoning = value;
        reasoning_size = size;
      }
    } else if (key == "tool_calls") {
      tool_calls_text(value, sink);
    } else if (key == "function_call" && value.get_object().get(nested) == simdjson::SUCCESS) {
      call_text(nested, sink);
    } else if (key == "audio" && value.get_object().get(nested) == simdjson::SUCCESS) {
      sink.add(string_at(nested, "transcript"));
    }
  }
  if (reasoning_size > 0) sink.add(string_value(reasoning));
}

void openai_answer(Operation operation, const object& root, AnswerFacts& facts, TextSink& sink) {
  for (auto it = root.begin(); it != root.end(); ++it) {
    const std::string_view key = it.key();
    const element value = it.value();
    array choices;
    if (common_member(operation, key, value, facts)) continue;
    if (key == "choices" && generates(operation) && value.get_array().get(choices) == simdjson::SUCCESS) {
      choices_text(choices, "message", sink);
    } else if (key == "type" && string_value(value) == "error") {
      facts.error = true;
    }
  }
}

bool openai_chunk(Operation operation, const object& root, AnswerFacts& facts, TextSink& sink) {
  bool has_usage = false;
  bool no_choices = false;
  for (auto it = root.begin(); it != root.end(); ++it) {
    const std::string_view key = it.key();
    const element value = it.value();
    array choices;
    if (common_member(operation, key, value, facts)) {
      has_usage |= key == "usage" && value.is_object();
    } else if (key == "choices" && value.get_array().get(choices) == simdjson::SUCCESS) {
      no_choices = choices.begin() == choices.end();
      choices_text(choices, "delta", sink);
    }
  }
  return has_usage && no_choices && !facts.error;
}

}  // namespace weir
