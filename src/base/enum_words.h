// Enums whose values count from 0, and the words that stand for them.
//
//   constexpr std::array kWords = {"usage", "counted", "none"};
//   const char* to_string(Settled settled) { return word_of(kWords, settled); }
//   std::optional<Settled> settled = value_of<Settled>(kWords, "counted");
//
// Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

namespace weir {

// Empty for a number that is no value: a row of a newer version may have one.
template <class Words, class Enum>
constexpr auto word_of(const Words& words, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < words.size() ? words[index] : "";
}

template <class Enum, class Words>
std::optional<Enum> value_of(const Words& words, std::string_view word) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) return std::nullopt;
  return static_cast<Enum>(found - words.begin());
}

}  // namespace weir
