// A token of the admin API as the store keeps it: never the token itself.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace weir {

enum class AdminRole : std::uint8_t { kNone, kViewer, kAdmin };  // each may what those before it may
const char* to_string(AdminRole role);                           // "none", "viewer", "admin"

struct AdminToken {
  std::string name;  // for the audit
  AdminRole role = AdminRole::kViewer;
  TimeNs created_at = 0;
  TimeNs expires_at = 0;  // 0: never

  bool expired(TimeNs now) const { return expires_at != 0 && expires_at <= now; }
};

}  // namespace weir
