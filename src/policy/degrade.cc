#include <algorithm>
#include <limits>
#include <span>

#include "policy/ruleset.h"

namespace weir {
namespace {

// Shares of an amount in millionths of a percent.
constexpr std::int64_t kPercent = 1'000'000;
constexpr std::int64_t kLeftBelow = 5 * kPercent;  // a rung is left this far below where it began

// A shadow limit refuses nothing, and its ladder changes nothing.
bool has_rungs(const LimitRule& rule) {
  return !rule.degrade.empty() && !rule.shadow;
}

// (used + reserved + this request) / allowed. Of nothing allowed, anything is beyond every rung.
std::int64_t share_of(const PlannedLimit& limit, const Demand& demand, const Verdict& verdict) {
  __extension__ using Wide = __int128;
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const Wide total = static_cast<Wide>(verdict.used) + verdict.reserved + demand.cost;
  if (total <= 0) return 0;
  if (limit.amount <= 0) return kMost;
  const Wide share = total * 100 * kPercent / limit.amount;
  return share > kMost ? kMost : static_cast<std::int64_t>(share);
}

// The percent of the highest rung in force for one window, 0 if none: entered at its share, or entered before and not
// left yet.
int rung_in_force(const Plan& plan, const Decision& state, std::size_t i, const Ladders& ladders) {
  const std::span<const Rung> rungs = plan.limits()[i].rule->degrade;
  const Demand& demand = plan.demands()[i];
  const std::int64_t share = share_of(plan.limits()[i], demand, state.verdicts[i]);
  const auto begins = [](const Rung& rung) { return rung.percent * kPercent; };
  const auto left = [&](const Rung& rung) { return share <= std::max<std::int64_t>(0, begins(rung) - kLeftBelow); };
  if (share >= begins(rungs.back())) return rungs.back().percent;
  if (share < begins(rungs.front()) && left(rungs.front())) return 0;
  const int last = ladders.last(plan.subjects()[demand.subject].key, demand.counter);
  int out = 0;
  for (const Rung& rung : rungs) {
    if (share >= begins(rung) || (rung.percent <= last && !left(rung))) out = rung.percent;
  }
  return out;
}

template <class T>
void lower(std::optional<T>& to, const std::optional<T>& other) {
  if (other && (!to || *other < *to)) to = other;
}

// Adds what the rungs of one limit up to `percent` change.
void apply(const LimitRule& rule, int percent, std::string_view model, Degradation& out) {
  const std::string* target = nullptr;
  bool changes = false;
  for (const Rung& rung : rule.degrade) {
    if (rung.percent > percent) break;
    if (const auto found = rung.model.find(model); found != rung.model.end()) target = &found->second;
    lower(out.max_tokens, rung.max_tokens);
    lower(out.keep_messages, rung.keep_messages);
    changes = changes || rung.max_tokens || rung.keep_messages;
  }
  if (target != nullptr && out.model.empty()) out.model = *target;
  if (target != nullptr || changes) out.limits.append(out.limits.empty() ? "" : ", ").append(rule.name);
}

}  // namespace

bool Ruleset::has_ladder(const Plan& plan) const {
  return std::any_of(plan.limits().begin(), plan.limits().end(), [](const auto& l) { return has_rungs(*l.rule); });
}

Degradation Ruleset::degradation(const Plan& plan, const Decision& state, std::string_view model,
                                 const Ladders& ladders) const {
  Degradation out;
  const auto limits = plan.limits();
  const std::size_t count = std::min<std::size_t>(state.count, limits.size());
  for (std::size_t i = 0; i < count;) {
    const LimitRule& rule = *limits[i].rule;
    int percent = 0;  // over the limit's windows, which stand beside each other
    for (; i < count && limits[i].rule == &rule; ++i) {
      if (has_rungs(rule)) percent = std::max(percent, rung_in_force(plan, state, i, ladders));
    }
    if (percent > 0) apply(rule, percent, model, out);
  }
  return out;
}

void Ruleset::remember(const Plan& plan, const Decision& state, Ladders& ladders) const {
  const std::size_t count = std::min<std::size_t>(state.count, plan.limits().size());
  for (std::size_t i = 0; i < count; ++i) {
    if (!has_rungs(*plan.limits()[i].rule)) continue;
    const Demand& demand = plan.demands()[i];
    ladders.remember(plan.subjects()[demand.subject].key, demand.counter, rung_in_force(plan, state, i, ladders));
  }
}

}  // namespace weir
