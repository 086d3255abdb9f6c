// The breaker layer: which run a request belongs to, and whether what its agent does is still ordinary. It runs before
// every limiter and charges nothing there; the gateway, MCP and replay all ask it the same questions in the same order:
//
//   Entry entry = guard.enter(arrival, rules, switches, now);   // finds the run, takes in results, judges
//   if (entry.bad_lineage) …400…
//   if (entry.trip) …refuse with it; guard.refused(entry, until, now); done…
//   …limits decide…   refused: guard.refused(entry, now + retry_after, now);   admitted: bool began =
//   guard.begin(entry, now); …for each call that the model announces (or the one that is executed here): … if
//   (guard.hangs_on_arguments(entry, name)) …hold the call's fragments until its arguments are complete… CallVerdict
//   verdict = guard.call(entry, call, destination, now);   // verdict.trip: cut it, or refuse to execute it …a call
//   that a limit then refuses after all: guard.uncall(entry, call, now)… …an executed call's result:
//   guard.result(entry, result, now)… guard.leave(entry, {.failed = …, .used = …}, now);          // exactly once after
//   begin() …entry.notes: what the audit should know…
//
// Signals only: nothing here knows limits, HTTP or providers. `rules` and `switches` must outlive the entry (one
// request sees one ruleset). Thread-safe, shared by all workers; an Entry belongs to one request. No clock, no I/O.
//
// Memory is bounded by Options; what is evicted first is what holds least: idle runs of a single call. A million open
// runs fit in 1 GiB. Every call is O(1) but sweep(), which does at most the work it is told.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "behavior/lineage.h"
#include "model/agent.h"
#include "model/behavior_rules.h"
#include "model/kill_switch.h"
#include "model/usage.h"
#include "weir/types.h"

namespace weir {

// A breaker that acts. Becomes a refusal of layer `breaker` (`limit` = guard), or a cut call, or a warning.
struct Trip {
  // "repeats" "tool_errors" "failed_prompts" "unlinked" "runs" "profile" "killed"
  std::string_view guard;
  std::string_view meter;  // what was counted: "calls" "prompts" "errors" "requests" "tool_calls" "llm_calls" "depth"
                           // "fanout" "tokens" "usd" (micro-dollars) "anomalies"; "" for kill switches
  std::int64_t allowed = 0, used = 0;
  DurationNs retry_after = 0;  // kNever: not while the switch is thrown or the run lives
  std::string evidence;  // one sentence for people: what happened, how often, where. No prompt text, no arguments.
};

struct Note {
  AuditEvent event = AuditEvent::kWarned;  // kWarned, kBroken (in shadow), kTrust, kAdmin (flagged, suspended)
  Trip trip;
};

struct RunUse {
  std::int64_t tokens = 0;
  std::int64_t usd_micros = 0;
};

// A request, before any limit has seen it. Views are valid during enter() only.
struct Arrival {
  // Verified.
  Hash128 owner;   // the key, or the address of a caller without one: what the caller asserts is nested under it
  Hash128 caller;  // who is counted
  std::string_view key, tenant;  // names; empty: none
  std::string_view caller_name;  // as shown in evidence
  bool caller_is_key = true;     // false: an end user of the key, for whom the key as a whole is not suspended
  // Asserted; empty: not.
  std::string_view agent, task, conversation;
  std::string_view run;      // X-Weir-Run
  std::string_view lineage;  // X-Weir-Lineage
  // What it is.
  enum class Kind : std::uint8_t {
    kModel,  // a call of a model that generates: `facts`
    kTool,   // a tool executed here (MCP or HTTP): call() follows
    kOther,  // neither; joins a run that it names, begins one unless `starts_run` is false
  };
  Kind kind = Kind::kOther;
  bool starts_run = true;             // false: handshakes and lists of MCP
  bool llm_route = false;             // of a dialect, also where nothing is generated: repeating it is ordinary
  const AgentFacts* facts = nullptr;  // kModel
  const ToolCall* call = nullptr;     // kTool: joins the run in which this key was announced the same call
  std::uint64_t fingerprint = 0;      // of method, path and body; 0: not watched by `unlinked`
  RunUse held;                        // what the request may use at most, as far as is known
  std::optional<RunUse> certain;      // … and at least; then it holds no more than its run has left. None: all of it
  bool ordinary = false;              // declared so (training): teaches, is never judged
};

// One request's place in its run.
struct Entry {
  // For attributes, headers, ledger.
  std::string run;   // the run's name: as asserted, or "run_" and 32 hex digits; empty: none
  std::string task;  // as asserted, or "t_" and 16 hex digits of AgentFacts::task; empty: none
  int depth = 0;
  Lineage token;             // to sign for the answer
  std::uint64_t parent = 0;  // node of the lineage token it showed; 0: none
  bool begins = false;  // no earlier request of this run is known, or it is one that its owner's runs beyond its cap
                        // share: costs 1 of meter `runs`
  bool bad_lineage = false;
  int trust_permille = 1000;  // of the caller; limits that say `contextual: true` are scaled by it
  std::optional<Trip> trip;
  // Calls that earlier results answer, but that were never seen announced nor executed here: to be counted now.
  std::vector<std::string> unseen;
  std::vector<Note> notes;  // grows; whoever writes the audit takes them

