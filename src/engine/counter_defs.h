// What counters are: identities, their shapes, and which shape is the current one after reloads.
//
//   CounterDefs defs;
//   CounterId id = defs.define(spec).id;
//   const Def* def = defs.current(id);        // the identity's newest shape
//
// define() and find() lock; get() and current() are lock-free and safe at any time. Limits: kMaxDefs shapes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>

#include "base/mutex.h"
#include "engine/arithmetic.h"
#include "weir/limiter.h"

namespace weir::engine {

struct Identity;

struct Def {
  CounterId id = 0;
  WindowKind kind = WindowKind::kSliding;
  std::uint16_t precision = 0;
  std::uint16_t buckets = 0;  // of the ring: precision + 1
  DurationNs window = 0;
  DurationNs width = 1;               // of one bucket: window / precision, rounded up
  std::uint64_t width_inverse = 0;    // floor((2^64 - 1) / width)
  std::uint64_t buckets_inverse = 0;  // floor((2^64 - 1) / buckets)
  Identity* identity = nullptr;

  // t / width, without dividing.
  std::int64_t bucket_of(TimeNs t) const {
    return static_cast<std::int64_t>(
        divide(static_cast<std::uint64_t>(t), static_cast<std::uint64_t>(width), width_inverse));
  }
  // bucket % buckets, without dividing: where a ring keeps that bucket.
  std::uint32_t slot_of(std::int64_t bucket) const {
    const auto value = static_cast<std::uint64_t>(bucket);
    return static_cast<std::uint32_t>(value - divide(value, buckets, buckets_inverse) * buckets);
  }

 private:
  static std::uint64_t divide(std::uint64_t value, std::uint64_t by, std::uint64_t inverse) {
    auto quotient = static_cast<std::uint64_t>((static_cast<u128>(value) * inverse) >> 64);
    // The estimate is never too large and at most 2 too small.
    while (value - quotient * by >= by) ++quotient;
    return quotient;
  }
};

struct Identity {
  std::atomic<std::uint64_t> hash{0};
  std::atomic<const Def*> current{nullptr};
  std::atomic<bool> reshaped{false};             // records may hold cells of an older shape
  std::atomic<std::uint32_t> changes{0};         // how often the shape became another one
  std::atomic<DurationNs> shortest{kMaxWindow};  // sliding: of the windows of all shapes it ever had
  // What only a snapshot knew under the name that this one took: its sliding cells are this one's too. And so on.
  std::atomic<Identity*> absorbed{nullptr};
  bool defined = false;  // by define(), not only by a snapshot; guarded by the lock of CounterDefs
};

// True if cells of `other` count for `identity`.
bool is_part_of(const Identity& other, const Identity& identity);

class CounterDefs {
 public:
  static constexpr std::uint32_t kMaxDefs = 1u << 20;

  // `first` is true when define() meets this identity for the first time. nullptr when kMaxDefs is reached.
  // `formerly`: the hash this identity had before, or 0.
  const Def* define(std::uint64_t hash, const CounterSpec& spec, std::uint64_t formerly, bool& first);
  // The shape a snapshot knows, waiting for its definition.
  const Def* restore(std::uint64_t hash, WindowKind kind, DurationNs window, std::uint16_t precision);
  // The current shape of a defined identity (of the kind defined last); nullptr if it was never defined.
  const Def* find_defined(std::uint64_t hash) const;
  // Also one that only a snapshot knows.
  const Def* find(std::uint64_t hash) const;
  // The same of one kind of window, if it is defined.
  const Def* find_defined(std::uint64_t hash, WindowKind kind) const;

  bool known(CounterId id) const { return id < count_.load(std::memory_order_acquire); }
  const Def* get(CounterId id) const {
    return chunks_[id / kChunk].load(std::memory_order_acquire)->data() + id % kChunk;
  }
  const Def* current(CounterId id) const { return get(id)->identity->current.load(std::memory_order_acquire); }

  ~CounterDefs();

 private:
  static constexpr std::uint32_t kChunk = 256;
  using Chunk = std::array<Def, kChunk>;

  const Def* newest(std::uint64_t hash, bool defined) const WEIR_REQUIRES(mutex_);
  Identity& identity_of(std::uint64_t hash, WindowKind kind) WEIR_REQUIRES(mutex_);
  static void mark_changed(Identity& identity);
  void absorb(Identity& identity, Identity& restored, WindowKind kind) WEIR_REQUIRES(mutex_);
  void rename(std::uint64_t from, std::uint64_t to, WindowKind kind) WEIR_REQUIRES(mutex_);
  const Def* shape(Identity& identity, WindowKind kind, DurationNs window, std::uint16_t precision)
      WEIR_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::array<std::atomic<Chunk*>, kMaxDefs / kChunk> chunks_{};
  std::atomic<std::uint32_t> count_{0};
  std::deque<Identity> identities_ WEIR_GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, Identity*> by_hash_ WEIR_GUARDED_BY(mutex_);       // by name and kind
  std::unordered_multimap<std::uint64_t, const Def*> shapes_ WEIR_GUARDED_BY(mutex_);  // all shapes of an identity
};

}  // namespace weir::engine
