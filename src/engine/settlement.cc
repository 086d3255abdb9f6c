// Top-up, settle, cancel, expire: what happens to a reservation after its admission.
#include <algorithm>

#include "engine/admission.h"
#include "engine/windows.h"

namespace weir::engine {
namespace {

// Settles one held demand while its stripe is locked.
class HeldSettlement {
 public:
  HeldSettlement(Engine& impl, Held& held, TimeNs now, std::vector<Effect>* effects)
      : impl_(impl),
        held_(held),
        def_(*impl.defs.current(held.counter)),
        stripe_(impl.table.stripe_of(held.subject)),
        effects_(effects) {
    stripe_.lock.held();
    record_ = impl_.table.find(stripe_, held.subject);
    t_ = std::max({now, record_ == nullptr ? 0 : record_->last_t, stripe_.floor});
    find();
  }

  // Holds are no longer open; whatever is charged stays.
  void close_holds() {
    if (cell_ == nullptr) return;
    if (def_.kind != WindowKind::kCalendar) return close_hold(*cell_, held_.units, 0);
    for (const Charge& charge : held_.charges.older) close_hold(*cell_, charge.amount, charge.at);
    close_hold(*cell_, held_.charges.newest.amount, held_.charges.newest.at);
  }

  void adjust(std::int64_t actual) {
    stripe_.lock.held();
    if (def_.kind == WindowKind::kConcurrency) return;
    if (def_.kind == WindowKind::kBucket) return adjust_bucket(actual);
    if (actual > held_.units) return overrun(actual - held_.units);
    forget_left(held_, def_, t_);
    std::int64_t surplus = held_.units - actual;
    surplus -= give_back_part(held_.charges.newest, surplus);
    const auto& older = held_.charges.older;
    for (auto charge = older.rbegin(); charge != older.rend() && surplus > 0; ++charge) {
      surplus -= give_back_part(*charge, surplus);
    }
  }

 private:
  // Gives back up to `most` of one charge; what the charge covered, whether or not it was still counted.
  std::int64_t give_back_part(const Charge& charge, std::int64_t most) WEIR_REQUIRES(stripe_.lock) {
    const std::int64_t part = std::min(most, charge.amount);
    if (cell_ == nullptr || part == 0) return part;
    const std::int64_t taken = give_back(def_, *cell_, t_, {.at = charge.at, .amount = part});
    const bool calendar = def_.kind == WindowKind::kCalendar;
    record_effect(calendar ? t_ : charge.at, -taken, calendar ? charge.at * kSecond : 0);
    return part;
  }

  void find() WEIR_REQUIRES(stripe_.lock) {
    cell_ = nullptr;
    bool converted = false;
    std::uint32_t cursor = sizeof(Record);
    if (record_ != nullptr) cell_ = impl_.find_cell(stripe_, record_, def_, cursor, held_.quota.amount, converted);
  }

  void adjust_bucket(std::int64_t actual) WEIR_REQUIRES(stripe_.lock) {
    const DurationNs span = RateScale::of(held_.quota.rate).span(actual);
    if (span > held_.span) return overrun(actual);
    if (cell_ == nullptr) return;
    auto& bucket = static_cast<BucketCell&>(*cell_);
    record_effect(t_, -give_back_span(bucket, t_, held_.span - span), 0);
  }

  // More was used than held: charged now, whatever the amount says. `units` of a bucket are all that was used.
  void overrun(std::int64_t units) WEIR_REQUIRES(stripe_.lock) {
    const auto ready = impl_.make_ready(stripe_, record_, held_.subject, {}, def_, t_, units, held_.quota.amount, true);
    if (ready != Engine::Ready::kYes) return;
    find();
    if (def_.kind == WindowKind::kBucket) {
      auto& bucket = static_cast<BucketCell&>(*cell_);
      const DurationNs more = RateScale::of(held_.quota.rate).span(units) - held_.span;
      bucket.arrival = add_saturating(std::max(bucket.arrival, t_), more);
      record_effect(t_, more, 0);
    } else {
      const Booked booked = charge(def_, *cell_, {.at = t_, .units = units, .quota = held_.quota});
      record_effect(t_, booked.amount, booked.period_start);
    }
    record_->last_t = t_;
  }

  void record_effect(TimeNs at, std::int64_t amount, TimeNs period_start) WEIR_REQUIRES(stripe_.lock) {
    if (effects_ == nullptr || amount == 0) return;
    effects_->push_back({.subject = held_.subject,
                         .counter = def_.identity->hash,
                         .at = at,
                         .amount = amount,
                         .period_start = period_start,
                         .epoch = stripe_.epoch});
  }

