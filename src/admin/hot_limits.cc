#include "admin/hot_limits.h"

#include <algorithm>
#include <iterator>

#include "base/hash.h"

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
  if (event.rules != rules_) {
    rules_ = event.rules;
    by_index_.clear();
    const auto& limits = rules_->policy().limits;
    std::erase_if(tables_, [&](const auto& table) {
      return std::none_of(limits.begin(), limits.end(), [&](const auto& rule) { return rule.name == table.first; });
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
  return by_index_.at(limit);
}

bool HotLimits::make_room(Table& table, std::uint16_t permille, TimeNs now) {
  if (table.subjects.size() < kMaxSubjects) return true;
  if (permille <= table.least && now < table.least_until) return false;
  const auto rank = [&](const Entry& entry) { return is_over(entry.subject.at, now) ? 0 : entry.permille + 1; };
  const auto least = std::min_element(table.subjects.begin(), table.subjects.end(),
                                      [&](const auto& a, const auto& b) { return rank(a.second) < rank(b.second); });
  const bool over = is_over(least->second.subject.at, now);
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
  entry.permille = pressure.permille;
  entry.subject.tier = event.tier;
  entry.subject.ratio = pressure.permille / 1000.0;
  entry.subject.allowed = pressure.allowed;
  entry.subject.used = static_cast<std::int64_t>(static_cast<double>(pressure.allowed) * entry.subject.ratio);
  entry.subject.at = now;
}

std::vector<HotSubject> HotLimits::of(std::string_view limit, TimeNs now) const {
  std::vector<HotSubject> out;
  const auto table = tables_.find(limit);
  if (table == tables_.end()) return out;
  for (const auto& [hash, entry] : table->second.subjects) {
    if (!is_over(entry.subject.at, now)) out.push_back(entry.subject);
  }
  std::sort(out.begin(), out.end(), [](const HotSubject& a, const HotSubject& b) {
    return a.ratio != b.ratio ? a.ratio > b.ratio : a.per < b.per;
  });
  return out;
}

std::vector<HotSubject> HotLimits::all(TimeNs now) const {
  std::vector<HotSubject> out;
  for (const auto& [name, table] : tables_) {
    for (HotSubject& subject : of(name, now)) out.push_back(std::move(subject));
  }
  return out;
}

}  // namespace weir
