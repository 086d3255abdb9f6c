// Signals as calls on the main thread.
#pragma once

#include <functional>

namespace weir {

// Blocks SIGTERM, SIGINT and SIGHUP in this thread and all it starts; call before any thread exists. Ignores SIGPIPE.
void block_signals();

// Waits for signals: `reload` on SIGHUP; returns on SIGTERM or SIGINT, after which another one
// ends the process.
void wait_for_termination(const std::function<void()>& reload);

}  // namespace weir
