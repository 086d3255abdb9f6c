// The public BPE vocabularies of OpenAI's models.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir {

enum class Encoding : std::uint8_t { kO200k, kCl100k, kP50k, kR50k };
inline constexpr std::size_t kEncodingCount = 4;

std::string_view to_string(Encoding encoding);                     // "o200k_base", "cl100k_base", …
std::optional<Encoding> encoding_from(std::string_view name);      // the same names
std::optional<Encoding> encoding_of_model(std::string_view name);  // nullopt: no public tokenizer

}  // namespace weir
