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
      upstream_failures(metrics.counter("weir_upstream_failures_total", "Failed or timed-out calls to providers and upstreams.")),
      auth_failures(metrics.counter("weir_auth_failures_total", "Requests with a wrong or revoked key.")),
      table_full(metrics.counter("weir_table_full_total", "Requests refused because the counter table was full.")),
      journal_failures(metrics.counter("weir_journal_failures_total", "Requests refused because the journal could not be written.")),
      upstream_first_byte_seconds(metrics.histogram("weir_upstream_ttfb_seconds", "Time to the head of a provider's answer.",
                                                    kFirstByteBounds)),
      metrics_(metrics) {}

void MetricsBook::request(std::string_view route, std::string_view decision, std::string_view layer) {
  metrics_
      .counter("weir_requests_total", "Requests by route, decision and the layer that decided.",
               {{"route", std::string(route)}, {"decision", std::string(decision)}, {"layer", std::string(layer)}})
      .add(1);
}

void MetricsBook::usage(std::string_view model, const Usage& usage, std::int64_t usd_micros) {
  const auto tokens = [&](const char* kind, std::int64_t n) {
    if (n == 0) return;
    metrics_
        .counter("weir_tokens_total", "Tokens settled, by kind and model.", {{"kind", kind}, {"model", std::string(model)}})
        .add(n);
  };
  tokens("input", usage.input_uncached);
  tokens("cache_read", usage.cache_read);
  tokens("cache_write", usage.cache_write);
  tokens("output", usage.output_visible);
  tokens("reasoning", usage.reasoning);
  if (usd_micros == 0) return;
  metrics_.counter("weir_cost_usd_micros_total", "Micro-dollars settled, by model.", {{"model", std::string(model)}}).add(usd_micros);
}

}  // namespace weir
