// /admin/v1/keys: consumers, their keys, and what holds for one of them now.
#pragma once

#include "admin/router.h"

namespace weir {

void add_key_routes(AdminRouter& router);
void add_key_limit_routes(AdminRouter& router);  // keys_limits.cc

}  // namespace weir
