// /admin/v1/spend/forecast: what a day, week or month will have cost (admin/forecast.h has the formula).
//
//   add_spend_routes(router);
#pragma once

#include "admin/router.h"

namespace weir {

void add_spend_routes(AdminRouter& router);

}  // namespace weir
