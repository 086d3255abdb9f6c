// Questions about single characters, and texts that are judged by them.
//
//   if (!is_word(name)) return fail("1 to 64 letters, digits, dots, dashes or underscores");
//
// Pure.
#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "base/strings.h"

namespace weir {

constexpr bool is_ascii_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
// Of ASCII, DEL among them.
constexpr bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

// 1 to `most` letters, digits, dots, underscores and dashes.
inline bool is_word(std::string_view text, std::size_t most = 64) {
  return !text.empty() && text.size() <= most && std::all_of(text.begin(), text.end(), [](char c) {
    return is_ascii_letter(c) || is_ascii_digit(c) || c == '.' || c == '_' || c == '-';
  });
}
inline bool is_lower_word(std::string_view text, std::size_t most = 64) {
  return is_word(text, most) && std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// UTF-8 of at most so many bytes without control characters of ASCII.
inline bool is_clean(std::string_view text, std::size_t most) {
  return text.size() <= most && is_valid_utf8(text) && std::none_of(text.begin(), text.end(), is_control);
}

inline std::string without_controls(std::string text) {
  std::replace_if(text.begin(), text.end(), is_control, '?');
  return text;
}

// Value of a hexadecimal digit, -1 for anything else.
constexpr int hex_value(char c) {
  if (is_ascii_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// nullopt: an escape is broken.
inline std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
    i += 2;
  }
  return out;
}

// The whole text as a number, as std::from_chars reads it.
template <class Number, class... How>
std::optional<Number> number_in(std::string_view text, How... how) {
  Number value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, how...);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace weir
