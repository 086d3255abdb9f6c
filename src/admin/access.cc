#include "admin/access.h"

namespace weir {

AdminCaller AdminAccess::caller_of(std::string_view presented, TimeNs) const {
  if (token_.matches(presented)) return {.name = "admin", .role = AdminRole::kAdmin};
  return {};
}

}  // namespace weir
