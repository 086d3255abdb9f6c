#include "admin/hot_limits.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "base/hash.h"
#include "policy/limit_words.h"

namespace weir {
namespace {

constexpr std::pair<std::string_view, std::string DecisionEvent::*> kKnown[] = {
    {"caller", &DecisionEvent::caller}, {"key", &DecisionEvent::key},
    {"tenant", &DecisionEvent::tenant}, {"user", &DecisionEvent::user},
    {"tier", &DecisionEvent::tier},     {"kind", &DecisionEvent::kind},
    {"model", &DecisionEvent::model},   {"provider", &DecisionEvent::provider},
    {"route", &DecisionEvent::route},   {"agent", &DecisionEvent::agent},
    {"run", &DecisionEvent::run},       {"conversation", &DecisionEvent::conversation}};

std::string_view name_of(std::string DecisionEvent::* member) {
  return std::find_if(std::begin(kKnown), std::end(kKnown), [&](const auto& each) { return each.second == member; })
      ->first;
}

bool is_over(TimeNs at, TimeNs now) {
  return at + HotLimits::kKept <= now;
}

}  // namespace

void HotLimits::add(const DecisionEvent& event, TimeNs now) {
  for (std::size_t i = 0; i < event.pressure_count; ++i) {
    const LimitPressure& pressure = event.pressures[i];
    bool leads = true;  // of several windows of one limit the fullest counts
    for (std::size_t k = 0; k < event.pressure_count; ++k) {
      const LimitPressure& other = event.pressures[k];
      if (k == i || other.limit != pressure.limit) continue;
      leads &= k < i ? pressure.permille > other.permille : pressure.permille >= other.permille;
    }
    if (!leads) continue;
    if (const Target& target = target_of(event, pressure.limit); target.table != nullptr) {
      put(target, pressure, event, now);
    }
  }
}

const HotLimits::Target& HotLimits::target_of(const DecisionEvent& event, std::uint16_t limit) {
  if (event.rules != rules_) use(event.rules);
  return by_index_.at(limit);
}

void HotLimits::use(const std::shared_ptr<const Ruleset>& rules) {
  if (rules == rules_) return;
  std::set<std::string> same;
  if (rules_ != nullptr) {
    for (const LimitRule& rule : rules_->policy().limits) same.insert(words_of(rule));
  }
  rules_ = rules;
  by_index_.clear();
  const auto& limits = rules_->policy().limits;
  std::erase_if(tables_, [&](const auto& table) {
    return std::none_of(limits.begin(), limits.end(),
                        [&](const auto& rule) { return rule.name == table.first && same.contains(words_of(rule)); });
  });
  for (const LimitRule& rule : limits) {
    Target& target = by_index_.emplace_back();
    if (tables_.size() >= kMaxLimits && !tables_.contains(rule.name)) continue;
    target.table = &tables_[rule.name];
    for (const auto& [name, member] : kKnown) {
      if (std::find(rule.per.begin(), rule.per.end(), name) != rule.per.end()) target.per.push_back(member);
    }
  }
}

bool HotLimits::make_room(Table& table, std::uint16_t permille, TimeNs now) {
  if (table.subjects.size() < kMaxSubjects) return true;
  if (permille <= table.least && now < table.least_until) return false;
  const auto rank = [&](const Entry& entry) { return is_over(entry.known_at, now) ? 0 : entry.permille + 1; };
  const auto least = std::min_element(table.subjects.begin(), table.subjects.end(),
                                      [&](const auto& a, const auto& b) { return rank(a.second) < rank(b.second); });
  const bool over = is_over(least->second.known_at, now);
  if (!over && least->second.permille >= permille) {
    table.least = least->second.permille;
    table.least_until = now + kSecond;
    return false;
  }
  table.subjects.erase(least);
  return true;
}

void HotLimits::put(const Target& target, const LimitPressure& pressure, const DecisionEvent& event, TimeNs now) {
  Table& table = *target.table;
  std::uint64_t hash = 1;
  for (const auto member : target.per) hash = hash64(event.*member, hash);
  auto found = table.subjects.find(hash);
  if (found == table.subjects.end()) {
    if (!make_room(table, pressure.permille, now)) return;
    found = table.subjects.emplace(hash, Entry{}).first;
    HotSubject& subject = found->second.subject;
    subject.limit = event.rules->policy().limits[pressure.limit].name;
    for (const auto member : target.per) {
      if (!(event.*member).empty()) subject.per.emplace_back(name_of(member), event.*member);
    }
  }
  Entry& entry = found->second;
  const double used = static_cast<double>(pressure.allowed) * pressure.permille / 1000;
  show(entry, pressure.permille, static_cast<std::int64_t>(used), pressure.allowed);
  entry.subject.tier = event.tier;
  entry.subject.at = entry.known_at = now;
  keep_counters(entry, pressure, event);
}

// What to ask for later: every window of the limit, as this subject has them.
void HotLimits::keep_counters(Entry& entry, const LimitPressure& pressure, const DecisionEvent& event) {
  entry.windows.clear();
  entry.allowed.clear();
  const auto at = static_cast<std::size_t>(&pressure - event.pressures.data());
  if (at >= event.demands.size()) return;
  const std::uint8_t subject = event.demands[at].subject;
  entry.counted = event.subjects.at(subject);
  for (std::size_t i = 0; i < event.pressure_count && i < event.demands.size(); ++i) {
    if (event.pressures[i].limit != pressure.limit || event.demands[i].subject != subject) continue;
    Demand& window = entry.windows.emplace_back(event.demands[i]);
    window.subject = 0;
    window.cost = 0;
    entry.allowed.push_back(event.pressures[i].allowed);
  }
}

void HotLimits::show(Entry& entry, std::uint16_t permille, std::int64_t used, std::int64_t allowed) {
  entry.permille = permille;
  entry.subject.ratio = permille / 1000.0;
  entry.subject.used = used;
  entry.subject.allowed = allowed;
}

// False: nothing of it is in use any more, or nothing was known for too long.
bool HotLimits::refresh(Entry& entry, TimeNs now) const {
  if (!peek_ || entry.windows.empty()) return !is_over(entry.known_at, now);
  const Result<Decision> state = peek_({&entry.counted, 1}, entry.windows, now);
  if (!state || state->count < entry.windows.size()) return !is_over(entry.known_at, now);
  entry.known_at = now;
  bool in_use = false;
  for (std::size_t i = 0; i < entry.windows.size(); ++i) {
    const Quota& quota = entry.windows[i].quota;
    if (quota.period_end != 0 && quota.period_end <= now) continue;  // a new period begins with its first decision
    const std::int64_t used = state->verdicts[i].used + state->verdicts[i].reserved;
    const std::uint16_t permille = permille_of(used, entry.allowed[i]);
    if (used == 0 || (in_use && permille <= entry.permille)) continue;
    in_use = true;
    show(entry, permille, used, entry.allowed[i]);
  }
  return in_use;
}

std::vector<HotSubject> HotLimits::of(std::string_view limit, TimeNs now) {
  std::vector<HotSubject> out;
  const auto table = tables_.find(limit);
  if (table == tables_.end()) return out;
  auto& subjects = table->second.subjects;
  for (auto each = subjects.begin(); each != subjects.end();) {
    if (refresh(each->second, now)) {
      out.push_back(each->second.subject);
      ++each;
    } else {
      each = subjects.erase(each);
    }
  }
  std::sort(out.begin(), out.end(), [](const HotSubject& a, const HotSubject& b) {
    return a.ratio != b.ratio ? a.ratio > b.ratio : a.per < b.per;
  });
  return out;
}

std::vector<HotSubject> HotLimits::all(TimeNs now) {
  std::vector<HotSubject> out;
  for (const auto& [name, table] : tables_) {
    for (HotSubject& subject : of(name, now)) out.push_back(std::move(subject));
  }
  return out;
}

}  // namespace weir
