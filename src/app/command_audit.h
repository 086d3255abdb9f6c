// `weir audit`: every refusal and other event a reviewer may ask about.
//
//   int exit_code = run_audit({.json = true, .since = "24h"}, context);
#pragma once

#include <cstdint>
#include <string>

#include "app/command.h"

namespace weir {

struct AuditOptions {
  StoreChoice store;
  bool json = false;
  std::string since;                // empty: everything
  std::string event, key, request;  // empty: all
  std::int64_t limit = 0;           // the newest so many; 0: all
  bool verify = false;              // walk the chain instead
  std::string expect;               // a head printed earlier
};

int run_audit(const AuditOptions& options, const CommandContext& context);

void add_audit_command(CLI::App& app, int& exit_code, const CommandContext& context);

}  // namespace weir
