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
#include <memory>
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
  TimeNs closed_at = 0;
  Reservation* closed_after = nullptr;  // the next one that was closed on the same shelf

  void replay(Decision& decision) const;
};

// Adds a charge, joining it with the newest one where the counter cannot tell them apart; forgets what has left its
// window, so there are never more than the counter has buckets or entries.
void add_charge(Held& held, const Def& def, bool in_log, const Charge& charge);

// Finds reservations by id: open addressing over 8-byte entries of 20 bits of the hash and the address, so that looking
// for an id that is not there touches no reservation.
class IdIndex {
 public:
  Reservation* find(const Hash128& id) const;
  void insert(Reservation& reservation);
  void erase(const Reservation& reservation);
  void delete_all();

 private:
  static constexpr int kTagBits = 20;
  static constexpr int kAddressBits = 64 - kTagBits;  // addresses are below 2^48 and multiples of 16

  static std::uint64_t tag_of(const Hash128& id) { return HashOfKey{}(id) >> 32 & ((1u << kTagBits) - 1); }
  static std::uint64_t entry_of(const Reservation& reservation) {
    return tag_of(reservation.id) << kAddressBits | reinterpret_cast<std::uintptr_t>(&reservation) >> 4;
  }
  static Reservation* pointer(std::uint64_t entry) {
    return reinterpret_cast<Reservation*>((entry & ((std::uint64_t{1} << kAddressBits) - 1)) << 4);
  }
  // The home slot follows from the tag, so that moving entries touches no reservation.
  std::size_t home(std::uint64_t tag) const {
    return slots_.size() <= (1u << kTagBits) ? tag & (slots_.size() - 1) : tag * (slots_.size() >> kTagBits);
  }
  void grow();

  std::vector<std::uint64_t> slots_;
  std::size_t size_ = 0;
};

class Shelf {
 public:
  SpinLock lock;
  TimingWheel wheel;

  ~Shelf();
  Reservation* find(const Hash128& id) const { return by_id_.find(id); }
  Reservation& add(std::unique_ptr<Reservation> reservation);
  // Remembers that it was closed at `now`; forgets the oldest beyond `most` and those closed before `since`.
  void remember(Reservation& reservation, TimeNs now, TimeNs since, std::size_t most);
  void forget(TimeNs since, std::size_t most);

  std::size_t closed() const { return closed_count_; }

 private:
  IdIndex by_id_;
  Reservation* oldest_closed_ = nullptr;
  Reservation* newest_closed_ = nullptr;
  std::size_t closed_count_ = 0;
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
