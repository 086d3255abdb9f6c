// Time as plain numbers. Nobody below src/net reads a clock: `now` is always an argument.
#pragma once

#include <cstdint>
#include <string>

#include "weir/types.h"

namespace weir {

inline constexpr DurationNs kMicrosecond = 1'000;
inline constexpr DurationNs kMillisecond = 1'000'000;
inline constexpr DurationNs kSecond = 1'000'000'000;
inline constexpr DurationNs kMinute = 60 * kSecond;
inline constexpr DurationNs kHour = 60 * kMinute;
inline constexpr DurationNs kDay = 24 * kHour;

// RFC 3339 in UTC: "2026-11-20T10:00:00Z", with `digits` (0 to 9) fractional digits.
std::string format_rfc3339(TimeNs at, int digits = 0);

// IMF-fixdate of RFC 9110 section 5.6.7: "Fri, 20 Nov 2026 10:00:00 GMT".
std::string format_http_date(TimeNs at);

}  // namespace weir
