#include "app/command_check.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "app/policy_file.h"
#include "base/json_writer.h"
#include "journal/recovery.h"
#include "model/agent.h"
#include "policy/behavior_words.h"
#include "policy/ruleset.h"

namespace weir {
namespace {

struct ExplainOptions {
  StoreChoice store;
  std::string key, model, tool;
  bool json = false;
};

int run_check(const std::string& path, TimeNs now) {
  const Result<LoadedPolicy> loaded = load_policy_file(path);
  if (!loaded) return report(std::cerr, kExitCouldNotRun, loaded.error().message);
  print_diagnostics(*loaded);
  if (!loaded->policy || !load_listener_tls(*loaded->policy, path, now)) return kExitNo;
  const std::size_t limits = loaded->policy->limits.size();
  std::cout << path << ": ok, " << limits << (limits == 1 ? " limit" : " limits") << ", version "
            << loaded->policy->version << "\n";
  return kExitDone;
}

// The facts that a request of that key for that model would have. Views stay valid while the arguments live.
void fill(Attributes& attributes, const Policy& policy, const Consumer& consumer, const ExplainOptions& options) {
  const auto set_if = [&](Attribute a, std::string_view value) {
    if (!value.empty()) attributes.set(a, value);
  };
  attributes.consumer = &consumer;
  set_if(Attribute::kKey, consumer.name);
  set_if(Attribute::kTenant, consumer.tenant);
  set_if(Attribute::kUser, consumer.user);
  set_if(Attribute::kTier, consumer.tier.empty() ? policy.default_tier : consumer.tier);
  set_if(Attribute::kKind, to_string(consumer.kind));
  set_if(Attribute::kCaller, consumer.user.empty() ? consumer.name : consumer.user);
  set_if(Attribute::kModel, options.model);
  set_if(Attribute::kTool, options.tool);
  if (const ModelRule* rule = options.model.empty() ? nullptr : policy.find_model(options.model)) {
    attributes.set(Attribute::kProvider, rule->provider);
  }
}

// Counters as a running or stopped server left them; empty ones if there is no data.
void load_counters(const std::string& dir, Limiter& limiter) {
  if (const Result<Recovered> seen = inspect(dir + "/journal", limiter); !seen) {
    std::cerr << "weir: usage is not shown: " << seen.error().message << "\n";
  }
}

// What operators changed over the file is not looked at here: the file alone is explained.
void mention_overrides(const std::string& dir) {
  Result<Store> store = Store::open(dir, {.read_only = true});
  if (!store) return;
  const auto rows = store->overrides();
  if (!rows || rows->empty()) return;
  std::cerr << "weir: this is the file alone; " << rows->size() << (rows->size() == 1 ? " override" : " overrides")
            << " in " << dir << " change it while it is served (GET /admin/v1/policy)\n";
}

void print_sentences(const std::vector<std::string>& sentences, std::string_view name, bool json) {
  for (const std::string& sentence : sentences) {
    if (json) {
      std::string line;
      JsonWriter(line).begin_object().key(name).string(sentence).end_object();
      std::cout << line << "\n";
    } else {
      std::cout << sentence << "\n";
    }
  }
}

// Nothing about plain listeners: that is what everybody expects.
std::vector<std::string> listeners_in_words(const Policy& policy) {
  std::vector<std::string> out;
  if (policy.tls.on()) out.push_back("listen: TLS with the certificate in " + policy.tls.cert);
  if (policy.admin_tls.on()) out.push_back("admin: TLS with the certificate in " + policy.admin_tls.cert);
  return out;
}

// Who may use which tools: of the one tool that was asked about, or what the lists say.
std::vector<std::string> tools_in_words(const Ruleset& rules, const Attributes& attributes, const std::string& tool) {
  if (!tool.empty()) {
    const bool denied = rules.denies_tool(attributes, tool);
    return {"tools: " + tool + (denied ? " is denied by the lists of the tier or key" : " may be used")};
  }
  for (const Tier& tier : rules.policy().tiers) {
    if (tier.name == attributes[Attribute::kTier]) return tool_lists_in_words(tier.tools, "tier " + tier.name);
  }
  return {};
}

int run_explain(ExplainOptions options, const CommandContext& context) {
  if (!options.tool.empty()) {
    const std::string tool = canonical_tool_name(options.tool);
    if (tool.empty()) return report(std::cerr, kExitNo, "--tool must be 1 to 256 bytes without control characters");
    options.tool = tool;
  }
  const Result<LoadedPolicy> loaded = load_policy_file(options.store.config);
  if (!loaded) return report(std::cerr, kExitCouldNotRun, loaded.error().message);
  if (!loaded->policy) {
    print_diagnostics(*loaded);
    return kExitNo;
  }
  const Policy& policy = *loaded->policy;
  const std::string dir = options.store.data.empty() ? policy.data : options.store.data;
  mention_overrides(dir);
  Consumer consumer{.name = "any key"};
  Secrets secrets;
  Limiter limiter;
  if (!options.key.empty()) {
    Result<Store> store = Store::open(dir, {.read_only = true});
    if (!store) return report(std::cerr, kExitCouldNotRun, store.error().message);
    const auto found = store->find_consumer(options.key);
    if (!found) return report(std::cerr, kExitCouldNotRun, found.error().message);
    if (!*found)
      return report(std::cerr, kExitNo, "no key is named " + options.key + "; `weir keys list` shows the names");
    consumer = **found;
    if (const Result<Secrets> known = load_secrets(dir)) secrets = *known;
    load_counters(dir, limiter);
  }
  const auto rules =
      Ruleset::compile(loaded->policy, [&](const CounterSpec& spec) { return limiter.define(spec); }, secrets.subjects);
  Attributes attributes;
  fill(attributes, policy, consumer, options);
  Plan plan;
  const TimeNs now = context.now();
  if (const auto fault = rules->plan(attributes, Costs{}, now, plan)) return report(std::cerr, kExitNo, fault->message);
  Decision state;
  limiter.peek({.subjects = plan.subjects(), .demands = plan.demands(), .now = now}, state);
  print_sentences(rules->explain(plan, attributes, options.key.empty() ? nullptr : &state, now), "limit", options.json);
  if (options.tool.empty()) print_sentences(tool_limits_in_words(policy), "limit", options.json);
  print_sentences(tools_in_words(*rules, attributes, options.tool), "rule", options.json);
  print_sentences(behavior_in_words(policy.behavior), "rule", options.json);
  print_sentences(listeners_in_words(policy), "rule", options.json);
  return kExitDone;
}

}  // namespace

void add_check_commands(CLI::App& app, int& exit_code, const CommandContext& context) {
  auto path = std::make_shared<std::string>();
  CLI::App* check = app.add_subcommand("check", "Validate a weir.yaml");
  check->add_option("FILE", *path, "the file")->required();
  check->callback([path, &exit_code, &context] { exit_code = run_check(*path, context.now()); });

  auto options = std::make_shared<ExplainOptions>();
  CLI::App* explain = app.add_subcommand("explain", "Say in words which limits apply");
  explain->add_option("-c,--config", options->store.config, "weir.yaml");
  explain->add_option("--data", options->store.data, "data folder");
  explain->add_option("--key", options->key, "name of a key; shows its usage too");
  explain->add_option("--model", options->model, "model asked for");
  explain->add_option("--tool", options->tool, "tool called");
  explain->add_flag("--json", options->json, "one object per line");
  explain->callback([options, &exit_code, &context] { exit_code = run_explain(*options, context); });

  app.add_subcommand("schema", "Print the JSON Schema of weir.yaml")->callback([&exit_code] {
    std::cout << policy_schema() << "\n";
    exit_code = kExitDone;
  });
  app.add_subcommand("version", "Print the version")->callback([&exit_code] {
    std::cout << "weir " << WEIR_VERSION << "\n";
    exit_code = kExitDone;
  });
}

}  // namespace weir
