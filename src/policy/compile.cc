#include <algorithm>
#include <iterator>
#include <set>

#include "base/check.h"
#include "policy/compiled.h"
#include "policy/key_metadata.h"

namespace weir {
namespace {

std::string scope_name(const LimitRule& rule) {
  if (rule.per.empty()) return "global";
  std::vector<std::string> names = rule.per;
  std::sort(names.begin(), names.end());
  std::string out;
  for (const std::string& name : names) out.append(out.empty() ? "" : ",").append(name);
  return out;
}

Scope make_scope(const LimitRule& rule) {
  Scope scope;
  scope.name = scope_name(rule);
  scope.overflow_name = scope.name + "|overflow";
  std::vector<std::string> names = rule.per;
  std::sort(names.begin(), names.end());
  const auto has = [&](std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  for (const std::string& name : names) scope.per.emplace_back(name);
  const bool caller = takes_own_amount(rule);
  scope.with_tenant = (caller || has("team") || has("app")) && !has("tenant");
  scope.tenant_zone = caller || has("tenant");
  scope.overridable = caller;
  return scope;
}

CompiledTerm make_term(const MatchTerm& term) {
  CompiledTerm out{AttributeReader(term.attribute), {}, {}, term.negated};
  const std::set<std::string> patterns(term.patterns.begin(), term.patterns.end());
  for (const std::string& pattern : patterns) {
    (pattern.find('*') == std::string::npos ? out.literals : out.globs).push_back(pattern);
  }
  return out;
}

std::string_view kind_name(WindowKind kind) {
  switch (kind) {
    case WindowKind::kSliding:
      return "sliding";
    case WindowKind::kBucket:
      return "bucket";
    case WindowKind::kCalendar:
      return "calendar";
    case WindowKind::kConcurrency:
      break;
  }
  return "concurrency";
}

// Names the counters of one limit: by the length of a sliding window, the unit of a bucket, the word of a calendar. A
// counter keeps its usage while its name stays; of two versions of a limit, sliding windows whose lengths are new take
// over from those whose lengths are gone, the shortest first.
class CounterNames {
 public:
  explicit CounterNames(const LimitRule& rule)
      : prefix_(rule.name + "|" + scope_name(rule) + "|" + rule.meter_name + "|") {
    for (const TierAllowance& allowance : rule.allow) {
      for (const WindowRule& window : allowance.windows) {
        if (window.kind == WindowKind::kSliding) sliding_.insert(window.length);
      }
    }
  }

  std::string identity(const WindowRule& window) const {
    std::string out = prefix_ + std::string(kind_name(window.kind));
    if (window.kind == WindowKind::kSliding) return sliding(window.length);
    if (window.kind == WindowKind::kBucket) out += "|" + std::to_string(window.length / kMillisecond) + "ms";
    if (window.kind == WindowKind::kCalendar) {
      out.append("|").append(window.calendar);
      if (!window.anchor.empty()) out.append("|").append(window.anchor);
    }
    return out;
  }

  // The name under which the window counted in the version of the limit before; empty if it is new or kept its name.
  std::string formerly(const WindowRule& window, const CounterNames& before) const {
    if (window.kind != WindowKind::kSliding || prefix_ != before.prefix_) return {};
    std::vector<DurationNs> gone, fresh;
    std::set_difference(before.sliding_.begin(), before.sliding_.end(), sliding_.begin(), sliding_.end(),
                        std::back_inserter(gone));
    std::set_difference(sliding_.begin(), sliding_.end(), before.sliding_.begin(), before.sliding_.end(),
                        std::back_inserter(fresh));
    const auto at = std::find(fresh.begin(), fresh.end(), window.length) - fresh.begin();
    return static_cast<std::size_t>(at) < std::min(gone.size(), fresh.size())
               ? before.sliding(gone[static_cast<std::size_t>(at)])
               : std::string();
  }

 private:
  std::string sliding(DurationNs length) const {
    return prefix_ + "sliding|" + std::to_string(length / kMillisecond) + "ms";
  }

  std::string prefix_;
  std::set<DurationNs> sliding_;
};

const LimitRule* find_limit(const Policy* policy, const std::string& name) {
  if (policy == nullptr) return nullptr;
  const auto found =
      std::find_if(policy->limits.begin(), policy->limits.end(), [&](const auto& l) { return l.name == name; });
  return found == policy->limits.end() ? nullptr : &*found;
}

CompiledLimit make_limit(const LimitRule& rule, const LimitRule* before, const Ruleset::Define& define) {
  CompiledLimit out;
  out.rule = &rule;
  out.unit = unit_of(rule);
  out.override_key = "limits." + rule.name;
  out.hold = !std::all_of(rule.meter.begin(), rule.meter.end(),
                          [](const MeterTerm& t) { return t.kind == MeterKind::kRequests; });
  out.tools = tool_use_of(rule);
  for (const MatchTerm& term : rule.match) out.terms.push_back(make_term(term));
  const CounterNames names(rule);
  const CounterNames old_names(before != nullptr ? *before : rule);
  for (const TierAllowance& allowance : rule.allow) {
    CompiledAllowance compiled{allowance.tier, {}, &allowance.windows};
    for (const WindowRule& window : allowance.windows) {
      compiled.counters.push_back(define({.identity = names.identity(window),
                                          .kind = window.kind,
                                          .window = window.kind == WindowKind::kSliding ? window.length : 0,
                                          .formerly = names.formerly(window, old_names),
                                          .precision = rule.precision}));
    }
    out.allow.push_back(std::move(compiled));
  }
  // The amounts for every tier last: they hold when no other tier does.
  const auto everyone = std::find_if(out.allow.begin(), out.allow.end(), [](const auto& a) { return a.tier.empty(); });
  if (everyone != out.allow.end()) std::rotate(everyone, everyone + 1, out.allow.end());
  return out;
}

// The term that narrows a limit best among those an index can use: the one with the fewest values.
const CompiledTerm* index_term(const CompiledLimit& limit) {
  const CompiledTerm* best = nullptr;
  for (const CompiledTerm& term : limit.terms) {
    if (term.negated || !term.globs.empty() || !term.attribute.indexable()) continue;
    if (best == nullptr || term.literals.size() < best->literals.size()) best = &term;
  }
  return best;
}

}  // namespace

AmountUnit unit_of(const LimitRule& rule) {
  for (const MeterTerm& term : rule.meter) {
    if (term.kind == MeterKind::kUsd) return AmountUnit::kUsd;
    if (term.kind == MeterKind::kConcurrency) return AmountUnit::kConcurrency;
  }
  return AmountUnit::kCount;
}

AttributeReader::AttributeReader(std::string_view name) : name_(name) {
  if (name.starts_with("metadata.")) {
    source_ = Source::kMetadata;
    path_ = name.substr(9);
  } else if (name.starts_with("header.")) {
    source_ = Source::kHeader;
    path_ = name.substr(7);
  } else {
    const auto attribute = attribute_from(name);
    WEIR_CHECK(attribute.has_value());
    attribute_ = *attribute;
  }
}

Ruleset::~Ruleset() = default;

std::shared_ptr<const Ruleset> Ruleset::compile(std::shared_ptr<const Policy> policy, const Define& define,
                                                const SubjectSecret& secret, const Policy* before) {
  std::shared_ptr<Ruleset> out(new Ruleset);
  out->compiled_ = std::make_unique<Compiled>();
  Compiled& c = *out->compiled_;
  c.secret = secret;
  c.tenant_zones.insert(policy->tenant_zones.begin(), policy->tenant_zones.end());
  WEIR_CHECK(policy->limits.size() <= kMaxLimits);
  for (const Tier& tier : policy->tiers) {
    if (tier.tools.allow.empty() && tier.tools.deny.empty()) continue;
    c.tier_tools[tier.name] = {ToolPatterns(tier.tools.allow), ToolPatterns(tier.tools.deny)};
  }
  std::map<std::string, std::uint32_t> scopes;
  for (const LimitRule& rule : policy->limits) {
    const auto number = static_cast<std::uint16_t>(c.limits.size());
    c.counted_tools.add(rule);
    CompiledLimit limit = make_limit(rule, find_limit(before, rule.name), define);
    const auto [scope, fresh] = scopes.emplace(scope_name(rule), static_cast<std::uint32_t>(c.scopes.size()));
    if (fresh) c.scopes.push_back(make_scope(rule));
    limit.scope = scope->second;
    c.limits.push_back(std::move(limit));
    const CompiledTerm* term = index_term(c.limits.back());
    if (term == nullptr) {
      c.always.push_back(number);
      continue;
    }
    const Attribute attribute = term->attribute.attribute();
    auto index =
        std::find_if(c.indexes.begin(), c.indexes.end(), [&](const LimitIndex& i) { return i.attribute == attribute; });
    if (index == c.indexes.end()) index = c.indexes.insert(index, LimitIndex{attribute, {}});
    for (const std::string& value : term->literals) index->by_value[value].push_back(number);
  }
  out->policy_ = std::move(policy);
  return out;
}

}  // namespace weir
