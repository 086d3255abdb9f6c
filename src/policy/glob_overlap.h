// Whether two globs accept a common text: "gpt-*" and "*-mini" do, "gpt-*" and "claude-*" do not. Pure.
#pragma once

#include <string_view>

namespace weir {

// Time and memory grow with the product of the lengths, which is at most 256 x 256 for values in a policy.
bool globs_overlap(std::string_view a, std::string_view b);

}  // namespace weir
