#include "gateway/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "gateway/body_charset.h"
#include "gateway/http1_chars.h"

namespace weir {
namespace {

HttpLimits request_limits(const Policy& policy) {
  HttpLimits limits;
  limits.head = policy.bounds.header;
  limits.body = policy.bounds.body;
  return limits;
}

std::string request_id_text(Hash128 id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out("req_");
  out.resize(36);
  char* at = out.data() + 4;
  for (const std::uint64_t half : {id.high, id.low}) {
    for (int shift = 60; shift >= 0; shift -= 4) *at++ = kDigits[(half >> shift) & 15];
  }
  return out;
}

bool allows(std::string_view allow, std::string_view method) {
  while (!allow.empty()) {
    const std::size_t comma = allow.find(", ");
    if (allow.substr(0, comma) == method) return true;
    if (comma == std::string_view::npos) return false;
    allow.remove_prefix(comma + 2);
  }
  return false;
}

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 401:
      return ErrorKind::kUnauthorized;
    case 404:
      return ErrorKind::kNotFound;
    case 413:
      return ErrorKind::kTooLarge;
    case 503:
      return ErrorKind::kOverloaded;
    default:
      return ErrorKind::kInvalidRequest;
  }
}

// A header that asks the upstream to act as if another method had been sent than the one that limits are for.
bool asks_for_other_method(const RequestHead& head) {
  constexpr std::string_view kNames[] = {"x-http-method-override", "x-http-method", "x-method-override"};
  return std::any_of(head.headers.fields.begin(), head.headers.fields.end(), [&](const Header& field) {
    return field.name.size() >= kNames[1].size() && field.value != head.method &&
           std::any_of(std::begin(kNames), std::end(kNames),
                       [&](std::string_view name) { return is_name(field.name, name); });
  });
}

// Routes whose bodies decide what is allowed.
bool is_read(const Target& target) {
  return target.kind == TargetKind::kLlm ||
         (target.kind == TargetKind::kUpstream && target.upstream->kind == UpstreamKind::kMcp);
}

bool is_forwarded(const Target& target) {
  return target.kind == TargetKind::kLlm || target.kind == TargetKind::kUpstream;
}

}  // namespace

Session::Session(Services& services, ClientPort& port, std::string peer, Listener listener)
    : services_(services),
      port_(port),
      peer_(std::move(peer)),
      listener_(listener),
      parser_(request_limits(services.rules->policy())) {
  services_.metrics->open_connections.add(1);
  start_timer_for_state();
}

Session::~Session() {
  if (!closed_) on_closed();
  services_.metrics->open_connections.add(-1);
}

void Session::on_bytes(std::string_view bytes) {
  if (closed_ || state_ == State::kClosing) return;
  if (state_ == State::kAnswering || processing_ || !input_.empty()) {
    input_ += bytes;
    if (input_.size() > kMaxPipelined) port_.want_read(false);  // back-pressure: resumed by next_request()
    if (state_ == State::kAnswering || processing_) return;
    const std::string all = std::move(input_);
    input_.clear();
    on_bytes(all);
    return;
  }
  processing_ = true;
  while (!closed_ && state_ != State::kClosing && state_ != State::kAnswering) {
    const MessageState before = parser_.state();
    const std::size_t used = parser_.feed(bytes, *this);
    bytes.remove_prefix(used);
    if (closed_ || state_ == State::kClosing) break;
    if (parser_.state() == MessageState::kFault) {
      fault(parser_.fault());
      break;
    }
    if (state_ == State::kIdle && parser_.started()) {
      state_ = State::kReading;
      start_timer_for_state();
    }
    if (!head_checked_ && parser_.state() != MessageState::kHead) on_head();
    if (closed_ || state_ == State::kClosing) break;
    if (parser_.state() == MessageState::kComplete) {
      on_request();
    } else if (bytes.empty() || (used == 0 && parser_.state() == before)) {
      break;
    }
  }
  processing_ = false;
  if (!closed_ && !bytes.empty()) input_.append(bytes);
}

