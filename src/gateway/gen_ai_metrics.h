// The histograms of OpenTelemetry's GenAI and MCP conventions, under the names that Prometheus gives them.
//
//   const GenAiMetrics::Series& series = gen_ai.series(Operation::kMessages, "anthropic", "claude-sonnet-4");
//   series.input_tokens->observe(120);
//   gen_ai.model_call(series, 1.2, 502);       // seconds, and the status that it ended with
//   gen_ai.mcp_call("tools/call", "search", 0.1, 200);
//
// One worker's thread; series stay valid as long as the registry. Bounded: kMaxModels models, kMaxTools tools and
// kMaxMethods methods by name, further ones are `other`.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "providers/operation.h"
#include "telemetry/metrics.h"

namespace weir {

class GenAiMetrics {
 public:
  static constexpr std::size_t kMaxModels = 200, kMaxTools = 100, kMaxMethods = 50, kMaxErrors = 50;

  explicit GenAiMetrics(Metrics& metrics) : metrics_(metrics) {}

  struct Series {
    Labels labels;
    Histogram *input_tokens = nullptr, *output_tokens = nullptr;
    Histogram* duration = nullptr;  // of calls that went well
    Histogram *first_chunk = nullptr, *per_chunk = nullptr;
  };
  const Series& series(Operation operation, std::string_view provider, std::string_view model);
  void model_call(const Series& series, double seconds, int status);
  void mcp_call(std::string_view method, std::string_view tool, double seconds, int status);

 private:
  static constexpr std::size_t kMaxRemembered = 1024;

  Series make(Operation operation, std::string_view provider, const std::string& model);
  Labels with_error(Labels labels, int status);

  Metrics& metrics_;
  std::unordered_map<std::string, Series> series_;
  std::unordered_map<std::string, Histogram*> mcp_;
};

// The convention's name of a provider that the policy calls `name`; `name` itself if it is none of those.
std::string_view gen_ai_provider(std::string_view name);

}  // namespace weir
