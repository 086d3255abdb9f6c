// Policies from files, and how the program talks about them.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/policy.h"
#include "telemetry/log.h"

namespace weir {

// The policy of a file, or the built-in one for an empty path. An unreadable file is an Error; an invalid one a result
// without policy.
Result<LoadedPolicy> load_policy_file(const std::string& path);

// One line per diagnostic on stderr.
void print_diagnostics(const LoadedPolicy& loaded);

// Puts back what cannot change while the server runs (listen, admin, data, workers, durability); their names.
std::vector<std::string> keep_what_needs_a_restart(const Policy& old, Policy& fresh);

// The program's own log, on stderr.
void log_event(LogLevel level, TimeNs at, std::string_view message, std::initializer_list<LogField> fields);

}  // namespace weir