void Session::on_head() {
  head_checked_ = true;
  const RequestHead& head = parser_.head();
  rules_ = services_.rules;
  const Policy& policy = rules_->policy();
  id_ = services_.next_id();
  request_id_ = request_id_text(id_);
  target_ = listener_ == Listener::kAdmin ? find_admin_target(head.method, head.path)
                                          : find_target(policy, head.method, head.path);
  shape_ = error_shape(target_, head.path, head.headers.get("accept"));
  if (listener_ == Listener::kAdmin) {
    if (auto refused = services_.endpoints->refuse_admin(services_, head, peer_)) {
      services_.metrics->request(target_.route.empty() ? "other" : target_.route, "reject", "entry");
      return on_reply(std::move(*refused));
    }
  }
  if (has_dot_segment(head.path)) {
    refuse(ErrorKind::kInvalidRequest, 400, "The path has `.` or `..` segments; send the path that is meant.");
    return;
  }
  if (target_.kind == TargetKind::kNone) {
    const char* advice = listener_ == Listener::kAdmin
                             ? "This is the admin listener."
                             : "To forward this path, add it to `upstreams:` with `kind: http`.";
    refuse(ErrorKind::kNotFound, 404, fmt::format("Nothing is served at {}. {}", head.path, advice));
    return;
  }
  if (target_.kind == TargetKind::kServerOptions || (head.method == "OPTIONS" && !target_.allow.empty())) {
    options();
    return;
  }
  if (!target_.allow.empty() && !allows(target_.allow, head.method)) {
    method_not_allowed();
    return;
  }
  const bool forwarded = is_forwarded(target_);
  if (forwarded && asks_for_other_method(head)) {
    refuse(
        ErrorKind::kInvalidRequest, 400,
        "A header asks for another method than the request's. Limits are for the method: send the one that is meant.");
    return;
  }
  if (is_read(target_) && !says_utf8(head.headers)) {
    refuse(ErrorKind::kInvalidRequest, 415,
           "The body is read as UTF-8: send one Content-Type, without a charset or with charset=utf-8.");
    return;
  }
  if (forwarded || services_.endpoints->needs_identity(target_)) {
    identity_ = identify(services_, head.headers, peer_);
    if (identity_.status != IdentityStatus::kOk) {
      refuse_identity();
      return;
    }
  }
  if (!forwarded && head.content_length > static_cast<std::int64_t>(kMaxOwnBody)) return refuse_large_body();
  if (head.expect_continue && parser_.state() != MessageState::kComplete) port_.send("HTTP/1.1 100 Continue\r\n\r\n");
  if (head.content_length > 0 && head.content_length <= static_cast<std::int64_t>(kMaxSwallowed)) {
    body_.reserve(static_cast<std::size_t>(head.content_length));
  }
  start_timer_for_state();
}

void Session::refuse_large_body() {
  refuse(ErrorKind::kTooLarge, 413, fmt::format("The body of a request to {} is at most 1 MB.", target_.route));
}

void Session::refuse_identity() {
  std::string headers;
  if (identity_.status == IdentityStatus::kBlocked) {
    append_retry_after(identity_.retry_after, headers);
    refuse(ErrorKind::kRateLimited, 429, identity_.problem, headers);
  } else if (identity_.status == IdentityStatus::kBadAssertion) {
    refuse(ErrorKind::kInvalidRequest, 400, identity_.problem);
  } else {
    append_header(headers, "www-authenticate", "Bearer realm=\"weir\"");
    refuse(ErrorKind::kUnauthorized, 401, identity_.problem, headers);
  }
}

void Session::method_not_allowed() {
  std::string headers;
  append_header(headers, "allow", target_.allow);
  refuse(ErrorKind::kInvalidRequest, 405,
         fmt::format("{} is not allowed here; use {}.", parser_.head().method, target_.allow), headers);
}

void Session::options() {
  Reply answer{.status = 204, .content_type = {}, .headers = {}, .body = {}};
  const std::string_view allow = target_.allow.empty() ? "GET, HEAD, POST, OPTIONS" : target_.allow;
  append_header(answer.headers, "allow", allow);
  reply(std::move(answer));
}

void Session::refuse(ErrorKind kind, int status, std::string message, std::string headers, bool must_close) {
  services_.metrics->request(target_.route.empty() ? "other" : target_.route, "reject", "entry");
  if (listener_ == Listener::kData) {
    publish_rejected(services_, {.rules = rules_, .request_id = request_id_, .who = identity_, .route = target_.route},
                     status, message);
  }
  Reply answer = error_reply(
      shape_, {.kind = kind, .status = status, .message = std::move(message), .param = {}, .request_id = request_id_});
  answer.headers += headers;
  answer.close = must_close;
  reply(std::move(answer));
}

// An answer of our own. If the request's body is still coming, it is read and dropped when it is short, so that the
// connection can go on; otherwise the connection ends.
void Session::reply(Reply answer) {
  if (closed_) return;
  const RequestHead& head = parser_.head();
  const bool complete = parser_.state() == MessageState::kComplete;
  if (!complete && parser_.state() != MessageState::kFault) {
    const bool short_body = !head.chunked && head.content_length <= static_cast<std::int64_t>(kMaxSwallowed);
    if (!short_body || head.expect_continue) answer.close = true;
  }
  if (parser_.state() == MessageState::kFault) answer.close = true;
  add_admin_fields(answer);
  const bool close_now = answer.close || !keep_alive();
  port_.send(serialize(answer, head.method == "HEAD", !close_now, head.minor_version));
  if (exchange_ != nullptr) return;  // exchange_done() follows
  if (close_now) {
    close();
  } else if (complete) {
    next_request();
  } else {
    state_ = State::kSwallowing;
    start_timer_for_state();
  }
}

