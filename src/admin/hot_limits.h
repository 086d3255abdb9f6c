// Who is nearest to an amount: per limit the subjects that have the largest share of theirs in use now. Decisions bring
// them in; whoever asks for them has their counters asked again, and those that are empty leave.
//
//   HotLimits hot(peek);
//   hot.add(event, now);
//   for (const HotSubject& subject : hot.of("tokens", now)) …subject.ratio…
//
// One thread at a time. Limits: kMaxLimits limits by name; of each kMaxSubjects subjects and kMaxKept that were asked
// to stay, and so as many peeks. Subjects are told apart by whose counters they have. An event does not know addresses,
// tools, tasks, headers and metadata: such a one is shown as that of the key that asked first.
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
  std::uint64_t id = 0;  // a hash of whose counters they are: that of the same subject after a restart, too
  // Attribute -> value; and the key, where its callers' runs and names, or what they lack, make buckets of its own.
  std::vector<std::pair<std::string, std::string>> per;
  double ratio = 0;                    // used and held of allowed, in steps of a thousandth
  std::int64_t used = 0, allowed = 0;  // in the limit's meter, usd in micro-dollars; held included
  std::int64_t held = 0;               // of `used`; 0 until the counters were asked
  TimeNs at = 0;                       // of its last decision
};

class HotLimits {
 public:
  static constexpr std::size_t kMaxLimits = 512;
  static constexpr std::size_t kMaxSubjects = 50;
  static constexpr std::size_t kMaxKept = 1'000;
  static constexpr DurationNs kKept = 10 * kMinute;  // without an answer of its counters

  // How full the counters of these demands are.
  using Peek = std::function<Result<Decision>(std::span<const Subject>, std::span<const Demand>, TimeNs now)>;
  explicit HotLimits(Peek peek = {}) : peek_(std::move(peek)) {}

  void add(const DecisionEvent& event, TimeNs now);
  // The policy is this one now: of limits that say something else, what was known is forgotten.
  void use(const std::shared_ptr<const Ruleset>& rules);
  // These stay while anything of theirs is in use, whoever is nearer; until the next call.
  void keep(std::span<const std::pair<std::string, std::uint64_t>> names);  // of limits, ids
  // Highest ratio first.
  std::vector<HotSubject> of(std::string_view limit, TimeNs now);
  std::vector<HotSubject> all(TimeNs now);

 private:
  struct Entry {
    HotSubject subject;
    std::uint16_t permille = 0;
    TimeNs known_at = 0;  // decided about, or its counters answered
    bool kept = false;
    Subject counted;
    std::vector<Demand> windows;  // of the limit
    std::vector<std::int64_t> allowed;
  };
  struct Table {
    std::unordered_map<std::uint64_t, Entry> subjects;  // by a hash of who
    // While it is full: no subject with less gets in, as far as was looked within the last second.
    std::uint16_t least = 0;
    TimeNs least_until = 0;
    std::size_t kept = 0;
  };
  static bool make_room(Table& table, std::uint16_t permille, TimeNs now);
  struct Target {
    Table* table = nullptr;                                                 // null: no place
    std::vector<std::pair<std::string, std::string DecisionEvent::*>> per;  // null: events do not know it
  };
  static std::uint64_t id_of(const Target& target, const LimitPressure& pressure, const DecisionEvent& event);
  static void name(HotSubject& subject, const Target& target, const DecisionEvent& event, bool owned);
  static void keep_counters(Entry& entry, const LimitPressure& pressure, const DecisionEvent& event);
  static void show(Entry& entry, std::uint16_t permille, std::int64_t used, std::int64_t held, std::int64_t allowed);
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
