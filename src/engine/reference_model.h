// What the Limiter must be equal to, in the plainest code: maps, sums over everything, no locks, no packing.
// For tests only. One thing is shared with the real engine by definition: a refill rate is the fraction
// multiplier / 2^shift that rate_scale.h documents (computed here a second time, by searching).
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "engine/arithmetic.h"
#include "weir/limiter.h"

namespace weir::engine {

struct ModelCounter {
  WindowKind kind = WindowKind::kSliding;
  DurationNs window = 0;
  std::int64_t precision = 60;
};

class ReferenceModel {
 public:
  explicit ReferenceModel(std::vector<ModelCounter> counters) : counters_(std::move(counters)) {}

  Decision admit(const AdmitRequest& request) {
    const Decision decision = peek(request);
    if (decision.admitted && !decision.replayed) charge(request, decision);
    return decision;
  }

  Decision peek(const AdmitRequest& request) const {
    if (const auto known = reservations_.find(request.id); request.id && known != reservations_.end()) {
      Decision replay = known->second.decision;
      replay.replayed = true;
      if (known->second.closed) replay.verdicts = {};
      return replay;
    }
    return decide(request.subjects, request.demands, request.now);
  }

  // Books what `decision` has admitted.
  void charge(const AdmitRequest& request, const Decision& decision) {
    Reservation reservation{.decision = decision, .deadline = request.deadline, .held = {}};
    for (std::size_t i = 0; i < request.demands.size(); ++i) {
      const Demand& demand = request.demands[i];
      const bool gauge = counters_[demand.counter].kind == WindowKind::kConcurrency;
      const bool holds = request.id && (demand.hold || gauge);
      if (decision.verdicts[i].refuses || (gauge && !request.id)) continue;
      const Key key{request.subjects[demand.subject].key, demand.counter};
      Held held{.key = key, .demand = i, .shadow = demand.shadow, .quota = demand.quota, .pieces = {}};
      book(held, demand.cost, time_of(key.subject, request.now), holds);
      if (holds) reservation.held.push_back(held);
    }
    if (request.id) reservations_[request.id] = reservation;
  }

  Decision top_up(Hash128 id, const std::vector<std::int64_t>& extra, TimeNs now) {
    const Decision decision = try_top_up(id, extra, now);
    if (!decision.admitted) return decision;
    for (Held& held : reservations_[id].held) {
      if (decision.verdicts[held.demand].refuses) continue;
      book(held, extra[held.demand], time_of(held.key.subject, now), true);
    }
    return decision;
  }

  // What top_up() would answer. A demand that asks for nothing cannot refuse.
  Decision try_top_up(Hash128 id, const std::vector<std::int64_t>& extra, TimeNs now) const {
    Decision decision;
    decision.retry_after = kNever;
    const auto found = reservations_.find(id);
    if (found == reservations_.end() || !found->second.open) return decision;
    decision.admitted = true;
    decision.retry_after = 0;
    decision.count = found->second.decision.count;
    for (const Held& held : found->second.held) {
      const std::int64_t cost = extra[held.demand];
      Verdict& v = decision.verdicts[held.demand] =
          verdict(held.key, time_of(held.key.subject, now), now, held.quota, cost);
      if (!v.refuses || held.shadow || cost == 0) continue;
      decision.admitted = false;
      decision.retry_after = std::max(decision.retry_after, v.retry_after);
    }
    return decision;
  }

  // What settle() would answer.
  Outcome outcome_of(Hash128 id) const {
    const auto found = reservations_.find(id);
    if (found == reservations_.end()) return Outcome::kUnknown;
    return found->second.closed ? Outcome::kRepeated : Outcome::kDone;
  }

  // `actual` empty: nothing was used.
  Outcome settle(Hash128 id, const std::vector<std::int64_t>& actual, TimeNs now) {
    const Outcome outcome = outcome_of(id);
    if (outcome != Outcome::kDone) return outcome;
    Reservation& reservation = reservations_[id];
    for (Held& held : reservation.held) {
      if (reservation.open) release(held);
      adjust(held, actual.empty() ? 0 : actual[held.demand], time_of(held.key.subject, now));
    }
    reservation.open = false;
    reservation.closed = true;
    return Outcome::kDone;
  }

  std::size_t expire(TimeNs now) {
    std::size_t count = 0;
    for (const auto& [id, reservation] : reservations_) {
      if (!is_due(id, now)) continue;
      expire_one(id);
      ++count;
    }
    return count;
  }

  bool is_due(Hash128 id, TimeNs now) const {
    const auto found = reservations_.find(id);
    return found != reservations_.end() && found->second.open && found->second.deadline <= now;
  }

  void expire_one(Hash128 id) {
    Reservation& reservation = reservations_[id];
    for (Held& held : reservation.held) release(held);
    reservation.open = false;
  }

