// How many tokens something is of which nothing better is known. An upper bound on purpose: held too much is given
// back, held too little is overspent. What is learned of a model is better: tokens/calibration.h.
#pragma once

#include <cstdint>

namespace weir {

inline constexpr double kBytesPerToken = 3.2;
inline constexpr std::int64_t kFlatPartTokens = 2'000;  // an image, clip or file of unknown size

// Tokens generated for that much text; 0 for 0.
std::int64_t estimate_output_tokens(std::int64_t text_bytes);

}  // namespace weir
