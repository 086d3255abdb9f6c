#include <limits>

#include "gateway/http1.h"
#include "gateway/http1_body.h"
#include "gateway/http1_chars.h"
#include "gateway/http1_head.h"

namespace weir {
namespace {

constexpr int kMaxInterim = 16;   // 1xx answers before the real one
constexpr int kBadGateway = 502;  // every fault of an upstream

const char* parse_status_line(std::string_view line, ResponseHead& head) {
  if (line.size() < 13 || line[8] != ' ' || line[12] != ' ') return "malformed status line";
  head.minor_version = parse_version(line.substr(0, 8));
  if (head.minor_version < 0) return "unsupported HTTP version";
  int status = 0;
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return "malformed status line";
    status = status * 10 + (c - '0');
  }
  if (status < 100) return "malformed status line";
  head.status = status;
  head.reason = line.substr(13);
  return has_control(head.reason) ? "control character in the status line" : nullptr;
}

}  // namespace

struct ResponseParser::Impl {
  HeadLines lines;
  FramingFields framing;
  BodyReader body;
  int interim = 0;
  bool head_request = false;
  bool status_line_read = false;
  bool started = false;
  bool left_over = false;  // bytes came after the end of the message
  bool delimited = true;   // the end of the body does not depend on the connection's

  const char* take_line(const HttpLimits& limits, ResponseHead& head, bool& head_complete);
  const char* conclude(const HttpLimits& limits, ResponseHead& head);
  void next_head(ResponseHead& head);
};

namespace {

// Empties the head but keeps the vector of its fields.
void clear_head(ResponseHead& head) {
  std::vector<Header> fields = std::move(head.headers.fields);
  clear_fields(fields);
  head = {};
  head.headers.fields = std::move(fields);
}

}  // namespace

ResponseParser::ResponseParser(HttpLimits limits, bool head_request)
    : limits_(limits), impl_(std::make_unique<Impl>()) {
  impl_->head_request = head_request;
}
ResponseParser::~ResponseParser() = default;

void ResponseParser::Impl::next_head(ResponseHead& head) {
  clear_head(head);
  lines.clear();
  framing = {};
  status_line_read = false;
}

const char* ResponseParser::Impl::take_line(const HttpLimits& limits, ResponseHead& head, bool& head_complete) {
  std::string_view line = lines.line();
  if (line.size() < 2 || line[line.size() - 2] != '\r') return "line feed without carriage return";
  line.remove_suffix(2);
  if (!status_line_read) {
    status_line_read = true;
    return parse_status_line(line, head);
  }
  if (line.empty()) {
    if (head.status >= 200 || head.status == 101) {
      head_complete = true;
      return conclude(limits, head);
    }
    if (++interim > kMaxInterim) return "too many interim responses";
    next_head(head);
    return nullptr;
  }
  if (head.headers.fields.size() >= limits.fields) return "too many header fields";
  Header field;
  if (const char* wrong = parse_field_line(line, field)) return wrong;
  append_field(head.headers.fields, field);
  return note_field(field, framing);
}

// RFC 9112 section 6.3: how long the body is.
const char* ResponseParser::Impl::conclude(const HttpLimits& limits, ResponseHead& head) {
  const bool http11 = head.minor_version == 1;
  if (framing.transfer_encoding) {
    if (framing.content_length >= 0) return "both Content-Length and Transfer-Encoding";
    if (!http11) return "Transfer-Encoding in HTTP/1.0";
    if (!framing.chunked) return "unsupported Transfer-Encoding";
  }
  // Also where no body follows: a length nobody can hold must not be passed on as another one.
  if (framing.content_length == std::numeric_limits<std::int64_t>::max()) return "invalid Content-Length";
  head.chunked = framing.chunked;
  head.content_length = framing.content_length;
  head.keep_alive = !framing.close && (http11 || framing.keep_alive) && head.status != 101;
  if (head_request || head.status == 101 || head.status == 204 || head.status == 304) {
    // An upstream that announces a body where none may be might also send it: do not read on behind this answer.
    if (head.status == 204 && (head.chunked || head.content_length > 0)) head.keep_alive = false;
    body.begin_length(0);
  } else if (head.chunked) {
    body.begin_chunked();
  } else if (head.content_length >= 0) {
    if (static_cast<std::uint64_t>(head.content_length) > limits.body) return "body too large";
    body.begin_length(head.content_length);
  } else {
    body.begin_until_close();
    head.keep_alive = false;
    delimited = false;
  }
  return nullptr;
}

std::size_t ResponseParser::feed(std::string_view bytes, BodySink& body) {
  if (bytes.empty() || state_ == MessageState::kFault) return 0;
  if (state_ == MessageState::kComplete) {
    impl_->left_over = true;
    return 0;
  }
  impl_->started = true;
  std::size_t used = 0;
  const char* wrong = nullptr;
  if (state_ == MessageState::kBody) {
    used = impl_->body.feed(bytes, limits_, body);
    if (impl_->body.fault().status != 0) wrong = impl_->body.fault().message;
    if (impl_->body.done()) state_ = MessageState::kComplete;
  } else {
    bool head_complete = false;
    while (wrong == nullptr && !head_complete && used < bytes.size()) {
      std::size_t taken = 0;
      const HeadLines::Step step = impl_->lines.next(bytes.substr(used), limits_.head, taken);
      used += taken;
      if (step == HeadLines::Step::kMore) return used;
      wrong = step == HeadLines::Step::kTooLong ? "headers too large" : impl_->take_line(limits_, head_, head_complete);
    }
    if (head_complete) state_ = impl_->body.done() ? MessageState::kComplete : MessageState::kBody;
  }
  if (wrong != nullptr) {
    fault_ = {kBadGateway, wrong};
    state_ = MessageState::kFault;
  }
  if (state_ == MessageState::kComplete && used < bytes.size()) impl_->left_over = true;
  return used;
}

void ResponseParser::finish() {
  if (state_ == MessageState::kComplete || state_ == MessageState::kFault) return;
  if (state_ == MessageState::kBody && impl_->body.until_close()) {
    state_ = MessageState::kComplete;
    return;
  }
  fault_ = {kBadGateway,
            impl_->started ? "connection closed in the middle of a response" : "connection closed without a response"};
  state_ = MessageState::kFault;
}

bool ResponseParser::started() const {
  return impl_->started;
}

bool ResponseParser::reusable() const {
  return state_ == MessageState::kComplete && head_.keep_alive && impl_->delimited && !impl_->left_over;
}

}  // namespace weir
