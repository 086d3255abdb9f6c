// How many output tokens a request holds before its answer is known (PRODUCT section 3, Reservation).
#pragma once

#include <cstdint>
#include <optional>

namespace weir {

struct OutputRule {
  bool whole_cap = false;  // mode: reserve
  std::int64_t default_output = 1024;
  std::int64_t trust_cap = 4096;
  std::int64_t top_up = 64;
};

struct OutputDemand {
  std::optional<std::int64_t> cap;              // per choice
  std::optional<std::int64_t> thinking_budget;  // counted beside `default_output` when there is no cap
  std::int64_t choices = 1;
  bool stream = false;
};

// The most the answer may have: cap x choices, saturating at 2^53.
std::int64_t output_ceiling(const OutputDemand& demand, const OutputRule& rule);

// Tokens to hold at admission. Cold: the ceiling, for streams at most `trust_cap`. Warm (`learned` is set): streams the
// learned quantile; others the ceiling while it is at most `trust_cap`, else the quantile. Never more than the ceiling.
std::int64_t output_to_hold(const OutputDemand& demand, const OutputRule& rule, std::optional<std::int64_t> learned);

}  // namespace weir
