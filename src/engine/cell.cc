#include "engine/cell.h"

#include <algorithm>
#include <cstring>

#include "engine/windows.h"

namespace weir::engine {
namespace {

const LogCell& as_log(const Cell& cell) {
  return static_cast<const LogCell&>(cell);
}
const RingCell& as_ring(const Cell& cell) {
  return static_cast<const RingCell&>(cell);
}

}  // namespace

Shape new_shape(const Def& def, std::int64_t amount) {
  switch (def.kind) {
    case WindowKind::kBucket:
      return Shape::kBucket;
    case WindowKind::kCalendar:
      return Shape::kCalendar;
    case WindowKind::kConcurrency:
      return Shape::kGauge;
    case WindowKind::kSliding:
      break;
  }
  if (amount <= kLogAmount) return Shape::kLog;
  return amount < kRing32Amount ? Shape::kRing32 : Shape::kRing64;
}

std::size_t new_cell_bytes(const Def& def, Shape shape) {
  switch (shape) {
    case Shape::kBucket:
      return sizeof(BucketCell);
    case Shape::kCalendar:
      return sizeof(CalendarCell);
    case Shape::kGauge:
      return sizeof(GaugeCell);
    case Shape::kLog:
      return sizeof(LogCell) + 2 * sizeof(Charge);
    case Shape::kRing32:
      return ring_bytes(def.buckets, sizeof(std::uint32_t));
    case Shape::kRing64:
      break;
  }
  return ring_bytes(def.buckets, sizeof(std::uint64_t));
}

void init(const Def& def, Cell& cell, Shape shape, std::size_t bytes) {
  std::memset(static_cast<void*>(&cell), 0, bytes);
  cell.tag = Cell::tag_of(def.id, shape);
  if (shape == Shape::kLog) {
    static_cast<LogCell&>(cell).capacity = static_cast<std::uint16_t>((bytes - sizeof(LogCell)) / sizeof(Charge));
  } else if (shape == Shape::kRing32 || shape == Shape::kRing64) {
    static_cast<RingCell&>(cell).buckets = def.buckets;
  }
}

std::int64_t give_back(const Def& def, Cell& cell, TimeNs t, const Charge& charge) {
  switch (cell.shape()) {
    case Shape::kLog:
      return give_back_log(def, static_cast<LogCell&>(cell), t, charge);
    case Shape::kRing32:
    case Shape::kRing64:
      return give_back_ring(def, static_cast<RingCell&>(cell), t, charge);
    case Shape::kCalendar: {
      auto& calendar = static_cast<CalendarCell&>(cell);
      if (std::int64_t{calendar.period_s} != charge.at) return 0;
      const std::int64_t taken = std::min(calendar.total(), charge.amount);
      calendar.set_total(calendar.total() - taken);
      return taken;
    }
    default:
      return 0;
  }
}

void close_hold(Cell& cell, std::int64_t units, TimeNs period_s) {
  const auto less = [units](std::int64_t open) { return std::max<std::int64_t>(open - units, 0); };
  switch (cell.shape()) {
    case Shape::kBucket:
      static_cast<BucketCell&>(cell).open = less(static_cast<BucketCell&>(cell).open);
      break;
    case Shape::kGauge:
      static_cast<GaugeCell&>(cell).in_flight = less(static_cast<GaugeCell&>(cell).in_flight);
      break;
    case Shape::kLog:
      static_cast<LogCell&>(cell).open = less(static_cast<LogCell&>(cell).open);
      break;
    case Shape::kRing32:
    case Shape::kRing64:
      static_cast<RingCell&>(cell).open = less(static_cast<RingCell&>(cell).open);
      break;
    case Shape::kCalendar: {
      auto& calendar = static_cast<CalendarCell&>(cell);
      if (std::int64_t{calendar.period_s} == period_s) calendar.set_open(less(calendar.open()));
      break;
    }
  }
}

bool is_dead(const Def& def, const Cell& cell, TimeNs t) {
  switch (cell.shape()) {
    case Shape::kBucket: {
      const auto& bucket = static_cast<const BucketCell&>(cell);
      return bucket.arrival <= t && bucket.open == 0;
    }
    case Shape::kCalendar: {
      // Holds of a period that is over count nowhere, so they keep nothing alive.
      const auto& calendar = static_cast<const CalendarCell&>(cell);
      if (calendar.total() == 0 && calendar.open() == 0) return true;
      const std::int64_t end_s = std::int64_t{calendar.period_s} + std::int64_t{calendar.hours()} * 3600;
      return calendar.hours() < 0xFFFF && t / kSecond >= end_s;
    }
    case Shape::kGauge:
      return static_cast<const GaugeCell&>(cell).in_flight == 0;
    case Shape::kLog: {
      const LogCell& log = as_log(cell);
      return log.open == 0 && (log.count == 0 || log.entries()[log.count - 1].at + def.window <= t);
    }
    case Shape::kRing32:
    case Shape::kRing64:
      break;
  }
  return as_ring(cell).open == 0 && ring_total(def, as_ring(cell), t) == 0;
}

bool is_dead_once_converted(const Def& from, const Def& to, const Cell& cell, TimeNs newest, TimeNs t) {
  if (open_holds(cell) != 0) return false;
  const bool log = cell.shape() == Shape::kLog;
  const std::vector<Charge> charges = contents(from, cell, newest);
  return std::all_of(charges.begin(), charges.end(), [&](const Charge& charge) {
    return (log ? charge.at + to.window : (to.bucket_of(charge.at) + to.buckets) * to.width) <= t;
  });
}

std::vector<Charge> contents(const Def& def, const Cell& cell, TimeNs newest) {
  if (cell.shape() == Shape::kLog) return {as_log(cell).entries(), as_log(cell).entries() + as_log(cell).count};
  return ring_contents(def, as_ring(cell), newest);
}

std::int64_t open_holds(const Cell& cell) {
  return cell.shape() == Shape::kLog ? as_log(cell).open : as_ring(cell).open;
}

void book_past(const Def& def, Cell& cell, const Charge& charge) {
  if (cell.shape() == Shape::kLog) {
    insert_log(def, static_cast<LogCell&>(cell), charge);
  } else {
    insert_ring(def, static_cast<RingCell&>(cell), charge);
  }
}

void set_open_holds(Cell& cell, std::int64_t open) {
  (cell.shape() == Shape::kLog ? static_cast<LogCell&>(cell).open : static_cast<RingCell&>(cell).open) = open;
}

}  // namespace weir::engine
