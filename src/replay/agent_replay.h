// What a policy would have done to recorded agents: their events go through the real guard and the real limiter in
// virtual time.
//
//   AgentReplay replay(policy, [](const JudgedEvent& judged) { …one line… });
//   replay.begin_file(false);
//   while (…trace->next(event)…) if (auto added = replay.add(event); !added) return fail(added.error().message);
//   replay.finish();                          // the last trace ends
//   replay.summary().traces;
//
// Every tool call is judged, also those that follow a break: the trace is what happened, not what would have. A model
// call is told of only when it is refused. Tokens and dollars of a call are those it used, asked and settled at once:
// an agent trace knows no caps and no service times, and ladders change nothing.
//
// Ordinary traces teach profiles; nothing in them is judged, charged, told or counted in the sums.
//
// Time: the first trace begins at kReplayOrigin, every other an hour after the one before ended. An event without a
// time comes one second after the one before. When a trace ends its runs end.
//
// Belongs to one thread; no clock, no I/O. Memory is bounded by Guard::Options and by the limiter's tables.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "policy/policy.h"
#include "replay/agent_trace.h"
#include "replay/recorded_keys.h"

namespace weir {

enum class AgentDecision : std::uint8_t { kAllow, kWarn, kBreak, kRefuse, kAnomaly };
const char* to_string(AgentDecision decision);  // "allow", "warn", "break", "refuse", "anomaly"

// Views are valid during the call that gives it.
struct JudgedEvent {
  std::string_view trace;
  std::int64_t step = 0;
  std::string_view tool;  // empty: another event than a tool call
  AgentDecision decision = AgentDecision::kAllow;
  std::string_view guard;  // the breaker, or the limit; empty: none
  std::string_view why;
};

struct AgentSummary {
  std::int64_t traces = 0, events = 0;
  std::int64_t allowed = 0, warned = 0, broken = 0, refused = 0, anomalies = 0;  // lines
};

class AgentReplay {
 public:
  // `keys`, if not null, outlives it: what is known of those that the traces name.
  AgentReplay(std::shared_ptr<const Policy> policy, std::function<void(const JudgedEvent&)> told,
              RecordedKeys* keys = nullptr);
  ~AgentReplay();
  AgentReplay(const AgentReplay&) = delete;
  AgentReplay& operator=(const AgentReplay&) = delete;

  // The events that follow are this file's. `ordinary`: declared so.
  void begin_file(bool ordinary);
  // An error is an event that cannot be replayed, without its place: the policy has more limits for it than one request
  // may have, or the traces together are longer than kMaxReplayTime.
  Result<void> add(const AgentEvent& event);
  void finish();

  const AgentSummary& summary() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace weir
