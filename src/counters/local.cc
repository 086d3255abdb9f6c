#include "counters/local.h"

#include <utility>
#include <vector>

namespace weir {
namespace {

// A vector that keeps its memory between calls on one thread. A listener may call the counters again from within its
// event, so the memory is taken out of its place while in use.
class ReusedEffects {
 public:
  ReusedEffects() : effects_(std::exchange(place(), {})) { effects_.clear(); }
  ~ReusedEffects() { place() = std::move(effects_); }
  ReusedEffects(const ReusedEffects&) = delete;
  ReusedEffects& operator=(const ReusedEffects&) = delete;

  std::vector<Effect>& get() { return effects_; }

 private:
  static std::vector<Effect>& place() {
    thread_local std::vector<Effect> effects;
    return effects;
  }

  std::vector<Effect> effects_;
};

}  // namespace

CounterId LocalCounters::define(const CounterSpec& spec) {
  return limiter_.define(spec);
}

void LocalCounters::admit(const AdmitRequest& request, AdmissionEvents& events) {
  ReusedEffects effects;
  AdmitRequest with_effects = request;
  with_effects.effects = &effects.get();
  Decision decision;
  limiter_.admit(with_effects, decision);
  if (request.effects != nullptr) {
    request.effects->insert(request.effects->end(), effects.get().begin(), effects.get().end());
  }
  events.on_decision(CountersStatus::kOk, decision, effects.get());
}

void LocalCounters::peek(const AdmitRequest& request, AdmissionEvents& events) {
  Decision decision;
  limiter_.peek(request, decision);
  events.on_decision(CountersStatus::kOk, decision, {});
}

void LocalCounters::top_up(Hash128 id, std::span<const std::int64_t> extra, TimeNs now, AdmissionEvents& events) {
  ReusedEffects effects;
  Decision decision;
  limiter_.top_up(id, extra, now, decision, &effects.get());
  events.on_decision(CountersStatus::kOk, decision, effects.get());
}

void LocalCounters::settle(Hash128 id, std::span<const std::int64_t> actual, TimeNs now, SettlementEvents& events) {
  ReusedEffects effects;
  const SettleResult result = limiter_.settle(id, actual, now, &effects.get());
  events.on_settled(CountersStatus::kOk, result.outcome, effects.get());
}

void LocalCounters::cancel(Hash128 id, TimeNs now, SettlementEvents& events) {
  ReusedEffects effects;
  const SettleResult result = limiter_.cancel(id, now, &effects.get());
  events.on_settled(CountersStatus::kOk, result.outcome, effects.get());
}

void LocalCounters::forget(const void* /*events*/) {}  // no answer is ever under way

}  // namespace weir
