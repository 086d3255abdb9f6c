#include "records/metadata.h"

#include <simdjson.h>

#include <algorithm>

#include "base/characters.h"
#include "base/strings.h"

namespace weir {
namespace {

constexpr std::size_t kMaxJson = 16 << 10;
constexpr std::size_t kMaxLevels = 16;
constexpr std::size_t kMaxScalars = 256;

using Flat = std::map<std::string, std::string>;

Result<void> add_scalar(Flat& flat, const std::string& path, std::string value) {
  if (flat.size() >= kMaxScalars) return fail("metadata has more than 256 values");
  if (!flat.emplace(path, std::move(value)).second) return fail("metadata has two values for \"" + path + "\"");
  return {};
}

Result<void> flatten(Flat& flat, const std::string& path, simdjson::dom::element element, std::size_t level) {
  using Type = simdjson::dom::element_type;
  if (level > kMaxLevels && (element.is_object() || element.is_array()))
    return fail("metadata is nested deeper than 16 levels");
  const std::string prefix = path.empty() ? "" : path + ".";
  switch (element.type()) {
    case Type::OBJECT: {
      std::vector<std::string_view> seen;
      for (const auto [key, value] : simdjson::dom::object(element)) {
        if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
          return fail("metadata has the key \"" + std::string(key) + "\" twice");
        }
        seen.push_back(key);
        if (auto inner = flatten(flat, prefix + std::string(key), value, level + 1); !inner) return inner;
      }
      return {};
    }
    case Type::ARRAY: {
      std::size_t index = 0;
      for (const simdjson::dom::element value : simdjson::dom::array(element)) {
        if (auto inner = flatten(flat, prefix + std::to_string(index++), value, level + 1); !inner) return inner;
      }
      return {};
    }
    case Type::STRING:
      return add_scalar(flat, path, std::string(std::string_view(element)));
    case Type::NULL_VALUE:
      return {};
    default:
      return add_scalar(flat, path, simdjson::minify(element));
  }
}

}  // namespace

Result<Flat> flatten_metadata(std::string_view json) {
  if (json.size() > kMaxJson) return fail("metadata is longer than 16 KiB");
  try {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS) {
      return fail("metadata is not JSON; an example: {\"plan\":\"pro\"}");
    }
    if (!root.is_object()) return fail("metadata is not a JSON object; an example: {\"plan\":\"pro\"}");
    Flat flat;
    if (auto done = flatten(flat, "", root, 1); !done) return std::unexpected(done.error());
    return flat;
  } catch (const simdjson::simdjson_error& error) {
    return fail(std::string("metadata cannot be read: ") + error.what());
  }
}

std::string one_line_json(std::string_view json) {
  try {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS || !root.is_object()) return "{}";
    return simdjson::minify(root);
  } catch (const simdjson::simdjson_error&) {
    return "{}";
  }
}

bool is_consumer_name(std::string_view name) {
  return is_word(name);
}

std::optional<ConsumerKind> consumer_kind_from(std::string_view word) {
  for (const ConsumerKind kind : {ConsumerKind::kAgent, ConsumerKind::kHuman, ConsumerKind::kService}) {
    if (word == to_string(kind)) return kind;
  }
  return std::nullopt;
}

bool is_plain_value(std::string_view value) {
  if (value.size() > 256 || !is_valid_utf8(value)) return false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    if (c < 0x20 || c == 0x7F) return false;
    if (c == 0xC2 && static_cast<unsigned char>(value[i + 1]) < 0xA0) return false;  // U+0080 to U+009F
  }
  return true;
}

Result<void> set_metadata(Consumer& consumer, std::string_view json) {
  auto flat = flatten_metadata(json);
  if (!flat) return std::unexpected(flat.error());
  for (const auto& [path, value] : *flat) {
    if (!is_plain_value(path)) return fail("metadata has a name with control characters or longer than 256 bytes");
    if (!is_plain_value(value)) return fail("metadata " + path + " has control characters or more than 256 bytes");
  }
  consumer.metadata = std::move(*flat);
  consumer.metadata_json = one_line_json(json);
  return {};
}

}  // namespace weir
