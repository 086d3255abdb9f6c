// /admin/v1/alerts: what the rules say, what fires or fired, who is told and whether it arrives.
//
//   GET  /admin/v1/alerts?state=firing|resolved|all   {"rules": […], "alerts": […], "targets": […]}
//   POST /admin/v1/alerts/test {"target"?}            {"results": [{"target", "ok", "status", "detail"}]}
//
// Addresses of targets come from weir.yaml only and are never shown: their paths may be credentials. Limit:
// kMaxAlertsShown alerts, the newest.
#pragma once

#include <string>

#include "admin/router.h"
#include "records/store.h"

namespace weir {

inline constexpr std::size_t kMaxAlertsShown = 500;

std::string stored_alert_json(const StoredAlert& stored);  // also of `weir alerts list --json`
}  // namespace weir
