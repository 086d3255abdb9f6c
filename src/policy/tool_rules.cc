// What a policy says of tools apart from amounts: which limits count them, who may not use them.
#include "base/strings.h"
#include "model/agent.h"
#include "policy/compiled.h"
#include "policy/key_metadata.h"

namespace weir {
namespace {

bool matches_tool(const LimitRule& rule) {
  return std::any_of(rule.match.begin(), rule.match.end(), [](const MatchTerm& t) { return t.attribute == "tool"; });
}

bool has_meter(const LimitRule& rule, MeterKind kind) {
  return std::any_of(rule.meter.begin(), rule.meter.end(), [&](const MeterTerm& t) { return t.kind == kind; });
}

enum class Listed : unsigned char { kNoList, kNo, kYes };

// Metadata is written by whoever makes keys, so its names may be look-alikes as well.
Listed listed(const Consumer& consumer, std::string_view list, std::string_view tool) {
  Listed out = Listed::kNoList;
  for (auto entry = consumer.metadata.lower_bound(std::string(list));
       entry != consumer.metadata.end() && entry->first.starts_with(list); ++entry) {
    if (!is_value_of(entry->first, list)) continue;
    if (out == Listed::kNoList) out = Listed::kNo;
    const std::string& pattern = entry->second;
    const bool ascii = std::none_of(pattern.begin(), pattern.end(), [](char c) { return (c & 0x80) != 0; });
    if (glob_match(ascii ? pattern : canonical_tool_name(pattern), tool)) return Listed::kYes;
  }
  return out;
}

}  // namespace

bool names_tools(const LimitRule& rule) {
  return matches_tool(rule) || std::find(rule.per.begin(), rule.per.end(), "tool") != rule.per.end();
}

ToolUse tool_use_of(const LimitRule& rule) {
  ToolUse out;
  out.calls_in_flight = has_meter(rule, MeterKind::kConcurrency) && matches_tool(rule);
  out.counts = out.calls_in_flight || has_meter(rule, MeterKind::kToolCalls);
  out.by_name = names_tools(rule);
  return out;
}

void CountedTools::add(const LimitRule& rule) {
  if (!tool_use_of(rule).counts) return;
  const auto term =
      std::find_if(rule.match.begin(), rule.match.end(), [](const auto& t) { return t.attribute == "tool"; });
  if (term == rule.match.end()) {
    all_ = true;
  } else if (term->negated) {
    all_but_.emplace_back(term->patterns);
  } else {
    these_.add(term->patterns);
  }
}

bool CountedTools::contains(std::string_view tool) const {
  return all_ || these_.matches(tool) ||
         std::any_of(all_but_.begin(), all_but_.end(), [&](const ToolPatterns& t) { return !t.matches(tool); });
}

std::expected<std::uint32_t, PlanFault> Ruleset::plan_also(const Attributes& attributes, const Costs& costs, TimeNs now,
                                                           Plan& plan) const {
  Plan more;
  if (auto fault = this->plan(attributes, costs, now, more)) return std::unexpected(std::move(*fault));
  Plan merged = plan;
  std::uint32_t counted = 0;
  for (std::size_t i = 0; i < more.demand_count_; ++i) {
    Demand demand = more.demands_[i];
    const Subject& subject = more.subjects_[demand.subject];
    std::size_t s = 0;
    while (s < merged.subject_count_ && merged.subjects_[s].key != subject.key) ++s;
    std::size_t d = 0;
    while (d < merged.demand_count_ &&
           (merged.demands_[d].counter != demand.counter || merged.demands_[d].subject != s))
      ++d;
    if (d == kMaxDemands) {
      return std::unexpected(PlanFault{PlanFault::Kind::kTooManyLimits, "more than " + std::to_string(kMaxDemands) +
                                                                            " limits apply, the last of them `" +
                                                                            more.limits_[i].rule->name + "`"});
    }
    counted |= std::uint32_t{1} << d;
    if (d < merged.demand_count_) {
      merged.demands_[d].cost = std::min(kMaxAmount, merged.demands_[d].cost + demand.cost);
      continue;
    }
    if (s == merged.subject_count_) merged.subjects_[merged.subject_count_++] = subject;
    demand.subject = static_cast<std::uint8_t>(s);
    merged.demands_[merged.demand_count_] = demand;
    merged.limits_[merged.demand_count_++] = more.limits_[i];
  }
  plan = merged;
  return counted;
}

bool Ruleset::limits_tool(std::string_view tool) const {
  return compiled_->counted_tools.contains(tool);
}

bool Ruleset::denies_tool(const Attributes& attributes, std::string_view tool) const {
  if (!compiled_->tier_tools.empty()) {
    std::string_view tier = attributes[Attribute::kTier];
    if (tier.data() == nullptr && attributes.consumer != nullptr) tier = policy_->default_tier;
    const auto lists = compiled_->tier_tools.find(tier);
    if (lists != compiled_->tier_tools.end()) {
      const CompiledToolLists& l = lists->second;
      if (l.deny.matches(tool) || (!l.allow.empty() && !l.allow.matches(tool))) return true;
    }
  }
  if (attributes.consumer == nullptr || attributes.consumer->metadata.empty()) return false;
  return listed(*attributes.consumer, "tools.deny", tool) == Listed::kYes ||
         listed(*attributes.consumer, "tools.allow", tool) == Listed::kNo;
}

DurationNs Ruleset::queue_for(const Plan& plan, const Decision& decision) {
  DurationNs patience = kNever;
  DurationNs wait = 0;
  const std::size_t count = std::min<std::size_t>(decision.count, plan.limits().size());
  for (std::size_t i = 0; i < count; ++i) {
    const LimitRule& rule = *plan.limits()[i].rule;
    const Verdict& verdict = decision.verdicts[i];
    if (!verdict.refuses || rule.shadow) continue;
    if (rule.on_exceed != OnExceed::kQueue) return 0;
    patience = std::min(patience, rule.queue);
    // When something in flight ends is not known; a window says exactly when it has room.
    const bool unknown = plan.limits()[i].window->kind == WindowKind::kConcurrency && verdict.retry_after != kNever;
    if (!unknown) wait = std::max(wait, verdict.retry_after);
  }
  return patience == kNever || wait > patience ? 0 : patience;
}

}  // namespace weir