  // Equal for equal states, whatever led to them, and hardly ever for others.
  std::uint64_t digest() const {
    std::uint64_t sum = 0x9E3779B97F4A7C15ull;
    const auto add = [&](auto... values) {
      ((sum = (sum ^ static_cast<std::uint64_t>(values)) * 0xD6E8FEB86659FD93ull, sum ^= sum >> 32), ...);
    };
    for (const auto& [key, cell] : cells_) {
      add(key.subject.high, key.subject.low, key.counter, cell.open, cell.arrival, cell.ring);
      for (const auto* amounts : {&cell.booked, &cell.open_in}) {
        for (const auto& [slot, units] : *amounts) units == 0 ? void() : add(slot, units);
        add(-1);
      }
    }
    for (const auto& [subject, t] : last_) add(subject.high, subject.low, t);
    for (const auto& [id, reservation] : reservations_) {
      add(id.high, id.low, reservation.open, reservation.closed, reservation.decision.retry_after);
      for (const Held& held : reservation.held) {
        add(held.demand, held.units, held.span);
        for (const Piece& piece : held.pieces) add(piece.at, piece.units);
      }
    }
    return sum;
  }

 private:
  struct Key {
    Hash128 subject;
    CounterId counter = 0;
    auto operator<=>(const Key&) const = default;
  };
  struct Cell {
    std::map<std::int64_t, std::int64_t> booked;   // log: instant, ring: bucket, calendar: period start -> units
    std::map<std::int64_t, std::int64_t> open_in;  // calendar: period start -> units held
    std::int64_t open = 0;
    TimeNs arrival = 0;
    bool ring = false;
  };
  struct Piece {
    TimeNs at = 0;
    std::int64_t units = 0;
  };
  struct Held {
    Key key;
    std::size_t demand = 0;
    bool shadow = false;
    Quota quota;
    std::vector<Piece> pieces;  // oldest first
    std::int64_t units = 0;
    DurationNs span = 0;
  };
  struct Reservation {
    Decision decision;
    TimeNs deadline = 0;
    std::vector<Held> held;
    bool open = true;
    bool closed = false;
  };

  static DurationNs span(RefillRate rate, std::int64_t units) {
    // The search takes longer than everything else here together, so its last result is kept.
    thread_local RefillRate known;
    thread_local u128 factor = 0;
    thread_local int shift = 0;
    if (known.units != rate.units || known.per != rate.per) {
      const auto multiplier = [&](int s) {
        const auto per = static_cast<u128>(rate.per), count = static_cast<u128>(rate.units);
        return ((per << s) + count - 1) / count;
      };
      shift = 0;
      while (shift < 100 && multiplier(shift + 1) < (static_cast<u128>(1) << 63)) ++shift;
      known = rate;
      factor = multiplier(shift);
    }
    const u128 one = static_cast<u128>(1) << shift;
    return static_cast<DurationNs>((static_cast<u128>(units) * factor + one - 1) / one);
  }

  TimeNs time_of(const Hash128& subject, TimeNs now) const {
    const auto found = last_.find(subject);
    return found == last_.end() ? now : std::max(now, found->second);
  }

  // Periods of the tests have equal lengths, so the one of any instant is known.
  static TimeNs period_at(const Quota& quota, TimeNs t) {
    return t < quota.period_end ? quota.period_start : t - t % (quota.period_end - quota.period_start);
  }

  std::int64_t width(CounterId id) const {
    return (counters_[id].window + counters_[id].precision - 1) / counters_[id].precision;
  }
  std::int64_t place(const Key& key, const Cell& cell, TimeNs at) const {
    return cell.ring ? at / width(key.counter) : at;
  }
  // The instant at which what is booked in `slot` stops counting.
  TimeNs leaves(const Key& key, const Cell& cell, std::int64_t slot) const {
    const ModelCounter& counter = counters_[key.counter];
    return cell.ring ? (slot + counter.precision + 1) * width(key.counter) : slot + counter.window;
  }

