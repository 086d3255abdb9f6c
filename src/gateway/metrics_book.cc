#include "gateway/metrics_book.h"

#include <array>

namespace weir {
namespace {

constexpr std::array<double, 16> kFirstByteBounds = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                                     0.25,  0.5,   0.75, 1,    2.5,  5,    7.5,  10};
constexpr std::array<double, 12> kDecisionBounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                    0.01,   0.025,   0.05,   0.1,   0.5,    1};
constexpr std::array<double, 13> kDeltaBounds = {-65536, -16384, -4096, -1024, -256,  -64,  0,
                                                 64,     256,    1024,  4096,  16384, 65536};

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
      reserved_tokens(metrics.gauge("weir_reserved_tokens", "Tokens that open requests hold.")),
      active_streams(metrics.gauge("weir_active_streams", "Streams on their way to clients.")),
      upstream_first_byte_seconds(metrics.histogram("weir_upstream_first_byte_seconds",
                                                    "Time to the head of a provider's answer.", kFirstByteBounds)),
      decision_seconds(metrics.histogram("weir_decision_duration_seconds",
                                         "From a request that was read to its being forwarded or refused, without "
                                         "the time that it waited for room.",
                                         kDecisionBounds)),
      settlement_delta_tokens(metrics.histogram(
          "weir_settlement_delta_tokens", "Tokens that a request used beyond what was held for it.", kDeltaBounds)),
      tool_calls(metrics, "weir_tool_calls_total", "Tool calls that were let through or refused.", "tool", "decision",
                 kMaxTools),
      anomalies(metrics, "weir_anomalies_total", "Breakers that warned or broke, also in shadow.", "detector", nullptr,
                kMaxLimits),
      settlements(metrics, "weir_settlements_total", "Requests by how their cost was found.", "settled", nullptr,
                  kMaxLimits),
      fail_open(metrics, "weir_fail_open_total", "Asked without an answer of the counters, and let through.", "limit",
                nullptr, kMaxLimits),
      gen_ai(metrics),
      metrics_(metrics),
      refusals_(metrics, "weir_refusals_total", "Refused requests and tool calls.", "layer", "limit", kMaxLimits) {}

void LabelledCounter::add(std::string_view first, std::string_view second) {
  for (const Known& known : known_) {
    if (known.first == first && known.second == second) {
      known.counter->add(1);
      return;
    }
  }
  Labels labels{{first_, metrics_.bounded(std::string(name_) + first_, first, most_)}};
  if (second_ != nullptr) {
    labels.emplace_back(second_, metrics_.bounded(std::string(name_) + second_, second, most_));
  }
  Counter& counter = metrics_.counter(name_, help_, labels);
  counter.add(1);
  if (known_.size() < kMaxRemembered) known_.push_back({std::string(first), std::string(second), &counter});
}

void MetricsBook::refusal(std::string_view layer, std::string_view limit, std::string_view tool) {
  refusals_.add(layer, limit);
  if (!tool.empty()) tool_calls.add(tool, "refuse");
}

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
  // Clients name models: those beyond the bound share one name.
  const std::string label = metrics_.bounded("model", model, GenAiMetrics::kMaxModels);
  for (std::size_t i = 0; i < kKinds; ++i) {
    fresh.tokens[i] = &metrics_.counter("weir_tokens_total", "Tokens settled, by kind and model.",
                                        {{"kind", kNames[i]}, {"model", label}});
  }
  fresh.usd_micros =
      &metrics_.counter("weir_cost_usd_micros_total", "Micro-dollars settled, by model.", {{"model", label}});
  fresh.usd = &metrics_.counter("weir_cost_usd_total", "Dollars settled, by model.", {{"model", label}}, 1'000'000);
  return fresh;
}

void MetricsBook::usage(std::string_view model, const Usage& usage, std::int64_t usd_micros) {
  const Used& counters = used(model);
  const std::array<std::int64_t, kKinds> amounts = {usage.input_uncached, usage.cache_read,     usage.cache_write,
                                                    usage.cache_write_1h, usage.output_visible, usage.reasoning};
  for (std::size_t i = 0; i < amounts.size(); ++i) {
    if (amounts[i] != 0) counters.tokens[i]->add(amounts[i]);
  }
  if (usd_micros == 0) return;
  counters.usd_micros->add(usd_micros);
  counters.usd->add(usd_micros);
}

}  // namespace weir
