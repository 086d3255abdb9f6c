// Tool calls that an answer announces: each is judged before the client sees it, and those that may not be are cut.
#include <algorithm>
#include <utility>

#include "base/sites.h"
#include "behavior/destinations.h"
#include "gateway/exchange.h"
#include "gateway/refusal_audit.h"
#include "gateway/trips.h"

namespace weir {

Destination Exchange::destination_of(const ToolCall& call) {
  if (!Guard::is_sensitive(rules_->policy().behavior, call.name)) return Destination::kNone;
  if (!prompt_) prompt_ = prompt_text(call_->operation(), request_.body);
  return classify(call.arguments, *prompt_);
}

// May any call of this tool leave at all?
bool Exchange::may_use(const std::string& tool) {
  announced_ = true;
  // A name with invisible letters, or too long: no limit could count it, and no request may declare it.
  if (tool.empty()) {
    note_refusal(AuditEvent::kRefused, denial_of(request_.identity, "unusable name"));
    return false;
  }
  if (const KillSwitch* off = kills_->find(KillSwitch::Kind::kTool, tool)) {
    const Trip trip{.guard = "killed",
                    .meter = {},
                    .retry_after = kNever,
                    .evidence = "tool `" + tool + "` was stopped" + (off->reason.empty() ? "" : ": " + off->reason)};
    services_.metrics->request(request_.target.route, "cut", "breaker");
    services_.metrics->refusal("breaker", trip.guard, tool);
    audit_trip(services_, AuditEvent::kBroken, trip, entry_, tool, source());
    return false;
  }
  if (!rules_->denies_tool(attributes_, tool)) return true;
  note_refusal(AuditEvent::kRefused, denial_of(request_.identity, tool));
  return false;
}

// The breakers. False: the call is cut.
bool Exchange::passes_guard(const ToolCall& call, bool cuttable) {
  announced_ = true;
  const CallVerdict verdict = services_.guard->call(entry_, call, destination_of(call), services_.now);
  note_signals(call.name);
  if (verdict.warn) warning_ = warning_of(*verdict.warn);
  counted_here_ = verdict.counted;
  if (!verdict.trip) return true;
  reached(cuttable ? "calls.broken" : "calls.broken-too-late");
  if (cuttable) services_.metrics->request(request_.target.route, "cut", "breaker");
  if (cuttable) services_.metrics->refusal("breaker", verdict.trip->guard, call.name);
  audit_trip(services_, cuttable ? AuditEvent::kBroken : AuditEvent::kWarned, *verdict.trip, entry_, call.name,
             source());
  return false;
}

// Room for one call of the tool under every limit that counts it. False: the answer comes later.
bool Exchange::ask_for_call(const ToolCall& call) {
  const Hash128 id = call.id.empty() ? services_.next_id() : reservation_of_call(call.id);
  return tool_limits().admit(*rules_, attributes_, call.name, id, services_.now + rules_->policy().behavior.runs.idle);
}

// The limits have answered. True: the call may leave. `noted`: the guard counts it already.
bool Exchange::admits_call(const ToolCall& call, bool noted) {
  const EventSource of = source(&tool_limits().plan(), &tool_limits().decision());
  if (tool_limits().answer().admitted) {
    publish_admitted(services_, of, 0);
    return true;
  }
  if (tool_limits().answer().rule != nullptr) {
    services_.metrics->request(request_.target.route, "cut", tool_limits().answer().refusal.layer);
    audit_event(services_, AuditEvent::kRefused, tool_limits().answer().refusal, of, {});
  }
  reached("calls.no-room");
  if (noted) services_.guard->uncall(entry_, call, services_.now);
  return false;
}

// --- whole answers -------------------------------------------------------------------------------------------------

// True: every one of `calls_` was judged, and `answer_` is what the client may have. False: on_tool_limit() goes on.
bool Exchange::judge_answer() {
  while (cut_.size() < calls_->size()) {
    const ToolCall& call = (*calls_)[cut_.size()];
    if (!judging_) {
      if (cut_.size() >= kMaxCallsInTurn || !may_use(call.name) || !passes_guard(call, true)) {
        cut_.push_back(true);
        continue;
      }
      if (counted_here_ && rules_->limits_tool(call.name)) {
        judging_ = true;
        if (!ask_for_call(call)) return false;
      }
    }
    const bool limited = std::exchange(judging_, false);
    const bool passes = !limited || admits_call(call, true);
    cut_.push_back(!passes);
    if (passes && counted_here_) count_call(call.name);
  }
  if (std::find(cut_.begin(), cut_.end(), true) == cut_.end()) return true;
  reached("calls.cut-from-an-answer");
  answer_ = without_calls(call_->operation(), inflate_ ? copy_ : answer_, cut_);
  decoded_ = decoded_ || inflate_ != nullptr;
  return true;
}

// --- streams -------------------------------------------------------------------------------------------------------

// Lets the event under way through the filter: passed_event() is what the client may have. False: on_tool_limit()
// goes on.
bool Exchange::filter_event() {
  if (!judging_) {
    untouched_ = !filter_->concerns(relay_);
    if (untouched_) return true;
    filtered_.clear();
    question_ = filter_->take(relay_, filtered_);
  }
  while (question_ != CallFilter::Asks::kNothing) {
    const ToolCall& call = filter_->asked();
    CallFilter::Ruling ruling = CallFilter::Ruling::kPass;
    if (judging_) {
      judging_ = false;
      if (!admits_call(call, question_ == CallFilter::Asks::kCall)) ruling = CallFilter::Ruling::kCut;
    } else if (question_ == CallFilter::Asks::kName) {
      ruling = judge_name(call);
    } else {
      ruling = judge_call(call);
    }
    if (judging_) {
      reached("calls.limits-answer-later");
      return false;
    }
    if (ruling == CallFilter::Ruling::kPass && question_ == CallFilter::Asks::kCall && counted_here_)
      count_call(call.name);
    question_ = filter_->rule(ruling, filtered_);
  }
  return true;
}

// By name, at its first fragment. Sets judging_ if the limits have yet to answer.
CallFilter::Ruling Exchange::judge_name(const ToolCall& call) {
  if (!may_use(call.name)) return CallFilter::Ruling::kCut;
  if (services_.guard->hangs_on_arguments(entry_, call.name) ||
      Guard::is_sensitive(rules_->policy().behavior, call.name)) {
    reached("calls.held-until-complete");
    return CallFilter::Ruling::kHold;
  }
  if (services_.guard->is_served(owner_, call.name) || !rules_->limits_tool(call.name))
    return CallFilter::Ruling::kPass;
  judging_ = !ask_for_call(call);
  return judging_ || admits_call(call, false) ? CallFilter::Ruling::kPass : CallFilter::Ruling::kCut;
}

// Complete. What has left already is only counted.
CallFilter::Ruling Exchange::judge_call(const ToolCall& call) {
  const bool held = filter_->holds_asked();
  if (!passes_guard(call, held)) return held ? CallFilter::Ruling::kCut : CallFilter::Ruling::kPass;
  if (!held || !counted_here_ || !rules_->limits_tool(call.name)) return CallFilter::Ruling::kPass;
  judging_ = !ask_for_call(call);
  return judging_ || admits_call(call, true) ? CallFilter::Ruling::kPass : CallFilter::Ruling::kCut;
}

// Of a stream that passes coded: nothing can be taken out of it any more, but all of it counts.
void Exchange::count_passed_calls() {
  filtered_.clear();
  for (question_ = filter_->take(relay_, filtered_); question_ != CallFilter::Asks::kNothing;
       question_ = filter_->rule(CallFilter::Ruling::kPass, filtered_)) {
    if (question_ != CallFilter::Asks::kCall) continue;
    const ToolCall& call = filter_->asked();
    passes_guard(call, false);
    if (!counted_here_) continue;
    count_call(call.name);
    if (rules_->limits_tool(call.name)) tool_limits().spend(*rules_, attributes_, call.name);
  }
}

void Exchange::on_tool_limit() {
  if (phase_ == Phase::kLooking) {
    look_at_tools();
  } else if (phase_ == Phase::kRelaying && judging_) {
    mode_ == Mode::kStream ? go_on_relaying() : settle_answer();
  }
}

}  // namespace weir
