#include "providers/request_parts.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::uint64_t kMaxTokenId = (std::uint64_t{1} << 32) - 1;

std::string_view string_at(const object& from, std::string_view key) {
  std::string_view text;
  return from.at_key(key).get_string().get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

bool is_reference(std::string_view url) {
  return url.starts_with("data:") || url.starts_with("https://") || url.starts_with("http://");
}

void discount(std::string_view payload, RequestFacts& facts) {
  facts.text_bytes -= static_cast<std::int64_t>(payload.size());
}

// {"type":"image_url","image_url":"…"} or {"type":"image_url","image_url":{"url":"…"}}
void openai_url_part(const object& part, std::string_view type, RequestFacts& facts) {
  ++facts.flat_parts;
  object holder;
  const std::string_view url = part.at_key(type).get_object().get(holder) == simdjson::SUCCESS
                                   ? string_at(holder, "url")
                                   : string_at(part, type);
  if (is_reference(url)) discount(url, facts);
}

void openai_part(const object& part, std::string_view type, RequestFacts& facts) {
  if (type == "image_url" || type == "video_url" || type == "audio_url") return openai_url_part(part, type, facts);
  if (type != "input_audio" && type != "file") return;
  ++facts.flat_parts;
  object holder;
  if (part.at_key(type).get_object().get(holder) != simdjson::SUCCESS) return;
  discount(string_at(holder, type == "file" ? "file_data" : "data"), facts);
}

void anthropic_part(const object& part, std::string_view type, RequestFacts& facts) {
  element nested;
  if (type == "tool_result") {
    if (part.at_key("content").get(nested) == simdjson::SUCCESS)
      discount_flat_parts(Dialect::kAnthropic, nested, facts);
    return;
  }
  if (type == "container_upload") {
    ++facts.flat_parts;
    return;
  }
  if (type != "image" && type != "document") return;
  object source;
  if (part.at_key("source").get_object().get(source) != simdjson::SUCCESS) {
    ++facts.flat_parts;
    return;
  }
  const std::string_view kind = string_at(source, "type");
  if (kind == "text") return;
  if (kind == "content") {
    if (source.at_key("content").get(nested) == simdjson::SUCCESS)
      discount_flat_parts(Dialect::kAnthropic, nested, facts);
    return;
  }
  ++facts.flat_parts;
  if (kind == "base64") discount(string_at(source, "data"), facts);
  if (kind == "url") discount(string_at(source, "url"), facts);
}

// False if anything but token ids is among them.
bool count_ids(const simdjson::dom::array& ids, RequestFacts& facts) {
  for (const element id : ids) {
    std::uint64_t value = 0;
    if (!id.is_int64() || id.get_uint64().get(value) != simdjson::SUCCESS || value > kMaxTokenId) return false;
    ++facts.token_ids;
  }
  return true;
}

}  // namespace

void discount_flat_parts(Dialect dialect, const element& content, RequestFacts& facts) {
  simdjson::dom::array parts;
  if (content.get_array().get(parts) != simdjson::SUCCESS) return;
  for (const element item : parts) {
    object part;
    if (item.get_object().get(part) != simdjson::SUCCESS) continue;
    const std::string_view type = string_at(part, "type");
    if (type == "text") continue;
    dialect == Dialect::kOpenAi ? openai_part(part, type, facts) : anthropic_part(part, type, facts);
  }
}

void discount_message(Dialect dialect, const object& message, RequestFacts& facts) {
  for (auto it = message.begin(); it != message.end(); ++it) {
    const std::string_view key = it.key();
    if (key == "content") discount_flat_parts(dialect, it.value(), facts);
    // An earlier spoken answer comes back by its id only, but the model hears it again.
    if (key == "audio" && dialect == Dialect::kOpenAi && it.value().is_object()) ++facts.flat_parts;
  }
}

bool measure_embedding_input(const element& value, RequestFacts& facts) {
  if (value.is_string()) return true;
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS || list.size() == 0) return false;
  const element first = *list.begin();
  if (first.is_int64()) return count_ids(list, facts);
  const bool texts = first.is_string();
  for (const element item : list) {
    if (texts != item.is_string()) return false;
    if (texts) continue;
    simdjson::dom::array ids;
    if (item.get_array().get(ids) != simdjson::SUCCESS || ids.size() == 0 || !count_ids(ids, facts)) return false;
  }
  return true;
}

}  // namespace weir
