// What the gateway has learned of models, answers and providers: kept in memory, bounded, and never needed to be right;
// without it every reservation is merely larger. Shared by all workers; each part is thread-safe.
#pragma once

#include "gateway/mcp_sessions.h"
#include "gateway/provider_health.h"
#include "policy/ladder.h"
#include "tokens/calibration.h"
#include "tokens/context_sizes.h"
#include "tokens/output_history.h"

namespace weir {

struct Learned {
  Calibration calibration;                          // tokens per byte, by tenant and model
  OutputHistory outputs{OutputHistory::Options{}};  // lengths of answers, by tenant and model
  ContextSizes contexts;                            // tokens behind ids
  Ladders ladders;                                  // rungs in force
  ProviderHealth providers;
  McpSessions sessions;  // whose they are
};

}  // namespace weir
