#include "behavior/trust.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "behavior/striped.h"

namespace weir {
namespace {

int lowest(const TrustRules& rules) {
  return static_cast<int>(std::lround(std::clamp(rules.min, 0.0, 1.0) * Trust::kFull));
}

struct Caller {
  TimeNs at = 0;             // of the last drop
  int level = Trust::kFull;  // right after it
  TimeNs full_at = 0;        // back at full trust, as the rules were then
  std::vector<TimeNs> throttles;
  TimeNs told_at = 0;
  bool told = false;

  int now_at(TimeNs now, const TrustRules& rules) const {
    const int floor = lowest(rules), span = Trust::kFull - floor;
    const DurationNs quiet = std::max<DurationNs>(now - at, 0);
    if (rules.recover <= 0 || quiet >= rules.recover || span == 0) return Trust::kFull;
    const double gained = span * (static_cast<double>(quiet) / static_cast<double>(rules.recover));
    return std::clamp(level + static_cast<int>(gained), floor, Trust::kFull);
  }

  void fall_to(int to, const TrustRules& rules, TimeNs now) {
    at = now;
    level = to;
    const int span = std::max(Trust::kFull - lowest(rules), 1);
    const double share = static_cast<double>(Trust::kFull - to) / span;
    full_at = now + static_cast<DurationNs>(share * static_cast<double>(std::max<DurationNs>(rules.recover, 0)));
  }

  // Counts a throttle; true if this one escalates.
  bool throttle(const TrustRules& rules, TimeNs now, std::int64_t& counted) {
    const Threshold& threshold = rules.escalate;
    if (threshold.count <= 0 || threshold.within <= 0) return false;
    std::erase_if(throttles, [&](TimeNs when) { return when <= now - threshold.within; });
    if (throttles.size() >= Trust::kMaxThrottles) throttles.erase(throttles.begin());
    throttles.push_back(now);
    counted = static_cast<std::int64_t>(throttles.size());
    const std::int64_t enough = std::min<std::int64_t>(threshold.count, Trust::kMaxThrottles);
    if (counted < enough || rules.shadow || (told && now < told_at + threshold.within)) return false;
    told = true;
    told_at = now;
    throttles.clear();
    return true;
  }
};

// Callers with the order in which they are back at full trust, the first first.
struct Part {
  explicit Part(std::size_t most_callers) : most(most_callers) {}
  std::size_t most;
  std::unordered_map<Hash128, Caller, Hash128Hash> callers;
  std::set<std::pair<TimeNs, Hash128>> order;

  Caller* find_or_make(const Hash128& key, TimeNs now) {
    const auto found = callers.find(key);
    if (found != callers.end()) return &found->second;
    if (callers.size() >= most) {
      const auto first = *order.begin();
      if (first.first > now) return nullptr;
      callers.erase(first.second);
      order.erase(order.begin());
    }
    order.emplace(TimeNs{0}, key);
    return &callers[key];
  }
};

const char* verb(TrustAction action) {
  return action == TrustAction::kSuspend ? "suspended" : "flagged";
}

}  // namespace

struct Trust::Impl {
  explicit Impl(std::size_t most)
      : parts([share = share_of(most, kStripes)] { return std::make_unique<Part>(share); }) {}
  Striped<Part, kStripes> parts;
};

Trust::Trust(Options options) : impl_(std::make_unique<Impl>(options.max_callers)) {}
Trust::~Trust() = default;

TrustChange Trust::drop(Hash128 caller, std::string_view cause, const TrustRules& rules, TimeNs now) {
  TrustChange change{.shadow = rules.shadow};
  const int floor = lowest(rules);
  if (floor >= kFull) {
    change.sentence = fmt::format("trust stays full, as trust.min says: {}", cause);
    return change;
  }
  const auto part = impl_->parts.lock(caller);
  Caller* known = part->find_or_make(caller, now);
  if (known == nullptr) {
    change.sentence = fmt::format("trust stays full, too many callers have less: {}", cause);
    return change;
  }
  now = std::max(now, known->at);
  change.from = known->now_at(now, rules);
  change.to = std::max(floor, change.from - (kFull - floor + kDropsToMin - 1) / kDropsToMin);
  part->order.erase({known->full_at, caller});
  known->fall_to(change.to, rules, now);
  part->order.emplace(known->full_at, caller);
  change.throttle = change.from == kFull;
  if (change.throttle && known->throttle(rules, now, change.throttles)) change.escalate = rules.action;
  change.sentence = fmt::format("trust {} to {} of {}{}: {}", change.from, change.to, kFull,
                                change.shadow ? " (shadow: not applied)" : "", cause);
  if (change.escalate != TrustAction::kNone) {
    change.sentence += fmt::format("; {} throttles within {} s: to be {}", change.throttles,
                                   rules.escalate.within / kSecond, verb(change.escalate));
  }
  return change;
}

int Trust::permille(Hash128 caller, const TrustRules& rules, TimeNs now) const {
  if (rules.shadow) return kFull;
  const auto part = impl_->parts.lock(caller);
  const auto found = part->callers.find(caller);
  return found == part->callers.end() ? kFull : found->second.now_at(now, rules);
}

std::size_t Trust::size() const {
  return impl_->parts.sum([](const Part& part) { return part.callers.size(); });
}

}  // namespace weir
