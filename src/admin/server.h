// /admin/v1/health, /admin/v1/reload and /admin/v1/openapi.json: the running server.
#pragma once

#include "admin/router.h"

namespace weir {

void add_server_routes(AdminRouter& router);

}  // namespace weir
