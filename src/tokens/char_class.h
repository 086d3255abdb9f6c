// The classes of characters that the pre-tokenizers tell apart, and reading one character of valid UTF-8.
//
//   Char c = read_char(text, at);                 // c.bit == bit_of(CharClass::kUpper), c.size == 1
//   at = skip(text, at, end, kLetterBits);        // past all letters
//
// Pure. The text must be valid UTF-8 (utf8_text.h makes it so).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tokens/table_data.h"

namespace weir {

// kUpper: Lu Lt. kLower: Ll. kLetter: Lm Lo, which o200k takes for both. kMark: M. kNumber: N. kNewline: CR LF.
enum class CharClass : std::uint8_t { kOther, kSpace, kNewline, kNumber, kUpper, kLower, kLetter, kMark };

constexpr std::uint8_t bit_of(CharClass c) {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(c));
}

inline constexpr std::uint8_t kNewlineBits = bit_of(CharClass::kNewline);
inline constexpr std::uint8_t kSpaceBits = bit_of(CharClass::kSpace) | kNewlineBits;
inline constexpr std::uint8_t kNumberBits = bit_of(CharClass::kNumber);
inline constexpr std::uint8_t kLetterBits =
    bit_of(CharClass::kUpper) | bit_of(CharClass::kLower) | bit_of(CharClass::kLetter);
inline constexpr std::uint8_t kSymbolBits = bit_of(CharClass::kOther) | bit_of(CharClass::kMark);
inline constexpr std::uint8_t kCaselessBits = bit_of(CharClass::kLetter) | bit_of(CharClass::kMark);

consteval std::array<std::uint8_t, 128> ascii_bits() {
  std::array<std::uint8_t, 128> bits{};
  for (unsigned c = 0; c < 128; ++c) {
    CharClass kind = CharClass::kOther;
    if (c == '\n' || c == '\r')
      kind = CharClass::kNewline;
    else if (c == ' ' || (c >= 9 && c <= 13))
      kind = CharClass::kSpace;
    else if (c >= '0' && c <= '9')
      kind = CharClass::kNumber;
    else if (c >= 'A' && c <= 'Z')
      kind = CharClass::kUpper;
    else if (c >= 'a' && c <= 'z')
      kind = CharClass::kLower;
    bits[c] = bit_of(kind);
  }
  return bits;
}
inline constexpr std::array<std::uint8_t, 128> kAsciiBits = ascii_bits();

struct Char {
  std::uint8_t bit;
  std::uint8_t size;  // bytes
};

inline std::uint8_t bit_of_code_point(std::uint32_t point) {
  std::uint16_t block;
  std::memcpy(&block, weir_unicode_table + 2 * std::size_t{point / kCodePointBlock}, sizeof block);
  const std::size_t at = 2 * std::size_t{kCodePointBlocks} + std::size_t{block} * kCodePointBlock;
  return static_cast<std::uint8_t>(1u << weir_unicode_table[at + point % kCodePointBlock]);
}

inline Char read_wide_char(const unsigned char* text, std::size_t at) {
  const std::uint32_t a = text[at], b = text[at + 1] & 0x3Fu;
  if (a < 0xE0) return {bit_of_code_point((a & 0x1F) << 6 | b), 2};
  const std::uint32_t c = text[at + 2] & 0x3Fu;
  if (a < 0xF0) return {bit_of_code_point((a & 0x0F) << 12 | b << 6 | c), 3};
  return {bit_of_code_point((a & 0x07) << 18 | b << 12 | c << 6 | (text[at + 3] & 0x3Fu)), 4};
}

inline Char read_char(const unsigned char* text, std::size_t at) {
  const unsigned char first = text[at];
  if (first < 0x80) return {kAsciiBits[first], 1};
  return read_wide_char(text, at);
}

// The first character from `at` on that is none of `bits`.
inline std::size_t skip(const unsigned char* text, std::size_t at, std::size_t end, unsigned bits) {
  while (at < end) {
    const unsigned char first = text[at];
    if (first < 0x80) {
      if ((kAsciiBits[first] & bits) == 0) return at;
      ++at;
    } else {
      const Char c = read_wide_char(text, at);
      if ((c.bit & bits) == 0) return at;
      at += c.size;
    }
  }
  return at;
}

}  // namespace weir
