// What the tests of agent traces share: everything a reader gives, everything a replay says.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "replay/agent_replay.h"
#include "replay/agent_report.h"
#include "replay/test_replay.h"

namespace weir {

struct Read {
  std::vector<AgentEvent> events;  // views no longer valid
  std::vector<AgentNames> names;   // of each event
  std::vector<AgentFacts> facts;
  std::string error;
};

inline Read read_agents(std::string_view text) {
  Read out;
  auto trace = open_agent_trace(text, "a.jsonl");
  if (!trace) {
    out.error = trace.error().message;
    return out;
  }
  AgentEvent event;
  while (true) {
    const auto more = (*trace)->next(event);
    if (!more) out.error = more.error().message;
    if (!more || !*more) return out;
    out.events.push_back(event);
    out.names.push_back(*event.names);
    out.facts.push_back(event.facts == nullptr ? AgentFacts() : *event.facts);
  }
}

struct Judged {
  std::string trace;
  std::int64_t step = 0;
  std::string tool, guard, why;
  AgentDecision decision = AgentDecision::kAllow;
};

struct AgentsTold {
  std::vector<Judged> lines;
  std::string text;  // as --decisions writes them
  AgentSummary summary;
  std::string words() const {  // "allow allow break"
    std::string out;
    for (const Judged& line : lines) out.append(out.empty() ? "" : " ").append(to_string(line.decision));
    return out;
  }
};

inline void feed(AgentReplay& replay, std::string_view text, bool ordinary) {
  auto trace = open_agent_trace(text, "a.jsonl");
  ASSERT_TRUE(trace) << trace.error().message;
  replay.begin_file(ordinary);
  AgentEvent event;
  while (true) {
    const auto more = (*trace)->next(event);
    ASSERT_TRUE(more) << more.error().message;
    if (!*more) return;
    const auto added = replay.add(event);
    ASSERT_TRUE(added) << added.error().message;
  }
}

inline AgentsTold replay_agents(const std::shared_ptr<const Policy>& policy, std::string_view text,
                                std::string_view ordinary = {}) {
  AgentsTold told;
  AgentReplay replay(policy, [&](const JudgedEvent& judged) {
    append_judged(told.text, judged);
    told.lines.push_back({std::string(judged.trace), judged.step, std::string(judged.tool), std::string(judged.guard),
                          std::string(judged.why), judged.decision});
  });
  if (!ordinary.empty()) feed(replay, ordinary, true);
  feed(replay, text, false);
  replay.finish();
  told.summary = replay.summary();
  return told;
}

}  // namespace weir
