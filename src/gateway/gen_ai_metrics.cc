#include "gateway/gen_ai_metrics.h"

#include <fmt/format.h>

#include <array>

namespace weir {
namespace {

constexpr std::array<double, 14> kTokenBounds = {1,     4,     16,     64,      256,     1024,     4096,
                                                 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
constexpr std::array<double, 14> kSecondBounds = {0.01, 0.02, 0.04, 0.08,  0.16,  0.32,  0.64,
                                                  1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
constexpr std::array<double, 14> kMcpBounds = {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300};

constexpr const char* kDuration = "gen_ai_client_operation_duration_seconds";
constexpr const char* kDurationHelp = "Time that a provider took for a call, its last attempt.";

const char* operation_name(Operation operation) {
  switch (operation) {
    case Operation::kEmbeddings:
    case Operation::kOllamaEmbed:
      return "embeddings";
    case Operation::kCompletions:
    case Operation::kOllamaGenerate:
      return "text_completion";
    case Operation::kGenerate:
    case Operation::kStreamGenerate:
      return "generate_content";
    case Operation::kCountTokens:
    case Operation::kGeminiCountTokens:
      return "count_tokens";
    case Operation::kChatCompletions:
    case Operation::kResponses:
    case Operation::kMessages:
    case Operation::kOllamaChat:
      break;
  }
  return "chat";
}

}  // namespace

std::string_view gen_ai_provider(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {{"claude", "anthropic"},
                                                                      {"gemini", "gcp.gemini"},
                                                                      {"google", "gcp.gemini"},
                                                                      {"vertex", "gcp.vertex_ai"},
                                                                      {"bedrock", "aws.bedrock"},
                                                                      {"azure", "azure.ai.openai"},
                                                                      {"azure-openai", "azure.ai.openai"},
                                                                      {"mistral", "mistral_ai"},
                                                                      {"xai", "x_ai"},
                                                                      {"grok", "x_ai"},
                                                                      {"watsonx", "ibm.watsonx.ai"}};
  for (const auto& [known, conventional] : kNames) {
    if (known == name) return conventional;
  }
  return name;
}

GenAiMetrics::Series GenAiMetrics::make(Operation operation, std::string_view provider, const std::string& model) {
  Series out;
  out.labels = {{"gen_ai_operation_name", operation_name(operation)},
                {"gen_ai_provider_name", std::string(gen_ai_provider(provider))},
                {"gen_ai_request_model", model}};
  const auto tokens = [&](const char* type) {
    Labels labels = out.labels;
    labels.emplace_back("gen_ai_token_type", type);
    return &metrics_.histogram("gen_ai_client_token_usage", "Tokens of a call as settled: all input, or all output.",
                               kTokenBounds, labels);
  };
  out.input_tokens = tokens("input");
  out.output_tokens = tokens("output");
  out.duration = &metrics_.histogram(kDuration, kDurationHelp, kSecondBounds, out.labels);
  out.first_chunk = &metrics_.histogram("gen_ai_client_operation_time_to_first_chunk_seconds",
                                        "Time to the first piece of a stream.", kSecondBounds, out.labels);
  out.per_chunk =
      &metrics_.histogram("gen_ai_client_operation_time_per_output_chunk_seconds",
                          "Time between the pieces of a stream as they were read.", kSecondBounds, out.labels);
  return out;
}

const GenAiMetrics::Series& GenAiMetrics::series(Operation operation, std::string_view provider,
                                                 std::string_view model) {
  const auto key = [&](std::string_view of) {
    std::string out(1, static_cast<char>(operation));
    out.append(provider).append(1, '\n').append(of);
    return out;
  };
  if (const auto found = series_.find(key(model)); found != series_.end()) return found->second;
  // Full: what is not remembered has no name of its own.
  const bool room = series_.size() < kMaxRemembered;
  const std::string label = room ? metrics_.bounded("model", model, kMaxModels) : "other";
  std::string name = key(room ? model : label);
  const auto found = series_.find(name);
  if (found != series_.end()) return found->second;
  return series_.emplace(std::move(name), make(operation, provider, label)).first->second;
}

Labels GenAiMetrics::with_error(Labels labels, int status) {
  if (status >= 400) labels.emplace_back("error_type", metrics_.bounded("error", std::to_string(status), kMaxErrors));
  return labels;
}

void GenAiMetrics::model_call(const Series& series, double seconds, int status) {
  Histogram* of = series.duration;
  if (status >= 400)
    of = &metrics_.histogram(kDuration, kDurationHelp, kSecondBounds, with_error(series.labels, status));
  of->observe(seconds);
}

void GenAiMetrics::mcp_call(std::string_view method, std::string_view tool, double seconds, int status) {
  std::string key = fmt::format("{}\n{}\n{}", method, tool, status >= 400 ? status : 0);
  auto found = mcp_.find(key);
  if (found == mcp_.end()) {
    if (mcp_.size() >= kMaxRemembered) mcp_.clear();
    Labels labels{{"mcp_method_name", metrics_.bounded("mcp_method", method, kMaxMethods)}};
    if (!tool.empty()) labels.emplace_back("gen_ai_tool_name", metrics_.bounded("mcp_tool", tool, kMaxTools));
    Histogram& of = metrics_.histogram("mcp_client_operation_duration_seconds", "Time that an MCP server took.",
                                       kMcpBounds, with_error(std::move(labels), status));
    found = mcp_.emplace(std::move(key), &of).first;
  }
  found->second->observe(seconds);
}

}  // namespace weir
