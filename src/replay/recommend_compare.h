// The limits of a policy beside recorded use: what to tighten, what to loosen, and why.
//
//   for (const LimitFinding& finding : compare(*policy, book)) …finding.verdict, finding.why…
//
// A limit fits while its amount is 4 to 10 times the p95 of what callers of a tier and kind use in its window. Judged
// are limits per caller, key or user of requests, tokens, usd or runs over a minute, an hour or a day; of a bucket its
// burst, against a minute's use. Everything else is listed once, with the reason why it is not judged. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "replay/recommend_use.h"

namespace weir {

enum class LimitVerdict : std::uint8_t { kFits, kTighten, kLoosen, kNotJudged };
const char* to_string(LimitVerdict verdict);  // "fits", "tighten", "loosen", "not judged"

struct LimitFinding {
  std::string limit, tier, kind, window;  // of one that is not judged: only its name
  LimitVerdict verdict = LimitVerdict::kFits;
  std::string allowed, proposed;  // as the policy writes amounts; proposed: of kTighten and kLoosen
  std::int64_t p95 = 0;           // usd in micro-dollars
  std::string why;                // a sentence
};

std::vector<LimitFinding> compare(const Policy& policy, const UseBook& book);

}  // namespace weir
