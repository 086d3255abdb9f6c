// An MCP server and a plain HTTP API: what agents call besides models. They bill nothing in tokens.
//
//   ToolServer server(context.random.fork("crm"));
//   Script script = server.answer(question);
//
// One thread. Sessions beyond kMaxSessions are forgotten, the oldest first.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "providers/script.h"
#include "random.h"
#include "world.h"

namespace weir::sim::provider {

class ToolServer {
 public:
  static constexpr std::size_t kMaxSessions = 256;

  ToolServer(Random random, Range first_byte, std::vector<std::string> tools, std::int64_t tool_error_permille)
      : random_(random), first_byte_(first_byte), tools_(std::move(tools)), tool_errors_(tool_error_permille) {}
  Script answer(const Question& question, bool good);
  void forget_sessions() { sessions_.clear(); }

 private:
  Script mcp(const Question& question, bool good);
  Script http(const Question& question);
  std::string result(const Question& question, const std::string& id, bool good);
  Script initialize(const Question& question);

  Random random_;
  Range first_byte_;
  std::vector<std::string> tools_;
  std::int64_t tool_errors_;
  std::deque<std::string> sessions_;
  std::uint64_t next_session_ = 1;
};

}  // namespace weir::sim::provider
