#include "engine/reservation.h"

#include <algorithm>
#include <bit>
#include <memory>

namespace weir::engine {

void Reservation::replay(Decision& decision) const {
  decision.admitted = true;
  decision.table_full = false;
  decision.replayed = true;
  decision.retry_after = 0;
  decision.count = count;
  std::copy_n(verdicts(), count, decision.verdicts.begin());
}

void add_charge(Held& held, const Def& def, bool in_log, const Charge& charge) {
  if (charge.amount == 0) return;
  auto& [newest, older] = held.charges;
  const bool joins =
      newest.amount > 0 && (newest.at == charge.at || (def.kind == WindowKind::kSliding && !in_log &&
                                                       def.bucket_of(newest.at) == def.bucket_of(charge.at)));
  if (joins) {
    newest.at = charge.at;
    newest.amount = add_saturating(newest.amount, charge.amount);
    return;
  }
  if (newest.amount > 0) {
    older.push_back(newest);
    if (def.kind == WindowKind::kSliding) {
      const TimeNs oldest = charge.at - def.window - def.width;
      const auto live = std::find_if(older.begin(), older.end(), [&](const Charge& c) { return c.at > oldest; });
      older.erase(older.begin(), live);
    } else if (older.size() >= 2) {
      older.erase(older.begin());
    }
  }
  newest = charge;
}

void forget_left(Held& held, const Def& def, TimeNs t) {
  const std::uint32_t changes = def.identity->changes.load(std::memory_order_acquire);
  if (def.kind != WindowKind::kSliding || held.changes == changes) return;
  held.changes = changes;
  const DurationNs shortest = def.identity->shortest.load(std::memory_order_relaxed);
  const auto left = [&](const Charge& charge) { return charge.at + shortest <= t; };
  std::erase_if(held.charges.older, left);
  if (left(held.charges.newest)) held.charges.newest = {};
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

Shelf::~Shelf() {
  // Their memory goes with the pool.
  by_id_.for_each([](Reservation& reservation) { std::destroy(reservation.held().begin(), reservation.held().end()); });
}

Reservation* Shelf::add(const Hash128& id, const Decision& decision) {
  void* memory = pool_->allocate(Reservation::bytes_for(decision.count), true);
  if (memory == nullptr) return nullptr;
  auto* reservation = new (memory) Reservation;
  reservation->id = id;
  reservation->count = decision.count;
  std::uninitialized_copy_n(decision.verdicts.begin(), decision.count, reservation->verdicts());
  by_id_.insert(*reservation);
  return reservation;
}

void Shelf::remove(Reservation& reservation) {
  if (reservation.state == State::kExpired) {
    TimingWheel::remove(reservation);  // from the list of expired ones
    --expired_count_;
  }
  by_id_.erase(reservation);
  std::destroy(reservation.held().begin(), reservation.held().end());
  pool_->release(&reservation, Reservation::bytes_for(reservation.count));
}

void Shelf::close(Reservation& reservation, TimeNs now) {
  if (reservation.remember) {
    if (closed_.size() == ClosedIds::kMost) closed_.drop_oldest();
    closed_.add(reservation.id, reservation.count, now);
  }
  remove(reservation);
}

void Shelf::expire(Reservation& reservation, TimeNs now) {
  reservation.state = State::kExpired;
  reservation.expired_at = now;
  reservation.previous = expired_.previous;
  reservation.next = &expired_;
  expired_.previous->next = &reservation;
  expired_.previous = &reservation;
  ++expired_count_;
}

void Shelf::forget(TimeNs since, std::size_t most) {
  while (closed() > 0) {
    auto* expired = expired_count_ == 0 ? nullptr : static_cast<Reservation*>(expired_.next);
    const bool ids_first = expired == nullptr || (!closed_.empty() && closed_.oldest_at() <= expired->expired_at);
    const TimeNs at = ids_first ? closed_.oldest_at() : expired->expired_at;
    if (closed() <= most && at + (ids_first ? ClosedIds::kPrecision : 0) >= since) return;
    if (ids_first) {
      closed_.drop_oldest();
    } else {
      remove(*expired);
    }
  }
}

ReservationBook::ReservationBook(const LimiterOptions& options) : max_open_(options.max_reservations) {
  // Small memories stay exact: one shelf. Large ones are split so that threads do not meet.
  shelf_count_ = std::bit_floor(std::clamp<std::size_t>(options.max_closed / 1024, 1, 64));
  while (options.max_closed / shelf_count_ > ClosedIds::kMost && shelf_count_ < kMostShelves) shelf_count_ *= 2;
  closed_per_shelf_ = options.max_closed / shelf_count_;
  shelves_ = std::make_unique<Shelf[]>(shelf_count_);
  for (std::size_t i = 0; i < shelf_count_; ++i) shelves_[i].use(pool_);
}

bool ReservationBook::take_place() {
  if (open_.fetch_add(1, std::memory_order_relaxed) < max_open_) return true;
  open_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

}  // namespace weir::engine
