// A lock of four bytes for very short critical sections: one exchange to take it, one store to release it.
//
//   SpinLock lock;
//   const SpinGuard guard(lock);
//
// Any thread may use it. Not recursive, not fair. Who waits long lets other threads run, so that a holder the kernel
// has put aside comes back; nobody sleeps, because waking a sleeper would make every release as dear as taking.
#pragma once

#include <sched.h>

#include <atomic>
#include <cassert>
#include <cstdint>

#include "base/mutex.h"

namespace weir::engine {

class WEIR_CAPABILITY("spin lock") SpinLock {
 public:
  void lock() noexcept WEIR_ACQUIRE() {
    if (state_.exchange(kHeld, std::memory_order_acquire) != kFree) lock_slow();
  }

  void unlock() noexcept WEIR_RELEASE() { state_.store(kFree, std::memory_order_release); }

  // Tells the analysis what the caller knows. Builds for tests check that somebody holds it.
  void held() const WEIR_ASSERTS(this) { assert(state_.load(std::memory_order_relaxed) == kHeld); }

 private:
  static constexpr std::uint32_t kFree = 0, kHeld = 1;
  static constexpr int kSpins = 64;

  void lock_slow() noexcept {
    for (int spin = 0;; ++spin) {
      if (state_.load(std::memory_order_relaxed) == kFree &&
          state_.exchange(kHeld, std::memory_order_acquire) == kFree) {
        return;
      }
      if (spin >= kSpins) sched_yield();
    }
  }

  std::atomic<std::uint32_t> state_{kFree};
};

class WEIR_SCOPED_CAPABILITY SpinGuard {
 public:
  explicit SpinGuard(SpinLock& lock) WEIR_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~SpinGuard() WEIR_RELEASE() { lock_.unlock(); }
  SpinGuard(const SpinGuard&) = delete;
  SpinGuard& operator=(const SpinGuard&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace weir::engine
