// Memory for many small blocks of few sizes, from large mappings that the kernel may back with huge pages.
//
//   SpanPool pool;
//   void* block = pool.allocate(120);      // 128 bytes, 16-byte aligned, not zeroed; nullptr: the limit is reached
//   pool.release(block, 120);              // the same size
//
// Blocks up to kSmallLimit are grouped by exact size (16-byte steps, coarser above 2 KiB) into spans of 64 KiB; a span
// whose blocks are all free serves any other size again. Larger blocks are mapped one by one. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/spin_lock.h"

namespace weir::engine {

class SpanPool {
 public:
  explicit SpanPool(std::size_t max_bytes) : max_bytes_(max_bytes) {}
  ~SpanPool();
  SpanPool(const SpanPool&) = delete;
  SpanPool& operator=(const SpanPool&) = delete;

  // `force` ignores the limit (a settlement must be booked); nullptr then only when the system has no memory.
  void* allocate(std::size_t bytes, bool force = false);
  void release(void* block, std::size_t bytes);

  // Bytes a block of that size really has.
  static std::size_t block_bytes(std::size_t bytes);

  // Accounts for memory held elsewhere on behalf of the same limit; false if it does not fit.
  bool charge(std::size_t bytes, bool force);
  void uncharge(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  // Spans in use, single mappings and charged bytes.
  std::size_t used_bytes() const { return used_.load(std::memory_order_relaxed); }

 private:
  struct Span;
  static constexpr std::size_t kSpanBytes = 64 * 1024;
  static constexpr std::size_t kSmallLimit = 32 * 1024 - 64;
  static constexpr std::size_t kClasses = 160;

  static std::size_t class_of(std::size_t bytes);
  static std::size_t class_bytes(std::size_t size_class);
  Span* take_span(std::size_t size_class, bool force) WEIR_REQUIRES(lock_);
  bool map_arena() WEIR_REQUIRES(lock_);
  void link(Span* span) WEIR_REQUIRES(lock_);
  void unlink(Span* span) WEIR_REQUIRES(lock_);

  const std::size_t max_bytes_;
  std::atomic<std::size_t> used_{0};
  SpinLock lock_;
  std::array<Span*, kClasses> partial_ WEIR_GUARDED_BY(lock_){};  // spans of a class that have a free block
  Span* empty_ WEIR_GUARDED_BY(lock_) = nullptr;                  // spans of no class
  char* fresh_ WEIR_GUARDED_BY(lock_) = nullptr;                  // never used part of the newest arena
  char* fresh_end_ WEIR_GUARDED_BY(lock_) = nullptr;
  std::vector<std::pair<void*, std::size_t>> arenas_ WEIR_GUARDED_BY(lock_);
  std::unordered_map<void*, std::size_t> single_ WEIR_GUARDED_BY(lock_);  // blocks mapped one by one
};

}  // namespace weir::engine
