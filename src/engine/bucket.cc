#include "engine/bucket.h"

namespace weir::engine {

std::int64_t bucket_debt(const RateScale& scale, DurationNs over, std::int64_t burst) {
  const std::int64_t most = kMaxTotal - burst;
  DurationNs next_span = 0;
  std::int64_t debt = scale.units_within(over, most, scale.span(most), next_span);
  if (debt < most && scale.span(debt) < over) ++debt;
  return debt;
}

DurationNs give_back_span(BucketCell& cell, TimeNs t, DurationNs span) {
  if (cell.arrival <= t) return 0;
  const DurationNs taken = std::min(span, cell.arrival - t);
  cell.arrival -= taken;
  return taken;
}

}  // namespace weir::engine
