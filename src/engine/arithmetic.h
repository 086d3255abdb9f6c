// Saturating integer arithmetic of the engine: amounts and instants never wrap.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "weir/types.h"

namespace weir::engine {

using u128 = unsigned __int128;

inline constexpr DurationNs kSecond = 1'000'000'000;
inline constexpr DurationNs kMinWindow = 1'000'000;  // 1 ms
inline constexpr DurationNs kMaxWindow = 366ll * 86'400 * kSecond;
inline constexpr TimeNs kMaxTime = std::int64_t{1} << 62;  // year 2116
// What one counter can hold at most. Larger than any amount, so a counter that saturates refuses everything.
inline constexpr std::int64_t kMaxTotal = (std::int64_t{1} << 56) - 1;

inline std::int64_t add_saturating(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) {
    return b > 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
  }
  return sum;
}

inline std::int64_t clamp_amount(std::int64_t amount) {
  return std::clamp<std::int64_t>(amount, 0, kMaxAmount);
}
inline TimeNs clamp_time(TimeNs t) {
  return std::clamp<TimeNs>(t, 0, kMaxTime);
}

// How much of `units` still fits a counter that holds `total`.
inline std::int64_t bookable(std::int64_t total, std::int64_t units) {
  return std::min(units, kMaxTotal - total);
}

}  // namespace weir::engine
