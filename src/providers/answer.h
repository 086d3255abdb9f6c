// Answers: what a provider says it used, read from a whole JSON body or from a stream on its way through.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/agent.h"
#include "model/usage.h"
#include "providers/operation.h"
#include "providers/stream_cutter.h"

namespace weir {

// Anthropic's counts as they come in several events; the names of its fields. `cache_write` is the whole of the cache
// writes, `cache_write_1h` the part of it that is kept for an hour.
struct AnthropicCounts {
  std::int64_t input = 0, cache_read = 0, cache_write = 0, cache_write_1h = 0, output = 0, thinking = 0;
  std::int64_t searches = 0, fetches = 0;
  bool has_input = false, has_output = false;
};

// What an answer says of itself.
struct AnswerFacts {
  std::optional<Usage> usage;               // nullopt: missing, malformed, negative or absurd (> 2^40)
  std::string model;                        // model named in the answer; empty if none
  std::int64_t text_bytes = 0;              // of generated text and tool arguments seen: the basis of a count
  std::string id;                           // of the answer, where the dialect has one: later requests may refer to it
  std::optional<ServiceTier> service_tier;  // if it names one
  bool error = false;                       // an error object instead of an answer
  bool unread = false;                      // of a stream: some of it could not be read, and its bytes counted as text
  // Anthropic streams tell the input side first. Set from message_start on (output still provisional); a stream that
  // ends before its usage is complete has this and no `usage`; so has a Gemini answer whose usage leaves out its text.
  std::optional<Usage> so_far;
};

// Hears the generated text (visible, thinking, names and arguments of tool calls) as it passes, decoded. A piece of an
// event too long to read is heard as it stands, and may end inside a character.
class GeneratedText {
 public:
  virtual ~GeneratedText() = default;
  virtual void on_text(std::string_view text) = 0;
};

// A whole JSON answer. Operations that only count report no usage but zero. Of a usage that stands there twice the last
// one holds; `total_tokens` is never looked at. Gemini's streams that are one JSON array are not read here.
// `calls`: takes what announced_calls() gives, without parsing the body again.
AnswerFacts read_answer(Operation operation, std::string_view body, GeneratedText* listener = nullptr,
                        std::vector<ToolCall>* calls = nullptr);

// By content type (without parameters, any case); nullopt: not a stream of this operation.
std::optional<Framing> framing_of(Operation operation, std::string_view content_type);

// Where a stream stands, for whoever must end it in the provider's stead (stream_error_end in errors.h).
struct StreamPosition {
  bool begun = false;         // kJsonArray: its bracket and at least one element are out
  std::int64_t sequence = 0;  // Responses: the number of the next event
};

// What a stream has told apart from its facts; internal to this folder.
struct StreamState {
  AnthropicCounts anthropic;
  bool usage_damaged = false;
  std::uint64_t candidates_seen = 0, candidates_finished = 0;  // Gemini, one bit each
  std::int64_t sequence = 0;
  bool finished = false;  // an event said that nothing follows
};

// Reads one streamed answer on its way through.
//
//   StreamReader reader(operation, Framing::kSse, /*hide_usage=*/true);
//   reader.feed(bytes, out);      // appends every event that is complete, bytes unchanged, minus the hidden one
//   reader.finish(out);           // at the end of the body: what remains
//
// Who must judge each event before it goes on takes them one at a time; feed() is this loop without the judgement:
//
//   for (std::string event; reader.next(bytes, event); event.clear()) {
//     // facts() and the listener now know exactly the events taken so far, this one included.
//     if (!affordable(reader.facts())) { out += stream_error_end(…, position_before); break; }
//     out += event;
//   }
//
// SSE: lines may end in LF, CR or CRLF, fields may lack the space after the colon, data may span lines. NDJSON: one
// event per line, blank lines pass. JSON array: one event per element, with the separator before it, so that what was
// relayed can always be closed by a last element and a bracket. Bytes may be split anywhere. Memory is bounded by
// kMaxEvent: a longer event passes through unread, in pieces, and counts as text. So does the payload of an event that
// is no JSON object, except for known fillers, and for the torso at the end of a stream that was cut.
//
// ended(): the dialect's end marker. Chat and completions `[DONE]`; Responses response.completed, .incomplete, .failed;
// Messages message_stop; Ollama `done:true`; Gemini has none: its stream counts as whole once every candidate seen has
// a finishReason (or the prompt was blocked) and a usage came with that or after it; as an array, once that is closed
// too. facts() may still change after ended(), until finish().
//
// One thread at a time; owns what it keeps, the listener must outlive it.
class StreamReader {
 public:
  static constexpr std::size_t kMaxEvent = 4 << 20;

  StreamReader(Operation operation, Framing framing, bool hide_usage, GeneratedText* listener = nullptr);
  void feed(std::string_view bytes, std::string& out);
  // Takes bytes from the front of `bytes` until one event is complete and appends it to `out` (nothing if it is
  // hidden); of an event too long to read, the part at hand. False: `bytes` is used up and nothing was appended.
  bool next(std::string_view& bytes, std::string& out);
  void finish(std::string& out);
  const AnswerFacts& facts() const { return facts_; }
  bool ended() const { return ended_; }
  // Before next(): where the stream stands without the event that it will return.
  StreamPosition position() const { return {.begun = begun_, .sequence = state_.sequence}; }

 private:
  bool event(std::string_view raw);     // true: hide it
  bool data(std::string_view payload);  // true: hide it
  void pass_unread(std::string_view bytes, std::string& out);

  Operation operation_;
  Framing framing_;
  bool hide_usage_;
  GeneratedText* listener_;
  bool ended_ = false;
  bool begun_ = false;
  bool passing_ = false;   // inside an event too long to read
  bool hid_last_ = false;  // the last event was hidden: so is an LF that comes late
  bool first_event_ = true;
  bool cut_off_ = false;  // what is read now never ended
  StreamCutter cutter_;
  StreamState state_;
  std::string pending_;  // the event so far
  std::string joined_;   // data that spans lines
  AnswerFacts facts_;
};

}  // namespace weir
