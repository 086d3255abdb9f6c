// What an exchange cost, settled exactly once, and the end of its answer.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/sites.h"
#include "gateway/exchange.h"
#include "gateway/forward.h"
#include "tokens/estimate.h"

namespace weir {

// Usage as far as Weir can tell when the provider does not say: never free. `whole_reservation`: nothing of the answer
// was seen, so it may have been as long as it was allowed to be.
Usage Exchange::counted_usage(bool whole_reservation) const {
  if (!call_ || only_counts(call_->operation())) return {};
  Usage usage{.input_uncached = call_->input()};
  if (whole_reservation) {
    usage.output_visible = output_reserved_;
    return usage;
  }
  if (reader_) {
    const AnswerFacts& seen = reader_->facts();
    if (seen.usage) {
      usage = *seen.usage;
    } else if (seen.so_far) {
      usage = *seen.so_far;  // the input side of a stream that was cut; its output count was provisional
      usage.output_visible = usage.reasoning = 0;
    }
    usage.output_visible = std::max(usage.output_visible, billable(relayed_) - usage.reasoning);
    if (inflate_) usage.output_visible = counted_output(usage);
    return usage;
  }
  if (!generates(call_->operation())) return usage;
  OutputCounter counter = call_->output_counter();
  struct Listener final : GeneratedText {
    explicit Listener(OutputCounter& to) : counter(to) {}
    void on_text(std::string_view text) override { counter.append(text); }
    OutputCounter& counter;
  } listener(counter);
  const std::string& text = inflate_ ? copy_ : answer_;
  if (!text.empty()) read_answer(call_->operation(), text, &listener);
  usage.output_visible = billable(counter.tokens());
  usage.output_visible = counted_output(usage);
  return usage;
}

// The output of an answer of which not all could be read: by its bytes where they say more than what was.
std::int64_t Exchange::counted_output(const Usage& seen) const {
  const bool damaged = inflate_ && inflate_->state() == Inflate::State::kCorrupt;
  std::int64_t least = mode_ == Mode::kPass || inflate_ ? 1 : 0;  // coded: whatever it says, it says something
  if (damaged || (!reader_ && seen.output_visible == 0)) {
    const std::int64_t passed = answer_.empty() ? bytes_out_ : static_cast<std::int64_t>(answer_.size());
    const std::int64_t estimate = estimate_output_tokens(inflate_ && !damaged ? copied_ : std::max(copied_, passed));
    const std::int64_t cap = call_->output_cap();  // of what cannot be read the bytes say little, the cap more
    least = std::max(least, cap > 0 ? std::min(estimate, cap) : estimate);
  }
  return std::max(seen.output_visible, least);
}

// Of `counted` tokens: a provider bills by its own count and no more than the cap, unless it ignores that.
std::int64_t Exchange::billable(std::int64_t counted) const {
  if (!keeps_to_cap(counted)) return counted;
  return std::min(counted, std::max(call_->output_cap(), output_reserved_));
}

// Of an answer that broke off: nothing tells how long it was. One that is not streamed was made whole before its first
// byte came.
bool Exchange::saw_nothing() const {
  return !head_seen_ || (!reader_ && !stream_);
}

// The provider's answer is complete (or its end marker was seen): read what it says it used.
void Exchange::settle_answer() {
  if (!call_) {
    read_custom_meters();
    settle(Settled::kUsage, {});
    return;
  }
  if (parser_->head().status >= 400) {
    settle(Settled::kNone, {});
    return;
  }
  AnswerFacts facts;
  const bool judges = mode_ == Mode::kBuffer && generates(call_->operation());
  std::vector<ToolCall> announced;
  if (reader_) {
    facts = reader_->facts();
    relayed_ = counter_->tokens();
  } else if (inflate_ || mode_ == Mode::kBuffer) {
    facts = read_answer(call_->operation(), inflate_ ? copy_ : answer_, nullptr, judges ? &announced : nullptr);
  }
  answer_id_ = facts.id;
  if (judges && !calls_) calls_ = std::move(announced);
  if (judges && !judge_answer()) return;
  call_->priced_as(facts.model, facts.service_tier);
  const bool whole = reader_ ? reader_->ended() : !inflate_ || inflate_->state() == Inflate::State::kEnd;
  if (facts.usage && whole) {
    call_->learn(*services_.learned, *facts.usage, facts.id);
    settle(Settled::kUsage, *facts.usage);
  } else {
    settle_counted(false);
  }
}

void Exchange::settle_counted(bool whole_reservation) {
  if (whole_reservation) reached("settle.all-that-was-held");
  charge_what_was_held_ = whole_reservation && call_;
  settle(Settled::kCounted, counted_usage(whole_reservation));
}

std::span<const std::int64_t> Exchange::amounts_of(const Usage& usage, bool nothing, Amounts& out) const {
  const std::span<std::int64_t> amounts = std::span(out).first(plan_.demands().size());
  Costs actual;
  const std::int64_t requests = costs_.certain[static_cast<std::size_t>(MeterKind::kRequests)];
  const std::int64_t runs = began_ ? costs_.certain[static_cast<std::size_t>(MeterKind::kRuns)] : 0;
  actual.set(MeterKind::kRuns, runs, runs);
  actual.set(MeterKind::kRequests, requests, requests);  // kept whatever the provider says; counts in weighted meters
  if (!nothing) {
    if (call_) call_->use(usage, actual);
    const std::int64_t in = costs_.certain[static_cast<std::size_t>(MeterKind::kBytesIn)];
    actual.set(MeterKind::kBytesIn, in, in);
    actual.set(MeterKind::kBytesOut, bytes_out_, bytes_out_);
    const std::int64_t calls = costs_.certain[static_cast<std::size_t>(MeterKind::kToolCalls)];
    actual.set(MeterKind::kToolCalls, calls, calls);
    actual.custom = custom_actual_.empty() ? costs_.custom : custom_actual_;
  }
  rules_->actuals(plan_, actual, amounts);
  leave_to_budget(amounts);
  return amounts;
}

// What each demand holds with `output` tokens of output: as planned, and more beyond the reservation of the admission.
std::span<const std::int64_t> Exchange::amounts_held(std::int64_t output, Amounts& out) const {
  const std::span<std::int64_t> amounts = std::span(out).first(plan_.demands().size());
  Costs held = costs_;
  call_->hold(output, held);
  rules_->actuals(plan_, held, amounts);
  leave_to_budget(amounts);
  return amounts;
}

void Exchange::settle(Settled how, const Usage& usage) {
  WEIR_CHECK(!settled_);
  settled_ = true;
  phase_ = Phase::kSettling;
  report(how == Settled::kUsage ? ProviderHealth::Answer::kGood : ProviderHealth::Answer::kAbandoned);
  Usage all = usage;
  all += spent_;
  row_.settled = how == Settled::kNone && all != Usage{} ? Settled::kCounted : how;
  row_.usage = all;
  row_.usd_micros = (call_ ? call_->usd(usage) : 0) + spent_usd_;
  if (row_.settled != Settled::kNone) services_.metrics->usage(row_.model, all, row_.usd_micros);
  measure_end(row_.settled, usage);
  if (lost_place_) {
    reached("settle.without-a-reservation");
    close_row({});
    return;
  }
  if (asks_) {
    asks_->stop();
    asks_->settle(how != Settled::kNone, [this, how, usage] {
      unjournalled_effects_ = asks_->take_effects();
      settle_request(how, usage);
    });
    return;
  }
  settle_request(how, usage);
}

void Exchange::settle_request(Settled how, const Usage& usage) {
  Amounts amounts{};
  services_.counters->settle(reservation_, amounts_used(usage, how == Settled::kNone, amounts), services_.now, *this);
}

// What an attempt that used `usage` settles; all that is held, where nothing tells what it used.
std::span<const std::int64_t> Exchange::amounts_used(const Usage& usage, bool nothing, Amounts& out) const {
  if (!charge_what_was_held_ || nothing) return amounts_of(usage, nothing, out);
  const std::span<const std::int64_t> held = amounts_held(output_reserved_, out);
  // A cap beyond an amount held the amount.
  for (std::size_t i = 0; i < held.size(); ++i) {
    if (output_reserved_ == call_->output_held()) out[i] = std::min(out[i], plan_.demands()[i].cost);
  }
  return held;
}

void Exchange::on_settled(CountersStatus, Outcome, std::span<const Effect> effects) {
  if (phase_ == Phase::kReleasing) {
    services_.journal->top_up(request_.id, effects);
    readmit();
    return;
  }
  if (unjournalled_effects_.empty()) {
    close_row(effects);
    return;
  }
  reached("settle.with-calls-not-yet-written");
  unjournalled_effects_.insert(unjournalled_effects_.end(), effects.begin(), effects.end());
  close_row(unjournalled_effects_);
}

void Exchange::close_row(std::span<const Effect> effects) {
  leave_run();
  services_.journal->settle(request_.id, row_, effects);
  publish_settled(services_, rules_, row_);
  phase_ = Phase::kClosing;
  if (client_ == nullptr) {
    finish();
    return;
  }
  services_.journal->when_written(*this);
}

// The journal has the usage: the client may have the rest.
void Exchange::deliver() {
  if (client_ == nullptr) {
    finish();
    return;
  }
  if (final_reply_) {
    client_->reply(std::move(*final_reply_));
    finish();
    return;
  }
  if (!answer_begun_) {
    deliver_whole();
    return;
  }
  if (!held_.empty()) {
    send_answer(held_);
    held_.clear();
  }
  if (!upstream_complete_) {  // the end marker was seen, the connection's end not yet
    reached("stream.ended-before-its-connection");
    phase_ = Phase::kRelaying;
    return;
  }
  if (chunked_ && !cut_after_) {
    std::string end;
    append_last_chunk(end);
    client_->send(end);
  }
  finish();
}

// An answer that was read whole: its cost goes into the headers.
void Exchange::deliver_whole() {
  if (row_.status >= 400 && call_) {
    decoded_ = redact(inflate_ ? copy_ : answer_, provider_key_) && inflate_;
    if (decoded_) answer_ = std::move(copy_);
  }
  constexpr std::size_t kRest = 256;  // status line, cost, length
  const std::string fields = answer_fields();
  std::string out;
  out.reserve(fields.size() + kRest + answer_.size());
  append_status_line(out, row_.status);
  out += fields;
  if (call_ && row_.status < 400) {
    append_header(out, "x-weir-tokens", row_.usage.total());
    append_header(out, "x-weir-cost-usd", decimal_usd(row_.usd_micros));
  }
  const bool no_length = row_.status == 204 || row_.status == 304;
  if (!no_length) append_header(out, "content-length", static_cast<std::int64_t>(answer_.size()));
  if (!client_->keep_alive()) {
    append_header(out, "connection", "close");
  } else if (request_.head->minor_version == 0) {
    append_header(out, "connection", "keep-alive");
  }
  out += "\r\n";
  if (request_.head->method != "HEAD") out += answer_;
  client_->send(out);
  finish();
}

void Exchange::client_left() {
  client_ = nullptr;
  switch (phase_) {
    case Phase::kLooking:
    case Phase::kBudgeting:
    case Phase::kPeeking:
    case Phase::kAdmitting:
      reached("exchange.client-left-while-asking");
      keep_attributes();
      return;
    case Phase::kQueueing:
      reached("exchange.client-left-in-queue");
      --services_.queued;
      give_back_place(0);
      end_probe();
      finish();
      return;
    case Phase::kReleasing:
    case Phase::kReadmitting:
      reached("exchange.client-left-while-readmitting");
      keep_attributes();
      row_.status = 499;
      return;
    case Phase::kSettling:
    case Phase::kDone:
      return;  // the answer under way will find the client gone
    case Phase::kOpening:
      reached("exchange.client-left-before-written");
      row_.status = 499;
      end_probe();
      settle(Settled::kNone, {});
      return;
    case Phase::kWaiting:
      reached("exchange.client-left-before-retry");
      row_.status = 499;
      end_probe();
      settle(used_ == Usage{} ? Settled::kNone : Settled::kCounted, used_);
      return;
    case Phase::kForwarding:
    case Phase::kRelaying:
      client_left_answer();
      return;
    case Phase::kClosing:
      reached("exchange.client-left-before-last-byte");
      finish();
      return;
  }
}

void Exchange::client_left_answer() {
  const bool nothing_sent = upstream_ != nullptr && !upstream_->connected();
  release_upstream(false);
  if (nothing_sent && !settled_) {
    reached("exchange.client-left-before-connected");
    row_.status = 499;
    settle(Settled::kNone, {});
    return;
  }
  if (settled_) {
    finish();
    return;
  }
  if (provider_refused()) {
    settle(Settled::kNone, {});
    return;
  }
  reached(topping_up_ ? "exchange.client-left-in-top-up"
          : judging_  ? "exchange.client-left-while-judged"
                      : "exchange.client-left-mid-answer");
  row_.status = 499;
  if (judging_) keep_attributes();
  if (judging_ && mode_ == Mode::kBuffer) return;  // settled once its calls are judged
  if (counter_) relayed_ = counter_->tokens();
  settle_counted(!reader_ || !head_seen_);
}

void Exchange::finish() {
  if (phase_ == Phase::kDone) return;
  phase_ = Phase::kDone;
  release_upstream(false);
  services_.metrics->requests_in_flight.add(-1);
  services_.live.erase(this);
  services_.graveyard.push_back(this);
  if (client_ == nullptr) return;
  ClientSide* client = client_;
  client_ = nullptr;
  if (cut_after_) {
    client->exchange_aborted();
  } else {
    client->exchange_done(!close_after_);
  }
}

}  // namespace weir
