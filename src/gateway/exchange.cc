// From the request to its journal record: facts, plan, a look at the counters, admission.
#include "gateway/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/sites.h"
#include "base/strings.h"
#include "gateway/http_tool.h"
#include "gateway/refusal_audit.h"
#include "policy/ladder_state.h"

namespace weir {
namespace {

// A reservation outlives the slowest answer by this much before expiry charges it.
constexpr DurationNs kReservationGrace = kMinute;

void trim_metadata_text(std::string& text) {
  if (text.size() > 256) text.resize(256);
}

}  // namespace

void Exchange::start(Services& services, ClientSide& client, ExchangeRequest request, Exchange*& handle) {
  auto* exchange = new Exchange(services, client, std::move(request));
  services.live.insert(exchange);
  services.metrics->requests_in_flight.add(1);
  handle = exchange;
  exchange->begin();
}

Exchange::Exchange(Services& services, ClientSide& client, ExchangeRequest request)
    : services_(services),
      client_(&client),
      request_(std::move(request)),
      rules_(request_.rules),
      arrived_(services.now),
      reservation_(request_.id) {}

Exchange::~Exchange() {
  leave_run();
  measure_reserved(0);
  if (streaming_) services_.metrics->active_streams.add(-1);
  services_.buffers->used.fetch_sub(static_cast<std::int64_t>(request_.body.capacity()), std::memory_order_relaxed);
  services_.journal->forget(*this);
  services_.counters->forget(static_cast<AdmissionEvents*>(this));
  services_.counters->forget(static_cast<SettlementEvents*>(this));
  release_upstream(false);
}

void Exchange::begin() {
  services_.buffers->used.fetch_add(static_cast<std::int64_t>(request_.body.capacity()), std::memory_order_relaxed);
  attributes_.set(Attribute::kRoute, request_.target.route);
  attributes_.set(Attribute::kMethod, request_.head->method);
  costs_.set(MeterKind::kRequests, 1, 1);
  costs_.set(MeterKind::kConcurrency, 1, 1);
  const auto body = static_cast<std::int64_t>(request_.body.size());
  costs_.set(MeterKind::kBytesIn, body, body);
  if (request_.target.kind == TargetKind::kLlm) {
    if (!prepare_llm()) return;
  } else {
    prepare_upstream();
    if (request_.target.upstream->kind == UpstreamKind::kMcp && !prepare_mcp()) return;
  }
  fill_attributes(request_.identity, request_.head->headers, attributes_);
  if (mcp_ && !pass_tool_lists()) return;
  if (!enter()) return;
  if (call_) {
    look_at_tools();
  } else {
    ask();
  }
}

bool Exchange::prepare_llm() {
  const Policy& policy = rules_->policy();
  auto call =
      LlmCall::read(policy, *services_.learned, request_.target.operation, request_.target.path_model, request_.body);
  if (!call) {
    LlmFault& fault = call.error();
    reject(fault.kind, fault.status, std::move(fault.message), std::move(fault.param));
    return false;
  }
  call_ = std::move(*call);
  adopt_dialect_user(request_.identity, call_->facts().user);
  call_->identify(history_owner(request_.identity));
  stream_ = call_->facts().stream;
  attempts_ = Attempts(policy.retry, call_->fallbacks(), services_.now);
  return pass_gate();
}

void Exchange::prepare_upstream() {
  const Upstream& upstream = *request_.target.upstream;
  for (const MeterSource& meter : upstream.meters) costs_.custom.emplace_back(meter.name, meter.estimate);
  if (upstream.tool.empty()) return;
  executed_ = http_tool_call(upstream.tool, *request_.head, request_.body);
  costs_.set(MeterKind::kToolCalls, 1, 1);
  attributes_.set(Attribute::kTool, executed_->name);
}

// Finds the first of the model and its fallbacks that may be called; otherwise answers.
bool Exchange::pass_gate() {
  const ProviderHealth::Gate first = services_.learned->providers.gate(
      call_->provider().name, call_->model(), call_->input() + call_->output_held(), services_.now);
  probing_ = first.probe;
  if (first.closed() || next_open_target()) {
    aim_attributes();
    return true;
  }
  const std::string name = fmt::format("Provider `{}`", call_->provider().name);
  if (first.reason == ProviderHealth::Gate::Reason::kExhausted) {
    reject(ErrorKind::kRateLimited, 429, name + " says that its own limit is used up; see Retry-After.", {},
           first.retry_after);
  } else {
    reject(ErrorKind::kOverloaded, 503,
           fmt::format("{} failed too often for model `{}`; nothing is sent there for a while.", name, call_->model()),
           {}, first.retry_after);
  }
  return false;
}

// A probe that is not sent says nothing.
void Exchange::end_probe() {
  if (!std::exchange(probing_, false)) return;
  services_.learned->providers.answered(call_->provider().name, call_->model(), ProviderHealth::Answer::kAbandoned,
                                        services_.now, true);
}

void Exchange::aim_attributes() {
  attributes_.set(Attribute::kModel, call_->model());
  attributes_.set(Attribute::kProvider, call_->provider().name);
}

// A call holds no more than fits into the amounts of its limits, so it may have to be planned twice.
std::optional<PlanFault> Exchange::plan_fitting() {
  if (call_) call_->hold(call_->output_held(), costs_);
  auto fault = rules_->plan(attributes_, costs_, services_.now, plan_);
  if (!fault && call_ && call_->fit(plan_, costs_)) {
    call_->hold(call_->output_held(), costs_);
    fault = rules_->plan(attributes_, costs_, services_.now, plan_);
  }
  if (!fault) pay_from_budget();
  return fault;
}

bool Exchange::plan() {
  const auto fault = plan_fitting();
  if (!fault) return true;
  const bool config = fault->kind == PlanFault::Kind::kTooManyLimits;
  reject(config ? ErrorKind::kUpstream : ErrorKind::kInvalidRequest, config ? 500 : 400, fault->message);
  return false;
}

// Plans, looks first where a look can change what is asked, and asks.
void Exchange::ask() {
  phase_ = Phase::kPeeking;
  if (!plan()) return;
  if (wants_budget()) {
    ask_for_budget();
    return;
  }
  if (!call_ || looked_ || (!rules_->has_ladder(plan_) && !call_->countable())) {
    admit();
    return;
  }
  looked_ = true;
  services_.counters->peek({.subjects = plan_.subjects(), .demands = plan_.demands(), .now = services_.now}, *this);
}

void Exchange::on_peek(const Decision& decision) {
  const bool count = call_->countable() && (counting_matters(decision) || maybe("admission.count-exactly"));
  if (count) reached("admission.counted-exactly");
  Degradation change = rules_->degradation(plan_, decision, call_->model(), services_.learned->ladders);
  change.keep_what_changes(call_->facts().output_cap, call_->facts().messages);
  if (change.any()) {
    reached("admission.degraded");
    seen_ = std::make_unique<Seen>(Seen{plan_, decision});
    end_probe();
    degrade(change);
    if (!pass_gate()) return;
  }
  if (count) call_->count_exactly(request_.body);
  if ((change.any() || count) && !plan()) return;
  admit();
}

// The estimate decides as the exact count would, unless some limit has room for the least that the input could be and
// too little for the most.
bool Exchange::counting_matters(const Decision& decision) const {
  const auto room = [&](std::size_t i) {
    return plan_.demands()[i].quota.amount - decision.verdicts[i].used - decision.verdicts[i].reserved;
  };
  Amounts most{};
  amounts_with(call_->input_bound(), most);
  bool matters = false;
  for (std::size_t i = 0; i < decision.count; ++i) matters |= most[i] > room(i);
  if (!matters) return false;
  Amounts least{};
  amounts_with(call_->input_least(), least);
  bool refused = false;  // whatever the count says: a refusal stays cheap
  for (std::size_t i = 0; i < decision.count; ++i) {
    const Demand& demand = plan_.demands()[i];
    // Nobody is told that a request can never fit because of an estimate.
    if (demand.cost > demand.quota.amount && least[i] <= demand.quota.amount) return true;
    refused |= !demand.shadow && std::min(least[i], demand.cost) > room(i);
  }
  return !refused;
}

// What each demand would hold if the input had that many tokens.
void Exchange::amounts_with(std::int64_t input, Amounts& out) const {
  Costs costs = costs_;
  call_->hold(input, call_->output_held(), costs);
  rules_->actuals(plan_, costs, std::span(out).first(plan_.demands().size()));
  leave_to_budget(std::span(out));
}

void Exchange::degrade(const Degradation& change) {
  call_->degrade(change, request_.body);
  attempts_ = Attempts(rules_->policy().retry, call_->fallbacks(), services_.now);
  row_.degraded = change.header();
}

void Exchange::admit() {
  phase_ = Phase::kAdmitting;
  if (row_.request_id.empty()) fill_row();
  hold_in_row();
  services_.counters->admit({.subjects = plan_.subjects(),
                             .demands = plan_.demands(),
                             .now = services_.now,
                             .id = reservation_,
                             .deadline = reservation_deadline(),
                             .remember = false},  // an exchange settles once by itself
                            *this);
}

// After every attempt that may still use it.
TimeNs Exchange::reservation_deadline() const {
  const DurationNs waits = call_ ? rules_->policy().retry.within : 0;
  return services_.now + waits + timeouts().total + kReservationGrace;
}

void Exchange::reject(ErrorKind kind, int status, std::string message, std::string param, DurationNs retry_after) {
  services_.metrics->request(request_.target.route, "reject", "entry");
  publish_rejected(services_, source(), status, message);
  Reply reply = error_answer({.kind = kind,
                              .status = status,
                              .message = std::move(message),
                              .param = std::move(param),
                              .request_id = request_.request_id});
  if (status == 503 || status == 429) {
    append_retry_after(
        retry_after > 0 ? retry_after + jittered(kMillisecond, request_.id) : jittered(kSecond, request_.id),
        reply.headers);
  } else if (status >= 500) {
    append_header(reply.headers, "x-should-retry", "false");
  }
  give_back_place(0);
  end_probe();
  if (client_) client_->reply(std::move(reply));
  finish();
}

void Exchange::fill_row() {
  row_.time = services_.now;
  row_.request_id = request_.request_id;
  const Identity& who = request_.identity;
  if (who.consumer) row_.key = who.consumer->name;
  row_.tenant = who.tenant;
  row_.user = who.user;
  row_.tier = who.tier;
  row_.kind = who.kind;
  row_.conversation = who.conversation;
  row_.run = entry_.run;
  row_.agent = who.agent;
  row_.route = request_.target.route;
}

// What is held: this is what a crash would charge. settle() replaces it.
void Exchange::hold_in_row() {
  if (!call_) return;
  row_.model = call_->model();
  trim_metadata_text(row_.model);
  row_.provider = call_->provider().name;
  row_.reserved_tokens = call_->input() + call_->output_held();
  row_.usage = {.input_uncached = call_->input(), .output_visible = call_->output_held()};
  row_.usd_micros = costs_.held[static_cast<std::size_t>(MeterKind::kUsd)];
  output_reserved_ = call_->output_held();
}

void Exchange::on_decision(CountersStatus status, const Decision& decision, std::span<const Effect> effects) {
  if (topping_up_) {
    on_topped_up(status, decision, effects);
    return;
  }
  if (phase_ == Phase::kReadmitting && (status != CountersStatus::kOk || !decision.admitted)) {
    on_readmission(decision, effects);
    return;
  }
  if (status == CountersStatus::kOk && phase_ == Phase::kBudgeting) {
    on_budget(decision, effects);
    return;
  }
  if (status != CountersStatus::kOk) {
    reject(ErrorKind::kOverloaded, 503, "The counter store cannot be reached; try again shortly.");
  } else if (phase_ == Phase::kPeeking) {
    on_peek(decision);
  } else if (!decision.admitted) {
    refuse(decision);
  } else if (phase_ == Phase::kReadmitting) {
    on_readmission(decision, effects);
  } else {
    on_admitted(decision, effects);
  }
}

void Exchange::on_admitted(const Decision& decision, std::span<const Effect> effects) {
  decision_ = decision;
  publish_admitted(services_, source(&plan_, &decision_), row_.reserved_tokens);
  admitted_ = true;
  if (looked_ && rules_->has_ladder(seen_ ? seen_->plan : plan_)) {
    rules_->remember(seen_ ? seen_->plan : plan_, seen_ ? seen_->state : decision, services_.learned->ladders);
  }
  began_ = services_.guard->begin(entry_, services_.now);
  if (executed_) count_call(executed_->name);
  if (seen_ && !row_.degraded.empty()) {
    note_degraded(services_, row_, rules_, ladder_state(row_.degraded, seen_->plan, seen_->state, attributes_));
  }
  seen_.reset();
  if (mcp_ && admit_batch(effects)) return;
  open_record(effects);
}

void Exchange::open_record(std::span<const Effect> effects) {
  services_.journal->open(request_.id, row_, effects);
  measure_reserved(row_.reserved_tokens);
  count_reported_calls();
  phase_ = Phase::kOpening;
  if (client_ == nullptr) {
    reached("exchange.client-left-before-admission");
    row_.status = 499;
    end_probe();
    settle(Settled::kNone, {});
    return;
  }
  services_.journal->when_written(*this);
}

// The request's head goes with its connection while the counters have yet to answer: what a refusal will say of it is
// copied.
void Exchange::keep_attributes() {
  kept_method_ = request_.head->method;
  attributes_.set(Attribute::kMethod, kept_method_);
  for (const Header& field : request_.head->headers.fields)
    kept_fields_.emplace_back(to_lower(field.name), field.value);
  attributes_.header = [this](std::string_view name) {
    const auto found =
        std::find_if(kept_fields_.begin(), kept_fields_.end(), [&](const auto& field) { return field.first == name; });
    return found == kept_fields_.end() ? std::string_view() : std::string_view(found->second);
  };
}

void Exchange::refuse(const Decision& decision) {
  if (queue(decision)) return;
  Refusal refusal;
  if (decision.table_full) {
    reached("admission.table-full");
    services_.metrics->table_full.add(1);
    refusal.limit = "table_full";
    refusal.layer = "entry";
  } else {
    refusal = rules_->refusal(plan_, decision, attributes_, services_.now);
  }
  refuse_with(plan_, decision, refusal);
}

void Exchange::refuse_with(const Plan& plan, const Decision& decision, const Refusal& refusal) {
  services_.metrics->request(request_.target.route, "refuse", refusal.layer);
  note_refusal(AuditEvent::kRefused, refusal, &plan, &decision);
  measure_decision();
  // Whoever comes back to see whether a place is free again does no wrong.
  give_back_place(refusal.window.empty() ? 0 : decision.retry_after);
  end_probe();
  if (client_) client_->reply(refusal_answer(plan, decision, refusal));
  finish();
}

// Waits for room, where every limit that refuses says so and the wait is short enough.
bool Exchange::queue(const Decision& decision) {
  constexpr DurationNs kLook = 50 * kMillisecond;  // nobody tells when a place of concurrency becomes free
  const DurationNs most = Ruleset::queue_for(plan_, decision);
  if (most <= queued_ || client_ == nullptr || services_.queued >= Services::kMaxQueued) return false;
  const DurationNs wait = std::min({most - queued_, std::max(decision.retry_after, kMillisecond), kSecond});
  bool in_flight = false;
  for (std::size_t i = 0; i < decision.count; ++i) {
    in_flight |= decision.verdicts[i].refuses && plan_.limits()[i].window->kind == WindowKind::kConcurrency;
  }
  DurationNs pause = in_flight ? std::min(wait, kLook) : wait;
  if (maybe("queue.look-early")) pause = kMillisecond;
  reached("admission.queued");
  phase_ = Phase::kQueueing;
  queued_ += pause;
  ++services_.queued;
  client_->wake_at(services_.now + pause);
  return true;
}

void Exchange::on_written(bool ok) {
  if (phase_ == Phase::kClosing) {
    deliver();  // the writer keeps what the disk refused and the reservation is on file: the answer is not held back
    return;
  }
  if (phase_ != Phase::kOpening) return;
  if (!ok) {
    reached(attempts_.made() == 0 ? "journal.refused-a-request" : "journal.refused-a-retry");
    services_.metrics->journal_failures.add(1);
    final_reply_ = error_answer({.kind = ErrorKind::kOverloaded,
                                 .status = 503,
                                 .message = "The journal cannot be written, so nothing is forwarded; see /readyz.",
                                 .request_id = request_.request_id});
    append_retry_after(jittered(5 * kSecond, request_.id), final_reply_->headers);
    row_.status = 503;
    end_probe();
    settle(Settled::kNone, {});
    return;
  }
  if (attempts_.made() == 0) {
    services_.metrics->request(request_.target.route, "allow", "forward");
    measure_decision();
  }
  forward(false);
}

}  // namespace weir
