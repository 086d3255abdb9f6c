#include "engine/index_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/huge_pages.h"

namespace weir::engine {

IndexMemory::~IndexMemory() {
  for (const Range& range : ranges_) {
    if (range.base != nullptr) munmap(range.base, range.bytes);
  }
}

IndexMemory::Range& IndexMemory::range_of(std::uint32_t slots) {
  return ranges_[static_cast<std::size_t>(std::countr_zero(slots) - std::countr_zero(kFirstSlots))];
}

bool IndexMemory::map(Range& range, std::size_t index_bytes) {
  range.part_bytes = std::max(index_bytes, kHugePage);
  range.bytes = (stripes_ * index_bytes + 4095) & ~std::size_t{4095};
  range.base = map_aligned(range.bytes);
  if (range.base == nullptr) return false;
  range.in_use = std::make_unique<std::uint32_t[]>(range.bytes / range.part_bytes + 1);
  return true;
}

std::uint64_t* IndexMemory::take(std::uint32_t stripe, std::uint32_t slots) {
  const std::size_t bytes = slots * sizeof(std::uint64_t);
  const SpinGuard guard(lock_);
  Range& range = range_of(slots);
  if (range.base == nullptr && !map(range, bytes)) return nullptr;
  ++range.in_use[stripe * bytes / range.part_bytes];
  char* index = range.base + stripe * bytes;
  std::memset(index, 0, bytes);
  return reinterpret_cast<std::uint64_t*>(index);
}

void IndexMemory::give(std::uint32_t stripe, std::uint32_t slots) {
  const std::size_t bytes = slots * sizeof(std::uint64_t);
  const SpinGuard guard(lock_);
  Range& range = range_of(slots);
  const std::size_t part = stripe * bytes / range.part_bytes;
  if (--range.in_use[part] > 0) return;
  char* begin = range.base + part * range.part_bytes;
  madvise(begin, std::min(range.part_bytes, static_cast<std::size_t>(range.base + range.bytes - begin)), MADV_DONTNEED);
}

}  // namespace weir::engine
