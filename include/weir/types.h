// Plain value types shared by the public headers.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace weir {

// An instant in nanoseconds since 1970-01-01T00:00:00Z. The library never reads a clock; the caller passes `now`.
using TimeNs = std::int64_t;
// A span of time in nanoseconds.
using DurationNs = std::int64_t;

// "There is no instant at which this would be admitted."
inline constexpr DurationNs kNever = std::numeric_limits<DurationNs>::max();

// Amounts and costs: requests, tokens, bytes, micro-dollars. 0 to 2^53; larger amounts are a configuration error.
inline constexpr std::int64_t kMaxAmount = std::int64_t{1} << 53;

// A 128-bit value: keyed hashes and reservation ids. All zero means "none".
struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const Hash128&) const = default;
  explicit operator bool() const { return (high | low) != 0; }
};

}  // namespace weir
