// Reservations: what an admitted request holds, and the memory of those that are closed.
//
//   Shelf& shelf = book.shelf_of(id);
//   std::lock_guard guard(shelf.lock);
//   Reservation* reservation = shelf.find(id);
//
// A shelf's lock is taken before the locks of any subject stripe. Closed reservations are remembered for a time and up
// to a number, then forgotten, oldest first.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/cell.h"
#include "engine/owners.h"
#include "engine/timing_wheel.h"

namespace weir::engine {

// One demand of an admission that is held until it is settled.
struct Held {
  Hash128 subject;  // the one that was charged: the overflow subject if the owner had no room
  CounterId counter = 0;
  std::uint8_t demand = 0;  // index in the admission
  bool shadow = false;
  Quota quota;
  std::int64_t units = 0;       // charged so far
  DurationNs span = 0;          // bucket: charged so far, in nanoseconds
  std::vector<Charge> charges;  // sliding, calendar: newest last
};

enum class State : std::uint8_t { kOpen, kExpired, kClosed };

struct Reservation : WheelEntry {
  Hash128 id;
  State state = State::kOpen;
  std::uint8_t count = 0;  // of verdicts
  std::vector<Verdict> verdicts;
  std::vector<Held> held;  // empty once closed

  void replay(Decision& decision) const;
};

// Adds a charge, joining it with the newest one where the counter cannot tell them apart; forgets what has left its
// window, so there are never more than the counter has buckets or entries.
void add_charge(Held& held, const Def& def, bool in_log, const Charge& charge);

class Shelf {
 public:
  SpinLock lock;
  TimingWheel wheel;

  Reservation* find(const Hash128& id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second.get();
  }
  Reservation& add(std::unique_ptr<Reservation> reservation) {
    Reservation& added = *reservation;
    by_id_.emplace(added.id, std::move(reservation));
    return added;
  }
  // Remembers that it was closed at `now`; forgets the oldest beyond `most` and those closed before `since`.
  void remember(const Reservation& reservation, TimeNs now, TimeNs since, std::size_t most);
  void forget(TimeNs since, std::size_t most);

  std::size_t open() const { return by_id_.size() - closed_.size(); }
  std::size_t closed() const { return closed_.size(); }

 private:
  struct ClosedId {
    Hash128 id;
    TimeNs at = 0;
  };

  std::unordered_map<Hash128, std::unique_ptr<Reservation>, HashOfKey> by_id_;
  std::deque<ClosedId> closed_;  // oldest first
};

class ReservationBook {
 public:
  explicit ReservationBook(const LimiterOptions& options);

  Shelf& shelf_of(const Hash128& id) { return shelves_[HashOfKey{}(id) & (shelf_count_ - 1)]; }
  Shelf& shelf(std::size_t index) { return shelves_[index]; }
  std::size_t shelf_count() const { return shelf_count_; }
  std::size_t closed_per_shelf() const { return closed_per_shelf_; }

  // Takes one of the places for open reservations; false if all are taken.
  bool take_place();
  void free_place() { open_.fetch_sub(1, std::memory_order_relaxed); }
  std::size_t open() const { return open_.load(std::memory_order_relaxed); }

 private:
  std::size_t shelf_count_ = 1;
  std::size_t closed_per_shelf_ = 0;
  std::size_t max_open_ = 0;
  std::unique_ptr<Shelf[]> shelves_;
  std::atomic<std::size_t> open_{0};
};

}  // namespace weir::engine
