#include "checkers/oracle_state.h"

#include <algorithm>

namespace weir::sim {
namespace {

constexpr DurationNs kChangesKept = 15 * kMinute;
constexpr DurationNs kBucketSlack = 100 * kMicrosecond;  // the product rounds each charge up to a nanosecond

__extension__ using Wide = __int128;

Wide span_of(const RefillRate& rate, std::int64_t units) {
  return rate.units <= 0 ? 0 : (static_cast<Wide>(units) * rate.per << 16) / rate.units;
}

}  // namespace

ExactLog::Sums OracleState::in_window(const CounterKey& key, TimeNs t, const CounterShape& shape) {
  Counter& counter = counters_[key];
  return counter.log.sums(std::max(t, counter.last), shape.window, shape.width);
}

ExactLog::Sums OracleState::in_period(const CounterKey& key, TimeNs period) {
  return counters_[key].log.sums(period, 1, 0);
}

TimeNs OracleState::newest_period(const CounterKey& key) {
  return counters_[key].log.newest();
}

ExactLog::Sums OracleState::in_flight(const CounterKey& key) {
  const Counter& counter = counters_[key];
  return {.low = counter.taken_low, .high = counter.taken_high};
}

void OracleState::note(const Change& change) {
  changes_.push_back(change);
  while (changes_.front().done < change.done - kChangesKept) changes_.pop_front();
}

void OracleState::charge(HeldDemand& held, const ExactLog::Piece& piece, TimeNs now, bool top_up) {
  Counter& counter = counters_[held.key];
  counter.log.add(piece);
  counter.last = std::max(counter.last, piece.at);
  held.charges.push_back({.at = piece.at, .amount = piece.amount, .top_up = top_up});
  note({.done = now, .key = held.key, .id = piece.id, .at = piece.at, .amount = piece.amount});
}

// A reservation's charges in one bucket of a ring are one to the product, at the newest instant: so newest first, from
// the instant on that the effect names.
bool OracleState::give_back(HeldDemand& held, Hash128 id, const Effect& effect, TimeNs now) {
  const TimeNs newest = held.kind == WindowKind::kCalendar ? effect.period_start : effect.at;
  std::int64_t left = -effect.amount;
  for (auto charge = held.charges.rbegin(); charge != held.charges.rend() && left > 0; ++charge) {
    if (charge->at > newest || charge->amount == 0) continue;
    const std::int64_t part = std::min(left, charge->amount);
    counters_[held.key].log.give_back(id, charge->at, part);
    charge->amount -= part;
    left -= part;
    note({.done = now, .key = held.key, .id = id, .at = charge->at, .amount = -part});
  }
  return left == 0;
}

std::int64_t OracleState::still_counted(const HeldDemand& held, TimeNs t, const CounterShape& shape) {
  const TimeNs at = std::max(t, counters_[held.key].last);
  std::int64_t sum = 0;
  for (const HeldDemand::Charge& charge : held.charges) {
    const bool counts = held.kind == WindowKind::kCalendar
                            ? charge.at == newest_period(held.key) && t < held.quota.period_end
                            : charge.at > at - shape.window;
    if (counts) sum += charge.amount;
  }
  return sum;
}

std::int64_t OracleState::take(const CounterKey& key, std::int64_t cost) {
  Counter& counter = counters_[key];
  counter.taken_high += cost;
  return counter.taken_low += cost;
}

DurationNs OracleState::fill(const HeldDemand& held, TimeNs t, std::int64_t cost) {
  Counter& counter = counters_[held.key];
  const Wide now = static_cast<Wide>(t) << 16;
  counter.arrival = std::max(counter.arrival, now) + span_of(held.quota.rate, cost);
  const Wide over = (counter.arrival - now - span_of(held.quota.rate, held.quota.amount)) >> 16;
  return over > kBucketSlack ? static_cast<DurationNs>(std::min<Wide>(over, kMaxAmount)) : 0;
}

void OracleState::drain(const HeldDemand& held, TimeNs t, std::int64_t actual) {
  Counter& counter = counters_[held.key];
  const Wide now = static_cast<Wide>(t) << 16;
  const Wide change = span_of(held.quota.rate, actual) - span_of(held.quota.rate, held.units);
  if (change >= 0) {
    counter.arrival = std::max(counter.arrival, now) + change;
  } else if (counter.arrival > now) {
    counter.arrival = std::max(counter.arrival + change, now);
  }
}

Reservation* OracleState::find(Hash128 id) {
  const auto found = reservations_.find(id);
  return found == reservations_.end() ? nullptr : &found->second;
}

void OracleState::release(Hash128 id) {
  Reservation* reservation = find(id);
  if (reservation == nullptr || reservation->released) return;
  reservation->released = true;
  for (const HeldDemand& held : reservation->demands) {
    if (held.kind != WindowKind::kConcurrency) continue;
    Counter& counter = counters_[held.key];
    counter.taken_high -= held.units;
    if (reservation->surely_in_flight) counter.taken_low -= held.units;
  }
}

void OracleState::doubt_counter(std::uint64_t counter) {
  for (auto& [id, reservation] : reservations_) {
    for (const HeldDemand& held : reservation.demands) {
      if (held.key.counter == counter) reservation.earlier_process = true;
    }
  }
  for (auto& [key, state] : counters_) {
    if (key.counter == counter) state.log.doubt_all();
  }
}

void OracleState::move_counter(std::uint64_t from, std::uint64_t to) {
  std::vector<std::pair<CounterKey, Counter>> moved;
  for (const auto& [key, state] : counters_) {
    if (key.counter == from) moved.emplace_back(CounterKey{key.subject, to}, state);
  }
  for (auto& [key, state] : moved) counters_[key] = std::move(state);
  for (auto& [id, reservation] : reservations_) {
    for (HeldDemand& held : reservation.demands) {
      if (held.key.counter == from) held.key.counter = to;
    }
  }
}

void OracleState::process_ended(TimeNs since) {
  for (auto change = changes_.rbegin(); change != changes_.rend() && change->done > since; ++change) {
    ExactLog& log = counters_[change->key].log;
    if (change->amount > 0) {
      log.doubt(change->id, change->at, change->amount);
    } else {
      log.may_return(change->id, change->at, -change->amount);
    }
  }
  changes_.clear();
  for (auto& [key, counter] : counters_) {
    counter.taken_low = counter.taken_high = 0;
    counter.arrival = 0;
  }
  for (auto place = reservations_.begin(); place != reservations_.end();) {
    Reservation& reservation = place->second;
    for (const HeldDemand& held : reservation.demands) {
      for (const HeldDemand::Charge& charge : held.charges) {
        // Small top-ups are written with the next large one.
        if (!reservation.opened || charge.top_up) counters_[held.key].log.doubt(place->first, charge.at, charge.amount);
      }
      if (reservation.survives && held.kind == WindowKind::kConcurrency && !reservation.released) {
        counters_[held.key].taken_high += held.units;
      }
    }
    reservation.earlier_process = true;
    reservation.surely_in_flight = false;
    place = reservation.survives ? std::next(place) : reservations_.erase(place);
  }
}

}  // namespace weir::sim
