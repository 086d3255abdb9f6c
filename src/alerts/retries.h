// When a message that did not arrive is tried again: after 5 s, then twice as long each time, at most 30 minutes, with
// a quarter of that more or less so that many do not come at once; for a day.
//
//   const TimeNs next = next_try(message.tries, message.created_at, now, random);   // 0: given up
//
// A pure function.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace weir {

inline constexpr DurationNs kFirstPause = 5 * kSecond;
inline constexpr DurationNs kMaxPause = 30 * kMinute;
inline constexpr DurationNs kMaxTrying = kDay;
inline constexpr DurationNs kTryDeadline = 5 * kSecond;

// `tries`: how many have failed, at least 1. `random`: any bits.
inline TimeNs next_try(std::int64_t tries, TimeNs created_at, TimeNs now, std::uint64_t random) {
  const std::int64_t doublings = std::clamp<std::int64_t>(tries - 1, 0, 16);
  const DurationNs pause = std::min(kFirstPause << doublings, kMaxPause);
  const DurationNs jitter = static_cast<DurationNs>(random % static_cast<std::uint64_t>(pause / 2)) - pause / 4;
  const TimeNs next = now + pause + jitter;
  return next > created_at + kMaxTrying ? 0 : next;
}

}  // namespace weir
