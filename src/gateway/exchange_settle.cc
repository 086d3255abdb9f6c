// What an exchange cost, settled exactly once, and the end of its answer.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "gateway/exchange.h"
#include "gateway/forward.h"
#include "tokens/estimate.h"

namespace weir {

// Usage as far as Weir can tell when the provider does not say: never free. `whole_reservation`: nothing of the answer
// was seen, so it may have been as long as it was allowed to be.
Usage Exchange::counted_usage(bool whole_reservation) const {
  if (provider_ == nullptr) return {};
  Usage usage{.input_uncached = input_estimate_};
  if (whole_reservation) {
    usage.output_visible = output_held_;
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
    usage.output_visible = std::max(usage.output_visible, estimate_output_tokens(seen.text_bytes) - usage.reasoning);
  } else if (!answer_.empty()) {
    const AnswerFacts seen = read_answer(request_.target.operation, answer_);
    const auto bytes = seen.text_bytes > 0 ? seen.text_bytes : static_cast<std::int64_t>(answer_.size());
    if (request_.target.operation != Operation::kEmbeddings) usage.output_visible = estimate_output_tokens(bytes);
  } else if (request_.target.operation != Operation::kEmbeddings) {
    usage.output_visible = estimate_output_tokens(bytes_out_);
  }
  return usage;
}

// The provider's answer is complete (or its end marker was seen): read what it says it used.
void Exchange::settle_answer() {
  if (provider_ == nullptr) {
    read_custom_meters();
    settle(Settled::kUsage, {});
    return;
  }
  if (row_.status >= 400) {
    settle(Settled::kNone, {});
    return;
  }
  AnswerFacts facts;
  if (mode_ == Mode::kBuffer) {
    facts = read_answer(request_.target.operation, answer_);
  } else if (reader_) {
    facts = reader_->facts();
  }
  if (!facts.model.empty() && !(model_rule_ && model_rule_->price)) {
    if (const PriceRow* row = PriceBook::built_in().find(facts.model)) price_ = row->price;
  }
  const bool whole = !reader_ || reader_->ended();
  if (facts.usage && whole) {
    settle(Settled::kUsage, *facts.usage);
  } else {
    settle_counted(false);
  }
}

void Exchange::settle_counted(bool whole_reservation) {
  charge_what_was_held_ = whole_reservation && provider_ != nullptr;
  settle(Settled::kCounted, counted_usage(whole_reservation));
}

void Exchange::settle(Settled how, const Usage& usage) {
  WEIR_CHECK(!settled_);
  settled_ = true;
  phase_ = Phase::kSettling;
  row_.settled = how;
  row_.usage = usage;
  row_.usd_micros = provider_ ? cost_usd_micros(price_, usage) : 0;
  Costs actual;
  actual.set(MeterKind::kRequests, 1, 1);  // kept whatever the provider says; counts in weighted meters
  if (how != Settled::kNone) {
    actual.set(MeterKind::kTokens, usage.total(), usage.total());
    actual.set(MeterKind::kInputTokens, usage.input(), usage.input());
    actual.set(MeterKind::kOutputTokens, usage.output(), usage.output());
    actual.set(MeterKind::kCachedTokens, usage.cache_read, usage.cache_read);
    actual.set(MeterKind::kUsd, row_.usd_micros, row_.usd_micros);
    const auto body = static_cast<std::int64_t>(request_.body.size());
    actual.set(MeterKind::kBytesIn, body, body);
    actual.set(MeterKind::kBytesOut, bytes_out_, bytes_out_);
    actual.custom = custom_actual_;
    services_.metrics->usage(row_.model, usage, row_.usd_micros);
    if (custom_actual_.empty()) actual.custom = costs_.custom;
  }
  std::array<std::int64_t, kMaxDemands> amounts{};
  const std::span<std::int64_t> out = std::span(amounts).first(plan_.demands().size());
  if (charge_what_was_held_) {
    std::transform(plan_.demands().begin(), plan_.demands().end(), out.begin(), [](const Demand& d) { return d.cost; });
  } else {
    rules_->actuals(plan_, actual, out);
  }
  services_.counters->settle(request_.id, out, services_.now, *this);
}

void Exchange::on_settled(CountersStatus, Outcome, std::span<const Effect> effects) {
  services_.journal->settle(request_.id, row_, effects);
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
  if (!answer_begun_) {  // read whole: its cost goes into the headers
    if (row_.status >= 400 && provider_) redact(answer_, provider_->key);
    std::string out;
    append_status_line(out, row_.status);
    out += answer_fields();
    if (provider_ && row_.status < 400) {
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
    return;
  }
  if (!held_.empty()) {
    send_answer(held_);
    held_.clear();
  }
  if (!upstream_complete_) {  // the end marker was seen, the connection's end not yet
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

void Exchange::client_left() {
  client_ = nullptr;
  switch (phase_) {
    case Phase::kAdmitting:
      keep_attributes();
      return;
    case Phase::kSettling:
    case Phase::kDone:
      return;  // the answer under way will find the client gone
    case Phase::kOpening:
      row_.status = 499;
      settle(Settled::kNone, {});
      return;
    case Phase::kForwarding:
    case Phase::kRelaying: {
      const bool nothing_sent = upstream_ != nullptr && !upstream_->connected();
      release_upstream(false);
      if (nothing_sent && !settled_) {
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
      row_.status = 499;
      settle_counted(mode_ != Mode::kStream || !head_seen_);
      return;
    }
    case Phase::kClosing:
      finish();
      return;
  }
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
