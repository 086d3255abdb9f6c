// The agent behind a request: its run, the breakers, and the tools it may use.

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "gateway/exchange.h"
#include "gateway/refusal_audit.h"
#include "gateway/trips.h"

namespace weir {
namespace {

constexpr std::size_t kMaxToolsShown = 16;  // in a header

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kMaxToolsShown); ++i) {
    out.append(out.empty() ? "" : ", ");
    for (const char c : names[i]) out += c > ' ' && c < 0x7f ? c : '?';
  }
  return out;
}

std::uint64_t fingerprint(const RequestHead& head, std::string_view body) {
  return hash64(body, hash64(head.query, hash64(head.path, hash64(head.method))));
}

}  // namespace

// Layer 1, before any limit. False: the request was answered.
bool Exchange::enter() {
  const Identity& who = request_.identity;
  const std::string_view lineage = request_.head->headers.get("x-weir-lineage");
  if (lineage.data() == nullptr && who.consumer) {
    const auto wanted = who.consumer->metadata.find("lineage");
    if (wanted != who.consumer->metadata.end() && wanted->second == "required") {
      reject(ErrorKind::kInvalidRequest, 400,
             "Requests of this key must say whose they are: send the `X-Weir-Lineage` of the answer that led here.");
      return false;
    }
  }
  if (lineage.data() != nullptr && lineage.empty()) {
    reject(ErrorKind::kInvalidRequest, 400, "`X-Weir-Lineage` is empty; send it as it was received, or leave it out.");
    return false;
  }
  Arrival arrival{.owner = owner_of(who, *services_.secret),
                  .caller = caller_of(who, *services_.secret),
                  .key = who.consumer ? std::string_view(who.consumer->name) : std::string_view(),
                  .tenant = who.tenant,
                  .caller_name = who.caller,
                  .caller_is_key = !attributes_.user_asserted,
                  .agent = who.agent,
                  .task = who.task,
                  .conversation = who.conversation,
                  .run = who.run,
                  .lineage = lineage};
  owner_ = arrival.owner;
  arrival.fingerprint = fingerprint(*request_.head, request_.body);
  if (call_) {
    arrival.llm_route = true;
    if (generates(call_->operation())) {
      arrival.kind = Arrival::Kind::kModel;
      arrival.facts = &call_->facts().agent;
    }
    arrival.starts_run = !only_counts(call_->operation());
    const Usage held{.input_uncached = call_->input(), .output_visible = call_->output_held()};
    const Usage least{.input_uncached = call_->input()};
    arrival.certain = {.tokens = least.total(), .usd_micros = call_->usd(least)};
    arrival.held = {.tokens = held.total(), .usd_micros = call_->usd(held)};
  } else if (mcp_) {
    arrival.starts_run = mcp_->calls_tools();
    if (arrival.starts_run) arrival.kind = Arrival::Kind::kTool;
    arrival.fingerprint = arrival.starts_run ? mcp_->fingerprint() : 0;
  } else if (executed_) {
    arrival.kind = Arrival::Kind::kTool;
  }
  if (executed_) arrival.call = &*executed_;
  kills_ = services_.kills;
  entry_ = services_.guard->enter(arrival, rules_->policy().behavior, *kills_, services_.now);
  entered_ = true;
  note_signals();
  if (entry_.bad_lineage) {
    reject(
        ErrorKind::kInvalidRequest, 400,
        "`X-Weir-Lineage` was not signed here, is damaged, or belongs to another tenant; send it as it was received.");
    return false;
  }
  if (entry_.trip) {
    refuse_trip(*entry_.trip);
    return false;
  }
  name_agent();
  if (mcp_) watch_mcp();
  return read_budget() && (!executed_ || enter_call());
}

// The request is itself a tool call.
bool Exchange::enter_call() {
  if (rules_->denies_tool(attributes_, executed_->name)) {
    deny_tool();
    return false;
  }
  // What the agent was told is not known here; where a model announced the call, it was compared then.
  constexpr Destination kUntold = Destination::kNone;
  const CallVerdict verdict = services_.guard->call(entry_, *executed_, kUntold, services_.now);
  note_signals(executed_->name);
  if (verdict.warn) {
    warning_ = warning_of(*verdict.warn);
    if (mcp_) mcp_->note("Weir: " + verdict.warn->evidence + ".");
  }
  noted_ = !verdict.trip;
  if (!verdict.trip) return true;
  refuse_trip(*verdict.trip);
  return false;
}

