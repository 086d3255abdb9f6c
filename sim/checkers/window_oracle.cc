// Keeps an exact log of everything that was charged, counter by counter, and holds every decision against it: what a
// verdict says must be in the log, what is admitted must fit by the log, what is given back must have been charged.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "checkers/checkers.h"
#include "checkers/exact_log.h"
#include "checkers/oracle_state.h"
#include "checkers/support.h"

namespace weir::sim {
namespace {

class WindowOracle final : public Checker {
 public:
  explicit WindowOracle(const Setup& setup) : Checker("window_oracle", setup.context), forgets_(forgets(setup.world)) {}

  void on_defined(CounterId id, const CounterSpec& spec) override {
    const std::uint64_t hash = counter_hash(spec.identity);
    const DurationNs width = spec.precision == 0 ? 0 : (spec.window + spec.precision - 1) / spec.precision;
    CounterShape& shape = shapes_[hash];
    const bool other = !shape.identity.empty() && (shape.window != spec.window || shape.width != width);
    if (other) state_.doubt_counter(hash);
    if (other) shape.loose_until = latest_ + shape.window + spec.window + 2 * shape.width;
    if (moved_.erase(hash) > 0 && spec.formerly.empty()) state_.doubt_counter(hash);
    if (!spec.formerly.empty()) moved_.insert(counter_hash(spec.formerly));
    if (!spec.formerly.empty()) take_over(shape, counter_hash(spec.formerly), hash, spec.window);
    defined_.insert(hash);
    shape.identity = spec.identity;
    shape.kind = spec.kind;
    shape.window = spec.window;
    shape.width = width;
    ids_[id] = hash;
  }

  void on_node(NodeEvent event, TimeNs now) override {
    if (event != NodeEvent::kCrashed && event != NodeEvent::kStopped) return;
    state_.process_ended(now - forgets_);
    ids_.clear();
    defined_.clear();
  }
  void on_opened(Hash128 id, const UsageRow& row) override {
    if (Reservation* held = state_.find(id)) {
      held->opened = true;
      held->survives = row.route == "/weir/v1/admit";
    }
  }

  void on_decided(const Decided& decided) override {
    latest_ = std::max(latest_, decided.at);
    if (given_up_) return;
    switch (decided.what) {
      case Decided::What::kPeek:
        return judge_verdicts(decided);
      case Decided::What::kAdmit:
        if (decided.decision->replayed) return;
        judge_verdicts(decided);
        if (decided.decision->admitted) charge(decided);
        return;
      case Decided::What::kTopUp:
        if (decided.decision->admitted) top_up(decided);
        return;
      case Decided::What::kSettle:
      case Decided::What::kCancel:
        if (decided.outcome == Outcome::kDone) close(decided);
        return;
      case Decided::What::kExpire:
        state_.release(decided.id);
        return;
    }
  }

 private:
  void take_over(CounterShape& shape, std::uint64_t from, std::uint64_t to, DurationNs window) {
    const auto before = shapes_.find(from);
    if (before == shapes_.end() || from == to || !defined_.contains(from) || defined_.contains(to)) return;
    // Requests of the policy before still ask under the old id, and count under the new name.
    defined_.erase(from);
    for (auto& [id, counter] : ids_) counter = counter == from ? to : counter;
    state_.move_counter(from, to);
    state_.doubt_counter(to);
    shape.loose_until = latest_ + before->second.window + window + 2 * before->second.width;
  }

  const CounterShape* shape_of(CounterId id, std::uint64_t& hash) const {
    const auto found = ids_.find(id);
    if (found == ids_.end()) return nullptr;
    hash = found->second;
    const auto shape = shapes_.find(hash);
    return shape == shapes_.end() ? nullptr : &shape->second;
  }

  // The counter that a demand of this decision speaks of. Whether an owner's overflow was used shows only in effects.
  std::optional<CounterKey> key_of(const Decided& decided, const Demand& demand, std::uint64_t hash) const {
    const Subject& subject = decided.subjects[demand.subject];
    if (!subject.owner) return CounterKey{subject.key, hash};
    for (const Effect& effect : decided.effects) {
      if (effect.counter != hash) continue;
      if (effect.subject == subject.key || effect.subject == subject.overflow) return CounterKey{effect.subject, hash};
    }
    return std::nullopt;
  }

  void judge_verdicts(const Decided& decided) {
    const Decision& decision = *decided.decision;
    if (decision.table_full || decision.count != decided.demands.size()) return;
    bool refuses = false;
    for (std::size_t i = 0; i < decided.demands.size(); ++i) {
      const Demand& demand = decided.demands[i];
      const Verdict& verdict = decision.verdicts[i];
      refuses = refuses || (verdict.refuses && !demand.shadow);
      std::uint64_t hash = 0;
      const CounterShape* shape = shape_of(demand.counter, hash);
      if (shape == nullptr) continue;
      judge_arithmetic(decided, i, *shape);
      const auto key = key_of(decided, demand, hash);
      if (key) judge_total(decided, demand, verdict, *shape, *key);
    }
    if (refuses == decision.admitted) {
      fail(fmt::format("a decision says admitted={} although {} limit refuses", decision.admitted,
                       refuses ? "a" : "no"));
    }
  }

