// The limiter: admits a request against up to 16 limits over several subjects as one atomic step, holds reservations,
// and settles them exactly once.
//
//   Limiter limiter({.max_bytes = 64 << 20});
//   CounterId tokens = limiter.define({.identity = "tokens|caller|tokens|sliding", .kind = WindowKind::kSliding,
//                                      .window = 60'000'000'000});
//   Subject subject{.key = hash};
//   Demand demand{.counter = tokens, .subject = 0, .cost = 1200, .hold = true, .quota = {.amount = 50'000}};
//   Decision decision;
//   limiter.admit({.subjects = {&subject, 1}, .demands = {&demand, 1}, .now = now, .id = id, .deadline = now + hold},
//                 decision);
//   if (decision.admitted) { std::int64_t used = 900; limiter.settle(id, {&used, 1}, later); }
//
// Guarantees (the tests name them P1..P22): all demands are charged or none is; a refusal leaves no trace; no sliding
// window of length W ever holds more than its amount while holds are upper bounds of what is settled; retry_after is
// the first instant at which the same request would be admitted if nothing else happens; time per record never runs
// backwards.
//
// Pure: no clock, no thread, no I/O. Thread-safe: every method may be called from any thread at any time; calls that
// share a subject take effect in some order that respects real time.
//
// Limits: 16 demands and 16 subjects per admission; amounts and costs 0 to 2^53; windows 1 ms to 366 days.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weir/types.h"

namespace weir {

inline constexpr std::size_t kMaxDemands = 16;
inline constexpr std::size_t kMaxChildren = 10'000;  // live subjects one owner may have

enum class WindowKind : std::uint8_t {
  kSliding,      // at most `amount` in every window of length `window`
  kBucket,       // token bucket (GCRA): `amount` is the burst, refilled at `rate`
  kCalendar,     // at most `amount` in [period_start, period_end), which the caller supplies
  kConcurrency,  // at most `amount` held at once
};

// What a counter is. `identity` names it across reloads and restarts: the same identity keeps its usage.
struct CounterSpec {
  std::string identity;
  WindowKind kind = WindowKind::kSliding;
  DurationNs window = 0;  // kSliding: 1 ms to 366 days
  // The identity this counter had before; what was counted under it goes on here. Only for identities that are no
  // longer defined themselves; take a snapshot soon after, so that a restart finds the usage under the new name.
  std::string formerly{};
  std::uint16_t precision =
      60;  // kSliding: ring buckets, 1 to 1000; at least precision/(precision+1) of the amount is usable
};

using CounterId = std::uint32_t;

// Refill of a bucket: `units` every `per` nanoseconds; units 1 to 2^53, per 1 ms to 366 days.
struct RefillRate {
  std::int64_t units = 0;
  DurationNs per = 0;
};

// How much a counter may hold for this request. Amounts are arguments, not state: they change freely at any time.
struct Quota {
  std::int64_t amount = 0;  // limit, burst, or most in flight
  RefillRate rate{};        // kBucket
  TimeNs period_start = 0;  // kCalendar: the period that contains `now`
  TimeNs period_end = 0;
};

struct Subject {
  Hash128 key{};
  // If set, this subject counts against the kMaxChildren live subjects of `owner`; when the owner has no room for a
  // new one, the demands of this subject use `overflow` instead.
  Hash128 owner{};
  Hash128 overflow{};
};

struct Demand {
  CounterId counter = 0;
  std::uint8_t subject = 0;  // index into AdmitRequest::subjects
  bool hold = false;         // reserved until settled; otherwise spent at once. kConcurrency is always held
  bool shadow = false;       // decides the same, refuses nothing; charged only when it would have admitted
  std::int64_t cost = 0;
  Quota quota{};
};

// The state of one demand's counter, as of `now`, before this request's own cost.
struct Verdict {
  bool refuses = false;        // used + reserved + cost > amount (also set for shadow demands)
  std::int64_t used = 0;       // settled; may exceed the amount ("debt")
  std::int64_t reserved = 0;   // held by open reservations
  DurationNs retry_after = 0;  // refuses: time until this demand alone would be admitted; kNever if it never can be
  TimeNs reset_at = 0;         // first instant at which more becomes available; 0 if nothing is in use or unknown
};

struct Decision {
  bool admitted = false;
  bool table_full = false;  // refused because no room for a new subject is left; every verdict is empty
  // The id was known, nothing was charged. While it is open or expired this is the original decision again; of a closed
  // one only that it was admitted is remembered, and the verdicts are empty.
  bool replayed = false;
  DurationNs retry_after = 0;                   // the largest of the refusing demands'
  std::uint8_t count = 0;                       // number of verdicts = number of demands
  std::array<Verdict, kMaxDemands> verdicts{};  // only the first `count` are set
};

// One change of one counter, as the journal stores it and as replay() applies it.
struct Effect {
  Hash128 subject{};
  std::uint64_t counter = 0;  // counter_hash(identity)
  TimeNs at = 0;              // instant the charge belongs to
  std::int64_t amount = 0;    // units (kBucket: nanoseconds of theoretical arrival time); negative gives back
  TimeNs period_start = 0;    // kCalendar
  std::uint32_t epoch = 0;    // snapshot epoch of the record when this was applied
};

struct AdmitRequest {
  std::span<const Subject> subjects{};
  std::span<const Demand> demands{};
  TimeNs now = 0;
  Hash128 id{};                            // none: nothing to settle later; `hold` demands are then spent
  TimeNs deadline = 0;                     // of the reservation; after it expire() charges money and frees concurrency
  std::vector<Effect>* effects = nullptr;  // appended to, if given
  // False: the id is forgotten as soon as its reservation is settled or cancelled (a repeat answers kUnknown, and
  // admitting it again charges again). For callers that never repeat themselves.
  bool remember = true;
};

enum class Outcome : std::uint8_t { kDone, kRepeated, kUnknown };  // kRepeated: closed before, nothing was changed

struct SettleResult {
  Outcome outcome = Outcome::kUnknown;
};

// What one demand of an open reservation has charged, by instant: enough to open it again in another process.
struct HeldCharge {
  TimeNs at = 0;  // kCalendar: an instant within the period, in seconds
  std::int64_t amount = 0;
};
struct HeldDemand {
  Hash128 subject{};
  std::uint64_t counter = 0;  // counter_hash(identity)
  WindowKind kind = WindowKind::kSliding;
  std::uint8_t demand = 0;  // index in the admission
  bool shadow = false;
  Quota quota{};
  std::int64_t units = 0;
  DurationNs span = 0;                // kBucket: nanoseconds of theoretical arrival time
  std::vector<HeldCharge> charges{};  // kSliding, kCalendar: oldest first
};
struct HeldReservation {
  Hash128 id{};
  TimeNs deadline = 0;
  bool remember = true;
  std::uint8_t count = 0;  // demands of the admission, held or not
  std::vector<HeldDemand> demands{};
};

struct LimiterOptions {
  std::size_t max_bytes =
      std::size_t{1} << 30;                  // of counters; beyond it new subjects are refused, live ones never evicted
  std::size_t max_reservations = 1'000'000;  // open at once; beyond it admissions with an id are refused as table_full
  std::size_t max_closed = 1'000'000;        // closed ids remembered, so that repeats are answered; 30 bytes each
  DurationNs remember_closed = 3600ll * 1'000'000'000;
  std::uint32_t stripes = 4096;  // power of two
};

struct LimiterStats {
  std::size_t subjects = 0;
  std::size_t bytes = 0;
  std::size_t open_reservations = 0;
  std::size_t closed_remembered = 0;
};

class Limiter {
 public:
  explicit Limiter(LimiterOptions options = {});
  ~Limiter();
  Limiter(const Limiter&) = delete;
  Limiter& operator=(const Limiter&) = delete;

