// `weir serve`.
#pragma once

#include "app/command.h"

namespace weir {

void add_serve_command(CLI::App& app, int& exit_code);

}  // namespace weir
