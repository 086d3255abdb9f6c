// Who is nearest to an amount: per limit the subjects that have the largest share of theirs in use now. Decisions bring
// them in; whoever asks for them has their counters asked again, and those that are empty leave.
//
//   HotLimits hot(peek);
//   hot.add(event, now);
//   for (const HotSubject& subject : hot.of("tokens", now)) …subject.ratio…
//
// One thread at a time. Limits: kMaxLimits limits by name, kMaxSubjects subjects, and so as many peeks, of each.
// Subjects are told apart by what an event knows of the limit's `per`; addresses, tools, tasks and headers it does not
// know: of those the one decided about last stands for all.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gateway/event_feed.h"

namespace weir {

struct HotSubject {
  std::string limit, tier;
  std::vector<std::pair<std::string, std::string>> per;  // attribute -> value
  double ratio = 0;                                      // used and held of allowed, in steps of a thousandth
  std::int64_t used = 0, allowed = 0;                    // in the limit's meter, usd in micro-dollars
  TimeNs at = 0;                                         // of its last decision
};

class HotLimits {
 public:
  static constexpr std::size_t kMaxLimits = 512;
  static constexpr std::size_t kMaxSubjects = 50;
  static constexpr DurationNs kKept = 10 * kMinute;  // without an answer of its counters

  // How full the counters of these demands are.
  using Peek = std::function<Result<Decision>(std::span<const Subject>, std::span<const Demand>, TimeNs now)>;
  explicit HotLimits(Peek peek = {}) : peek_(std::move(peek)) {}

  void add(const DecisionEvent& event, TimeNs now);
  // The policy is this one now: of limits that say something else, what was known is forgotten.
  void use(const std::shared_ptr<const Ruleset>& rules);
  // Highest ratio first.
  std::vector<HotSubject> of(std::string_view limit, TimeNs now);
  std::vector<HotSubject> all(TimeNs now);

 private:
  struct Entry {
    HotSubject subject;
    std::uint16_t permille = 0;
    TimeNs known_at = 0;  // decided about, or its counters answered
    Subject counted;
    std::vector<Demand> windows;  // of the limit
    std::vector<std::int64_t> allowed;
  };
  struct Table {
    std::unordered_map<std::uint64_t, Entry> subjects;  // by a hash of who
    // While it is full: no subject with less gets in, as far as was looked within the last second.
    std::uint16_t least = 0;
    TimeNs least_until = 0;
  };
  static bool make_room(Table& table, std::uint16_t permille, TimeNs now);
  struct Target {
    Table* table = nullptr;  // null: no place
    std::vector<std::string DecisionEvent::*> per;
  };
  static void keep_counters(Entry& entry, const LimitPressure& pressure, const DecisionEvent& event);
  static void show(Entry& entry, std::uint16_t permille, std::int64_t used, std::int64_t allowed);
  bool refresh(Entry& entry, TimeNs now) const;
  const Target& target_of(const DecisionEvent& event, std::uint16_t limit);
  static void put(const Target& target, const LimitPressure& pressure, const DecisionEvent& event, TimeNs now);

  const Peek peek_;
  std::map<std::string, Table, std::less<>> tables_;
  // Of the limits of the ruleset seen last.
  std::shared_ptr<const Ruleset> rules_;
  std::vector<Target> by_index_;
};

}  // namespace weir
