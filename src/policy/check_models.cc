// What only all of `models` and `providers` together can tell: rules that nothing reaches, fallbacks and ladders that
// lead nowhere or to a provider that does not understand the request.
#include <algorithm>

#include "policy/loader.h"

namespace weir {
namespace {

const Provider* provider_of(const Policy& policy, std::string_view model) {
  const ModelRule* rule = policy.find_model(model);
  return rule != nullptr ? policy.find_provider(rule->provider) : nullptr;
}

// A simulated provider speaks whatever the request does.
bool understands(const Provider& to, const Provider& from) {
  return to.simulate || from.simulate || to.dialect == from.dialect;
}

std::string other_dialect(std::string_view target, const Provider& to, const Provider& from) {
  return "`" + std::string(target) + "` is served by `" + to.name + "`, which speaks " +
         std::string(to_string(to.dialect)) + "; requests to `" + from.name + "` are in " +
         std::string(to_string(from.dialect));
}

std::string unrouted(const Policy& policy, const std::string& model) {
  std::vector<std::string_view> names;  // a glob is no answer where a name is asked for
  for (const ModelRule& rule : policy.models) {
    if (rule.pattern.find('*') == std::string::npos) names.push_back(rule.pattern);
  }
  const std::string hint = did_you_mean(model, names);
  return "no rule under `models` routes `" + model + "`" + (hint.empty() ? "; add one, or correct the name" : hint);
}

// Empty: a request of `from`'s dialect can go to `target`.
std::string fault_of(const Policy& policy, const Provider* from, const std::string& target) {
  if (policy.find_model(target) == nullptr) return unrouted(policy, target);
  const Provider* to = provider_of(policy, target);
  if (from == nullptr || to == nullptr || understands(*to, *from)) return {};
  return other_dialect(target, *to, *from);
}

void check_fallbacks(const Yaml& models, const Policy& policy, Reporter& reporter) {
  for (std::size_t i = 0; i < models.keys.size(); ++i) {
    const Yaml* list = models.items[i].find("fallback");
    const ModelRule* rule = policy.find_model(models.keys[i].text);
    if (list == nullptr || rule == nullptr || rule->pattern != models.keys[i].text) continue;
    for (const Yaml& item : list->items) {
      const bool read = std::find(rule->fallback.begin(), rule->fallback.end(), item.text) != rule->fallback.end();
      const std::string fault = read ? fault_of(policy, policy.find_provider(rule->provider), item.text) : "";
      if (!fault.empty()) reporter.error(item, fault);
    }
  }
}

void check_rules(const Yaml& models, const Policy& policy, Reporter& reporter) {
  for (const Yaml& pattern : models.keys) {
    const ModelRule* rule = policy.find_model(pattern.text);
    if (rule == nullptr) continue;
    if (rule->pattern != pattern.text) {
      reporter.error(pattern,
                     "`" + pattern.text + "` is never reached: `" + rule->pattern + "` above matches it first");
      continue;
    }
    const Provider* provider = policy.find_provider(rule->provider);
    const bool literal = pattern.text.find('*') == std::string::npos;
    if (literal && provider != nullptr && !rule->price && !provider->price &&
        PriceBook::built_in().find(pattern.text) == nullptr) {
      reporter.warning(pattern, "no price is known for `" + pattern.text +
                                    "`; it costs as much as the dearest model. Give it a `price`");
    }
  }
}

void check_ladder(const Yaml& rung, const Policy& policy, Reporter& reporter) {
  const Yaml* models = rung.is_map() ? rung.find("model") : nullptr;
  if (models == nullptr || !models->is_map()) return;
  for (std::size_t i = 0; i < models->keys.size(); ++i) {
    const Yaml& from = models->keys[i];
    const Yaml& to = models->items[i];
    if (!from.is_scalar() || !to.is_scalar() || from.text == to.text) continue;  // reported
    if (policy.find_model(from.text) == nullptr) {
      reporter.warning(from, unrouted(policy, from.text) + "; this rung never changes it");
    }
    const std::string fault = fault_of(policy, provider_of(policy, from.text), to.text);
    if (!fault.empty()) reporter.error(to, fault);
  }
}

// The built-in ladder under a file's own models: what cannot be called is left out.
void prune(LimitRule& rule, const Policy& policy) {
  for (Rung& rung : rule.degrade) {
    std::erase_if(rung.model, [&](const auto& pair) {
      return !fault_of(policy, provider_of(policy, pair.first), pair.second).empty();
    });
  }
  std::erase_if(rule.degrade, [](const Rung& r) { return r.model.empty() && !r.max_tokens && !r.keep_messages; });
}

}  // namespace

void check_models(const Section& root, const Policy& policy) {
  const Yaml* models = root.node().find("models");
  const Yaml* providers = root.node().find("providers");
  Reporter& reporter = root.reporter();
  if (models != nullptr && models->is_map()) {
    check_rules(*models, policy, reporter);
    check_fallbacks(*models, policy, reporter);
  }
  if (providers == nullptr || !providers->is_map()) return;
  for (const Yaml& name : providers->keys) {
    const bool used = std::any_of(policy.models.begin(), policy.models.end(),
                                  [&](const ModelRule& rule) { return rule.provider == name.text; });
    if (!used) reporter.warning(name, "no model is routed to provider `" + name.text + "`; add it under `models`");
  }
}

void check_ladders(Policy& policy, const std::vector<LimitSource>& sources, Reporter& reporter) {
  for (std::size_t i = 0; i < policy.limits.size(); ++i) {
    LimitRule& rule = policy.limits[i];
    const Yaml* ladder = sources[i].node->find("degrade");
    if (rule.line == 0) {
      prune(rule, policy);
    } else if (ladder != nullptr) {
      for (const Yaml& rung : ladder->items) check_ladder(rung, policy, reporter);
    }
  }
}

}  // namespace weir
