#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "base/strings.h"
#include "policy/amounts.h"
#include "policy/glob_overlap.h"
#include "policy/loader.h"

namespace weir {
namespace {

// Is there a value that this term's patterns accept among `globs`?
bool meets(const MatchTerm& term, std::string_view glob) {
  return std::any_of(term.patterns.begin(), term.patterns.end(),
                     [&](const std::string& p) { return globs_overlap(p, glob); });
}

class LimitChecker {
 public:
  LimitChecker(Policy& policy, const std::vector<LimitSource>& sources, Reporter& reporter)
      : policy_(policy), sources_(sources), reporter_(reporter) {
    for (const Upstream& upstream : policy.upstreams) {
      std::string glob = upstream.path;
      if (glob.ends_with("/**")) glob.resize(glob.size() - 2);
      routes_.push_back(glob + (glob.size() != upstream.path.size() ? "*" : ""));
      if (upstream.path.ends_with("/**")) routes_.push_back(upstream.path.substr(0, upstream.path.size() - 3));
    }
    for (std::size_t i = 0; i < kOperationCount; ++i) routes_.emplace_back(route_of(static_cast<Operation>(i)));
  }

  void run() {
    check_names();
    for (std::size_t i = 0; i < policy_.limits.size(); ++i) {
      const LimitRule& rule = policy_.limits[i];
      for (const MatchTerm& term : rule.match) check_term(term, sources_[i]);
      check_models(rule, sources_[i]);
      fill_missing_tiers(policy_.limits[i], sources_[i]);
      check_asserted(rule, sources_[i]);
    }
  }

 private:
  void check_names() {
    std::map<std::string, std::string> items;  // RateLimit item -> limit
    std::set<std::string> names;
    for (std::size_t i = 0; i < policy_.limits.size(); ++i) {
      const LimitRule& rule = policy_.limits[i];
      if (rule.name.empty()) continue;
      const Yaml* name = sources_[i].node->find("name");
      const Yaml& at = name != nullptr ? *name : *sources_[i].node;
      if (!names.insert(rule.name).second) {
        reporter_.error(at, "two limits are called `" + rule.name + "`");
        continue;
      }
      for (const TierAllowance& allowance : rule.allow) {
        for (const WindowRule& window : allowance.windows) {
          const auto [entry, fresh] = items.emplace(window.item, rule.name);
          if (fresh || entry->second == rule.name) continue;
          reporter_.error(at, "`" + window.item + "` would name both a window of `" + rule.name + "` and of `" +
                                  entry->second + "` in RateLimit headers; rename one");
          break;
        }
      }
    }
  }

  const Yaml& place(const MatchTerm& term, const LimitSource& source) const {
    for (std::size_t i = 0; i < source.match->keys.size(); ++i) {
      if (equal_ignoring_case(source.match->keys[i].text, term.attribute)) return source.match->items[i];
    }
    return *source.match;
  }

  void refuse(const MatchTerm& term, const LimitSource& source, const std::string& pattern, std::string_view what,
              const std::vector<std::string_view>& known) {
    const Yaml& value = place(term, source);
    const Yaml* at = &value;
    for (const Yaml& item : value.items) {
      if (item.text == pattern) at = &item;
    }
    reporter_.error(
        *at, "this can match nothing: no " + std::string(what) + " `" + pattern + "`" + did_you_mean(pattern, known));
  }

  void check_each(const MatchTerm& term, const LimitSource& source, std::string_view what,
                  const std::vector<std::string_view>& known) {
    for (const std::string& pattern : term.patterns) {
      const bool any =
          std::any_of(known.begin(), known.end(), [&](std::string_view k) { return globs_overlap(pattern, k); });
      if (!any) refuse(term, source, pattern, what, known);
    }
  }

