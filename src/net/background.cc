#include "net/background.h"

namespace weir {

Background::Background(std::chrono::milliseconds period, std::function<bool()> tick)
    : period_(period), tick_(std::move(tick)), thread_([this] { run(); }) {}

Background::~Background() {
  stop();
}

void Background::wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  condition_.notify_one();
}

void Background::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    condition_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Background::run() {
  bool again = false;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (!again) condition_.wait_for(lock, period_, [this] { return stopping_ || woken_; });
      if (stopping_) return;
      woken_ = false;
    }
    again = tick_();
  }
}

}  // namespace weir
