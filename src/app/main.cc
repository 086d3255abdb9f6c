// The command line: each subcommand registers itself; this file only puts them together.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <iostream>

#include "app/command_alerts.h"
#include "app/command_audit.h"
#include "app/command_check.h"
#include "app/command_init.h"
#include "app/command_keys.h"
#include "app/command_kill.h"
#include "app/command_recommend.h"
#include "app/command_replay.h"
#include "app/command_report.h"
#include "app/command_serve.h"
#include "app/command_tokens.h"
#include "app/command_usage.h"
#include "app/entropy.h"
#include "app/policy_file.h"
#include "base/strings.h"
#include "net/clock.h"

namespace {

constexpr std::array<std::string_view, 16> kCommands = {"serve",  "init",   "check",     "explain", "schema", "version",
                                                        "keys",   "tokens", "usage",     "audit",   "report", "kill",
                                                        "unkill", "replay", "recommend", "alerts"};

bool is_command(std::string_view name) {
  return std::find(kCommands.begin(), kCommands.end(), name) != kCommands.end();
}

int unknown_command(std::string_view name) {
  using weir::kExitCouldNotRun;
  using weir::nearest_word;
  using weir::report;
  const auto near = nearest_word(name, kCommands);
  return report(std::cerr, kExitCouldNotRun,
                "no command `" + std::string(name) + "`" +
                    (near ? "; did you mean `" + std::string(*near) + "`?" : ";") +
                    " `weir --help` lists the commands");
}

}  // namespace

int main(int argc, char** argv) {
  using namespace weir;
  CLI::App app("Weir: measures and limits what AI agents use, before it is spent", "weir");
  app.require_subcommand(1);
  int exit_code = kExitDone;
  const CommandContext context{.data_of_config = [](const std::string& path) -> Result<std::string> {
                                 const Result<LoadedPolicy> loaded = load_policy_file(path);
                                 if (!loaded) return std::unexpected(loaded.error());
                                 if (!loaded->policy)
                                   return fail(path + " is not valid; `weir check " + path + "` says why");
                                 return loaded->policy->data;
                               },
                               .now = [] { return Clock().now(); },
                               .entropy = system_entropy};
  add_serve_command(app, exit_code);
  add_init_command(app, exit_code, context);
  add_check_commands(app, exit_code, context);
  add_keys_commands(app, exit_code, context);
  add_tokens_commands(app, exit_code, context);
  add_usage_command(app, exit_code, context);
  add_audit_command(app, exit_code, context);
  add_report_command(app, exit_code, context);
  add_kill_commands(app, exit_code, context);
  add_replay_command(app, exit_code, context);
  add_recommend_command(app, exit_code, context);
  add_alerts_commands(app, exit_code, context);
  app.set_version_flag("--version", "weir " WEIR_VERSION);
  if (argc > 1 && argv[1][0] != '-' && !is_command(argv[1])) return unknown_command(argv[1]);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    return report(std::cerr, kExitCouldNotRun, std::string(error.what()) + "; `weir --help` lists the commands");
  }
  return exit_code;
}
