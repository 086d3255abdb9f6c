// read_request: what the governor needs to know of a body, or why it cannot be forwarded.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "providers/dialect.h"
#include "providers/json_audit.h"
#include "providers/request_parts.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

constexpr std::int64_t kMostTokens = std::int64_t{1} << 40;
constexpr std::int64_t kMaxChoices = 128;
constexpr std::size_t kMaxName = 256;
// Above this a parser of its own is used and thrown away, so that one large body does not stay in every thread's
// memory.
constexpr std::size_t kSharedParser = 256 << 10;

enum class Member : std::uint8_t {
  kPrompt,   // unknown ones too: what might become prompt text is counted
  kSetting,  // never becomes prompt text
  kModel,
  kMessages,
  kInput,
  kStream,
  kStreamOptions,
  kMaxTokens,
  kMaxCompletionTokens,
  kN,
  kTools,
  kFunctions,
  kUser,
  kSafetyIdentifier,
  kMetadata,
  kSystem,
};

struct KnownMember {
  std::string_view name;
  Member member;
};

// Ordered by length of the name, so that a look-up compares only names of its own length.
constexpr auto kKnown = [] {
  std::array known{
      KnownMember{"model", Member::kModel},
      KnownMember{"messages", Member::kMessages},
      KnownMember{"input", Member::kInput},
      KnownMember{"stream", Member::kStream},
      KnownMember{"stream_options", Member::kStreamOptions},
      KnownMember{"max_tokens", Member::kMaxTokens},
      KnownMember{"max_completion_tokens", Member::kMaxCompletionTokens},
      KnownMember{"n", Member::kN},
      KnownMember{"tools", Member::kTools},
      KnownMember{"functions", Member::kFunctions},
      KnownMember{"user", Member::kUser},
      KnownMember{"safety_identifier", Member::kSafetyIdentifier},
      KnownMember{"metadata", Member::kMetadata},
      KnownMember{"system", Member::kSystem},
      KnownMember{"stop", Member::kSetting},
      KnownMember{"stop_sequences", Member::kSetting},
      KnownMember{"logit_bias", Member::kSetting},
      KnownMember{"prompt_cache_key", Member::kSetting},
      KnownMember{"prompt_cache_retention", Member::kSetting},
      KnownMember{"service_tier", Member::kSetting},
      KnownMember{"modalities", Member::kSetting},
      KnownMember{"audio", Member::kSetting},
      KnownMember{"reasoning_effort", Member::kSetting},
      KnownMember{"verbosity", Member::kSetting},
      KnownMember{"encoding_format", Member::kSetting},
      KnownMember{"thinking", Member::kSetting},
      KnownMember{"anthropic_version", Member::kSetting},
      KnownMember{"inference_geo", Member::kSetting},
  };
  std::sort(known.begin(), known.end(),
            [](const KnownMember& a, const KnownMember& b) { return a.name.size() < b.name.size(); });
  return known;
}();

constexpr std::size_t kLongestKnown = kKnown.back().name.size();

constexpr auto kFirstOfLength = [] {
  std::array<std::uint8_t, kLongestKnown + 2> first{};
  for (std::size_t length = 0; length < first.size(); ++length) {
    while (first[length] < kKnown.size() && kKnown[first[length]].name.size() < length) ++first[length];
  }
  return first;
}();

Member member_of(std::string_view key) {
  if (key.size() > kLongestKnown) return Member::kPrompt;
  for (std::size_t i = kFirstOfLength[key.size()]; i < kFirstOfLength[key.size() + 1]; ++i) {
    if (kKnown[i].name == key) return kKnown[i].member;
  }
  return Member::kPrompt;
}

bool is_plain_text(std::string_view text) {
  return text.size() <= kMaxName && is_valid_utf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
         });
}

class RequestReader {
 public:
  RequestReader(Operation operation, const BodyBounds& bounds)
      : operation_(operation), bounds_(bounds), audit_(bounds.depth) {}

  std::expected<RequestFacts, RequestFault> read(const element& document);

 private:
  bool refuse(std::string message, std::string param = {}) {
    fault_ = {.status = 400, .message = std::move(message), .param = std::move(param)};
    return false;
  }
  bool refuse_flaw(std::string_view key);
  bool member(std::string_view key, const element& value);
  bool model(const element& value);
  bool stream(const element& value);
  bool stream_options(const element& value);
  bool cap(std::string_view key, const element& value);
  bool choices(const element& value);
  bool tools(std::string_view key, const element& value);
  bool user(std::string_view key, const element& value, std::string& out);
  bool metadata(const element& value);
  bool messages(const element& value);
  bool input(const element& value, const JsonMeasure& measure);
  bool required();