void Exchange::deny_tool() {
  const Refusal refusal = denial_of(request_.identity, executed_->name);
  services_.metrics->request(request_.target.route, "refuse", refusal.layer);
  note_refusal(AuditEvent::kRefused, refusal);
  measure_decision();
  give_back_place(0);
  if (client_) {
    client_->reply(
        error_reply(request_.shape, {.kind = ErrorKind::kUnauthorized,
                                     .status = 403,
                                     .message = "Tool `" + executed_->name + "` may not be used with this key.",
                                     .request_id = request_.request_id,
                                     .refusal = &refusal}));
  }
  finish();
}

// What limits and ledger know of it.
void Exchange::name_agent() {
  row_.run = entry_.run;
  row_.node = short_node(entry_.token.node);
  row_.parent = short_node(entry_.parent);
  row_.depth = entry_.depth;
  const std::int64_t runs = entry_.begins ? 1 : 0;
  costs_.set(MeterKind::kRuns, runs, runs);
  depth_ = std::to_string(entry_.depth);
  if (!entry_.run.empty()) attributes_.set(Attribute::kRun, entry_.run);
  if (!entry_.task.empty()) attributes_.set(Attribute::kTask, entry_.task);
  attributes_.set(Attribute::kDepth, depth_);
  attributes_.trust_permille = entry_.trust_permille;
}

// What the guard noticed goes into the audit, and what its caller should know into the answer.
void Exchange::note_signals(std::string_view tool) {
  for (const Note& note : std::exchange(entry_.notes, {})) {
    if (note.event == AuditEvent::kWarned) warning_ = warning_of(note.trip);
    audit_trip(services_, note.event, note.trip, entry_, tool, source());
  }
}

// Its input alone is more than a whole run may use.
bool Exchange::asks_too_much(const Trip& trip) const {
  if (!call_ || trip.guard != "runs") return false;
  const Usage least{.input_uncached = call_->input()};
  return (trip.meter == "tokens" && least.total() > trip.allowed) ||
         (trip.meter == "usd" && call_->usd(least) > trip.allowed);
}

void Exchange::refuse_trip(const Trip& trip) {
  const std::string_view tool = executed_ ? std::string_view(executed_->name) : std::string_view();
  Refusal refusal = refusal_of(trip, entry_, request_.identity, tool, services_.now);
  if (asks_too_much(trip)) refusal.retry_after_s = -1, refusal.reset_at = 0;
  services_.metrics->request(request_.target.route, "refuse", refusal.layer);
  services_.metrics->refusal(refusal.layer, refusal.limit, tool);
  measure_decision();
  audit_trip(services_, AuditEvent::kBroken, trip, entry_, tool, source());
  give_back_place(trip.retry_after == kNever ? 0 : trip.retry_after);
  end_probe();
  if (client_) client_->reply(trip_answer(trip, refusal));
  finish();
}

// The request was not admitted; `wait` is what it was told (0: nothing).
void Exchange::give_back_place(DurationNs wait) {
  if (!std::exchange(entered_, false)) return;
  give_back_budget();
  if (std::exchange(noted_, false)) services_.guard->uncall(entry_, *executed_, services_.now);
  services_.guard->refused(entry_, wait > 0 && wait != kNever ? services_.now + wait : 0, services_.now);
}

// The agent's request is over.
void Exchange::leave_run() {
  if (!std::exchange(entered_, false)) return;
  const bool sent = attempts_.made() > 0 && row_.status != 499;
  if (noted_ && sent && !resulted_ && (!mcp_ || row_.status >= 400 || broke_)) {
    services_.guard->result(entry_, {.call_id = {}, .name = executed_->name, .error = row_.status >= 400 || broke_},
                            services_.now);
  }
  services_.guard->leave(entry_,
                         {.failed = sent && (row_.status >= 400 || broke_ || tool_failed_),
                          .finished = call_ && generates(call_->operation()) && !announced_ && row_.status < 400,
                          .unknown = row_.status == 499,
                          .used = {.tokens = row_.usage.total(), .usd_micros = row_.usd_micros},
                          .answer_id = answer_id_},
                         services_.now);
  note_signals();
}

