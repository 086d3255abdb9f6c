// /admin/v1/tenants: who they are, what they used, and the zone of their calendar windows.
//
//   add_tenant_routes(router);
//
// See docs/admin-api.md.
#pragma once

#include "admin/router.h"

namespace weir {

void add_tenant_routes(AdminRouter& router);

}  // namespace weir
