#include "policy/limit_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/amounts.h"
#include "policy/behavior_words.h"
#include "policy/compiled.h"
#include "policy/suggest.h"

namespace weir {
namespace {

std::string length_in_words(DurationNs length) {
  constexpr std::pair<DurationNs, const char*> kUnits[] = {
      {kDay, "day"}, {kHour, "hour"}, {kMinute, "minute"}, {kSecond, "second"}, {kMillisecond, "millisecond"}};
  for (const auto& [unit, name] : kUnits) {
    if (length % unit == 0) return fmt::format("{} {}{}", length / unit, name, length == unit ? "" : "s");
  }
  return fmt::format("{} ns", length);
}

std::string amount_in_words(const LimitRule& rule, const WindowRule& window) {
  const AmountUnit unit = unit_of(rule);
  const bool known = window.amount_metadata.empty();
  const std::string amount = known ? format_count(window.amount) : "as many as the key's metadata says of";
  if (unit == AmountUnit::kUsd)
    return known ? "$" + format_usd(window.amount) : "the dollars that the key's metadata says";
  if (unit == AmountUnit::kConcurrency) {
    return amount + (tool_use_of(rule).calls_in_flight ? " tool calls at once" : " requests at once");
  }
  std::string meter = rule.meter_name;
  std::replace(meter.begin(), meter.end(), '_', ' ');
  if (window.amount == 1 && meter.ends_with('s')) meter.pop_back();
  return amount + " " + meter;
}

std::string window_in_words(const LimitRule& rule, const WindowRule& window) {
  switch (window.kind) {
    case WindowKind::kSliding:
      return " in any " + length_in_words(window.length);
    case WindowKind::kCalendar:
      return " per calendar " + window.calendar + (window.anchor.empty() ? "" : " from " + window.anchor);
    case WindowKind::kBucket:
      return fmt::format(
          " at once, refilled at {} per {}",
          unit_of(rule) == AmountUnit::kUsd ? format_usd(window.rate.units) : format_count(window.rate.units),
          length_in_words(window.rate.per));
    case WindowKind::kConcurrency:
      break;
  }
  return {};
}

std::string ladder_in_words(const LimitRule& rule) {
  std::string out;
  for (const Rung& rung : rule.degrade) {
    out += fmt::format("; from {}%:", rung.percent);
    const char* between = " ";
    for (const auto& [from, to] : rung.model) {
      out += fmt::format("{}{} becomes {}", between, from, to);
      between = ", ";
    }
    if (rung.max_tokens) {
      out += fmt::format("{}at most {} output tokens", between, format_count(*rung.max_tokens));
      between = ", ";
    }
    if (rung.keep_messages) out += fmt::format("{}only the last {} messages", between, *rung.keep_messages);
  }
  if (rule.on_exceed == OnExceed::kDegrade && rule.hard_percent > 100) {
    out += fmt::format("; refused only beyond {}%", rule.hard_percent);
  }
  return out;
}

}  // namespace

std::string words_of(const LimitRule& rule) {
  std::string out = rule.name + ": ";
  for (std::size_t i = 0; i < rule.allow.size(); ++i) {
    const TierAllowance& allowance = rule.allow[i];
    if (i > 0) out += ", ";
    if (!allowance.tier.empty()) out += "for tier " + allowance.tier + " ";
    if (allowance.tier.empty() && rule.allow.size() > 1) out += i == 0 ? "" : "for all others ";
    for (std::size_t w = 0; w < allowance.windows.size(); ++w) {
      const WindowRule& window = allowance.windows[w];
      out.append(w == 0 ? "" : " and ").append(amount_in_words(rule, window)).append(window_in_words(rule, window));
    }
  }
  out += rule.per.empty() ? "; for everybody together" : "; per ";
  for (std::size_t i = 0; i < rule.per.size(); ++i) out.append(i == 0 ? "" : " and ").append(rule.per[i]);
  for (const MatchTerm& term : rule.match) {
    out += fmt::format(", where {} is {}{}", term.attribute, term.negated ? "not " : "", listed(term.patterns));
  }
  out += ladder_in_words(rule) + beyond_in_words(rule);
  if (rule.contextual) out += " (scaled by the caller's trust)";
  if (rule.shadow) out += " (shadow: refuses nothing)";
  return out;
}

std::vector<std::string> policy_in_words(const Policy& policy) {
  std::vector<std::string> out;
  for (const LimitRule& rule : policy.limits) out.push_back(words_of(rule));
  for (const Tier& tier : policy.tiers) {
    for (std::string& words : tool_lists_in_words(tier.tools, "tier " + tier.name)) out.push_back(std::move(words));
  }
  for (std::string& words : behavior_in_words(policy.behavior)) out.push_back(std::move(words));
  return out;
}

std::optional<std::string> unknown_tier(std::string_view tier, const Policy& policy) {
  std::vector<std::string_view> names;
  for (const Tier& each : policy.tiers) names.push_back(each.name);
  if (tier.empty() || std::find(names.begin(), names.end(), tier) != names.end()) return std::nullopt;
  return there_is_no("tier", tier, names);
}

}  // namespace weir
