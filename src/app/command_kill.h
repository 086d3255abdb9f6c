// `weir kill` and `weir unkill`: stop a key, agent, tool or run, and let it go again, also while the server runs.
//
//   int exit_code = run_kill({.kind = "tool", .name = "send_email", .reason = "phishing"}, context);
#pragma once

#include <string>

#include "app/command.h"

namespace weir {

struct KillOptions {
  StoreChoice store;
  bool json = false;
  bool list = false;
  std::string kind, name, reason;
};

int run_kill(const KillOptions& options, const CommandContext& context);
int run_unkill(const KillOptions& options, const CommandContext& context);

void add_kill_commands(CLI::App& app, int& exit_code, const CommandContext& context);

}  // namespace weir
