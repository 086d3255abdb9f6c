// An exchange with an MCP server: which tools it calls and may call, batches taken apart, answers read and edited.

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "gateway/exchange.h"
#include "gateway/trips.h"

namespace weir {
namespace {

constexpr std::string_view kSessionField = "mcp-session-id";

bool is_event_stream(const Headers& headers) {
  constexpr std::string_view kEvents = "text/event-stream";
  const std::string_view value = trim(headers.get("content-type"));
  return equal_ignoring_case(value.substr(0, kEvents.size()), kEvents);
}

bool is_coded(const Headers& headers) {
  const std::string_view coding = trim(headers.get("content-encoding"));
  return !coding.empty() && !equal_ignoring_case(coding, "identity");
}

// A cap on a tool, whatever it counts: the model is told, and can go on without the tool.
bool is_tool_cap(const Refusal& refusal, const Plan& plan) {
  if (refusal.layer == "tool" || refusal.layer == "breaker") return true;
  return std::any_of(plan.limits().begin(), plan.limits().end(), [&](const PlannedLimit& limit) {
    const auto& match = limit.rule->match;
    return limit.rule->name == refusal.limit &&
           std::any_of(match.begin(), match.end(), [](const MatchTerm& term) { return term.attribute == "tool"; });
  });
}

}  // namespace

bool Exchange::prepare_mcp() {
  const Upstream& upstream = *request_.target.upstream;
  auto call = McpCall::read(upstream, *request_.head, request_.body, rules_->policy().bounds.json.depth);
  if (!call) {
    answer_now(mcp_fault_reply(call.error(), request_.request_id), "reject", "entry");
    return false;
  }
  mcp_ = std::move(*call);
  mcp_timeouts_ = mcp_->timeouts();
  stream_ = mcp_->is_long_lived();
  if (!owns_mcp_session()) return false;
  attributes_.set(Attribute::kServer, mcp_->server());
  costs_.set(MeterKind::kRequests, mcp_->requests(), mcp_->requests());
  if (const ToolCall* tool = mcp_->single_call()) {
    attributes_.set(Attribute::kTool, tool->name);
    costs_.set(MeterKind::kToolCalls, 1, 1);
    executed_ = *tool;
  }
  return true;
}

// The server tells its callers apart by their sessions alone: one of another key is answered as one that is over.
bool Exchange::owns_mcp_session() {
  std::size_t ids = 0;
  for (const Header& field : request_.head->headers.fields) {
    if (!equal_ignoring_case(field.name, kSessionField)) continue;
    ++ids;
    mcp_session_ = McpSessions::id_of(*services_.secret, mcp_->server(), field.value);
  }
  if (ids == 0) return true;
  ErrorFacts facts{.kind = ErrorKind::kNotFound,
                   .status = 404,
                   .message = "This MCP session is not yours or is over: begin a new one with `initialize`.",
                   .param = {},
                   .request_id = request_.request_id};
  if (ids > 1) {
    facts.kind = ErrorKind::kInvalidRequest;
    facts.status = 400;
    facts.message = "Mcp-Session-Id was sent more than once: send the one session that is meant.";
  } else if (services_.learned->sessions.may_use(mcp_session_, owner_of(request_.identity, *services_.secret))) {
    return true;
  }
  answer_now(error_answer(facts), "reject", "entry");
  return false;
}

// The server accepted the session, or began one.
void Exchange::note_mcp_session() {
  const std::string_view begun = parser_->head().headers.get(kSessionField);
  if (begun.data() != nullptr) mcp_session_ = McpSessions::id_of(*services_.secret, mcp_->server(), begun);
  if (mcp_session_) services_.learned->sessions.used(mcp_session_, owner_of(request_.identity, *services_.secret));
}

// An answer of our own to a request that charged nothing.
void Exchange::answer_now(Reply reply, const char* decision, std::string_view layer) {
  services_.metrics->request(request_.target.route, decision, layer);
  publish_rejected(services_, source(), reply.status, {});
  if (client_) client_->reply(std::move(reply));
  finish();
}

// Calls of tools that this caller may not use are answered here; false if nothing is left to forward.
bool Exchange::pass_tool_lists() {
  for (std::size_t i = 0; i < mcp_->messages().size(); ++i) {
    const McpMessage& message = mcp_->messages()[i];
    if (!message.is_call() || !rules_->denies_tool(attributes_, message.call.name)) continue;
    refuse_message(i, denied_refusal(mcp_->server(), message.call.name), denied_words(message.call.name));
  }
  if (mcp_->refusals() == 0) return true;
  if (!mcp_->forwards_any()) {
    Reply reply = mcp_->refusals_reply();
    append_header(reply.headers, "x-weir-request-id", request_.request_id);
    if (client_) client_->reply(std::move(reply));
    finish();
    return false;
  }
  const std::int64_t left = std::max<std::int64_t>(1, mcp_->requests() - static_cast<std::int64_t>(mcp_->refusals()));
  costs_.set(MeterKind::kRequests, left, left);
  return true;
}

// In shape A, in the name of the server.
void Exchange::refuse_message(std::size_t i, const Refusal& refusal, const std::string& words) {
  if (row_.request_id.empty()) fill_row();
  const McpMessage& message = mcp_->messages()[i];
  services_.metrics->request(request_.target.route, "refuse", refusal.layer);
  note_refusal(AuditEvent::kRefused, refusal);
  mcp_->refuse(i, tool_error_message(message.id, mcp_->asker().modern, words, &refusal));
}

Reply Exchange::refusal_answer(const Plan& plan, const Decision& decision, const Refusal& refusal) const {
  if (!mcp_ || !mcp_->is_post()) {
    return refusal_reply(request_.shape, plan, decision, refusal, request_.request_id, services_.now);
  }
  const ToolCall* call = is_tool_cap(refusal, plan) ? mcp_->single_call() : nullptr;
  Reply reply = mcp_refusal_reply(mcp_->asker(), call != nullptr ? std::string_view(call->name) : std::string_view(),
                                  plan, decision, refusal, services_.now);
  append_header(reply.headers, "x-weir-request-id", request_.request_id);
  return reply;
}

// What the guard asks of an answer, and says of it.
void Exchange::watch_mcp() {
  mcp_->hooks = {
      .on_result =
          [this](const ToolCall&, const ToolResult& result) {
            resulted_ = true;
            tool_failed_ |= result.error;
            services_.guard->result(entry_, result, services_.now);
          },
      .on_tools = [this](const std::vector<std::string>& tools) { services_.guard->serves(owner_, tools); },
      .hides = [this](std::string_view tool) { return kills_->find(KillSwitch::Kind::kTool, tool) != nullptr; },
      .judge = [this](const ToolCall& call) -> std::optional<Refusal> {
        const CallVerdict verdict = services_.guard->call(entry_, call, Destination::kNone, services_.now);
        note_signals(call.name);
        if (!verdict.trip) return std::nullopt;
        return refusal_of(*verdict.trip, entry_, request_.identity, call.name, services_.now);
      },
      .unjudge = [this](const ToolCall& call) { services_.guard->uncall(entry_, call, services_.now); }};
}

// A breaker tells the model, where a model asked.
Reply Exchange::trip_answer(const Trip& trip, const Refusal& refusal) const {
  if (!mcp_ || !mcp_->is_post()) {
    return breaker_reply(request_.shape, refusal, message_of(trip), request_.request_id, asks_too_much(trip));
  }
  const McpAsker& asker = mcp_->asker();
  Reply reply = mcp_->single_call() != nullptr && !asker.ids.empty()
                    ? rpc_reply(200,
                                tool_error_message(asker.ids.front(), asker.modern,
                                                   message_of(trip) + " Do not repeat it; go on without it.", &refusal),
                                asker.events_only)
                    : rpc_error_reply(asker, 429, kRpcAbnormal, message_of(trip), &refusal);
  append_breaker_wait(refusal, reply.headers);
  append_header(reply.headers, "x-weir-request-id", request_.request_id);
  return reply;
}

Reply Exchange::error_answer(const ErrorFacts& facts) const {
  if (!mcp_ || !mcp_->is_post()) return error_reply(request_.shape, facts);
  const int code = facts.status == 503   ? kRpcOverloaded
                   : facts.status >= 500 ? kRpcInternalError
                   : facts.status == 429 ? kRpcQuota
                                         : kRpcInvalidRequest;
  Reply reply = rpc_error_reply(mcp_->asker(), facts.status, code, facts.message, facts.refusal);
  append_header(reply.headers, "x-weir-request-id", request_.request_id);
  return reply;
}

// Each call of a batch is admitted by itself, once the POST is; true if that is under way or done.
bool Exchange::admit_batch(std::span<const Effect> effects) {
  if (!mcp_->is_batch()) return false;
  std::vector<ToolCall> calls;
  for (std::size_t i = 0; i < mcp_->messages().size(); ++i) {
    if (!mcp_->messages()[i].is_call() || mcp_->refused(i)) continue;
    batch_calls_.push_back(i);
    calls.push_back(mcp_->messages()[i].call);
  }
  unjournalled_effects_.assign(effects.begin(), effects.end());
  asks_ = std::make_unique<ToolAsks>(services_, *rules_, attributes_);
  asks_->on_admitted = [this](const Plan& plan, const Decision& decision) {
    publish_admitted(services_, source(&plan, &decision), 0);
  };
  const Hash128 id{reservation_.high, ~reservation_.low};
  asks_->admit(std::move(calls), id, reservation_deadline(), mcp_->hooks.judge, mcp_->hooks.unjudge,
               [this](const std::vector<ToolAsks::Answer>& answers) { on_batch_asked(answers); });
  return true;
}

void Exchange::on_batch_asked(const std::vector<ToolAsks::Answer>& answers) {
  for (std::size_t k = 0; k < answers.size(); ++k) {
    const std::size_t i = batch_calls_[k];
    const ToolAsks::Answer& answer = answers[k];
    if (answer.admitted) {
      count_call(mcp_->messages()[i].call.name);
      continue;
    }
    refuse_message(
        i, answer.refusal,
        answer.problem.empty() ? refusal_words(mcp_->messages()[i].call.name, answer.refusal) : answer.problem);
  }
  std::vector<Effect> effects = std::exchange(unjournalled_effects_, {});
  const std::vector<Effect> of_calls = asks_->take_effects();
  effects.insert(effects.end(), of_calls.begin(), of_calls.end());
  if (mcp_->forwards_any()) {
    if (mcp_->refusals() > 0) {
      const std::string rest = mcp_->forward_body(request_.body);
      request_.body.assign(rest.data(), rest.size());  // in place: its memory is accounted for
    }
    open_record(effects);
    return;
  }
  services_.journal->open(request_.id, row_, effects);
  final_reply_ = mcp_->refusals_reply();
  append_header(final_reply_->headers, "x-weir-request-id", request_.request_id);
  row_.status = client_ ? 200 : 499;
  settle(Settled::kNone, {});
}

// How the answer passes; false if it cannot.
bool Exchange::choose_mcp_mode() {
  const ResponseHead& head = parser_->head();
  mode_ = Mode::kPass;
  if (head.status >= 200 && head.status < 300) note_mcp_session();
  if (!mcp_->is_post() || head.status < 200 || head.status >= 300) return true;
  if (is_coded(head.headers)) {
    if (!mcp_->edits_answer()) return true;
    broken("sent a compressed answer although none was asked for", true, AttemptFailure::kOther, 502);
    return false;
  }
  if (is_event_stream(head.headers)) {
    mode_ = Mode::kStream;
    cutter_.emplace(Framing::kSse);
  } else if (mcp_->reads_answer()) {
    mode_ = Mode::kBuffer;
  }
  return true;
}

// Each event leaves when its last byte has come.
void Exchange::relay_mcp(std::string_view bytes) {
  if (asks_ && asks_->busy()) {
    backlog_ += bytes;
    return;
  }
  while (!bytes.empty() && upstream_ != nullptr) {
    const StreamCutter::Cut cut = cutter_->next(bytes);
    event_ += bytes.substr(0, cut.length);
    bytes.remove_prefix(cut.length);
    if (event_.size() > kMaxBuffered) {
      if (mcp_->edits_answer()) {
        broken("sent an event of more than 8 MB, of which a part must not pass", true, AttemptFailure::kOther, 502);
        return;
      }
      send_answer(std::exchange(event_, {}));  // its rest follows, and says nothing
    }
    if (!cut.complete) continue;
    if (!take_mcp_event()) {
      backlog_ += bytes;
      return;
    }
  }
}

// False: the counters are still looked at.
bool Exchange::take_mcp_event() {
  mcp_->take_event(event_);
  if (!find_hidden()) {
    upstream_->want_read(false);
    return false;
  }
  pass_mcp_event();
  return true;
}

void Exchange::pass_mcp_event() {
  const std::string out =
      mcp_->edited_event(std::exchange(event_, {}), [this](std::string_view tool) { return is_hidden(tool); });
  if (settled_) {
    phase_ == Phase::kRelaying ? send_answer(out) : void(held_ += out);
  } else if (!mcp_->answered()) {
    send_answer(out);
  } else {
    held_ += out;
    settle_answer();
  }
}

// The server is done. False: the counters are still looked at.
bool Exchange::end_mcp_answer() {
  if (mode_ == Mode::kStream) held_ += std::exchange(event_, {});
  if (mode_ != Mode::kBuffer) return true;
  mcp_->take_body(answer_);
  if (!find_hidden()) return false;
  edit_mcp_body();
  return true;
}

void Exchange::edit_mcp_body() {
  const bool has_body = !trim(answer_).empty();
  answer_ = mcp_->edited_body(std::move(answer_), [this](std::string_view tool) { return is_hidden(tool); });
  if (mcp_->refusals() == 0 || has_body) return;
  row_.status = 200;  // only notifications were left: the server had nothing to say, Weir has
  final_reply_ = rpc_reply(200, std::move(answer_), false);
  append_header(final_reply_->headers, "x-weir-request-id", request_.request_id);
}

bool Exchange::is_hidden(std::string_view tool) const {
  return std::find(hidden_.begin(), hidden_.end(), tool) != hidden_.end();
}

// Which of the listed tools are not shown: denied, stopped, or used up. False: on_hidden_found() follows.
bool Exchange::find_hidden() {
  hidden_.clear();
  looked_tools_.clear();
  if (!mcp_->hides_tools()) return true;
  for (const std::string& tool : mcp_->listed()) {
    if (rules_->denies_tool(attributes_, tool) || (mcp_->hooks.hides && mcp_->hooks.hides(tool))) {
      hidden_.push_back(tool);
    } else if (rules_->limits_tool(tool)) {
      looked_tools_.push_back(tool);
    }
  }
  if (looked_tools_.empty()) return true;
  if (!asks_) asks_ = std::make_unique<ToolAsks>(services_, *rules_, attributes_);
  finding_ = true;
  asks_->look(looked_tools_, [this](const std::vector<ToolAsks::Answer>& answers) {
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (!answers[i].admitted) hidden_.push_back(looked_tools_[i]);
    }
    if (!finding_) on_hidden_found();
  });
  finding_ = false;
  return !asks_->busy();
}

void Exchange::on_hidden_found() {
  if (settled_ || phase_ != Phase::kRelaying) return;
  if (mode_ != Mode::kStream) {
    edit_mcp_body();
    settle_answer();
    return;
  }
  pass_mcp_event();
  if (upstream_ == nullptr) return;
  if (!upstream_paused_) upstream_->want_read(true);
  relay_mcp(std::exchange(backlog_, {}));
  if (complete_later_ && !asks_->busy() && upstream_ != nullptr) on_answer_complete();
}

void Exchange::end_broken_mcp(const std::string& message) {
  std::string events = mode_ == Mode::kStream ? mcp_->broken_events(message) : std::string();
  cut_after_ = events.empty();
  held_ += events;
}

}  // namespace weir
