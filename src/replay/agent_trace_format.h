// What the readers of agent traces share. Internal to src/replay.
//
//   NamesReader names;
//   if (auto taken = names.take(lines.place(), name, value); !taken) …error…; else if (*taken) …it was a name…
//
// Belongs to one thread.
#pragma once

#include <simdjson.h>

#include <unordered_set>

#include "base/hash.h"
#include "replay/agent_trace.h"
#include "replay/trace_format.h"

namespace weir {

// Takes a member that names who runs, unless an earlier one did. True: it is such a member.
Result<bool> take_name(const Place& place, std::string_view name, simdjson::ondemand::value value, AgentNames& names);
bool complete(const AgentNames& names);

// Which traces a file has had.
class TracesSeen {
 public:
  Result<void> add(const Place& place, std::string_view trace);

 private:
  std::unordered_set<std::uint64_t> seen_;
};

std::unique_ptr<AgentTrace> open_agent_events(std::string_view text, std::string file);
std::unique_ptr<AgentTrace> open_transcripts(std::string_view text, std::string file);

}  // namespace weir