// The tools that the request declares: those that its caller may not use, or has used up, are taken from its list.
void Exchange::look_at_tools() {
  const std::vector<std::string>& tools = call_->facts().agent.tools;
  if (tool_at_ == 0 && !looking_) release_answered_calls();
  for (; tool_at_ < tools.size(); ++tool_at_) {
    const std::string& tool = tools[tool_at_];
    if (!looking_) {
      if (kills_->find(KillSwitch::Kind::kTool, tool) != nullptr || rules_->denies_tool(attributes_, tool)) {
        strip(tool, denial_of(request_.identity, tool));
        continue;
      }
      if (!rules_->limits_tool(tool)) continue;
      looking_ = true;
      phase_ = Phase::kLooking;
      if (!tool_limits().look(*rules_, attributes_, tool)) return;  // on_tool_limit() goes on
    }
    looking_ = false;
    const ToolLimits::Answer& answer = tool_limits().answer();
    if (answer.admitted || answer.rule == nullptr || answer.rule->on_exceed == OnExceed::kQueue) continue;
    if (answer.rule->on_exceed != OnExceed::kStripTool) {
      refuse_with(tool_limits().plan(), tool_limits().decision(), answer.refusal);
      return;
    }
    strip(tool, answer.refusal);
  }
  if (!stripped_.empty()) call_->strip_tools(stripped_);
  ask();
}

// Most requests never ask about a tool.
ToolLimits& Exchange::tool_limits() {
  if (!tool_limits_)
    tool_limits_ = std::make_unique<ToolLimits>(services_, static_cast<ToolLimitEvents&>(*this), request_.id);
  return *tool_limits_;
}

// A tool that was taken from the list, or a call from an answer.
void Exchange::note_refusal(AuditEvent event, const Refusal& refusal, const Plan* plan, const Decision* decision) {
  audit_event(services_, event, refusal, source(plan, decision), {});
}

EventSource Exchange::source(const Plan* plan, const Decision* decision) const {
  EventSource of{.rules = rules_,
                 .request_id = request_.request_id,
                 .who = request_.identity,
                 .run = entry_.run,
                 .route = request_.target.route,
                 .of_call = admitted_,
                 .plan = plan,
                 .decision = decision};
  if (call_) {
    of.model = call_->model();
    of.provider = call_->provider().name;
  }
  return of;
}

void Exchange::strip(const std::string& tool, const Refusal& refusal) {
  stripped_.push_back(tool);
  note_refusal(AuditEvent::kStripped, refusal);
}

// Admitted: calls that the request reports and that nobody has counted yet.
void Exchange::count_reported_calls() {
  if (!call_) return;
  for (const std::string& tool : entry_.unseen) {
    count_call(tool);
    if (rules_->limits_tool(tool)) tool_limits().spend(*rules_, attributes_, tool);
  }
}

// Results say that their calls are in flight no longer, whatever becomes of the request that brings them.
void Exchange::release_answered_calls() {
  for (const ToolResult& result : call_->facts().agent.results) {
    if (!result.call_id.empty() && rules_->limits_tool(result.name)) {
      tool_limits().release(*rules_, attributes_, result.name, reservation_of_call(result.call_id));
    }
  }
}

void Exchange::count_call(std::string_view tool) {
  ++row_.tool_calls;
  services_.metrics->tool_calls.add(tool, "allow");
  add_tool(row_.tools, tool);
}

// The name of a call's own reservation, while it is in flight.
Hash128 Exchange::reservation_of_call(std::string_view call_id) const {
  SubjectHasher hasher(*services_.secret);
  return hasher.begin("tool call").add({reinterpret_cast<const char*>(&owner_), sizeof owner_}).add(call_id).finish();
}

void Exchange::append_agent_fields(std::string& out) const {
  append_header(out, "x-weir-lineage",
                services_.guard->sign(entry_, Guard::lineage_scope(request_.identity.tenant, row_.key)));
  if (!warning_.empty()) append_header(out, "x-weir-warning", warning_);
  if (!stripped_.empty()) append_header(out, "x-weir-stripped", joined(stripped_));
}

}  // namespace weir
