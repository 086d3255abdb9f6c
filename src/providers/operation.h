// Dialects and their operations: which endpoint is called, where its model stands, how its streams are framed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

enum class Dialect : std::uint8_t { kOpenAi, kAnthropic, kGemini, kOllama };
std::string_view to_string(Dialect dialect);  // "openai", "anthropic", "gemini", "ollama"

enum class Operation : std::uint8_t {
  kChatCompletions,
  kResponses,
  kCompletions,
  kEmbeddings,
  kMessages,
  kCountTokens,  // Anthropic
  kGenerate,     // Gemini generateContent
  kStreamGenerate,
  kGeminiCountTokens,
  kOllamaChat,
  kOllamaGenerate,
  kOllamaEmbed,
};
inline constexpr std::size_t kOperationCount = 12;

Dialect dialect_of(Operation operation);
// As shown in the ledger and as attribute `route`: "/v1/chat/completions", "/v1beta/models/{model}:generateContent".
std::string_view route_of(Operation operation);
// Makes output tokens; the others embed or only count.
bool generates(Operation operation);
// Counts tokens for the caller: nothing is generated and nothing billed by tokens.
bool only_counts(Operation operation);

struct OperationAt {
  Operation operation = Operation::kChatCompletions;
  std::string model;  // Gemini: from the path, percent-decoded; empty otherwise
};
std::optional<OperationAt> operation_at(std::string_view path);
// The path at the provider; Gemini's names the model.
std::string path_of(Operation operation, std::string_view model);

}  // namespace weir
