// A lock of four bytes for very short critical sections: a few nanoseconds when free, a short spin, then a futex wait.
//
//   SpinLock lock;
//   std::lock_guard guard(lock);
//
// Any thread may use it. Not recursive, not fair.
#pragma once

#include <atomic>
#include <cstdint>

namespace weir::engine {

class SpinLock {
 public:
  void lock() noexcept {
    std::uint32_t expected = kFree;
    if (state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) return;
    lock_slow();
  }

  void unlock() noexcept {
    if (state_.exchange(kFree, std::memory_order_release) == kWaitedFor) state_.notify_one();
  }

 private:
  static constexpr std::uint32_t kFree = 0, kHeld = 1, kWaitedFor = 2;
  static constexpr int kSpins = 64;

  void lock_slow() noexcept {
    for (int spin = 0; spin < kSpins; ++spin) {
      std::uint32_t expected = kFree;
      if (state_.load(std::memory_order_relaxed) == kFree &&
          state_.compare_exchange_weak(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) {
        return;
      }
    }
    // Whoever took it through here must assume that others wait as well.
    while (state_.exchange(kWaitedFor, std::memory_order_acquire) != kFree) {
      state_.wait(kWaitedFor, std::memory_order_relaxed);
    }
  }

  std::atomic<std::uint32_t> state_{kFree};
};

}  // namespace weir::engine
