// What alerts say to people.
//
//   rule_words(rule);   // "a key uses 5 times its own baseline of tokens within 1m, and at least 10,000"
//
// Pure functions.
#pragma once

#include <string>

#include "model/alert.h"
#include "model/alert_rules.h"

namespace weir {

std::string rule_words(const AlertRule& rule);
std::string duration_words(DurationNs time);  // "90s", "5m", "4h", "2d": at most two units, rounded down
std::string amount_words(AlertRule::Meter meter, std::int64_t amount);  // "1,200 tokens", "$2.50"
// "over after 12m: limit spend of key ann"
std::string over_words(const Alert& alert);

}  // namespace weir
