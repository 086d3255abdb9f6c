// /admin/v1/tiers: what a tier weighs, which tools it may use, and its amounts of every limit.
//
//   add_tier_routes(router);
//
// See docs/admin-api.md.
#pragma once

#include "admin/router.h"

namespace weir {

void add_tier_routes(AdminRouter& router);

}  // namespace weir
