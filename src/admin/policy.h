// /admin/v1/policy: what holds as one file and in words, what changed, what shadow limits would have refused, and
// putting a draft in force.
//
//   add_policy_routes(router);
//
// See docs/admin-api.md.
#pragma once

#include <string>
#include <vector>

#include "admin/router.h"

namespace weir {

void add_policy_routes(AdminRouter& router);

// Every limit, list of tools and rule of behaviour in a sentence.
std::vector<std::string> policy_in_words(const Policy& policy);

}  // namespace weir
