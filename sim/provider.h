// A simulated provider: takes requests in its dialect over the network, answers like the real one, well or badly, and
// keeps the book of what it really produced (truth.h).
//
//   Provider provider("openai", settings, context);      // listens at "openai"
//
// Settings (permille of calls, unless told otherwise): dialect (openai anthropic gemini ollama mcp http),
// output: [5, 400] tokens, first_byte: [50ms, 3s], tokens_per_second, status_429 (with Retry-After), status_500,
// status_503, stall (never answers), stall_midway, truncate (closes in the middle), reset_midway, malformed (broken
// JSON, broken events, broken chunks), late_usage (an extra event long after), no_usage, double_usage, lie_usage
// (absurd or negative numbers), split (bytes one by one), keep_open, close_after (without saying so), chatter (bytes
// after the answer), wrong_length, tool_calls (announces calls), down: [5m, 20m] (listens not, from time to time). One
// thread.
#pragma once

#include <memory>
#include <string>

#include "context.h"
#include "network.h"
#include "world.h"

namespace weir::sim {

class Provider final : public Listener {
 public:
  Provider(std::string name, const Settings& settings, Context& context);
  ~Provider() override;
  WireEvents* on_accept(std::unique_ptr<Wire> wire) override;
  // No misbehaviour from now on; what is stalled goes on.
  void heal();
  std::size_t open_calls() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::sim
