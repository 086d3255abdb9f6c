// What a policy says of agents and their tools, in sentences for `weir explain`.
//
//   for (const std::string& sentence : tool_limits_in_words(policy)) print(sentence);
//   // "high-risk: 5 tool calls per hour and tool, for send_email*, …; then the tool is taken from the request's list"
//
// Pure functions of an immutable policy.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace weir {

// One per limit that counts calls of named tools; `tool`: only those that may count this one. Empty: all.
std::vector<std::string> tool_limits_in_words(const Policy& policy, std::string_view tool = {});
// The first of the names, and how many more.
std::string listed(const std::vector<std::string>& names);
// What a limit does beyond its amount other than refusing: "; then the tool is taken from the request's list".
std::string beyond_in_words(const LimitRule& rule);
// Which tools the tier denies, if any.
std::vector<std::string> tool_lists_in_words(const ToolLists& lists, std::string_view whose);
// `runs`, `breaker`, `profiles`, `trust`: one sentence for each part that does something.
std::vector<std::string> behavior_in_words(const BehaviorRules& rules);

}  // namespace weir
