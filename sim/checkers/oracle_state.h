// The window oracle's books: logs of counters, and what each reservation has charged to them.
//
//   OracleState state;
//   state.charge(held, {.at = t, .id = id, .amount = 5, .certain = 5}, now, false);
//   state.in_window(held.key, t, shape).low;                  // at least so much must count
//   state.process_ended(now - kSecond);                       // what was not surely written is not certain any more
//
// One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "checkers/exact_log.h"
#include "weir/limiter.h"

namespace weir::sim {

struct CounterShape {
  std::string identity;
  WindowKind kind = WindowKind::kSliding;
  DurationNs window = 0, width = 0;
  TimeNs loose_until = 0;  // its length changed: until then only the lower bound is known
};

struct CounterKey {
  Hash128 subject;
  std::uint64_t counter = 0;
  bool operator==(const CounterKey&) const = default;
};

// One demand of a reservation and what it charged, oldest first.
struct HeldDemand {
  struct Charge {
    TimeNs at = 0;
    std::int64_t amount = 0;
    bool top_up = false;
  };
  CounterKey key;
  std::size_t demand = 0;
  WindowKind kind = WindowKind::kSliding;
  Quota quota;
  bool holds = false;
  bool moved = false;  // a part of it is charged under its counter's new name
  std::int64_t units = 0;
  std::vector<Charge> charges{};
};

struct Reservation {
  std::vector<HeldDemand> demands;
  bool opened = false;    // the journal has it
  bool survives = false;  // a hold of the decision API
  bool released = false;  // concurrency was given back
  bool earlier_process = false;
  bool surely_in_flight = true;
};

class OracleState {
 public:
  ExactLog::Sums in_window(const CounterKey& key, TimeNs t, const CounterShape& shape);
  ExactLog::Sums in_period(const CounterKey& key, TimeNs period);
  ExactLog::Sums in_flight(const CounterKey& key);
  TimeNs newest_period(const CounterKey& key);

  void charge(HeldDemand& held, const ExactLog::Piece& piece, TimeNs now, bool top_up);
  // False: the demand had not charged so much.
  bool give_back(HeldDemand& held, Hash128 id, const Effect& effect, TimeNs now);
  std::int64_t still_counted(const HeldDemand& held, TimeNs t, const CounterShape& shape);
  std::int64_t take(const CounterKey& key, std::int64_t cost);  // in flight afterwards
  // Fills a bucket; how far it is beyond its burst now, in nanoseconds.
  DurationNs fill(const HeldDemand& held, TimeNs t, std::int64_t cost);
  void drain(const HeldDemand& held, TimeNs t, std::int64_t actual);

  void open(Hash128 id, Reservation reservation) { reservations_[id] = std::move(reservation); }
  Reservation* find(Hash128 id);
  void release(Hash128 id);  // its concurrency
  void forget(Hash128 id) { reservations_.erase(id); }

  void doubt_counter(std::uint64_t counter);
  void move_counter(std::uint64_t from, std::uint64_t to);
  // What was charged or given back after `since` may not have been written.
  void process_ended(TimeNs since);

 private:
  __extension__ using Wide = __int128;
  struct HashOf {
    std::size_t operator()(const CounterKey& k) const { return static_cast<std::size_t>(k.subject.low ^ k.counter); }
    std::size_t operator()(const Hash128& id) const { return static_cast<std::size_t>(id.low ^ (id.high << 1)); }
  };
  struct Change {
    TimeNs done = 0;  // true time
    CounterKey key;
    Hash128 id;
    TimeNs at = 0;
    std::int64_t amount = 0;  // negative: given back
  };
  struct Counter {
    ExactLog log;  // calendar: instants are starts of periods
    TimeNs last = 0;
    std::int64_t taken_low = 0, taken_high = 0;  // concurrency
    Wide arrival = 0;                            // bucket: in 2^-16 ns
  };
  void note(const Change& change);

  std::unordered_map<CounterKey, Counter, HashOf> counters_;
  std::unordered_map<Hash128, Reservation, HashOf> reservations_;
  std::deque<Change> changes_;
};

}  // namespace weir::sim