  Verdict verdict(const Key& key, TimeNs t, TimeNs now, const Quota& quota, std::int64_t cost) const {
    const ModelCounter& counter = counters_[key.counter];
    const auto found = cells_.find(key);
    static const Cell kEmpty{};
    const Cell& cell = found == cells_.end() ? kEmpty : found->second;
    std::int64_t total = 0, open = cell.open;
    TimeNs reset_at = 0;
    std::optional<TimeNs> retry_at;
    if (counter.kind == WindowKind::kConcurrency) {
      total = open;
      retry_at = t + kSecond;
    } else if (counter.kind == WindowKind::kCalendar) {
      if (const auto it = cell.booked.find(period_at(quota, t)); it != cell.booked.end()) total = it->second;
      if (const auto it = cell.open_in.find(period_at(quota, t)); it != cell.open_in.end())
        open = it->second;
      else
        open = 0;
      if (total > 0) reset_at = quota.period_end;
      retry_at = quota.period_end;
    } else if (counter.kind == WindowKind::kBucket) {
      const DurationNs ahead = std::max<DurationNs>(cell.arrival - t, 0), burst = span(quota.rate, quota.amount);
      std::int64_t remaining = quota.amount;  // the most that would be admitted
      while (remaining > 0 && ahead + span(quota.rate, remaining) > burst) --remaining;
      total = quota.amount - remaining;
      for (std::int64_t debt = 0; ahead > burst && span(quota.rate, debt) < ahead - burst; ++debt)
        total = quota.amount + debt + 1;
      if (remaining < quota.amount) reset_at = t + ahead - (burst - span(quota.rate, remaining + 1));
      retry_at = t + ahead + span(quota.rate, cost) - burst;
    } else {
      for (const auto& [slot, units] : cell.booked) total += leaves(key, cell, slot) > t ? units : 0;
      std::int64_t left = total;
      for (const auto& [slot, units] : cell.booked) {
        if (leaves(key, cell, slot) <= t || units == 0) continue;
        if (reset_at == 0) reset_at = leaves(key, cell, slot);
        left -= units;
        if (!retry_at && left + cost <= quota.amount) retry_at = leaves(key, cell, slot);
      }
    }
    Verdict result{.refuses = total + cost > quota.amount, .reset_at = reset_at};
    result.reserved = std::min(open, total);
    result.used = total - result.reserved;
    if (result.refuses) result.retry_after = cost > quota.amount ? kNever : std::max<DurationNs>(*retry_at - now, 1);
    return result;
  }

  Decision decide(std::span<const Subject> subjects, std::span<const Demand> demands, TimeNs now) const {
    Decision decision;
    decision.admitted = true;
    decision.count = static_cast<std::uint8_t>(demands.size());
    for (std::size_t i = 0; i < demands.size(); ++i) {
      const Key key{subjects[demands[i].subject].key, demands[i].counter};
      Verdict& v = decision.verdicts[i] =
          verdict(key, time_of(key.subject, now), now, demands[i].quota, demands[i].cost);
      if (!v.refuses || demands[i].shadow) continue;
      decision.admitted = false;
      decision.retry_after = std::max(decision.retry_after, v.retry_after);
    }
    return decision;
  }

  void book(Held& held, std::int64_t units, TimeNs t, bool hold) {
    if (units == 0) return;
    Cell& cell = cells_[held.key];
    const WindowKind kind = counters_[held.key.counter].kind;
    last_[held.key.subject] = t;
    held.units += units;
    if (kind == WindowKind::kCalendar) {
      const TimeNs period = period_at(held.quota, t);
      cell.booked[period] += units;
      if (hold) cell.open_in[period] += units;
      held.pieces.push_back({.at = period, .units = units});
      return;
    }
    if (hold || kind == WindowKind::kConcurrency) cell.open += units;
    if (kind == WindowKind::kBucket) {
      cell.arrival = std::max(cell.arrival, t) + span(held.quota.rate, units);
      held.span += span(held.quota.rate, units);
    } else if (kind == WindowKind::kSliding) {
      cell.ring = held.quota.amount > 32;
      cell.booked[place(held.key, cell, t)] += units;
      held.pieces.push_back({.at = t, .units = units});
    }
  }

  void release(Held& held) {
    Cell& cell = cells_[held.key];
    if (counters_[held.key.counter].kind == WindowKind::kCalendar) {
      for (const Piece& piece : held.pieces) cell.open_in[piece.at] -= piece.units;
    } else {
      cell.open -= held.units;
    }
  }

  void adjust(Held& held, std::int64_t actual, TimeNs t) {
    Cell& cell = cells_[held.key];
    const WindowKind kind = counters_[held.key.counter].kind;
    if (kind == WindowKind::kConcurrency) return;
    if (kind == WindowKind::kBucket) {
      const DurationNs should = span(held.quota.rate, actual);
      if (should > held.span) {
        cell.arrival = std::max(cell.arrival, t) + should - held.span;
        last_[held.key.subject] = t;
      } else if (cell.arrival > t) {
        cell.arrival = std::max(cell.arrival - (held.span - should), t);
      }
      return;
    }
    if (actual > held.units) return book(held, actual - held.units, t, false);
    std::int64_t surplus = held.units - actual;
    for (auto piece = held.pieces.rbegin(); piece != held.pieces.rend() && surplus > 0; ++piece) {
      const std::int64_t part = std::min(surplus, piece->units);
      const std::int64_t slot = kind == WindowKind::kCalendar ? piece->at : place(held.key, cell, piece->at);
      surplus -= part;
      if (kind == WindowKind::kCalendar || leaves(held.key, cell, slot) > t) cell.booked[slot] -= part;
    }
  }

  std::vector<ModelCounter> counters_;
  std::map<Key, Cell> cells_;
  std::map<Hash128, TimeNs> last_;
  std::map<Hash128, Reservation> reservations_;
};

}  // namespace weir::engine
