#include "base/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace weir {
namespace {

struct Box {
  Mutex mutex;
  Condition changed;
  int value WEIR_GUARDED_BY(mutex) = 0;
};

TEST(Mutex, OneThreadAtATimeCounts) {
  Box box;
  const auto count = [&] {
    for (int i = 0; i < 10'000; ++i) {
      const MutexLock lock(box.mutex);
      ++box.value;
    }
  };
  std::thread other(count);
  count();
  other.join();
  const MutexLock lock(box.mutex);
  EXPECT_EQ(box.value, 20'000);
}

// The waiting thread gives the mutex back while it sleeps, else the other one could never take it.
TEST(Condition, WhoWaitsIsWokenAndHoldsTheMutexAgain) {
  Box box;
  std::thread other([&] {
    const MutexLock lock(box.mutex);
    box.value = 7;
    box.changed.notify_one();
  });
  {
    const MutexLock lock(box.mutex);
    while (box.value == 0) box.changed.wait(box.mutex);
    EXPECT_EQ(box.value, 7);
  }
  other.join();
}

TEST(Condition, AnInstantThatPassesEndsTheWait) {
  Box box;
  const MutexLock lock(box.mutex);
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  while (box.changed.wait_until(box.mutex, until)) continue;  // it may end early
  EXPECT_GE(std::chrono::steady_clock::now(), until);
  box.value = 1;  // held again
}

}  // namespace
}  // namespace weir
