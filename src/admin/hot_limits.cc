#include "admin/hot_limits.h"

#include <algorithm>
#include <cmath>
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

const Subject* subject_of(const LimitPressure& pressure, const DecisionEvent& event) {
  const auto at = static_cast<std::size_t>(&pressure - event.pressures.data());
  return at < event.demands.size() ? &event.subjects.at(event.demands[at].subject) : nullptr;
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
    for (const std::string& name : rule.per) {
      const auto known =
          std::find_if(std::begin(kKnown), std::end(kKnown), [&](const auto& each) { return each.first == name; });
      target.per.emplace_back(name, known == std::end(kKnown) ? nullptr : known->second);
    }
  }
}

void HotLimits::keep(std::span<const std::pair<std::string, std::uint64_t>> names) {
  for (auto& [limit, table] : tables_) {
    table.kept = 0;
    for (auto& [id, entry] : table.subjects) entry.kept = false;
  }
  for (const auto& [limit, id] : names) {
    const auto table = tables_.find(limit);
    if (table == tables_.end() || table->second.kept >= kMaxKept) continue;
    const auto found = table->second.subjects.find(id);
    if (found == table->second.subjects.end() || found->second.kept) continue;
    found->second.kept = true;
    ++table->second.kept;
  }
}

bool HotLimits::make_room(Table& table, std::uint16_t permille, TimeNs now) {
  if (table.subjects.size() - table.kept < kMaxSubjects) return true;
  if (permille <= table.least && now < table.least_until) return false;
  const auto rank = [&](const Entry& entry) {
    return entry.kept ? 1'000'000 : is_over(entry.known_at, now) ? 0 : entry.permille + 1;
  };
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

std::uint64_t HotLimits::id_of(const Target& target, const LimitPressure& pressure, const DecisionEvent& event) {
  if (const Subject* counted = subject_of(pressure, event)) return counted->key.high ^ counted->key.low;
  std::uint64_t hash = 1;
  for (const auto& [attribute, member] : target.per) hash = hash64(member == nullptr ? event.key : event.*member, hash);
  return hash;
}

// As make_subject() nests them: what a caller asserts, and whoever lacks a value, counts under its key.
void HotLimits::name(HotSubject& subject, const Target& target, const DecisionEvent& event, bool owned) {
  const std::string whose = event.key.empty() ? event.caller : event.key;
  bool nested = owned, named = false;
  for (const auto& [attribute, member] : target.per) {
    const std::string value = member == nullptr ? "of key " + whose : event.*member;
    if (value.empty()) {
      nested = true;
    } else {
      named = named || member == nullptr || attribute == "key" || (attribute == "caller" && value == whose);
      subject.per.emplace_back(attribute, value);
    }
  }
  if (nested && !named && !whose.empty()) subject.per.emplace_back(event.key.empty() ? "ip" : "key", whose);
}

void HotLimits::put(const Target& target, const LimitPressure& pressure, const DecisionEvent& event, TimeNs now) {
  Table& table = *target.table;
  const std::uint64_t id = id_of(target, pressure, event);
  auto found = table.subjects.find(id);
  if (found == table.subjects.end()) {
    if (!make_room(table, pressure.permille, now)) return;
    found = table.subjects.emplace(id, Entry{}).first;
    HotSubject& subject = found->second.subject;
    subject.limit = event.rules->policy().limits[pressure.limit].name;
    subject.id = id;
    const Subject* counted = subject_of(pressure, event);
    name(subject, target, event, counted != nullptr && static_cast<bool>(counted->owner));
  }
  Entry& entry = found->second;
  const double used = static_cast<double>(pressure.allowed) * pressure.permille / 1000;
  show(entry, pressure.permille, std::llround(used), 0, pressure.allowed);
  entry.subject.tier = event.tier;
  entry.subject.at = entry.known_at = now;
  keep_counters(entry, pressure, event);
}

// What to ask for later: every window of the limit, as this subject has them.
void HotLimits::keep_counters(Entry& entry, const LimitPressure& pressure, const DecisionEvent& event) {
  entry.windows.clear();
  entry.allowed.clear();
  const Subject* counted = subject_of(pressure, event);
  if (counted == nullptr) return;
  entry.counted = *counted;
  const auto subject = static_cast<std::uint8_t>(counted - event.subjects.data());
  for (std::size_t i = 0; i < event.pressure_count && i < event.demands.size(); ++i) {
    if (event.pressures[i].limit != pressure.limit || event.demands[i].subject != subject) continue;
    Demand& window = entry.windows.emplace_back(event.demands[i]);
    window.subject = 0;
    window.cost = 0;
    entry.allowed.push_back(event.pressures[i].allowed);
  }
}

void HotLimits::show(Entry& entry, std::uint16_t permille, std::int64_t used, std::int64_t held, std::int64_t allowed) {
  entry.permille = permille;
  entry.subject.ratio = permille / 1000.0;
  entry.subject.used = used;
  entry.subject.held = held;
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
    show(entry, permille, used, state->verdicts[i].reserved, entry.allowed[i]);
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
      table->second.kept -= each->second.kept ? 1 : 0;
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
