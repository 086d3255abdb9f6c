#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/lru_map.h"
#include "behavior/caller_breakers.h"
#include "behavior/half_open.h"
#include "behavior/striped.h"

namespace weir {
namespace {

// Instants of the last so many events; those that left the window are dropped from the front.
class Times {
 public:
  void add(TimeNs at) {
    if (size() >= Unlinked::kMaxCounted) ++first_;
    times_.push_back(at);
    tidy();
  }
  std::int64_t count(DurationNs within, TimeNs now) {
    while (first_ < times_.size() && times_[first_] <= now - within) ++first_;
    tidy();
    return static_cast<std::int64_t>(size());
  }
  void clear() { *this = {}; }

 private:
  std::size_t size() const { return times_.size() - first_; }
  void tidy() {
    if (first_ < 16 || 2 * first_ < times_.size()) return;
    times_.erase(times_.begin(), times_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  std::vector<TimeNs> times_;
  std::size_t first_ = 0;
};

enum class LastEnd : std::uint8_t { kNone, kGood, kFailed };

struct Print {
  HalfOpen breaker;
  bool opened_by_repeats = false;
  LastEnd last = LastEnd::kNone;
  std::int64_t in_flight = 0, lately = 0;  // … and of those that began since `lately_since`
  TimeNs lately_since = 0;
  TimeNs told_at = 0, told_until = 0;  // of the last refusal that told a wait while nothing was in flight
  Times repeats, failures;

  void begin(TimeNs now) {
    ++in_flight;
    if (now - lately_since >= Unlinked::kPatience) {
      lately_since = now;
      lately = 0;
    }
    ++lately;
  }
  std::int64_t may_fail(TimeNs now) const {
    if (last == LastEnd::kFailed) return in_flight;
    return now - lately_since < Unlinked::kPatience ? std::min(in_flight, lately) : 0;
  }
};

struct Caller {
  LruMap<std::uint64_t, Print> prints{Unlinked::kMaxPerCaller};
};

struct Part {
  explicit Part(std::size_t most_prints) : most(most_prints), callers(most_prints + 1) {}
  std::size_t most, total = 0;
  LruMap<Hash128, Caller, Hash128Hash> callers;

  Print* find(const Hash128& caller, std::uint64_t fingerprint) {
    Caller* known = callers.use(caller);
    return known == nullptr ? nullptr : known->prints.use(fingerprint);
  }

  Print& touch(const Hash128& caller, std::uint64_t fingerprint) {
    Caller& known = callers.touch(caller);
    total -= known.prints.size();
    Print& print = known.prints.touch(fingerprint);
    total += known.prints.size();
    if (total > most) make_room();
    return print;
  }

  // The caller that is least recently used goes with all it had; of a lone one its oldest fingerprint.
  void make_room() {
    if (callers.size() > 1) {
      const auto oldest = std::prev(callers.end());
      total -= oldest->second.prints.size();
      callers.erase(Hash128(oldest->first));
      return;
    }
    auto& prints = callers.use(callers.begin()->first)->prints;
    if (prints.size() < 2) return;
    prints.erase(std::uint64_t{std::prev(prints.end())->first});
    --total;
  }
};

std::int64_t enough(const Threshold& threshold) {
  return std::min<std::int64_t>(threshold.count, Unlinked::kMaxCounted);
}

BreakerTrip opened(Print& print, const BreakerRules& rules, DurationNs wait) {
  const Threshold& threshold = print.opened_by_repeats ? rules.unlinked_repeats : rules.unlinked_failed;
  BreakerTrip trip{.meter = print.opened_by_repeats ? "requests" : "errors",
                   .allowed = threshold.count,
                   .used = print.breaker.count(),
                   .retry_after = wait,
                   .first = print.breaker.tell()};
  trip.evidence = fmt::format("the same request {} {} times within {} s", print.opened_by_repeats ? "came" : "failed",
                              trip.used, threshold.within / kSecond);
  return trip;
}

// Failures that the window knows, and whether they are enough to open.
bool failed_enough(Print& print, const BreakerRules& rules, TimeNs now) {
  if (rules.unlinked_failed.count <= 0 || print.breaker.is_open()) return false;
  const std::int64_t failures = print.failures.count(rules.unlinked_failed.within, now);
  if (failures < enough(rules.unlinked_failed)) return false;
  print.opened_by_repeats = false;
  print.breaker.open(failures, rules.cooldown, now);
  return true;
}

// Too many in flight for what is known of them.
std::optional<BreakerTrip> too_busy(Print& print, bool model_route, const BreakerRules& rules, TimeNs now) {
  if (rules.unlinked_failed.count <= 0 || print.last == LastEnd::kGood) return std::nullopt;
  if (print.last == LastEnd::kNone && model_route) return std::nullopt;
  const std::int64_t failures = print.failures.count(rules.unlinked_failed.within, now);
  const std::int64_t in_flight = print.may_fail(now);
  if (failures + in_flight < enough(rules.unlinked_failed)) return std::nullopt;
  BreakerTrip trip{.meter = "errors",
                   .allowed = rules.unlinked_failed.count,
                   .used = failures + in_flight,
                   .retry_after = Unlinked::kBusy};
  trip.evidence =
      fmt::format("{} of the same request are in flight, {} failed and none has ended well since", in_flight, failures);
  return trip;
}

// Counts an arrival on a route that is not a model's; true if there were enough before it.
bool repeated_enough(Print& print, const BreakerRules& rules, TimeNs now) {
  const Threshold& threshold = rules.unlinked_repeats;
  if (threshold.count <= 0) return false;
  const std::int64_t before = print.repeats.count(threshold.within, now);
  if (before < enough(threshold)) {
    print.repeats.add(now);
    return false;
  }
  print.opened_by_repeats = true;
  print.breaker.open(before, rules.cooldown, now);
  return true;
}

}  // namespace

struct Unlinked::Impl {
  explicit Impl(std::size_t most)
      : parts([share = share_of(most, kStripes)] { return std::make_unique<Part>(share); }) {}
  Striped<Part, kStripes> parts;
};

Unlinked::Unlinked(Options options) : impl_(std::make_unique<Impl>(options.max_fingerprints)) {}
Unlinked::~Unlinked() = default;

BreakerGate Unlinked::enter(Hash128 caller, std::uint64_t fingerprint, bool model_route, const BreakerRules& rules,
                            TimeNs now) {
  if (fingerprint == 0) return {};
  const auto part = impl_->parts.lock(caller);
  Print& print = part->touch(caller, fingerprint);
  bool probe = false;
  if (print.breaker.is_open()) {
    const HalfOpen::Answer answer = print.breaker.ask(rules.cooldown, now);
    if (answer.wait > 0) return {.trip = opened(print, rules, answer.wait)};
    probe = answer.probe;
  } else {
    if (now > print.told_at && now < print.told_until) print.failures.add(now);
    if (failed_enough(print, rules, now)) return {.trip = opened(print, rules, std::max(rules.cooldown, kMillisecond))};
    if (auto trip = too_busy(print, model_route, rules, now)) return {.trip = std::move(trip)};
    if (!model_route && repeated_enough(print, rules, now))
      return {.trip = opened(print, rules, std::max(rules.cooldown, kMillisecond))};
  }
  print.begin(now);
  return {.trip = std::nullopt, .probe = probe};
}

void Unlinked::end(Hash128 caller, std::uint64_t fingerprint, bool failed, bool probe, const BreakerRules& rules,
                   TimeNs now) {
  if (fingerprint == 0) return;
  const auto part = impl_->parts.lock(caller);
  Print* print = part->find(caller, fingerprint);
  if (print == nullptr) return;
  print->in_flight = std::max<std::int64_t>(print->in_flight - 1, 0);
  print->last = failed ? LastEnd::kFailed : LastEnd::kGood;
  print->told_until = 0;  // it was let in, so there is nothing left to wait for
  if (failed) {
    print->failures.add(now);
    if (probe) print->breaker.open(print->breaker.count() + 1, rules.cooldown, now);
    failed_enough(*print, rules, now);
    return;
  }
  if (!probe) return;
  print->breaker.close();
  print->repeats.clear();
  print->failures.clear();
}

void Unlinked::refused(Hash128 caller, std::uint64_t fingerprint, TimeNs until, bool probe, TimeNs now) {
  if (fingerprint == 0) return;
  const auto part = impl_->parts.lock(caller);
  Print* print = part->find(caller, fingerprint);
  if (print == nullptr) return;
  print->in_flight = std::max<std::int64_t>(print->in_flight - 1, 0);
  if (until > now && print->in_flight == 0) {
    // The first of several that came together told it: what was on its way then did not know.
    if (now >= print->told_until) print->told_at = now;
    print->told_until = std::max(print->told_until, until);
  }
  if (probe) print->breaker.abandon();
}

void Unlinked::abandon(Hash128 caller, std::uint64_t fingerprint, bool probe) {
  refused(caller, fingerprint, 0, probe, 0);
}

DurationNs Unlinked::told(Hash128 caller, std::uint64_t fingerprint, TimeNs now) {
  if (fingerprint == 0) return 0;
  const auto part = impl_->parts.lock(caller);
  const Print* print = part->find(caller, fingerprint);
  return print == nullptr ? 0 : std::max<DurationNs>(print->told_until - now, 0);
}

std::size_t Unlinked::size() const {
  return impl_->parts.sum([](const Part& part) { return part.total; });
}

}  // namespace weir
