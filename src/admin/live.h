// GET /admin/v1/live: the last minutes second by second.
#pragma once

#include "admin/router.h"

namespace weir {

void add_live_routes(AdminRouter& router);

}  // namespace weir
