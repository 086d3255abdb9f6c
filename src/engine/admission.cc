#include "engine/admission.h"

#include <algorithm>

#include "engine/windows.h"

// What every admission runs is inlined into decide(): as calls it costs as much as the limits it checks.

namespace weir::engine {

namespace {

// The demand's quota with its amount in range; `room` is for the rare one that is not.
const Quota& quota_of(const Demand& demand, Quota& room) {
  const std::int64_t amount = clamp_amount(demand.quota.amount);
  if (amount == demand.quota.amount) return demand.quota;
  room = demand.quota;
  room.amount = amount;
  return room;
}

}  // namespace

void StripeLocks::insert(Stripe& stripe) {
  std::size_t place = count_;
  while (place > 0 && stripes_[place - 1] > &stripe) --place;
  if (place > 0 && stripes_[place - 1] == &stripe) return;
  for (std::size_t i = count_; i > place; --i) stripes_[i] = stripes_[i - 1];
  stripes_[place] = &stripe;
  ++count_;
}

void Admission::evict() {
  for (std::uint8_t i = 0; i < place_count_; ++i) {
    Stripe& stripe = *places_[i].stripe;
    stripe.lock.held();
    engine_.table.evict_some(stripe, now_, 2u + inserted_);
  }
}

[[gnu::always_inline]] inline bool Admission::check() {
  if (subjects_.size() > kMaxDemands || demands_.size() > kMaxDemands) return false;
  for (const Demand& demand : demands_) {
    const bool good = demand.subject < subjects_.size() && engine_.defs.known(demand.counter) &&
                      static_cast<std::uint64_t>(demand.cost) <= static_cast<std::uint64_t>(kMaxAmount);
    if (!good) return false;
    has_rings_ = has_rings_ || engine_.defs.get(demand.counter)->kind == WindowKind::kSliding;
  }
  return true;
}

Admission::Admission(Engine& engine, std::span<const Subject> subjects, std::span<const Demand> demands, TimeNs now)
    : engine_(engine), subjects_(subjects), demands_(demands), caller_now_(now), now_(clamp_time(now)) {
  valid_ = check();
}

[[gnu::always_inline]] inline std::uint8_t Admission::place_of(const Hash128& key, const Hash128& owner) {
  for (std::uint8_t i = 0; i < place_count_; ++i) {
    if (places_[i].key == key) return i;
  }
  places_.make(place_count_);
  Place& place = places_[place_count_];
  place.key = key;
  place.owner = owner;
  place.stripe = &engine_.table.stripe_of(key);
  __builtin_prefetch(place.stripe);
  return place_count_++;
}

[[gnu::always_inline]] inline void Admission::lock_places() {
  for (std::uint8_t i = 0; i < place_count_; ++i) locks_.add(*places_[i].stripe);
  for (std::uint8_t i = 0; i < place_count_; ++i) engine_.table.prefetch(*places_[i].stripe, places_[i].key);
  locks_.lock();
}

// A ring is several cache lines: fetches its header and the bucket of now before anything waits for either. Where the
// cells lie is a guess, right when the record was made by requests like this one.
[[gnu::noinline]] void Admission::prefetch_rings() {
  std::array<std::uint32_t, kMaxPlaces> offsets;
  std::fill_n(offsets.begin(), place_count_, std::uint32_t{sizeof(Record)});
  for (const Demand& demand : demands_) {
    const Def& def = *engine_.defs.get(demand.counter);
    const std::uint8_t place = place_of_subject_[demand.subject];
    const Record* record = places_[place].record;
    if (record == nullptr) continue;
    const Shape shape = new_shape(def, demand.quota.amount);
    const char* cell = reinterpret_cast<const char*>(record) + offsets[place];
    if (shape == Shape::kRing32 || shape == Shape::kRing64) {
      const std::size_t word = shape == Shape::kRing32 ? sizeof(std::uint32_t) : sizeof(std::uint64_t);
      __builtin_prefetch(cell);
      __builtin_prefetch(cell + sizeof(RingCell) + def.slot_of(def.bucket_of(now_)) * word);
    }
    offsets[place] += static_cast<std::uint32_t>(new_cell_bytes(def, shape));
  }
}

// False if a subject has no record, has an owner, and its overflow is not known yet.
[[gnu::always_inline]] inline bool Admission::find_records() {
  if (place_count_ > 1) {
    for (std::uint8_t i = 0; i < place_count_; ++i) {
      const Stripe& stripe = *places_[i].stripe;
      stripe.lock.held();
      const Record* record = engine_.table.probable(stripe, places_[i].key);
      if (record == nullptr) continue;
      __builtin_prefetch(record);
      __builtin_prefetch(reinterpret_cast<const char*>(record) + 64);
    }
  }
  bool complete = true;
  for (std::uint8_t i = 0; i < place_count_; ++i) {
    Place& place = places_[i];
    place.stripe->lock.held();
    place.record = engine_.table.find(*place.stripe, place.key);
    place.cursor = sizeof(Record);
    place.t = std::max({now_, place.record == nullptr ? 0 : place.record->last_t, place.stripe->floor});
    if (place.record != nullptr || !place.owner) continue;
    if (place.overflow == kNoPlace) {
      complete = false;
    } else {
      place.use_overflow = engine_.table.owners().full(place.owner);
    }
  }
  return complete;
}

// Finds every demand's cell. Converting a cell of an older shape moves others of its record, so then all are found
// anew.
[[gnu::always_inline]] inline void Admission::locate_all() {
  for (bool converted = true; converted;) {
    converted = false;
    for (std::size_t i = 0; i < demands_.size(); ++i) {
      const Demand& demand = demands_[i];
      Step& step = steps_[i];
      step.def = engine_.defs.current(demand.counter);
      step.place = place_of_subject_[demand.subject];
      if (places_[step.place].use_overflow) step.place = places_[step.place].overflow;
      Place& place = places_[step.place];
      place.stripe->lock.held();
      step.cell = place.record == nullptr ? nullptr
                                          : engine_.find_next_cell(*place.stripe, place.record, *step.def, place.cursor,
                                                                   demand.quota.amount, converted);
    }
  }
}

[[gnu::always_inline]] inline std::int64_t Admission::pending_before(std::size_t i) const {
  std::int64_t pending = 0;
  for (std::size_t j = 0; j < i; ++j) {
    const bool same_cell = steps_[j].def == steps_[i].def && steps_[j].place == steps_[i].place;
    if (same_cell && steps_[j].charges) pending += demands_[j].cost;
  }
  return pending;
}

[[gnu::always_inline]] inline void Admission::assess_one(std::size_t i, Decision& decision) {
  const Demand& demand = demands_[i];
  Step& step = steps_[i];
  step.pending = pending_before(i);
  Quota room;
  const Quota& quota = quota_of(demand, room);
  const TimeNs t = places_[step.place].t;
  const Assessment state = assess(*step.def, step.cell, t, quota, demand.cost, step.pending);
  Verdict& verdict = decision.verdicts[i];
  verdict.refuses = state.refuses;
  verdict.reserved = std::min(state.open, state.total);
  verdict.used = state.total - verdict.reserved;
  verdict.reset_at = state.reset_at;
  verdict.retry_after = 0;
  if (state.refuses) {
    const DurationNs wait = state.retry_at - caller_now_;
    verdict.retry_after = state.retry_at == kNever ? kNever : std::max<DurationNs>(wait, 1);
    if (!demand.shadow) {
      decision.admitted = false;
      decision.retry_after = std::max(decision.retry_after, verdict.retry_after);
    }
  }
  step.span = state.span;
  step.refused = state.refuses;
  step.charges = !state.refuses && demand.cost > 0 && counts(step);
  if (step.charges) {
    ready_ = ready_ && step.cell != nullptr && fits(*step.def, *step.cell, t, demand.cost + step.pending, quota.amount);
  }
}

[[gnu::always_inline]] inline void Admission::assess_all(Decision& decision) {
  decision.admitted = true;
  decision.table_full = false;
  decision.replayed = false;
  decision.retry_after = 0;
  decision.count = static_cast<std::uint8_t>(demands_.size());
  ready_ = true;
  if (has_rings_) prefetch_rings();
  locate_all();
  for (std::size_t i = 0; i < demands_.size(); ++i) assess_one(i, decision);
}

void Admission::decide(Decision& decision) {
  for (std::size_t i = 0; i < subjects_.size(); ++i) {
    place_of_subject_[i] = place_of(subjects_[i].key, subjects_[i].owner);
  }
  lock_places();
  if (!find_records()) use_overflows();
  assess_all(decision);
}

// A subject would be new and its owner may be full: locks the overflows as well, then looks again.
[[gnu::noinline]] void Admission::use_overflows() {
  locks_.unlock();
  for (std::size_t i = 0; i < subjects_.size(); ++i) {
    if (!subjects_[i].owner || !subjects_[i].overflow) continue;
    const std::uint8_t overflow = place_of(subjects_[i].overflow, {});
    if (overflow != place_of_subject_[i]) places_[place_of_subject_[i]].overflow = overflow;
  }
  lock_places();
  find_records();
}

bool Admission::make_room(Decision& decision) {
  while (!ready_) {
    bool again = false;
    for (std::size_t i = 0; i < demands_.size() && !again; ++i) {
      Step& step = steps_[i];
      if (!step.charges) continue;
      Place& place = places_[step.place];
      place.stripe->lock.held();
      const bool is_new = place.record == nullptr;
      const std::int64_t amount = clamp_amount(demands_[i].quota.amount);
      const auto ready = engine_.make_ready(*place.stripe, place.record, place.key, place.owner, *step.def, place.t,
                                            demands_[i].cost + step.pending, amount, false);
      if (is_new && place.record != nullptr) ++inserted_;
      if (ready == Engine::Ready::kYes) continue;
      if (ready == Engine::Ready::kOwnerFull && place.overflow != kNoPlace) {
        place.use_overflow = again = true;
        continue;
      }
      decision.admitted = false;
      decision.table_full = true;
      std::fill_n(decision.verdicts.begin(), decision.count, Verdict{});
      inserted_ = kMaxDemands;  // look harder for something to evict
      return false;
    }
    for (std::uint8_t i = 0; i < place_count_; ++i) places_[i].cursor = sizeof(Record);
    if (again) {
      // Its owner filled up meanwhile: the overflow subject decides.
      assess_all(decision);
      if (!decision.admitted) return true;
      continue;
    }
    locate_all();
    ready_ = true;
  }
  return true;
}

void Admission::commit(std::vector<Effect>* effects, Reservation* reservation, bool top_up) {
  for (std::size_t i = 0; i < demands_.size(); ++i) {
    const Demand& demand = demands_[i];
    const Step& step = steps_[i];
    Quota room;
    const Quota& quota = quota_of(demand, room);
    const bool holds = reservation != nullptr && (demand.hold || step.def->kind == WindowKind::kConcurrency);
    if (holds && !top_up && !step.refused) {
      Held& held = reservation->add_held();
      held.subject = places_[step.place].key;
      held.counter = demand.counter;
      held.demand = static_cast<std::uint8_t>(i);
      held.shadow = demand.shadow;
      held.quota = quota;
      held.changes = step.def->identity->changes.load(std::memory_order_acquire);
    }
    if (!step.charges) continue;
    Place& place = places_[step.place];
    place.stripe->lock.held();
    const Booked booked = charge(*step.def, *step.cell,
                                 {.at = place.t,
                                  .units = demand.cost,
                                  .span = step.span,
                                  .pending = step.pending,
                                  .hold = holds,
                                  .quota = quota});
    place.record->last_t = place.t;
    if (effects != nullptr && step.def->kind != WindowKind::kConcurrency) {
      effects->push_back({.subject = place.key,
                          .counter = step.def->identity->hash,
                          .at = step.def->kind == WindowKind::kCalendar ? place.t : booked.at,
                          .amount = booked.amount,
                          .period_start = booked.period_start,
                          .epoch = place.stripe->epoch});
    }
    if (!holds) continue;
    Held& held = top_up ? reservation->held()[i] : reservation->held().back();
    if (top_up) forget_left(held, *step.def, place.t);
    held.units += demand.cost;
    if (step.def->kind == WindowKind::kBucket) {
      held.span = add_saturating(held.span, booked.amount);
    } else if (step.def->kind != WindowKind::kConcurrency) {
      add_charge(held, *step.def, step.cell->shape() == Shape::kLog, {.at = booked.at, .amount = booked.amount});
    }
  }
}

}  // namespace weir::engine
