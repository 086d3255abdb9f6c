#include "words.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

namespace weir::sim {
namespace {

constexpr std::array<std::string_view, 16> kWords = {" the", " and", " for", " you", " are", " was", " but", " not",
                                                     " all", " can", " has", " her", " one", " our", " out", " day"};
constexpr std::array<std::string_view, 10> kRead = {
    "messages",          "input", "prompt",    "contents", "system", "instructions",
    "systemInstruction", "tools", "functions", "content"};

std::size_t string_bytes(const simdjson::dom::element& value) {
  std::size_t out = 0;
  std::string_view text;
  simdjson::dom::array list;
  simdjson::dom::object members;
  if (value.get_string().get(text) == simdjson::SUCCESS) return text.size();
  if (value.get_array().get(list) == simdjson::SUCCESS) {
    for (const simdjson::dom::element item : list) out += string_bytes(item);
  } else if (value.get_object().get(members) == simdjson::SUCCESS) {
    for (const auto [key, item] : members) out += string_bytes(item);
  }
  return out;
}

}  // namespace

std::string words(std::int64_t tokens, Random& random) {
  std::string out;
  out.reserve(static_cast<std::size_t>(tokens * kBytesPerToken));
  std::uint64_t bits = 0;
  for (std::int64_t i = 0; i < tokens; ++i) {
    if (i % 16 == 0) bits = random.next();
    out += kWords[bits & 15];
    bits >>= 4;
  }
  return out;
}

std::int64_t prompt_tokens(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::object root;
  if (parser.parse(body.data(), body.size()).get_object().get(root) != simdjson::SUCCESS) return 0;
  std::size_t bytes = 0;
  for (const auto [key, value] : root) {
    if (std::ranges::find(kRead, key) != kRead.end()) bytes += string_bytes(value);
  }
  return tokens_of(bytes);
}

std::string json_string(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out += '"';
}

}  // namespace weir::sim
