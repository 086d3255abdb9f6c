// Who may ask the admin API: the token of the policy or the data folder.
//
//   AdminAccess access(Secret("token of the policy"));
//   AdminCaller caller = access.caller_of(presented, now);     // role kNone: unknown
//
// Thread-safe: every request to the admin listener asks it, on a worker's thread.
#pragma once

#include <string_view>

#include "admin/request.h"
#include "base/secret.h"
#include "base/time.h"

namespace weir {

class AdminAccess {
 public:
  // An empty token opens nothing.
  explicit AdminAccess(Secret token) : token_(std::move(token)) {}

  AdminCaller caller_of(std::string_view presented, TimeNs now) const;

 private:
  const Secret token_;  // of the role admin
};

}  // namespace weir
