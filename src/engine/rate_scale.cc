#include "engine/rate_scale.h"

#include <algorithm>
#include <bit>

namespace weir::engine {
namespace {

constexpr int kMaxShift = 100;

}  // namespace

thread_local constinit std::array<RateScale, RateScale::kRemembered> RateScale::remembered_{};

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
  rounding_ = (static_cast<u128>(1) << shift_) - 1;
  unit_span_ = span(1);
}

}  // namespace weir::engine
