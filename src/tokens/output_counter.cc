#include "tokens/output_counter.h"

#include <cmath>

namespace weir {

OutputCounter::OutputCounter(std::optional<Encoding> encoding, double tokens_per_byte)
    : tokens_per_byte_(tokens_per_byte) {
  if (encoding) exact_.emplace(Tokenizer::of(*encoding));
}

void OutputCounter::append(std::string_view text) {
  if (exact_) exact_->append(text);
  bytes_ += static_cast<std::int64_t>(text.size());
}

std::int64_t OutputCounter::tokens() const {
  if (exact_) return exact_->tokens();
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(bytes_) * tokens_per_byte_));
}

}  // namespace weir
