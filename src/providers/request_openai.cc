// What only OpenAI's endpoints take (embeddings' `input` is Ollama's too).
#include <fmt/format.h>

#include "providers/request_reader.h"

namespace weir {

bool RequestReader::stream_options(const element& value) {
  if (value.is_null()) return true;
  object fields;
  if (!object_of("stream_options", value, fields)) return false;
  element wanted;
  if (fields.at_key("include_usage").get(wanted) != simdjson::SUCCESS) return true;
  return flag("stream_options.include_usage", wanted, facts_.wants_stream_usage);
}

bool RequestReader::embedding_input(const element& value) {
  std::int64_t texts = 0;
  const bool good = measure_embedding_input(value, facts_, texts);
  if (operation_ == Operation::kOllamaEmbed && (!good || facts_.token_ids > 0)) {
    return refuse("`input` must be a string or a non-empty array of strings.", "input");
  }
  if (!good) {
    return refuse("`input` must be a string, or a non-empty array of strings, of token ids, or of arrays of token ids.",
                  "input");
  }
  has_input_ = true;
  return true;
}

bool RequestReader::prompts(const element& value) {
  if (!measure_embedding_input(value, facts_, prompts_)) {
    return refuse(
        "`prompt` must be a string, or a non-empty array of strings, of token ids, or of arrays of token ids.",
        "prompt");
  }
  if (prompts_ > static_cast<std::int64_t>(kMaxPrompts)) {
    return refuse(fmt::format("`prompt` has more than {} entries; send fewer prompts.", kMaxPrompts), "prompt");
  }
  has_input_ = true;
  return true;
}

bool RequestReader::items(const element& value) {
  if (value.is_null()) return true;
  if (value.is_string()) {
    has_input_ = true;
    return true;
  }
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) {
    return refuse("`input` must be a string or an array of items.", "input");
  }
  for (const element each : list) {
    object item;
    if (!message_of("input", each, item)) return false;
    parts_.item(item);
  }
  return true;
}

// {"id":"pmpt_…","version":"2","variables":{…}}: the text stands at the provider.
bool RequestReader::prompt_template(const element& value) {
  if (value.is_null()) return true;
  object fields;
  if (!object_of("prompt", value, fields)) return false;
  element id;
  if (fields.at_key("id").get(id) != simdjson::SUCCESS || id.is_null()) {
    return refuse("`prompt.id` is missing; name the prompt template.", "prompt.id");
  }
  if (!reference("prompt.id", id)) return false;
  element variables;
  if (fields.at_key("variables").get(variables) != simdjson::SUCCESS || variables.is_null()) return true;
  object named;
  if (!object_of("prompt.variables", variables, named)) return false;
  for (auto it = named.begin(); it != named.end(); ++it) {
    object part;
    if (it.value().get_object().get(part) == simdjson::SUCCESS) parts_.part(part);
  }
  return true;
}

bool RequestReader::conversation(const element& value) {
  if (!value.is_object()) return reference("conversation", value);
  element id;
  if (value.at_key("id").get(id) != simdjson::SUCCESS || id.is_null()) {
    return refuse("`conversation.id` is missing; name the conversation.", "conversation.id");
  }
  return reference("conversation.id", id);
}

bool RequestReader::background(const element& value) {
  bool wanted = false;
  if (!flag("background", value, wanted)) return false;
  return !wanted ||
         refuse(
             "`background` must be false: the usage of a background response is only told later, at an "
             "endpoint that is not served here. Send the request without it, with `stream` for long answers.",
             "background");
}

}  // namespace weir
