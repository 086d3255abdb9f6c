// /admin/v1/health, /admin/v1/reload and /admin/v1/openapi.json: the running server.
#pragma once

#include <span>
#include <string>

#include "admin/router.h"

namespace weir {

void add_server_routes(AdminRouter& router);

// [{"line","column","error","message"}], for answers of status 422.
void append_diagnostics_json(std::span<const Diagnostic> diagnostics, std::string& out);
// 422: a policy that is not valid, and why.
Reply admin_invalid_policy(std::string message, std::span<const Diagnostic> diagnostics);

}  // namespace weir
