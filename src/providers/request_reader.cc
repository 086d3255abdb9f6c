#include "providers/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/characters.h"

namespace weir {
namespace {

using simdjson::dom::element_type;

// What is decided by: none of it may come in a second spelling.
constexpr std::string_view kJudgedNames[] = {"model",
                                             "messages",
                                             "input",
                                             "prompt",
                                             "stream",
                                             "max_tokens",
                                             "max_completion_tokens",
                                             "max_output_tokens",
                                             "n",
                                             "tools",
                                             "tool_choice",
                                             "options",
                                             "system",
                                             "instructions",
                                             "contents",
                                             "generationConfig",
                                             "previous_response_id"};

constexpr std::string_view kModelFault =
    "`model` must be the name of a model: a string of 1 to 256 bytes without control characters.";

}  // namespace

std::expected<RequestFacts, RequestFault> RequestReader::read(const element& document) {
  object root;
  if (document.get_object().get(root) != simdjson::SUCCESS) {
    refuse("The body must be a JSON object.");
    return std::unexpected(fault_);
  }
  if (audit_.has_duplicate(root)) {
    refuse_flaw({});
    return std::unexpected(fault_);
  }
  if (const std::string_view key = look_alike(root, kJudgedNames); key.data() != nullptr) {
    refuse(fmt::format("`{}` is a key of this endpoint in another case; write it as the documentation does.", key),
           std::string(key));
    return std::unexpected(fault_);
  }
  parts_.begin(root, path_model_);
  facts_.stream = operation_ == Operation::kStreamGenerate || operation_ == Operation::kOllamaChat ||
                  operation_ == Operation::kOllamaGenerate;
  for (auto it = root.begin(); it != root.end(); ++it) {
    if (!member(it.key(), it.value())) return std::unexpected(fault_);
  }
  if (!required() || (generates_ && !agent_.finish())) return std::unexpected(fault_);
  if (!safety_identifier_.empty()) facts_.user = std::move(safety_identifier_);
  return std::move(facts_);
}

bool RequestReader::refuse_flaw(std::string_view key) {
  std::string where = std::string(key.substr(0, kMaxName)) + audit_.path();
  if (!where.empty() && where.front() == '.') where.erase(0, 1);
  if (audit_.flaw() == JsonAudit::Flaw::kDuplicateKey) {
    return refuse(fmt::format("The key `{}` occurs twice in one object; send it once.", where), where);
  }
  return refuse(fmt::format("The body is nested deeper than {} levels; send a flatter one.",
                            std::min(bounds_.depth, JsonAudit::kMaxDepth)),
                where);
}

bool RequestReader::member(std::string_view key, const element& value) {
  JsonMeasure measure;
  if (!audit_.walk(value, 2, measure)) return refuse_flaw(key);
  const Member member = member_of(operation_, key);
  if (dialect() == Dialect::kGemini && member > Member::kSetting) {
    // generationConfig and generation_config are one member.
    const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(member);
    if ((seen_ & bit) != 0) {
      return refuse(fmt::format("`{}` is given twice, in both spellings; send it once.", key), std::string(key));
    }
    seen_ |= bit;
  }
  return measured(member, key, value, measure) && (!generates_ || agent_.take(member, key, value));
}

bool RequestReader::measured(Member member, std::string_view key, const element& value, const JsonMeasure& measure) {
  const std::int64_t prompt_bytes = measure.text + measure.scalars;
  switch (member) {
    case Member::kPrompt:
    case Member::kToolChoice:
      // A bare number or flag is a setting nobody has told us of yet (temperature, seed …).
      if (value.is_object() || value.is_array() || value.is_string()) facts_.text_bytes += prompt_bytes;
      return true;
    case Member::kMessages:
      // OpenAI's arguments of calls are texts; the others' are values, numbers too.
      facts_.text_bytes += dialect() == Dialect::kOpenAi ? measure.text : prompt_bytes;
      return messages(value);
    case Member::kInput:
      facts_.text_bytes += measure.text;
      return embedding_input(value);
    case Member::kItems:
      facts_.text_bytes += measure.text;
      return items(value);
    case Member::kPrompts:
      facts_.text_bytes += measure.text;
      return prompts(value);
    case Member::kText:
      facts_.text_bytes += measure.text;
      return any_text(key, value);
    case Member::kPromptTemplate:
      facts_.text_bytes += prompt_bytes;
      return prompt_template(value);
    case Member::kTools:
      facts_.text_bytes += prompt_bytes;
      return dialect() == Dialect::kGemini ? gemini_tools(value) : tools(key, value);
    case Member::kSystem:
      facts_.text_bytes += measure.text;
      return system_prompt(value);
    case Member::kContents:
      facts_.text_bytes += prompt_bytes;
      return contents(value);
    case Member::kSystemInstruction:
      facts_.text_bytes += measure.text;
      return system_instruction(key, value);
    case Member::kImages:
      facts_.text_bytes += measure.text;
      return images(value);
    default:
      return setting(member, key, value);
  }
}

// Members that never become prompt text, but say something of the request.
bool RequestReader::setting(Member member, std::string_view key, const element& value) {
  switch (member) {
    case Member::kModel:
      return model(value);
    case Member::kStream:
      return flag(key, value, facts_.stream);
    case Member::kStreamOptions:
      return stream_options(value);
    case Member::kCap:
      return cap(key, value);
    case Member::kChoices:
      return choices(key, value);
    case Member::kBestOf:
      return value.is_null() || integer(key, value, 1, kMaxChoices, best_of_);
    case Member::kUser:
      return text(key, value, facts_.user);
    case Member::kSafetyIdentifier:
      return text(key, value, safety_identifier_);
    case Member::kUserMetadata:
      return user_metadata(value);
    case Member::kServiceTier:
      return service_tier(key, value);
    case Member::kThinking:
      return thinking(value);
    case Member::kPreviousResponse:
    case Member::kCachedContent:
      return reference(key, value);  // Gemini's contents may then be empty, OpenAI's input too
    case Member::kConversation:
      return conversation(value);
    case Member::kBackground:
      return background(value);
    case Member::kContainer:
      return container(value);
    case Member::kGenerationConfig:
      return generation_config(key, value);
    case Member::kGenerateContentRequest:
      return generate_content_request(key, value);
    case Member::kOptions:
      return options(value);
    case Member::kContext:
      return context(value);
    default:
      return true;
  }
}

bool RequestReader::integer(std::string_view key, const element& value, std::int64_t least, std::int64_t most,
                            std::int64_t& out) {
  std::int64_t number = 0;
  if (value.type() != element_type::INT64 || value.get_int64().get(number) != simdjson::SUCCESS || number < least ||
      number > most) {
    return refuse(fmt::format("`{}` must be an integer from {} to {}.", key, least, most), std::string(key));
  }
  out = number;
  return true;
}

bool RequestReader::flag(std::string_view key, const element& value, bool& out) {
  if (value.is_null() || value.get_bool().get(out) == simdjson::SUCCESS) return true;
  return refuse(fmt::format("`{}` must be true or false.", key), std::string(key));
}

bool RequestReader::text(std::string_view key, const element& value, std::string& out) {
  if (value.is_null()) return true;
  std::string_view name;
  if (value.get_string().get(name) != simdjson::SUCCESS || !is_clean(name, kMaxName)) {
    return refuse(fmt::format("`{}` must be a string of at most {} bytes without control characters.", key, kMaxName),
                  std::string(key));
  }
  out = name;
  return true;
}

bool RequestReader::any_text(std::string_view key, const element& value) {
  return value.is_null() || value.is_string() || refuse(fmt::format("`{}` must be a string.", key), std::string(key));
}

bool RequestReader::reference(std::string_view key, const element& value) {
  if (value.is_null()) return true;
  std::string_view id;
  if (value.get_string().get(id) != simdjson::SUCCESS || id.empty() || !is_clean(id, kMaxName)) {
    return refuse(
        fmt::format("`{}` must be an id: a string of 1 to {} bytes without control characters.", key, kMaxName),
        std::string(key));
  }
  parts_.reference(id);
  has_input_ = true;
  return true;
}

bool RequestReader::object_of(std::string_view key, const element& value, object& out) {
  return value.get_object().get(out) == simdjson::SUCCESS ||
         refuse(fmt::format("`{}` must be an object.", key), std::string(key));
}

bool RequestReader::message_of(std::string_view key, const element& value, object& out) {
  if (value.get_object().get(out) != simdjson::SUCCESS) {
    const std::string_view shape = dialect() == Dialect::kGemini ? "`role` and `parts`" : "`role` and `content`";
    return refuse(fmt::format("Each of `{}` must be an object with {}.", key, shape),
                  fmt::format("{}[{}]", key, facts_.messages));
  }
  if (++facts_.messages > bounds_.messages) {
    return refuse(fmt::format("`{}` has more than {} entries; shorten the conversation.", key, bounds_.messages),
                  std::string(key));
  }
  has_input_ = true;
  return true;
}

bool RequestReader::model(const element& value) {
  std::string_view name;
  if (value.get_string().get(name) != simdjson::SUCCESS || name.empty() || !is_clean(name, kMaxName)) {
    return refuse(std::string(kModelFault), "model");
  }
  if (dialect() != Dialect::kGemini) {
    facts_.model = name;
    return true;
  }
  if (name.starts_with("models/")) name.remove_prefix(7);
  return name == path_model_ ||
         refuse("`model` names another model than the path does; leave it out or send the same.", "model");
}

bool RequestReader::cap(std::string_view key, const element& value) {
  const bool anthropic = dialect() == Dialect::kAnthropic;
  if (value.is_null() && (!anthropic || only_counts(operation_))) return true;
  // 0 is Anthropic's way to warm a cache; elsewhere some servers read it as "no limit".
  std::int64_t tokens = 0;
  if (!integer(key, value, anthropic ? 0 : 1, kMaxTokens, tokens)) return false;
  facts_.output_cap = std::max(facts_.output_cap.value_or(0), tokens);
  return true;
}

bool RequestReader::choices(std::string_view key, const element& value) {
  return value.is_null() || integer(key, value, 1, kMaxChoices, facts_.choices);
}

bool RequestReader::tools(std::string_view key, const element& value) {
  if (value.is_null()) return true;
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) {
    return refuse(fmt::format("`{}` must be an array.", key), std::string(key));
  }
  facts_.tools += list.size();
  if (facts_.tools > bounds_.tools) {
    return refuse(fmt::format("`{}` has more than {} entries; send fewer tools.", key, bounds_.tools),
                  std::string(key));
  }
  return true;
}

