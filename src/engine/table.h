// The striped table: subjects -> records, and the memory of both.
//
//   Stripe& stripe = table.stripe_of(key);
//   const SpinGuard guard(stripe.lock);
//   Record* record = table.find(stripe, key);
//
// A stripe is a lock and an open-addressing index of 8-byte entries: 20 bits of the hash and 44 bits of the record's
// address. The home slot of an entry follows from its own bits, so erasing needs no tombstones and reads no record.
// Every function that takes a Stripe needs its lock held, except prefetch(). Limits: 2^20 index slots per stripe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "engine/cell.h"
#include "engine/index_memory.h"
#include "engine/owners.h"
#include "engine/span_pool.h"
#include "engine/spin_lock.h"

namespace weir::engine {

// The cells follow the header. A record's block is as large as its bytes need, never larger than one size class.
struct Record {
  Hash128 key;
  TimeNs last_t;        // no charge is newer; time never runs backwards behind it
  std::uint32_t owner;  // handle of Owners
  std::uint32_t bytes;  // header and cells

  char* base() { return reinterpret_cast<char*>(this); }
  Cell* cell_at(std::uint32_t offset) { return reinterpret_cast<Cell*>(base() + offset); }
  const Cell* cell_at(std::uint32_t offset) const {
    return reinterpret_cast<const Cell*>(reinterpret_cast<const char*>(this) + offset);
  }
  std::uint32_t offset_of(const Cell* cell) const {
    return static_cast<std::uint32_t>(reinterpret_cast<const char*>(cell) - reinterpret_cast<const char*>(this));
  }
};
static_assert(sizeof(Record) == 32);

struct alignas(64) Stripe {
  SpinLock lock;
  std::uint32_t epoch WEIR_GUARDED_BY(lock) = 1;  // of the newest snapshot that contains this stripe
  std::atomic<std::uint64_t*> slots{nullptr};     // atomic only for prefetch()
  std::atomic<std::uint32_t> mask{0};
  std::uint32_t live WEIR_GUARDED_BY(lock) = 0;
  std::uint32_t hand WEIR_GUARDED_BY(lock) = 0;  // where eviction looks next
  TimeNs floor WEIR_GUARDED_BY(lock) = 0;        // newest instant at which something was evicted here
};

class Table {
 public:
  Table(std::size_t max_bytes, std::uint32_t stripes, const CounterDefs& defs);

  Stripe& stripe_of(const Hash128& key) { return stripes_[key.low & stripe_mask_]; }
  std::uint32_t stripe_count() const { return stripe_mask_ + 1; }
  Stripe& stripe(std::uint32_t index) { return stripes_[index]; }

  // Fetches the index slot the key hashes to; needs no lock.
  void prefetch(const Stripe& stripe, const Hash128& key) const {
    const std::uint64_t* slots = stripe.slots.load(std::memory_order_relaxed);
    __builtin_prefetch(slots + (tag_of(key) & stripe.mask.load(std::memory_order_relaxed)));
  }
  // The record of the first entry that may be the key's: to be fetched ahead, not to be believed.
  Record* probable(const Stripe& stripe, const Hash128& key) const WEIR_REQUIRES(stripe.lock) {
    return search(stripe, key, [](const Record&) { return true; });
  }
  Record* find(const Stripe& stripe, const Hash128& key) const WEIR_REQUIRES(stripe.lock) {
    return search(stripe, key, [&](const Record& record) {
      __builtin_prefetch(reinterpret_cast<const char*>(&record) + 64);
      return record.key == key;
    });
  }

  // A new empty record; nullptr when memory is used up.
  Record* insert(Stripe& stripe, const Hash128& key, std::uint32_t owner, bool force) WEIR_REQUIRES(stripe.lock);
  // Adds an empty cell of that shape; the record may move. nullptr when memory is used up.
  Cell* add_cell(Stripe& stripe, Record*& record, const Def& def, Shape shape, bool force) WEIR_REQUIRES(stripe.lock);
  // Gives the `old_bytes` at `offset` the size `new_bytes`; the record may move. The content there is undefined after.
  bool resize_cell(Stripe& stripe, Record*& record, std::uint32_t offset, std::size_t old_bytes, std::size_t new_bytes,
                   bool force) WEIR_REQUIRES(stripe.lock);
  void erase(Stripe& stripe, Record* record) WEIR_REQUIRES(stripe.lock);

  // Looks at `slots` index slots, evicts what is dead and shrinks what is mostly dead. Records of the stripe may be
  // gone or moved afterwards.
  void evict_some(Stripe& stripe, TimeNs now, std::uint32_t slots) WEIR_REQUIRES(stripe.lock);
  // Shrinks an index that has become much too large.
  void shrink(Stripe& stripe) WEIR_REQUIRES(stripe.lock);
  void for_each(const Stripe& stripe, const std::function<void(Record&)>& visit) const WEIR_REQUIRES(stripe.lock);

  Owners& owners() { return owners_; }
  std::size_t used_bytes() const { return pool_.used_bytes(); }
  std::size_t live() const { return live_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::uint32_t kFirstSlots = IndexMemory::kFirstSlots;
  static constexpr std::uint32_t kMostSlots = IndexMemory::kMostSlots;
  static constexpr int kAddressBits = 44;  // addresses are below 2^48 and multiples of 16

  static std::uint64_t tag_of(const Hash128& key) {
    return ((key.high ^ (key.low * 0xC2B2AE3D27D4EB4Full)) * 0x9E3779B97F4A7C15ull) >> kAddressBits;
  }
  static std::uint64_t pack(std::uint64_t tag, const Record* record) {
    return tag << kAddressBits | reinterpret_cast<std::uintptr_t>(record) >> 4;
  }
  static Record* unpack(std::uint64_t entry) {
    return reinterpret_cast<Record*>((entry & ((std::uint64_t{1} << kAddressBits) - 1)) << 4);
  }

  // The first record whose entry has the key's tag and that `accept` takes.
  template <typename Accept>
  Record* search(const Stripe& stripe, const Hash128& key, Accept accept) const WEIR_REQUIRES(stripe.lock) {
    const std::uint64_t* slots = stripe.slots.load(std::memory_order_relaxed);
    if (slots == nullptr) return nullptr;
    const std::uint32_t mask = stripe.mask.load(std::memory_order_relaxed);
    const std::uint64_t tag = tag_of(key);
    for (std::uint32_t slot = static_cast<std::uint32_t>(tag) & mask; slots[slot] != 0; slot = (slot + 1) & mask) {
      if (slots[slot] >> kAddressBits != tag) continue;
      Record* record = unpack(slots[slot]);
      if (accept(*record)) return record;
    }
    return nullptr;
  }

  bool resize_index(Stripe& stripe, std::uint32_t slots, bool force) WEIR_REQUIRES(stripe.lock);
  void erase_slot(Stripe& stripe, std::uint32_t slot) WEIR_REQUIRES(stripe.lock);
  std::uint32_t slot_of(const Stripe& stripe, const Record* record) const WEIR_REQUIRES(stripe.lock);
  bool dead(const Record& record, const Cell& cell, TimeNs t) const;
  bool dead(const Record& record, TimeNs t) const;
  void drop_dead_cells(Stripe& stripe, Record*& record) WEIR_REQUIRES(stripe.lock);

  const CounterDefs& defs_;
  const std::uint32_t stripe_mask_;
  SpanPool pool_;
  IndexMemory index_memory_;
  Owners owners_;
  std::unique_ptr<Stripe[]> stripes_;
  std::atomic<std::size_t> live_{0};
};

}  // namespace weir::engine
