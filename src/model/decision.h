// What is kept of a hold of the decision API after it is over, so that repeats get the same answer again.
//
//   journal.settle_hold(row, closed, effects);
//   store.closed_decisions(since, [&](const ClosedDecision& closed) { … });
//
// Values; immutable once journalled.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "weir/types.h"

namespace weir {

// The route of decision holds in the ledger. A later row of the same hold replaces the earlier one there: a hold that
// was settled after it had expired.
inline constexpr std::string_view kDecisionRoute = "/weir/v1/admit";

enum class ClosedHow : std::uint8_t { kSettled, kCancelled, kExpired };

struct ClosedDecision {
  Hash128 id;
  TimeNs at = 0;
  ClosedHow how = ClosedHow::kSettled;
  std::string admitted;  // body of the answer to the admission
  std::string answer;    // body of the answer that closed it
  bool operator==(const ClosedDecision&) const = default;
};

}  // namespace weir
