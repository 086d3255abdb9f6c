// Small text helpers without a domain.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir {

char ascii_lower(char c);
std::string to_lower(std::string_view text);  // ASCII letters only
bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string_view trim(std::string_view text);  // spaces and tabs at both ends

// Appends the decimal digits of `value`, on at least `width` places filled with zeros.
void append_number(std::string& out, std::int64_t value, std::size_t width = 0);

// The whole text as a decimal integer without sign, spaces or leading plus; nothing beyond 2^63-1.
std::optional<std::int64_t> parse_decimal(std::string_view text);

// Length in bytes (1 to 4) of the well-formed UTF-8 sequence at the start, 0 if there is none.
std::size_t utf8_sequence_length(std::string_view text);
bool is_valid_utf8(std::string_view text);

// `*` matches any run of characters (also none), every other character itself. Linear in text x stars.
bool glob_match(std::string_view pattern, std::string_view text);

// The candidate nearest to `word` by edit distance, if it is near enough to be a likely misspelling.
std::optional<std::string_view> nearest_word(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace weir
