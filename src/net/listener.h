// Listening sockets.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "policy/policy.h"

namespace weir {

// A non-blocking TCP socket with SO_REUSEPORT, so that every worker has its own. `bound_port` is set (useful with port
// 0). `first`: fail if anybody else, even another weir, listens there already.
Result<int> open_listener(const Endpoint& at, std::uint16_t& bound_port, bool first);

}  // namespace weir
