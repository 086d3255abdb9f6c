// calendar_period with a per-thread cache, for the request path. A time zone lookup costs microseconds; a hit here some
// nanoseconds, because a period answers every instant inside it.
//
//   Result<Period> period = cached_calendar_period("day", "Europe/Berlin", now, std::nullopt);
//
// Safe from any thread: the cache is the thread's own, bounded (kMaxCachedPeriods), and holds no more than pure
// answers.
#pragma once

#include "policy/policy.h"

namespace weir {

inline constexpr std::size_t kMaxCachedPeriods = 256;

Result<Period> cached_calendar_period(std::string_view word, const std::string& zone, TimeNs now,
                                      std::optional<TimeNs> anchor);

// "00:00" when `at` is within a day of `now`, else "2026-12-01 00:00": local time of the zone (UTC if it is unknown).
std::string format_local(TimeNs at, TimeNs now, const std::string& zone);

}  // namespace weir
