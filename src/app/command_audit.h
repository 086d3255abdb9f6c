// `weir audit`: every refusal and other event a reviewer may ask about.
//
//   int exit_code = run_audit({.json = true, .since = "24h"}, context);
#pragma once

#include <string>

#include "app/command.h"

namespace CLI {
class App;
}

namespace weir {

struct AuditOptions {
  StoreChoice store;
  bool json = false;
  std::string since;  // empty: everything
};

int run_audit(const AuditOptions& options, const CommandContext& context);

void add_audit_command(CLI::App& app, int& exit_code, const CommandContext& context);

}  // namespace weir
