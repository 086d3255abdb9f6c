#include "providers/answer_parts.h"

namespace weir {

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

void TextSink::add_content(const element& content) {
  std::string_view text;
  if (content.get_string().get(text) == simdjson::SUCCESS) {
    add(text);
    return;
  }
  each_object_of(content, [this](const object& part) {
    add(string_at(part, "text"));
    add(string_at(part, "refusal"));
  });
}

void TextSink::add_object(const element& value) {
  object fields;
  if (value.get_object().get(fields) == simdjson::SUCCESS && fields.size() > 0) add(simdjson::minify(value));
}

}  // namespace weir
