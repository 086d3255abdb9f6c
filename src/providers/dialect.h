// Dialects: what a provider's requests and answers look like on the wire. Bytes in, facts out; no I/O, no clock.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/usage.h"

namespace weir {

enum class Dialect : std::uint8_t { kOpenAi, kAnthropic };
std::string_view to_string(Dialect dialect);  // "openai", "anthropic"

enum class Operation : std::uint8_t { kChatCompletions, kEmbeddings, kMessages };
Dialect dialect_of(Operation operation);
std::string_view path_of(Operation operation);                 // "/v1/chat/completions"
std::optional<Operation> operation_at(std::string_view path);  // by exact path

struct BodyBounds {
  std::size_t depth = 128;
  std::size_t messages = 10'000;
  std::size_t tools = 512;
};

// What the governor needs to know of a request body.
struct RequestFacts {
  std::string model;
  bool stream = false;
  bool wants_stream_usage = false;         // OpenAI stream_options.include_usage
  std::optional<std::int64_t> output_cap;  // tokens, per choice; 1 to 2^40
  std::int64_t choices = 1;                // n
  std::int64_t text_bytes = 0;             // of everything that becomes input tokens, tool schemas included
  std::int64_t flat_parts = 0;             // data URLs, base64 blocks, files, images, audio
  std::int64_t token_ids = 0;              // embeddings input given as token ids: exact input tokens
  std::size_t messages = 0;
  std::size_t tools = 0;
  std::string user;  // the dialect's own end-user field; empty if none
};

// A body that cannot be forwarded: always a 4xx, nothing charged.
struct RequestFault {
  int status = 400;     // 400 or 413
  std::string message;  // for the caller: what is wrong and what to do
  std::string param;    // JSON path of the culprit, empty if none
};

// Parses strictly: valid UTF-8 JSON, one object, no duplicate keys at any depth, depth and counts within bounds,
// max_tokens and n integers within range (no NaN, no negatives, no numeric strings), model a non-empty string.
std::expected<RequestFacts, RequestFault> read_request(Operation operation, std::string_view body,
                                                       const BodyBounds& bounds);

// The body to send upstream: unchanged, or with stream_options.include_usage forced to true (OpenAI streams whose
// client did not ask). Only that member changes; every other byte stays. `body` must have passed read_request.
std::string upstream_body(Operation operation, const RequestFacts& facts, std::string_view body);
bool needs_rewrite(Operation operation, const RequestFacts& facts);

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
  bool error = false;           // an error object instead of an answer
  // Anthropic streams tell the input side first. Set from message_start on (output still provisional); a stream that
  // ends before its usage is complete has this and no `usage`.
  std::optional<Usage> so_far;
};

// A whole JSON answer.
AnswerFacts read_answer(Operation operation, std::string_view body);

// Reads one streamed (SSE) answer on its way through.
//
//   StreamReader reader(operation, /*hide_usage=*/true);
//   reader.feed(bytes, out);      // appends every event that is complete, bytes unchanged, minus the hidden one
//   reader.finish(out);           // at the end of the body: what remains
//
// Lines may end in LF, CR or CRLF, fields may lack the space after the colon, data may span lines, and bytes may be
// split anywhere. Memory is bounded by kMaxEvent: a longer event passes through unread.
class StreamReader {
 public:
  static constexpr std::size_t kMaxEvent = 4 << 20;

  StreamReader(Operation operation, bool hide_usage);
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