  bool is_anthropic() const { return operation_ == Operation::kMessages; }
  bool is_embeddings() const { return operation_ == Operation::kEmbeddings; }

  Operation operation_;
  const BodyBounds& bounds_;
  JsonAudit audit_;
  RequestFacts facts_;
  RequestFault fault_;
  std::string safety_identifier_;
  bool has_messages_ = false;
  bool has_input_ = false;
};

std::expected<RequestFacts, RequestFault> RequestReader::read(const element& document) {
  simdjson::dom::object root;
  if (document.get_object().get(root) != simdjson::SUCCESS) {
    refuse("The body must be a JSON object.");
    return std::unexpected(fault_);
  }
  if (audit_.has_duplicate(root)) {
    refuse_flaw({});
    return std::unexpected(fault_);
  }
  for (auto it = root.begin(); it != root.end(); ++it) {
    if (!member(it.key(), it.value())) return std::unexpected(fault_);
  }
  if (!required()) return std::unexpected(fault_);
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
  const std::int64_t prompt_bytes = measure.text + measure.scalars;
  switch (member_of(key)) {
    case Member::kModel:
      return model(value);
    case Member::kStream:
      return is_embeddings() || stream(value);
    case Member::kStreamOptions:
      return is_anthropic() || is_embeddings() || stream_options(value);
    case Member::kMaxTokens:
      return is_embeddings() || cap(key, value);
    case Member::kMaxCompletionTokens:
      return is_embeddings() || is_anthropic() || cap(key, value);
    case Member::kN:
      return is_embeddings() || is_anthropic() || choices(value);
    case Member::kTools:
    case Member::kFunctions:
      facts_.text_bytes += prompt_bytes;
      return tools(key, value);
    case Member::kUser:
      return is_anthropic() || user(key, value, facts_.user);
    case Member::kSafetyIdentifier:
      return is_anthropic() || user(key, value, safety_identifier_);
    case Member::kMetadata:
      return !is_anthropic() || metadata(value);
    case Member::kMessages:
      facts_.text_bytes += measure.text;
      return messages(value);
    case Member::kSystem:
      facts_.text_bytes += measure.text;
      discount_flat_parts(dialect_of(operation_), value, facts_);
      return true;
    case Member::kInput:
      if (is_embeddings()) return input(value, measure);
      facts_.text_bytes += prompt_bytes;
      return true;
    case Member::kSetting:
      return true;
    case Member::kPrompt:
      // A bare number or flag is a setting nobody has told us of yet (temperature, seed …).
      if (value.is_object() || value.is_array() || value.is_string()) facts_.text_bytes += prompt_bytes;
      return true;
  }
  return true;
}

bool RequestReader::model(const element& value) {
  std::string_view name;
  if (value.get_string().get(name) != simdjson::SUCCESS || name.empty() || !is_plain_text(name)) {
    return refuse("`model` must be the name of a model: a string of 1 to 256 bytes without control characters.",
                  "model");
  }
  facts_.model = name;
  return true;
}

bool RequestReader::stream(const element& value) {
  if (value.is_null()) return true;
  if (value.get_bool().get(facts_.stream) != simdjson::SUCCESS) {
    return refuse("`stream` must be true or false.", "stream");
  }
  return true;
}

bool RequestReader::stream_options(const element& value) {
  if (value.is_null()) return true;
  simdjson::dom::object options;
  if (value.get_object().get(options) != simdjson::SUCCESS) {
    return refuse("`stream_options` must be an object.", "stream_options");
  }
  element flag;
  if (options.at_key("include_usage").get(flag) != simdjson::SUCCESS || flag.is_null()) return true;
  if (flag.get_bool().get(facts_.wants_stream_usage) != simdjson::SUCCESS) {
    return refuse("`stream_options.include_usage` must be true or false.", "stream_options.include_usage");
  }
  return true;
}

bool RequestReader::cap(std::string_view key, const element& value) {
  if (value.is_null() && !is_anthropic()) return true;
  // 0 is Anthropic's way to warm a cache; elsewhere some servers read it as "no limit".
  const std::int64_t least = is_anthropic() ? 0 : 1;
  std::int64_t tokens = 0;
  if (value.type() != element_type::INT64 || value.get_int64().get(tokens) != simdjson::SUCCESS || tokens < least ||
      tokens > kMostTokens) {
    return refuse(fmt::format("`{}` must be an integer from {} to {}.", key, least, kMostTokens), std::string(key));
  }
  facts_.output_cap = std::max(facts_.output_cap.value_or(0), tokens);
  return true;
}