void Session::on_reply(Reply answer) {
  if (answer.headers.find("x-weir-request-id") == std::string::npos) {
    append_header(answer.headers, "x-weir-request-id", request_id_);
  }
  waiting_reply_ = false;
  reply(std::move(answer));
}

void Session::add_admin_fields(Reply& answer) const {
  if (listener_ != Listener::kAdmin) return;
  if (answer.headers.find("cache-control: ") == std::string::npos) {
    append_header(answer.headers, "cache-control", "no-store");
  }
  append_header(answer.headers, "x-content-type-options", "nosniff");
}

// A client of HTTP/1.0 knows the end of the answer by the end of the connection. Who takes nothing for long is cut by
// the port; there is no other deadline.
void Session::on_stream(Reply head) {
  if (closed_ || !waiting_reply_) return;
  const RequestHead& request = parser_.head();
  const bool chunked = request.minor_version > 0;
  append_header(head.headers, "x-weir-request-id", request_id_);
  add_admin_fields(head);
  std::string out;
  append_status_line(out, head.status);
  append_header(out, "content-type", head.content_type);
  out += head.headers;
  if (chunked) append_header(out, "transfer-encoding", "chunked");
  if (!chunked || !keep_alive()) append_header(out, "connection", "close");
  out += "\r\n";
  streaming_ = chunked ? Stream::kChunked : Stream::kPlain;
  if (request.method != "HEAD") {
    port_.send(out);
    on_piece(head.body);
    return;
  }
  port_.send(out);
  waiting_reply_ = false;
  services_.endpoints->forget(*this);
  after_stream();
}

bool Session::on_piece(std::string_view bytes) {
  if (closed_ || streaming_ == Stream::kNone || port_.unsent() > kMaxUnsentOfStream) return false;
  if (streaming_ == Stream::kPlain) {
    port_.send(bytes);
    return true;
  }
  std::string piece;
  append_chunk(piece, bytes);
  port_.send(piece);
  return true;
}

void Session::end_stream() {
  if (closed_ || streaming_ == Stream::kNone) return;
  waiting_reply_ = false;
  std::string end;
  if (streaming_ == Stream::kChunked) append_last_chunk(end);
  port_.send(end);
  after_stream();
}

void Session::after_stream() {
  const bool known_end = std::exchange(streaming_, Stream::kNone) == Stream::kChunked;
  if (known_end && keep_alive()) {
    next_request();
  } else {
    close();
  }
}

void Session::fault(const HttpFault& f) {
  if (state_ == State::kSwallowing) {
    close();
    return;
  }
  if (!head_checked_) {
    request_id_ = request_id_text(services_.next_id());
    target_ = {};
    shape_ = error_shape(target_, parser_.head().path, {});
  }
  std::string message = f.message;
  if (f.status == 413) message += fmt::format("; the most is {} bytes", services_.rules->policy().bounds.body);
  refuse(kind_of_status(f.status), f.status, std::move(message), {}, true);
}

void Session::on_body(std::string_view bytes) {
  if (state_ == State::kSwallowing) {
    swallowed_ += bytes.size();
    if (swallowed_ > kMaxSwallowed) close();
    return;
  }
  if (state_ != State::kReading && state_ != State::kIdle) return;
  if (!is_forwarded(target_) && body_.size() + bytes.size() > kMaxOwnBody) return refuse_large_body();
  body_ += bytes;
  if (!reserve_body(body_.capacity())) return;
  progress_ += bytes.size();
  if (progress_ >= kBodyProgress) {
    progress_ = 0;
    start_timer_for_state();
  }
}

bool Session::reserve_body(std::size_t bytes) {
  if (bytes <= body_charged_) return true;
  const auto more = static_cast<std::int64_t>(bytes - body_charged_);
  body_charged_ = bytes;
  if (services_.buffers->used.fetch_add(more, std::memory_order_relaxed) + more <= BufferBudget::kMaxBuffered)
    return true;
  std::string headers;
  append_retry_after(jittered(kSecond, id_), headers);
  refuse(ErrorKind::kOverloaded, 503, "Too many large requests are being read at this moment; try again shortly.",
         headers, true);
  return false;
}

void Session::release_body() {
  services_.buffers->used.fetch_sub(static_cast<std::int64_t>(body_charged_), std::memory_order_relaxed);
  body_charged_ = 0;
  body_ = std::string();
}

