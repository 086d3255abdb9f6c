// Tables of callers, in parts with a lock each, so that workers seldom wait for each other.
//
//   Striped<Part, 16> parts([] { return std::make_unique<Part>(…); });
//   auto locked = parts.lock(caller);         // the part that this caller lives in, until the end of the scope
//   locked->table.touch(caller)…
//
// Thread-safe. A part is locked by itself; nothing is locked for all.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "base/mutex.h"
#include "weir/types.h"

namespace weir {

struct Hash128Hash {
  std::size_t operator()(const Hash128& hash) const { return hash.low ^ (hash.high * 0x9E3779B97F4A7C15U); }
};

template <class Part, std::size_t kParts>
class Striped {
 public:
  template <class Make>
  explicit Striped(Make make) {
    for (Slot& slot : slots_) slot.part = make();
  }

  // The only way to a part, so that none is touched unlocked: which mutex it is, no expression says.
  class Locked {
   public:
    Locked(Mutex& mutex, Part& part) WEIR_UNCHECKED_LOCKING : lock_(mutex), part_(part) {}
    Part* operator->() const { return &part_; }
    Part& operator*() const { return part_; }

   private:
    MutexLock lock_;
    Part& part_;
  };
  Locked lock(const Hash128& key) const { return lock_at(Hash128Hash{}(key) >> 32U); }
  Locked lock_at(std::size_t number) const WEIR_UNCHECKED_LOCKING {
    const Slot& slot = slots_[number % kParts];
    return Locked(slot.mutex, *slot.part);
  }

  // Adds up what `count` says of each part.
  template <class Count>
  std::size_t sum(Count count) const {
    std::size_t total = 0;
    for (std::size_t i = 0; i < kParts; ++i) total += count(*lock_at(i));
    return total;
  }

 private:
  struct Slot {
    mutable Mutex mutex;
    std::unique_ptr<Part> part;
  };
  std::array<Slot, kParts> slots_;
};

// The share of one part, at least one entry.
inline std::size_t share_of(std::size_t most, std::size_t parts) {
  return most < parts ? 1 : most / parts;
}

}  // namespace weir
