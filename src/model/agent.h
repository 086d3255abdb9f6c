// What agents do, in the words of every dialect: tool calls that a model announces, results that come back, and what a
// request says of the conversation it belongs to. Values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

inline constexpr std::size_t kMaxToolName = 256;     // bytes; a request with a longer one is refused
inline constexpr std::size_t kMaxCallId = 512;       // bytes; a longer id is as good as none
inline constexpr std::size_t kMaxCallsInTurn = 512;  // of one answer; further ones are cut from it

// A tool's name as limits and breakers see it: ASCII stays, letters that look like ASCII ones become those (Cyrillic,
// Greek, full-width), so that look-alikes share a bucket. Empty: not usable as a name (control characters, invalid
// UTF-8, longer than kMaxToolName).
std::string canonical_tool_name(std::string_view name);

// A call as a model announced it, or as it arrives where it is executed.
struct ToolCall {
  std::string id;               // the dialect's; empty where it has none
  std::string name;             // canonical
  std::string arguments;        // JSON text, as it came
  std::uint64_t signature = 0;  // of name and arguments, whatever their spaces and the order of their keys; never 0
};

struct ToolResult {
  std::string call_id;        // empty where the dialect has none
  std::string name;           // canonical; of the call it answers, if the dialect or the history tells; else empty
  bool error = false;         // the tool failed, as far as its result tells
  std::uint64_t content = 0;  // hash of what it returned; equal for equal results
};

// What one request of a model says of the agent behind it.
struct AgentFacts {
  std::vector<std::string> tools;   // declared, canonical, in order of appearance, each once
  std::string forced_tool;          // named by tool_choice; empty: none
  std::vector<ToolResult> results;  // that follow the model's last turn: new to it
  std::vector<ToolCall> calls;      // of the model's last turn, as far as the history has it: what they answer
  std::string previous;             // previous_response_id and the like; empty: none
  std::uint64_t turn = 0;           // of all messages up to and including the last user's; 0: no messages
  std::uint64_t prompt = 0;         // of the last user's message alone; 0: none
  std::uint64_t task = 0;           // of system prompt and declared tools' names: what sort of task this is
};

// Where a call would send something, compared with what its run was told to do.
enum class Destination : std::uint8_t {
  kNone,     // the call names none
  kKnown,    // every destination among its arguments occurs in the system's or the user's words
  kOutside,  // one does not
};
const char* to_string(Destination destination);  // "none", "known", "outside"

}  // namespace weir
