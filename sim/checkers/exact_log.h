// Everything that was charged to one counter of one subject, charge by charge: what a window really holds.
//
//   ExactLog log;
//   log.add({.at = t, .id = request, .amount = 5, .certain = 5});
//   log.give_back(request, t, 2);
//   const auto held = log.sums(now, kMinute, kSecond);      // between held.low and held.high
//
// `certain` is what must count; `amount` is what may count (a process that died may have forgotten what it had not
// written, and given back what it had not noted). A value. One thread.
#pragma once

#include <cstdint>
#include <deque>

#include "base/time.h"
#include "weir/types.h"

namespace weir::sim {

class ExactLog {
 public:
  static constexpr DurationNs kKeptBeyond = kHour;  // a clock that was set back may ask again

  struct Piece {
    TimeNs at = 0;
    Hash128 id;
    std::int64_t amount = 0, certain = 0;
  };
  struct Sums {
    std::int64_t low = 0, high = 0;
  };

  void add(const Piece& piece);
  // Takes up to `most` from the charge of that id at that instant; what was taken.
  std::int64_t give_back(Hash128 id, TimeNs at, std::int64_t most);
  // Up to `most` of it is not certain any more.
  void doubt(Hash128 id, TimeNs at, std::int64_t most);
  void doubt_all();
  // Up to `most` of what was given back may count again.
  void may_return(Hash128 id, TimeNs at, std::int64_t most);
  // low: charges in (t - window, t]; high: also those that a ring of buckets of this width may still count.
  Sums sums(TimeNs t, DurationNs window, DurationNs width);
  bool empty() const { return pieces_.empty(); }
  TimeNs newest() const { return pieces_.empty() ? 0 : pieces_.back().at; }

 private:
  Piece* find(Hash128 id, TimeNs at, std::size_t& index);
  void count_again(TimeNs low_from, TimeNs high_from);

  std::deque<Piece> pieces_;  // by `at`
  // Sums of the pieces from these indexes on, for the instants they were last asked for.
  std::size_t low_begin_ = 0, high_begin_ = 0;
  TimeNs low_from_ = 0, high_from_ = 0;
  Sums sums_;
};

}  // namespace weir::sim