  Engine& impl_;
  Held& held_;
  const Def& def_;
  Stripe& stripe_;
  Record* record_ = nullptr;
  Cell* cell_ = nullptr;
  TimeNs t_ = 0;
  std::vector<Effect>* effects_;
};

}  // namespace

SettleResult Engine::settle(Hash128 id, std::span<const std::int64_t> actual, bool nothing_used, TimeNs now,
                            std::vector<Effect>* effects) {
  if (!id) return {};
  Shelf& shelf = book.shelf_of(id);
  const SpinGuard guard(shelf.lock);
  Reservation* reservation = shelf.find(id);
  if (reservation == nullptr) return {.outcome = shelf.find_closed(id) >= 0 ? Outcome::kRepeated : Outcome::kUnknown};
  close(*reservation, nothing_used ? Usage::kNone : Usage::kGiven, actual, now, effects);
  if (reservation->state == State::kOpen) {
    TimingWheel::remove(*reservation);
    book.free_place();
  }
  shelf.close(*reservation, now);
  shelf.forget(now - options.remember_closed, book.closed_per_shelf());
  return {.outcome = Outcome::kDone};
}

void Engine::close(Reservation& reservation, Usage usage, std::span<const std::int64_t> actual, TimeNs now,
                   std::vector<Effect>* effects) {
  now = clamp_time(now);
  StripeLocks locks;
  for (const Held& held : reservation.held()) locks.add(table.stripe_of(held.subject));
  locks.lock();
  for (Held& held : reservation.held()) {
    HeldSettlement settlement(*this, held, now, effects);
    if (reservation.state == State::kOpen) settlement.close_holds();
    if (usage == Usage::kAllHeld) continue;
    const bool given = usage == Usage::kGiven && held.demand < actual.size();
    settlement.adjust(given ? clamp_amount(actual[held.demand]) : 0);
  }
}

}  // namespace weir::engine

namespace weir {

using engine::Held;
using engine::Reservation;
using engine::Shelf;
using engine::SpinGuard;
using engine::State;

namespace {

void refuse_unknown(Decision& decision) {
  decision.admitted = decision.table_full = decision.replayed = false;
  decision.retry_after = kNever;
  decision.count = 0;
}

}  // namespace

void Limiter::top_up(Hash128 id, std::span<const std::int64_t> extra, TimeNs now, Decision& decision,
                     std::vector<Effect>* effects) {
  refuse_unknown(decision);
  if (!id) return;
  Shelf& shelf = impl_->book.shelf_of(id);
  const SpinGuard guard(shelf.lock);
  Reservation* reservation = shelf.find(id);
  if (reservation == nullptr || reservation->state != State::kOpen) return;
  std::array<Subject, kMaxDemands> subjects;
  std::array<Demand, kMaxDemands> demands;
  const std::size_t count = reservation->held().size();
  for (std::size_t i = 0; i < count; ++i) {
    const Held& held = reservation->held()[i];
    subjects[i] = {.key = held.subject};
    const std::int64_t cost = held.demand < extra.size() ? engine::clamp_amount(extra[held.demand]) : 0;
    demands[i] = {.counter = held.counter,
                  .subject = static_cast<std::uint8_t>(i),
                  .hold = true,
                  .shadow = held.shadow || cost == 0,
                  .cost = cost,
                  .quota = held.quota};
  }
  Decision held_decision;
  engine::Admission admission(*impl_, {subjects.data(), count}, {demands.data(), count}, now);
  admission.decide(held_decision);
  if (held_decision.admitted && admission.prepare(held_decision) && held_decision.admitted) {
    admission.commit(effects, reservation, true);
  }
  decision.admitted = held_decision.admitted;
  decision.table_full = held_decision.table_full;
  decision.retry_after = held_decision.retry_after;
  decision.count = reservation->count;
  std::fill_n(decision.verdicts.begin(), decision.count, Verdict{});
  for (std::size_t i = 0; i < count; ++i) decision.verdicts[reservation->held()[i].demand] = held_decision.verdicts[i];
}

SettleResult Limiter::settle(Hash128 id, std::span<const std::int64_t> actual, TimeNs now,
                             std::vector<Effect>* effects) {
  return impl_->settle(id, actual, false, now, effects);
}

SettleResult Limiter::cancel(Hash128 id, TimeNs now, std::vector<Effect>* effects) {
  return impl_->settle(id, {}, true, now, effects);
}

std::size_t Limiter::expire(TimeNs now, std::size_t most, const std::function<void(Hash128)>& expired) {
  std::vector<Hash128> ids;
  const auto shelves = static_cast<std::uint32_t>(impl_->book.shelf_count());
  // Goes on where the last call stopped, and once around whatever other calls do meanwhile.
  std::uint32_t next = impl_->next_shelf.load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < shelves && ids.size() < most; ++i, ++next) {
    Shelf& shelf = impl_->book.shelf(next & (shelves - 1));
    const SpinGuard guard(shelf.lock);
    while (ids.size() < most) {
      auto* reservation = static_cast<Reservation*>(shelf.wheel.pop_due(now));
      if (reservation == nullptr) break;
      impl_->close(*reservation, engine::Engine::Usage::kAllHeld, {}, now, nullptr);
      ids.push_back(reservation->id);
      shelf.expire(*reservation, now);
      impl_->book.free_place();
    }
    shelf.forget(now - impl_->options.remember_closed, impl_->book.closed_per_shelf());
  }
  impl_->next_shelf.store(next, std::memory_order_relaxed);
  if (expired) {
    for (const Hash128& id : ids) expired(id);
  }
  return ids.size();
}

}  // namespace weir
