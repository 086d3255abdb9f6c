// The gateway's metrics by name. Each worker has its own book over the shared registry: counters are shared, and what a
// request needs is remembered here, so that counting costs no lock and no look-up by rendered label.
//
// One worker's thread.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "model/usage.h"
#include "telemetry/metrics.h"

namespace weir {

class MetricsBook {
 public:
  explicit MetricsBook(Metrics& metrics);

  void request(std::string_view route, std::string_view decision, std::string_view layer);
  void usage(std::string_view model, const Usage& usage, std::int64_t usd_micros);

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
  Histogram& upstream_first_byte_seconds;

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
    Counter* usd_micros = nullptr;
  };
  Used& used(std::string_view model);

  Metrics& metrics_;
  std::vector<Decided> decided_;
  std::vector<Used> used_;
};

}  // namespace weir
