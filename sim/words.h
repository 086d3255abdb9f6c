// What a token is in the simulated world: four bytes. Texts are made of words that real vocabularies count as one token
// each (" the", " for"), so that Weir's estimates are about as good as they are outside.
//
//   std::string prompt = words(400, random);                   // 1,600 bytes
//   std::int64_t input = prompt_tokens(R"({"messages":[…]})");  // what a provider bills for this body
//
// Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "random.h"

namespace weir::sim {

inline constexpr std::int64_t kBytesPerToken = 4;

std::string words(std::int64_t tokens, Random& random);
// All strings below the members of a request that a model reads: messages, input, prompt, contents, system, tools and
// the like. A body that is no JSON object has none.
std::int64_t prompt_tokens(std::string_view body);
inline std::int64_t tokens_of(std::size_t bytes) {
  return (static_cast<std::int64_t>(bytes) + kBytesPerToken - 1) / kBytesPerToken;
}
// Of a tool call that a model announces, arguments as JSON.
inline std::int64_t call_tokens(std::string_view name, std::string_view arguments) {
  return tokens_of(name.size() + arguments.size());
}
std::string json_string(std::string_view text);  // as a JSON string

}  // namespace weir::sim
