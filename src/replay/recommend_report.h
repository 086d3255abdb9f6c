// What `weir recommend` says, for programs and for weir.yaml. (The table for people is the command's.)
//
//   Recommendation r{.policy = *policy, .book = book, .trial = *trial, .notes = notes_on(…), .current = compare(…)};
//   out << recommendation_json(r);                   // one object per line
//   out << recommendation_yaml(r);                   // a `limits:` section with comments
//
// Pure functions.
#pragma once

#include <string>
#include <vector>

#include "replay/recommend_compare.h"
#include "replay/recommend_exclusions.h"
#include "replay/recommend_trial.h"

namespace weir {

inline constexpr DurationNs kEnoughSeen = 7 * kDay;   // less has not seen every day of a week
inline constexpr std::int64_t kEnoughConsumers = 20;  // of fewer, p95 over consumers is one consumer's habit

struct Recommendation {
  const Policy& policy;
  const UseBook& book;
  const Trial& trial;
  std::int64_t excluded = 0;  // requests
  std::vector<std::string> notes;
  std::vector<LimitFinding> current;  // empty: not asked for
};

// What a reader must know before believing the figures: sentences.
std::vector<std::string> notes_on(const Policy& policy, const UseBook& book, const Trial& trial,
                                  const Exclusions& exclusions, std::int64_t excluded);

std::string counted(std::int64_t count, std::string_view what);  // "1 request", "2,000 requests"
std::string recommendation_json(const Recommendation& r);
std::string recommendation_yaml(const Recommendation& r);

}  // namespace weir
