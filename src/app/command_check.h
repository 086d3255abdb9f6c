// `weir check`, `weir explain`, `weir schema`, `weir version`: what a policy says, without running it.
#pragma once

#include "app/command.h"

namespace weir {

void add_check_commands(CLI::App& app, int& exit_code, const CommandContext& context);

}  // namespace weir
