#include "providers/dialect.h"

namespace weir {

std::string_view to_string(Dialect dialect) {
  return dialect == Dialect::kOpenAi ? "openai" : "anthropic";
}

Dialect dialect_of(Operation operation) {
  return operation == Operation::kMessages ? Dialect::kAnthropic : Dialect::kOpenAi;
}

std::string_view path_of(Operation operation) {
  switch (operation) {
    case Operation::kChatCompletions:
      return "/v1/chat/completions";
    case Operation::kEmbeddings:
      return "/v1/embeddings";
    case Operation::kMessages:
      return "/v1/messages";
  }
  return {};
}

std::optional<Operation> operation_at(std::string_view path) {
  for (const Operation operation : {Operation::kChatCompletions, Operation::kEmbeddings, Operation::kMessages}) {
    if (path_of(operation) == path) return operation;
  }
  return std::nullopt;
}

bool needs_rewrite(Operation operation, const RequestFacts& facts) {
  return operation == Operation::kChatCompletions && facts.stream && !facts.wants_stream_usage;
}

}  // namespace weir
