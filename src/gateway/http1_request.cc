#include <algorithm>

#include "gateway/http1.h"
#include "gateway/http1_body.h"
#include "gateway/http1_chars.h"
#include "gateway/http1_head.h"

namespace weir {
namespace {

constexpr int kMaxEmptyLines = 2;  // before a request (RFC 9112 section 2.2 asks for at least one)

constexpr HttpFault kNoFault{};

// Sets path and query from what follows the authority, or from the whole of an origin-form target.
void split_path(std::string_view text, RequestHead& head) {
  const std::size_t mark = text.find('?');
  head.path = text.substr(0, mark);
  if (mark != std::string_view::npos) head.query = text.substr(mark + 1);
  if (head.path.empty()) head.path = "/";  // "http://host?query"
}

// The four forms of RFC 9112 section 3.2. `authority` is that of the absolute form.
HttpFault parse_target(RequestHead& head, std::string_view& authority) {
  const std::string_view target = head.target;
  if (!all_of_class(target, kTargetChar)) return {400, "invalid character in the request target"};
  if (head.method == "CONNECT") return {501, "CONNECT is not supported"};
  if (target.starts_with('/')) {
    split_path(target, head);
    return kNoFault;
  }
  if (target == "*" && head.method == "OPTIONS") {
    head.path = target;
    return kNoFault;
  }
  const std::size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return {400, "invalid request target"};
  const std::string_view scheme = target.substr(0, scheme_end);
  if (!is_name(scheme, "http") && !is_name(scheme, "https")) return {400, "invalid scheme in the request target"};
  const std::string_view rest = target.substr(scheme_end + 3);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  authority = rest.substr(0, end);
  if (!is_valid_authority(authority)) return {400, "invalid host in the request target"};
  split_path(rest.substr(end), head);
  return kNoFault;
}

HttpFault parse_request_line(std::string_view line, RequestHead& head, std::string_view& authority) {
  const std::size_t first = line.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos || first == 0 || second == first + 1) return {400, "malformed request line"};
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, second - first - 1);
  if (!all_of_class(head.method, kTokenChar)) return {400, "invalid method"};
  const int version = parse_version(line.substr(second + 1));
  if (version == -2) return {400, "malformed request line"};
  if (version == -1) return {505, "only HTTP/1.0 and HTTP/1.1 are supported"};
  head.minor_version = version;
  return parse_target(head, authority);
}

bool same_authority(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto fold = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
    if (fold(a[i]) != fold(b[i])) return false;
  }
  return true;
}

// What can only be judged once all fields are known.
HttpFault conclude(const FramingFields& framing, std::string_view authority, const HttpLimits& limits,
                   RequestHead& head) {
  const bool http11 = head.minor_version == 1;
  if (http11 && framing.host.data() == nullptr) return {400, "missing Host"};
  if (!authority.empty() && framing.host.data() != nullptr && !same_authority(authority, framing.host)) {
    return {400, "Host differs from the request target"};
  }
  if (framing.transfer_encoding) {
    if (framing.content_length >= 0) return {400, "both Content-Length and Transfer-Encoding"};
    if (!http11) return {400, "Transfer-Encoding in HTTP/1.0"};
    if (!framing.chunked) return {501, "unsupported Transfer-Encoding"};
  }
  head.chunked = framing.chunked;
  head.content_length = framing.content_length;
  head.keep_alive = !framing.close && (http11 || framing.keep_alive);
  if (framing.content_length > 0 && static_cast<std::uint64_t>(framing.content_length) > limits.body) {
    return {413, "body too large"};
  }
  if (framing.expect_other) return {417, "only Expect: 100-continue is supported"};
  head.expect_continue = framing.expect_continue && http11;
  return kNoFault;
}

}  // namespace

struct RequestParser::Impl {
  HeadLines lines;
  FramingFields framing;
  BodyReader body;
  std::string_view authority;
  int empty_lines = 0;
  bool line_feed_due = false;  // a CR was seen before the request line
  bool request_line_read = false;

  HttpFault take_line(const HttpLimits& limits, RequestHead& head, bool& head_complete);
  HttpFault skip_empty_lines(std::string_view bytes, std::size_t& used);
};

