// Who is nearest to an amount: per limit the subjects that used the largest share of theirs within the last ten
// minutes, as they stood when they were last decided about.
//
//   HotLimits hot;
//   hot.add(event, now);
//   for (const HotSubject& subject : hot.of("tokens", now)) …subject.ratio…
//
// One thread at a time. Limits: kMaxLimits limits by name, kMaxSubjects subjects of each. Subjects are told apart by
// what an event knows of the limit's `per`; addresses, tools, tasks and headers it does not know.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
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
  TimeNs at = 0;
};

class HotLimits {
 public:
  static constexpr std::size_t kMaxLimits = 512;
  static constexpr std::size_t kMaxSubjects = 50;
  static constexpr DurationNs kKept = 10 * kMinute;

  void add(const DecisionEvent& event, TimeNs now);
  // Highest ratio first.
  std::vector<HotSubject> of(std::string_view limit, TimeNs now) const;
  std::vector<HotSubject> all(TimeNs now) const;

 private:
  struct Entry {
    HotSubject subject;
    std::uint16_t permille = 0;
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
  const Target& target_of(const DecisionEvent& event, std::uint16_t limit);
  static void put(const Target& target, const LimitPressure& pressure, const DecisionEvent& event, TimeNs now);

  std::map<std::string, Table, std::less<>> tables_;
  // Of the limits of the ruleset seen last.
  std::shared_ptr<const Ruleset> rules_;
  std::vector<Target> by_index_;
};

}  // namespace weir
