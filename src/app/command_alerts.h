// `weir alerts test` and `weir alerts list`: do messages arrive, and what fires.
//
//   int exit_code = run_alerts_test({.config = "weir.yaml", .target = "ops"}, context);
#pragma once

#include <string>

#include "app/command.h"

namespace weir {

struct AlertsTestOptions {
  std::string config, target;  // no target: each
  bool json = false;
};
// kExitNo if a message did not arrive.
int run_alerts_test(const AlertsTestOptions& options, const CommandContext& context);

struct AlertsListOptions {
  StoreChoice store;
  std::string state = "all";
  bool json = false;
};
int run_alerts_list(const AlertsListOptions& options, const CommandContext& context);

void add_alerts_commands(CLI::App& app, int& exit_code, const CommandContext& context);

}  // namespace weir
