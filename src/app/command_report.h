// `weir report`: abuse patterns of a week, from the audit.
//
//   int exit_code = run_report({.json = true, .since = "7d"}, context);
#pragma once

#include <string>

#include "app/command.h"

namespace weir {

struct ReportOptions {
  StoreChoice store;
  bool json = false;
  bool week = false;  // the default, for scripts that like to say it
  std::string since;  // empty: seven days
  std::string html;   // file to write; empty: the table
};

int run_report(const ReportOptions& options, const CommandContext& context);

void add_report_command(CLI::App& app, int& exit_code, const CommandContext& context);

}  // namespace weir
