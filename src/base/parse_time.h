// Instants as people and files write them; format_rfc3339() is the way back.
//
//   std::optional<TimeNs> at = parse_rfc3339("2026-11-20T10:00:00.250+01:00");
//
// Pure. What lies beyond the first or last instant that there is, is that one.
#pragma once

#include <optional>
#include <string_view>

#include "base/time.h"

namespace weir {

// "2026-11-20T10:00:00[.123](Z|+01:00)", or the date alone.
std::optional<TimeNs> parse_rfc3339(std::string_view text);

}  // namespace weir
