// Inside of the guard: its stripes, and one request's place. Only guard*.cc include it.
//
// Locks: a run and everything it owns by the lock of its stripe, which the id tells (its lowest bits) and which is that
// of the owner who began it; links by stripes of their own, under which no other lock is taken. What concerns a
// caller across runs (profiles, rates, trust, caller_breakers) locks itself and is asked outside of stripes.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/lru_map.h"
#include "base/mutex.h"
#include "behavior/caller_breakers.h"
#include "behavior/guard.h"
#include "behavior/links.h"
#include "behavior/profiles.h"
#include "behavior/rates.h"
#include "behavior/runs.h"
#include "behavior/trust.h"

namespace weir {

struct Entry::Place {
  Arrival::Kind kind = Arrival::Kind::kOther;
  bool ordinary = false, named = false, joined = false, caller_is_key = true;
  Hash128 owner, caller;
  std::string key, caller_name;
  RunRef run;
  Hash128 run_id;
  ProfileKey profile;
  std::uint64_t turn = 0;
  std::uint64_t executing = 0;  // signature of the call executed here
  std::uint64_t taken = 0;      // link to its announcement, taken for it
  RunRef taken_run;
  std::uint64_t asked = 0;              // what its prompt was; 0: it cannot be told
  std::vector<std::uint64_t> reported;  // links to be made for results once it is admitted
  bool reported_turn = false;
  Hash128 budget;  // set with it
  // What enter() counted, to be undone if the request is refused.
  RunUse held;
  bool counted_call = false;
  std::uint64_t parent = 0;        // node whose child it is
  std::uint64_t prompt = 0;        // in the run's log, or
  std::uint64_t conversation = 0;  // in this conversation's
  std::vector<std::uint64_t> unseen;
  bool errors_probe = false;
  // Caller-level breakers that wait for its end.
  std::uint64_t fingerprint = 0;
  bool unlinked = false, unlinked_probe = false;
  bool prompts = false, prompts_probe = false;
  std::size_t calls = 0;  // announced or executed
  std::int64_t repetitions = 0;
};

struct Guard::Impl {
  static constexpr std::size_t kMaxStripes = 64, kLinkStripes = 64;
  static constexpr std::size_t kMaxServedTools = 1024;    // remembered of an owner
  static constexpr std::size_t kMaxConversations = 1024;  // whose prompts are watched, of a stripe
  static constexpr std::size_t kMaxEscalations = 1000;    // not yet taken
  static constexpr std::size_t kMaxRunName = 256;         // longer ones are shown and kept cut
  static constexpr std::uint32_t kMaxShownDepth = 1'000'000;

  enum class LinkKind : std::uint8_t { kCallId, kAnswer, kTurn, kCall };

  struct Stripe {
    Stripe(std::uint16_t number, std::size_t cap, std::size_t owners, Runs::OnEvict on_evict)
        : runs(number, cap, std::move(on_evict)), conversations(kMaxConversations), served(owners) {}
    mutable Mutex mutex;
    Runs runs WEIR_GUARDED_BY(mutex);
    LruMap<std::uint64_t, PromptLog> conversations WEIR_GUARDED_BY(mutex);
    LruMap<Hash128, std::vector<std::uint64_t>, Hash128Hash> served WEIR_GUARDED_BY(mutex);  // sorted hashes of tools
  };
  struct LinkStripe {
    explicit LinkStripe(std::size_t most) : links(most) {}
    mutable Mutex mutex;
    Links links WEIR_GUARDED_BY(mutex);
  };

  // Where a request belongs.
  struct Target {
    Hash128 id;
    RunRef ref;              // by a link; else by id
    bool named = false;      // by lineage or name
    bool joined = false;     // by a link, or to a run that was there
    bool continues = false;  // returns results or names an answer of the run
    bool fresh = false;      // by nothing: its id is new
    std::uint32_t depth = 0;
    std::string_view name;  // as asserted
  };

  explicit Impl(Options given);

  // Finding (guard_join.cc).
  std::size_t stripe_of(const Hash128& owner) const;
  std::size_t stripe_of_id(const Hash128& id) const { return id.high & (stripes.size() - 1); }
  Hash128 named_id(const Hash128& owner, std::string_view name) const;
  Hash128 new_id(std::size_t stripe);
  std::uint64_t link_key(const Hash128& owner, LinkKind kind, std::string_view text) const;
  std::uint64_t link_key(const Hash128& owner, LinkKind kind, std::uint64_t hash) const;
  std::uint64_t call_key(const Hash128& owner, const Hash128& caller, std::uint64_t signature) const;
  std::uint64_t turn_key(const Hash128& owner, const Hash128& caller, std::uint64_t turn) const;
  LinkStripe& links_of(std::uint64_t key) const { return *links[key >> 58]; }
  void put_link(std::uint64_t key, const Entry::Place& place, const RunRef& run, int depth);
  void push_link(std::uint64_t key, const Entry::Place& place, const RunRef& run, int depth, bool once);
  void link_announced(const Entry& entry, const ToolCall& call);
  std::optional<Link> find_link(std::uint64_t key) const;
  std::vector<Link> find_links(std::uint64_t key) const;
  bool is_alive(const RunRef& ref) const;
  std::optional<Link> take_announced(Entry::Place& place);
  void take_own_announcement(Entry::Place& place);
  std::optional<Link> find_by_turn(const Arrival& arrival) const;
  std::optional<Link> find_by_ids(const Arrival& arrival) const;
  std::optional<Link> find_by_links(const Arrival& arrival) const;
  Target find_target(const Arrival& arrival, Entry::Place& place, const std::optional<Lineage>& lineage);
  Run* open_run(Stripe& stripe, Target& target, const Arrival& arrival, const BehaviorRules& rules, TimeNs now)
      WEIR_REQUIRES(stripe.mutex);

