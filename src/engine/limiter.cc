#include "weir/limiter.h"

#include <algorithm>

#include "engine/admission.h"

namespace weir {

using engine::Admission;
using engine::Shelf;
using engine::SpinGuard;
using engine::Stripe;

namespace {

void refuse(Decision& decision, std::size_t count, bool table_full) {
  decision.admitted = false;
  decision.table_full = table_full;
  decision.replayed = false;
  decision.retry_after = table_full ? 0 : kNever;
  decision.count = static_cast<std::uint8_t>(std::min(count, kMaxDemands));
  std::fill_n(decision.verdicts.begin(), decision.count, Verdict{});
}

// The answer for an id whose reservation is closed: that it was admitted is all that is remembered.
void replay_closed(Decision& decision, int count) {
  refuse(decision, static_cast<std::size_t>(count), false);
  decision.admitted = decision.replayed = true;
  decision.retry_after = 0;
}

}  // namespace

Limiter::Limiter(LimiterOptions options) : impl_(std::make_unique<Impl>(options)) {}
Limiter::~Limiter() = default;

CounterId Limiter::define(const CounterSpec& spec) {
  const MutexLock guard(impl_->define_mutex);
  const std::uint64_t hash = counter_hash(spec.identity);
  bool first = false;
  const engine::Def* def =
      impl_->defs.define(hash, spec, spec.formerly.empty() ? 0 : counter_hash(spec.formerly), first);
  if (def == nullptr) return ~CounterId{0};
  if (first) {
    // Replayed before anybody knew its shape.
    const auto waiting = impl_->waiting.extract(hash);
    if (!waiting.empty()) {
      for (const Effect& effect : waiting.mapped()) impl_->apply_effect(*def, effect);
    }
  }
  return def->id;
}

void Limiter::admit(const AdmitRequest& request, Decision& decision) {
  Admission admission(*impl_, request.subjects, request.demands, request.now);
  if (!admission.valid()) return refuse(decision, request.demands.size(), false);
  if (!request.id) {
    admission.without_id();
    admission.decide(decision);
    if (decision.admitted && admission.prepare(decision) && decision.admitted) {
      admission.commit(request.effects, nullptr, false);
    }
    return;
  }
  Shelf& shelf = impl_->book.shelf_of(request.id);
  const SpinGuard guard(shelf.lock);
  if (const engine::Reservation* known = shelf.find(request.id)) return known->replay(decision);
  if (const int count = shelf.find_closed(request.id); count >= 0) return replay_closed(decision, count);
  if (!impl_->book.take_place()) return refuse(decision, request.demands.size(), true);
  admission.decide(decision);
  if (!decision.admitted || !admission.prepare(decision) || !decision.admitted) return impl_->book.free_place();
  engine::Reservation* reservation = shelf.add(request.id, decision);
  if (reservation == nullptr) {
    impl_->book.free_place();
    return refuse(decision, request.demands.size(), true);
  }
  reservation->deadline = request.deadline;
  reservation->remember = request.remember;
  admission.commit(request.effects, reservation, false);
  shelf.wheel.add(*reservation);
}

void Limiter::peek(const AdmitRequest& request, Decision& decision) const {
  Admission admission(*impl_, request.subjects, request.demands, request.now);
  if (!admission.valid()) return refuse(decision, request.demands.size(), false);
  if (!request.id) return admission.decide(decision);
  Shelf& shelf = impl_->book.shelf_of(request.id);
  const SpinGuard guard(shelf.lock);  // as admit() holds it: the id stays unknown until all is decided
  if (const engine::Reservation* known = shelf.find(request.id)) return known->replay(decision);
  if (const int count = shelf.find_closed(request.id); count >= 0) return replay_closed(decision, count);
  if (impl_->book.open() >= impl_->options.max_reservations) return refuse(decision, request.demands.size(), true);
  admission.decide(decision);
}

void Limiter::sweep(TimeNs now, std::size_t most_records) {
  constexpr std::uint32_t kSlotsAtOnce = 256;
  const TimeNs t = engine::clamp_time(now);
  for (std::uint32_t visited = 0; visited < impl_->table.stripe_count() && most_records > 0; ++visited) {
    const std::uint32_t next = impl_->next_stripe.fetch_add(1, std::memory_order_relaxed);
    Stripe& stripe = impl_->table.stripe(next & (impl_->table.stripe_count() - 1));
    const SpinGuard guard(stripe.lock);
    if (stripe.slots.load(std::memory_order_relaxed) == nullptr) continue;
    const std::uint32_t slots = std::min(stripe.mask.load(std::memory_order_relaxed) + 1, kSlotsAtOnce);
    impl_->table.evict_some(stripe, t, slots + stripe.live);
    impl_->table.shrink(stripe);
    most_records -= std::min<std::size_t>(most_records, slots);
  }
}

LimiterStats Limiter::stats() const {
  LimiterStats stats{
      .subjects = impl_->table.live(), .bytes = impl_->table.used_bytes(), .open_reservations = impl_->book.open()};
  for (std::size_t i = 0; i < impl_->book.shelf_count(); ++i) {
    Shelf& shelf = impl_->book.shelf(i);
    const SpinGuard guard(shelf.lock);
    stats.closed_remembered += shelf.closed();
  }
  return stats;
}

}  // namespace weir
