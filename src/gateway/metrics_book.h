// The gateway's metrics by name. Each worker has its own book over the shared registry: counters are shared, and what a
// request needs is remembered here, so that counting costs no lock and no look-up by rendered label.
//
// One worker's thread.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/gen_ai_metrics.h"
#include "model/usage.h"
#include "telemetry/metrics.h"

namespace weir {

// Counters of one name by one or two labels. Of each label at most `most` values are told apart, further ones are
// `other`.
class LabelledCounter {
 public:
  LabelledCounter(Metrics& metrics, const char* name, const char* help, const char* first, const char* second,
                  std::size_t most)
      : metrics_(metrics), name_(name), help_(help), first_(first), second_(second), most_(most) {}
  void add(std::string_view first, std::string_view second = {});

 private:
  static constexpr std::size_t kMaxRemembered = 256;
  struct Known {
    std::string first, second;
    Counter* counter = nullptr;
  };
  Metrics& metrics_;
  const char *name_, *help_, *first_, *second_;  // `second_` null: one label
  std::size_t most_;
  std::vector<Known> known_;
};

class MetricsBook {
 public:
  static constexpr std::size_t kMaxTools = 100, kMaxLimits = 200;

  explicit MetricsBook(Metrics& metrics);

  void request(std::string_view route, std::string_view decision, std::string_view layer);
  void usage(std::string_view model, const Usage& usage, std::int64_t usd_micros);
  // `tool`: whose call was refused; empty: none.
  void refusal(std::string_view layer, std::string_view limit, std::string_view tool);

  Metrics& registry() { return metrics_; }

  Counter& open_connections;
  Counter& requests_in_flight;
  Counter& upstream_connections_opened;
  Counter& upstream_connections_reused;
  Counter& upstream_failures;
  Counter& auth_failures;
  Counter& table_full;
  Counter& journal_failures;
  Counter& degraded;
  Counter& retries;
  Counter& fallbacks;
  Counter& top_ups;
  Counter& streams_cut;
  Counter& reserved_tokens;
  Counter& active_streams;
  Histogram& upstream_first_byte_seconds;
  Histogram& decision_seconds;
  Histogram& settlement_delta_tokens;
  LabelledCounter tool_calls;
  LabelledCounter anomalies;
  LabelledCounter settlements;
  LabelledCounter fail_open;
  GenAiMetrics gen_ai;

 private:
  static constexpr std::size_t kKinds = 6;            // of tokens
  static constexpr std::size_t kMaxRemembered = 256;  // of each; beyond it counting takes the long way

  struct Decided {
    std::string route, decision, layer;
    Counter* counter = nullptr;
  };
  struct Used {
    std::string model;
    std::array<Counter*, kKinds> tokens{};
    Counter *usd_micros = nullptr, *usd = nullptr;
  };
  Used& used(std::string_view model);

  Metrics& metrics_;
  LabelledCounter refusals_;
  std::vector<Decided> decided_;
  std::vector<Used> used_;
};

}  // namespace weir
