// A thread that runs one function every so often: the drain of the journal, snapshots, polling for changes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace weir {

class Background {
 public:
  // `tick` returns true if it wants to be called again at once.
  Background(std::chrono::milliseconds period, std::function<bool()> tick);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  void wake();  // any thread: do not wait for the period to pass
  void stop();  // ends after the tick under way; any thread but its own

 private:
  void run();

  std::chrono::milliseconds period_;
  std::function<bool()> tick_;
  std::mutex mutex_;
  std::condition_variable condition_;
  bool stopping_ = false;
  bool woken_ = false;
  std::thread thread_;
};

}  // namespace weir
