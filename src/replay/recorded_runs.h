// Which rows begin a run: the gateway's own guard keeps the runs (behavior/guard.h), without its breakers.
//
//   RecordedRuns runs(policy.behavior);
//   const bool begins = runs.enter(key, row.run, now);   // costs 1 of meter `runs`
//   runs.admit(now, ends);                               // or runs.refuse(now): exactly one after each enter()
//
// As in the gateway a run belongs to its key; it is over `runs.idle` after its last answer ended, and begins anew with
// the next request; a request that is refused begins none. Requests come in the order of time; when the answer of an
// admitted one ends is known beforehand.
//
// Belongs to one thread; the rules must outlive it. Limits: kMaxRuns open at once, an older one that comes back counts
// again; of one key those of Guard::Options. Memory: about 170 bytes a run.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "behavior/guard.h"

namespace weir {

class RecordedRuns {
 public:
  static constexpr std::size_t kMaxRuns = 200'000;

  explicit RecordedRuns(const BehaviorRules& rules);

  bool enter(std::int64_t key, std::string_view run, TimeNs now);
  void admit(TimeNs now, TimeNs ends);
  void refuse(TimeNs now);

 private:
  const BehaviorRules& rules_;
  const KillSwitches switches_;
  std::unique_ptr<Guard> guard_;
  Entry entry_;
  TimeNs swept_ = 0;
};

}  // namespace weir