  // The id of the counter of that identity and shape. Defining the same spec again returns the same id; defining an
  // identity again with another window or precision returns a new id, and usage under the old one is carried over,
  // never less than true, when a record is next touched. Restored usage (snapshot, replay) meets its definition here.
  CounterId define(const CounterSpec& spec);

  // Decides atomically and fills `decision` (out: every field).
  void admit(const AdmitRequest& request, Decision& decision);
  // Decides exactly as admit() would at the same instant, and changes nothing.
  void peek(const AdmitRequest& request, Decision& decision) const;

  // Extends an open reservation by extra[i] for the i-th demand of its admission (0 for demands that were not held),
  // against the quotas given then. All or nothing. Unknown or closed ids are refused with count 0.
  void top_up(Hash128 id, std::span<const std::int64_t> extra, TimeNs now, Decision& decision,
              std::vector<Effect>* effects = nullptr);

  // Replaces what the reservation holds by what was really used: actual[i] for the i-th demand (ignored for demands
  // that were not held; concurrency is released whatever it says). An overrun is charged at `now` and may exceed the
  // amount; a surplus is given back newest charge first, and never what has left its window. Exactly once per id; after
  // expiry still once, adjusting what expiry had charged.
  SettleResult settle(Hash128 id, std::span<const std::int64_t> actual, TimeNs now,
                      std::vector<Effect>* effects = nullptr);
  // Gives back everything that was held (spent demands stay spent).
  SettleResult cancel(Hash128 id, TimeNs now, std::vector<Effect>* effects = nullptr);
  // Closes reservations whose deadline has passed, at most `most` of them; calls `expired` for each, outside all locks.
  std::size_t expire(TimeNs now, std::size_t most, const std::function<void(Hash128)>& expired = {});

  // Bounded work of lossless eviction; call regularly (also runs a little on each insert).
  void sweep(TimeNs now, std::size_t most_records);

  // --- persistence ------------------------------------------------------------------------------------------------
  // Writes every live counter to `write` in chunks while admissions go on, and returns the new epoch E: an Effect is in
  // the snapshot exactly if its epoch is < E. One snapshot at a time.
  std::uint32_t snapshot(const std::function<void(std::string_view chunk)>& write);
  // Loads the concatenated chunks of one snapshot into an empty limiter; what was reserved counts as used, concurrency
  // starts at zero. False if the bytes are damaged (the limiter is then unchanged or partly filled; use a new one).
  bool restore(std::string_view bytes, std::uint32_t epoch);
  // Applies an effect of the journal's tail: skipped if its epoch is covered by the restored snapshot. Counters not
  // defined yet are kept by hash until define() meets them.
  void replay(const Effect& effect);

  // What an open reservation holds, for adopt(); false if no open one has that id.
  bool held(Hash128 id, HeldReservation& out) const;
  // Opens a reservation of an earlier process again. Call it after restore(), replay() and define(), before anything
  // else is admitted: what those counted as used is reserved again, nothing is charged twice, and concurrency is taken
  // again. Demands whose counter is not defined any more stay used. False if the id is known or there is no room.
  bool adopt(const HeldReservation& reservation);

  LimiterStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Stable 64-bit name of a counter identity, as in Effect::counter.
std::uint64_t counter_hash(std::string_view identity);

}  // namespace weir