bool RequestReader::choices(const element& value) {
  if (value.is_null()) return true;
  if (value.type() != element_type::INT64 || value.get_int64().get(facts_.choices) != simdjson::SUCCESS ||
      facts_.choices < 1 || facts_.choices > kMaxChoices) {
    return refuse(fmt::format("`n` must be an integer from 1 to {}.", kMaxChoices), "n");
  }
  return true;
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

bool RequestReader::user(std::string_view key, const element& value, std::string& out) {
  if (value.is_null()) return true;
  std::string_view name;
  if (value.get_string().get(name) != simdjson::SUCCESS || !is_plain_text(name)) {
    return refuse(fmt::format("`{}` must be a string of at most {} bytes without control characters.", key, kMaxName),
                  std::string(key));
  }
  out = name;
  return true;
}

bool RequestReader::metadata(const element& value) {
  if (value.is_null()) return true;
  simdjson::dom::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return refuse("`metadata` must be an object.", "metadata");
  element id;
  return object.at_key("user_id").get(id) != simdjson::SUCCESS || user("metadata.user_id", id, facts_.user);
}

bool RequestReader::messages(const element& value) {
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) {
    return is_embeddings() || refuse("`messages` must be an array of message objects.", "messages");
  }
  for (const element message : list) {
    simdjson::dom::object object;
    if (message.get_object().get(object) != simdjson::SUCCESS) {
      return refuse("Each of `messages` must be an object with `role` and `content`.",
                    fmt::format("messages[{}]", facts_.messages));
    }
    if (++facts_.messages > bounds_.messages) {
      return refuse(fmt::format("`messages` has more than {} entries; shorten the conversation.", bounds_.messages),
                    "messages");
    }
    discount_message(dialect_of(operation_), object, facts_);
  }
  has_messages_ = facts_.messages > 0;
  return true;
}

bool RequestReader::input(const element& value, const JsonMeasure& measure) {
  if (!measure_embedding_input(value, facts_)) {
    return refuse("`input` must be a string, or a non-empty array of strings, of token ids, or of arrays of token ids.",
                  "input");
  }
  facts_.text_bytes += measure.text;
  has_input_ = true;
  return true;
}

bool RequestReader::required() {
  if (facts_.model.empty()) return refuse("`model` is missing; name the model to call.", "model");
  if (is_embeddings()) return has_input_ || refuse("`input` is missing; send the text to embed.", "input");
  if (!has_messages_) return refuse("`messages` is missing or empty; send at least one message.", "messages");
  if (is_anthropic() && !facts_.output_cap) {
    return refuse("`max_tokens` is missing; say how many tokens the answer may have.", "max_tokens");
  }
  return true;
}

RequestFault json_fault(simdjson::error_code code) {
  switch (code) {
    case simdjson::EMPTY:
      return {.message = "The body is empty; send a JSON object.", .param = {}};
    case simdjson::UTF8_ERROR:
      return {.message = "The body is not valid UTF-8.", .param = {}};
    case simdjson::DEPTH_ERROR:
      return {.message = "The body is nested too deeply; send a flatter one.", .param = {}};
    case simdjson::CAPACITY:
    case simdjson::MEMALLOC:
      return {.status = 413, .message = "The body is too large.", .param = {}};
    case simdjson::NUMBER_ERROR:
      return {.message = "The body is not valid JSON: a number is malformed or out of range.", .param = {}};
    case simdjson::STRING_ERROR:
    case simdjson::UNESCAPED_CHARS:
    case simdjson::UNCLOSED_STRING:
      return {.message = "The body is not valid JSON: a string is malformed or not closed.", .param = {}};
    default:
      return {.message = "The body is not valid JSON; send one complete JSON object.", .param = {}};
  }
}

std::expected<RequestFacts, RequestFault> read_with(simdjson::dom::parser& parser, Operation operation,
                                                    std::string_view body, const BodyBounds& bounds) {
  element document;
  const simdjson::error_code code = parser.parse(body.data(), body.size(), /*realloc_if_needed=*/true).get(document);
  if (code != simdjson::SUCCESS) return std::unexpected(json_fault(code));
  return RequestReader(operation, bounds).read(document);
}

}  // namespace

std::expected<RequestFacts, RequestFault> read_request(Operation operation, std::string_view body,
                                                       const BodyBounds& bounds, std::string_view /*path_model*/) {
  if (body.size() > kSharedParser) {
    simdjson::dom::parser parser;
    return read_with(parser, operation, body, bounds);
  }
  thread_local simdjson::dom::parser parser;
  return read_with(parser, operation, body, bounds);
}

}  // namespace weir
