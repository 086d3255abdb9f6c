// A request arrives: its results are taken in, its run is judged.
#include <algorithm>

#include "base/hash.h"
#include "base/strings.h"
#include "behavior/evidence.h"
#include "behavior/guard_impl.h"

namespace weir {

namespace {

constexpr std::int64_t kMaxSamePrompts = PromptLog::kMaxPrompts * 3 / 4;

std::string task_name(const Arrival& arrival) {
  if (!arrival.task.empty()) return std::string(arrival.task);
  if (arrival.facts == nullptr || arrival.facts->task == 0) return {};
  return "t_" + hex_of(arrival.facts->task);
}

TimeNs since(TimeNs now, DurationNs within) {
  return within > 0 ? now - within : 0;
}

const ToolCall* call_of(const AgentFacts& facts, std::size_t index) {
  const ToolResult& result = facts.results[index];
  if (!result.call_id.empty()) {
    for (const ToolCall& call : facts.calls) {
      if (call.id == result.call_id) return &call;
    }
    return nullptr;
  }
  return facts.calls.size() == facts.results.size() ? &facts.calls[index] : nullptr;
}

// Without an id: by its place in the conversation.
std::uint64_t place_of(const AgentFacts& facts, std::size_t index, const ToolCall* call) {
  std::uint64_t place = hash_pair(facts.turn, index + 1);
  place = hash_pair(place, facts.results[index].content);
  return hash_pair(place, call != nullptr ? call->signature : 0);
}

}  // namespace

// The words, all that came before, and the results that came with it. Ids alone do not tell rounds apart: some
// providers number the calls of each turn from zero. Nor do results without ids: equal ones may be of different rounds.
std::uint64_t prompt_of(const AgentFacts* facts) {
  if (facts == nullptr || facts->prompt == 0) return 0;
  std::uint64_t hash = hash_pair(facts->prompt, facts->turn);
  for (const ToolResult& result : facts->results) {
    if (result.call_id.empty()) return 0;
    hash = hash_pair(hash64(result.call_id, hash), result.content);
  }
  for (const ToolCall& call : facts->calls) hash = hash_pair(hash, call.signature);
  return hash;
}

std::uint32_t tool_hash(std::string_view name) {
  return name.empty() ? 0 : static_cast<std::uint32_t>(hash64(name) >> 32) | 1;
}

bool names_tool(const std::vector<std::string>& list, std::string_view tool) {
  return std::any_of(list.begin(), list.end(), [&](const std::string& glob) { return glob_match(glob, tool); });
}

bool raise(Entry& entry, std::optional<Trip>& out, Trip trip, bool shadow) {
  if (shadow) {
    entry.notes.push_back({AuditEvent::kBroken, std::move(trip)});
    return false;
  }
  out = std::move(trip);
  return true;
}

bool Guard::Impl::stopped_by_switch(Entry& entry, const Arrival& arrival) const {
  if (entry.switches->empty()) return false;
  const KillSwitches& switches = *entry.switches;
  const KillSwitch* off = arrival.key.empty() ? nullptr : switches.find(KillSwitch::Kind::kKey, arrival.key);
  if (off == nullptr && !arrival.agent.empty()) off = switches.find(KillSwitch::Kind::kAgent, arrival.agent);
  if (off == nullptr && !arrival.run.empty()) off = switches.find(KillSwitch::Kind::kRun, arrival.run);
  if (off == nullptr && !entry.run.empty()) off = switches.find(KillSwitch::Kind::kRun, entry.run);
  if (off == nullptr && arrival.kind == Arrival::Kind::kTool && arrival.call != nullptr) {
    off = switches.find(KillSwitch::Kind::kTool, arrival.call->name);
  }
  if (off == nullptr) return false;
  entry.trip = Trip{.guard = "killed", .retry_after = kNever, .evidence = evidence::killed(*off)};
  return true;
}

// Its link leads to a run that is over: the call was announced, and counted there.
bool Guard::Impl::was_announced(const Visit& visit, const ToolResult& result) const {
  if (result.call_id.empty()) return false;
  const std::uint64_t turn = visit.arrival.facts->turn;
  const std::uint64_t key = link_key(visit.place.owner, LinkKind::kCallId, result.call_id);
  auto link = turn != 0 ? find_link(hash_pair(key, turn)) : std::nullopt;
  if (!link) link = find_link(key);
  if (!link || &visit.stripe != stripes[link->run.stripe].get()) return false;
  return visit.stripe.runs.at(link->run) == nullptr;
}

// The same results again, as a retry sends them, are of this run: they were counted. Linked once the request is
// admitted, so that nobody makes links for nothing.
void Guard::Impl::remember_reported(const Visit& visit, const ToolResult& result) {
  if (result.call_id.empty()) {
    visit.place.reported_turn = true;
    return;
  }
  const std::uint64_t turn = visit.arrival.facts->turn;
  const std::uint64_t key = link_key(visit.place.owner, LinkKind::kCallId, result.call_id);
  visit.place.reported.push_back(turn != 0 ? hash_pair(key, turn) : key);
}

void Guard::Impl::take_one_result(Visit& visit, std::size_t index) {
  const AgentFacts& facts = *visit.arrival.facts;
  const ToolResult& result = facts.results[index];
  const ToolCall* announced = call_of(facts, index);
  Activity& activity = visit.run.act();
  const std::string_view name = !result.name.empty()
                                    ? std::string_view(result.name)
                                    : (announced != nullptr ? std::string_view(announced->name) : std::string_view());
  const std::uint32_t tool = tool_hash(name);
  std::uint64_t id = result.call_id.empty() ? 0 : hash64(result.call_id);
  CallSeen* call = activity.find_call(id);
  if (id == 0) {
    // One that waits for its result has it now; if none waits, it came before.
    id = place_of(facts, index, announced);
    call = activity.find_pending(tool);
    if (call != nullptr) {
      call->id = id;
    } else {
      call = activity.find_call(id);
    }
  }
  if (call == nullptr) {
    call = activity.find_executed(tool);
    if (call != nullptr) call->id = id;
  }
  const bool known = call != nullptr;
  const bool counted = known || was_announced(visit, result);
  if (!known) {
    const bool exempt = names_tool(visit.entry.rules->breaker.exempt, name);
    activity.add_call({.signature = announced != nullptr ? announced->signature : 0,
                       .id = id,
                       .at = visit.now,
                       .tool = tool,
                       .flags = exempt ? std::uint8_t{CallSeen::kExempt} : std::uint8_t{0}});
    call = activity.find_call(id);
    remember_reported(visit, result);
  }
  // Announced as if executed at an upstream of this Weir, which never saw it.
  const bool evaded = call->has(CallSeen::kServed) && !call->has(CallSeen::kAnswered);
  if (!counted || evaded || call->has(CallSeen::kUnpaid)) {
    visit.entry.unseen.emplace_back(name.empty() ? "unknown_tool" : name);
    visit.place.unseen.push_back(id);
    ++visit.run.tool_calls;
    call->flags &= static_cast<std::uint8_t>(~(CallSeen::kUnpaid | CallSeen::kServed));
  }
  if (call->has(CallSeen::kAnswered)) return;
  ++visit.results.taken;
  if (result.error) ++visit.results.errors;
  visit.results.called_at = std::max(visit.results.called_at, call->at);
  activity.take_result(*call, result.content);
}

void Guard::Impl::take_results(Visit& visit) {
  if (visit.arrival.facts == nullptr) return;
  const std::size_t count = std::min(visit.arrival.facts->results.size(), kMaxCallsInTurn);
  for (std::size_t i = 0; i < count; ++i) take_one_result(visit, i);
  const Results& results = visit.results;
  if (results.taken == 0) return;
  visit.run.act().take_errors(results.errors == results.taken, results.called_at, visit.entry.rules->breaker,
                              visit.now);
}

// Tokens and dollars that it may use. 0: no bound.
RunUse Guard::Impl::most_of(const Run& run, const RunRules& rules) {
  if (run.has(Run::kOverflow)) return {};
  RunUse most{rules.max_tokens, rules.max_usd_micros};
  if (run.activity == nullptr) return most;
  const RunBudget& own = run.activity->budget;
  const auto lower = [](std::int64_t bound, std::int64_t budget) {
    return budget <= 0 ? bound : bound <= 0 ? budget : std::min(bound, budget);
  };
  return {lower(most.tokens, own.tokens), lower(most.usd_micros, own.usd_micros)};
}

// What the run may do at all. True: it may not.
bool Guard::Impl::judge_bounds(Visit& visit) {
  const RunRules& rules = visit.entry.rules->runs;
  const Run& run = visit.run;
  const auto over = [&](std::string_view meter, std::string_view did, std::int64_t used, std::int64_t more,
                        std::int64_t allowed) {
    if (allowed <= 0 || used + more <= allowed) return false;
    Trip trip{"runs", meter, allowed, used, kNever, evidence::bound(visit.entry.run, did, used, allowed)};
    return raise(visit.entry, visit.entry.trip, std::move(trip), rules.shadow);
  };
  if (rules.max_depth > 0 && over("depth", "was asked for at depth", visit.entry.depth, 0, rules.max_depth)) {
    return true;
  }
  if (run.has(Run::kOverflow)) {
    visit.held = visit.arrival.held;
    return false;  // it stands for many
  }
  const bool calls = visit.arrival.kind == Arrival::Kind::kModel;
  if (calls && over("llm_calls", "has called models this often:", run.llm_calls, 1, rules.max_llm_calls)) return true;
  const std::int64_t more_calls = run.has(Run::kOverCalls) ? 1 : 0;
  if (over("tool_calls", "has called tools this often:", run.tool_calls, more_calls, rules.max_tool_calls)) return true;
  const auto [tokens, usd] = most_of(run, rules);
  const std::int64_t tokens_taken = run.used.tokens + run.held.tokens;
  const std::int64_t usd_taken = run.used.usd_micros + run.held.usd_micros;
  const RunUse least = visit.arrival.certain.value_or(visit.arrival.held);
  visit.held = visit.arrival.held;
  // A cap beyond what the run has left holds what is left.
  if (tokens > 0) visit.held.tokens = std::min(visit.held.tokens, std::max(tokens - tokens_taken, least.tokens));
  if (usd > 0) {
    visit.held.usd_micros = std::min(visit.held.usd_micros, std::max(usd - usd_taken, least.usd_micros));
  }
  return over("tokens", "has used or holds tokens:", tokens_taken, visit.held.tokens, tokens) ||
         over("usd", "has used or holds micro-dollars:", usd_taken, visit.held.usd_micros, usd);
}

bool Guard::Impl::judge_children(Visit& visit, const std::optional<Lineage>& lineage) {
  if (!lineage || visit.target.continues || visit.arrival.kind == Arrival::Kind::kTool) return false;
  const RunRules& rules = visit.entry.rules->runs;
  std::int64_t& children = visit.run.act().children(lineage->node);
  if (rules.max_fanout > 0 && children >= rules.max_fanout) {
    Trip trip{"runs",
              "fanout",
              rules.max_fanout,
              children,
              kNever,
              evidence::bound(visit.entry.run, "spawned children of one request without progress:", children,
                              rules.max_fanout)};
    if (raise(visit.entry, visit.entry.trip, std::move(trip), rules.shadow)) return true;
  }
  ++children;
  visit.place.parent = lineage->node;
  return false;
}

void Guard::Impl::judge_prompt(Visit& visit) {
  const std::uint64_t prompt = visit.place.asked;
  if (prompt == 0) return;
  Run& run = visit.run;
  const BreakerRules& rules = visit.entry.rules->breaker;
  const bool own = (visit.place.named || visit.place.joined) && !run.has(Run::kOverflow);
  if (own && run.activity == nullptr && run.llm_calls == 0) {
    run.first_prompt = prompt;
    visit.place.prompt = prompt;
    return;
  }
  if (!own && visit.arrival.conversation.empty()) return;
  const std::uint64_t conversation = own ? 0 : hash64(visit.arrival.conversation, visit.arrival.owner.low);
  PromptLog& log = own ? run.act().prompts : visit.stripe.conversations.touch(conversation);
  const Threshold& bound = rules.repeats;
  const std::int64_t count = std::min(bound.count, kMaxSamePrompts);
  Opening& opening = log.opening(prompt);
  if (opening.is_open() && bound.within > 0 && visit.now - opening.until > bound.within) opening.close();
  const std::int64_t same = log.same(prompt, since(visit.now, bound.within)) + 1;
  const Gate gate = count <= 0 || visit.arrival.ordinary ? Gate::kPass : opening.gate(visit.now);
  const bool breaks = gate == Gate::kPass && count > 0 && same >= count && !visit.arrival.ordinary;
  if (breaks) opening.open(visit.now, rules.cooldown);
  if (same > 1) ++visit.place.repetitions;
  const auto sentence = [&] {
    const std::string where =
        own ? "run " + visit.entry.run : "conversation " + std::string(visit.arrival.conversation);
    return evidence::same_prompt(same, where, bound.within);
  };
  if (breaks || gate == Gate::kShut) {
    Trip trip{"repeats", "prompts", count, same, opening.until - visit.now, sentence()};
    if (raise(visit.entry, visit.entry.trip, std::move(trip), rules.shadow)) return;
  } else if (gate == Gate::kProbe) {
    opening.probe(visit.now, rules.cooldown);
  } else if (rules.repeats_warn > 0 && same == rules.repeats_warn && !visit.arrival.ordinary) {
    visit.entry.notes.push_back({AuditEvent::kWarned, {"repeats", "prompts", count, same, 0, sentence()}});
  }
  log.add(prompt, visit.now);
  visit.place.prompt = prompt;
  visit.place.conversation = conversation;
}

void Guard::Impl::judge_run(Visit& visit, const std::optional<Lineage>& lineage) {
  Run& run = visit.run;
  const BreakerRules& rules = visit.entry.rules->breaker;
  const bool judged = !visit.arrival.ordinary;
  if (judged && stopped_by_switch(visit.entry, visit.arrival)) return;
  if (judged && run.activity != nullptr) {
    Opening& errors = run.activity->errors;
    const Gate gate = errors.gate(visit.now);
    if (gate == Gate::kShut) {
      const std::int64_t in_row = run.activity->errors_in_row();
      Trip trip{"tool_errors",
                "errors",
                rules.tool_errors.count,
                in_row,
                errors.until - visit.now,
                evidence::tool_errors(in_row, visit.entry.run)};
      if (raise(visit.entry, visit.entry.trip, std::move(trip), rules.shadow)) return;
    } else if (gate == Gate::kProbe) {
      errors.probe(visit.now, rules.cooldown);
      visit.place.errors_probe = true;
    }
  }
  if (judged && (judge_bounds(visit) || judge_children(visit, lineage))) return;
  judge_prompt(visit);
  if (visit.entry.trip) return;
  if (visit.arrival.kind == Arrival::Kind::kModel) {
    ++run.llm_calls;
    visit.place.counted_call = true;
  }
  visit.place.held = judged ? visit.held : visit.arrival.held;
  run.held.tokens += visit.place.held.tokens;
  run.held.usd_micros += visit.place.held.usd_micros;
}

void Guard::Impl::enter_run(Visit& visit, const std::optional<Lineage>& lineage) {
  Entry& entry = visit.entry;
  Run& run = visit.run;
  ++run.in_flight;
  visit.place.run = visit.stripe.runs.ref(run);
  visit.place.run_id = run.id;
  visit.place.named = visit.target.named;
  visit.place.joined = visit.target.joined;
  if (!visit.target.name.empty()) {
    entry.run = visit.target.name;
  } else {
    entry.run = run.name != nullptr ? std::string(run.name.get()) : run_name(run.id);
  }
  entry.depth = static_cast<int>(visit.target.depth);
  const std::uint64_t node = next_id.fetch_add(1, std::memory_order_relaxed);
  entry.token = {.run = run.id, .node = hash_pair(options.seed, node), .depth = visit.target.depth};
  entry.parent = lineage ? lineage->node : 0;
  entry.begins = !run.has(Run::kBegun) || run.has(Run::kOverflow);
  if (run.llm_calls == 0 && (run.profile == 0 || visit.arrival.kind == Arrival::Kind::kModel)) {
    run.profile = Profiles::key(run.owner->id, visit.arrival.agent, entry.task).task;
  }
  if (visit.arrival.ordinary) run.flags |= Run::kOrdinary;
  visit.place.profile = {run.owner->id, run.profile};
  take_results(visit);
  judge_run(visit, lineage);
  if (entry.trip) run.flags |= Run::kTainted;
  visit.stripe.runs.relist(run);
}

// Breakers of the caller across runs, for what begins something.
void Guard::Impl::enter_caller(Entry& entry, const Arrival& arrival, TimeNs now) {
  const BreakerRules& rules = entry.rules->breaker;
  Entry::Place& place = *entry.place;
  const auto act = [&](std::string_view guard, const BreakerGate& gate) {
    if (!gate.trip) return true;
    const BreakerTrip& from = *gate.trip;
    const DurationNs wait = std::max(from.retry_after, unlinked.told(arrival.caller, arrival.fingerprint, now));
    raise(entry, entry.trip, {guard, from.meter, from.allowed, from.used, wait, from.evidence}, rules.shadow);
    return false;
  };
  if (arrival.ordinary) return;
  if (entry.begins && arrival.kind == Arrival::Kind::kModel) {
    const BreakerGate gate = failed_prompts.enter(arrival.caller, rules, now);
    place.prompts = act("failed_prompts", gate);
    place.prompts_probe = place.prompts && gate.probe;
    if (entry.trip) return;
  }
  // A run that nothing was admitted to is no earlier one, whatever its name: naming each request does not help.
  if ((!place.joined || entry.begins) && arrival.fingerprint != 0) {
    const bool model = arrival.llm_route || arrival.kind == Arrival::Kind::kModel;
    const BreakerGate gate = unlinked.enter(arrival.caller, arrival.fingerprint, model, rules, now);
    place.unlinked = act("unlinked", gate);
    place.unlinked_probe = place.unlinked && gate.probe;
    place.fingerprint = arrival.fingerprint;
  }
}

Entry Guard::enter(const Arrival& arrival, const BehaviorRules& rules, const KillSwitches& switches, TimeNs now) {
  Entry entry;
  entry.rules = &rules;
  entry.switches = &switches;
  entry.place = std::make_shared<Entry::Place>();
  Entry::Place& place = *entry.place;
  place.kind = arrival.kind;
  place.ordinary = arrival.ordinary;
  place.owner = arrival.owner;
  place.caller = arrival.caller;
  place.key = arrival.key;
  place.caller_is_key = arrival.caller_is_key;
  if (!arrival.caller_is_key) place.caller_name = arrival.caller_name;
  place.asked = prompt_of(arrival.facts);
  place.turn = arrival.facts != nullptr ? arrival.facts->turn : 0;
  place.executing = arrival.kind == Arrival::Kind::kTool && arrival.call != nullptr ? arrival.call->signature : 0;
  entry.task = task_name(arrival);
  entry.trust_permille = impl_->trust.permille(arrival.caller, rules.trust, now);

  std::optional<Lineage> lineage;
  if (!arrival.lineage.empty()) {
    lineage = impl_->signer.verify(arrival.lineage, lineage_scope(arrival.tenant, arrival.key));
    entry.bad_lineage = !lineage;
    if (entry.bad_lineage) return entry;
  }
  if (!arrival.ordinary && impl_->stopped_by_switch(entry, arrival)) return entry;

  Impl::Target target = impl_->find_target(arrival, place, lineage);
  Impl::Stripe& stripe = *impl_->stripes[target.ref ? target.ref.stripe : impl_->stripe_of_id(target.id)];
  {
    const MutexLock lock(stripe.mutex);
    if (Run* run = impl_->open_run(stripe, target, arrival, rules, now)) {
      Impl::Visit visit{entry, place, stripe, *run, arrival, target, now};
      visit.stripe.mutex.held();  // by its other name
      impl_->enter_run(visit, lineage);
      impl_->take_own_announcement(place);
    }
  }
  if (!entry.trip) impl_->enter_caller(entry, arrival, now);
  return entry;
}

}  // namespace weir
