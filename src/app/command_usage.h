// `weir usage`: who used what, from the ledger; --purge deletes what it has of somebody.
//
//   int exit_code = run_usage({.json = true, .since = "24h"}, context);
#pragma once

#include <string>

#include "app/command.h"

namespace weir {

struct UsageOptions {
  StoreChoice store;
  bool json = false;
  std::string since;  // empty: everything
  std::string by;     // empty: single rows
  bool purge = false;
  PurgeSubject subject;  // whose rows, with `purge`
};

int run_usage(const UsageOptions& options, const CommandContext& context);

void add_usage_command(CLI::App& app, int& exit_code, const CommandContext& context);

}  // namespace weir
