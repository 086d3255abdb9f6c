#include "api/decision_operations.h"

#include <algorithm>
#include <utility>

#include "api/limits_json.h"
#include "base/json_writer.h"
#include "gateway/refusal_audit.h"

namespace weir {
namespace {

// The limits as they are once this admission is counted.
Decision with_own_charge(const Plan& plan, Decision decision) {
  for (std::size_t i = 0; i < plan.demands().size() && i < decision.count; ++i) {
    const Demand& demand = plan.demands()[i];
    Verdict& verdict = decision.verdicts[i];
    if (verdict.refuses) continue;  // a shadow limit is charged only when it would have admitted
    const bool held = demand.hold || plan.limits()[i].window->kind == WindowKind::kConcurrency;
    (held ? verdict.reserved : verdict.used) += demand.cost;
  }
  return decision;
}

}  // namespace

std::string admit_answer(const DecisionCall& call, const Decision& decision, TimeNs now, std::string_view id) {
  const Degradation& change = call.change;
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  if (!id.empty()) json.key("id").string(id);
  json.key("decision").string(change.any() ? "degrade" : "allow");
  if (change.any()) {
    json.key("degrade").begin_object();
    if (!change.model.empty()) json.key("model").string(change.model);
    if (change.max_tokens) json.key("max_tokens").number(*change.max_tokens);
    if (change.keep_messages) json.key("keep_messages").number(static_cast<std::int64_t>(*change.keep_messages));
    json.end_object();
  }
  std::string limits;
  append_limits_json(call.plan, id.empty() ? decision : with_own_charge(call.plan, decision), now, limits);
  json.key("limits").raw(limits);
  json.end_object();
  return out;
}

Reply denied_reply(const DecisionCall& call) {
  Reply reply = error_reply(ErrorShape::kProblem, {.kind = ErrorKind::kAbnormal,
                                                   .status = 429,
                                                   .message = call.denied_because,
                                                   .param = {},
                                                   .request_id = call.request_id,
                                                   .refusal = &*call.denied});
  append_header(reply.headers, "x-should-retry", "false");
  return reply;
}

void DecisionDesk::Operation::finish(Reply reply) {
  const std::unique_ptr<Operation> self = desk_.take(*this);  // keeps this object alive until the end of the call
  if (done_) done_(std::move(reply));
  desk_.not_busy(id_);
}

void DecisionDesk::Admit::start() {
  peeking_ = call_->rules->has_ladder(call_->plan);
  if (!peeking_) return ask();
  services_.counters->peek({.subjects = call_->plan.subjects(), .demands = call_->plan.demands(), .now = services_.now},
                           *this);
}

void DecisionDesk::Admit::ask() {
  services_.counters->admit({.subjects = call_->plan.subjects(),
                             .demands = call_->plan.demands(),
                             .now = services_.now,
                             .id = id_,
                             .deadline = services_.now + call_->body.hold,
                             .remember = false},  // the desk remembers
                            *this);
}

void DecisionDesk::Admit::on_decision(CountersStatus status, const Decision& decision,
                                      std::span<const Effect> effects) {
  if (status != CountersStatus::kOk) {
    return finish(call_fault_reply(
        {.status = 503, .message = "The counter store cannot be reached; try again shortly."}, call_->request_id));
  }
  if (std::exchange(peeking_, false)) {
    if (const auto fault = call_->climb(decision, services_.learned->ladders, services_.now)) {
      return finish(call_fault_reply(*fault, call_->request_id));
    }
    return ask();
  }
  if (!decision.admitted) return refuse(decision);
  if (decision.replayed) {
    return finish(call_fault_reply({.status = 409,
                                    .message = "This id was used for a hold whose answer is forgotten; choose another.",
                                    .code = "id_in_use"},
                                   call_->request_id));
  }
  if (!hold(decision, effects)) {
    reply_ = call_fault_reply({.status = 503, .message = "This hold is too large to be kept."}, call_->request_id);
    services_.counters->cancel(id_, services_.now, *this);
    return;
  }
  call_->remember_rungs(services_.learned->ladders);
  publish_admitted(services_, call_->source(&decision), call_->row.reserved_tokens);
  if (!call_->row.degraded.empty()) {
    note_degraded(services_, call_->row, call_->rules, call_->seen_by_ladder());
  }
  services_.journal->when_written(*this);
}

bool DecisionDesk::Admit::hold(const Decision& decision, std::span<const Effect> effects) {
  const DecisionCall& call = *call_;
  DecisionHold hold{
      .held = {.id = id_}, .tools = call.counted_tools, .estimate = call.body.estimate, .price = call.price};
  services_.counters->held(id_, hold.held);
  hold.held.deadline = services_.now + call.body.hold;
  for (const PlannedLimit& limit : call.plan.limits()) hold.meters.push_back(limit.rule->meter);
  hold.estimate.usd_micros = call.row.usd_micros;
  hold.estimate.tool_calls = call.row.tool_calls;
  hold.admitted = admit_answer(call, decision, services_.now, call.body.id);
  reply_ = {.status = 200, .content_type = "application/json", .headers = {}, .body = hold.admitted};
  append_limit_state(ErrorShape::kProblem, call.plan, decision, services_.now, reply_.headers);
  if (!call.row.degraded.empty()) append_header(reply_.headers, "x-weir-degraded", call.row.degraded);
  std::string bytes = encode_hold(hold);
  Entry& entry = *desk_.find(id_);
  services_.journal->open_hold(id_, call.row, std::string_view(bytes).substr(0, kMaxHoldBytes), effects);
  if (bytes.size() > kMaxHoldBytes) return false;
  entry.deadline = hold.held.deadline;
  entry.row = call.row;
  entry.admitted = std::move(hold.admitted);
  entry.hold = std::move(bytes);
  return true;
}

void DecisionDesk::Admit::refuse(const Decision& decision) {
  Refusal refusal;
  if (decision.table_full) {
    services_.metrics->table_full.add(1);
    refusal.limit = "table_full";
    refusal.layer = "entry";
  } else {
    refusal = call_->rules->refusal(call_->plan, decision, call_->attributes, services_.now);
  }
  services_.metrics->request(kDecisionRoute, "refuse", refusal.layer);
  audit_event(services_, AuditEvent::kRefused, refusal, call_->source(&decision), {});
  finish(refusal_reply(ErrorShape::kProblem, call_->plan, decision, refusal, call_->request_id, services_.now));
}

void DecisionDesk::Admit::on_written(bool ok) {
  if (!ok) {
    services_.metrics->journal_failures.add(1);
    reply_ = call_fault_reply({.status = 503,
                               .message = "The journal cannot be written, so nothing is admitted; see "
                                          "/readyz."},
                              call_->request_id);
    services_.counters->cancel(id_, services_.now, *this);
    return;
  }
  services_.metrics->request(kDecisionRoute, "allow", "decision");
  desk_.find(id_)->state = Entry::State::kOpen;
  ++desk_.open_;
  finish(std::move(reply_));
}

// The admission was taken back.
void DecisionDesk::Admit::on_settled(CountersStatus, Outcome, std::span<const Effect> effects) {
  UsageRow row = call_->row;
  row.usage = {};
  row.usd_micros = row.tool_calls = 0;
  row.status = 503;
  row.settled = Settled::kNone;
  services_.journal->settle(id_, row, effects);
  finish(std::move(reply_));
}

void DecisionDesk::Close::start() {
  if (how_ == ClosedHow::kCancelled) return services_.counters->cancel(id_, services_.now, *this);
  services_.counters->settle(id_, actual_units(hold_, used_), services_.now, *this);
}

void DecisionDesk::Close::on_settled(CountersStatus, Outcome, std::span<const Effect> effects) {
  Entry& entry = *desk_.find(id_);
  const bool late = entry.state == Entry::State::kExpired || services_.now >= entry.deadline;
  UsageRow row = entry.row;
  const bool cancelled = how_ == ClosedHow::kCancelled;
  row.settled = cancelled ? Settled::kNone : Settled::kUsage;
  row.usage = cancelled ? Usage{} : usage_of(used_);
  row.usd_micros = cancelled ? 0 : used_.usd_micros.value_or(0);
  row.tool_calls = static_cast<std::int32_t>(std::min<std::int64_t>(used_.tool_calls.value_or(0), INT32_MAX));
  if (!cancelled && entry.state != Entry::State::kExpired)
    services_.metrics->usage(row.model, row.usage, row.usd_micros);
  services_.metrics->settlements.add(to_string(row.settled));
  publish_settled(services_, services_.rules, row);
  entry.answer = settle_answer(row, used_, late);
  services_.journal->settle_hold(
      row, {.id = id_, .at = services_.now, .how = how_, .admitted = entry.admitted, .answer = entry.answer}, effects);
  services_.journal->when_written(*this);
}

// Also when the disk refused: the writer keeps what was appended, and the hold is on file.
void DecisionDesk::Close::on_written(bool) {
  Entry& entry = *desk_.find(id_);
  if (entry.state == Entry::State::kOpen) desk_.no_longer_open(entry);
  if (entry.state == Entry::State::kExpired) desk_.closed_bytes_ -= std::min(desk_.closed_bytes_, entry.bytes());
  entry.state = Entry::State::kClosed;
  entry.how = how_;
  entry.hold = std::string();
  entry.row = {};
  Reply reply{.status = 200, .content_type = "application/json", .headers = {}, .body = entry.answer};
  desk_.keep_closed(id_, services_.now);
  finish(std::move(reply));
}

}  // namespace weir