  void judge_arithmetic(const Decided& decided, std::size_t i, const CounterShape& shape) {
    if (shape.kind == WindowKind::kBucket) return;
    const Demand& demand = decided.demands[i];
    const Verdict& verdict = decided.decision->verdicts[i];
    std::int64_t asked = demand.cost;
    for (std::size_t j = 0; j < i; ++j) {
      const Demand& before = decided.demands[j];
      const bool same = before.counter == demand.counter && before.subject == demand.subject;
      if (same && !decided.decision->verdicts[j].refuses) asked += before.cost;
    }
    looked();
    const bool over = verdict.used + verdict.reserved + asked > demand.quota.amount;
    if (over == verdict.refuses) return;
    fail(fmt::format("{}: used {} + reserved {} + asked {} of {}, and refuses={}", shape.identity, verdict.used,
                     verdict.reserved, asked, demand.quota.amount, verdict.refuses));
  }

  void judge_total(const Decided& decided, const Demand& demand, const Verdict& verdict, const CounterShape& shape,
                   const CounterKey& key) {
    const std::int64_t total = verdict.used + verdict.reserved;
    ExactLog::Sums sums;
    switch (shape.kind) {
      case WindowKind::kBucket:
        return;
      case WindowKind::kConcurrency:
        sums = state_.in_flight(key);
        break;
      case WindowKind::kCalendar:
        if (decided.at < demand.quota.period_start || decided.at >= demand.quota.period_end) return;
        if (state_.newest_period(key) > demand.quota.period_start) return;  // the clock was set back
        sums = state_.in_period(key, demand.quota.period_start);
        break;
      case WindowKind::kSliding:
        sums = state_.in_window(key, decided.at, shape);
        if (decided.at < shape.loose_until) sums.high = std::max(sums.high, total);
        break;
    }
    looked();
    if (total >= sums.low && total <= sums.high) return;
    fail(fmt::format("{}: says {} used and {} reserved, the log holds {} to {}", shape.identity, verdict.used,
                     verdict.reserved, sums.low, sums.high));
  }

  void charge(const Decided& decided) {
    Reservation reservation;
    auto effect = decided.effects.begin();
    for (std::size_t i = 0; i < decided.demands.size(); ++i) {
      const Demand& demand = decided.demands[i];
      std::uint64_t hash = 0;
      const CounterShape* shape = shape_of(demand.counter, hash);
      if (shape == nullptr || moved_.contains(hash)) return;  // charged under its later name
      const bool charges = demand.cost > 0 && !decided.decision->verdicts[i].refuses;
      const bool holds = decided.id && (demand.hold || shape->kind == WindowKind::kConcurrency);
      const auto key = key_of(decided, demand, hash);
      const bool has_effect = charges && shape->kind != WindowKind::kConcurrency;
      // A request that began before a reload, charged under the name that its counter has now: what follows is not
      // followed any more in this run.
      if (has_effect && effect != decided.effects.end() && effect->counter != hash &&
          shapes_.contains(effect->counter)) {
        given_up_ = true;
        return;
      }
      if (has_effect && (effect == decided.effects.end() || effect->counter != hash)) {
        return fail(fmt::format("{}: an admission of {} has no effect", shape->identity, demand.cost));
      }
      if (key && (charges || holds) && !decided.decision->verdicts[i].refuses) {
        HeldDemand held{.key = *key, .demand = i, .kind = shape->kind, .quota = demand.quota, .holds = holds};
        if (charges) book(decided, *shape, held, demand.cost, has_effect ? &*effect : nullptr, demand.shadow);
        reservation.demands.push_back(std::move(held));
      }
      if (has_effect) ++effect;
    }
    if (effect != decided.effects.end()) fail("an admission has more effects than demands that charge");
    if (decided.id) state_.open(decided.id, std::move(reservation));
  }

  void book(const Decided& decided, const CounterShape& shape, HeldDemand& held, std::int64_t cost,
            const Effect* effect, bool shadow, bool top_up = false) {
    held.units += cost;
    if (effect != nullptr && shape.kind != WindowKind::kBucket && effect->amount != cost) {
      fail(fmt::format("{}: charged {} for a cost of {}", shape.identity, effect->amount, cost));
    }
    const TimeNs now = context().schedule.now();
    std::int64_t most = held.quota.amount, after = 0;
    switch (shape.kind) {
      case WindowKind::kConcurrency:
        after = state_.take(held.key, cost);
        break;
      case WindowKind::kBucket: {
        const DurationNs over = state_.fill(held, decided.at, cost);
        looked();
        if (over > 0) fail(fmt::format("{}: a bucket is {} ns beyond its burst", shape.identity, over));
        return;
      }
      case WindowKind::kCalendar:
        state_.charge(held, {.at = effect->period_start, .id = decided.id, .amount = cost, .certain = cost}, now,
                      top_up);
        after = state_.in_period(held.key, effect->period_start).low;
        break;
      case WindowKind::kSliding:
        state_.charge(held, {.at = effect->at, .id = decided.id, .amount = cost, .certain = cost}, now, top_up);
        after = state_.in_window(held.key, decided.at, shape).low;
        break;
    }
    looked();
    if (after <= most || shadow) return;
    fail(fmt::format("{}: admitted {}, and its window now holds {} of {}", shape.identity, cost, after, most));
  }

