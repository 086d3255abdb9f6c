// What a replay of agents says: lines of decisions, and sums for programs.
//
//   append_judged(out, judged);                          // {"trace":"run-7","step":4,"tool":"send_email",…}
//   std::string line = summary_json(replay.summary());
//
// Pure functions.
#pragma once

#include <string>

#include "replay/agent_replay.h"

namespace weir {

void append_judged(std::string& out, const JudgedEvent& judged);  // with the line's end
// `note`: what was assumed; empty: nothing.
std::string summary_json(const AgentSummary& summary, std::string_view note = {});

}  // namespace weir
