// /admin/v1/welcome and /admin/v1/try: the first run, from a key and a call to a limit that bites.
#pragma once

#include "admin/router.h"

namespace weir {

inline constexpr std::int64_t kMaxTries = 50;

void add_welcome_routes(AdminRouter& router);

}  // namespace weir
