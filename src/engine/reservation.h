// Reservations: what an admitted request holds, and the memory of those that are closed.
//
//   Shelf& shelf = book.shelf_of(id);
//   const SpinGuard guard(shelf.lock);
//   Reservation* reservation = shelf.find(id);
//
// A shelf's lock is taken before the locks of any subject stripe. Of closed reservations only the ids are remembered,
// of expired ones everything, for a time and up to a number; then they are forgotten, oldest first.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "engine/cell.h"
#include "engine/closed_ids.h"
#include "engine/owners.h"
#include "engine/span_pool.h"
#include "engine/timing_wheel.h"

namespace weir::engine {

// What one demand has charged, by instant. Nearly always one charge, which costs no memory of its own.
struct Charges {
  Charge newest;              // amount 0: nothing was charged
  std::vector<Charge> older;  // oldest first
};

// One demand of an admission that is held until it is settled.
struct Held {
  Hash128 subject;  // the one that was charged: the overflow subject if the owner had no room
  CounterId counter = 0;
  std::uint8_t demand = 0;  // index in the admission
  bool shadow = false;
  Quota quota;
  std::int64_t units = 0;     // charged so far
  DurationNs span = 0;        // bucket: charged so far, in nanoseconds
  Charges charges;            // sliding, calendar
  std::uint32_t changes = 0;  // Identity::changes when it was charged
};

enum class State : std::uint8_t { kOpen, kExpired };

// In one block of memory with its verdicts and what it holds, which follow it.
struct Reservation : WheelEntry {
  Hash128 id;
  State state = State::kOpen;
  bool remember = true;    // once it is closed
  std::uint8_t count = 0;  // of verdicts; at most as many demands are held
  std::uint8_t held_count = 0;
  TimeNs expired_at = 0;

  static std::size_t bytes_for(std::size_t demands) {
    return sizeof(Reservation) + demands * (sizeof(Verdict) + sizeof(Held));
  }
  Verdict* verdicts() { return reinterpret_cast<Verdict*>(this + 1); }
  const Verdict* verdicts() const { return reinterpret_cast<const Verdict*>(this + 1); }
  std::span<Held> held() { return {reinterpret_cast<Held*>(verdicts() + count), held_count}; }
  Held& add_held() { return *new (held().data() + held_count++) Held; }

  void replay(Decision& decision) const;
};
static_assert(alignof(Reservation) <= 16 && alignof(Held) <= alignof(Reservation) && alignof(Verdict) <= 8);

// Adds a charge, joining it with the newest one where the counter cannot tell them apart; forgets what has left its
// window, so there are never more than the counter has buckets or entries.
void add_charge(Held& held, const Def& def, bool in_log, const Charge& charge);

// After a reload: forgets the charges that some window has been too short for, since nobody knows whether their cell
// still holds them. Those that remain are in the cell, in the bucket of their instant or in a later one.
void forget_left(Held& held, const Def& def, TimeNs t);

// Finds reservations by id: open addressing over 8-byte entries of 20 bits of the hash and the address, so that looking
// for an id that is not there touches no reservation.
class IdIndex {
 public:
  Reservation* find(const Hash128& id) const;
  void insert(Reservation& reservation);
  void erase(const Reservation& reservation);
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const std::uint64_t entry : slots_) {
      if (entry != 0) visit(*pointer(entry));
    }
  }

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
  TimingWheel wheel WEIR_GUARDED_BY(lock);

  Shelf() { expired_.next = expired_.previous = &expired_; }
  ~Shelf();
  void use(SpanPool& pool) { pool_ = &pool; }

  Reservation* find(const Hash128& id) const WEIR_REQUIRES(lock) { return by_id_.find(id); }
  // How many verdicts the closed one of that id had; -1: none such is remembered.
  int find_closed(const Hash128& id) const WEIR_REQUIRES(lock) { return closed_.find(id); }

  // A new open one with a copy of the decision's verdicts; nullptr when the system has no memory.
  Reservation* add(const Hash128& id, const Decision& decision) WEIR_REQUIRES(lock);
  // It is unlinked from the wheel and settled: only its id is kept, if it is to be remembered.
  void close(Reservation& reservation, TimeNs now) WEIR_REQUIRES(lock);
  // It is unlinked from the wheel; a settlement may still come.
  void expire(Reservation& reservation, TimeNs now) WEIR_REQUIRES(lock);
  // Forgets the oldest closed and expired ones beyond `most` and those from before `since`.
  void forget(TimeNs since, std::size_t most) WEIR_REQUIRES(lock);

  std::size_t closed() const WEIR_REQUIRES(lock) { return closed_.size() + expired_count_; }

 private:
  void remove(Reservation& reservation) WEIR_REQUIRES(lock);

  SpanPool* pool_ = nullptr;
  IdIndex by_id_ WEIR_GUARDED_BY(lock);  // open and expired
  ClosedIds closed_ WEIR_GUARDED_BY(lock);
  WheelEntry expired_ WEIR_GUARDED_BY(lock);  // oldest first
  std::size_t expired_count_ WEIR_GUARDED_BY(lock) = 0;
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
  static constexpr std::size_t kMostShelves = 4096;

  std::size_t shelf_count_ = 1;
  std::size_t closed_per_shelf_ = 0;
  std::size_t max_open_ = 0;
  SpanPool pool_{~std::size_t{0}};
  std::unique_ptr<Shelf[]> shelves_;
  std::atomic<std::size_t> open_{0};
};

}  // namespace weir::engine
