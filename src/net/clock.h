// The only clock: wall time at start plus monotonic time since, so that a stepped wall clock mints nothing.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/time.h"

namespace weir {

class Clock {
 public:
  // Never behind `floor` (the last journalled instant).
  explicit Clock(TimeNs floor = 0)
      : wall_at_start_(std::max<TimeNs>(wall(), floor + 1)), started_(std::chrono::steady_clock::now()) {}

  TimeNs now() const {
    return wall_at_start_ +
           std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - started_).count();
  }

 private:
  static TimeNs wall() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  TimeNs wall_at_start_;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace weir
