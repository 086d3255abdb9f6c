// HTTP/1.1 messages (RFC 9112), strict: bytes in, messages out. No sockets, no clock.
//
//   RequestParser parser(limits);
//   std::size_t used = parser.feed(bytes);      // stops after one message; the rest belongs to the next (pipelining)
//   switch (parser.state()) { case kHead… }
//
// What is refused rather than guessed (request smuggling): bare LF, obs-fold, spaces before the colon, control
// characters, Content-Length together with Transfer-Encoding, differing or signed lengths, codings other than a single
// final `chunked`, a missing or repeated Host, oversized chunk extensions and trailers, HTTP versions other
// than 1.0/1.1.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

struct Header {
  std::string_view name;   // as received; compare with equal_ignoring_case
  std::string_view value;  // without surrounding whitespace
};

// Views into the parser's buffer: valid until the parser is reset.
struct Headers {
  std::vector<Header> fields;
  // First field of that name; null data if absent. `lower_name` in lower case.
  std::string_view get(std::string_view lower_name) const;
  bool has(std::string_view lower_name) const { return get(lower_name).data() != nullptr; }
  // True if any field of that name has the comma-separated token, ignoring case.
  bool has_token(std::string_view lower_name, std::string_view token) const;
};

struct RequestHead {
  std::string_view method, target;
  std::string_view path;   // of origin-form or absolute-form targets, without query
  std::string_view query;  // without '?'; null data if none
  int minor_version = 1;
  Headers headers;
  bool keep_alive = true;
  bool chunked = false;
  bool expect_continue = false;
  std::int64_t content_length = -1;  // -1: none
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  int minor_version = 1;
  Headers headers;
  bool keep_alive = true;
  bool chunked = false;
  std::int64_t content_length = -1;
};

// Why a message was refused and what to answer (400, 413, 414, 417, 431, 501, 505).
struct HttpFault {
  int status = 0;  // 0: no fault
  const char* message = "";
};

struct HttpLimits {
  std::size_t head = 32 << 10;  // request line and fields together
  std::size_t fields = 200;
  std::size_t body = 32 << 20;     // decoded
  std::size_t chunk_line = 256;    // size, extensions
  std::size_t trailers = 8 << 10;  // read and dropped
};

enum class MessageState : std::uint8_t { kHead, kBody, kComplete, kFault };

// Where body bytes go.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual void on_body(std::string_view bytes) = 0;
};

// One request at a time. After kComplete (or to answer a fault) read head(); reset() for the next.
class RequestParser {
 public:
  explicit RequestParser(HttpLimits limits);
  ~RequestParser();
  // Consumes up to the end of this message (or of the head, so that the caller can look before the body: it stops once
  // when the head is complete) and returns the number of bytes used. Body bytes go to `body`.
  std::size_t feed(std::string_view bytes, BodySink& body);
  MessageState state() const { return state_; }
  bool started() const;  // any byte of a request was seen (leading empty lines aside)
  const RequestHead& head() const { return head_; }
  const HttpFault& fault() const { return fault_; }
  std::size_t buffered() const;  // memory held, bytes
  void reset();                  // also gives back large buffers

 private:
  struct Impl;
  HttpLimits limits_;
  MessageState state_ = MessageState::kHead;
  RequestHead head_;
  HttpFault fault_;
  std::unique_ptr<Impl> impl_;
};

// One response. 1xx responses other than 101 are skipped. `head_request`: the answer has no body whatever it says.
class ResponseParser {
 public:
  ResponseParser(HttpLimits limits, bool head_request);
  ~ResponseParser();
  // As RequestParser::feed; stops once when the head is complete.
  std::size_t feed(std::string_view bytes, BodySink& body);
  // The connection closed: completes a body delimited by it, else a fault (truncated).
  void finish();
  MessageState state() const { return state_; }
  const ResponseHead& head() const { return head_; }
  const HttpFault& fault() const { return fault_; }
  bool started() const;
  bool reusable() const;  // complete, keep-alive, nothing left over

 private:
  struct Impl;
  HttpLimits limits_;
  MessageState state_ = MessageState::kHead;
  ResponseHead head_;
  HttpFault fault_;
  std::unique_ptr<Impl> impl_;
};

// "HTTP/1.1 200 OK\r\n"; the standard reason phrase.
void append_status_line(std::string& out, int status);
void append_header(std::string& out, std::string_view name, std::string_view value);
void append_header(std::string& out, std::string_view name, std::int64_t value);
void append_chunk(std::string& out, std::string_view bytes);  // nothing for empty bytes
void append_last_chunk(std::string& out);

// Hop-by-hop fields that are never forwarded (RFC 9110 section 7.6.1), plus those named by Connection (lower-case
// name).
bool is_hop_by_hop(const Headers& headers, std::string_view lower_name);

}  // namespace weir
