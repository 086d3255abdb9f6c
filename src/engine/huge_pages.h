// Large mappings that the kernel may back with huge pages: a table of millions of subjects is read at random, and with
// small pages every look-up would also walk the page tables.
//
//   char* memory = map_aligned(bytes);     // zeroed on first touch, nullptr when the system has none
//   munmap(memory, bytes);
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace weir::engine {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

// `bytes` is a multiple of 4096. From one huge page on, the mapping starts at one.
inline char* map_aligned(std::size_t bytes) {
  const std::size_t slack = bytes >= kHugePage ? kHugePage : 0;
  void* mapped =
      mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* memory = static_cast<char*>(mapped);
  if (slack == 0) return memory;
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::size_t head = ((address + kHugePage - 1) & ~(kHugePage - 1)) - address;
  if (head > 0) munmap(memory, head);
  if (slack > head) munmap(memory + head + bytes, slack - head);
  madvise(memory + head, bytes, MADV_HUGEPAGE);
  return memory + head;
}

}  // namespace weir::engine
