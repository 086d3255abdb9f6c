// Answers: what a provider says it used, read from a whole JSON body or from a stream on its way through.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/usage.h"
#include "providers/operation.h"

namespace weir {

// Anthropic's counts as they come in several events; the names of its fields.
struct AnthropicCounts {
  std::int64_t input = 0, cache_read = 0, cache_write = 0, output = 0, thinking = 0;
  bool has_input = false, has_output = false;
};

// What an answer says of itself.
struct AnswerFacts {
  std::optional<Usage> usage;   // nullopt: missing, malformed, negative or absurd (> 2^40)
  std::string model;            // model named in the answer; empty if none
  std::int64_t text_bytes = 0;  // of generated text and tool arguments seen: the basis of a count
  std::string id;               // of the answer, where the dialect has one: later requests may refer to it
  ServiceTier service_tier = ServiceTier::kStandard;
  bool error = false;  // an error object instead of an answer
  // Anthropic streams tell the input side first. Set from message_start on (output still provisional); a stream that
  // ends before its usage is complete has this and no `usage`.
  std::optional<Usage> so_far;
};

// Hears the generated text (visible, thinking, tool arguments) as it passes, decoded.
class GeneratedText {
 public:
  virtual ~GeneratedText() = default;
  virtual void on_text(std::string_view text) = 0;
};

// A whole JSON answer.
AnswerFacts read_answer(Operation operation, std::string_view body, GeneratedText* listener = nullptr);

// How a stream is cut into events.
enum class Framing : std::uint8_t { kSse, kNdjson, kJsonArray /* Gemini without alt=sse */ };
// By content type (without parameters, any case); nullopt: not a stream of this operation.
std::optional<Framing> framing_of(Operation operation, std::string_view content_type);

// Reads one streamed answer on its way through.
//
//   StreamReader reader(operation, Framing::kSse, /*hide_usage=*/true);
//   reader.feed(bytes, out);      // appends every event that is complete, bytes unchanged, minus the hidden one
//   reader.finish(out);           // at the end of the body: what remains
//
// Lines may end in LF, CR or CRLF, fields may lack the space after the colon, data may span lines, and bytes may be
// split anywhere. Memory is bounded by kMaxEvent: a longer event passes through unread.
class StreamReader {
 public:
  static constexpr std::size_t kMaxEvent = 4 << 20;

  StreamReader(Operation operation, Framing framing, bool hide_usage, GeneratedText* listener = nullptr);
  void feed(std::string_view bytes, std::string& out);
  void finish(std::string& out);
  const AnswerFacts& facts() const { return facts_; }
  bool ended() const { return ended_; }  // the dialect's end marker was seen

 private:
  void complete(std::string_view tail, std::string& out);
  void keep(std::string_view rest, std::string& out);
  bool event(std::string_view raw);     // true: hide it
  bool data(std::string_view payload);  // true: hide it

  Operation operation_;
  bool hide_usage_;
  bool ended_ = false;
  bool passing_ = false;  // inside an event too long to read
  bool at_line_start_ = true;
  bool after_cr_ = false;  // a line just ended in CR: an LF that follows belongs to it
  bool hid_last_ = false;  // … and to an event that was hidden
  bool first_event_ = true;
  bool usage_damaged_ = false;
  AnthropicCounts anthropic_;
  std::string pending_;  // the event so far
  std::string joined_;   // data that spans lines
  AnswerFacts facts_;
};

}  // namespace weir
