#include "checkers/support.h"

#include <algorithm>

namespace weir::sim {

bool PolicyHistory::began(TimeNs at, std::shared_ptr<const Policy> policy) {
  if (policy == nullptr || (!kept_.empty() && kept_.back().second->version == policy->version)) return false;
  kept_.emplace_back(at, std::move(policy));
  if (kept_.size() > kMaxKept) kept_.pop_front();
  return true;
}

std::vector<std::shared_ptr<const Policy>> PolicyHistory::between(TimeNs from, TimeNs until) const {
  std::vector<std::shared_ptr<const Policy>> out;
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    const bool over = i + 1 < kept_.size() && kept_[i + 1].first < from;
    if (kept_[i].first <= until && !over) out.push_back(kept_[i].second);
  }
  return out;
}

const LimitRule* limit_named(const Policy& policy, const std::string& name) {
  const auto found =
      std::find_if(policy.limits.begin(), policy.limits.end(), [&](const auto& l) { return l.name == name; });
  return found == policy.limits.end() ? nullptr : &*found;
}

bool counts_everything(const LimitRule& rule, MeterKind meter) {
  return rule.match.empty() && rule.meter.size() == 1 && rule.meter.front().kind == meter &&
         rule.meter.front().weight == 1 && !rule.shadow && !rule.contextual && rule.on_exceed != OnExceed::kDegrade;
}

const Consumer* consumer_named(const World& world, const std::string& key) {
  for (const KeySpec& spec : world.keys) {
    if (spec.count == 0 && spec.consumer.name == key) return &spec.consumer;
    if (spec.count > 0 && key.starts_with(spec.consumer.name + "-")) return &spec.consumer;
  }
  return nullptr;
}

std::optional<std::string> group_of(const LimitRule& rule, const World& world, const std::string& key,
                                    const std::string& user) {
  const Consumer* consumer = consumer_named(world, key);
  if (consumer == nullptr) return std::nullopt;
  std::string out = rule.name;
  for (const std::string& attribute : rule.per) {
    const bool service = consumer->kind == ConsumerKind::kService;
    if (attribute == "key") {
      out += "|key " + key;
    } else if (attribute == "tenant" && !(service && !user.empty())) {
      out += "|tenant " + consumer->tenant;
    } else if (attribute == "caller" && service && !user.empty()) {
      out += "|key " + key + " user " + user;
    } else if (attribute == "caller") {
      out += consumer->user.empty() ? "|key " + key : "|user " + consumer->tenant + "/" + consumer->user;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

const std::vector<WindowRule>* windows_for(const LimitRule& rule, const Policy& policy, const Consumer& consumer) {
  const bool overrides = std::any_of(consumer.metadata.begin(), consumer.metadata.end(),
                                     [](const auto& entry) { return entry.first.starts_with("limits"); });
  if (overrides || consumer.metadata_json.find("\"limits\"") != std::string::npos) return nullptr;
  const std::string& tier = consumer.tier.empty() ? policy.default_tier : consumer.tier;
  const std::vector<WindowRule>* everyone = nullptr;
  for (const TierAllowance& allowance : rule.allow) {
    if (allowance.tier == tier) return &allowance.windows;
    if (allowance.tier.empty()) everyone = &allowance.windows;
  }
  return everyone;
}

DurationNs forgets(const World& world) {
  for (const auto& [name, per_hour] : world.faults) {
    const bool disk = name.find("disk") != std::string::npos || name.find("power") != std::string::npos;
    if (disk && per_hour > 0) return 10 * kMinute;
  }
  return kSecond;
}

}  // namespace weir::sim