  void top_up(const Decided& decided) {
    Reservation* reservation = state_.find(decided.id);
    if (reservation == nullptr) return fail("a reservation that nobody opened was topped up");
    auto effect = decided.effects.begin();
    for (HeldDemand& held : reservation->demands) {
      const std::int64_t cost = held.demand < decided.amounts.size() ? decided.amounts[held.demand] : 0;
      const auto shape = shapes_.find(held.key.counter);
      if (!held.holds || cost <= 0 || shape == shapes_.end()) continue;
      if (decided.decision->verdicts[held.demand].refuses) continue;
      if (moved_.contains(held.key.counter)) {  // what it was charged went to the counter's new name
        held.moved = true;
        continue;
      }
      const bool has_effect = held.kind != WindowKind::kConcurrency;
      const auto same = [&](const Effect& one) { return one.counter == held.key.counter; };
      if (has_effect) effect = std::find_if(effect, decided.effects.end(), same);
      if (has_effect && effect == decided.effects.end()) {
        return fail(fmt::format("{}: a top-up of {} has no effect", shape->second.identity, cost));
      }
      book(decided, shape->second, held, cost, has_effect ? &*effect : nullptr, false, true);
      if (has_effect) ++effect;
    }
  }

  void close(const Decided& decided) {
    Reservation* reservation = state_.find(decided.id);
    if (reservation == nullptr) return fail("a reservation was settled that nobody opened, or for the second time");
    const TimeNs now = context().schedule.now();
    for (HeldDemand& held : reservation->demands) {
      const auto shape = shapes_.find(held.key.counter);
      if (!held.holds || shape == shapes_.end() || held.kind == WindowKind::kConcurrency) continue;
      const std::int64_t actual = held.demand < decided.amounts.size() ? decided.amounts[held.demand] : 0;
      if (held.kind == WindowKind::kBucket) {
        state_.drain(held, decided.at, actual);
        continue;
      }
      const std::int64_t must = state_.still_counted(held, decided.at, shape->second);
      std::int64_t given = 0, more = 0;
      for (const Effect& effect : decided.effects) {
        if (effect.counter != held.key.counter || effect.subject != held.key.subject) continue;
        if (effect.amount > 0) {
          const TimeNs at = held.kind == WindowKind::kCalendar ? effect.period_start : effect.at;
          state_.charge(held, {.at = at, .id = decided.id, .amount = effect.amount, .certain = effect.amount}, now,
                        false);
          more += effect.amount;
        } else if (!state_.give_back(held, decided.id, effect, now)) {
          fail(fmt::format("{}: {} were given back that were not charged", shape->second.identity, -effect.amount));
        }
        given -= std::min<std::int64_t>(effect.amount, 0);
      }
      judge_close(held, actual, given, more, must, *reservation, shape->second.identity);
    }
    state_.release(decided.id);
    state_.forget(decided.id);
  }

  void judge_close(const HeldDemand& held, std::int64_t actual, std::int64_t given, std::int64_t more,
                   std::int64_t must, const Reservation& reservation, const std::string& name) {
    if (held.moved) return;
    looked();
    const std::int64_t surplus = std::max<std::int64_t>(held.units - actual, 0);
    const std::int64_t overrun = std::max<std::int64_t>(actual - held.units, 0);
    const auto same = [&](const HeldDemand& other) { return other.key == held.key; };
    if (std::count_if(reservation.demands.begin(), reservation.demands.end(), same) > 1) return;
    if (more != overrun) {
      fail(fmt::format("{}: held {}, used {}, and {} more were charged", name, held.units, actual, more));
    }
    if (given > surplus) {
      fail(fmt::format("{}: held {}, used {}, and {} were given back", name, held.units, actual, given));
    }
    if (!reservation.earlier_process && given < std::min(surplus, must)) {
      fail(fmt::format("{}: held {}, used {}, {} of it still counted, and only {} were given back", name, held.units,
                       actual, must, given));
    }
  }

  const DurationNs forgets_;
  TimeNs latest_ = 0;
  std::unordered_map<std::uint64_t, CounterShape> shapes_;
  std::unordered_map<CounterId, std::uint64_t> ids_;
  std::unordered_set<std::uint64_t> defined_, moved_;  // moved: what was counted goes on under another name
  OracleState state_;
  bool given_up_ = false;
};

}  // namespace

std::unique_ptr<Checker> make_window_oracle(const Setup& setup) {
  return std::make_unique<WindowOracle>(setup);
}

}  // namespace weir::sim
