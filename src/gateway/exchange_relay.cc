// The answer on its way to the client: read whole, or event by event with the reservation growing ahead of it.
#include <algorithm>
#include <utility>

#include "base/sites.h"
#include "base/strings.h"
#include "gateway/exchange.h"
#include "gateway/forward.h"
#include "gateway/json_path.h"

namespace weir {
namespace {

bool is_json(const Headers& headers) {
  constexpr std::string_view kJson = "application/json";
  const std::string_view value = trim(headers.get("content-type"));
  return value.size() >= kJson.size() && equal_ignoring_case(value.substr(0, kJson.size()), kJson) &&
         (value.size() == kJson.size() || value[kJson.size()] == ';' || value[kJson.size()] == ' ');
}

bool has_coding(const Headers& headers) {
  const std::string_view coding = trim(headers.get("content-encoding"));
  return !coding.empty() && !equal_ignoring_case(coding, "identity");
}

Headers without_coding(Headers headers) {
  std::erase_if(headers.fields,
                [](const Header& field) { return equal_ignoring_case(field.name, "content-encoding"); });
  return headers;
}

}  // namespace

void Exchange::on_answer_head() {
  head_seen_ = true;
  const ResponseHead& head = parser_->head();
  row_.status = head.status;
  services_.metrics->upstream_first_byte_seconds.observe(static_cast<double>(services_.now - sent_at_) / 1e9);
  phase_ = Phase::kRelaying;
  if (head.status == 101) {
    broken("wants to switch protocols, which is not supported here", false, AttemptFailure::kOther, 502);
    return;
  }
  if (call_) {
    const auto framing =
        head.status < 400 ? framing_of(call_->operation(), head.headers.get("content-type")) : std::nullopt;
    const bool coded = has_coding(head.headers);
    if (coded) inflate_ = Inflate::of(head.headers.get("content-encoding"));
    // Events of a compressed stream cannot be held back or hidden, and a coding that is not known cannot be read.
    const bool pass = coded && head.status < 400 && (framing || !inflate_);
    mode_ = pass ? Mode::kPass : framing ? Mode::kStream : Mode::kBuffer;
    if (pass && !inflate_ && may_announce_calls()) {
      broken("sent its answer in a coding that was not asked for, so its tool calls cannot be judged", true,
             AttemptFailure::kOther, 502);
      return;
    }
    if (framing && (!coded || inflate_)) {
      framing_ = *framing;
      counter_.emplace(call_->output_counter());
      reader_ = std::make_unique<StreamReader>(call_->operation(), framing_,
                                               needs_rewrite(call_->operation(), call_->facts()),
                                               static_cast<GeneratedText*>(this));
      if (generates(call_->operation())) filter_ = std::make_unique<CallFilter>(call_->operation(), framing_);
    }
  } else if (mcp_) {
    if (!choose_mcp_mode()) return;
  } else {
    const std::vector<MeterSource>& meters = request_.target.upstream->meters;
    const bool reads_json =
        std::any_of(meters.begin(), meters.end(), [](const MeterSource& m) { return !m.response_json.empty(); });
    mode_ = reads_json && request_.head->method != "HEAD" && is_json(head.headers) ? Mode::kBuffer : Mode::kPass;
  }
  if (mode_ == Mode::kStream && !std::exchange(streaming_, true)) services_.metrics->active_streams.add(1);
  if (mode_ != Mode::kBuffer) begin_client_answer();
  if (mcp_ && mode_ == Mode::kStream) send_answer(mcp_->refusal_events());
}

void Exchange::on_body(std::string_view bytes) {
  if (bytes.empty() || upstream_ == nullptr) return;
  if (!head_seen_) on_answer_head();
  if (upstream_ == nullptr) return;
  bytes_out_ += static_cast<std::int64_t>(bytes.size());
  if (inflate_) read_copy(bytes);
  if (mode_ == Mode::kStream) {
    measure_chunk();
    if (mcp_) {
      relay_mcp(bytes);
    } else if (topping_up_ || judging_) {
      backlog_ += bytes;
    } else {
      relay(bytes);
    }
    return;
  }
  if (mode_ == Mode::kBuffer) {
    answer_ += bytes;
    if (answer_.size() <= kMaxBuffered) return;
    if (may_announce_calls()) {
      broken("sent an answer of more than 8 MB, whose tool calls cannot be judged", true, AttemptFailure::kOther, 502);
      return;
    }
    if (mcp_ && mcp_->edits_answer()) {
      broken("sent an answer of more than 8 MB, of which a part must not pass", true, AttemptFailure::kOther, 502);
      return;
    }
    reached("answer.too-long-to-hold");
    mode_ = Mode::kPass;  // too long to hold: pass it on, count what is seen of it
    begin_client_answer();
    pass_answer(std::exchange(answer_, {}));
    return;
  }
  pass_answer(bytes);
}

bool Exchange::may_announce_calls() const {
  if (!call_) return false;
  const AgentFacts& facts = call_->facts().agent;
  return head_seen_ && parser_->head().status < 400 &&
         (!facts.tools.empty() || !facts.calls.empty() || !facts.results.empty() || !facts.previous.empty());
}

void Exchange::on_text(std::string_view text) {
  counter_->append(text);
}

void Exchange::read_copy(std::string_view bytes) {
  std::string text;
  inflate_->feed(bytes, text);
  copied_ += static_cast<std::int64_t>(text.size());
  if (!reader_) {
    copied_ <= static_cast<std::int64_t>(kMaxBuffered) ? void(copy_ += text) : copy_.clear();
    return;
  }
  // Not for the client, who has the bytes as they came.
  for (std::string_view rest = text;; relay_.clear()) {
    relay_.clear();
    if (!reader_->next(rest, relay_)) break;
    if (filter_) count_passed_calls();
  }
  relayed_ = counter_->tokens();
}

// Events leave one by one, each once the reservation covers what has been generated up to it.
void Exchange::relay(std::string_view bytes) {
  relaying_ = true;
  for (;;) {
    relay_.clear();
    position_ = reader_->position();
    if (upstream_ == nullptr || !reader_->next(bytes, relay_)) break;
    if (settled_ || !held_.empty()) {
      held_ += relay_;
      continue;
    }
    if (!is_covered()) {
      top_up();
      if (topping_up_) {
        reached("stream.waits-for-its-top-up");
        backlog_ = bytes;
        upstream_->want_read(false);
        break;
      }
      if (upstream_ == nullptr) break;  // cut
    }
    if (!let_go()) {
      backlog_ = bytes;
      upstream_->want_read(false);
      break;
    }
  }
  relaying_ = false;
}

// The event under way is paid for: it goes to the client, as far as its tool calls may. False: the limits have yet to
// answer about one.
bool Exchange::let_go() {
  relayed_ = counter_->tokens();
  if (filter_ && !filter_event()) return false;
  hand_over();
  return true;
}

// The event leaves, or waits for the journal if it is the last.
void Exchange::hand_over() {
  const std::string& event = passed_event();
  if (!reader_->ended()) {
    send_answer(event);
    return;
  }
  held_ += event;
  settle_answer();
}

// What the limits were asked is answered: the event under way, and what came meanwhile.
void Exchange::go_on_relaying() {
  if (upstream_ == nullptr) return;
  if (!filter_event()) return;
  hand_over();
  if (!upstream_paused_ && upstream_) upstream_->want_read(true);
  const std::string rest = std::exchange(backlog_, {});
  relay(rest);
  if (complete_later_ && !topping_up_ && !judging_ && upstream_ != nullptr) on_answer_complete();
}

bool Exchange::holds_whole_cap() const {
  return call_->output_cap() > 0 && output_reserved_ >= call_->output_cap();
}

// True unless the answer is so far beyond the request's cap that its provider must be ignoring it. What could not be
// read says nothing of its length.
bool Exchange::keeps_to_cap(std::int64_t counted) const {
  const std::int64_t cap = call_->output_cap();
  return cap > 0 && ((reader_ && reader_->facts().unread) || counted / kMaxOvercount <= cap);
}

// The provider bills by its own count, and no more than the cap: while that is held, ours may differ.
bool Exchange::is_covered() const {
  const std::int64_t counted = counter_->tokens();
  return counted <= output_reserved_ || (holds_whole_cap() && keeps_to_cap(counted));
}

// Asks for room for what was generated beyond the reservation; up to the cap, as long as the provider keeps to it.
void Exchange::top_up() {
  asked_ = std::max(rules_->policy().reservation.top_up, counter_->tokens() - output_reserved_);
  const std::int64_t left = call_->output_cap() - output_reserved_;
  if (left > 0 && keeps_to_cap(counter_->tokens())) asked_ = std::min(asked_, left);
  Amounts before{}, after{};
  amounts_held(output_reserved_, before);
  amounts_held(output_reserved_ + asked_, after);
  for (std::size_t i = 0; i < after.size(); ++i) after[i] = std::max<std::int64_t>(0, after[i] - before[i]);
  const Usage more{.output_visible = asked_};
  if (!services_.guard->extend(entry_, {.tokens = asked_, .usd_micros = call_->usd(more)}, services_.now)) {
    cut_by_run();
    return;
  }
  topping_up_ = true;
  services_.counters->top_up(reservation_, std::span(after).first(plan_.demands().size()), services_.now, *this);
}

void Exchange::on_topped_up(CountersStatus status, const Decision& decision, std::span<const Effect> effects) {
  topping_up_ = false;
  if (status == CountersStatus::kOk && decision.admitted) {
    const Usage more{.output_visible = asked_};
    services_.metrics->top_ups.add(1);
    output_reserved_ += asked_;
    row_.reserved_tokens += asked_;
    measure_reserved(row_.reserved_tokens);
    // Written before what it covers is sent: a crash forgets nothing that a client was given.
    services_.journal->top_up_held(request_.id, asked_, call_->usd(more), effects);
  }
  if (upstream_ == nullptr) {  // the client left meanwhile: what was granted is settled with the rest
    reached("stream.topped-up-for-nobody");
    return;
  }
  if (status == CountersStatus::kOk && !decision.admitted) {
    cut_stream(decision, asked_);
    return;
  }
  if (status != CountersStatus::kOk && fails_closed()) {
    reached("stream.cut-without-counters");
    end_stream({.kind = ErrorKind::kOverloaded,
                .status = 503,
                .message = "The answer was ended because the counter store cannot be reached.",
                .request_id = request_.request_id});
    return;
  }
  if (status != CountersStatus::kOk) measure_fail_open();
  if (relaying_) return;  // relay() goes on
  if (!let_go()) return;
  if (!upstream_paused_ && upstream_) upstream_->want_read(true);
  const std::string rest = std::exchange(backlog_, {});
  relay(rest);
  if (complete_later_ && !topping_up_ && !judging_ && upstream_ != nullptr) on_answer_complete();
}

// The budget is gone: the client gets no more than was held, the dialect's error, and the true wait.
void Exchange::cut_stream(const Decision& decision, std::int64_t wanted) {
  Costs more;
  // The same limits as at the admission, whose verdicts these are.
  for (const MeterKind kind : {MeterKind::kRequests, MeterKind::kConcurrency, MeterKind::kRuns}) {
    const std::int64_t amount = costs_.certain[static_cast<std::size_t>(kind)];
    more.set(kind, amount, amount);
  }
  more.custom = costs_.custom;
  call_->use({.output_visible = wanted}, more);
  Plan asked;
  const bool planned = !rules_->plan(attributes_, more, services_.now, asked);
  const Refusal refusal = rules_->refusal(planned ? asked : plan_, decision, attributes_, services_.now);
  reached("stream.cut-by-limit");
  services_.metrics->request(request_.target.route, "cut", refusal.layer);
  services_.metrics->streams_cut.add(1);
  note_refusal(AuditEvent::kRefused, refusal);
  const ErrorFacts facts{
      .kind = decision.retry_after > kMinute ? ErrorKind::kQuota : ErrorKind::kRateLimited,
      .status = 429,
      .message = "The answer was ended because limit `" + refusal.limit + "` has no room left for it.",
      .request_id = request_.request_id,
      .refusal = &refusal};
  end_stream(facts);
}

// The whole run may use no more.
void Exchange::cut_by_run() {
  Refusal refusal{.limit = "runs", .layer = "breaker", .per = {{"run", entry_.run}}, .meter = "tokens"};
  services_.metrics->request(request_.target.route, "cut", refusal.layer);
  services_.metrics->refusal(refusal.layer, refusal.limit, {});
  reached("stream.cut-by-run");
  services_.metrics->streams_cut.add(1);
  note_refusal(AuditEvent::kBroken, refusal);
  end_stream({.kind = ErrorKind::kAbnormal,
              .status = 429,
              .message = "The answer was ended because its run has used all that a run may use, or its budget.",
              .request_id = request_.request_id,
              .refusal = &refusal});
}

// The provider made more than was held for it, but the limit comes first: all that was held is charged.
void Exchange::end_stream(const ErrorFacts& facts) {
  release_upstream(false);
  upstream_complete_ = true;
  report(ProviderHealth::Answer::kAbandoned);
  relayed_ = output_reserved_;
  const Usage seen = counted_usage(false);
  held_ += stream_error_end(call_->operation(), framing_, facts, &seen,
                            !needs_rewrite(call_->operation(), call_->facts()), &reader_->facts(), position_);
  settle_counted(false);
}

bool Exchange::fails_closed() const {
  return std::any_of(plan_.limits().begin(), plan_.limits().end(), [](const PlannedLimit& limit) {
    return !limit.rule->shadow && limit.rule->fail == FailMode::kClosed;
  });
}

// Bytes that pass as they come, but the last ones of a known length: those wait for the journal like any answer's end.
void Exchange::pass_answer(std::string_view bytes) {
  const std::int64_t length = parser_->head().content_length;
  if (length >= 0 && bytes_out_ >= length) {
    held_ += bytes;
  } else {
    send_answer(bytes);
  }
}

std::string Exchange::answer_fields() const {
  constexpr std::size_t kUsual = 1024;
  std::string out;
  out.reserve(kUsual);
  const Headers& fields = parser_->head().headers;
  if (decoded_) {
    append_answer_fields(without_coding(fields), provider_key_, call_.has_value(), out);
  } else {
    append_answer_fields(fields, provider_key_, call_.has_value(), out);
  }
  append_header(out, "x-weir-request-id", request_.request_id);
  if (!row_.degraded.empty()) append_header(out, "x-weir-degraded", row_.degraded);
  append_agent_fields(out);
  append_limit_state(request_.shape, plan_, decision_, services_.now, out);
  return out;
}

// Status line and fields of an answer whose body follows as it comes.
void Exchange::begin_client_answer() {
  answer_begun_ = true;
  if (client_ == nullptr) return;
  const ResponseHead& head = parser_->head();
  std::string out;
  append_status_line(out, head.status);
  out += answer_fields();
  const bool no_body = request_.head->method == "HEAD" || head.status == 204 || head.status == 304;
  if (mode_ == Mode::kPass && head.content_length >= 0) {
    append_header(out, "content-length", head.content_length);
  } else if (!no_body) {
    chunked_ = request_.head->minor_version >= 1;
    if (chunked_) {
      append_header(out, "transfer-encoding", "chunked");
    } else {
      close_after_ = true;
    }
  }
  if (close_after_ || !client_->keep_alive()) {
    append_header(out, "connection", "close");
  } else if (request_.head->minor_version == 0) {
    append_header(out, "connection", "keep-alive");
  }
  out += "\r\n";
  client_->send(out);
}

void Exchange::send_answer(std::string_view bytes) {
  if (client_ == nullptr || bytes.empty()) return;
  if (chunked_) {
    std::string chunk;
    chunk.reserve(bytes.size() + 16);
    append_chunk(chunk, bytes);
    client_->send(chunk);
  } else {
    client_->send(bytes);
  }
  if (upstream_ && !upstream_paused_ && client_->unsent() > kHighWater) {
    upstream_paused_ = true;
    upstream_->want_read(false);
    upstream_->set_deadline(answer_deadline());
  }
}

void Exchange::client_drained() {
  if (!upstream_paused_ || upstream_ == nullptr) return;
  upstream_paused_ = false;
  upstream_->set_deadline(answer_deadline());
  if (!topping_up_ && !judging_) upstream_->want_read(true);
}

// What is left of a stream at its end.
void Exchange::finish_events() {
  if (!filter_ || settled_) {
    held_ += relay_;
    return;
  }
  if (!relay_.empty() && filter_event()) held_ += passed_event();
  judging_ = false;  // a call that never became whole leaves nobody
  filter_->finish(held_);
}

void Exchange::on_answer_complete() {
  complete_later_ = topping_up_ || judging_ || (asks_ && asks_->busy());
  if (complete_later_) return;
  upstream_complete_ = true;
  if (!head_seen_) on_answer_head();
  if (upstream_ == nullptr) return;
  const int status = parser_->head().status;
  if (call_) learn_limits(status >= 400 ? std::string_view(inflate_ ? copy_ : answer_) : std::string_view{});
  const bool failed = status == 429 || status >= 500;
  // A 429 is a limit, not an illness: what it says of its wait was learned above.
  report(status >= 500   ? ProviderHealth::Answer::kFailed
         : status == 429 ? ProviderHealth::Answer::kAbandoned
                         : ProviderHealth::Answer::kGood);
  const bool reusable = parser_->reusable();
  release_upstream(reusable);
  if (failed && try_again(failure_of_status(status), false)) return;
  if (reader_) {
    relay_.clear();
    reader_->finish(relay_);
    if (mode_ == Mode::kStream) finish_events();
  }
  if (phase_ == Phase::kRelaying) {
    if (settled_) {
      deliver();
    } else if (!mcp_ || end_mcp_answer()) {
      settle_answer();
    }
  }
}

// What the provider says of its own limits counts for everybody who calls it.
void Exchange::learn_limits(std::string_view error_body) {
  if (call_->provider().simulate) return;
  const Headers& headers = parser_->head().headers;
  const ProviderLimits limits = read_provider_limits(
      dialect_of(call_->operation()), [&](std::string_view name) { return headers.get(name); }, error_body,
      services_.now);
  retry_after_ = limits.retry_after;
  if (limits.any()) services_.learned->providers.learn(call_->provider().name, call_->model(), limits, services_.now);
}

void Exchange::read_custom_meters() {
  for (const MeterSource& meter : request_.target.upstream->meters) {
    std::optional<std::int64_t> value;
    if (!meter.response_header.empty()) {
      value = parse_decimal(trim(parser_->head().headers.get(to_lower(meter.response_header))));
    } else if (mode_ == Mode::kBuffer) {
      value = json_integer_at(answer_, meter.response_json);
    }
    // Not reported: the estimate stands, so that silence is never cheaper than an answer.
    custom_actual_.emplace_back(meter.name, std::min(value.value_or(meter.estimate), kMaxAmount));
  }
}

}  // namespace weir
