// How many tokens a text is, for models without a public tokenizer (and, before a limit is near, for all): from its
// bytes, with a ratio learned per tenant and model from the usage that providers reported.
//
//   Calibration calibration;
//   calibration.learn(key, /*bytes=*/4000, /*tokens=*/980);
//   TokenEstimate e = calibration.tokens_of(key, 4000);      // hold e.upper, show e.expected
//
// The stated bound: once kWarm texts were learned, `upper` covers at least 99% of texts like those, plus 5%; before, it
// is bytes / 3.2 (99% of real agent contexts in o200k have more bytes per token). Never below bytes / 5, so that nobody
// teaches it cheap tokens with a text of spaces, and never more than one token per byte.
// A tenant learns for itself only: nobody's odd texts make another's reservations larger.
//
// Bounded: kMaxKeys, what was used least recently is forgotten first. Thread-safe; O(1) a call.
#pragma once

#include <cstdint>
#include <memory>

namespace weir {

struct TokenEstimate {
  std::int64_t expected = 0;
  std::int64_t upper = 0;
};

class Calibration {
 public:
  static constexpr std::size_t kMaxKeys = 20'000;
  static constexpr std::int64_t kWarm = 20;
  static constexpr std::int64_t kLeastBytes = 200;  // shorter texts are mostly overhead and teach nothing

  Calibration();
  ~Calibration();
  Calibration(const Calibration&) = delete;
  Calibration& operator=(const Calibration&) = delete;

  // `key`: OutputHistory::key(tenant, model).
  void learn(std::uint64_t key, std::int64_t bytes, std::int64_t tokens);
  TokenEstimate tokens_of(std::uint64_t key, std::int64_t bytes) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
