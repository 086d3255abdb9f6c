// Tool calls in answers, and the edits that take some of them away again.
//
//   std::vector<ToolCall> calls = announced_calls(operation, body);         // of a whole JSON answer
//   std::string rest = without_calls(operation, body, {false, true, …});    // the second is cut, the finish reason
//   mended
//
// Bytes that are not cut stay as they are. No I/O, no clock. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/agent.h"
#include "providers/operation.h"
#include "providers/stream_cutter.h"

namespace weir {

// In order of appearance, over all choices and candidates; at most kMaxCallsInTurn + 1. Calls that the provider
// executes itself (web searches and the like) are not among them: they are billed by Usage::tool_units.
std::vector<ToolCall> announced_calls(Operation operation, std::string_view body);
// `cut[i]`: the i-th of announced_calls() goes; calls beyond the end of `cut` go too.
std::string without_calls(Operation operation, std::string_view body, const std::vector<bool>& cut);

// Of name and JSON arguments: equal for identical calls whatever the arguments' spaces, key order and escapes. Text
// that is no JSON counts as it stands. Never 0.
std::uint64_t call_signature(std::string_view canonical_name, std::string_view arguments);

// The system's and the user's words of a request, joined by line feeds: what the agent was told to do. Not results of
// tools, not the model's own words.
std::string prompt_text(Operation operation, std::string_view body);

// Judges the calls of a stream while it passes. Takes events as StreamReader::next() gives them:
//
//   CallFilter filter(operation, framing);
//   CallFilter::Asks asks = filter.take(event, out);           // `out`: what may leave now
//   while (asks != CallFilter::Asks::kNothing)
//     asks = filter.rule(judge(asks, filter.asked()), out);    // may come later; no take() before it
//   …at the end of the stream… filter.finish(out);
//
// Each call is asked about twice: kName when its name is known (arguments still missing), kCall when it is complete.
//   kName: kPass  relay its fragments as they come; at kCall the ruling changes nothing any more
//          kHold  keep its fragments until kCall is ruled; other events go on
//          kCut   drop it; kCall does not come
//   kCall: kPass  (held) its fragments leave now, before anything of the stream that follows
//          kCut   (held) it is dropped
// Indexes of the calls that remain are closed up where the dialect numbers them. When every call of a turn was cut, the
// finish reason becomes that of a turn without calls, and events that only belonged to them are dropped.
//
// kHold at kCall is kCut. Of a call without a name its fragments are kept until the name comes, or the turn ends. Calls
// beyond kMaxCallsInTurn are cut unasked. An event that comes in pieces, since it is longer than
// StreamReader::kMaxEvent, is put together if it could have to do with calls, and dropped when it is longer than
// kMaxHeld.
//
// Memory: the held fragments, at most kMaxHeld bytes; what is held beyond it is cut. As much again for the arguments of
// calls that are not complete, and for an event in pieces. One thread at a time.
class CallFilter {
 public:
  static constexpr std::size_t kMaxHeld = 8 << 20;
  enum class Asks : std::uint8_t { kNothing, kName, kCall };
  enum class Ruling : std::uint8_t { kPass, kHold, kCut };

  CallFilter(Operation operation, Framing framing);
  ~CallFilter();
  CallFilter(const CallFilter&) = delete;
  CallFilter& operator=(const CallFilter&) = delete;

  // False: take() would give the event back as it is and ask nothing; it may leave without. Cheap.
  bool concerns(std::string_view event) const;
  Asks take(std::string_view event, std::string& out);
  const ToolCall& asked() const;
  bool holds_asked() const;  // kCall: its fragments were held
  Asks rule(Ruling ruling, std::string& out);
  // The stream is over, or is ended in the provider's stead: calls that never became complete were not announced; held
  // fragments are dropped.
  void finish(std::string& out);
  std::size_t calls() const;  // passed so far
  std::size_t cut() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
