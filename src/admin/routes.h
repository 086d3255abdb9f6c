// The calls of the admin API, one function per resource; what each takes and answers is in openapi/.
//
//   AdminRouter router(host);
//   add_key_routes(router);
//   add_limit_routes(router);
//
// To be called before the router's first call. Bounds of what a call takes stand beside it.
#pragma once

#include "admin/router.h"

namespace weir {

void add_alert_routes(AdminRouter& router);
void add_audit_routes(AdminRouter& router);
void add_breaker_routes(AdminRouter& router);
void add_key_routes(AdminRouter& router);
void add_key_limit_routes(AdminRouter& router);
void add_limit_routes(AdminRouter& router);
void add_live_routes(AdminRouter& router);
void add_policy_routes(AdminRouter& router);
void add_run_routes(AdminRouter& router);
void add_server_routes(AdminRouter& router);
void add_session_routes(AdminRouter& router);
void add_spend_routes(AdminRouter& router);
void add_tenant_routes(AdminRouter& router);
void add_tier_routes(AdminRouter& router);
void add_usage_routes(AdminRouter& router);
void add_welcome_routes(AdminRouter& router);
void add_what_if_routes(AdminRouter& router);

// Every call there is.
inline void add_all_routes(AdminRouter& router) {
  for (void (*add)(AdminRouter&) :
       {add_session_routes, add_server_routes, add_welcome_routes, add_key_routes, add_breaker_routes, add_run_routes,
        add_usage_routes, add_audit_routes, add_spend_routes, add_limit_routes, add_tier_routes, add_tenant_routes,
        add_policy_routes, add_what_if_routes, add_alert_routes, add_live_routes}) {
    add(router);
  }
}

}  // namespace weir
