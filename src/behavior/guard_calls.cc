// Calls and their results: announced by a model, or executed here.
#include <algorithm>

#include "base/hash.h"
#include "base/sites.h"
#include "behavior/evidence.h"
#include "behavior/guard_impl.h"

namespace weir {

namespace {

constexpr std::int64_t kMaxCounted = Activity::kMaxCalls * 3 / 4;

TimeNs since(TimeNs now, DurationNs within) {
  return within > 0 ? now - within : 0;
}

}  // namespace

std::optional<Trip> Guard::Impl::judge_call_bounds(Calling& calling) {
  const RunRules& rules = calling.entry.rules->runs;
  const std::string& name = calling.entry.run;
  std::optional<Trip> trip;
  if (calling.run.has(Run::kOverflow)) return trip;
  const std::int64_t used = calling.run.tool_calls;
  if (rules.max_tool_calls > 0 && used >= rules.max_tool_calls) {
    reached("guard.run-over-its-calls");
    calling.run.flags |= Run::kOverCalls;
    Trip over{"runs", "tool_calls", rules.max_tool_calls,
              used,   kNever,       evidence::bound(name, "has called tools this often:", used, rules.max_tool_calls)};
    if (raise(calling.entry, trip, std::move(over), rules.shadow)) return trip;
  }
  const std::int64_t burst = std::min(rules.burst.count, kMaxCounted);
  if (burst > 0 && rules.burst.within > 0 && calling.run.activity != nullptr) {
    const auto first = calling.run.activity->nth_last(burst);
    if (first && *first > calling.now - rules.burst.within) {
      Trip over{"runs",
                "tool_calls",
                burst,
                burst,
                std::max<DurationNs>(*first + rules.burst.within - calling.now, 1),
                evidence::burst(burst, name, rules.burst.within)};
      if (raise(calling.entry, trip, std::move(over), rules.shadow)) return trip;
    }
  }
  return trip;
}

std::optional<Trip> Guard::Impl::judge_call_errors(Calling& calling) {
  std::optional<Trip> trip;
  if (calling.run.activity == nullptr || calling.place.errors_probe) return trip;
  const BreakerRules& rules = calling.entry.rules->breaker;
  Opening& errors = calling.run.activity->errors;
  const Gate gate = errors.gate(calling.now);
  if (gate == Gate::kProbe) errors.probe(calling.now, rules.cooldown);
  if (gate != Gate::kShut) return trip;
  reached("guard.errors-broken");
  const std::int64_t in_row = calling.run.activity->errors_in_row();
  raise(calling.entry, trip,
        {"tool_errors", "errors", rules.tool_errors.count, in_row, errors.until - calling.now,
         evidence::tool_errors(in_row, calling.entry.run)},
        rules.shadow);
  return trip;
}

// The same call again and again, or calls that bring nothing new.
std::optional<Trip> Guard::Impl::judge_call_loop(Calling& calling, std::optional<Trip>& warn) {
  std::optional<Trip> trip;
  if (calling.exempt || calling.run.activity == nullptr) return trip;
  const BreakerRules& rules = calling.entry.rules->breaker;
  Activity& activity = *calling.run.activity;
  const std::uint64_t signature = calling.call.signature;
  const std::int64_t count = std::min(rules.repeats.count, kMaxCounted);
  const std::int64_t same = activity.same_calls(signature, since(calling.now, rules.repeats.within)) + 1;
  if (same > 1) ++calling.place.repetitions;
  const auto sentence = [&] {
    return evidence::same_call(calling.call.name, same, calling.entry.run, rules.repeats.within);
  };
  const auto broken = [&](std::int64_t used, TimeNs until, std::string text) {
    Trip told{"repeats", "calls", count, used, until - calling.now, std::move(text)};
    return raise(calling.entry, trip, std::move(told), rules.shadow);
  };
  if (count <= 0) return trip;
  Opening* opening = activity.opening(signature);
  if (opening != nullptr && rules.repeats.within > 0 && calling.now - opening->until > rules.repeats.within) {
    opening->close();
  }
  if (opening != nullptr && opening->is_open()) {
    if (opening->gate(calling.now) == Gate::kShut) {
      const std::int64_t used = std::max(same, count);
      if (broken(used, opening->until, evidence::open_call(calling.call.name, calling.entry.run))) return trip;
    } else {
      reached("guard.loop-probed");
      opening->probe(calling.now, rules.cooldown);
    }
  } else if (same >= count) {
    reached("guard.loop-broken");
    activity.open(signature, calling.now, rules.cooldown);
    if (broken(same, calling.now + rules.cooldown, sentence())) return trip;
  } else if (rules.repeats_warn > 0 && same >= rules.repeats_warn) {
    warn = Trip{"repeats", "calls", count, same, 0, sentence()};
    if (same == rules.repeats_warn) calling.entry.notes.push_back({AuditEvent::kWarned, *warn});
  }
  const int stale = activity.stale_results();
  if (stale < Activity::kStale) return trip;
  Opening& stalled = activity.stalled;
  const Gate gate = stalled.gate(calling.now);
  if (gate == Gate::kProbe) {
    stalled.probe(calling.now, rules.cooldown);
    return trip;
  }
  if (gate == Gate::kPass) stalled.open(calling.now, rules.cooldown);
  broken(stale, stalled.until, evidence::nothing_new(stale, calling.entry.run));
  return trip;
}

std::optional<Trip> Guard::Impl::judge_profile(Entry& entry, const ToolCall& call, Destination destination,
                                               TimeNs now) {
  const auto anomaly = profiles.judge(entry.place->profile, call.name, destination, entry.rules->profiles, now);
  if (!anomaly) return std::nullopt;
  Trip trip{"profile", "anomalies", 0, 1, kNever, anomaly->sentence};
  drop_trust(entry, trip.evidence, now);
  if (!entry.rules->profiles.refuse) entry.notes.push_back({AuditEvent::kWarned, trip});
  return trip;
}

void Guard::Impl::count_call(Calling& calling, bool served) {
  Activity& activity = calling.run.act();
  CallSeen seen{.signature = calling.call.signature,
                .id = calling.call.id.empty() ? 0 : hash64(calling.call.id),
                .at = calling.now,
                .tool = tool_hash(calling.call.name),
                .flags = calling.exempt ? std::uint8_t{CallSeen::kExempt} : std::uint8_t{0}};
  if (calling.place.kind == Arrival::Kind::kTool) {
    seen.id = 0;  // the protocol's own, of one exchange
    seen.flags |= CallSeen::kExecuted;
    if (const CallSeen* announced = activity.find_served(seen.signature)) {
      seen.id = announced->id;
      activity.remove_call(seen.signature, seen.id);
    }
  } else if (served) {
    seen.flags |= CallSeen::kServed;
  }
  activity.add_call(seen);
  if (!served) ++calling.run.tool_calls;
}

bool Guard::is_sensitive(const BehaviorRules& rules, std::string_view tool) {
  return names_tool(rules.profiles.sensitive, tool);
}

bool Guard::hangs_on_arguments(const Entry& entry, std::string_view tool) const {
  if (entry.rules == nullptr || entry.place == nullptr || entry.place->ordinary) return false;
  const BehaviorRules& rules = *entry.rules;
  if (rules.profiles.refuse && is_sensitive(rules, tool)) return true;
  if (!entry.place->run || rules.breaker.shadow || rules.breaker.repeats.count <= 0 ||
      names_tool(rules.breaker.exempt, tool)) {
    return false;
  }
  Impl::Stripe& stripe = *impl_->stripes[entry.place->run.stripe];
  const MutexLock lock(stripe.mutex);
  const Run* run = stripe.runs.at(entry.place->run);
  if (run == nullptr || run->activity == nullptr) return rules.breaker.repeats.count <= 1;
  const Activity& activity = *run->activity;
  // What breaks whatever the arguments are breaks the whole call.
  const RunRules& bounds = rules.runs;
  const bool shared = run->has(Run::kOverflow);
  const bool over = !shared && bounds.max_tool_calls > 0 && run->tool_calls >= bounds.max_tool_calls;
  if (over || activity.errors.is_open() || activity.stale_results() >= Activity::kStale) return true;
  if (!shared && bounds.burst.count > 0 && activity.nth_last(std::min(bounds.burst.count, kMaxCounted))) return true;
  // Fewer earlier calls of this tool than it takes: no arguments can be the repetition that breaks.
  return activity.calls_of(tool_hash(tool)) + 1 >= rules.breaker.repeats.count;
}

CallVerdict Guard::call(Entry& entry, const ToolCall& call, Destination destination, TimeNs now) {
  CallVerdict verdict;
  if (entry.rules == nullptr || entry.place == nullptr) return verdict;
  Entry::Place& place = *entry.place;
  const BehaviorRules& rules = *entry.rules;
  const KillSwitch* off = place.ordinary ? nullptr : entry.switches->find(KillSwitch::Kind::kTool, call.name);
  if (off != nullptr) {
    verdict.trip = Trip{.guard = "killed", .retry_after = kNever, .evidence = evidence::killed(*off)};
    return verdict;
  }
  const bool executed = place.kind == Arrival::Kind::kTool;
  const bool served = !executed && is_served(place.owner, call.name);
  verdict.counted = !served;
  if (!place.run) return verdict;
  const bool sensitive = is_sensitive(rules, call.name);
  if (sensitive && !place.ordinary) {
    if (auto anomaly = impl_->judge_profile(entry, call, destination, now)) {
      (rules.profiles.refuse ? verdict.trip : verdict.warn) = std::move(anomaly);
    }
  }
  Impl::Stripe& stripe = *impl_->stripes[place.run.stripe];
  {
    const MutexLock lock(stripe.mutex);
    Run* run = stripe.runs.at(place.run);
    if (run == nullptr) return verdict;
    Impl::Calling calling{entry, place, *run, call, names_tool(rules.breaker.exempt, call.name), now};
    if (verdict.trip || verdict.warn) run->flags |= Run::kTainted;
    const bool judged = !place.ordinary && !served && !verdict.trip;
    if (judged) verdict.trip = impl_->judge_call_bounds(calling);
    if (judged && !verdict.trip) verdict.trip = impl_->judge_call_errors(calling);
    std::optional<Trip> repeated;
    if (judged && !verdict.trip) verdict.trip = impl_->judge_call_loop(calling, repeated);
    if (repeated && !verdict.warn) verdict.warn = std::move(repeated);
    if (verdict.trip) {
      run->flags |= Run::kTainted;
      stripe.runs.touch(*run, now);
      return verdict;
    }
    impl_->count_call(calling, served);
    if (sensitive) run->act().uses.note(call.name, destination);
    ++place.calls;
    stripe.runs.touch(*run, now);
  }
  if (!executed) impl_->link_announced(entry, call);
  if (!served && !place.ordinary) impl_->note_rates(entry, {.tool = hash64(call.name)}, now);
  return verdict;
}

void Guard::uncall(Entry& entry, const ToolCall& call, TimeNs now) {
  if (entry.place == nullptr || !entry.place->run) return;
  Entry::Place& place = *entry.place;
  Impl::Stripe& stripe = *impl_->stripes[place.run.stripe];
  const MutexLock lock(stripe.mutex);
  Run* run = stripe.runs.at(place.run);
  if (run == nullptr || run->activity == nullptr) return;
  std::uint64_t id = call.id.empty() ? 0 : hash64(call.id);
  if (place.kind == Arrival::Kind::kTool) {
    const CallSeen* executing = run->activity->find_executing(call.signature);
    id = executing != nullptr ? executing->id : 0;
  }
  const auto flags = run->activity->remove_call(call.signature, id);
  if (!flags) return;
  if ((*flags & CallSeen::kServed) == 0 && run->tool_calls > 0) --run->tool_calls;
  if (Opening* opening = run->activity->opening(call.signature)) opening->abandon_probe(now);
  if (place.calls > 0) --place.calls;
  run->flags |= Run::kTainted;
  if (place.kind == Arrival::Kind::kTool) return;
  // Nobody will execute it.
  const std::uint64_t key = impl_->call_key(place.owner, place.caller, call.signature);
  Impl::LinkStripe& links = impl_->links_of(key);
  const MutexLock links_lock(links.mutex);
  links.links.take_of(key, place.run);
}

void Guard::result(Entry& entry, const ToolResult& result, TimeNs now) {
  if (entry.place == nullptr || entry.rules == nullptr || !entry.place->run) return;
  Entry::Place& place = *entry.place;
  Impl::Stripe& stripe = *impl_->stripes[place.run.stripe];
  const MutexLock lock(stripe.mutex);
  Run* run = stripe.runs.at(place.run);
  if (run == nullptr || run->activity == nullptr) return;
  CallSeen* call = place.executing != 0 ? run->activity->find_executing(place.executing)
                                        : run->activity->find_call(hash64(result.call_id));
  if (call == nullptr && place.executing == 0 && result.call_id.empty()) {
    call = run->activity->find_pending(tool_hash(result.name));
  }
  if (call == nullptr || call->has(CallSeen::kAnswered)) return;
  const TimeNs called_at = call->at;
  run->activity->take_result(*call, result.content);
  run->activity->take_errors(result.error, called_at, entry.rules->breaker, now);
}

void Guard::serves(Hash128 owner, const std::vector<std::string>& tools) {
  Impl::Stripe& stripe = *impl_->stripes[impl_->stripe_of(owner)];
  const MutexLock lock(stripe.mutex);
  std::vector<std::uint64_t>& known = stripe.served.touch(owner);
  for (const std::string& tool : tools) {
    const std::uint64_t hash = hash64(tool);
    const auto at = std::lower_bound(known.begin(), known.end(), hash);
    if ((at != known.end() && *at == hash) || known.size() >= Impl::kMaxServedTools) continue;
    known.insert(at, hash);
  }
}

bool Guard::is_served(Hash128 owner, std::string_view tool) const {
  const Impl::Stripe& stripe = *impl_->stripes[impl_->stripe_of(owner)];
  const MutexLock lock(stripe.mutex);
  const std::vector<std::uint64_t>* known = stripe.served.find(owner);
  return known != nullptr && std::binary_search(known->begin(), known->end(), hash64(tool));
}

}  // namespace weir
