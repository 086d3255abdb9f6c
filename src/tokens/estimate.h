// How many input tokens a request will count as, before it is sent. An upper bound on purpose: held too much is given
// back, held too little is overspent.
#pragma once

#include <cstdint>

namespace weir {

struct InputSize {
  std::int64_t text_bytes = 0;  // UTF-8 bytes of everything that becomes prompt text
  std::int64_t flat_parts = 0;  // images, audio, files
  std::int64_t token_ids = 0;   // already tokens
};

inline constexpr double kBytesPerToken = 3.2;
inline constexpr std::int64_t kFlatPartTokens = 2'000;

// Tokens, at least 1.
std::int64_t estimate_input_tokens(const InputSize& size);
// Tokens generated for that much text (an upper bound likewise); 0 for 0.
std::int64_t estimate_output_tokens(std::int64_t text_bytes);

}  // namespace weir
