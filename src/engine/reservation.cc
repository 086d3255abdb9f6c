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

Reservation* IdIndex::find(const Hash128& id) const {
  if (slots_.empty()) return nullptr;
  const std::uint64_t tag = tag_of(id);
  for (std::size_t slot = home(tag); slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    if (slots_[slot] >> kAddressBits == tag && pointer(slots_[slot])->id == id) return pointer(slots_[slot]);
  }
  return nullptr;
}

void IdIndex::insert(Reservation& reservation) {
  if ((size_ + 1) * 4 > slots_.size() * 3) grow();
  std::size_t slot = home(tag_of(reservation.id));
  while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
  slots_[slot] = entry_of(reservation);
  ++size_;
}

void IdIndex::erase(const Reservation& reservation) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = home(tag_of(reservation.id));
  while (pointer(slots_[hole]) != &reservation) hole = (hole + 1) & mask;
  for (std::size_t next = (hole + 1) & mask; slots_[next] != 0; next = (next + 1) & mask) {
    const std::size_t wanted = home(slots_[next] >> kAddressBits);
    if (((next - wanted) & mask) < ((next - hole) & mask)) continue;
    slots_[hole] = slots_[next];
    hole = next;
  }
  slots_[hole] = 0;
  --size_;
}

void IdIndex::grow() {
  std::vector<std::uint64_t> before(std::max<std::size_t>(slots_.size() * 2, 16));
  before.swap(slots_);
  size_ = 0;
  for (const std::uint64_t entry : before) {
    if (entry != 0) insert(*pointer(entry));
  }
}

void IdIndex::delete_all() {
  for (const std::uint64_t entry : slots_) delete pointer(entry);
}

Shelf::~Shelf() {
  by_id_.delete_all();
}

Reservation& Shelf::add(std::unique_ptr<Reservation> reservation) {
  by_id_.insert(*reservation);
  return *reservation.release();
}

void Shelf::remember(Reservation& reservation, TimeNs now, TimeNs since, std::size_t most) {
  reservation.closed_at = now;
  reservation.closed_after = nullptr;
  (newest_closed_ == nullptr ? oldest_closed_ : newest_closed_->closed_after) = &reservation;
  newest_closed_ = &reservation;
  ++closed_count_;
  forget(since, most);
}

void Shelf::forget(TimeNs since, std::size_t most) {
  while (oldest_closed_ != nullptr && (closed_count_ > most || oldest_closed_->closed_at < since)) {
    const std::unique_ptr<Reservation> forgotten(oldest_closed_);
    oldest_closed_ = forgotten->closed_after;
    if (oldest_closed_ == nullptr) newest_closed_ = nullptr;
    by_id_.erase(*forgotten);
    --closed_count_;
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