  void check_term(const MatchTerm& term, const LimitSource& source) {
    std::vector<std::string_view> known;
    if (term.attribute == "tier") {
      for (const Tier& tier : policy_.tiers) known.push_back(tier.name);
      if (policy_.anonymous_allowed) known.push_back("anonymous");
      check_each(term, source, "tier", known);
    } else if (term.attribute == "kind") {
      check_each(term, source, "kind", {"agent", "human", "service"});
    } else if (term.attribute == "provider") {
      for (const Provider& provider : policy_.providers) known.push_back(provider.name);
      check_each(term, source, "provider", known);
    } else if (term.attribute == "model") {
      for (const ModelRule& rule : policy_.models) known.push_back(rule.pattern);
      check_each(term, source, "rule under `models` for", known);
    } else if (term.attribute == "route") {
      known.assign(routes_.begin(), routes_.end());
      check_each(term, source, "route", known);
    } else if (term.attribute == "server") {
      for (const Upstream& upstream : policy_.upstreams) {
        if (upstream.kind == UpstreamKind::kMcp) known.push_back(upstream.server);
      }
      check_each(term, source, "upstream of `kind: mcp` is called", known);
    } else if (term.attribute == "depth") {
      for (const std::string& pattern : term.patterns) {
        if (pattern.find_first_not_of("0123456789*") != std::string::npos) refuse(term, source, pattern, "depth", {});
      }
    } else if (term.attribute == "method") {
      for (const std::string& pattern : term.patterns) {
        const bool upper = std::none_of(pattern.begin(), pattern.end(), [](char c) { return c >= 'a' && c <= 'z'; });
        if (!upper)
          refuse(term, source, pattern, "method", {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"});
      }
    }
  }

  // Model and provider together: each may exist, and still no rule routes one to the other.
  void check_models(const LimitRule& rule, const LimitSource& source) {
    const MatchTerm* model = nullptr;
    const MatchTerm* provider = nullptr;
    for (const MatchTerm& term : rule.match) {
      if (!term.negated && term.attribute == "model") model = &term;
      if (!term.negated && term.attribute == "provider") provider = &term;
    }
    if (provider == nullptr) return;
    const bool any = std::any_of(policy_.models.begin(), policy_.models.end(), [&](const ModelRule& m) {
      return meets(*provider, m.provider) && (model == nullptr || meets(*model, m.pattern));
    });
    if (any || reporter_.failed()) return;
    reporter_.error(*source.match,
                    "this can match nothing: no rule under `models` routes " +
                        std::string(model != nullptr ? "that model to that provider" : "to that provider"));
  }

  // A tier that a map leaves out gets the map's smallest amounts.
  void fill_missing_tiers(LimitRule& rule, const LimitSource& source) {
    const auto has = [&](std::string_view tier) {
      return std::any_of(rule.allow.begin(), rule.allow.end(), [&](const TierAllowance& a) { return a.tier == tier; });
    };
    if (rule.allow.empty() || has("")) return;
    const TierAllowance* smallest = nullptr;
    double least = std::numeric_limits<double>::infinity();
    for (const TierAllowance& allowance : rule.allow) {
      double strictest = std::numeric_limits<double>::infinity();
      for (const WindowRule& window : allowance.windows) {
        if (window.amount_metadata.empty()) strictest = std::min(strictest, refill_per_ns(window));
      }
      if (smallest != nullptr && strictest >= least) continue;
      smallest = &allowance;
      least = strictest;
    }
    std::string missing;
    for (const Tier& tier : policy_.tiers) {
      if (!has(tier.name)) missing += (missing.empty() ? "`" : ", `") + tier.name + "`";
    }
    if (!missing.empty()) {
      reporter_.warning(*source.allow, "no amount for tier " + missing + "; it gets the smallest, that of `" +
                                           smallest->tier + "`. Add it, or `default`");
    }
    TierAllowance fallback{"", smallest->windows};
    rule.allow.push_back(std::move(fallback));
  }

  static bool is_asserted(std::string_view name) {
    if (name.starts_with("header.")) return true;
    const auto attribute = attribute_from(name);
    return attribute && is_caller_asserted(*attribute);
  }
  static bool splits(const LimitRule& rule) { return std::any_of(rule.per.begin(), rule.per.end(), is_asserted); }

  // A caller that invents conversations or headers gets a fresh bucket each time, so such a limit alone bounds nothing.
  void check_asserted(const LimitRule& rule, const LimitSource& source) {
    if (!splits(rule) || rule.meter.empty()) return;
    const bool bounded = std::any_of(policy_.limits.begin(), policy_.limits.end(), [&](const LimitRule& other) {
      return !splits(other) && !other.shadow && other.match.empty() && other.meter_name == rule.meter_name;
    });
    if (bounded) return;
    const auto name = std::find_if(rule.per.begin(), rule.per.end(), is_asserted);
    reporter_.warning(*source.per, "`" + rule.name + "` is bounded only by `" + *name +
                                       "`, which callers choose freely; add a limit of `" + rule.meter_name +
                                       "` per caller beside it");
  }

  Policy& policy_;
  const std::vector<LimitSource>& sources_;
  Reporter& reporter_;
  std::vector<std::string> routes_;
};

}  // namespace

void check_limits(Policy& policy, const std::vector<LimitSource>& sources, Reporter& reporter) {
  LimitChecker(policy, sources, reporter).run();
}

}  // namespace weir
