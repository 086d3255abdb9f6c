// /admin/v1/policy/what-if: a replay of the last hours under a draft, on the thread for long work.
//
//   add_what_if_routes(router);
//
// One at a time; an answer is kept for kWhatIfKept. See docs/admin-api.md.
#pragma once

#include "admin/router.h"

namespace weir {

inline constexpr DurationNs kWhatIfKept = 10 * kMinute;
inline constexpr std::size_t kMaxWhatIfsKept = 8;

void add_what_if_routes(AdminRouter& router);

}  // namespace weir
