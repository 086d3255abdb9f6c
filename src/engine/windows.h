// The kinds of windows behind cell.h, inline for the hot path: what one demand means for its cell.
#pragma once

#include "engine/bucket.h"
#include "engine/calendar.h"
#include "engine/cell.h"
#include "engine/ring.h"

namespace weir::engine {

Assessment assess_log(const Def& def, const LogCell* cell, TimeNs t, std::int64_t amount, std::int64_t cost);
Booked charge_log(const Def& def, LogCell& cell, const Booking& booking);
std::int64_t give_back_log(const Def& def, LogCell& cell, TimeNs t, const Charge& charge);
void insert_log(const Def& def, LogCell& cell, const Charge& charge);

inline Assessment assess_gauge(const GaugeCell* cell, TimeNs t, std::int64_t amount, std::int64_t cost) {
  Assessment result;
  if (cell != nullptr) result.total = result.open = cell->in_flight;
  result.refuses = result.total + cost > amount;
  if (result.refuses) result.retry_at = cost > amount ? kNever : t + kConcurrencyRetry;
  return result;
}

// `pending`: units that the same request will book on this cell first. No cell: nothing was counted yet.
[[gnu::always_inline]] inline Assessment assess(const Def& def, const Cell* cell, TimeNs t, const Quota& quota,
                                                std::int64_t cost, std::int64_t pending) {
  switch (def.kind) {
    case WindowKind::kBucket:
      return assess_bucket(static_cast<const BucketCell*>(cell), t, quota, cost, pending);
    case WindowKind::kCalendar:
      return assess_calendar(static_cast<const CalendarCell*>(cell), t, quota, cost + pending);
    case WindowKind::kConcurrency:
      return assess_gauge(static_cast<const GaugeCell*>(cell), t, quota.amount, cost + pending);
    case WindowKind::kSliding:
      break;
  }
  if (cell == nullptr || cell->shape() == Shape::kLog) {
    return assess_log(def, static_cast<const LogCell*>(cell), t, quota.amount, cost + pending);
  }
  return assess_ring(def, static_cast<const RingCell&>(*cell), t, quota.amount, cost + pending);
}

// True if charge() can book this without more room or another shape.
inline bool fits(const Def& def, const Cell& cell, TimeNs t, std::int64_t units, std::int64_t amount) {
  if (cell.shape() == Shape::kRing32) {
    return amount < kRing32Amount && static_cast<const RingCell&>(cell).sum + units <= kRing32Most;
  }
  if (cell.shape() != Shape::kLog) return true;
  const auto& log = static_cast<const LogCell&>(cell);
  if (amount > kLogAmount) return false;
  if (log.count < log.capacity) return true;
  return log.entries()[log.count - 1].at == t || log.entries()[0].at + def.window <= t;
}

[[gnu::always_inline]] inline Booked charge(const Def& def, Cell& cell, const Booking& booking) {
  switch (cell.shape()) {
    case Shape::kBucket:
      return charge_bucket(static_cast<BucketCell&>(cell), booking);
    case Shape::kCalendar:
      return charge_calendar(static_cast<CalendarCell&>(cell), booking);
    case Shape::kGauge: {
      auto& gauge = static_cast<GaugeCell&>(cell);
      gauge.in_flight += bookable(gauge.in_flight, booking.units);
      return {.amount = booking.units, .at = booking.at};
    }
    case Shape::kLog:
      return charge_log(def, static_cast<LogCell&>(cell), booking);
    case Shape::kRing32:
    case Shape::kRing64:
      break;
  }
  return charge_ring(def, static_cast<RingCell&>(cell), booking);
}

}  // namespace weir::engine
