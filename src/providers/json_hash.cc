#include "providers/json_hash.h"

#include <bit>

#include "base/hash.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

// What tells a number from a text of the same bytes.
enum Kind : std::uint64_t { kObject = 1, kArray, kSigned, kUnsigned, kReal, kBool, kNull };

constexpr std::string_view kCacheMark = "cache_control";

template <bool kContent>
std::uint64_t hash_of(const element& value);

// A sum, so that the order of the members counts for nothing; each term is as good as random.
template <bool kContent>
std::uint64_t hash_of_object(const object& fields) {
  std::uint64_t sum = 0;
  for (auto it = fields.begin(); it != fields.end(); ++it) {
    if (kContent && it.key() == kCacheMark) continue;
    sum += hash_pair(hash64(it.key()), hash_of<kContent>(it.value()));
  }
  return hash_pair(kObject, sum);
}

template <bool kContent>
std::uint64_t hash_of_array(const array& items) {
  std::uint64_t hash = kArray;
  for (const element item : items) hash = hash_pair(hash, hash_of<kContent>(item));
  return hash_pair(kArray, hash);
}

template <bool kContent>
std::uint64_t hash_of(const element& value) {
  switch (value.type()) {
    case element_type::OBJECT:
      return hash_of_object<kContent>(value.get_object().value_unsafe());
    case element_type::ARRAY:
      return hash_of_array<kContent>(value.get_array().value_unsafe());
    case element_type::STRING:
      return hash64(value.get_string().value_unsafe());
    case element_type::INT64:
      return hash_pair(kSigned, static_cast<std::uint64_t>(value.get_int64().value_unsafe()));
    case element_type::UINT64:
      return hash_pair(kUnsigned, value.get_uint64().value_unsafe());
    case element_type::DOUBLE:
      return hash_pair(kReal, std::bit_cast<std::uint64_t>(value.get_double().value_unsafe()));
    case element_type::BOOL:
      return hash_pair(kBool, value.get_bool().value_unsafe() ? 1 : 0);
    default:
      return hash_pair(kNull, 0);
  }
}

// A text part is its text, whatever type or annotations it carries.
std::uint64_t part_hash(const element& part) {
  object fields;
  std::string_view text;
  if (part.get_object().get(fields) == simdjson::SUCCESS &&
      fields.at_key("text").get_string().get(text) == simdjson::SUCCESS) {
    return content_hash(text);
  }
  return hash_of<true>(part);
}

}  // namespace

std::uint64_t json_hash(const element& value) {
  return hash_of<false>(value);
}

std::uint64_t content_hash(std::string_view text) {
  return hash64(text);
}

std::uint64_t content_hash(const element& content) {
  array parts;
  if (content.get_array().get(parts) != simdjson::SUCCESS) return part_hash(content);
  std::uint64_t hash = 0;
  for (const element part : parts) hash = hash == 0 ? part_hash(part) : hash_pair(hash, part_hash(part));
  return hash != 0 ? hash : content_hash(std::string_view{});
}

}  // namespace weir
