#include "engine/span_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "engine/huge_pages.h"

namespace weir::engine {

// At the start of each span of 64 KiB, which is aligned to its size, so a block finds it by masking its address.
struct SpanPool::Span {
  Span* next = nullptr;
  Span* previous = nullptr;
  void* free_blocks = nullptr;  // released blocks, linked through their first word
  std::uint32_t size_class = 0;
  std::uint32_t live = 0;
  std::uint32_t capacity = 0;
  std::uint32_t touched = 0;  // blocks ever handed out; those beyond are untouched memory
  std::uint32_t first_offset = 0;
};

namespace {

constexpr std::size_t kExactLimit = 2048;
constexpr std::size_t kExactClasses = kExactLimit / 16;
constexpr std::size_t kStepsPerDoubling = 8;

std::size_t page_bytes(std::size_t bytes) {
  return (bytes + 4095) & ~std::size_t{4095};
}

}  // namespace

SpanPool::~SpanPool() {
  for (const auto& [memory, bytes] : single_) munmap(memory, bytes);
  for (const auto& [memory, bytes] : arenas_) munmap(memory, bytes);
}

std::size_t SpanPool::class_of(std::size_t bytes) {
  if (bytes <= kExactLimit) return bytes == 0 ? 0 : (bytes - 1) / 16;
  // Above 2 KiB: eight classes per doubling.
  const std::size_t doubling = std::bit_width(bytes - 1) - 12;
  const std::size_t step = (kExactLimit << doubling) / kStepsPerDoubling;
  const std::size_t within = (bytes - 1 - (kExactLimit << doubling)) / step;
  return kExactClasses + doubling * kStepsPerDoubling + within;
}

std::size_t SpanPool::class_bytes(std::size_t size_class) {
  if (size_class < kExactClasses) return (size_class + 1) * 16;
  const std::size_t doubling = (size_class - kExactClasses) / kStepsPerDoubling;
  const std::size_t within = (size_class - kExactClasses) % kStepsPerDoubling;
  return (kExactLimit << doubling) + (within + 1) * ((kExactLimit << doubling) / kStepsPerDoubling);
}

std::size_t SpanPool::block_bytes(std::size_t bytes) {
  return bytes > kSmallLimit ? page_bytes(bytes) : std::min(class_bytes(class_of(bytes)), kSmallLimit);
}

bool SpanPool::charge(std::size_t bytes, bool force) {
  const std::size_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
  if (force || before + bytes <= max_bytes_) return true;
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

void* SpanPool::allocate(std::size_t bytes, bool force) {
  if (bytes > kSmallLimit) {
    if (!charge(page_bytes(bytes), force)) return nullptr;
    void* memory = map_aligned(page_bytes(bytes));
    if (memory == nullptr) {
      uncharge(page_bytes(bytes));
      return nullptr;
    }
    const SpinGuard guard(lock_);
    single_.emplace(memory, page_bytes(bytes));
    return memory;
  }
  const std::size_t size_class = class_of(bytes);
  const SpinGuard guard(lock_);
  Span* span = partial_[size_class];
  if (span == nullptr) span = take_span(size_class, force);
  if (span == nullptr) return nullptr;
  void* block = span->free_blocks;
  if (block != nullptr) {
    span->free_blocks = *static_cast<void**>(block);
  } else {
    block = reinterpret_cast<char*>(span) + span->first_offset + span->touched * block_bytes(bytes);
    ++span->touched;
  }
  if (++span->live == span->capacity) unlink(span);
  return block;
}

void SpanPool::release(void* block, std::size_t bytes) {
  if (bytes > kSmallLimit) {
    {
      const SpinGuard guard(lock_);
      single_.erase(block);
    }
    munmap(block, page_bytes(bytes));
    uncharge(page_bytes(bytes));
    return;
  }
  auto* span = reinterpret_cast<Span*>(reinterpret_cast<std::uintptr_t>(block) & ~(kSpanBytes - 1));
  const SpinGuard guard(lock_);
  *static_cast<void**>(block) = span->free_blocks;
  span->free_blocks = block;
  if (span->live-- == span->capacity) link(span);
  if (span->live > 0) return;
  unlink(span);
  span->next = empty_;
  empty_ = span;
  uncharge(kSpanBytes);
}

SpanPool::Span* SpanPool::take_span(std::size_t size_class, bool force) {
  if (!charge(kSpanBytes, force)) return nullptr;
  void* memory = empty_;
  if (memory != nullptr) {
    empty_ = empty_->next;
  } else {
    if (fresh_ == fresh_end_ && !map_arena()) {
      uncharge(kSpanBytes);
      return nullptr;
    }
    memory = std::exchange(fresh_, fresh_ + kSpanBytes);
  }
  auto* span = new (memory) Span;
  const std::size_t bytes = std::min(class_bytes(size_class), kSmallLimit);
  span->size_class = static_cast<std::uint32_t>(size_class);
  // Blocks of whole cache lines start on one.
  span->first_offset = bytes % 128 == 0 ? 128 : 64;
  span->capacity = static_cast<std::uint32_t>((kSpanBytes - span->first_offset) / bytes);
  link(span);
  return span;
}

bool SpanPool::map_arena() {
  // Arenas grow with what is in use, from one huge page to 64 MiB.
  std::size_t bytes = std::bit_floor(std::max(used_bytes() / 8, kHugePage));
  bytes = std::min(bytes, std::size_t{64} << 20);
  char* memory = map_aligned(bytes);
  if (memory == nullptr) return false;
  fresh_ = memory;
  fresh_end_ = memory + bytes;
  arenas_.emplace_back(fresh_, bytes);
  return true;
}

void SpanPool::link(Span* span) {
  Span*& head = partial_[span->size_class];
  span->previous = nullptr;
  span->next = head;
  if (head != nullptr) head->previous = span;
  head = span;
}

void SpanPool::unlink(Span* span) {
  Span*& head = partial_[span->size_class];
  if (head == span) head = span->next;
  if (span->previous != nullptr) span->previous->next = span->next;
  if (span->next != nullptr) span->next->previous = span->previous;
  span->next = span->previous = nullptr;
}

}  // namespace weir::engine
