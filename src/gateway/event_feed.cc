#include "gateway/event_feed.h"

#include <utility>

#include "base/check.h"

namespace weir {

const char* to_string(DecisionEvent::What what) {
  constexpr const char* kWords[] = {"admitted", "settled", "refused",  "broken",
                                    "rejected", "warned",  "degraded", "stripped"};
  return kWords[static_cast<std::size_t>(what)];
}

void EventFeed::publish(DecisionEvent event) {
  const MutexLock lock(mutex_);
  if (waiting_.size() < kMaxWaiting) {
    waiting_.push_back(std::move(event));
  } else {
    ++dropped_;
  }
}

std::uint64_t EventFeed::take(std::vector<DecisionEvent>& out) {
  WEIR_CHECK(out.empty());
  const MutexLock lock(mutex_);
  waiting_.swap(out);
  return std::exchange(dropped_, 0);
}

}  // namespace weir
