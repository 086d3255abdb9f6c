// /admin/v1/audit…: every refusal and other event, each with the sentence that explains it, and sums of them.
//
//   add_audit_routes(router);
#pragma once

#include "admin/router.h"

namespace weir {

inline constexpr std::size_t kMaxAuditSums = 1000;  // groups of one answer, the largest

void add_audit_routes(AdminRouter& router);

}  // namespace weir
