// What a draft would have done with the last hours: the ledger's rows, and what was refused, go through the policy in
// force and through the draft, each in its own limiter.
//
//   Result<WhatIfResult> result = run_what_if(store, {.current = now, .draft = draft, .from = a, .until = b},
//                                             [&](double done) { return !cancelled; });
//
// Belongs to one thread. Limits: kMaxWhatIfRows rows, kMaxWhatIfKeys keys remembered.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "policy/policy.h"
#include "records/store.h"

namespace weir {

inline constexpr std::int64_t kMaxWhatIfRows = 2'000'000;
inline constexpr std::size_t kMaxWhatIfKeys = 100'000;      // whose latest request is remembered
inline constexpr std::size_t kMaxWhatIfChanges = 10'000;    // pairs of key and limit that are told apart
inline constexpr std::int64_t kMaxWhatIfRefused = 500'000;  // refused requests

struct WhatIfSums {
  std::int64_t allowed = 0, degraded = 0, refused = 0;  // every row is one of them
};

struct WhatIfResult {
  using Changes = std::map<std::pair<std::string, std::string>, std::int64_t>;  // key, limit
  std::int64_t rows = 0;
  TimeNs from = 0, until = 0;
  WhatIfSums current, draft;
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> limits;  // refusals: current, draft
  Changes newly_refused;                                                // by the draft's limit
  Changes newly_allowed;                                                // by the limit that refused until now
  std::string note;                                                     // what is approximated
};

struct WhatIfQuestion {
  std::shared_ptr<const Policy> current, draft;
  TimeNs from = 0, until = 0;
  std::int64_t most_rows = kMaxWhatIfRows;
};

// `go_on` is asked every few hundred rows with the share that is done; false ends it with an error.
Result<WhatIfResult> run_what_if(Store& store, const WhatIfQuestion& question,
                                 const std::function<bool(double)>& go_on);

std::string what_if_json(const WhatIfResult& result);

}  // namespace weir
