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

#include <array>
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

  // The same, with burst_span() being that of `burst`.
  static const RateScale& of(const RefillRate& rate, std::int64_t burst);
  DurationNs burst_span() const { return burst_span_; }
  DurationNs unit_span() const { return unit_span_; }

  // Nanoseconds that `units` take to refill, rounded up.
  DurationNs span(std::int64_t units) const { return rounded_up(static_cast<u128>(units) * multiplier_); }

  // The most units, up to `limit` whose span is `limit_span`, that take at most `ns`; `next_span` becomes the span of
  // one unit more, unless the answer is `limit`.
  std::int64_t units_within(DurationNs ns, std::int64_t limit, DurationNs limit_span, DurationNs& next_span) const {
    if (ns < 0) return 0;
    if (ns >= limit_span) return limit;
    // ns < span(limit), so ns << shift_ is less than limit * multiplier_, and the estimate is off by a few units at
    // most.
    const double estimate = static_cast<double>(ns) * units_per_ns_;
    auto units = estimate >= static_cast<double>(limit) ? limit : static_cast<std::int64_t>(estimate);
    const u128 most = static_cast<u128>(ns) << shift_;
    u128 product = static_cast<u128>(units) * multiplier_;
    for (; product > most; --units) product -= multiplier_;
    for (; most - product >= multiplier_; ++units) product += multiplier_;
    next_span = rounded_up(product + multiplier_);
    return units;
  }

 private:
  static constexpr std::size_t kRemembered = 64;

  static RateScale& remembered(const RefillRate& rate);
  DurationNs rounded_up(u128 product) const {
    const u128 ns = (product + rounding_) >> shift_;
    return ns > static_cast<u128>(kMaxSpan) ? kMaxSpan : static_cast<DurationNs>(ns);
  }

  std::int64_t units_ = 0;  // of the rate; 0: an unused place of the memory of of()
  DurationNs per_ = 0;
  std::uint64_t multiplier_ = 0;
  int shift_ = 0;
  double units_per_ns_ = 0;
  u128 rounding_ = 0;  // 2^shift - 1
  DurationNs unit_span_ = 0;
  std::int64_t burst_ = 0;  // for which burst_span_ was taken; none yet: 0, which takes no time
  DurationNs burst_span_ = 0;

  static thread_local constinit std::array<RateScale, kRemembered> remembered_;
};

inline RateScale& RateScale::remembered(const RefillRate& rate) {
  const auto mixed =
      (static_cast<std::uint64_t>(rate.units) + static_cast<std::uint64_t>(rate.per)) * 0x9E3779B97F4A7C15ull;
  RateScale& scale = remembered_[mixed >> 58];
  if (scale.units_ != rate.units || scale.per_ != rate.per || scale.multiplier_ == 0) scale = RateScale(rate);
  return scale;
}

inline const RateScale& RateScale::of(const RefillRate& rate) {
  return remembered(rate);
}

inline const RateScale& RateScale::of(const RefillRate& rate, std::int64_t burst) {
  RateScale& scale = remembered(rate);
  if (scale.burst_ != burst) {
    scale.burst_ = burst;
    scale.burst_span_ = scale.span(burst);
  }
  return scale;
}

}  // namespace weir::engine
