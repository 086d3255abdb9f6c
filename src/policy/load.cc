#include <fmt/format.h>

#include "policy/loader.h"

namespace weir {
namespace {

// FNV-1a, 64 bits. Names a configuration in records; it protects nothing.
std::string short_hash(std::string_view a, std::string_view b) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const std::string_view part : {a, std::string_view("\0", 1), b}) {
    for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  }
  return fmt::format("{:016x}", hash).substr(0, 12);
}

// Where built-in models go that none of the file's providers serves: the only provider there is.
void route_the_rest(Policy& policy) {
  if (policy.find_model("*") == nullptr && policy.providers.size() == 1) {
    policy.models.push_back({"*", policy.providers.front().name, std::nullopt, {}});
  }
}

class PolicyLoader {
 public:
  PolicyLoader(const std::string& file, const Environment& environment) : reporter_(file), environment_(environment) {}

  LoadedPolicy load(std::string_view text, std::string_view known) {
    LoadedPolicy out;
    auto policy = std::make_shared<Policy>();
    if (read(text, known, *policy)) out.policy = std::move(policy);
    out.diagnostics = reporter_.take();
    return out;
  }

 private:
  bool read(std::string_view text, std::string_view known, Policy& policy) {
    std::optional<Yaml> file = parse_yaml(text, reporter_);
    if (!file) return false;
    if (!known.empty()) restore_secrets(*file, known);
    report_masks(*file, reporter_);
    std::string used = expand_environment(*file, environment_, reporter_);
    std::optional<Yaml> built_in = parse_yaml(built_in_yaml(), reporter_);
    if (!built_in) return false;
    used += expand_environment(*built_in, environment_, reporter_);
    clear_places(*built_in);
    Section root(reporter_, *file, "");
    Section defaults(reporter_, *built_in, "");
    load_server(root, policy);
    load_tiers(root, policy);
    load_behavior(root, policy.behavior);
    read_routes(root, defaults, policy);
    std::vector<LimitSource> sources;
    const bool own_limits = root.get("limits") != nullptr;
    load_limits(own_limits ? root : defaults, policy, !own_limits, sources);
    load_alerts(root, policy);
    root.finish();
    check_limits(policy, sources, reporter_);
    check_ladders(policy, sources, reporter_);
    policy.version = short_hash(text, used);
    return !reporter_.failed();
  }

  void read_routes(Section& root, Section& defaults, Policy& policy) {
    const bool own_providers = root.get("providers") != nullptr;
    const bool own_models = root.get("models") != nullptr;
    load_providers(own_providers ? root : defaults, policy, !own_providers);
    load_models(own_models ? root : defaults, policy, !own_models);
    if (!own_models) route_the_rest(policy);
    load_upstreams(root, policy);
    check_models(root, policy);
  }

  static void clear_places(Yaml& node) {
    node.line = node.column = 0;
    for (Yaml& item : node.items) clear_places(item);
    for (Yaml& key : node.keys) key.line = key.column = 0;
  }

  Reporter reporter_;
  const Environment& environment_;
};

}  // namespace

LoadedPolicy load_policy(std::string_view text, const std::string& file, const Environment& environment,
                         std::string_view known) {
  try {
    return PolicyLoader(file, environment).load(text, known);
  } catch (const std::exception& e) {
    // The standard library's own failures, such as memory: nothing is half loaded.
    return {nullptr, {{true, file, 0, 0, std::string("the file cannot be loaded: ") + e.what()}}};
  }
}

}  // namespace weir
