// Suggestions for misspelt words. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir {

// The candidate meant by `word`, if one is near enough; two swapped letters ("pre" for "per") count as near.
std::optional<std::string_view> suggestion(std::string_view word, std::span<const std::string_view> candidates);

// "; did you mean `x`?", or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

// "there is no tier `por`; did you mean `pro`? There are free, pro": of many candidates the first twenty.
std::string there_is_no(std::string_view what, std::string_view word, std::span<const std::string_view> candidates);

}  // namespace weir
