// Memory of the stripes' indexes, laid out so that the kernel can back it with huge pages: one range of addresses per
// size, in which every stripe has its fixed place. Stripes grow at about the same time, and memory that all of them
// have left goes back to the system.
//
//   IndexMemory memory(4096);
//   std::uint64_t* slots = memory.take(stripe_number, 64);   // zeroed; nullptr: the system has no memory
//   memory.give(stripe_number, 64);
//
// Thread-safe. Limits: 8 to 2^20 slots, powers of two.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/spin_lock.h"

namespace weir::engine {

class IndexMemory {
 public:
  static constexpr std::uint32_t kFirstSlots = 8;
  static constexpr std::uint32_t kMostSlots = 1u << 20;

  explicit IndexMemory(std::uint32_t stripes) : stripes_(stripes) {}
  ~IndexMemory();
  IndexMemory(const IndexMemory&) = delete;
  IndexMemory& operator=(const IndexMemory&) = delete;

  std::uint64_t* take(std::uint32_t stripe, std::uint32_t slots);
  void give(std::uint32_t stripe, std::uint32_t slots);

 private:
  static constexpr std::size_t kSizes = 18;

  // All indexes of one size.
  struct Range {
    char* base = nullptr;
    std::size_t bytes = 0;
    std::size_t part_bytes = 0;               // what goes back to the system at once
    std::unique_ptr<std::uint32_t[]> in_use;  // indexes per part
  };
  Range& range_of(std::uint32_t slots) WEIR_REQUIRES(lock_);
  bool map(Range& range, std::size_t index_bytes);

  const std::uint32_t stripes_;
  SpinLock lock_;
  std::array<Range, kSizes> ranges_ WEIR_GUARDED_BY(lock_);
};

}  // namespace weir::engine
