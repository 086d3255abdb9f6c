// Simulated clients of Weir. Kinds: human (a question now and then), conversational (turns that grow, with the
// history), batch (many at once, embeddings too), fan_out (an agent that spawns sub-agents by lineage), loop (a runaway
// agent: same tool call, same arguments), tool_spammer, tenant (a thousand keys of one tenant), disconnector (leaves at
// any moment), slow_reader, retrier (comes back at once, whatever it was told), prober (alone on its key: comes back
// one millisecond before, and then at the wait it was told), deciders (decision API: admit, settle, cancel, repeats),
// budgeter (X-Weir-Run-Budget), garbage (bad requests that must cost nothing), operator (kill switches, revoked keys,
// amounts of limits over the file).
//
// Settings: kind, count, key (or keys: prefix of many), every: [3s, 60s] between asks, dialect(s), model(s), stream
// (permille), prompt: [50, 4000] tokens, max_tokens: [..], and those of the kind. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "context.h"
#include "world.h"

namespace weir::sim {

class Client {
 public:
  virtual ~Client() = default;
  virtual void start() = 0;
  // No new asks from now on; what is under way goes on to its end.
  virtual void stop() = 0;
  virtual std::size_t open_asks() const = 0;
};

// One or many (count), as the settings say. Fails for unknown kinds and keys.
Result<std::vector<std::unique_ptr<Client>>> make_clients(const Settings& settings, Context& context);

}  // namespace weir::sim
