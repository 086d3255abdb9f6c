#include "schedule.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace weir::sim {

void Schedule::at(TimeNs when, std::function<void()> work) {
  WEIR_CHECK(queue_.size() < kMaxPending);
  queue_.push({std::max(when, now_), ++sequence_, std::make_shared<std::function<void()>>(std::move(work))});
}

bool Schedule::step(TimeNs until) {
  if (queue_.empty() || queue_.top().when > until) {
    now_ = std::max(now_, until);
    return false;
  }
  const std::shared_ptr<std::function<void()>> work = queue_.top().work;
  now_ = queue_.top().when;
  queue_.pop();
  ++steps_;
  (*work)();
  if (after_step) after_step();
  return true;
}

void Timer::set(TimeNs at) {
  Shared& shared = *shared_;
  if (at == shared.at) return;
  ++shared.generation;
  shared.at = at;
  if (at == 0) return;
  schedule_.at(at, [held = shared_, generation = shared.generation] {
    if (held->generation != generation) return;
    held->at = 0;
    held->work();
  });
}

}  // namespace weir::sim
