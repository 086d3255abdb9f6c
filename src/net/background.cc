#include "net/background.h"

namespace weir {

Background::Background(std::chrono::milliseconds period, std::function<bool()> tick)
    : period_(period), tick_(std::move(tick)), thread_([this] { run(); }) {}

Background::~Background() {
  stop();
}

void Background::wake() {
  const MutexLock lock(mutex_);
  woken_ = true;
  condition_.notify_one();
}

void Background::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    condition_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Background::run() {
  bool again = false;
  while (true) {
    {
      const MutexLock lock(mutex_);
      const auto until = std::chrono::steady_clock::now() + period_;
      while (!again && !stopping_ && !woken_ && condition_.wait_until(mutex_, until)) continue;
      if (stopping_) return;
      woken_ = false;
    }
    again = tick_();
  }
}

}  // namespace weir
