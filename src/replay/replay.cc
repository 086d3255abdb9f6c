#include "replay/replay.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "policy/llm_costs.h"
#include "replay/clockwork.h"
#include "replay/fixed_secret.h"
#include "replay/recorded_runs.h"
#include "replay/requests.h"
#include "tokens/output_history.h"
#include "tokens/output_hold.h"

namespace weir {
namespace {

constexpr TimeNs kEndOfTime = std::numeric_limits<TimeNs>::max();

OutputRule output_rule(const Policy& policy, const ReplayOptions& options) {
  const Reservation& r = policy.reservation;
  return {.whole_cap = options.whole_cap.value_or(r.reserve_whole_cap),
          .default_output = r.default_output,
          .trust_cap = r.trust_cap,
          .top_up = std::max<std::int64_t>(1, r.top_up)};
}

bool counts_runs(const Policy& policy) {
  return std::any_of(policy.limits.begin(), policy.limits.end(), [](const LimitRule& rule) {
    return std::any_of(rule.meter.begin(), rule.meter.end(),
                       [](const MeterTerm& term) { return term.kind == MeterKind::kRuns; });
  });
}

}  // namespace

const char* to_string(ReplayDecision decision) {
  static constexpr std::array kNames = {"allow", "degrade", "refuse"};
  return kNames[static_cast<std::size_t>(decision)];
}

class Replay::State {
 public:
  State(std::shared_ptr<const Policy> policy, ReplayOptions options, std::function<void(const ReplayedRow&)> decided)
      : options_(std::move(options)),
        decided_(std::move(decided)),
        limiter_({.max_reservations = kMaxInFlight, .max_closed = 1024, .stripes = 256}),
        rules_(Ruleset::compile(
            policy, [this](const CounterSpec& spec) { return limiter_.define(spec); }, fixed_secret())),
        rule_(output_rule(*policy, options_)),
        history_({.quantile = policy->reservation.quantile, .warmup = policy->reservation.warmup}),
        request_(*policy) {
    if (counts_runs(*policy)) runs_.emplace(policy->behavior);
  }

  void begin_trace(const TraceReader& trace) {
    absolute_ = trace.absolute();
    shift_.reset();
  }

  Result<void> add(const TraceRow& row);

  void finish() {
    run_until(kEndOfTime);
    summary_.open_reservations = static_cast<std::int64_t>(limiter_.stats().open_reservations);
  }

  const ReplaySummary& summary() const { return summary_; }

 private:
  Result<void> arrive_at(TimeNs in_trace);
  void run_until(TimeNs until);
  void top_up(Answer& answer, TimeNs at);
  void complete(const Answer& answer, TimeNs at);
  TimeNs next_event(const Answer& answer) const;
  Result<bool> plan();
  void read(const TraceRow& row);
  void hold_output(const TraceRow& row);
  Result<ReplayDecision> climb_ladder(const TraceRow& row);
  void admit(ReplayDecision decision);
  void refuse(std::string_view limit, std::optional<double> retry_after_s);
  void tell(ReplayDecision decision, std::string_view limit, std::optional<double> retry_after_s);
  void charge(const Answer& answer, TimeNs at, std::int64_t tokens) const {
    if (options_.charged && tokens > 0) options_.charged({answer.row, at - zero_, tokens});
  }

  ReplayOptions options_;
  std::function<void(const ReplayedRow&)> decided_;
  Limiter limiter_;
  std::shared_ptr<const Ruleset> rules_;
  OutputRule rule_;
  OutputHistory history_;
  Ladders ladders_;
  std::optional<RecordedRuns> runs_;  // where a limit counts them
  Clockwork clockwork_;
  ReplaySummary summary_;

  bool absolute_ = false;
  std::optional<DurationNs> shift_;  // of the present trace, once its first row is known
  std::optional<TimeNs> started_;
  TimeNs zero_ = 0, now_ = 0;

