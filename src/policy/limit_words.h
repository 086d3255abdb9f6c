// A limit in one sentence, whoever calls; what is wrong with a tier.
//
//   words_of(rule);   // "tokens: 50,000 tokens in any 1 minute, for tier pro 200,000 tokens in any 1 minute; per
//   caller"
//
// Pure functions of an immutable policy.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace weir {

std::string words_of(const LimitRule& rule);
// Every limit, list of tools and rule of behaviour in a sentence.
std::vector<std::string> policy_in_words(const Policy& policy);

// Why a key cannot have this tier: it is none of the policy's. Nothing if it is, or empty, which is the default tier.
std::optional<std::string> unknown_tier(std::string_view tier, const Policy& policy);

}  // namespace weir
