// `weir replay`: what a policy would have done to recorded traffic, in virtual time.
//
//   int exit_code = run_replay({.traces = {"monday.csv"}, .json = true}, context);
//
// Exit codes: 0 every trace was read to its end, 2 it was not; the message then names file and line.
#pragma once

#include <string>
#include <vector>

#include "app/command.h"

namespace weir {

struct ReplayCommand {
  std::vector<std::string> traces;
  std::vector<std::string> train;
  std::string config, policy;  // --policy before -c before the built-in policy
  std::string mode;            // empty: as the policy says
  std::string service_time = "0.5+0.02*out";
  std::string max_tokens = "1024";
  std::string decisions;  // file to write; empty: none
  bool json = false;
};

int run_replay(const ReplayCommand& command, const CommandContext& context);

void add_replay_command(CLI::App& app, int& exit_code, const CommandContext& context);

}  // namespace weir
