#include "replay/agent_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "behavior/guard.h"
#include "replay/fixed_secret.h"
#include "replay/replay.h"
#include "replay/requests.h"

namespace weir {
namespace {

constexpr DurationNs kBetweenTraces = kHour;
constexpr std::string_view kDenied = "tools";  // the lists that deny have no name of their own

struct Judgement {
  AgentDecision decision = AgentDecision::kAllow;
  std::string guard, why;

  // The gravest is told; of equals the first.
  void add(AgentDecision more, std::string_view by, std::string_view reason) {
    static constexpr std::array kGravity = {0, 1, 4, 2, 3};  // by AgentDecision
    if (kGravity[static_cast<std::size_t>(more)] <= kGravity[static_cast<std::size_t>(decision)]) return;
    decision = more;
    guard = by;
    why = reason;
  }
  void add(const Trip& trip, bool acts) {
    const bool profile = trip.guard == "profile";
    add(profile ? AgentDecision::kAnomaly
        : acts  ? AgentDecision::kBreak
                : AgentDecision::kWarn,
        trip.guard, trip.evidence);
  }
};

Hash128 hash_of(std::string_view kind, std::string_view tenant, std::string_view name) {
  const std::uint64_t high = hash64(name, hash64(tenant, hash64(kind)));
  return {high, hash64(name, high)};
}

}  // namespace

const char* to_string(AgentDecision decision) {
  static constexpr std::array kNames = {"allow", "warn", "break", "refuse", "anomaly"};
  return kNames[static_cast<std::size_t>(decision)];
}

class AgentReplay::State {
 public:
  State(std::shared_ptr<const Policy> policy, std::function<void(const JudgedEvent&)> told, RecordedKeys* keys)
      : policy_(policy),
        told_(std::move(told)),
        keys_(keys),
        limiter_({.max_reservations = 1024, .max_closed = 1024, .stripes = 256}),
        rules_(Ruleset::compile(
            policy, [this](const CounterSpec& spec) { return limiter_.define(spec); }, fixed_secret())),
        guard_({.max_runs = 10'000, .max_links = 100'000}),
        request_(*policy_) {}

  void begin_file(bool ordinary) {
    end_trace();
    ordinary_ = ordinary;
  }

  Result<void> add(const AgentEvent& event) {
    if (auto placed = place(event); !placed) return placed;
    if (!ordinary_) ++summary_.events;
    switch (event.kind) {
      case AgentEvent::Kind::kModelCall:
        return call_model(event);
      case AgentEvent::Kind::kToolCall:
        return call_tool(event);
      case AgentEvent::Kind::kToolResult:
        if (event.in_next_request) return {};
        if (Judgement judgement; stand(event, judgement)) guard_.result(*entry_, event.result, now_);
        return {};
    }
    return {};
  }

  void end_trace() {
    if (!in_trace_) return;
    leave();
    guard_.end_all(policy_->behavior, now_);
    guard_.take_escalations();
    in_trace_ = false;
  }

  const AgentSummary& summary() const { return summary_; }

 private:
  Result<void> place(const AgentEvent& event);
  void enter(const AgentEvent& event, Arrival::Kind kind);
  bool stand(const AgentEvent& event, Judgement& judgement);
  void refused(TimeNs until);
  void leave();
  Result<void> call_model(const AgentEvent& event);
  Result<void> call_tool(const AgentEvent& event);
  Result<bool> admit(const Attributes& attributes, const Costs& most, const Costs& used, Judgement& judgement);
  Attributes attributes_of_entry() const;
  void take_notes(Judgement& judgement);
  void tell(const AgentEvent& event, std::string_view tool, const Judgement& judgement);

  std::shared_ptr<const Policy> policy_;
  std::function<void(const JudgedEvent&)> told_;
  RecordedKeys* keys_;
  Limiter limiter_;
  std::shared_ptr<const Ruleset> rules_;
  Guard guard_;
  KillSwitches switches_;
  AgentSummary summary_;

  bool ordinary_ = false;
  bool in_trace_ = false;
  bool first_ = true;
  TimeNs zero_ = kReplayOrigin, now_ = kReplayOrigin;  // of the trace
  DurationNs wait_ = 0;                                // of the refusal that was just told; kNever: none
  std::uint64_t admissions_ = 0;