// The request is here in full.
void Session::on_request() {
  if (state_ == State::kSwallowing) {
    next_request();
    return;
  }
  state_ = State::kAnswering;
  port_.set_deadline(0);
  if (is_forwarded(target_)) {
    ExchangeRequest request{.target = target_,
                            .identity = std::move(identity_),
                            .head = &parser_.head(),
                            .rules = std::move(rules_),
                            .body = std::move(body_),
                            .shape = shape_,
                            .id = id_,
                            .request_id = request_id_};
    release_body();
    Exchange::start(services_, *this, std::move(request), exchange_);
    return;
  }
  waiting_reply_ = true;
  services_.endpoints->handle(services_,
                              {.target = target_,
                               .head = parser_.head(),
                               .identity = identity_,
                               .request_id = request_id_,
                               .id = id_,
                               .body = body_,
                               .peer = peer_},
                              *this);
}

bool Session::keep_alive() const {
  return parser_.head().keep_alive && !eof_ && !services_.health->draining.load(std::memory_order_relaxed);
}

void Session::exchange_done(bool keep) {
  exchange_ = nullptr;
  if (closed_ || state_ == State::kClosing) return;
  if (keep && keep_alive() && parser_.state() == MessageState::kComplete) {
    next_request();
  } else {
    close();
  }
}

void Session::exchange_aborted() {
  exchange_ = nullptr;
  if (closed_) return;
  closed_ = true;
  state_ = State::kClosing;
  port_.abort();
}

void Session::next_request() {
  release_body();
  parser_.reset();
  rules_.reset();
  identity_ = {};
  head_checked_ = false;
  progress_ = swallowed_ = 0;
  state_ = State::kIdle;
  start_timer_for_state();
  port_.want_read(true);
  if (processing_ || input_.empty()) return;
  const std::string rest = std::move(input_);
  input_ = std::string();
  on_bytes(rest);
}

void Session::close() {
  if (closed_ || state_ == State::kClosing) return;
  state_ = State::kClosing;
  port_.close_after_send();
}

void Session::close_if_idle() {
  if (state_ == State::kIdle && !parser_.started()) close();
  if (streaming_ != Stream::kNone) {
    services_.endpoints->forget(*this);
    end_stream();
  }
  if (exchange_ != nullptr && exchange_->is_standing_stream()) {
    on_closed();
    port_.abort();
  }
}

void Session::on_eof() {
  if (closed_) return;
  eof_ = true;
  switch (state_) {
    case State::kIdle:
      close();
      return;
    case State::kReading:
      refuse(ErrorKind::kInvalidRequest, 400, "The request ended before it was complete.", {}, true);
      return;
    case State::kSwallowing:
      close();
      return;
    case State::kAnswering:
      on_closed();
      port_.abort();
      return;
    case State::kClosing:
      return;
  }
}

void Session::on_closed() {
  if (closed_) return;
  closed_ = true;
  state_ = State::kClosing;
  release_body();
  if (waiting_reply_) services_.endpoints->forget(*this);
  if (Exchange* exchange = exchange_; exchange != nullptr) {
    exchange_ = nullptr;
    exchange->client_left();
  }
}

void Session::on_drained() {
  if (exchange_ != nullptr) exchange_->client_drained();
}

void Session::on_deadline() {
  switch (state_) {
    case State::kIdle:
      if (port_.unsent() > 0) {  // the last answer is still being read
        start_timer_for_state();
      } else {
        close();
      }
      return;
    case State::kReading:
      if (!head_checked_) {
        request_id_ = request_id_text(services_.next_id());
        target_ = {};
        shape_ = ErrorShape::kProblem;
      }
      refuse(ErrorKind::kInvalidRequest, 408,
             head_checked_ ? "The request's body came too slowly." : "The request's head came too slowly.", {}, true);
      return;
    case State::kSwallowing:
      close();
      return;
    case State::kAnswering:
      if (exchange_ != nullptr) exchange_->client_woken();
      return;
    case State::kClosing:
      return;
  }
}

void Session::start_timer_for_state() {
  const ClientTimeouts& timeouts = services_.rules->policy().timeouts;
  switch (state_) {
    case State::kIdle:
      port_.set_deadline(services_.now + timeouts.idle);
      return;
    case State::kReading:
      port_.set_deadline(services_.now + (head_checked_ ? timeouts.body : timeouts.header));
      return;
    case State::kSwallowing:
      port_.set_deadline(services_.now + timeouts.body);
      return;
    case State::kAnswering:
    case State::kClosing:
      port_.set_deadline(0);
      return;
  }
}

}  // namespace weir
