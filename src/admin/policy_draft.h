// A draft as overrides over the file: what has to be set and taken away so that the draft's limits and tiers hold.
//
//   auto wanted = overrides_of_draft(state, *file_policy, draft_yaml);
//   if (!wanted) return …wanted.error()…;   // it differs in a section that only the file may change
//
// Pure.
#pragma once

#include <string_view>
#include <vector>

#include "admin/overriding.h"
#include "base/result.h"

namespace weir {

// Only those that differ from the overrides there are. Both texts must be valid.
Result<std::vector<WantedOverride>> overrides_of_draft(const PolicyState& state, const Policy& file,
                                                       std::string_view draft);

}  // namespace weir
