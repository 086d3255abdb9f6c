// The ids of closed reservations, oldest first: about 30 bytes each and nothing up front.
//
//   ClosedIds closed;
//   closed.add(id, 3, now);       // 3: a number below 32 to remember with it
//   closed.find(id);              // 3; -1: not there
//   closed.drop_oldest();
//
// A queue of ids, and an open-addressing index of 4-byte entries: 16 bits of the id's hash and the low 16 bits of its
// place in the queue. Instants are kept to about a second, rounded down. Not thread-safe. Limits: kMost ids.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "engine/arithmetic.h"
#include "engine/owners.h"

namespace weir::engine {

class ClosedIds {
 public:
  static constexpr std::size_t kMost = 0xFFFF;
  static constexpr DurationNs kPrecision = DurationNs{1} << 30;  // of instants

  int find(const Hash128& id) const;
  // `id` is not there yet, and there is room.
  void add(const Hash128& id, std::uint8_t note, TimeNs now);
  void drop_oldest();

  bool empty() const { return queue_.empty(); }
  std::size_t size() const { return queue_.size(); }
  // Of a queue that is not empty.
  TimeNs oldest_at() const {
    const std::uint32_t age = (newest_ - (queue_.front()[4] >> kNoteBits)) & kAtMask;
    return (TimeNs{newest_} - age) << kAtBits;
  }

 private:
  static constexpr int kAtBits = 30;
  static constexpr int kNoteBits = 5;
  static constexpr std::uint32_t kAtMask = (1u << (32 - kNoteBits)) - 1;  // 4 years, then it wraps
  using Entry = std::array<std::uint32_t, 5>;                             // id, instant and note: 20 bytes

  static std::uint32_t tag_of(const Hash128& id) {
    return static_cast<std::uint32_t>((HashOfKey{}(id) >> 24 & 0xFFFF'FFFF) * kFreeTag >> 32);
  }
  std::uint32_t home(std::uint32_t tag) const {
    return static_cast<std::uint32_t>(std::uint64_t{tag} * slots_.size() >> 16);
  }
  std::uint32_t mask() const { return static_cast<std::uint32_t>(slots_.size() - 1); }
  // The queue's entry with those low bits of its number.
  const Entry& entry_at(std::uint32_t low_bits) const { return queue_[(low_bits - first_) & 0xFFFF]; }
  void place(std::uint32_t entry);
  void grow();

  static constexpr std::uint64_t kFreeTag = 0xFFFF;  // no id has it
  static constexpr std::uint32_t kFree = 0xFFFF'FFFF;

  std::deque<Entry> queue_;
  std::vector<std::uint32_t> slots_;
  std::uint32_t newest_ = 0;  // instant of the newest id in steps of kPrecision
  std::uint32_t first_ = 0;   // number of the queue's front, modulo 2^16
};

}  // namespace weir::engine