  // The row that is being decided.
  RowRequest request_;
  Plan plan_;
  Decision decision_;
  bool seen_ = false;  // by the ladders, before the row was changed
  Plan seen_plan_;
  Decision seen_state_;
  std::uint64_t history_key_ = 0;
  std::int64_t output_ = 0;   // that it will have
  std::int64_t ceiling_ = 0;  // that it may have
  std::int64_t held_ = 0;     // that it holds
  bool in_run_ = false;       // that `runs_` has entered
};

Result<void> Replay::State::arrive_at(TimeNs in_trace) {
  const TimeNs own = absolute_ ? in_trace : kReplayOrigin + in_trace;
  if (!shift_) {
    const TimeNs trace_zero = absolute_ ? in_trace : kReplayOrigin;
    shift_ = started_ ? std::max<DurationNs>(0, now_ - trace_zero) : 0;
    if (!started_) zero_ = trace_zero;
  }
  if (*shift_ > kMaxReplayTime - own) return fail("the traces together are longer than two centuries");
  const TimeNs at = own + *shift_;
  if (!started_) {
    started_ = at;
    summary_.first = at - zero_;
  }
  WEIR_CHECK(at >= now_);
  run_until(at);
  now_ = at;
  summary_.last = std::max(summary_.last, at - zero_);
  return {};
}

void Replay::State::run_until(TimeNs until) {
  while (Answer* answer = clockwork_.due(until)) {
    const TimeNs at = clockwork_.due_at();
    if (answer->covered < answer->output) {
      top_up(*answer, at);
      clockwork_.again(next_event(*answer));
      continue;
    }
    complete(*answer, at);
    clockwork_.end();
  }
}

// The first token that nothing was asked for yet, else the last one.
TimeNs Replay::State::next_event(const Answer& answer) const {
  return answer.asked + options_.service.of(std::min(answer.covered + 1, answer.output));
}

// As the gateway does before it relays a token that is not held. Here the answer goes on when it is refused: the debt
// is asked for again with the next tokens, and what is still owed at the end is charged then.
void Replay::State::top_up(Answer& answer, TimeNs at) {
  answer.covered = std::min(std::max(answer.covered, answer.held) + rule_.top_up, answer.ceiling);
  const std::int64_t tokens = answer.covered - answer.held;
  std::array<std::int64_t, kMaxDemands> extra{};
  for (std::size_t i = 0; i < answer.demands; ++i) {
    const auto wide = static_cast<__int128>(answer.step[i]) * tokens;
    extra[i] = static_cast<std::int64_t>(std::min<__int128>((wide + rule_.top_up - 1) / rule_.top_up, kMaxAmount));
  }
  limiter_.top_up(answer.id, std::span(extra).first(answer.demands), at, decision_);
  if (!decision_.admitted) {
    ++summary_.debts;
    return;
  }
  ++summary_.top_ups;
  charge(answer, at, std::min(answer.covered, answer.output) - answer.held);
  answer.held = answer.covered;
}

void Replay::State::complete(const Answer& answer, TimeNs at) {
  const auto done = limiter_.settle(answer.id, std::span(answer.actual).first(answer.demands), at);
  WEIR_CHECK(done.outcome == Outcome::kDone);
  charge(answer, at, answer.output - answer.held);
  if (!rule_.whole_cap) history_.learn(answer.history_key, answer.output);
  summary_.last = std::max(summary_.last, at - zero_);
}

// What the output holds, within the amounts of the limits that apply. `plan_` has the demands then.
void Replay::State::hold_output(const TraceRow& row) {
  history_key_ = OutputHistory::key(row.tenant, request_.model());
  const auto learned = rule_.whole_cap ? std::nullopt : history_.learned(history_key_);
  held_ = output_to_hold({.cap = ceiling_, .stream = true}, rule_, learned);
}

// False: an attribute that a limit needs is missing, so the row is refused.
Result<bool> Replay::State::plan() {
  for (int round = 0; round < 2; ++round) {
    if (const auto fault = rules_->plan(request_.attributes(), request_.costs(held_), now_, plan_)) {
      if (fault->kind == PlanFault::Kind::kMissingAttribute) return false;
      return std::unexpected(Error{fault->message});
    }
    const std::int64_t fits = fitting_output(plan_, request_.costs(held_), request_.price(), held_);
    if (fits == held_) break;
    held_ = fits;
  }
  return true;
}

// kDegrade: the request was changed, and planned anew; kRefuse: it cannot be, for lack of an attribute.
Result<ReplayDecision> Replay::State::climb_ladder(const TraceRow& row) {
  seen_ = rules_->has_ladder(plan_);
  if (!seen_) return ReplayDecision::kAllow;
  limiter_.peek({.subjects = plan_.subjects(), .demands = plan_.demands(), .now = now_}, seen_state_);
  seen_plan_ = plan_;
  Degradation change = rules_->degradation(plan_, seen_state_, request_.model(), ladders_);
  change.keep_what_changes(ceiling_, 0);  // a row has no messages to drop
  if (!change.any()) return ReplayDecision::kAllow;
  if (!change.model.empty()) request_.call(change.model);
  ceiling_ = std::min(ceiling_, std::max<std::int64_t>(0, change.max_tokens.value_or(ceiling_)));
  output_ = std::min(output_, ceiling_);
  hold_output(row);
  const auto planned = plan();
  if (!planned) return std::unexpected(planned.error());
  return *planned ? ReplayDecision::kDegrade : ReplayDecision::kRefuse;
}

// A load row has no run: it is one of its own, as a request without a header or calls is to the gateway. A row of a
// ledger without a run began none.
void Replay::State::read(const TraceRow& row) {
  TraceRow named = row;
  const std::string made_up = absolute_ ? std::string() : "row " + std::to_string(summary_.rows);
  if (row.run.empty()) named.run = made_up;
  request_.read(named);
  in_run_ = runs_ && !named.run.empty();
  if (in_run_) request_.begin_run(runs_->enter(request_.key(), named.run, now_));
}

Result<void> Replay::State::add(const TraceRow& row) {
  if (auto arrived = arrive_at(row.time); !arrived) return arrived;
  ++summary_.rows;
  read(row);
  output_ = row.output_tokens;
  ceiling_ = std::max(row.output_held >= 0 ? row.output_held : options_.max_tokens, output_);
  hold_output(row);
  const auto planned = plan();
  if (!planned) return std::unexpected(planned.error());
  if (!*planned) {
    refuse("", std::nullopt);
    return {};
  }
  const auto decision = climb_ladder(row);
  if (!decision) return std::unexpected(decision.error());
  if (*decision == ReplayDecision::kRefuse) {
    refuse("", std::nullopt);
    return {};
  }
  admit(*decision);
  return {};
}

void Replay::State::admit(ReplayDecision decision) {
  const Hash128 id{mixed(static_cast<std::uint64_t>(summary_.rows)), static_cast<std::uint64_t>(summary_.rows)};
  limiter_.admit({.subjects = plan_.subjects(),
                  .demands = plan_.demands(),
                  .now = now_,
                  .id = id,
                  .deadline = now_ + options_.service.of(output_) + kMinute,
                  .remember = false},
                 decision_);
  if (decision_.table_full) return refuse("table_full", std::nullopt);
  if (!decision_.admitted) {
    const Refusal refusal = rules_->refusal(plan_, decision_, request_.attributes(), now_);
    const bool never = refusal.retry_after_s < 0;
    return refuse(refusal.limit, never ? std::nullopt : std::optional(refusal.retry_after_s));
  }
  if (seen_) rules_->remember(seen_plan_, seen_state_, ladders_);
  Answer answer{.id = id, .row = summary_.rows, .asked = now_, .history_key = history_key_};
  answer.output = output_;
  answer.held = answer.covered = held_;
  answer.ceiling = ceiling_;
  answer.demands = static_cast<std::uint8_t>(plan_.demands().size());
  rules_->actuals(plan_, request_.used(output_), answer.actual);
  rules_->actuals(plan_, request_.one_step(rule_.top_up), answer.step);
  charge(answer, now_, request_.input_tokens() + std::min(held_, output_));
  if (in_run_) runs_->admit(now_, now_ + options_.service.of(output_));
  clockwork_.start(answer, next_event(answer));
  tell(decision, "", std::nullopt);
}

void Replay::State::refuse(std::string_view limit, std::optional<double> retry_after_s) {
  if (in_run_) runs_->refuse(now_);
  const std::string_view shown = limit.empty() ? "(attribute missing)" : limit;
  const auto found = summary_.refusals_by_limit.find(shown);
  if (found != summary_.refusals_by_limit.end()) {
    ++found->second;
  } else {
    summary_.refusals_by_limit.emplace(shown, 1);
  }
  const std::string tenant(request_.tenant());
  if (summary_.refusals_by_tenant.size() < kMaxTenantsCounted || summary_.refusals_by_tenant.contains(tenant)) {
    ++summary_.refusals_by_tenant[tenant];
  }
  tell(ReplayDecision::kRefuse, limit, retry_after_s);
}

void Replay::State::tell(ReplayDecision decision, std::string_view limit, std::optional<double> retry_after_s) {
  ReplayedRow out{.row = summary_.rows,
                  .time = now_ - zero_,
                  .tenant = request_.tenant(),
                  .decision = decision,
                  .limit = limit,
                  .reserved = request_.input_tokens() + held_,
                  .retry_after_s = retry_after_s};
  summary_.tokens_asked += out.reserved;
  if (decision == ReplayDecision::kRefuse) {
    ++summary_.refused;
  } else {
    out.settled = request_.input_tokens() + output_;
    summary_.tokens_used += *out.settled;
    ++summary_.allowed;
    if (decision == ReplayDecision::kDegrade) ++summary_.degraded;
  }
  if (decided_) decided_(out);
}

Replay::Replay(std::shared_ptr<const Policy> policy, ReplayOptions options,
               std::function<void(const ReplayedRow&)> decided)
    : state_(std::make_unique<State>(std::move(policy), std::move(options), std::move(decided))) {}

Replay::~Replay() = default;

void Replay::begin_trace(const TraceReader& trace) {
  state_->begin_trace(trace);
}

Result<void> Replay::add(const TraceRow& row) {
  return state_->add(row);
}

void Replay::finish() {
  state_->finish();
}

const ReplaySummary& Replay::summary() const {
  return state_->summary();
}

}  // namespace weir
