// Counts generated text while it passes: exactly where the model's tokenizer is public, else by the calibrated upper
// bound.
//
//   OutputCounter counter(encoding_of_model("gpt-4o"), {});
//   counter.append("Hel"), counter.append("lo");
//   counter.tokens();                                  // 1
//
// One thread at a time.
#pragma once

#include <optional>
#include <string_view>

#include "tokens/encoding.h"
#include "tokens/tokenizer.h"

namespace weir {

class OutputCounter {
 public:
  // `tokens_per_byte`: used when there is no encoding; 0 to 1.
  OutputCounter(std::optional<Encoding> encoding, double tokens_per_byte);

  void append(std::string_view text);
  std::int64_t tokens() const;

 private:
  std::optional<TokenCounter> exact_;
  double tokens_per_byte_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace weir
