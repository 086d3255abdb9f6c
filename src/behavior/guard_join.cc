// Which run a request belongs to.
#include <algorithm>
#include <bit>

#include "base/hash.h"
#include "behavior/guard_impl.h"

namespace weir {

namespace {

std::uint64_t fold(const Hash128& hash) {
  return hash.high ^ std::rotl(hash.low, 31);
}

// Few runs need few stripes: each then still holds a fair part.
std::size_t stripes_for(std::size_t max_runs, std::size_t most) {
  return std::clamp<std::size_t>(std::bit_floor(std::max<std::size_t>(max_runs / 4096, 1)), 1, most);
}

}  // namespace

Guard::Impl::Impl(Options given)
    : options(std::move(given)),
      signer(options.lineage_secret),
      profiles({.max_profiles = options.max_profiles}),
      rates({.max_callers = options.max_callers}),
      trust({.max_callers = options.max_callers}),
      failed_prompts(FailedPrompts::Options{}),
      unlinked(Unlinked::Options{}) {
  const std::size_t count = stripes_for(options.max_runs, kMaxStripes);
  const std::size_t owners = std::max<std::size_t>(options.max_callers / count, 16);
  for (std::size_t i = 0; i < count; ++i) {
    stripes.push_back(std::make_unique<Stripe>(static_cast<std::uint16_t>(i),
                                               std::max<std::size_t>(options.max_runs_per_owner, 1), owners,
                                               [this](Run& run, TimeNs now) { end_run(run, now); }));
  }
  for (std::size_t i = 0; i < kLinkStripes; ++i) {
    links.push_back(std::make_unique<LinkStripe>(std::max<std::size_t>(options.max_links / kLinkStripes, 1)));
  }
}

std::size_t Guard::Impl::stripe_of(const Hash128& owner) const {
  return ((fold(owner) * 0x9e3779b97f4a7c15ULL) >> 40) & (stripes.size() - 1);
}

// The same after a restart, so that what the ledger knows of it and tokens from before find it.
Hash128 Guard::Impl::named_id(const Hash128& owner, std::string_view name) const {
  Hash128 id{hash64(name, owner.high ^ 0x72756e), hash64(name, owner.low + 0x6e616d65)};
  id.high = (id.high & ~static_cast<std::uint64_t>(stripes.size() - 1)) | stripe_of(owner);
  return id;
}

Hash128 Guard::Impl::new_id(std::size_t stripe) {
  const std::uint64_t number = next_id.fetch_add(1, std::memory_order_relaxed);
  Hash128 id{hash_pair(options.seed, number), hash_pair(number, ~options.seed)};
  id.high = (id.high & ~static_cast<std::uint64_t>(stripes.size() - 1)) | stripe;
  return id;
}

std::uint64_t Guard::Impl::link_key(const Hash128& owner, LinkKind kind, std::string_view text) const {
  return hash64(text, fold(owner) + options.seed * 8 + static_cast<std::uint64_t>(kind));
}

std::uint64_t Guard::Impl::link_key(const Hash128& owner, LinkKind kind, std::uint64_t hash) const {
  return link_key(owner, kind, std::string_view(reinterpret_cast<const char*>(&hash), sizeof hash));
}

// What needs no id leads only within one caller: its users' conversations may be alike.
std::uint64_t Guard::Impl::call_key(const Hash128& owner, const Hash128& caller, std::uint64_t signature) const {
  return link_key(owner, LinkKind::kCall, hash_pair(signature, fold(caller)));
}

std::uint64_t Guard::Impl::turn_key(const Hash128& owner, const Hash128& caller, std::uint64_t turn) const {
  return link_key(owner, LinkKind::kTurn, hash_pair(turn, fold(caller)));
}

namespace {

Link link_to(const RunRef& run, int depth) {
  return {run, static_cast<std::uint16_t>(std::clamp<int>(depth, 0, Links::kMaxDepth))};
}

}  // namespace

void Guard::Impl::put_link(std::uint64_t key, const Entry::Place& place, const RunRef& run, int depth) {
  LinkStripe& stripe = links_of(key);
  const MutexLock lock(stripe.mutex);
  stripe.links.put(key, link_to(run, depth), fold(place.owner));
}

void Guard::Impl::push_link(std::uint64_t key, const Entry::Place& place, const RunRef& run, int depth, bool once) {
  LinkStripe& stripe = links_of(key);
  const MutexLock lock(stripe.mutex);
  stripe.links.push(key, link_to(run, depth), fold(place.owner), once);
}

void Guard::Impl::link_announced(const Entry& entry, const ToolCall& call) {
  const Entry::Place& place = *entry.place;
  if (!call.id.empty()) {
    const std::uint64_t key = link_key(place.owner, LinkKind::kCallId, call.id);
    put_link(key, place, place.run, entry.depth);
    if (place.turn != 0) put_link(hash_pair(key, place.turn), place, place.run, entry.depth);
  }
  if (place.turn != 0) {
    push_link(turn_key(place.owner, place.caller, place.turn), place, place.run, entry.depth, true);
  }
  push_link(call_key(place.owner, place.caller, call.signature), place, place.run, entry.depth, false);
}

void Guard::Impl::link_reported(const Entry& entry) {
  Entry::Place& place = *entry.place;
  for (const std::uint64_t key : std::exchange(place.reported, {})) put_link(key, place, place.run, entry.depth);
  if (std::exchange(place.reported_turn, false) && place.turn != 0) {
    push_link(turn_key(place.owner, place.caller, place.turn), place, place.run, entry.depth, true);
  }
}

std::optional<Link> Guard::Impl::find_link(std::uint64_t key) const {
  const LinkStripe& stripe = links_of(key);
  const MutexLock lock(stripe.mutex);
  return stripe.links.find(key);
}

std::vector<Link> Guard::Impl::find_links(std::uint64_t key) const {
  const LinkStripe& stripe = links_of(key);
  const MutexLock lock(stripe.mutex);
  return stripe.links.all(key);
}

bool Guard::Impl::is_alive(const RunRef& ref) const {
  Stripe& stripe = *stripes[ref.stripe];
  const MutexLock lock(stripe.mutex);
  return stripe.runs.at(ref) != nullptr;
}

// Of runs that announced the same call, each execution belongs to another: the oldest announcement is taken first. A
// call that is executed once more joins the run of its last announcement.
std::optional<Link> Guard::Impl::take_announced(Entry::Place& place) {
  const std::uint64_t key = call_key(place.owner, place.caller, place.executing);
  for (std::size_t i = 0; i < Links::kMaxSame; ++i) {
    std::optional<Link> link;
    {
      LinkStripe& stripe = links_of(key);
      const MutexLock lock(stripe.mutex);
      link = stripe.links.take(key);
    }
    if (!link) break;
    if (!is_alive(link->run)) continue;
    place.taken = key;
    place.taken_run = link->run;
    return link;
  }
  for (const Link& link : find_links(key)) {
    if (is_alive(link.run)) return link;
  }
  return std::nullopt;
}

// Executed in a run that was found by its name or a token: then its announcement is taken all the same.
void Guard::Impl::take_own_announcement(Entry::Place& place) {
  if (place.executing == 0 || place.taken != 0) return;
  const std::uint64_t key = call_key(place.owner, place.caller, place.executing);
  LinkStripe& stripe = links_of(key);
  const MutexLock lock(stripe.mutex);
  if (!stripe.links.take_of(key, place.run)) return;
  place.taken = key;
  place.taken_run = place.run;
}

// Of several runs with this turn the one that waits for such a result, the first of them before the others; if none
// does, the last.
std::optional<Link> Guard::Impl::find_by_turn(const Arrival& arrival) const {
  const AgentFacts& facts = *arrival.facts;
  const auto result = std::find_if(facts.results.begin(), facts.results.end(),
                                   [](const ToolResult& one) { return one.call_id.empty(); });
  if (result == facts.results.end() || facts.turn == 0) return std::nullopt;
  const auto index = static_cast<std::size_t>(result - facts.results.begin());
  const ToolCall* call = facts.calls.size() == facts.results.size() ? &facts.calls[index] : nullptr;
  const std::uint32_t tool = tool_hash(!result->name.empty() || call == nullptr ? result->name : call->name);
  std::optional<Link> found;
  int most = -1;
  for (const Link& link : find_links(turn_key(arrival.owner, arrival.caller, facts.turn))) {
    Stripe& stripe = *stripes[link.run.stripe];
    const MutexLock lock(stripe.mutex);
    const Run* run = stripe.runs.at(link.run);
    if (run == nullptr) continue;
    const int waits =
        run->activity != nullptr ? run->activity->waits_for(call != nullptr ? call->signature : 0, tool) : 0;
    if (waits < most || (waits == 0 && most == 0)) continue;
    most = waits;
    found = link;
  }
  return found;
}

std::optional<Link> Guard::Impl::find_by_ids(const Arrival& arrival) const {
  const AgentFacts& facts = *arrival.facts;
  for (const ToolResult& result : facts.results) {
    if (result.call_id.empty()) continue;
    // With its turn first: some providers number the calls of each turn from zero, in every run.
    const std::uint64_t key = link_key(arrival.owner, LinkKind::kCallId, result.call_id);
    if (facts.turn != 0) {
      const auto exact = find_link(hash_pair(key, facts.turn));
      if (exact && is_alive(exact->run)) return exact;
    }
    const auto link = find_link(key);
    if (link && is_alive(link->run)) return link;
  }
  if (facts.previous.empty()) return std::nullopt;
  const auto link = find_link(link_key(arrival.owner, LinkKind::kAnswer, facts.previous));
  return link && is_alive(link->run) ? link : std::nullopt;
}

std::optional<Link> Guard::Impl::find_by_links(const Arrival& arrival) const {
  if (arrival.facts == nullptr) return std::nullopt;
  const auto link = find_by_ids(arrival);
  return link ? link : find_by_turn(arrival);
}

Guard::Impl::Target Guard::Impl::find_target(const Arrival& arrival, Entry::Place& place,
                                             const std::optional<Lineage>& lineage) {
  Target target;
  if (lineage) {
    target.named = true;
    target.id = lineage->run;
    target.depth = std::min(lineage->depth, kMaxShownDepth) + 1;
    const auto link = find_by_links(arrival);
    if (link) {
      Stripe& stripe = *stripes[stripe_of_id(target.id)];
      const MutexLock lock(stripe.mutex);
      const Run* run = stripe.runs.find(target.id);
      target.continues = run != nullptr && stripe.runs.ref(*run) == link->run;
    }
    return target;
  }
  if (!arrival.run.empty()) {
    target.named = true;
    target.name = arrival.run.substr(0, kMaxRunName);
    target.id = named_id(arrival.owner, arrival.run);
    if (const auto own = run_id_from(arrival.run)) {
      // The name that Weir gave to a run, said back by its owner.
      Stripe& stripe = *stripes[stripe_of_id(*own)];
      const MutexLock lock(stripe.mutex);
      const Run* run = stripe.runs.find(*own);
      if (run != nullptr && run->owner->id == arrival.owner) target.id = *own;
    }
    return target;
  }
  const auto announced = place.executing != 0 ? take_announced(place) : std::nullopt;
  if (const auto link = announced ? announced : find_by_links(arrival)) {
    target.ref = link->run;
    target.joined = target.continues = true;
    target.depth = link->depth;
    return target;
  }
  target.id = new_id(stripe_of(arrival.owner));
  target.fresh = true;
  return target;
}

Run* Guard::Impl::open_run(Stripe& stripe, Target& target, const Arrival& arrival, const BehaviorRules& rules,
                           TimeNs now) {
  Run* run = nullptr;
  if (!target.fresh) run = target.ref ? stripe.runs.at(target.ref) : stripe.runs.find(target.id);
  if (run == nullptr && target.ref) {
    // It went between two looks: like one that was never there.
    target.joined = target.continues = false;
    target.depth = 0;
    target.id = new_id(target.ref.stripe);
    target.ref = {};
  }
  if (run != nullptr) {
    if (run->is_over(now, rules.runs.idle)) {
      end_run(*run, now);
      stripe.runs.restart(*run, now);
    } else {
      target.joined = true;
    }
    return run;
  }
  if (!arrival.starts_run) return nullptr;
  const std::size_t before = stripe.runs.size();
  const bool full = open_runs.load(std::memory_order_relaxed) >= options.max_runs;
  run = &stripe.runs.make(target.id, arrival.owner, target.name, now, full);
  if (stripe.runs.size() > before) {
    open_runs.fetch_add(stripe.runs.size() - before, std::memory_order_relaxed);
  } else if (stripe.runs.size() < before) {
    open_runs.fetch_sub(before - stripe.runs.size(), std::memory_order_relaxed);
  }
  return run;
}

}  // namespace weir
