#include "behavior/guard.h"

#include <algorithm>

#include "behavior/evidence.h"
#include "behavior/guard_impl.h"

namespace weir {

Guard::Guard(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Guard::~Guard() = default;

std::string Guard::lineage_scope(std::string_view tenant, std::string_view key) {
  // A key that is named like a tenant is none.
  std::string scope = tenant.empty() ? "key:" : "tenant:";
  scope += tenant.empty() ? key : tenant;
  return scope;
}

std::string Guard::sign(const Entry& entry, std::string_view scope) const {
  if (!entry.token.run) return {};
  return impl_->signer.sign(entry.token, scope);
}

int Guard::trust_permille(Hash128 caller, const TrustRules& rules, TimeNs now) const {
  return impl_->trust.permille(caller, rules, now);
}

bool Guard::begin(Entry& entry, TimeNs now) {
  if (entry.place == nullptr || !entry.place->run) return false;
  impl_->link_reported(entry);
  Impl::Stripe& stripe = *impl_->stripes[entry.place->run.stripe];
  const MutexLock lock(stripe.mutex);
  Run* run = stripe.runs.at(entry.place->run);
  if (run == nullptr) return false;
  const bool counts = !run->has(Run::kBegun) || run->has(Run::kOverflow);
  run->flags |= Run::kBegun;
  stripe.runs.touch(*run, now);
  return counts;
}

void Guard::Impl::undo_prompt(Stripe& stripe, Run& run, const Entry::Place& place) {
  if (place.conversation != 0) {
    if (PromptLog* log = stripe.conversations.use(place.conversation)) log->remove_last(place.prompt);
  } else if (place.prompt != 0 && run.activity == nullptr) {
    run.first_prompt = 0;
  } else if (place.prompt != 0) {
    run.activity->prompts.remove_last(place.prompt);
  }
}

void Guard::Impl::undo_counts(Stripe& stripe, Run& run, const Entry::Place& place, TimeNs now) {
  if (place.counted_call && run.llm_calls > 0) --run.llm_calls;
  run.held.tokens -= place.held.tokens;
  run.held.usd_micros -= place.held.usd_micros;
  undo_prompt(stripe, run, place);
  if (run.activity == nullptr) return;
  Activity& activity = *run.activity;
  // Whoever set it gives it back.
  if (place.budget && activity.budget.tag == place.budget) activity.budget = {};
  if (place.parent != 0) {
    std::int64_t& children = activity.children(place.parent);
    children = std::max<std::int64_t>(children - 1, 0);
  }
  for (const std::uint64_t id : place.unseen) {
    CallSeen* call = activity.find_call(id);
    if (call == nullptr) continue;
    call->flags |= CallSeen::kUnpaid;
    if (run.tool_calls > 0) --run.tool_calls;
  }
  if (place.errors_probe) activity.errors.abandon_probe(now);
}

void Guard::refused(Entry& entry, TimeNs until, TimeNs now) {
  if (entry.place == nullptr) return;
  Entry::Place& place = *entry.place;
  if (place.unlinked) impl_->unlinked.refused(place.caller, place.fingerprint, until, place.unlinked_probe, now);
  if (place.prompts) impl_->failed_prompts.abandon(place.caller, place.prompts_probe);
  place.unlinked = place.prompts = false;
  if (place.taken != 0) {
    Impl::LinkStripe& stripe = impl_->links_of(place.taken);
    const MutexLock lock(stripe.mutex);
    stripe.links.give_back(std::exchange(place.taken, 0), place.taken_run);
  }
  if (!place.run) return;
  Impl::Stripe& stripe = *impl_->stripes[place.run.stripe];
  const MutexLock lock(stripe.mutex);
  Run* run = stripe.runs.at(place.run);
  place.run = {};
  if (run == nullptr) return;
  --run->in_flight;
  impl_->undo_counts(stripe, *run, place, now);
  if (!run->has(Run::kBegun) && run->in_flight == 0) {
    stripe.runs.erase(*run);
    impl_->open_runs.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  run->flags |= Run::kTainted;
  // What was refused keeps no run from being over.
  stripe.runs.relist(*run);
}

// Breakers and habits of the caller learn how its request ended.
void Guard::Impl::leave_callers(Entry& entry, const Leave& leave, TimeNs now) {
  Entry::Place& place = *entry.place;
  const BreakerRules& rules = entry.rules->breaker;
  if (place.unlinked && leave.unknown) {
    unlinked.abandon(place.caller, place.fingerprint, place.unlinked_probe);
  } else if (place.unlinked) {
    unlinked.end(place.caller, place.fingerprint, leave.failed, place.unlinked_probe, rules, now);
  }
  if (leave.unknown) {
    failed_prompts.abandon(place.caller, place.prompts_probe);
  } else if (place.kind == Arrival::Kind::kModel && place.run && !place.ordinary) {
    failed_prompts.end(place.caller, place.run_id, place.asked, leave.failed, place.prompts_probe, rules, now);
  }
  place.unlinked = place.prompts = false;
  if (place.ordinary) return;
  const bool failed = leave.failed && !leave.unknown;
  note_rates(entry,
             {.requests = 1, .tokens = leave.used.tokens, .errors = failed ? 1 : 0, .repetitions = place.repetitions},
             now);
}

void Guard::leave(Entry& entry, const Leave& leave, TimeNs now) {
  if (entry.place == nullptr) return;
  Entry::Place& place = *entry.place;
  impl_->leave_callers(entry, leave, now);
  if (!place.run) return;
  const RunRef ref = place.run;
  place.run = {};
  {
    Impl::Stripe& stripe = *impl_->stripes[ref.stripe];
    const MutexLock lock(stripe.mutex);
    Run* run = stripe.runs.at(ref);
    if (run == nullptr) return;
    --run->in_flight;
    run->held.tokens -= place.held.tokens;
    run->held.usd_micros -= place.held.usd_micros;
    run->used.tokens += leave.used.tokens;
    run->used.usd_micros += leave.used.usd_micros;
    // To ask again what was not answered is no repetition.
    if (leave.failed && !leave.unknown) impl_->undo_prompt(stripe, *run, place);
    if (run->activity != nullptr) {
      if (leave.finished && !leave.failed && !leave.unknown) run->activity->progress();
      // A probe that called nothing has proved nothing.
      if (place.errors_probe && (place.calls == 0 || leave.unknown)) run->activity->errors.abandon_probe(now);
    }
    stripe.runs.touch(*run, now);
  }
  if (!leave.answer_id.empty()) {
    const std::uint64_t key = impl_->link_key(place.owner, Impl::LinkKind::kAnswer, leave.answer_id);
    impl_->put_link(key, place, ref, entry.depth);
  }
}

void Guard::Impl::note_rates(Entry& entry, const RateEvent& event, TimeNs now) {
  const auto anomaly = rates.note(entry.place->caller, event, now);
  if (!anomaly) return;
  entry.notes.push_back(
      {AuditEvent::kWarned, {"profile", "anomalies", anomaly->bound, anomaly->seen, 0, anomaly->sentence}});
  drop_trust(entry, anomaly->sentence, now);
}

void Guard::Impl::drop_trust(Entry& entry, std::string_view cause, TimeNs now) {
  const Entry::Place& place = *entry.place;
  const TrustChange change = trust.drop(place.caller, cause, entry.rules->trust, now);
  if (change.from == change.to) return;
  entry.notes.push_back({AuditEvent::kTrust, {"profile", "anomalies", change.from, change.to, 0, change.sentence}});
  if (change.escalate == TrustAction::kNone) return;
  std::string sentence = change.sentence;
  TrustAction action = change.escalate;
  if (!place.caller_is_key) {
    // Others use this key too.
    action = TrustAction::kFlag;
    sentence = "end user " + evidence::shown(place.caller_name) + ": " + sentence;
  }
  entry.notes.push_back({AuditEvent::kAdmin, {"profile", "anomalies", 0, change.throttles, 0, sentence}});
  const MutexLock lock(escalations_mutex);
  if (escalations.size() >= kMaxEscalations) return;
  escalations.push_back({place.key, action, std::move(sentence)});
}

std::vector<Guard::Escalation> Guard::take_escalations() {
  const MutexLock lock(impl_->escalations_mutex);
  return std::exchange(impl_->escalations, {});
}

bool Guard::set_budget(Entry& entry, std::optional<std::int64_t> tokens, std::optional<std::int64_t> usd_micros,
                       Hash128 tag) {
  if (entry.place == nullptr || !entry.place->run) return true;
  Impl::Stripe& stripe = *impl_->stripes[entry.place->run.stripe];
  const MutexLock lock(stripe.mutex);
  Run* run = stripe.runs.at(entry.place->run);
  if (run == nullptr) return true;
  const bool taken = run->activity != nullptr && run->activity->budget.tag;
  if (run->has(Run::kOverflow) || (tag && taken)) return false;
  if ((tokens && run->used.tokens > *tokens) || (usd_micros && run->used.usd_micros > *usd_micros)) return false;
  RunBudget& budget = run->act().budget;
  budget.tag = entry.place->budget = tag;
  // 0 would mean "none"; a budget of nothing admits nothing that costs anything.
  if (tokens) budget.tokens = std::max<std::int64_t>(*tokens, 1);
  if (usd_micros) budget.usd_micros = std::max<std::int64_t>(*usd_micros, 1);
  stripe.runs.relist(*run);
  return true;
}

bool Guard::extend(Entry& entry, RunUse more, TimeNs now) {
  if (entry.place == nullptr || entry.rules == nullptr || !entry.place->run) return true;
  Entry::Place& place = *entry.place;
  Impl::Stripe& stripe = *impl_->stripes[place.run.stripe];
  const MutexLock lock(stripe.mutex);
  Run* run = stripe.runs.at(place.run);
  if (run == nullptr) return true;
  const RunRules& rules = entry.rules->runs;
  const auto fits = [](std::int64_t used, std::int64_t held, std::int64_t extra, std::int64_t most) {
    return most <= 0 || extra <= 0 || used + held + extra <= most;
  };
  if (!place.ordinary && !rules.shadow) {
    const RunUse most = Impl::most_of(*run, rules);
    if (!fits(run->used.tokens, run->held.tokens, more.tokens, most.tokens) ||
        !fits(run->used.usd_micros, run->held.usd_micros, more.usd_micros, most.usd_micros)) {
      return false;
    }
  }
  for (RunUse* held : {&run->held, &place.held}) {
    held->tokens += more.tokens;
    held->usd_micros += more.usd_micros;
  }
  run->last = std::max(run->last, now);
  return true;
}

std::vector<Guard::EndedBudget> Guard::take_ended_budgets() {
  const MutexLock lock(impl_->escalations_mutex);
  return std::exchange(impl_->ended_budgets, {});
}

void Guard::Impl::end_run(Run& run, TimeNs now) {
  if (run.activity != nullptr && run.activity->budget.tag) {
    const MutexLock lock(escalations_mutex);
    ended_budgets.push_back({run.activity->budget.tag, run.used});
  }
  if (!run.has(Run::kBegun) || (run.has(Run::kTainted) && !run.has(Run::kOrdinary))) return;
  static const RunUses kNothing;
  profiles.learn({run.owner->id, run.profile}, run.activity != nullptr ? run.activity->uses : kNothing, now);
}

bool Guard::sweep(const BehaviorRules& rules, TimeNs now, std::size_t most) {
  const MutexLock turn(impl_->sweep_mutex);
  for (std::size_t looked = 0; looked < impl_->stripes.size(); ++looked) {
    Impl::Stripe& stripe = *impl_->stripes[impl_->sweep_at];
    const MutexLock lock(stripe.mutex);
    while (Run* run = stripe.runs.next_over(now, rules.runs.idle)) {
      if (most == 0) return false;
      --most;
      impl_->end_run(*run, now);
      stripe.runs.erase(*run);
      impl_->open_runs.fetch_sub(1, std::memory_order_relaxed);
    }
    impl_->sweep_at = (impl_->sweep_at + 1) % impl_->stripes.size();
  }
  return true;
}

void Guard::end_all(const BehaviorRules& rules, TimeNs now) {
  static_cast<void>(rules);
  for (const auto& each : impl_->stripes) {
    Impl::Stripe& stripe = *each;
    const MutexLock lock(stripe.mutex);
    stripe.runs.each([&](Run& run) {
      stripe.mutex.held();
      impl_->end_run(run, now);
      stripe.runs.erase(run);
      impl_->open_runs.fetch_sub(1, std::memory_order_relaxed);
    });
  }
}

void Guard::restore(Hash128 owner, std::string_view name, const RunUse& used, std::int64_t llm_calls,
                    std::int64_t tool_calls, TimeNs last) {
  if (name.empty()) return;
  auto given = run_id_from(name);
  if (given) {
    // Somebody else's run of that name is none of this owner's.
    Impl::Stripe& stripe = *impl_->stripes[impl_->stripe_of_id(*given)];
    const MutexLock lock(stripe.mutex);
    const Run* known = stripe.runs.find(*given);
    if (known != nullptr && known->owner->id != owner) given.reset();
  }
  const Hash128 id = given ? *given : impl_->named_id(owner, name);
  Impl::Stripe& stripe = *impl_->stripes[impl_->stripe_of_id(id)];
  const MutexLock lock(stripe.mutex);
  Run* run = stripe.runs.find(id);
  if (run != nullptr && run->owner->id != owner) return;
  if (run == nullptr) {
    if (impl_->open_runs.load(std::memory_order_relaxed) >= impl_->options.max_runs) return;
    const std::size_t before = stripe.runs.size();
    run = &stripe.runs.make(id, owner, given ? std::string_view() : name.substr(0, Impl::kMaxRunName), last, false);
    if (stripe.runs.size() > before) impl_->open_runs.fetch_add(1, std::memory_order_relaxed);
  }
  const auto count = [](std::uint32_t known, std::int64_t more) {
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(known + more, 0, 0x7fffffff));
  };
  run->used.tokens += used.tokens;
  run->used.usd_micros += used.usd_micros;
  run->llm_calls = count(run->llm_calls, llm_calls);
  run->tool_calls = count(run->tool_calls, tool_calls);
  run->flags |= Run::kBegun | Run::kTainted;  // what it did is not known: it teaches nothing
  stripe.runs.touch(*run, last);
}

bool Guard::is_live(Hash128 owner, std::string_view name, const BehaviorRules& rules, TimeNs now) const {
  const auto alive = [&](const Hash128& id) {
    Impl::Stripe& stripe = *impl_->stripes[impl_->stripe_of_id(id)];
    const MutexLock lock(stripe.mutex);
    const Run* run = stripe.runs.find(id);
    return run != nullptr && run->owner->id == owner && !run->is_over(now, rules.runs.idle);
  };
  if (const auto given = run_id_from(name); given && alive(*given)) return true;
  return alive(impl_->named_id(owner, name));
}

Guard::Stats Guard::stats() const {
  Stats out;
  for (const auto& stripe : impl_->stripes) {
    const MutexLock lock(stripe->mutex);
    out.runs += stripe->runs.size();
    out.bytes += stripe->runs.bytes();
  }
  for (const auto& stripe : impl_->links) {
    const MutexLock lock(stripe->mutex);
    out.links += stripe->links.size();
    out.bytes += stripe->links.bytes();
  }
  out.callers = impl_->rates.size();
  out.profiles = impl_->profiles.size();
  out.bytes += out.callers * Rates::bytes_per_caller();
  return out;
}

}  // namespace weir