RequestParser::RequestParser(HttpLimits limits) : limits_(limits) {}
RequestParser::~RequestParser() = default;

// Empty lines before the request line; afterwards `bytes` at `used` begins with a character of a method.
HttpFault RequestParser::Impl::skip_empty_lines(std::string_view bytes, std::size_t& used) {
  while (used < bytes.size()) {
    const char c = bytes[used];
    if (line_feed_due) {
      if (c != '\n') return {400, "malformed request line"};
      line_feed_due = false;
    } else if (c == '\r') {
      if (++empty_lines > kMaxEmptyLines) return {400, "too many empty lines before the request"};
      line_feed_due = true;
    } else if (is_char(c, kTokenChar)) {
      return kNoFault;
    } else {
      return {400, "malformed request line"};  // also a TLS handshake on a plain port
    }
    ++used;
  }
  return kNoFault;
}

HttpFault RequestParser::Impl::take_line(const HttpLimits& limits, RequestHead& head, bool& head_complete) {
  std::string_view line = lines.line();
  if (line.size() < 2 || line[line.size() - 2] != '\r') return {400, "line feed without carriage return"};
  line.remove_suffix(2);
  if (!request_line_read) {
    request_line_read = true;
    return parse_request_line(line, head, authority);
  }
  if (line.empty()) {
    head_complete = true;
    return conclude(framing, authority, limits, head);
  }
  if (head.headers.fields.size() >= limits.fields) return {431, "too many header fields"};
  Header field;
  if (const char* wrong = parse_field_line(line, field)) return {400, wrong};
  append_field(head.headers.fields, field);
  if (const char* wrong = note_field(field, framing)) return {400, wrong};
  return kNoFault;
}

std::size_t RequestParser::feed(std::string_view bytes, BodySink& body) {
  if (bytes.empty() || state_ == MessageState::kComplete || state_ == MessageState::kFault) return 0;
  if (!impl_) impl_ = std::make_unique<Impl>();
  if (state_ == MessageState::kBody) {
    const std::size_t used = impl_->body.feed(bytes, limits_, body);
    if (impl_->body.done()) state_ = MessageState::kComplete;
    if (impl_->body.fault().status != 0) {
      fault_ = impl_->body.fault();
      state_ = MessageState::kFault;
    }
    return used;
  }
  std::size_t used = 0;
  bool head_complete = false;
  if (impl_->lines.empty()) fault_ = impl_->skip_empty_lines(bytes, used);
  while (fault_.status == 0 && !head_complete && used < bytes.size()) {
    std::size_t taken = 0;
    const HeadLines::Step step = impl_->lines.next(bytes.substr(used), limits_.head, taken);
    used += taken;
    if (step == HeadLines::Step::kMore) return used;
    if (step == HeadLines::Step::kTooLong) {
      fault_ =
          impl_->request_line_read ? HttpFault{431, "headers too large"} : HttpFault{414, "request target too long"};
    } else {
      fault_ = impl_->take_line(limits_, head_, head_complete);
    }
  }
  if (fault_.status != 0) {
    state_ = MessageState::kFault;
  } else if (head_complete) {
    if (head_.chunked) {
      impl_->body.begin_chunked();
    } else {
      impl_->body.begin_length(head_.content_length);
    }
    state_ = impl_->body.done() ? MessageState::kComplete : MessageState::kBody;
  }
  return used;
}

bool RequestParser::started() const {
  return impl_ && (!impl_->lines.empty() || state_ != MessageState::kHead);
}

std::size_t RequestParser::buffered() const {
  return head_.headers.fields.capacity() * sizeof(Header) + (impl_ ? sizeof(Impl) + impl_->lines.buffered() : 0);
}

void RequestParser::reset() {
  state_ = MessageState::kHead;
  fault_ = {};
  std::vector<Header> fields = std::move(head_.headers.fields);
  clear_fields(fields);
  head_ = {};
  head_.headers.fields = std::move(fields);
  if (!impl_) return;
  impl_->lines.clear();
  impl_->framing = {};
  impl_->body = {};
  impl_->authority = {};
  impl_->empty_lines = 0;
  impl_->line_feed_due = false;
  impl_->request_line_read = false;
}

}  // namespace weir
