#include "records/metadata.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>
#include <vector>

#include "base/json_writer.h"
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

constexpr std::size_t kMaxTold = 32;        // members
constexpr std::size_t kMaxToldBytes = 200;  // of one name or value

bool grants(std::string_view path) {
  return path.starts_with("limits.") || path.starts_with("tools.");
}

// Members by name, each limit and list of tools as its own (limits may be named gpt-4.1), with what tells two values
// apart: of those it is the value.
Flat members_of(const Flat& flat) {
  Flat out;
  for (const auto& [path, value] : flat) {
    if (!grants(path)) {
      out[path.substr(0, path.find('.'))].append(path).append("\n").append(value).append("\n");
      continue;
    }
    const std::size_t dot = path.rfind('.');
    const bool element = path.starts_with("tools.") && parse_decimal(std::string_view(path).substr(dot + 1));
    std::string& values = out[element ? path.substr(0, dot) : path];
    values.append(values.empty() ? "" : ", ").append(value);
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size()) {
    const std::size_t next = std::max<std::size_t>(utf8_sequence_length(text.substr(size)), 1);
    if (size + next > kMaxToldBytes) break;
    size += next;
  }
  std::string out;
  JsonWriter(out).string(std::string(text.substr(0, size)) + (size < text.size() ? "…" : ""));
  return out;
}

std::string named(const std::string& name) {
  return is_consumer_name(name) ? name : in_quotes(name);
}

std::string listed(const std::vector<std::string>& told, std::size_t all) {
  const std::string more = told.size() < all ? fmt::format(" and {} more", all - told.size()) : "";
  return fmt::format("{}{}", fmt::join(told, ", "), more);
}

}  // namespace

std::string metadata_changes(const Consumer& before, const Consumer& now) {
  const Flat old = members_of(before.metadata), fresh = members_of(now.metadata);
  std::set<std::pair<bool, std::string>> changed;  // what grants first
  for (const auto* some : {&old, &fresh}) {
    for (const auto& [name, value] : *some) {
      const auto was = old.find(name), is = fresh.find(name);
      if (was == old.end() || is == fresh.end() || was->second != is->second) changed.emplace(!grants(name), name);
    }
  }
  std::vector<std::string> told;
  for (const auto& [plain, name] : changed) {
    if (told.size() == kMaxTold) break;
    const auto was = old.find(name), is = fresh.find(name);
    const bool added = was == old.end(), removed = is == fresh.end();
    told.push_back(plain ? named(name) + (added     ? " added"
                                          : removed ? " removed"
                                                    : " changed")
                         : fmt::format("{} {} -> {}", named(name), added ? "(none)" : in_quotes(was->second),
                                       removed ? "(none)" : in_quotes(is->second)));
  }
  return listed(told, changed.size());
}

std::string members_gone(const Consumer& before, const Consumer& now) {
  const Flat fresh = members_of(now.metadata);
  std::set<std::string> gone;
  for (const auto& [name, value] : members_of(before.metadata)) {
    if (fresh.contains(name)) continue;
    const std::string top = name.substr(0, name.find('.'));
    const auto left = fresh.lower_bound(top + ".");
    gone.insert(left != fresh.end() && left->first.starts_with(top + ".") ? named(name) : named(top));
  }
  std::vector<std::string> told(gone.begin(),
                                std::next(gone.begin(), static_cast<std::ptrdiff_t>(std::min(gone.size(), kMaxTold))));
  return listed(told, gone.size());
}

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
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
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
