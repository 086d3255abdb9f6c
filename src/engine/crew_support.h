// Threads that stay alive between short histories, and the barrier at which they meet before each.
//
//   Crew crew(3);
//   crew.run([&](std::size_t thread) { starts[i].wait(3); ... });   // returns when all are done
//
// run() belongs to one thread. Waiting spins, then yields: what follows a barrier should really run at the same time.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace weir::engine {

class StartLine {
 public:
  void wait(int threads) {
    arrived_.fetch_add(1);
    for (int spins = 0; arrived_.load(std::memory_order_acquire) < threads; ++spins) {
      if (spins > 200) std::this_thread::yield();
    }
  }

 private:
  std::atomic<int> arrived_{0};
};

class Crew {
 public:
  explicit Crew(std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) threads_.emplace_back([this, i] { work(i); });
  }
  ~Crew() {
    task_ = nullptr;
    begin();
    for (std::thread& thread : threads_) thread.join();
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  void run(std::function<void(std::size_t)> task) {
    task_ = std::move(task);
    left_ = threads_.size();
    begin();
    for (std::size_t left = left_; left > 0; left = left_) left_.wait(left);
  }

 private:
  void begin() {
    ++round_;
    round_.notify_all();
  }

  void work(std::size_t self) {
    for (std::size_t round = 0;;) {
      round_.wait(round);
      round = round_;
      if (!task_) return;
      task_(self);
      if (--left_ == 0) left_.notify_all();
    }
  }

  std::function<void(std::size_t)> task_;
  std::atomic<std::size_t> round_{0};
  std::atomic<std::size_t> left_{0};
  std::vector<std::thread> threads_;
};

}  // namespace weir::engine
