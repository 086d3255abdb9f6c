// What an exchange tells the metrics.
#include "gateway/exchange.h"

namespace weir {
namespace {

double seconds(DurationNs span) {
  return static_cast<double>(span) / 1e9;
}

}  // namespace

void Exchange::measure_decision() {
  services_.metrics->decision_seconds.observe(seconds(services_.now - arrived_ - queued_));
}

void Exchange::measure_reserved(std::int64_t tokens) {
  services_.metrics->reserved_tokens.add(tokens - shown_reserved_);
  shown_reserved_ = tokens;
}

// A piece is what was read at once.
void Exchange::measure_chunk() {
  if (!call_) return;
  if (chunk_at_ < sent_at_ || series_ == nullptr) {
    series_ = &services_.metrics->gen_ai.series(call_->operation(), call_->provider().name, call_->model());
    series_->first_chunk->observe(seconds(services_.now - sent_at_));
  } else {
    series_->per_chunk->observe(seconds(services_.now - chunk_at_));
  }
  chunk_at_ = services_.now;
}

void Exchange::measure_end(Settled how, const Usage& usage) {
  MetricsBook& metrics = *services_.metrics;
  metrics.settlements.add(to_string(how));
  measure_reserved(0);
  if (attempts_.made() == 0) return;
  const double took = seconds(services_.now - sent_at_);
  if (mcp_) {
    if (!mcp_->is_post() || mcp_->messages().empty()) return;
    const std::string_view method = mcp_->is_batch() ? "batch" : std::string_view(mcp_->messages()[0].method);
    metrics.gen_ai.mcp_call(method, executed_ ? std::string_view(executed_->name) : std::string_view(), took,
                            row_.status);
    return;
  }
  if (!call_) return;
  if (how != Settled::kNone)
    metrics.settlement_delta_tokens.observe(static_cast<double>(row_.usage.total() - row_.reserved_tokens));
  const GenAiMetrics::Series& series =
      metrics.gen_ai.series(call_->operation(), call_->provider().name, call_->model());
  metrics.gen_ai.model_call(series, took, broke_ && row_.status < 400 ? 502 : row_.status);
  if (usage.input() > 0) series.input_tokens->observe(static_cast<double>(usage.input()));
  if (usage.output() > 0) series.output_tokens->observe(static_cast<double>(usage.output()));
}

void Exchange::measure_fail_open() {
  for (const PlannedLimit& limit : plan_.limits()) services_.metrics->fail_open.add(limit.rule->name);
}

}  // namespace weir
