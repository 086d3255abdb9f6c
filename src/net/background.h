// A thread that runs one function every so often: the drain of the journal, snapshots, polling for changes.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "base/mutex.h"

namespace weir {

class Background {
 public:
  // `name`: see net/thread_name.h; `tick` returns true if it wants to be called again at once.
  Background(const char* name, std::chrono::milliseconds period, std::function<bool()> tick);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  void wake();  // any thread: do not wait for the period to pass
  void stop();  // ends after the tick under way; any thread but its own

 private:
  void run();

  const char* const name_;
  std::chrono::milliseconds period_;
  std::function<bool()> tick_;
  Mutex mutex_;
  Condition condition_;
  bool stopping_ WEIR_GUARDED_BY(mutex_) = false;
  bool woken_ WEIR_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace weir
