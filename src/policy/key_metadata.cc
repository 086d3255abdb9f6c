#include "policy/key_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "policy/compiled.h"
#include "policy/limit_words.h"
#include "policy/suggest.h"

namespace weir {
namespace {

constexpr std::string_view kLimits = "limits", kTools = "tools";
constexpr std::array<std::string_view, 2> kToolLists = {"allow", "deny"};

bool same_window(const WindowRule& a, const WindowRule& b) {
  return a.kind == b.kind && a.length == b.length && a.calendar == b.calendar;
}

bool is_in(std::string_view path, std::string_view object) {
  return path.starts_with(object) && (path.size() == object.size() || path[object.size()] == '.');
}

// The policy itself takes an amount, an anchor or an attribute from there.
bool is_read_by(const Policy& policy, std::string_view path) {
  const std::string attribute = "metadata." + std::string(path);
  return std::any_of(policy.limits.begin(), policy.limits.end(), [&](const LimitRule& rule) {
    return std::find(rule.per.begin(), rule.per.end(), attribute) != rule.per.end() ||
           std::any_of(rule.match.begin(), rule.match.end(), [&](const auto& m) { return m.attribute == attribute; }) ||
           std::any_of(rule.allow.begin(), rule.allow.end(), [&](const TierAllowance& allowance) {
             return std::any_of(allowance.windows.begin(), allowance.windows.end(), [&](const WindowRule& w) {
               return w.amount_metadata == path || w.anchor == attribute;
             });
           });
  });
}

// The windows that may hold for the consumer: its tier's, or any tier's where its requests say their tier.
std::vector<const TierAllowance*> allowances_of(const LimitRule& rule, const Policy& policy, const Consumer& consumer) {
  const std::string& tier = consumer.tier.empty() ? policy.default_tier : consumer.tier;
  std::vector<const TierAllowance*> all, own;
  for (const TierAllowance& allowance : rule.allow) {
    all.push_back(&allowance);
    if (allowance.tier == tier) own = {&allowance};
    if (allowance.tier.empty() && own.empty()) own = {&allowance};
  }
  return consumer.kind == ConsumerKind::kService || own.empty() ? all : own;
}

// As an amount of this window is written.
std::string written(const WindowRule& window, AmountUnit unit) {
  std::string amount = !window.amount_metadata.empty() ? "100"
                       : unit == AmountUnit::kUsd      ? format_usd(window.amount)
                                                       : std::to_string(window.amount);
  if (window.kind == WindowKind::kConcurrency) return amount;
  if (window.kind == WindowKind::kBucket) return window.label + " burst " + amount;
  return amount + "/" + window.label;
}

std::optional<std::string> misfit(std::string_view text, bool is_value, const LimitRule& rule, const Policy& policy,
                                  const Consumer& consumer) {
  if (!takes_own_amount(rule)) {
    return fmt::format("limit `{}` is not per key, user or caller, so that no key can have its own amount of it",
                       rule.name);
  }
  const AmountUnit unit = unit_of(rule);
  std::vector<std::string> examples;
  for (const TierAllowance* allowance : allowances_of(rule, policy, consumer)) {
    const bool only = allowance->windows.size() == 1;
    for (const WindowRule& window : allowance->windows) {
      if (is_value && own_amount(text, window, unit, only)) return std::nullopt;
      std::string example = "`" + written(window, unit) + "`";
      if (std::find(examples.begin(), examples.end(), example) == examples.end()) examples.push_back(example);
    }
  }
  return fmt::format("`{}` is no amount of limit `{}` for this key; write for example {}", text, rule.name,
                     fmt::join(examples, " or "));
}

std::optional<std::string> unfit_limit(std::string_view path, std::string_view text, const Policy& policy,
                                       const Consumer& consumer) {
  if (path == kLimits) return R"(`limits` has amounts by name, as in {"limits": {"requests": "500/1m"}})";
  std::optional<std::string> why;
  std::vector<std::string_view> names;
  for (const LimitRule& rule : policy.limits) {
    if (takes_own_amount(rule)) names.push_back(rule.name);
    const std::string place = "limits." + rule.name;
    if (!is_in(path, place)) continue;
    why = misfit(text, is_value_of(path, place), rule, policy, consumer);
    if (!why) return std::nullopt;
  }
  return why ? why : there_is_no("limit", path.substr(kLimits.size() + 1), names);
}

std::optional<std::string> unfit_tools(std::string_view path) {
  const auto known = [&](std::string_view list) { return is_value_of(path, "tools." + std::string(list)); };
  if (std::any_of(kToolLists.begin(), kToolLists.end(), known)) return std::nullopt;
  std::string_view word = path.substr(std::min(path.size(), kTools.size() + 1));
  word = word.substr(0, word.find('.'));
  if (word.empty() || std::find(kToolLists.begin(), kToolLists.end(), word) != kToolLists.end()) {
    return R"(`tools` has lists of names, as in {"tools": {"deny": ["read_mail", "delete_*"]}})";
  }
  return there_is_no("list of tools", word, kToolLists);
}

}  // namespace

bool is_value_of(std::string_view path, std::string_view name) {
  if (!path.starts_with(name)) return false;
  path.remove_prefix(name.size());
  return path.empty() || (path[0] == '.' && parse_decimal(path.substr(1)).has_value());
}

bool takes_own_amount(const LimitRule& rule) {
  return std::any_of(rule.per.begin(), rule.per.end(),
                     [](std::string_view name) { return name == "key" || name == "user" || name == "caller"; });
}

std::optional<OwnAmount> own_amount(std::string_view text, const WindowRule& window, AmountUnit unit, bool only) {
  if (only && unit != AmountUnit::kConcurrency && window.kind != WindowKind::kBucket) {
    if (const auto plain = parse_amount(text, unit)) return OwnAmount{*plain, window.rate};
  }
  const auto parsed = parse_window(text, unit);
  if (!parsed || !parsed->amount_metadata.empty() || !same_window(*parsed, window)) return std::nullopt;
  return OwnAmount{parsed->amount, parsed->rate};
}

std::optional<Unfit> unfit_for(const Policy& policy, const Consumer& now, const Consumer& before) {
  if (now.tier != before.tier) {
    if (auto why = unknown_tier(now.tier, policy)) return Unfit{"tier", std::move(*why)};
  }
  for (const auto& [path, text] : now.metadata) {
    const auto old = before.metadata.find(path);
    if (old != before.metadata.end() && old->second == text) continue;
    const bool limits = is_in(path, kLimits);
    if ((!limits && !is_in(path, kTools)) || is_read_by(policy, path)) continue;
    if (auto why = limits ? unfit_limit(path, text, policy, now) : unfit_tools(path)) {
      return Unfit{"metadata", std::move(*why)};
    }
  }
  return std::nullopt;
}

}  // namespace weir
