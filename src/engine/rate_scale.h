// Converts units of a refill rate to nanoseconds and back without dividing on the hot path.
//
// One unit takes T = per / units nanoseconds. The scale keeps T as multiplier / 2^shift, where shift is the largest one
// up to 100 for which multiplier = ceil(per * 2^shift / units) is below 2^63. It is never less than the true T, and by
// at most one part in 2^61 more. span(c) = ceil(c * multiplier / 2^shift), at most kMaxSpan.
//
//   const RateScale& scale = RateScale::of({.units = 10, .per = 1'000'000'000});
//   scale.span(3) == 300'000'000;
//
// Values; the reference returned by of() is valid on this thread until the next call of of().
#pragma once

#include <cstdint>

#include "engine/arithmetic.h"
#include "weir/limiter.h"

namespace weir::engine {

inline constexpr DurationNs kMaxSpan = std::int64_t{1} << 61;  // 73 years

class RateScale {
 public:
  constexpr RateScale() = default;
  explicit RateScale(RefillRate rate);

  // Remembers the rates used last by this thread. Rates out of range are brought into range.
  static const RateScale& of(const RefillRate& rate);

  // Nanoseconds that `units` take to refill, rounded up.
  DurationNs span(std::int64_t units) const {
    const u128 product = static_cast<u128>(units) * multiplier_;
    const u128 up = (static_cast<u128>(1) << shift_) - 1;
    const u128 ns = (product + up) >> shift_;
    return ns > static_cast<u128>(kMaxSpan) ? kMaxSpan : static_cast<DurationNs>(ns);
  }

  // The most units, up to `limit`, whose span is at most `ns`.
  std::int64_t units_within(DurationNs ns, std::int64_t limit) const;

 private:
  std::int64_t units_ = 0;  // of the rate; 0: an unused place of the memory of of()
  DurationNs per_ = 0;
  std::uint64_t multiplier_ = 0;
  int shift_ = 0;
  double units_per_ns_ = 0;
};

}  // namespace weir::engine
