// What a policy says of tools apart from amounts: which limits count them, who may not use them.
#include "base/strings.h"
#include "model/agent.h"
#include "policy/compiled.h"

namespace weir {
namespace {

bool matches_tool(const LimitRule& rule) {
  return std::any_of(rule.match.begin(), rule.match.end(), [](const MatchTerm& t) { return t.attribute == "tool"; });
}

bool has_meter(const LimitRule& rule, MeterKind kind) {
  return std::any_of(rule.meter.begin(), rule.meter.end(), [&](const MeterTerm& t) { return t.kind == kind; });
}

// An element of a list in a key's metadata, or a single text instead of a list.
bool is_element_of(std::string_view path, std::string_view list) {
  if (!path.starts_with(list)) return false;
  path.remove_prefix(list.size());
  return path.empty() || (path[0] == '.' && parse_decimal(path.substr(1)).has_value());
}

enum class Listed : unsigned char { kNoList, kNo, kYes };

// Metadata is written by whoever makes keys, so its names may be look-alikes as well.
Listed listed(const Consumer& consumer, std::string_view list, std::string_view tool) {
  Listed out = Listed::kNoList;
  for (auto entry = consumer.metadata.lower_bound(std::string(list));
       entry != consumer.metadata.end() && entry->first.starts_with(list); ++entry) {
    if (!is_element_of(entry->first, list)) continue;
    if (out == Listed::kNoList) out = Listed::kNo;
    const std::string& pattern = entry->second;
    const bool ascii = std::none_of(pattern.begin(), pattern.end(), [](char c) { return (c & 0x80) != 0; });
    if (glob_match(ascii ? pattern : canonical_tool_name(pattern), tool)) return Listed::kYes;
  }
  return out;
}

}  // namespace

ToolUse tool_use_of(const LimitRule& rule) {
  const bool matches = matches_tool(rule);
  const bool groups = std::find(rule.per.begin(), rule.per.end(), "tool") != rule.per.end();
  ToolUse out;
  out.calls_in_flight = has_meter(rule, MeterKind::kConcurrency) && matches;
  out.counts = out.calls_in_flight || has_meter(rule, MeterKind::kToolCalls);
  out.by_name = matches || groups;
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