  // The guard's own.
  const BehaviorRules* rules = nullptr;
  const KillSwitches* switches = nullptr;
  struct Place;
  std::shared_ptr<Place> place;
};

struct CallVerdict {
  std::optional<Trip> trip;  // cut or refuse it; it was not counted
  std::optional<Trip> warn;  // it goes on; tell whoever can be told
  bool counted = true;       // false: executed at an upstream of this Weir, where it is counted
};

struct Leave {
  bool failed = false;    // the provider's, upstream's or tool's error
  bool finished = false;  // a model's answer that announces no calls: the prompt is answered
  bool unknown = false;   // the client left, nobody knows how it would have ended: neither failed nor finished
  RunUse used;
  std::string_view answer_id;  // of the answer, where the dialect has one: later requests may name it
};

class Guard {
 public:
  struct Options {
    std::size_t max_runs = 1'000'000;
    std::size_t max_runs_per_owner = 10'000;  // live; beyond it the owner's further runs are one
    std::size_t max_links = 4'000'000;        // call ids and answer ids that lead to a run
    std::size_t max_callers = 100'000;        // with behaviour of their own
    std::size_t max_profiles = 20'000;        // agents' tasks
    std::uint64_t seed = 1;
    std::string lineage_secret = "not secret";
  };
  explicit Guard(Options options);
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  Entry enter(const Arrival& arrival, const BehaviorRules& rules, const KillSwitches& switches, TimeNs now);
  // True if this request is the one that the run is counted by: of several that begin it at once, the first.
  bool begin(Entry& entry, TimeNs now);
  // Not admitted, by the trip or by a limit; `until`: when it may come back (0: no wait was told; not its fault).
  void refused(Entry& entry, TimeNs until, TimeNs now);
  void leave(Entry& entry, const Leave& leave, TimeNs now);

  // The next call of this tool may be stopped by call(): its name must not leave before that is known.
  bool hangs_on_arguments(const Entry& entry, std::string_view tool) const;
  CallVerdict call(Entry& entry, const ToolCall& call, Destination destination, TimeNs now);
  void uncall(Entry& entry, const ToolCall& call, TimeNs now);
  void result(Entry& entry, const ToolResult& result, TimeNs now);
  // The tool has side effects: its destinations matter.
  static bool is_sensitive(const BehaviorRules& rules, std::string_view tool);

  // This key was shown that these tools are executed at an upstream of this Weir.
  void serves(Hash128 owner, const std::vector<std::string>& tools);
  bool is_served(Hash128 owner, std::string_view tool) const;

  std::string sign(const Entry& entry, std::string_view scope) const;
  // Tenant, or the key's own name without one: who may use a lineage token.
  static std::string lineage_scope(std::string_view tenant, std::string_view key);

  // A whole run's budget is held by limits (X-Weir-Run-Budget), under the name `tag`: bounds what the run may use from
  // now on. False, and nothing changes: the run has used more already, has a budget under another name, or is the one
  // that its owner's runs beyond its cap share.
  bool set_budget(Entry& entry, std::optional<std::int64_t> tokens, std::optional<std::int64_t> usd_micros,
                  Hash128 tag = {});

  // A stream grows beyond what was held for it: so much more is held until leave(). False, and nothing is added: that
  // would exceed what the run may use.
  bool extend(Entry& entry, RunUse more, TimeNs now);

  // Runs with a budget that have ended since the last call, and what they used of it.
  struct EndedBudget {
    Hash128 tag;
    RunUse used;
  };
  std::vector<EndedBudget> take_ended_budgets();

  // Ends idle runs: ordinary ones teach their profile. At most `most` runs a call; false: more are waiting.
  bool sweep(const BehaviorRules& rules, TimeNs now, std::size_t most);
  // Ends every run (the end of a trace).
  void end_all(const BehaviorRules& rules, TimeNs now);

  // Accounts that an escalation wants flagged or suspended since the last call.
  struct Escalation {
    std::string key;
    TrustAction action = TrustAction::kFlag;  // an end user's is never more
    std::string evidence;
  };
  std::vector<Escalation> take_escalations();
  int trust_permille(Hash128 caller, const TrustRules& rules, TimeNs now) const;

  // What a process before knew of a run that may go on (from the ledger): counted, not judged.
  void restore(Hash128 owner, std::string_view run, const RunUse& used, std::int64_t llm_calls, std::int64_t tool_calls,
               TimeNs last);

  // This owner's run of that name has requests in flight, or could go on. Takes one lock for one look.
  bool is_live(Hash128 owner, std::string_view run, const BehaviorRules& rules, TimeNs now) const;

  struct Stats {
    std::size_t runs = 0, links = 0, callers = 0, profiles = 0, bytes = 0;
  };
  Stats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
