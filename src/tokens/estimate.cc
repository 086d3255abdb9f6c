#include "tokens/estimate.h"

#include <algorithm>

namespace weir {
namespace {

// ceil(bytes / 3.2) in integers: 3.2 = 16/5. Sizes are bounded by the size of a body, far from overflow.
std::int64_t tokens_of_bytes(std::int64_t bytes) {
  return bytes <= 0 ? 0 : (bytes * 5 + 15) / 16;
}

static_assert(kBytesPerToken == 16.0 / 5.0);

}  // namespace

std::int64_t estimate_input_tokens(const InputSize& size) {
  const std::int64_t flat = std::max<std::int64_t>(0, size.flat_parts) * kFlatPartTokens;
  const std::int64_t ids = std::max<std::int64_t>(0, size.token_ids);
  return std::max<std::int64_t>(1, tokens_of_bytes(size.text_bytes) + flat + ids);
}

std::int64_t estimate_output_tokens(std::int64_t text_bytes) {
  return tokens_of_bytes(text_bytes);
}

}  // namespace weir