  // The model call whose turn it is.
  RowRequest request_;
  std::string trace_, depth_;
  AgentNames names_;
  std::optional<Entry> entry_;
  bool began_ = false;
  Leave leave_;
  Plan plan_;
  Decision decision_;
};

// Ends the trace before, if this is another one's event, and sets the clock.
Result<void> AgentReplay::State::place(const AgentEvent& event) {
  if (event.begins || !in_trace_) {
    end_trace();
    in_trace_ = true;
    trace_ = event.trace;
    names_ = *event.names;
    zero_ = now_ + (first_ ? 0 : kBetweenTraces);
    first_ = false;
    now_ = zero_ + event.time.value_or(0);
    if (!ordinary_) ++summary_.traces;
  } else {
    now_ = std::max(now_, event.time ? zero_ + *event.time : now_ + kSecond);
  }
  if (now_ > kMaxReplayTime) return fail("the traces together are longer than two centuries");
  return {};
}

void AgentReplay::State::enter(const AgentEvent& event, Arrival::Kind kind) {
  leave();
  TraceRow row;
  row.tenant = names_.tenant;
  row.conversation = names_.conversation;
  row.model = names_.model;
  row.key = names_.key;
  row.run = trace_;
  row.agent = names_.agent;
  row.input_tokens = event.input_tokens;
  if (keys_ != nullptr) keys_->complete(row);
  request_.read(row);
  const Consumer& consumer = *request_.attributes().consumer;
  const Costs& most = request_.costs(event.output_tokens);
  const auto held = [&](MeterKind meter) { return most.held[static_cast<std::size_t>(meter)]; };
  Arrival arrival;
  arrival.owner = hash_of("key", consumer.tenant, consumer.name);
  arrival.caller = hash_of("caller", consumer.tenant, consumer.name);
  arrival.key = consumer.name;
  arrival.tenant = consumer.tenant;
  arrival.caller_name = consumer.name;
  arrival.agent = names_.agent;
  arrival.task = names_.task;
  arrival.conversation = names_.conversation;
  arrival.run = trace_;
  arrival.kind = kind;
  AgentFacts none;
  arrival.facts = event.facts != nullptr ? event.facts : &none;
  if (kind == Arrival::Kind::kModel) arrival.held = {held(MeterKind::kTokens), held(MeterKind::kUsd)};
  arrival.ordinary = ordinary_;
  entry_ = guard_.enter(arrival, policy_->behavior, switches_, now_);
  depth_ = std::to_string(entry_->depth);
  began_ = false;
  leave_ = {};
}

void AgentReplay::State::leave() {
  if (entry_ && began_) guard_.leave(*entry_, leave_, now_);
  entry_.reset();
  began_ = false;
}

// A refused entry counts for nothing any more; what follows it in the trace has one of its own.
void AgentReplay::State::refused(TimeNs until) {
  guard_.refused(*entry_, until, now_);
  entry_.reset();
}

// Sees to it that a call or a result has an entry, where the trace does not have the model's call that it belongs to,
// or that call was refused. False: the run may not go on at all.
bool AgentReplay::State::stand(const AgentEvent& event, Judgement& judgement) {
  if (entry_) return true;
  enter(event, Arrival::Kind::kOther);
  if (entry_->trip) {
    judgement.add(*entry_->trip, true);
    refused(0);
    return false;
  }
  guard_.begin(*entry_, now_);
  began_ = true;
  return true;
}

Attributes AgentReplay::State::attributes_of_entry() const {
  Attributes out = request_.attributes();
  if (!entry_->task.empty()) out.set(Attribute::kTask, entry_->task);
  out.set(Attribute::kDepth, depth_);
  out.trust_permille = entry_->trust_permille;
  return out;
}

// What a breaker in shadow would have done, and anomalies that are only audited.
void AgentReplay::State::take_notes(Judgement& judgement) {
  for (const Note& note : entry_->notes) {
    if (note.event == AuditEvent::kWarned || note.event == AuditEvent::kBroken) judgement.add(note.trip, false);
  }
  entry_->notes.clear();
}

// False: a limit refuses, and `judgement` says which.
Result<bool> AgentReplay::State::admit(const Attributes& attributes, const Costs& most, const Costs& used,
                                       Judgement& judgement) {
  wait_ = kNever;
  if (const auto fault = rules_->plan(attributes, most, now_, plan_)) {
    if (fault->kind == PlanFault::Kind::kTooManyLimits) return std::unexpected(Error{fault->message});
    judgement.add(AgentDecision::kRefuse, "attribute", fault->message);
    return false;
  }
  if (plan_.demands().empty()) return true;
  const Hash128 id{hash64("agent replay"), ++admissions_};
  limiter_.admit({.subjects = plan_.subjects(),
                  .demands = plan_.demands(),
                  .now = now_,
                  .id = id,
                  .deadline = now_ + kMinute,
                  .remember = false},
                 decision_);
  if (decision_.table_full) {
    judgement.add(AgentDecision::kRefuse, "table_full", "no room for another counter");
    return false;
  }
  if (!decision_.admitted) {
    const Refusal refusal = rules_->refusal(plan_, decision_, attributes, now_);
    wait_ = decision_.retry_after;
    judgement.add(AgentDecision::kRefuse, refusal.limit,
                  fmt::format("{} {}: used {} + held {} + asked {} > {}{}", refusal.layer, refusal.meter, refusal.used,
                              refusal.reserved, refusal.requested, refusal.allowed,
                              refusal.window.empty() ? "" : " per " + refusal.window));
    return false;
  }
  std::array<std::int64_t, kMaxDemands> actual{};
  rules_->actuals(plan_, used, actual);
  limiter_.settle(id, std::span(actual).first(plan_.demands().size()), now_);
  return true;
}

Result<void> AgentReplay::State::call_model(const AgentEvent& event) {
  enter(event, Arrival::Kind::kModel);
  Judgement judgement;
  if (entry_->trip) {
    judgement.add(*entry_->trip, true);
    refused(0);
    tell(event, {}, judgement);
    return {};
  }
  if (!ordinary_) {
    request_.begin_run(entry_->begins);
    const Costs most = request_.costs(event.output_tokens);
    const Costs used = request_.used(event.output_tokens);
    const auto admitted = admit(attributes_of_entry(), most, used, judgement);
    if (!admitted) return std::unexpected(admitted.error());
    if (!*admitted) {
      refused(wait_ == kNever ? 0 : now_ + wait_);
      tell(event, {}, judgement);
      return {};
    }
  }
  guard_.begin(*entry_, now_);
  began_ = true;
  const Costs& used = request_.used(event.output_tokens);
  leave_.finished = event.finished;
  leave_.used = {used.held[static_cast<std::size_t>(MeterKind::kTokens)],
                 used.held[static_cast<std::size_t>(MeterKind::kUsd)]};
  take_notes(judgement);
  if (judgement.decision == AgentDecision::kAnomaly || judgement.decision == AgentDecision::kWarn) {
    tell(event, {}, judgement);
  }
  return {};
}

Result<void> AgentReplay::State::call_tool(const AgentEvent& event) {
  Judgement judgement;
  if (!stand(event, judgement)) {
    tell(event, event.call.name, judgement);
    return {};
  }
  const CallVerdict verdict = guard_.call(*entry_, event.call, event.destination, now_);
  if (ordinary_) {
    take_notes(judgement);
    return {};
  }
  if (verdict.trip) judgement.add(*verdict.trip, true);
  if (verdict.warn) judgement.add(*verdict.warn, false);
  take_notes(judgement);
  if (!verdict.trip) {
    Attributes attributes = attributes_of_entry();
    attributes.set(Attribute::kTool, event.call.name);
    bool goes_on = true;
    if (rules_->denies_tool(attributes, event.call.name)) {
      judgement.add(AgentDecision::kRefuse, kDenied, "the lists of the tier or of the key deny this tool");
      goes_on = false;
    } else {
      Costs cost;
      cost.tool_call_only = true;
      cost.set(MeterKind::kToolCalls, 1, 1);
      cost.set(MeterKind::kConcurrency, 1, 1);
      const auto admitted = admit(attributes, cost, cost, judgement);
      if (!admitted) return std::unexpected(admitted.error());
      goes_on = *admitted;
    }
    if (!goes_on) guard_.uncall(*entry_, event.call, now_);
  }
  tell(event, event.call.name, judgement);
  return {};
}

void AgentReplay::State::tell(const AgentEvent& event, std::string_view tool, const Judgement& judgement) {
  if (ordinary_) return;
  std::int64_t AgentSummary::* const kSums[] = {&AgentSummary::allowed, &AgentSummary::warned, &AgentSummary::broken,
                                                &AgentSummary::refused, &AgentSummary::anomalies};
  ++(summary_.*kSums[static_cast<std::size_t>(judgement.decision)]);
  if (!told_) return;
  told_({.trace = event.trace,
         .step = event.step,
         .tool = tool,
         .decision = judgement.decision,
         .guard = judgement.guard,
         .why = judgement.why});
}

AgentReplay::AgentReplay(std::shared_ptr<const Policy> policy, std::function<void(const JudgedEvent&)> told,
                         RecordedKeys* keys)
    : state_(std::make_unique<State>(std::move(policy), std::move(told), keys)) {}

AgentReplay::~AgentReplay() = default;

void AgentReplay::begin_file(bool ordinary) {
  state_->begin_file(ordinary);
}

Result<void> AgentReplay::add(const AgentEvent& event) {
  return state_->add(event);
}

void AgentReplay::finish() {
  state_->end_trace();
}

const AgentSummary& AgentReplay::summary() const {
  return state_->summary();
}

}  // namespace weir
