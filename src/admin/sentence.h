// One plain sentence (or two) that explains a decision, from its audit row alone.
//
//   sentence_of(row, &ruleset->policy());
//   // "acme-bot had used 48,210 of 50,000 tokens within 1 minute and held 1,100; this request asked for 2,600 more.
//   //  Room again in 31 s."
//
// The policy adds units and windows, if it still has the limit; without one the numbers stand alone. Never any content
// of prompts: rows have none. Names that callers choose are cut to evidence::kMaxShown bytes. Pure; a few microseconds.
#pragma once

#include <string>

#include "model/usage.h"
#include "policy/policy.h"

namespace weir {

std::string sentence_of(const AuditRow& row, const Policy* policy);

}  // namespace weir
