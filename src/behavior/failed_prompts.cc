#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/lru_map.h"
#include "behavior/caller_breakers.h"
#include "behavior/half_open.h"
#include "behavior/striped.h"

namespace weir {
namespace {

struct FailedRun {
  Hash128 run;
  TimeNs at = 0;
};

struct Caller {
  HalfOpen breaker;
  std::vector<FailedRun> failed;  // the oldest first

  std::int64_t count(const Threshold& threshold, TimeNs now) {
    std::erase_if(failed, [&](const FailedRun& run) { return run.at <= now - threshold.within; });
    return static_cast<std::int64_t>(failed.size());
  }
};

struct Part {
  explicit Part(std::size_t most) : callers(most) {}
  LruMap<Hash128, Caller, Hash128Hash> callers;
};

}  // namespace

struct FailedPrompts::Impl {
  explicit Impl(std::size_t most)
      : parts([share = share_of(most, kStripes)] { return std::make_unique<Part>(share); }) {}
  Striped<Part, kStripes> parts;
};

FailedPrompts::FailedPrompts(Options options) : impl_(std::make_unique<Impl>(options.max_callers)) {}
FailedPrompts::~FailedPrompts() = default;

BreakerGate FailedPrompts::enter(Hash128 caller, const BreakerRules& rules, TimeNs now) {
  const Threshold& threshold = rules.failed_prompts;
  if (threshold.count <= 0) return {};
  const auto part = impl_->parts.lock(caller);
  Caller* known = part->callers.use(caller);
  if (known == nullptr) return {};
  const HalfOpen::Answer answer = known->breaker.ask(rules.cooldown, now);
  if (answer.wait == 0) return {.trip = std::nullopt, .probe = answer.probe};
  BreakerTrip trip{.meter = "prompts", .allowed = threshold.count, .used = known->breaker.count()};
  trip.retry_after = answer.wait;
  trip.first = known->breaker.tell();
  trip.evidence = fmt::format("the last answer of {} runs of this caller within {} s failed", trip.used,
                              threshold.within / kSecond);
  return {.trip = std::move(trip)};
}

void FailedPrompts::end(Hash128 caller, Hash128 run, bool failed, bool probe, const BreakerRules& rules, TimeNs now) {
  const Threshold& threshold = rules.failed_prompts;
  const auto part = impl_->parts.lock(caller);
  Caller* known = failed && threshold.count > 0 ? &part->callers.touch(caller) : part->callers.use(caller);
  if (known == nullptr) return;
  std::erase_if(known->failed, [&](const FailedRun& other) { return other.run == run; });
  if (!failed) {
    if (probe) {
      known->breaker.close();
      known->failed.clear();
    }
    if (known->failed.empty() && !known->breaker.is_open()) part->callers.erase(caller);
    return;
  }
  if (known->failed.size() >= kMaxFailedRuns) known->failed.erase(known->failed.begin());
  known->failed.push_back({.run = run, .at = now});
  const std::int64_t count = known->count(threshold, now);
  if (probe) {
    known->breaker.open(known->breaker.count() + 1, rules.cooldown, now);
  } else if (!known->breaker.is_open() && threshold.count > 0 &&
             count >= std::min<std::int64_t>(threshold.count, kMaxFailedRuns)) {
    known->breaker.open(count, rules.cooldown, now);
  }
}

void FailedPrompts::abandon(Hash128 caller, bool probe) {
  if (!probe) return;
  const auto part = impl_->parts.lock(caller);
  if (Caller* known = part->callers.use(caller)) known->breaker.abandon();
}

std::size_t FailedPrompts::size() const {
  return impl_->parts.sum([](const Part& part) { return part.callers.size(); });
}

}  // namespace weir