bool RequestReader::messages(const element& value) {
  if (value.is_null() && dialect() == Dialect::kOllama) return true;
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) {
    return refuse("`messages` must be an array of message objects.", "messages");
  }
  for (const element item : list) {
    object message;
    if (!message_of("messages", item, message)) return false;
    parts_.message(message);
  }
  return true;
}

bool RequestReader::service_tier(std::string_view key, const element& value) {
  std::string word;
  if (!text(key, value, word)) return false;
  facts_.service_tier = service_tier_from(word);
  return true;
}

bool RequestReader::required() {
  if (dialect() == Dialect::kGemini) {
    if (path_model_.empty() || !is_clean(path_model_, kMaxName)) return refuse(std::string(kModelFault), "model");
    facts_.model = path_model_;
    return has_input_ || refuse("`contents` is missing or empty; send at least one content.", "contents");
  }
  if (facts_.model.empty()) return refuse("`model` is missing; name the model to call.", "model");
  switch (operation_) {
    case Operation::kChatCompletions:
    case Operation::kMessages:
    case Operation::kCountTokens:
      if (!has_input_) return refuse("`messages` is missing or empty; send at least one message.", "messages");
      break;
    case Operation::kEmbeddings:
    case Operation::kOllamaEmbed:
      return has_input_ || refuse("`input` is missing; send the text to embed.", "input");
    case Operation::kResponses:
      return has_input_ || refuse("`input` is missing; send a text or a list of items.", "input");
    case Operation::kCompletions:
      if (!has_input_) return refuse("`prompt` is missing; send the text to complete.", "prompt");
      facts_.choices = std::max(facts_.choices, best_of_) * prompts_;
      return facts_.choices <= static_cast<std::int64_t>(kMaxPrompts) ||
             refuse(
                 fmt::format("More than {} answers are asked for; send fewer prompts or a smaller `n`.", kMaxPrompts),
                 "prompt");
    default:
      return true;  // Ollama: without a prompt it only loads the model
  }
  if (operation_ == Operation::kMessages && !facts_.output_cap) {
    return refuse("`max_tokens` is missing; say how many tokens the answer may have.", "max_tokens");
  }
  return true;
}

}  // namespace weir
