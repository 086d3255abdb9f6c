#include "providers/json_audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/strings.h"

namespace weir {
namespace {

using simdjson::dom::element_type;

constexpr std::size_t kMaxPath = 128;
constexpr std::size_t kSmallObject = 16;
// What nearly every number and literal takes at most; they are rare in prompts.
constexpr std::int64_t kNumberBytes = 8;
constexpr std::int64_t kLiteralBytes = 4;

}  // namespace

JsonAudit::JsonAudit(std::size_t max_depth) : max_depth_(std::min(max_depth, kMaxDepth)) {}

bool JsonAudit::has_duplicate(const simdjson::dom::object& object) {
  const std::size_t size = object.size();
  if (size < 2) return false;
  std::string_view repeated;
  if (size <= kSmallObject) {
    std::array<std::string_view, kSmallObject> seen;
    std::size_t count = 0;
    for (auto it = object.begin(); it != object.end(); ++it) {
      const std::string_view key = it.key();
      for (std::size_t i = 0; i < count; ++i) {
        if (seen[i] == key) {
          repeated = key;
          flaw_ = Flaw::kDuplicateKey;
        }
      }
      seen[count++] = key;
    }
  } else {
    // Sorting keeps a hostile object of 100,000 keys at n log n.
    keys_.clear();
    for (auto it = object.begin(); it != object.end(); ++it) keys_.push_back(it.key());
    std::sort(keys_.begin(), keys_.end());
    const auto twin = std::adjacent_find(keys_.begin(), keys_.end());
    if (twin != keys_.end()) {
      repeated = *twin;
      flaw_ = Flaw::kDuplicateKey;
    }
  }
  if (flaw_ != Flaw::kDuplicateKey) return false;
  path_.clear();
  prepend(repeated);
  prepend(".");
  return true;
}

bool JsonAudit::walk(const simdjson::dom::element& value, std::size_t depth, JsonMeasure& measure) {
  switch (value.type()) {
    case element_type::OBJECT:
      return walk_object(value.get_object().value_unsafe(), depth, measure);
    case element_type::ARRAY:
      return walk_array(value.get_array().value_unsafe(), depth, measure);
    case element_type::STRING:
      measure.text += static_cast<std::int64_t>(value.get_string().value_unsafe().size());
      return true;
    case element_type::BOOL:
    case element_type::NULL_VALUE:
      measure.scalars += kLiteralBytes;
      return true;
    default:
      measure.scalars += kNumberBytes;
      return true;
  }
}

bool JsonAudit::walk_object(const simdjson::dom::object& object, std::size_t depth, JsonMeasure& measure) {
  if (depth > max_depth_) {
    flaw_ = Flaw::kDepth;
    return false;
  }
  if (has_duplicate(object)) return false;
  for (auto it = object.begin(); it != object.end(); ++it) {
    measure.text += it.key_length();
    if (!walk(it.value(), depth + 1, measure)) {
      prepend(it.key());
      prepend(".");
      return false;
    }
  }
  return true;
}

bool JsonAudit::walk_array(const simdjson::dom::array& array, std::size_t depth, JsonMeasure& measure) {
  if (depth > max_depth_) {
    flaw_ = Flaw::kDepth;
    return false;
  }
  std::size_t index = 0;
  for (const simdjson::dom::element item : array) {
    if (!walk(item, depth + 1, measure)) {
      prepend(fmt::format("[{}]", index));
      return false;
    }
    ++index;
  }
  return true;
}

void JsonAudit::prepend(std::string_view step) {
  path_.insert(0, step.substr(0, kMaxPath));
  if (path_.size() > kMaxPath) path_.resize(kMaxPath);
}

namespace {

// The next character of `text`, folded; 0 at its end.
char take_folded(std::string_view& text) {
  if (text.empty()) return '\0';
  for (const auto& [letter, plain] :
       {std::pair(std::string_view("\u017F"), 's'), std::pair(std::string_view("\u212A"), 'k')}) {
    if (!text.starts_with(letter)) continue;
    text.remove_prefix(letter.size());
    return plain;
  }
  const char c = ascii_lower(text.front());
  text.remove_prefix(1);
  return c;
}

bool equal_folded(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (take_folded(a) != take_folded(b)) return false;
  }
  return a.empty() && b.empty();
}

}  // namespace

std::string_view look_alike(const simdjson::dom::object& object, std::span<const std::string_view> names) {
  for (auto it = object.begin(); it != object.end(); ++it) {
    const std::string_view key = it.key();
    const bool ascii = std::all_of(key.begin(), key.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    for (const std::string_view name : names) {
      if (ascii && key.size() != name.size()) continue;  // nearly every pair ends here or at its first letter
      if (ascii && !key.empty() && ascii_lower(key.front()) != ascii_lower(name.front())) continue;
      if (key != name && equal_folded(key, name)) return key;
    }
  }
  return {};
}

}  // namespace weir
