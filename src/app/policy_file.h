// Policies from files, and how the program talks about them.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/server_tls.h"
#include "policy/policy.h"
#include "telemetry/log.h"

namespace weir {

// Nothing for an empty path.
Result<std::string> read_policy_text(const std::string& path);

// The policy of a file, or the built-in one for an empty path. An unreadable file is an Error; an invalid one a result
// without policy.
Result<LoadedPolicy> load_policy_file(const std::string& path);

// As above, for commands that need a policy and check nothing: an invalid one is an Error with its first fault.
Result<std::shared_ptr<const Policy>> load_usable_policy(const std::string& path);

// One line per diagnostic on stderr.
void print_diagnostics(const LoadedPolicy& loaded);

// The certificates of the listeners; null where they speak plain HTTP.
struct ListenerTls {
  std::shared_ptr<const ServerTls> data, admin;
};
// Reads the files that `policy` names. What is wrong with them goes to stderr as print_diagnostics() does it; nothing
// is returned if that is an error.
std::optional<ListenerTls> load_listener_tls(const Policy& policy, const std::string& file, TimeNs now);

// Puts back what cannot change while the server runs (listen, TLS or not, admin, data, workers, durability); their
// names.
std::vector<std::string> keep_what_needs_a_restart(const Policy& old, Policy& fresh);

// The program's own log, on stderr.
void log_event(LogLevel level, TimeNs at, std::string_view message, std::initializer_list<LogField> fields);

}  // namespace weir
