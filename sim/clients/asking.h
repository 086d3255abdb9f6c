// Writes requests in every dialect from one form of a talk.
//
//   Talk talk{.system = "You help.", .turns = {{.who = Turn::Who::kUser, .text = "how much is it"}}};
//   std::string body = body_of({.operation = Operation::kChat, .model = "gpt-4o"}, talk, " ask:17;");
//
// Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "clients/hearing.h"

namespace weir::sim::client {

struct Turn {
  enum class Who : std::uint8_t { kUser, kModel, kTool };
  Who who = Who::kUser;
  std::string text;
  std::vector<ToolCall> calls;  // kModel
  std::string call_id, tool;    // kTool
  bool failed = false;          // kTool
};

struct Talk {
  std::string system;
  std::vector<Turn> turns;
  std::vector<std::string> tools;
  std::string previous;  // Responses: the answer that this goes on from; the turns before it are not sent
};

struct Wish {
  Operation operation = Operation::kChat;
  std::string model;
  bool stream = false;
  std::int64_t cap = 0;
  bool include_usage = true;  // chat and completions
  bool json_array = false;    // Gemini
};

// "openai" is chat; also "chat", "responses", "completions", "embeddings", "anthropic", "gemini", "ollama", "generate",
// "ollama_embed".
Result<Operation> operation_from(std::string_view word);
std::string_view route_name(Operation operation);  // as in Ask::route
std::string target_of(const Wish& wish);
// `mark` is added to the last turn.
std::string body_of(const Wish& wish, const Talk& talk, std::string_view mark);

}  // namespace weir::sim::client
