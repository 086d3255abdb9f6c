// A call of the admin API as its handlers see it: who asks, what for. Values; the token was checked before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/admin_token.h"

namespace weir {

struct AdminCaller {
  std::string name;  // of the token, for the audit: "admin" for the one of the policy or the data folder
  AdminRole role = AdminRole::kNone;
  TimeNs expires_at = 0;      // of the token or session; 0: never
  std::uint64_t session = 0;  // which session was shown; 0: none
};

inline constexpr std::size_t kMaxAdminBody = 256 << 10;

struct AdminRequest {
  std::string method;  // GET also for HEAD
  std::string path;    // "/admin/v1/keys/alice", still percent-encoded
  std::string query;   // without the question mark, still percent-encoded
  std::string body;
  std::string if_match;  // the header, empty: not sent
  std::string peer;      // address of the client
  AdminCaller caller;
  std::vector<std::string> names;  // what stands for {…} in the route's path, decoded; filled in by the router
};

}  // namespace weir
