// What a provider reads of a request: which operation, how much to answer, which tools to call.
//
//   const Question question = read_question(Dialect::kOpenAi, head, body);
//   if (question.operation == Operation::kUnknown) …404…
//
// A prompt asks for tool calls in words: "[[call search 17]]" in its last message makes the model announce a call of
// `search` with the arguments {"q":"17"}, if the request declares that tool. Values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http_reader.h"

namespace weir::sim::provider {

enum class Dialect : std::uint8_t { kOpenAi, kAnthropic, kGemini, kOllama, kMcp, kHttp };

enum class Operation : std::uint8_t {
  kUnknown,
  kChat,
  kResponses,
  kCompletions,
  kEmbeddings,
  kMessages,
  kGenerateContent,
  kOllamaChat,
  kOllamaGenerate,
  kOllamaEmbed,
  kMcp,
  kHttp,
  kDecision,  // of Weir itself: clients only
};

struct ToolCall {
  std::string id, name, arguments;  // arguments as JSON
};

struct Question {
  Operation operation = Operation::kUnknown;
  bool valid = true;  // its body can be read
  bool stream = false;
  bool json_array = false;     // Gemini without alt=sse
  bool wants_usage = true;     // chat and completions: stream_options.include_usage
  bool events_wanted = false;  // MCP: Accept names event streams
  std::uint64_t ask = 0;
  std::string model;
  std::int64_t prompt_tokens = 0;
  std::int64_t cap = 0;            // 0: none
  std::vector<std::string> tools;  // declared
  std::vector<ToolCall> asked;     // calls, without ids yet
  std::string method, target;      // HTTP
  std::string rpc_method, rpc_id;  // MCP; the id as JSON, empty: a notification
  std::string tool, session;       // MCP
  std::vector<std::string> batch;  // MCP: ids of the calls of a batch
};

bool dialect_from(std::string_view word, Dialect& out);
Question read_question(Dialect dialect, const HttpHead& head, const std::string& body);

}  // namespace weir::sim::provider
