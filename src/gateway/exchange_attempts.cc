// Another attempt, of the same model or of its next fallback, before a byte went to the client.
#include <algorithm>
#include <utility>

#include "base/sites.h"
#include "gateway/exchange.h"

namespace weir {

void Exchange::report(ProviderHealth::Answer answer) {
  if (!call_ || std::exchange(reported_, true)) return;
  services_.learned->providers.answered(call_->provider().name, call_->model(), answer, services_.now,
                                        std::exchange(probing_, false));
}

// Aims at the next fallback whose provider may be called; if there is none, at what it was.
bool Exchange::next_open_target() {
  const LlmCall before = *call_;
  std::size_t passed = 0;
  while (call_->fall_back()) {
    ++passed;
    const ProviderHealth::Gate gate = services_.learned->providers.gate(
        call_->provider().name, call_->model(), call_->input() + call_->output_held(), services_.now);
    if (!gate.closed()) continue;
    probing_ = gate.probe;
    reached(gate.probe ? "retry.fallback-is-a-probe" : "retry.fallback");
    services_.metrics->fallbacks.add(1);
    while (passed-- > 0) attempts_.fell_back();
    return true;
  }
  call_ = before;
  return false;
}

// The attempt is over without an answer. True: another one follows, and nothing was settled. `produced`: it may have
// used something.
bool Exchange::try_again(AttemptFailure failure, bool produced) {
  if (!call_ || client_ == nullptr || answer_begun_ || settled_) return false;
  ProviderHealth& providers = services_.learned->providers;
  const auto may_retry = [&] {
    if (!providers.take_retry(call_->provider().name, services_.now)) return false;
    const ProviderHealth::Gate gate =
        providers.gate(call_->provider().name, call_->model(), call_->input() + call_->output_held(), services_.now);
    // A wait that the provider asked for is part of the pause already.
    if (gate.reason == ProviderHealth::Gate::Reason::kBreaker) return false;
    probing_ = gate.probe;
    return true;
  };
  const NextAttempt next =
      attempts_.after(failure, std::exchange(retry_after_, {}), services_.now, request_.id.low >> 8, may_retry);
  if (next.kind == NextAttempt::Kind::kNone) return false;
  const bool all_held = produced && saw_nothing();
  const Usage used = produced ? counted_usage(all_held) : Usage{};
  charge_what_was_held_ = all_held;
  const std::int64_t used_usd = call_->usd(used);
  Amounts amounts{};
  amounts_used(used, used == Usage{}, amounts);  // before another model with other prices is aimed at
  fell_back_ = next.kind == NextAttempt::Kind::kFallback;
  if (fell_back_ && !next_open_target()) return false;
  reached(all_held                                ? "retry.after-silence"
          : failure == AttemptFailure::kStatus502 ? "retry.after-reset"
                                                  : "retry.after-refusal");
  if (!fell_back_) services_.metrics->retries.add(1);
  release_upstream(false);
  used_ = used;
  used_usd_ = used_usd;
  used_amounts_ = amounts;
  phase_ = Phase::kWaiting;
  if (next.wait > 0) {
    client_->wake_at(services_.now + next.wait);
  } else {
    go_again();
  }
  return true;
}

void Exchange::client_woken() {
  if (phase_ == Phase::kWaiting) {
    go_again();
  } else if (phase_ == Phase::kQueueing) {
    --services_.queued;
    ask();
  }
}

// What the attempt may have used is settled, and the next one admitted anew; one that used nothing lends its
// reservation to the next of the same model.
void Exchange::go_again() {
  if (!fell_back_ && used_ == Usage{}) {
    forward(false);
    return;
  }
  phase_ = Phase::kReleasing;
  services_.counters->settle(reservation_, std::span(used_amounts_).first(plan_.demands().size()), services_.now,
                             *this);
}

void Exchange::readmit() {
  spent_ += used_;
  spent_usd_ += used_usd_;
  used_ = {};
  used_usd_ = 0;
  lost_place_ = true;
  phase_ = Phase::kReadmitting;
  if (client_ == nullptr) {
    reached("retry.client-left-before-readmission");
    on_readmission({}, {});
    return;
  }
  reservation_.high += 0x9e3779b97f4a7c15;  // ids are random: this one is nobody else's
  for (const Demand& demand : plan_.demands()) {
    if (!demand.hold) spent_at_once_.emplace_back(demand.counter, plan_.subjects()[demand.subject].key);
  }
  if (spent_ != Usage{}) costs_.set(MeterKind::kBytesIn, 0, 0);
  costs_.set(MeterKind::kRuns, 0, 0);  // one run, however often it is tried
  aim_attributes();
  if (plan_fitting()) {
    on_readmission({}, {});
    return;
  }
  // One request, however often it is tried; but a fallback's own limits see it for the first time.
  plan_.waive([&](const Demand& demand, const Subject& subject, const PlannedLimit&) {
    return !demand.hold && std::find(spent_at_once_.begin(), spent_at_once_.end(),
                                     std::pair(demand.counter, subject.key)) != spent_at_once_.end();
  });
  services_.counters->admit({.subjects = plan_.subjects(),
                             .demands = plan_.demands(),
                             .now = services_.now,
                             .id = reservation_,
                             .deadline = reservation_deadline(),
                             .remember = false},
                            *this);
}

// Refused: the client gets the last error.
void Exchange::on_readmission(const Decision& decision, std::span<const Effect> effects) {
  decision_ = decision;
  charge_what_was_held_ = false;
  if (!decision.admitted) {
    reached("retry.readmission-refused");
    end_probe();
    settle(Settled::kNone, {});
    return;
  }
  lost_place_ = false;
  const std::int64_t tokens = row_.reserved_tokens, usd = row_.usd_micros;
  hold_in_row();
  row_.reserved_tokens += spent_.total();
  row_.usd_micros += spent_usd_;
  services_.journal->top_up_held(request_.id, std::max<std::int64_t>(0, row_.reserved_tokens - tokens),
                                 std::max<std::int64_t>(0, row_.usd_micros - usd), effects);
  if (client_ == nullptr) {
    reached("retry.client-left-after-readmission");
    end_probe();
    settle(Settled::kNone, {});
    return;
  }
  phase_ = Phase::kOpening;
  services_.journal->when_written(*this);
}

}  // namespace weir
