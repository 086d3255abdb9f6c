#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "base/lru_map.h"
#include "behavior/caller_breakers.h"
#include "behavior/half_open.h"
#include "behavior/striped.h"

namespace weir {
namespace {

struct FailedRun {
  Hash128 run;
  std::uint64_t prompt = 0;
  TimeNs at = 0;
};

// How many runs ended within the window.
class Ends {
 public:
  void add_good(const Hash128& run, DurationNs within, TimeNs now) {
    turn(within, now);
    const std::uint64_t hash = Hash128Hash()(run);
    if (std::find(recent_.begin(), recent_.end(), hash) != recent_.end()) return;
    recent_[next_++ % recent_.size()] = hash;
    ++good_[slot_ % kSlots];
  }
  void add_failed(DurationNs within, TimeNs now) {
    turn(within, now);
    ++failed_[slot_ % kSlots];
  }
  std::int64_t good(DurationNs within, TimeNs now) {
    turn(within, now);
    return std::accumulate(good_.begin(), good_.end(), std::int64_t{0});
  }
  std::int64_t failed() const { return std::accumulate(failed_.begin(), failed_.end(), std::int64_t{0}); }

 private:
  static constexpr std::size_t kSlots = FailedPrompts::kSlots;

  void turn(DurationNs within, TimeNs now) {
    const auto at = static_cast<std::uint64_t>(now / std::max<DurationNs>(within / DurationNs{kSlots}, 1));
    if (at <= slot_) return;
    for (std::uint64_t left = std::min<std::uint64_t>(at - slot_, kSlots); left > 0; --left) {
      good_[(at - left + 1) % kSlots] = failed_[(at - left + 1) % kSlots] = 0;
    }
    slot_ = at;
    // A run that goes on counts again in the next window.
    if (at >= forget_at_) {
      recent_ = {};
      forget_at_ = at + kSlots;
    }
  }

  std::array<std::uint32_t, kSlots> good_{}, failed_{};
  std::array<std::uint64_t, FailedPrompts::kMaxRecentRuns> recent_{};
  std::size_t next_ = 0;
  std::uint64_t slot_ = 0, forget_at_ = 0;
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
  explicit Part(std::size_t most) : callers(most), ends(most) {}
  LruMap<Hash128, Caller, Hash128Hash> callers;
  LruMap<Hash128, Ends, Hash128Hash> ends;  // apart, so that callers who fail are not pushed out by those who do not
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

void FailedPrompts::end(Hash128 caller, Hash128 run, std::uint64_t prompt, bool failed, bool probe,
                        const BreakerRules& rules, TimeNs now) {
  const Threshold& threshold = rules.failed_prompts;
  if (threshold.count <= 0 && !probe) return;
  const auto part = impl_->parts.lock(caller);
  Ends& ends = part->ends.touch(caller);
  Caller* known = failed ? &part->callers.touch(caller) : part->callers.use(caller);
  if (!failed) ends.add_good(run, threshold.within, now);
  if (known == nullptr) return;
  std::erase_if(known->failed, [&](const FailedRun& other) {
    return other.run == run || (!failed && prompt != 0 && other.prompt == prompt);
  });
  if (!failed) {
    if (probe) {
      known->breaker.close();
      known->failed.clear();
    }
    if (known->failed.empty() && !known->breaker.is_open()) part->callers.erase(caller);
    return;
  }
  ends.add_failed(threshold.within, now);
  if (known->failed.size() >= kMaxFailedRuns) known->failed.erase(known->failed.begin());
  known->failed.push_back({.run = run, .prompt = prompt, .at = now});
  const std::int64_t count = known->count(threshold, now);
  // Where more failed than are remembered, the slots tell how many.
  const std::int64_t share = known->failed.size() < kMaxFailedRuns ? count : std::max(count, ends.failed());
  if (probe) {
    known->breaker.open(known->breaker.count() + 1, rules.cooldown, now);
  } else if (!known->breaker.is_open() && threshold.count > 0 &&
             count >= std::min<std::int64_t>(threshold.count, kMaxFailedRuns) &&
             share >= ends.good(threshold.within, now)) {
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
