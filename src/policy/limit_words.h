// A limit in one sentence, whoever calls.
//
//   words_of(rule);   // "tokens: 50,000 tokens in any 1 minute, for tier pro 200,000 tokens in any 1 minute; per
//   caller"
//
// Pure functions of an immutable policy.
#pragma once

#include <string>
#include <vector>

#include "policy/policy.h"

namespace weir {

std::string words_of(const LimitRule& rule);
// Every limit, list of tools and rule of behaviour in a sentence.
std::vector<std::string> policy_in_words(const Policy& policy);

}  // namespace weir
