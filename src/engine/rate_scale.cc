#include "engine/rate_scale.h"

#include <algorithm>
#include <array>
#include <bit>

namespace weir::engine {
namespace {

constexpr int kMaxShift = 100;
constexpr std::size_t kRemembered = 64;

}  // namespace

RateScale::RateScale(RefillRate rate) : units_(rate.units), per_(rate.per) {
  const auto units = static_cast<u128>(std::clamp<std::int64_t>(rate.units, 1, kMaxAmount));
  const auto per = static_cast<u128>(std::clamp<DurationNs>(rate.per, kMinWindow, kMaxWindow));
  const u128 below = static_cast<u128>(1) << 63;
  const auto rounded_up = [&](int shift) { return ((per << shift) + units - 1) / units; };
  // The first shift that is surely small enough is at most two below the largest one; per << shift stays below 2^120.
  const auto per_bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(per)));
  const auto units_bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(units)));
  shift_ = std::clamp(61 - per_bits + units_bits, 0, kMaxShift);
  while (shift_ < kMaxShift && rounded_up(shift_ + 1) < below) ++shift_;
  multiplier_ = static_cast<std::uint64_t>(rounded_up(shift_));
  units_per_ns_ =
      static_cast<double>(static_cast<std::uint64_t>(units)) / static_cast<double>(static_cast<std::uint64_t>(per));
}

const RateScale& RateScale::of(const RefillRate& rate) {
  thread_local constinit std::array<RateScale, kRemembered> remembered{};
  const auto mixed = (static_cast<std::uint64_t>(rate.units) * 0x9E3779B97F4A7C15ull) ^
                     (static_cast<std::uint64_t>(rate.per) * 0xC2B2AE3D27D4EB4Full);
  RateScale& scale = remembered[mixed >> 58];
  if (scale.units_ != rate.units || scale.per_ != rate.per || scale.multiplier_ == 0) scale = RateScale(rate);
  return scale;
}

std::int64_t RateScale::units_within(DurationNs ns, std::int64_t limit) const {
  if (ns < 0) return 0;
  if (ns >= span(limit)) return limit;
  // ns < span(limit) <= kMaxSpan, so nothing below is saturated and the estimate is off by a few units at most.
  const double estimate = static_cast<double>(ns) * units_per_ns_;
  auto units = estimate >= static_cast<double>(limit) ? limit : static_cast<std::int64_t>(estimate);
  while (units > 0 && span(units) > ns) --units;
  while (units < limit && span(units + 1) <= ns) ++units;
  return units;
}

}  // namespace weir::engine
