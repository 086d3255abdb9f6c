#include "model/admin_token.h"

namespace weir {

const char* to_string(AdminRole role) {
  switch (role) {
    case AdminRole::kNone:
      return "none";
    case AdminRole::kViewer:
      return "viewer";
    case AdminRole::kAdmin:
      break;
  }
  return "admin";
}

}  // namespace weir