  // Entering (guard_enter.cc); under the stripe's lock.
  struct Results {
    std::size_t taken = 0, errors = 0;
    TimeNs called_at = 0;  // the last of their calls
  };
  struct Visit {
    Entry& entry;
    Entry::Place& place;
    Stripe& stripe;
    Run& run;
    const Arrival& arrival;
    const Target& target;
    TimeNs now;
    RunUse held{};  // what the run holds for it
    Results results{};
  };
  bool stopped_by_switch(Entry& entry, const Arrival& arrival) const;
  void enter_run(Visit& visit, const std::optional<Lineage>& lineage) WEIR_REQUIRES(visit.stripe.mutex);
  void take_results(Visit& visit) WEIR_REQUIRES(visit.stripe.mutex);
  void take_one_result(Visit& visit, std::size_t index) WEIR_REQUIRES(visit.stripe.mutex);
  bool was_announced(const Visit& visit, const ToolResult& result) const WEIR_REQUIRES(visit.stripe.mutex);
  void remember_reported(const Visit& visit, const ToolResult& result);
  void judge_run(Visit& visit, const std::optional<Lineage>& lineage) WEIR_REQUIRES(visit.stripe.mutex);
  static RunUse most_of(const Run& run, const RunRules& rules);
  bool judge_bounds(Visit& visit) WEIR_REQUIRES(visit.stripe.mutex);
  bool judge_children(Visit& visit, const std::optional<Lineage>& lineage) WEIR_REQUIRES(visit.stripe.mutex);
  void judge_prompt(Visit& visit) WEIR_REQUIRES(visit.stripe.mutex);
  void enter_caller(Entry& entry, const Arrival& arrival, TimeNs now);

  // Calls (guard_calls.cc).
  struct Calling {
    Entry& entry;
    Entry::Place& place;
    Run& run;
    const ToolCall& call;
    bool exempt = false;
    TimeNs now;
  };
  std::optional<Trip> judge_call_bounds(Calling& calling);
  std::optional<Trip> judge_call_loop(Calling& calling, std::optional<Trip>& warn);
  std::optional<Trip> judge_call_errors(Calling& calling);
  void count_call(Calling& calling, bool served);
  std::optional<Trip> judge_profile(Entry& entry, const ToolCall& call, Destination destination, TimeNs now);

  // Ends (guard_end.cc).
  void end_run(Run& run, TimeNs now);
  void drop_trust(Entry& entry, std::string_view cause, TimeNs now);
  void note_rates(Entry& entry, const RateEvent& event, TimeNs now);
  void leave_callers(Entry& entry, const Leave& leave, TimeNs now);
  void link_reported(const Entry& entry);
  void undo_prompt(Stripe& stripe, Run& run, const Entry::Place& place) WEIR_REQUIRES(stripe.mutex);
  void undo_counts(Stripe& stripe, Run& run, const Entry::Place& place, TimeNs now) WEIR_REQUIRES(stripe.mutex);

  Options options;
  std::vector<std::unique_ptr<Stripe>> stripes;
  std::vector<std::unique_ptr<LinkStripe>> links;
  LineageSigner signer;
  std::atomic<std::uint64_t> next_id{1};
  std::atomic<std::size_t> open_runs{0};
  Mutex sweep_mutex;
  std::size_t sweep_at WEIR_GUARDED_BY(sweep_mutex) = 0;
  Mutex escalations_mutex;
  std::vector<Escalation> escalations WEIR_GUARDED_BY(escalations_mutex);
  std::vector<EndedBudget> ended_budgets WEIR_GUARDED_BY(escalations_mutex);  // as many as there are budgets
  Profiles profiles;
  Rates rates;
  mutable Trust trust;
  FailedPrompts failed_prompts;
  Unlinked unlinked;
};

// What makes two requests the same prompt; 0: it cannot be told.
std::uint64_t prompt_of(const AgentFacts* facts);
std::uint32_t tool_hash(std::string_view name);  // 0: none
// Tools of a policy's list, by name or glob.
bool names_tool(const std::vector<std::string>& list, std::string_view tool);
// A breaker acts, unless it is in shadow: then it is noted. True: it acts.
bool raise(Entry& entry, std::optional<Trip>& out, Trip trip, bool shadow);

}  // namespace weir
