// One attempt to admit: finds and locks the subjects, checks every demand, then charges all or nothing.
//
//   Admission admission(engine, subjects, demands, now);
//   if (!admission.valid()) …
//   admission.decide(decision);                      // locks are held from here on
//   if (decision.admitted && admission.prepare(decision)) admission.commit(effects, &reservation);
//
// On one thread's stack; unlocks when it goes.
#pragma once

#include <array>
#include <new>
#include <span>

#include "engine/engine.h"

namespace weir::engine {

inline constexpr std::size_t kMaxPlaces = 2 * kMaxDemands;  // subjects and their overflows

// The stripes of one operation, locked in order of address. They are as many as it has subjects, which the analysis of
// locks cannot follow: who works on one of them says lock.held().
class StripeLocks {
 public:
  ~StripeLocks() { unlock(); }
  void add(Stripe& stripe) {
    if (count_ == 0) {
      stripes_[count_++] = &stripe;
    } else {
      insert(stripe);
    }
  }
  void lock() WEIR_UNCHECKED_LOCKING {
    for (; locked_ < count_; ++locked_) stripes_[locked_]->lock.lock();
  }
  void unlock() WEIR_UNCHECKED_LOCKING {
    while (locked_ > 0) stripes_[--locked_]->lock.unlock();
  }

 private:
  void insert(Stripe& stripe);

  std::array<Stripe*, kMaxPlaces> stripes_;  // the first count_ are set
  std::size_t count_ = 0;
  std::size_t locked_ = 0;
};

class Admission {
 public:
  Admission(Engine& engine, std::span<const Subject> subjects, std::span<const Demand> demands, TimeNs now);
  ~Admission() {
    if (inserted_ > 0) evict();
  }

  // Indices within bounds, counters defined, amounts in range.
  bool valid() const { return valid_; }
  // Without an id nothing can be released later: concurrency is then checked, not counted.
  void without_id() { has_id_ = false; }

  void decide(Decision& decision);
  // Makes room for what commit() will charge. False: the table is full, and `decision` says so.
  bool prepare(Decision& decision) { return ready_ || make_room(decision); }
  // `reservation` may be null; otherwise its held demands are filled or, for a top-up, extended.
  void commit(std::vector<Effect>* effects, Reservation* reservation, bool top_up);

 private:
  static constexpr std::uint8_t kNoPlace = 0xFF;

  // One subject, or the overflow of one.
  struct Place {
    Hash128 key;
    Hash128 owner;
    Stripe* stripe = nullptr;
    Record* record = nullptr;
    TimeNs t = 0;
    std::uint32_t cursor = 0;
    std::uint8_t overflow = kNoPlace;  // to be used instead when the owner is full
    bool use_overflow = false;
  };
  // Room for places that costs nothing until they are made: an admission usually has one to three.
  class Places {
   public:
    Place& operator[](std::size_t i) { return *std::launder(reinterpret_cast<Place*>(bytes_) + i); }
    void make(std::size_t i) { new (bytes_ + i * sizeof(Place)) Place; }

   private:
    alignas(Place) std::byte bytes_[sizeof(Place) * kMaxPlaces];
  };
  // One demand; every field is set by locate_all() and assess_all().
  struct Step {
    const Def* def;
    Cell* cell;
    std::int64_t pending;  // charged by earlier demands of this request on the same cell
    DurationNs span;       // bucket: what the charge takes to refill
    std::uint8_t place;
    bool refused;
    bool charges;
  };

  bool check();
  bool make_room(Decision& decision);
  void evict();
  std::uint8_t place_of(const Hash128& key, const Hash128& owner);
  void lock_places();
  bool find_records();
  void prefetch_rings();
  void use_overflows();
  void assess_all(Decision& decision);
  void assess_one(std::size_t i, Decision& decision);
  void locate_all();
  std::int64_t pending_before(std::size_t i) const;
  bool counts(const Step& step) const { return has_id_ || step.def->kind != WindowKind::kConcurrency; }

  Engine& engine_;
  const std::span<const Subject> subjects_;
  const std::span<const Demand> demands_;
  const TimeNs caller_now_;
  const TimeNs now_;
  bool valid_ = false;
  bool has_id_ = true;
  bool has_rings_ = false;
  bool ready_ = true;          // every cell exists and has room
  std::uint8_t inserted_ = 0;  // records created: as many times eviction looks around
  std::uint8_t place_count_ = 0;
  std::array<std::uint8_t, kMaxDemands> place_of_subject_;
  Places places_;
  std::array<Step, kMaxDemands> steps_;
  StripeLocks locks_;
};

}  // namespace weir::engine
