#include "policy/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace weir {

std::optional<std::string_view> suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  // Edit distance sees a swap as two changes, too many for short words.
  for (std::size_t i = 0; i + 1 < word.size() && word.size() <= 64; ++i) {
    std::string swapped(word);
    std::swap(swapped[i], swapped[i + 1]);
    for (const std::string_view candidate : candidates) {
      if (candidate != word && equal_ignoring_case(candidate, swapped)) return candidate;
    }
  }
  return nearest_word(word.substr(0, 256), candidates);
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const auto found = suggestion(word, candidates);
  return found ? "; did you mean `" + std::string(*found) + "`?" : std::string();
}

std::string there_is_no(std::string_view what, std::string_view word, std::span<const std::string_view> candidates) {
  constexpr std::size_t kMaxNamed = 20;
  const std::string near = did_you_mean(word, candidates);
  const auto named = candidates.first(std::min(candidates.size(), kMaxNamed));
  return fmt::format("there is no {} `{}`{}{}{}{}", what, word, near, near.empty() ? "; there are " : " There are ",
                     named.empty() ? "none" : fmt::format("{}", fmt::join(named, ", ")),
                     named.size() < candidates.size() ? ", …" : "");
}

}  // namespace weir
