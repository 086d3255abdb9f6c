// The state of limits as callers see it: the `limits` array of `GET /weir/v1/me` (and later of the decision API).
#pragma once

#include <string>

#include "policy/ruleset.h"

namespace weir {

// Appends [{"name","layer","meter","window","allowed","used","reserved","remaining","reset_at"}, …]; dollars as
// decimals.
void append_limits_json(const Plan& plan, const Decision& decision, TimeNs now, std::string& out);

}  // namespace weir
