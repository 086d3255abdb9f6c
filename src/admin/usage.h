// /admin/v1/usage…: rows of the ledger, sums and series.
//
//   add_usage_routes(router);
#pragma once

#include "admin/router.h"

namespace weir {

inline constexpr std::size_t kMaxTopGroups = 1000, kMaxTopSeries = 50;  // `top` of sums and of series

void add_usage_routes(AdminRouter& router);

}  // namespace weir
