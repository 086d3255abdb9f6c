// Character classes of HTTP/1.1 (RFC 9110 section 5.6, RFC 3986) as one table, and the scan for control characters.
//
//   if (!all_of_class(method, kTokenChar)) …
//
// Pure functions; thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace weir {

inline constexpr std::uint8_t kTokenChar = 1;    // field names, methods, chunk extension names
inline constexpr std::uint8_t kTargetChar = 2;   // request targets: visible ASCII but for " # < > and backslash
inline constexpr std::uint8_t kHostChar = 4;     // a registered name or IPv4 address
inline constexpr std::uint8_t kControlChar = 8;  // never inside a field value: all controls but the tab
inline constexpr std::uint8_t kIpv6Char = 16;    // between the brackets

constexpr std::array<std::uint8_t, 256> make_char_classes() {
  constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";
  constexpr std::string_view kHostMarks = "-._~%!$&'()*+,;=";
  constexpr std::string_view kNotInTargets = "\"#<>\\";
  std::array<std::uint8_t, 256> table{};
  for (unsigned i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool hex = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    unsigned flags = 0;
    if (digit || letter || kTokenMarks.find(c) != std::string_view::npos) flags |= kTokenChar;
    if (i > 0x20 && i < 0x7F && kNotInTargets.find(c) == std::string_view::npos) flags |= kTargetChar;
    if (digit || letter || kHostMarks.find(c) != std::string_view::npos) flags |= kHostChar;
    if ((i < 0x20 && c != '\t') || i == 0x7F) flags |= kControlChar;
    if (hex || c == ':' || c == '.') flags |= kIpv6Char;
    table[i] = static_cast<std::uint8_t>(flags);
  }
  return table;
}

inline constexpr std::array<std::uint8_t, 256> kCharClasses = make_char_classes();

inline bool is_char(char c, std::uint8_t classes) {
  return (kCharClasses[static_cast<unsigned char>(c)] & classes) != 0;
}

inline bool all_of_class(std::string_view text, std::uint8_t classes) {
  return std::all_of(text.begin(), text.end(), [classes](char c) { return is_char(c, classes); });
}

// Bytes that must be readable behind the end of what has_control_padded() looks at; their values do not matter.
inline constexpr std::size_t kScanPadding = 16;

// True if `text` holds a control character other than tab. Reads up to kScanPadding bytes behind its end.
bool has_control_padded(std::string_view text);
bool has_control(std::string_view text);

// As equal_ignoring_case, with `lower` known to be in lower case; inline because every field is compared.
inline bool is_name(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char folded = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    if (folded != lower[i]) return false;
  }
  return true;
}

}  // namespace weir
