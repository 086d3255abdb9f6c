#include "replay/recorded_runs.h"

#include <limits>

namespace weir {

// What profiles would learn is of no use here.
RecordedRuns::RecordedRuns(const BehaviorRules& rules)
    : rules_(rules), guard_(std::make_unique<Guard>(Guard::Options{.max_runs = kMaxRuns, .max_profiles = 1})) {}

bool RecordedRuns::enter(std::int64_t key, std::string_view run, TimeNs now) {
  if (rules_.runs.idle > 0 && now - swept_ > rules_.runs.idle) {
    guard_->sweep(rules_, now, std::numeric_limits<std::size_t>::max());
    swept_ = now;
  }
  Arrival arrival;
  arrival.owner = arrival.caller = {1, static_cast<std::uint64_t>(key)};
  arrival.run = run;
  arrival.kind = Arrival::Kind::kModel;
  arrival.ordinary = true;  // the bounds of a run and its breakers were judged when it was recorded
  entry_ = guard_->enter(arrival, rules_, switches_, now);
  return entry_.begins;
}

// Nothing can happen to the run before `ends` that depends on whether it has left.
void RecordedRuns::admit(TimeNs now, TimeNs ends) {
  guard_->begin(entry_, now);
  guard_->leave(entry_, {}, ends);
}

void RecordedRuns::refuse(TimeNs now) {
  guard_->refused(entry_, 0, now);
}

}  // namespace weir
