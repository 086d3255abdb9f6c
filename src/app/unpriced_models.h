// Models that were charged although nobody knows their price, as settlements tell.
//
//   UnpricedModels unpriced;
//   observer.add_event_listener([&](auto events) { unpriced.take(events, clock.now()); });
//   unpriced.add_notes(policy, health.notes);       // any thread
//
// Thread-safe. Limit: kMaxKnown models; the one charged least recently makes room, and is warned of again if it comes
// back.
#pragma once

#include <string>
#include <vector>

#include "admin/host.h"
#include "base/lru_map.h"
#include "base/mutex.h"

namespace weir {

class UnpricedModels {
 public:
  static constexpr std::size_t kMaxKnown = 200;
  static constexpr std::size_t kMaxShown = 10;

  // Says in the log which are new.
  void take(Observer::Events events, TimeNs now) WEIR_EXCLUDES(mutex_);
  // Those without a price now, the latest first.
  void add_notes(const Policy& policy, std::vector<HealthProblem>& notes) const WEIR_EXCLUDES(mutex_);

 private:
  struct Model {
    std::string provider, model;
  };
  mutable Mutex mutex_;
  LruMap<std::string, Model, TextHash> known_ WEIR_GUARDED_BY(mutex_){kMaxKnown};
};

}  // namespace weir
