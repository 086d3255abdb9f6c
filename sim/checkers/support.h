// What several checkers know: groups of a limit, plain limits, the policies that were in force.
//
//   PolicyHistory policies;                                 // told of starts and reloads
//   for (const auto& policy : policies.between(ask.sent, ask.ended)) …
//
// Values. One thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy/policy.h"
#include "truth.h"
#include "world.h"

namespace weir::sim {

// Policies with the true time from which they held; the last one holds now.
class PolicyHistory {
 public:
  static constexpr std::size_t kMaxKept = 64;

  void began(TimeNs at, std::shared_ptr<const Policy> policy);
  // Those that held at any instant of [from, until].
  std::vector<std::shared_ptr<const Policy>> between(TimeNs from, TimeNs until) const;
  std::shared_ptr<const Policy> now() const { return kept_.empty() ? nullptr : kept_.back().second; }
  // True if more than one held in [from, until].
  bool changed(TimeNs from, TimeNs until) const { return between(from, until).size() != 1; }

 private:
  std::deque<std::pair<TimeNs, std::shared_ptr<const Policy>>> kept_;
};

const LimitRule* limit_named(const Policy& policy, const std::string& name);
// A limit that counts one meter of every request of its group, whatever it is: no match, weight 1, enforced.
bool counts_everything(const LimitRule& rule, MeterKind meter);
// The group of `per` that an ask of this key belongs to; none if the limit groups by something else.
std::optional<std::string> group_of(const LimitRule& rule, const World& world, const std::string& key,
                                    const std::string& user);
// Of the world's key of that name, also one of many; null if there is none.
const Consumer* consumer_named(const World& world, const std::string& key);
// The windows that hold for this key's tier; null where its metadata changes amounts, so that nobody can say simply.
const std::vector<WindowRule>* windows_for(const LimitRule& rule, const Policy& policy, const Consumer& consumer);

// How long a crash may forget what a disk did not take: nothing but the last turn, unless this world breaks disks.
DurationNs forgets(const World& world);

}  // namespace weir::sim
