// The gateway's metrics by name, registered once. Shared by all workers.
#pragma once

#include <array>
#include <string>
#include <string_view>

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
  Histogram& upstream_first_byte_seconds;

 private:
  Metrics& metrics_;
};

}  // namespace weir
