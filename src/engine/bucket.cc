// Token bucket as GCRA (Turner 1986; ITU-T I.371): with f = RateScale::span, a cost c is admitted at t iff
// max(arrival, t) + f(c) - t <= f(burst). Starting from max(arrival, t) and not from any earlier instant is what keeps
// an idle bucket from holding more than its burst.
#include <algorithm>

#include "engine/windows.h"

namespace weir::engine {

Assessment assess_bucket(const BucketCell* cell, TimeNs t, const Quota& quota, std::int64_t cost,
                         std::int64_t pending) {
  const RateScale& scale = RateScale::of(quota.rate);
  const std::int64_t burst = quota.amount;
  const DurationNs burst_ns = scale.span(burst);
  const DurationNs need = scale.span(cost + pending);
  const DurationNs ahead = cell == nullptr ? 0 : std::max<DurationNs>(cell->arrival - t, 0);
  const DurationNs room = burst_ns - ahead;

  Assessment result;
  if (cell != nullptr) result.open = cell->open;
  std::int64_t remaining = burst;
  if (ahead > 0) {
    remaining = room > 0 ? scale.units_within(room, burst) : 0;
    result.total = burst - remaining;
    if (room < 0) {
      std::int64_t debt = scale.units_within(-room, kMaxTotal - burst);
      if (scale.span(debt) < -room) ++debt;
      result.total = burst + debt;
    }
  }
  result.refuses = need > room || cost + pending > burst;
  if (result.refuses) {
    result.retry_at = cost + pending > burst ? kNever : add_saturating(t, need - room);
  }
  if (remaining < burst) result.reset_at = add_saturating(t, ahead - (burst_ns - scale.span(remaining + 1)));
  return result;
}

Booked charge_bucket(BucketCell& cell, const Booking& booking) {
  const RateScale& scale = RateScale::of(booking.quota.rate);
  DurationNs span = scale.span(booking.units + booking.pending);
  if (booking.pending > 0) span -= scale.span(booking.pending);
  cell.arrival = add_saturating(std::max(cell.arrival, booking.at), span);
  if (booking.hold) cell.open = add_saturating(cell.open, bookable(cell.open, booking.units));
  return {.amount = span, .at = booking.at};
}

DurationNs give_back_span(BucketCell& cell, TimeNs t, DurationNs span) {
  if (cell.arrival <= t) return 0;
  const DurationNs taken = std::min(span, cell.arrival - t);
  cell.arrival -= taken;
  return taken;
}

}  // namespace weir::engine
