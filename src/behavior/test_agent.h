// Test support: a guard with virtual time, and arrivals in a line each.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "behavior/guard.h"

namespace weir {

inline ToolCall test_call(std::string_view name, std::string_view arguments, std::string_view id = "") {
  return {std::string(id), std::string(name), std::string(arguments), hash64(arguments, hash64(name))};
}

inline ToolResult test_result(std::string_view id, std::string_view content, bool error = false,
                              std::string_view name = "") {
  return {std::string(id), std::string(name), error, hash64(content)};
}

class TestAgent {
 public:
  explicit TestAgent(Guard::Options options = {}) : guard(options) {}

  // A request of a model.
  Arrival model(std::string_view run = "", const AgentFacts* facts = nullptr) const {
    Arrival arrival;
    arrival.owner = owner;
    arrival.caller = owner;
    arrival.key = "key-a";
    arrival.tenant = "acme";
    arrival.caller_name = "key-a";
    arrival.run = run;
    arrival.kind = Arrival::Kind::kModel;
    arrival.facts = facts;
    return arrival;
  }
  Arrival tool(const ToolCall& call, std::string_view run = "") const {
    Arrival arrival = model(run);
    arrival.kind = Arrival::Kind::kTool;
    arrival.call = &call;
    return arrival;
  }

  Entry enter(const Arrival& arrival) { return guard.enter(arrival, rules, switches, now); }
  // Admitted, or refused where it trips.
  Entry admit(const Arrival& arrival) {
    Entry entry = enter(arrival);
    if (entry.trip) {
      const DurationNs wait = entry.trip->retry_after;
      guard.refused(entry, wait == kNever ? kNever : now + wait, now);
    } else {
      began = guard.begin(entry, now);
    }
    return entry;
  }
  void leave(Entry& entry, Leave leave = {}) { guard.leave(entry, leave, now); }
  // A whole request; its trip.
  std::optional<Trip> pass(const Arrival& arrival, Leave done = {}) {
    Entry entry = admit(arrival);
    if (!entry.trip) leave(entry, done);
    return entry.trip;
  }
  CallVerdict call(Entry& entry, const ToolCall& call) { return guard.call(entry, call, Destination::kNone, now); }
  // A request of `run` whose answer announces this call, and the call's result in the next one.
  CallVerdict step(std::string_view run, const ToolCall& made) {
    Entry entry = admit(model(run));
    if (entry.trip) return {.trip = entry.trip};
    CallVerdict verdict = call(entry, made);
    leave(entry);
    return verdict;
  }
  std::optional<Trip> answer(std::string_view run, const ToolResult& result) {
    AgentFacts facts;
    facts.results.push_back(result);
    return pass(model(run, &facts));
  }

  Guard guard;
  BehaviorRules rules;
  KillSwitches switches;
  Hash128 owner{11, 22};
  TimeNs now = 1'000'000 * kSecond;
  bool began = false;
};

}  // namespace weir
