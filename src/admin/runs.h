// /admin/v1/runs: agents' runs as the ledger and the guard know them, and one run as a tree of its requests.
//
//   add_run_routes(router);
//
// Limit: the last kMaxQueryPage requests of a run and as many audit rows about it.
#pragma once

#include "admin/router.h"

namespace weir {

void add_run_routes(AdminRouter& router);

}  // namespace weir
