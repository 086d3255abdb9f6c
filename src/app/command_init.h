// `weir init`: a commented weir.yaml to begin with, for a trade or with the built-in policy written out.
//
//   int exit_code = run_init({.name = "salon", .output = "weir.yaml"}, context);
//
// Exit codes: 0 written, 1 there is such a file already or no such template, 2 it could not be written. A file that is
// there is never touched without `force`, and then replaced in one step.
#pragma once

#include <optional>
#include <string>

#include "app/command.h"

namespace weir {

struct InitCommand {
  std::optional<std::string> name;     // of the template; none: the built-in policy
  std::string output = "./weir.yaml";  // "-": standard output
  bool force = false;
};

int run_init(const InitCommand& command, const CommandContext& context);

void add_init_command(CLI::App& app, int& exit_code, const CommandContext& context);

}  // namespace weir
