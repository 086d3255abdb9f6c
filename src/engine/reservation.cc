#include "engine/reservation.h"

#include <algorithm>
#include <bit>

namespace weir::engine {

void Reservation::replay(Decision& decision) const {
  decision.admitted = true;
  decision.table_full = false;
  decision.replayed = true;
  decision.retry_after = 0;
  decision.count = count;
  std::copy(verdicts.begin(), verdicts.end(), decision.verdicts.begin());
}

void add_charge(Held& held, const Def& def, bool in_log, const Charge& charge) {
  if (charge.amount == 0) return;
  auto& charges = held.charges;
  if (!charges.empty()) {
    Charge& newest = charges.back();
    const bool joins = newest.at == charge.at || (def.kind == WindowKind::kSliding && !in_log &&
                                                  def.bucket_of(newest.at) == def.bucket_of(charge.at));
    if (joins) {
      newest.at = charge.at;
      newest.amount = add_saturating(newest.amount, charge.amount);
      return;
    }
  }
  if (def.kind == WindowKind::kSliding) {
    const TimeNs oldest = charge.at - def.window - def.width;
    const auto live = std::find_if(charges.begin(), charges.end(), [&](const Charge& c) { return c.at > oldest; });
    charges.erase(charges.begin(), live);
  } else if (charges.size() >= 2) {
    charges.erase(charges.begin());
  }
  charges.push_back(charge);
}

void Shelf::remember(const Reservation& reservation, TimeNs now, TimeNs since, std::size_t most) {
  closed_.push_back({.id = reservation.id, .at = now});
  forget(since, most);
}

void Shelf::forget(TimeNs since, std::size_t most) {
  while (!closed_.empty() && (closed_.size() > most || closed_.front().at < since)) {
    by_id_.erase(closed_.front().id);
    closed_.pop_front();
  }
}

ReservationBook::ReservationBook(const LimiterOptions& options) : max_open_(options.max_reservations) {
  // Small memories stay exact: one shelf. Large ones are split so that threads do not meet.
  shelf_count_ = std::bit_floor(std::clamp<std::size_t>(options.max_closed / 1024, 1, 64));
  closed_per_shelf_ = options.max_closed / shelf_count_;
  shelves_ = std::make_unique<Shelf[]>(shelf_count_);
}

bool ReservationBook::take_place() {
  if (open_.fetch_add(1, std::memory_order_relaxed) < max_open_) return true;
  open_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

}  // namespace weir::engine
