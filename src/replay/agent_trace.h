// What recorded agents did, event by event, from two formats that are told apart by content: agent events (JSON Lines
// `trace,step,kind,…`) and transcripts (JSON Lines, a run per line with its `messages` in OpenAI chat shape).
//
//   if (is_agent_trace(text)) {
//     auto trace = open_agent_trace(text, "runs.jsonl");
//     AgentEvent event;
//     while (true) {
//       auto more = (*trace)->next(event);
//       if (!more) return fail(more.error().message);   // "runs.jsonl:17: `kind` is …"
//       if (!*more) break;
//       …event…
//     }
//   }
//
// Only what a gateway would see is read. Labels and other truths about a run (`label sensitive security utility solved
// hit_step_cap …`) are skipped like every unknown member.
//
// A trace's events stand together. A trace that comes back after another one began is an error: judging it as a second
// run would hide what the whole run did. `agent task key tenant conversation model`: the first value in a trace holds
// for all of it, whichever event carries it.
//
// A reader belongs to one thread; the text must outlive it. An event's views last until the next call. Limits:
// kMaxRowBytes an event, kMaxTranscriptBytes and kMaxTranscriptTurns a transcript, kMaxTraces traces a file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/agent.h"

namespace weir {

inline constexpr std::size_t kMaxTranscriptBytes = 4 << 20;
inline constexpr std::size_t kMaxTranscriptTurns = 1'000;  // each is a request with all that was said before it
inline constexpr std::size_t kMaxTraces = 1'000'000;       // of one file

// Who runs, as far as the trace says; empty where it does not.
struct AgentNames {
  std::string agent, task, key, tenant, conversation, model;
};

struct AgentEvent {
  enum class Kind : std::uint8_t { kModelCall, kToolCall, kToolResult };
  Kind kind = Kind::kModelCall;
  std::size_t line = 0;
  std::string_view trace;
  std::int64_t step = 0;
  bool begins = false;             // the first of its trace
  std::optional<DurationNs> time;  // since its trace began
  const AgentNames* names = nullptr;

  // kModelCall
  std::int64_t input_tokens = 0, output_tokens = 0;
  bool finished = false;              // it announces no calls
  const AgentFacts* facts = nullptr;  // null: the trace does not have the request itself

  // kToolCall
  ToolCall call;
  Destination destination = Destination::kNone;

  // kToolResult
  ToolResult result;
  bool in_next_request = false;  // the facts of the next model call have it
};

// Virtual because the two formats share nothing but their events.
class AgentTrace {
 public:
  virtual ~AgentTrace() = default;
  // False at the end. After an error there is nothing more to read.
  virtual Result<bool> next(AgentEvent& event) = 0;
};

// True if the text's first line is an agent event or a transcript.
bool is_agent_trace(std::string_view text);
// `file` is the name for messages.
Result<std::unique_ptr<AgentTrace>> open_agent_trace(std::string_view text, std::string file);

}  // namespace weir
