// Cells: what a subject's record keeps per counter, self-describing so that a record can be walked without its
// counters.
//
//   Assessment a = assess(def, cell, t, quota, cost, 0);     // windows.h; cell may be nullptr: nothing was counted yet
//   if (!a.refuses) charge(def, *cell, {.at = t, .units = cost, .span = a.span, .hold = true, .quota = quota});
//
// A sliding counter is an exact log while its amount is at most kLogAmount, else a conservative ring of precision + 1
// buckets, 32 bit wide while the amount is below 2^31, else 64. Shapes only ever change in that direction.
// Not thread-safe: the caller holds the stripe of the record.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/counter_defs.h"

namespace weir::engine {

enum class Shape : std::uint32_t { kBucket, kCalendar, kGauge, kLog, kRing32, kRing64 };

inline constexpr std::int64_t kLogAmount = 32;
inline constexpr std::uint16_t kLogEntries = 32;
inline constexpr std::int64_t kRing32Amount = std::int64_t{1} << 31;
inline constexpr std::int64_t kRing32Most = 0xFFFF'FFFF;
inline constexpr DurationNs kConcurrencyRetry = kSecond;  // nobody knows when a slot will be free

struct Cell {
  std::uint32_t tag;  // CounterId * 8 + Shape

  Shape shape() const { return static_cast<Shape>(tag & 7u); }
  CounterId counter() const { return tag >> 3; }
  static std::uint32_t tag_of(CounterId counter, Shape shape) {
    return counter << 3 | static_cast<std::uint32_t>(shape);
  }
};

// GCRA: the theoretical arrival time says how far ahead of the refill the bucket is.
struct BucketCell : Cell {
  std::uint32_t unused;
  TimeNs arrival;
  std::int64_t open;
};

// `period_s` is an instant within the period it counts for (its start, unless an overrun opened a period whose start
// was not known). The upper 8 bits of both amounts are the length of the period in hours, rounded up.
struct CalendarCell : Cell {
  static constexpr std::uint64_t kMask = static_cast<std::uint64_t>(kMaxTotal);

  std::uint32_t period_s;
  std::uint64_t total_packed;
  std::uint64_t open_packed;

  std::int64_t total() const { return static_cast<std::int64_t>(total_packed & kMask); }
  std::int64_t open() const { return static_cast<std::int64_t>(open_packed & kMask); }
  std::uint32_t hours() const { return static_cast<std::uint32_t>((total_packed >> 56) << 8 | open_packed >> 56); }
  void set_total(std::int64_t total) { total_packed = (total_packed & ~kMask) | static_cast<std::uint64_t>(total); }
  void set_open(std::int64_t open) { open_packed = (open_packed & ~kMask) | static_cast<std::uint64_t>(open); }
  void reset(std::uint32_t period, std::uint32_t hours) {
    period_s = period;
    total_packed = static_cast<std::uint64_t>(hours >> 8) << 56;
    open_packed = static_cast<std::uint64_t>(hours & 0xFF) << 56;
  }
};

struct GaugeCell : Cell {
  std::uint32_t unused;
  std::int64_t in_flight;
};

// An amount that belongs to an instant.
struct Charge {
  TimeNs at = 0;  // calendar: CalendarCell::period_s
  std::int64_t amount = 0;
};

struct LogCell : Cell {
  std::uint16_t count;
  std::uint16_t capacity;
  std::int64_t open;

  Charge* entries() { return reinterpret_cast<Charge*>(this + 1); }
  const Charge* entries() const { return reinterpret_cast<const Charge*>(this + 1); }
};

struct RingCell : Cell {
  std::uint16_t buckets;
  std::uint16_t oldest;  // that is not empty: how many buckets before the head; 0 if all are empty
  std::int64_t head;     // number of the newest bucket
  std::int64_t sum;      // of all buckets
  std::int64_t open;

  template <typename Word>
  Word* words() {
    return reinterpret_cast<Word*>(this + 1);
  }
  template <typename Word>
  const Word* words() const {
    return reinterpret_cast<const Word*>(this + 1);
  }
};

static_assert(sizeof(BucketCell) == 24 && sizeof(CalendarCell) == 24 && sizeof(GaugeCell) == 16);
static_assert(sizeof(LogCell) == 16 && sizeof(RingCell) == 32 && sizeof(Charge) == 16);

// How one demand stands at one instant.
struct Assessment {
  bool refuses = false;
  std::int64_t total = 0;
  std::int64_t open = 0;
  TimeNs retry_at = 0;  // refuses: instant; kNever
  TimeNs reset_at = 0;
  DurationNs span = 0;  // bucket: that cost and pending take to refill
};

struct Booking {
  TimeNs at = 0;
  std::int64_t units = 0;
  DurationNs span = 0;       // bucket: of units and pending, as assessed
  std::int64_t pending = 0;  // units the same request has booked on this cell before
  bool hold = false;
  const Quota& quota;
};

// What a booking did: for the journal and for giving back.
struct Booked {
  std::int64_t amount = 0;  // units; bucket: nanoseconds
  TimeNs at = 0;            // of the charge; calendar: period_s
  TimeNs period_start = 0;  // calendar
};

inline std::size_t ring_bytes(std::size_t buckets, std::size_t word_bytes) {
  return sizeof(RingCell) + ((buckets * word_bytes + 7) & ~std::size_t{7});
}
inline std::size_t cell_bytes(const Cell& cell) {
  switch (cell.shape()) {
    case Shape::kGauge:
      return sizeof(GaugeCell);
    case Shape::kLog:
      return sizeof(LogCell) + sizeof(Charge) * static_cast<const LogCell&>(cell).capacity;
    case Shape::kRing32:
      return ring_bytes(static_cast<const RingCell&>(cell).buckets, sizeof(std::uint32_t));
    case Shape::kRing64:
      return ring_bytes(static_cast<const RingCell&>(cell).buckets, sizeof(std::uint64_t));
    default:
      return sizeof(BucketCell);  // and CalendarCell
  }
}

// The shape a new cell takes, and how many bytes it needs; init() fills it as empty.
Shape new_shape(const Def& def, std::int64_t amount);
std::size_t new_cell_bytes(const Def& def, Shape shape);
void init(const Def& def, Cell& cell, Shape shape, std::size_t bytes);

// Takes back up to `charge` if it is still within its window at `t`; what was taken. Sliding and calendar only.
std::int64_t give_back(const Def& def, Cell& cell, TimeNs t, const Charge& charge);
// Bucket: moves the arrival time back, never before `t`; what was taken.
DurationNs give_back_span(BucketCell& cell, TimeNs t, DurationNs span);
// Open holds of `units` (calendar: of that period only) are no longer open.
void close_hold(Cell& cell, std::int64_t units, TimeNs period_s);

// True if a missing cell would answer the same at `t` and ever after.
bool is_dead(const Def& def, const Cell& cell, TimeNs t);

// The same of a sliding cell that was filled under `from` and would be converted to `to` when it is next looked at.
// `newest`: no charge is newer.
bool is_dead_once_converted(const Def& from, const Def& to, const Cell& cell, TimeNs newest, TimeNs t);

// Everything a sliding cell holds, oldest first, each at the newest instant it can belong to (at most `newest`).
std::vector<Charge> contents(const Def& def, const Cell& cell, TimeNs newest);
std::int64_t open_holds(const Cell& cell);
// Books a past amount as replay and conversion do: into its own place, dropping what has left the window.
void book_past(const Def& def, Cell& cell, const Charge& charge);
void set_open_holds(Cell& cell, std::int64_t open);

}  // namespace weir::engine
