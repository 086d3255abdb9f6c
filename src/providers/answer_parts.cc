#include "providers/answer_parts.h"

namespace weir {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

namespace {
constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;
}  // namespace

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

std::string_view string_value(const element& value) {
  std::string_view text;
  return value.get_string().get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

std::string_view string_member(const object& from, std::string_view key) {
  std::string_view text;
  return from.at_key(key).get_string().get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

void TextSink::add_content(const element& content) {
  std::string_view text;
  if (content.get_string().get(text) == simdjson::SUCCESS) {
    add(text);
    return;
  }
  array parts;
  if (content.get_array().get(parts) != simdjson::SUCCESS) return;
  for (const element part : parts) {
    object fields;
    if (part.get_object().get(fields) != simdjson::SUCCESS) continue;
    add(string_member(fields, "text"));
    add(string_member(fields, "refusal"));
  }
}

void TextSink::add_object(const element& value) {
  object fields;
  if (value.get_object().get(fields) == simdjson::SUCCESS && fields.size() > 0) add(simdjson::minify(value));
}

}  // namespace weir
