// Token bucket as GCRA (Turner 1986; ITU-T I.371): with f = RateScale::span, a cost c is admitted at t iff
// max(arrival, t) + f(c) - t <= f(burst). Starting from max(arrival, t) and not from any earlier instant is what keeps
// an idle bucket from holding more than its burst.
//
//   Assessment a = assess_bucket(cell, t, quota, cost, 0);
//   if (!a.refuses) charge_bucket(*cell, {.at = t, .units = cost, .span = a.span, .quota = quota});
//
// Inline: the hot path.
#pragma once

#include <algorithm>

#include "engine/cell.h"
#include "engine/rate_scale.h"

namespace weir::engine {

// What is used beyond the burst once the bucket is `over` nanoseconds behind.
std::int64_t bucket_debt(const RateScale& scale, DurationNs over, std::int64_t burst);

[[gnu::always_inline]] inline Assessment assess_bucket(const BucketCell* cell, TimeNs t, const Quota& quota,
                                                       std::int64_t cost, std::int64_t pending) {
  const std::int64_t burst = quota.amount;
  const RateScale& scale = RateScale::of(quota.rate, burst);
  const std::int64_t wanted = cost + pending;
  const DurationNs burst_ns = scale.burst_span();
  const DurationNs ahead = cell == nullptr ? 0 : std::max<DurationNs>(cell->arrival - t, 0);
  const DurationNs room = burst_ns - ahead;

  Assessment result;
  result.span = scale.span(wanted);
  if (cell != nullptr) result.open = cell->open;
  if (ahead > 0) {
    DurationNs next_span = scale.unit_span();
    const std::int64_t remaining = room > 0 ? scale.units_within(room, burst, burst_ns, next_span) : 0;
    result.total = room < 0 ? burst + bucket_debt(scale, -room, burst) : burst - remaining;
    if (remaining < burst) result.reset_at = add_saturating(t, ahead - (burst_ns - next_span));
  }
  result.refuses = result.span > room || wanted > burst;
  if (result.refuses) result.retry_at = wanted > burst ? kNever : add_saturating(t, result.span - room);
  return result;
}

[[gnu::always_inline]] inline Booked charge_bucket(BucketCell& cell, const Booking& booking) {
  DurationNs span = booking.span;
  if (booking.pending > 0) span -= RateScale::of(booking.quota.rate).span(booking.pending);
  cell.arrival = add_saturating(std::max(cell.arrival, booking.at), span);
  if (booking.hold) cell.open = add_saturating(cell.open, bookable(cell.open, booking.units));
  return {.amount = span, .at = booking.at};
}

}  // namespace weir::engine
