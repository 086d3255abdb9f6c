#include "providers/operation.h"

#include <array>

#include "base/characters.h"

namespace weir {
namespace {

struct Row {
  Operation operation;
  Dialect dialect;
  std::string_view route;  // Gemini's hold {model}
  bool generates;
  bool only_counts;
};

// In the order of Operation.
constexpr std::array<Row, kOperationCount> kRows = {{
    {Operation::kChatCompletions, Dialect::kOpenAi, "/v1/chat/completions", true, false},
    {Operation::kResponses, Dialect::kOpenAi, "/v1/responses", true, false},
    {Operation::kCompletions, Dialect::kOpenAi, "/v1/completions", true, false},
    {Operation::kEmbeddings, Dialect::kOpenAi, "/v1/embeddings", false, false},
    {Operation::kMessages, Dialect::kAnthropic, "/v1/messages", true, false},
    {Operation::kCountTokens, Dialect::kAnthropic, "/v1/messages/count_tokens", false, true},
    {Operation::kGenerate, Dialect::kGemini, "/v1beta/models/{model}:generateContent", true, false},
    {Operation::kStreamGenerate, Dialect::kGemini, "/v1beta/models/{model}:streamGenerateContent", true, false},
    {Operation::kGeminiCountTokens, Dialect::kGemini, "/v1beta/models/{model}:countTokens", false, true},
    {Operation::kOllamaChat, Dialect::kOllama, "/api/chat", true, false},
    {Operation::kOllamaGenerate, Dialect::kOllama, "/api/generate", true, false},
    {Operation::kOllamaEmbed, Dialect::kOllama, "/api/embed", false, false},
}};

constexpr std::string_view kModelHole = "{model}";

const Row& row_of(Operation operation) {
  return kRows[static_cast<std::size_t>(operation)];
}

// nullopt: a broken escape, or a slash that would make it another path.
std::optional<std::string> model_of_path(std::string_view text) {
  auto out = percent_decoded(text);
  if (out && out->find('/') != std::string::npos) return std::nullopt;
  return out;
}

std::string percent_encoded(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_word({&c, 1}) || c == '~' || c == '@') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
  return out;
}

}  // namespace

std::string_view to_string(Dialect dialect) {
  static constexpr std::array<std::string_view, 4> kNames = {"openai", "anthropic", "gemini", "ollama"};
  return kNames[static_cast<std::size_t>(dialect)];
}

Dialect dialect_of(Operation operation) {
  return row_of(operation).dialect;
}

std::string_view route_of(Operation operation) {
  return row_of(operation).route;
}

bool generates(Operation operation) {
  return row_of(operation).generates;
}

bool only_counts(Operation operation) {
  return row_of(operation).only_counts;
}

std::optional<OperationAt> operation_at(std::string_view path) {
  for (const Row& row : kRows) {
    const std::size_t hole = row.route.find(kModelHole);
    if (hole == std::string_view::npos) {
      if (row.route == path) return OperationAt{row.operation, {}};
      continue;
    }
    const std::string_view before = row.route.substr(0, hole);
    const std::string_view after = row.route.substr(hole + kModelHole.size());
    if (path.size() <= before.size() + after.size() || !path.starts_with(before) || !path.ends_with(after)) continue;
    auto model = model_of_path(path.substr(before.size(), path.size() - before.size() - after.size()));
    if (model) return OperationAt{row.operation, std::move(*model)};
  }
  return std::nullopt;
}

std::string path_of(Operation operation, std::string_view model) {
  std::string path(route_of(operation));
  const std::size_t hole = path.find(kModelHole);
  if (hole != std::string::npos) path.replace(hole, kModelHole.size(), percent_encoded(model));
  return path;
}

}  // namespace weir
