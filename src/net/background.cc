#include "net/background.h"

#include "net/thread_name.h"

namespace weir {

Background::Background(const char* name, std::chrono::milliseconds period, std::function<bool()> tick)
    : name_(name), period_(period), tick_(std::move(tick)), thread_([this] { run(); }) {}

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
  name_thread(name_);
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
