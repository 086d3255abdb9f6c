// The sum of the last so many minutes, in kSlots steps.
//
//   RollingSum sum(kHour);
//   sum.add(42, now);
//   sum.of(now);            // between the last 57 and 60 minutes
//
// A value; `now` does not go back.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/time.h"

namespace weir {

class RollingSum {
 public:
  static constexpr std::int64_t kSlots = 20;

  explicit RollingSum(DurationNs within = kMinute) : slot_ns_(std::max<DurationNs>(within / kSlots, 1)) {}

  void add(std::int64_t amount, TimeNs now) {
    forget(now);
    slots_[static_cast<std::size_t>(slot_ % kSlots)] += amount;
    sum_ += amount;
  }
  std::int64_t of(TimeNs now) {
    forget(now);
    return sum_;
  }

 private:
  void forget(TimeNs now) {
    const std::int64_t slot = now / slot_ns_;
    for (std::int64_t i = std::max(slot_ + 1, slot - kSlots + 1); i <= slot; ++i) {
      std::int64_t& old = slots_[static_cast<std::size_t>(i % kSlots)];
      sum_ -= old;
      old = 0;
    }
    slot_ = std::max(slot_, slot);
  }

  DurationNs slot_ns_;
  std::int64_t slot_ = 0, sum_ = 0;
  std::array<std::int64_t, kSlots> slots_{};
};

}  // namespace weir
