// Exact counting per period. The engine knows no calendar: the caller says which period contains `now`.
//
//   Assessment a = assess_calendar(cell, t, quota, cost);
//   if (!a.refuses) charge_calendar(*cell, {.at = t, .units = cost, .quota = quota});
//
// Inline: the hot path.
#pragma once

#include <algorithm>

#include "engine/cell.h"

namespace weir::engine {

inline constexpr DurationNs kHour = 3600 * kSecond;
inline constexpr std::uint32_t kHoursMost = 0xFFFF;

inline std::uint32_t seconds_of(TimeNs t) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(t / kSecond, 0, 0xFFFF'FFFF));
}

// Counted from the second in which the period begins, as cells are, so that they never end before it.
inline std::uint32_t hours_of(const Quota& quota) {
  const TimeNs start = std::int64_t{seconds_of(quota.period_start)} * kSecond;
  const DurationNs length = std::max<DurationNs>(quota.period_end - start, 0);
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>((length + kHour - 1) / kHour, 1, kHoursMost));
}

// The period that counts at `t`: the cell's own, or a new one that starts empty.
inline std::uint32_t period_at(const CalendarCell* cell, TimeNs t, const Quota& quota) {
  if (t < quota.period_end) {
    const std::uint32_t start = seconds_of(quota.period_start);
    return cell != nullptr && cell->period_s >= start ? cell->period_s : start;
  }
  // The quota's period is over at `t`, and the one of `t` is not known: any instant in it can name it.
  const std::uint32_t now_s = seconds_of(t);
  if (cell == nullptr || cell->period_s < seconds_of(quota.period_end)) return now_s;
  // The cell may begin in the middle of its period, which then ends before its length is over. Where hours begin is
  // known, because they are equally long.
  if (quota.period_end - quota.period_start == kHour) {
    return cell->period_s < seconds_of(t - (t - quota.period_end) % kHour) ? now_s : cell->period_s;
  }
  const std::int64_t cell_end = std::int64_t{cell->period_s} + std::int64_t{cell->hours()} * 3600;
  return now_s >= cell_end ? now_s : cell->period_s;
}

[[gnu::always_inline]] inline Assessment assess_calendar(const CalendarCell* cell, TimeNs t, const Quota& quota,
                                                         std::int64_t cost) {
  Assessment result;
  const std::uint32_t period = period_at(cell, t, quota);
  if (cell != nullptr && cell->period_s == period) {
    result.total = cell->total();
    result.open = cell->open();
  }
  result.refuses = result.total + cost > quota.amount;
  if (result.refuses) result.retry_at = cost > quota.amount ? kNever : quota.period_end;
  if (result.total > 0) result.reset_at = quota.period_end;
  return result;
}

[[gnu::always_inline]] inline Booked charge_calendar(CalendarCell& cell, const Booking& booking) {
  const std::uint32_t period = period_at(&cell, booking.at, booking.quota);
  if (cell.period_s != period || cell.hours() == 0) cell.reset(period, hours_of(booking.quota));
  const std::int64_t amount = bookable(cell.total(), booking.units);
  cell.set_total(cell.total() + amount);
  if (booking.hold) cell.set_open(cell.open() + bookable(cell.open(), booking.units));
  return {.amount = amount, .at = cell.period_s, .period_start = std::int64_t{cell.period_s} * kSecond};
}

}  // namespace weir::engine
