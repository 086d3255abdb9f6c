// What a degrade ladder saw of its limit, for those who must explain it.
//
//   if (!row.degraded.empty()) Refusal seen = ladder_state(row.degraded, seen_plan, seen_state, attributes);
//
// A Refusal's numbers, though nothing was refused. Pure; any thread.
#pragma once

#include <string_view>

#include "model/refusal.h"
#include "policy/ruleset.h"

namespace weir {

// Of the limit that `degraded` (a Degradation's header) names first, in its fullest window; `allowed` is the amount
// that rungs are shares of. Without any member if the plan has no such limit.
Refusal ladder_state(std::string_view degraded, const Plan& plan, const Decision& state, const Attributes& attributes);

}  // namespace weir
