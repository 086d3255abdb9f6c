// Reservations that outlive their process: what they hold is read out, and held again after a restart.
#include <algorithm>

#include "engine/admission.h"
#include "engine/windows.h"

namespace weir::engine {
namespace {

HeldDemand exported(const Held& held, const Def& def) {
  HeldDemand out{.subject = held.subject,
                 .counter = def.identity->hash,
                 .kind = def.kind,
                 .demand = held.demand,
                 .shadow = held.shadow,
                 .quota = held.quota,
                 .units = held.units,
                 .span = held.span};
  for (const Charge& charge : held.charges.older) out.charges.push_back({.at = charge.at, .amount = charge.amount});
  const Charge& newest = held.charges.newest;
  if (newest.amount > 0) out.charges.push_back({.at = newest.at, .amount = newest.amount});
  return out;
}

Held imported(const HeldDemand& demand, const Def& def) {
  Held held;
  held.subject = demand.subject;
  held.counter = def.id;
  held.demand = demand.demand;
  held.shadow = demand.shadow;
  held.quota = demand.quota;
  held.quota.amount = clamp_amount(held.quota.amount);
  held.units = std::clamp<std::int64_t>(demand.units, 0, kMaxTotal);
  held.span = std::max<DurationNs>(demand.span, 0);
  for (const HeldCharge& charge : demand.charges) {
    if (charge.amount <= 0) continue;
    if (held.charges.newest.amount > 0) held.charges.older.push_back(held.charges.newest);
    held.charges.newest = {.at = charge.at, .amount = charge.amount};
  }
  return held;
}

void open_hold(Cell& cell, const HeldDemand& demand) {
  const auto more = [](std::int64_t open, std::int64_t units) { return open + bookable(open, units); };
  switch (cell.shape()) {
    case Shape::kBucket: {
      auto& bucket = static_cast<BucketCell&>(cell);
      bucket.open = more(bucket.open, demand.units);
      break;
    }
    case Shape::kGauge: {
      auto& gauge = static_cast<GaugeCell&>(cell);
      gauge.in_flight = more(gauge.in_flight, demand.units);
      break;
    }
    case Shape::kCalendar: {
      auto& calendar = static_cast<CalendarCell&>(cell);
      for (const HeldCharge& charge : demand.charges) {
        if (charge.at == std::int64_t{calendar.period_s}) calendar.set_open(more(calendar.open(), charge.amount));
      }
      break;
    }
    default:
      set_open_holds(cell, more(open_holds(cell), demand.units));
  }
}

}  // namespace

bool Engine::adopt(const HeldDemand& demand, const Def& def) {
  if (demand.units <= 0) return true;
  Stripe& stripe = table.stripe_of(demand.subject);
  const SpinGuard guard(stripe.lock);
  Record* record = table.find(stripe, demand.subject);
  const std::int64_t amount = clamp_amount(demand.quota.amount);
  if (make_ready(stripe, record, demand.subject, {}, def, 0, 0, amount, true) != Ready::kYes) return false;
  std::uint32_t cursor = sizeof(Record);
  bool converted = false;
  Cell* cell = find_cell(stripe, record, def, cursor, amount, converted);
  if (cell == nullptr) return false;
  open_hold(*cell, demand);
  return true;
}

}  // namespace weir::engine

namespace weir {

using engine::Def;
using engine::Held;
using engine::Reservation;
using engine::Shelf;
using engine::SpinGuard;

bool Limiter::held(Hash128 id, HeldReservation& out) const {
  out = {.id = id};
  if (!id) return false;
  Shelf& shelf = impl_->book.shelf_of(id);
  const SpinGuard guard(shelf.lock);
  Reservation* reservation = shelf.find(id);
  if (reservation == nullptr || reservation->state != engine::State::kOpen) return false;
  out.deadline = reservation->deadline;
  out.remember = reservation->remember;
  out.count = reservation->count;
  for (const Held& held : reservation->held()) {
    out.demands.push_back(engine::exported(held, *impl_->defs.current(held.counter)));
  }
  return true;
}

bool Limiter::adopt(const HeldReservation& from) {
  if (!from.id || from.count > kMaxDemands || from.demands.size() > from.count) return false;
  Shelf& shelf = impl_->book.shelf_of(from.id);
  const SpinGuard guard(shelf.lock);
  if (shelf.find(from.id) != nullptr || shelf.find_closed(from.id) >= 0) return false;
  if (!impl_->book.take_place()) return false;
  Decision decision;
  decision.count = from.count;
  Reservation* reservation = shelf.add(from.id, decision);
  if (reservation == nullptr) {
    impl_->book.free_place();
    return false;
  }
  reservation->deadline = from.deadline;
  reservation->remember = from.remember;
  for (const HeldDemand& demand : from.demands) {
    const Def* def = impl_->defs.find_defined(demand.counter, demand.kind);
    if (def == nullptr || demand.demand >= from.count) continue;
    if (impl_->adopt(demand, *def)) reservation->add_held() = engine::imported(demand, *def);
  }
  shelf.wheel.add(*reservation);
  return true;
}

}  // namespace weir
