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
                                               std::max<std::size_t>(options.max_runs_per_owner, 1), owners));
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

void Guard::Impl::put_link(std::uint64_t key, const RunRef& run, std::uint32_t depth) {
  LinkStripe& stripe = *links[key >> 58];
  const std::lock_guard lock(stripe.mutex);
  stripe.links.put(key, {run, static_cast<std::uint16_t>(std::min<std::uint32_t>(depth, 0xffff))});
}

std::optional<Link> Guard::Impl::find_link(std::uint64_t key) const {
  const LinkStripe& stripe = *links[key >> 58];
  const std::lock_guard lock(stripe.mutex);
  return stripe.links.find(key);
}

std::optional<Link> Guard::Impl::find_by_links(const Arrival& arrival) const {
  const auto alive = [this](const std::optional<Link>& link) {
    if (!link) return false;
    Stripe& stripe = *stripes[link->run.stripe];
    const std::lock_guard lock(stripe.mutex);
    return stripe.runs.at(link->run) != nullptr;
  };
  if (arrival.kind == Arrival::Kind::kTool && arrival.call != nullptr) {
    const auto link = find_link(link_key(arrival.owner, LinkKind::kCall, arrival.call->signature));
    if (alive(link)) return link;
  }
  if (arrival.facts == nullptr) return std::nullopt;
  const AgentFacts& facts = *arrival.facts;
  bool without_ids = false;
  for (const ToolResult& result : facts.results) {
    if (result.call_id.empty()) {
      without_ids = true;
      continue;
    }
    // With its turn first: some providers number the calls of each turn from zero, in every run.
    const std::uint64_t key = link_key(arrival.owner, LinkKind::kCallId, result.call_id);
    if (facts.turn != 0) {
      const auto exact = find_link(hash_pair(key, facts.turn));
      if (alive(exact)) return exact;
    }
    const auto link = find_link(key);
    if (alive(link)) return link;
  }
  if (!facts.previous.empty()) {
    const auto link = find_link(link_key(arrival.owner, LinkKind::kAnswer, facts.previous));
    if (alive(link)) return link;
  }
  if (without_ids && facts.turn != 0) {
    const auto link = find_link(link_key(arrival.owner, LinkKind::kTurn, facts.turn));
    if (alive(link)) return link;
  }
  return std::nullopt;
}

Guard::Impl::Target Guard::Impl::find_target(const Arrival& arrival, const std::optional<Lineage>& lineage) {
  Target target;
  if (lineage) {
    target.named = true;
    target.id = lineage->run;
    target.depth = std::min(lineage->depth, kMaxShownDepth) + 1;
    const auto link = find_by_links(arrival);
    if (link) {
      Stripe& stripe = *stripes[stripe_of_id(target.id)];
      const std::lock_guard lock(stripe.mutex);
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
      const std::lock_guard lock(stripe.mutex);
      const Run* run = stripe.runs.find(*own);
      if (run != nullptr && run->owner->id == arrival.owner) target.id = *own;
    }
    return target;
  }
  if (const auto link = find_by_links(arrival)) {
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
