#include "gateway/metrics_book.h"

#include <array>

namespace weir {
namespace {

constexpr std::array<double, 16> kFirstByteBounds = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                                     0.25,  0.5,   0.75, 1,    2.5,  5,    7.5,  10};

}  // namespace

MetricsBook::MetricsBook(Metrics& metrics)
    : open_connections(metrics.gauge("weir_open_connections", "Client connections that are open.")),
      requests_in_flight(metrics.gauge("weir_requests_in_flight", "Requests between entry and settlement.")),
      upstream_connections_opened(
          metrics.counter("weir_upstream_connections_opened_total", "Connections opened to providers and upstreams.")),
      upstream_connections_reused(
          metrics.counter("weir_upstream_connections_reused_total", "Requests sent over a pooled connection.")),
      upstream_failures(
          metrics.counter("weir_upstream_failures_total", "Failed or timed-out calls to providers and upstreams.")),
      auth_failures(
          metrics.counter("weir_auth_failures_total", "Requests with a wrong or revoked key, or a wrong admin token.")),
      table_full(metrics.counter("weir_table_full_total", "Requests refused because the counter table was full.")),
      journal_failures(
          metrics.counter("weir_journal_failures_total", "Requests refused because the journal could not be written.")),
      degraded(metrics.counter("weir_degraded_total", "Admitted requests that a degrade ladder changed.")),
      retries(metrics.counter("weir_retries_total", "Further attempts at the same model.")),
      fallbacks(metrics.counter("weir_fallbacks_total", "Requests and attempts that went to a fallback model.")),
      top_ups(metrics.counter("weir_top_ups_total", "Times that a stream's reservation grew.")),
      streams_cut(metrics.counter("weir_streams_cut_total", "Streams ended because a limit had no room left.")),
      upstream_first_byte_seconds(metrics.histogram("weir_upstream_ttfb_seconds",
                                                    "Time to the head of a provider's answer.", kFirstByteBounds)),
      metrics_(metrics) {}

void MetricsBook::request(std::string_view route, std::string_view decision, std::string_view layer) {
  for (const Decided& known : decided_) {
    if (known.route == route && known.decision == decision && known.layer == layer) {
      known.counter->add(1);
      return;
    }
  }
  Counter& counter = metrics_.counter(
      "weir_requests_total", "Requests by route, decision and the layer that decided.",
      {{"route", std::string(route)}, {"decision", std::string(decision)}, {"layer", std::string(layer)}});
  counter.add(1);
  if (decided_.size() < kMaxRemembered)
    decided_.push_back({std::string(route), std::string(decision), std::string(layer), &counter});
}

MetricsBook::Used& MetricsBook::used(std::string_view model) {
  for (Used& known : used_) {
    if (known.model == model) return known;
  }
  if (used_.size() >= kMaxRemembered) used_.clear();
  static constexpr std::array<const char*, kKinds> kNames = {"input",          "cache_read", "cache_write",
                                                             "cache_write_1h", "output",     "reasoning"};
  Used& fresh = used_.emplace_back();
  fresh.model = model;
  for (std::size_t i = 0; i < kKinds; ++i) {
    fresh.tokens[i] = &metrics_.counter("weir_tokens_total", "Tokens settled, by kind and model.",
                                        {{"kind", kNames[i]}, {"model", fresh.model}});
  }
  fresh.usd_micros =
      &metrics_.counter("weir_cost_usd_micros_total", "Micro-dollars settled, by model.", {{"model", fresh.model}});
  return fresh;
}

void MetricsBook::usage(std::string_view model, const Usage& usage, std::int64_t usd_micros) {
  const Used& counters = used(model);
  const std::array<std::int64_t, kKinds> amounts = {usage.input_uncached, usage.cache_read,     usage.cache_write,
                                                    usage.cache_write_1h, usage.output_visible, usage.reasoning};
  for (std::size_t i = 0; i < amounts.size(); ++i) {
    if (amounts[i] != 0) counters.tokens[i]->add(amounts[i]);
  }
  if (usd_micros != 0) counters.usd_micros->add(usd_micros);
}

}  // namespace weir
