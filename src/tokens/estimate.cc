#include "tokens/estimate.h"

namespace weir {

static_assert(kBytesPerToken == 16.0 / 5.0);

// Rounded up, in integers. Sizes are bounded by the size of a body, far from overflow.
std::int64_t estimate_output_tokens(std::int64_t text_bytes) {
  return text_bytes <= 0 ? 0 : (text_bytes * 5 + 15) / 16;
}

}  // namespace weir
