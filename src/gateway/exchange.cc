#include "gateway/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "gateway/refusal_audit.h"
#include "tokens/estimate.h"

namespace weir {
namespace {

// A reservation outlives the slowest answer by this much before expiry charges it.
constexpr DurationNs kReservationGrace = kMinute;

std::int64_t saturating_product(std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  return __builtin_mul_overflow(a, b, &out) ? kMaxAmount : std::min(out, kMaxAmount);
}

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
    : services_(services), client_(&client), request_(std::move(request)), rules_(request_.rules) {}

Exchange::~Exchange() {
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
  }
  plan_and_admit();
}

bool Exchange::prepare_llm() {
  const Policy& policy = rules_->policy();
  auto facts = read_request(request_.target.operation, request_.body, policy.bounds.json);
  if (!facts) {
    reject(facts.error().status == 413 ? ErrorKind::kTooLarge : ErrorKind::kInvalidRequest, facts.error().status,
           facts.error().message, facts.error().param);
    return false;
  }
  facts_ = std::move(*facts);
  adopt_dialect_user(request_.identity, facts_.user);
  model_rule_ = policy.find_model(facts_.model);
  provider_ = model_rule_ ? policy.find_provider(model_rule_->provider) : nullptr;
  const Dialect dialect = dialect_of(request_.target.operation);
  if (provider_ == nullptr) {
    reject(ErrorKind::kUnknownModel, 404,
           fmt::format("No pattern under `models:` matches model `{}`. GET /v1/models lists what is routed.",
                       facts_.model),
           "model");
    return false;
  }
  if (!provider_->simulate && provider_->dialect != dialect) {
    reject(ErrorKind::kUnknownModel, 404,
           fmt::format("Model `{}` is served by provider `{}`, which speaks the {} dialect; this endpoint is {}.",
                       facts_.model, provider_->name, to_string(provider_->dialect), to_string(dialect)),
           "model");
    return false;
  }
  price_ = policy.price_of(facts_.model, *provider_);
  input_estimate_ = estimate_input_tokens({facts_.text_bytes, facts_.flat_parts, facts_.token_ids});
  if (request_.target.operation != Operation::kEmbeddings) {
    output_held_ = saturating_product(facts_.output_cap.value_or(policy.reservation.default_output), facts_.choices);
  }
  set_llm_costs();
  attributes_.set(Attribute::kModel, facts_.model);
  attributes_.set(Attribute::kProvider, provider_->name);
  return true;
}

void Exchange::set_llm_costs() {
  costs_.set(MeterKind::kTokens, input_estimate_, std::min(input_estimate_ + output_held_, kMaxAmount));
  costs_.set(MeterKind::kInputTokens, input_estimate_, input_estimate_);
  costs_.set(MeterKind::kOutputTokens, 0, output_held_);
  costs_.set(MeterKind::kUsd, cost_usd_micros(price_, {.input_uncached = input_estimate_}),
             cost_usd_micros(price_, {.input_uncached = input_estimate_, .output_visible = output_held_}));
}

void Exchange::prepare_upstream() {
  for (const MeterSource& meter : request_.target.upstream->meters) {
    costs_.custom.emplace_back(meter.name, meter.estimate);
  }
}

bool Exchange::plan() {
  const auto fault = rules_->plan(attributes_, costs_, services_.now, plan_);
  if (!fault) return true;
  const bool config = fault->kind == PlanFault::Kind::kTooManyLimits;
  reject(config ? ErrorKind::kUpstream : ErrorKind::kInvalidRequest, config ? 500 : 400, fault->message);
  return false;
}

// A cap beyond a limit's amount holds the amount (PRODUCT section 3): then no more output than fits into it is held, in
// every limit and in the ledger, so that a lost request is not charged what its caller only dreamt of.
bool Exchange::cap_held_output() {
  std::int64_t most = output_held_;
  for (std::size_t i = 0; i < plan_.demands().size(); ++i) {
    const LimitRule& rule = *plan_.limits()[i].rule;
    if (rule.shadow || rule.meter.size() != 1 || rule.meter.front().weight != 1) continue;
    const auto kind = static_cast<std::size_t>(rule.meter.front().kind);
    if (kind >= costs_.held.size() || plan_.demands()[i].cost >= costs_.held[kind]) continue;
    const std::int64_t room = plan_.demands()[i].cost - costs_.certain[kind];
    if (rule.meter.front().kind == MeterKind::kUsd) {
      const double tokens =
          static_cast<double>(room) * 1e6 / static_cast<double>(std::max<std::int64_t>(1, price_.output));
      if (tokens < static_cast<double>(most)) most = static_cast<std::int64_t>(tokens);
    } else {
      most = std::min(most, room);
    }
  }
  return std::exchange(output_held_, most) != most;
}

void Exchange::plan_and_admit() {
  fill_attributes(request_.identity, request_.head->headers, attributes_);
  if (!plan()) return;
  if (provider_ && cap_held_output()) {
    set_llm_costs();
    if (!plan()) return;
  }
  fill_row();
  const DurationNs total = provider_ ? provider_->timeouts.total : request_.target.upstream->timeouts.total;
  services_.counters->admit({.subjects = plan_.subjects(),
                             .demands = plan_.demands(),
                             .now = services_.now,
                             .id = request_.id,
                             .deadline = services_.now + total + kReservationGrace,
                             .remember = false},  // an exchange settles once by itself
                            *this);
}

void Exchange::reject(ErrorKind kind, int status, std::string message, std::string param) {
  services_.metrics->request(request_.target.route, "reject", "entry");
  Reply reply = error_reply(request_.shape, {.kind = kind,
                                             .status = status,
                                             .message = std::move(message),
                                             .param = std::move(param),
                                             .request_id = request_.request_id});
  if (status == 503) {
    append_retry_after(jittered(kSecond, request_.id), reply.headers);
  } else if (status >= 500) {
    append_header(reply.headers, "x-should-retry", "false");
  }
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
  row_.agent = who.agent;
  row_.model = facts_.model;
  trim_metadata_text(row_.model);
  if (provider_) row_.provider = provider_->name;
  row_.route = request_.target.route;
  if (request_.target.kind != TargetKind::kLlm) return;
  // What is held: this is what a crash would charge. settle() replaces it.
  row_.reserved_tokens = input_estimate_ + output_held_;
  row_.usage = {.input_uncached = input_estimate_, .output_visible = output_held_};
  row_.usd_micros = costs_.held[static_cast<std::size_t>(MeterKind::kUsd)];
}

void Exchange::on_decision(CountersStatus status, const Decision& decision, std::span<const Effect> effects) {
  if (status != CountersStatus::kOk) {
    reject(ErrorKind::kOverloaded, 503, "The counter store cannot be reached; try again shortly.");
    return;
  }
  if (!decision.admitted) {
    refuse(decision);
    return;
  }
  decision_ = decision;
  services_.journal->open(request_.id, row_, effects);
  phase_ = Phase::kOpening;
  if (client_ == nullptr) {
    row_.status = 499;
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
  Refusal refusal;
  if (decision.table_full) {
    services_.metrics->table_full.add(1);
    refusal.limit = "table_full";
    refusal.layer = "entry";
  } else {
    refusal = rules_->refusal(plan_, decision, attributes_, services_.now);
  }
  services_.metrics->request(request_.target.route, "refuse", refusal.layer);
  audit_refusal(services_, refusal, row_.key, request_.request_id);
  if (client_) {
    client_->reply(refusal_reply(request_.shape, plan_, decision, refusal, request_.request_id, services_.now));
  }
  finish();
}

void Exchange::on_written(bool ok) {
  if (phase_ == Phase::kClosing) {
    deliver();  // the writer keeps what the disk refused and the reservation is on file: the answer is not held back
    return;
  }
  if (phase_ != Phase::kOpening) return;
  if (!ok) {
    services_.metrics->journal_failures.add(1);
    final_reply_ = error_reply(request_.shape, {.kind = ErrorKind::kOverloaded,
                                                .status = 503,
                                                .message = "The journal cannot be written, so nothing is forwarded; "
                                                           "see /readyz.",
                                                .request_id = request_.request_id});
    append_retry_after(jittered(5 * kSecond, request_.id), final_reply_->headers);
    row_.status = 503;
    settle(Settled::kNone, {});
    return;
  }
  services_.metrics->request(request_.target.route, "allow", "forward");
  forward(false);
}

}  // namespace weir
