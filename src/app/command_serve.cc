#include "app/command_serve.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "admin/first_run.h"
#include "app/server.h"
#include "net/signals.h"

namespace weir {
namespace {

// How many of the printed calls, one after another, are admitted before a limit on requests refuses; empty if no limit
// on requests holds for every caller.
std::string when_the_limit_bites(const Policy& policy) {
  const auto bite = first_bite(policy);
  if (!bite) return {};
  return fmt::format(
      "{} of these per {} are admitted; the next one is refused by limit `{}` and says when to come back.",
      bite->allowed, bite->window, bite->limit);
}

// Who answers the printed call, and whether it costs money.
std::string who_answers(const Policy& policy) {
  const Provider* provider = provider_of_try(policy);
  if (provider == nullptr) return fmt::format("no provider is routed for {}: name a model of yours", kTryModel);
  return provider->simulate ? "answered by `" + provider->name + "`, simulated: nothing is spent"
                            : "answered by `" + provider->name + "` for real money";
}

// Into the store that this server reads.
std::string keys_create(const ServerFacts& facts) {
  const bool usual = std::filesystem::path(facts.data).lexically_normal() == "weir-data";
  return "weir keys create --name NAME" + (usual ? std::string() : " --data " + facts.data);
}

void print_for_people(const Server& server) {
  const ServerFacts& facts = server.facts();
  std::cout << "Weir " << WEIR_VERSION << "\n\n";
  std::cout << "  listening on  " << facts.listen << "   (send your agents here)\n";
  std::cout << "  admin on      " << facts.admin << "   (/metrics, /healthz, /readyz)\n";
  std::cout << "  dashboard     " << facts.dashboard << "   (signs you in once, within an hour)\n";
  std::cout << "  policy        " << (facts.built_in_policy ? "built-in" : "from file") << ", version "
            << server.policy()->version << "\n";
  std::cout << "  data          " << facts.data << "\n";
  if (!facts.admin_token.empty()) std::cout << "  admin token   " << facts.admin_token << "   (shown once)\n";
  if (!facts.demo_key.empty()) std::cout << "  demo key      " << facts.demo_key << "   (shown once)\n";
  if (facts.in_flight_recovered > 0) {
    std::cout << "  recovered     " << facts.in_flight_recovered
              << " requests were in flight and are charged as `expired`\n";
  }
  std::cout << "\nTry it (" << who_answers(*server.policy()) << "):\n\n  " << curl_for(facts.listen, facts.demo_key)
            << "\n\n";
  if (facts.demo_key.empty()) std::cout << "WEIR_KEY is a key of yours; `" << keys_create(facts) << "` makes one.\n";
  if (const std::string bites = when_the_limit_bites(*server.policy()); !bites.empty()) std::cout << bites << "\n";
  std::cout << "Stop with Ctrl-C." << std::endl;
}

void print_for_programs(const Server& server) {
  const ServerFacts& facts = server.facts();
  std::cout << "listening on " << facts.listen << "\nadmin on " << facts.admin << "\n";
  if (!facts.admin_token.empty()) std::cout << "admin token " << facts.admin_token << "\n";
  if (!facts.demo_key.empty()) std::cout << "demo key " << facts.demo_key << "\n";
  // With a file the output may end in logs that others read: there the link is for terminals only.
  if (facts.built_in_policy) std::cout << "dashboard " << facts.dashboard << "\n";
  std::cout << "try " << curl_for(facts.listen, facts.demo_key) << "\n";
  if (facts.demo_key.empty()) std::cout << "WEIR_KEY is a key of yours: " << keys_create(facts) << "\n";
  if (const std::string bites = when_the_limit_bites(*server.policy()); !bites.empty()) std::cout << bites << "\n";
  std::cout << std::flush;
}

// A core would hold keys, prompts and answers; nor may other programs of this user look into the process. (The leak
// check of sanitizers must.)
void forbid_core_dumps() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return;
#elif defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  prctl(PR_SET_DUMPABLE, 0);
#endif
#else
  prctl(PR_SET_DUMPABLE, 0);
#endif
}

int run_serve(const ServeOptions& options) {
  block_signals();
  forbid_core_dumps();
  if (options.config.empty() && std::filesystem::exists("weir.yaml")) {
    std::cerr << "weir: ./weir.yaml is here but not used; `weir serve -c weir.yaml` uses it\n";
  }
  Result<std::unique_ptr<Server>> server = Server::start(options);
  if (!server) return report(std::cerr, kExitCouldNotRun, server.error().message);
  isatty(STDOUT_FILENO) != 0 ? print_for_people(**server) : print_for_programs(**server);
  (*server)->run();
  return kExitDone;
}

}  // namespace

void add_serve_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* serve = app.add_subcommand("serve", "Run the gateway; without a file, with the built-in policy");
  serve->add_option("-c,--config", options->config, "weir.yaml");
  serve->add_option("--data", options->data, "data folder, instead of the one the policy names");
  serve->callback([options, &exit_code] { exit_code = run_serve(*options); });
}

}  // namespace weir
