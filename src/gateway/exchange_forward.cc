// The provider's side of an exchange: sending the request, reading and relaying the answer.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "gateway/exchange.h"
#include "gateway/forward.h"
#include "gateway/json_path.h"

namespace weir {
namespace {

HttpLimits answer_limits() {
  HttpLimits limits;
  limits.head = 64 << 10;
  limits.body = std::size_t{1} << 40;  // answers are relayed, not held: no bound of their own
  return limits;
}

bool is_content_type(const Headers& headers, std::string_view type) {
  const std::string_view value = trim(headers.get("content-type"));
  return value.size() >= type.size() && equal_ignoring_case(value.substr(0, type.size()), type) &&
         (value.size() == type.size() || value[type.size()] == ';' || value[type.size()] == ' ');
}

bool has_coding(const Headers& headers) {
  const std::string_view coding = trim(headers.get("content-encoding"));
  return !coding.empty() && !equal_ignoring_case(coding, "identity");
}

std::string host_field(const Url& url) {
  if (url.host.empty()) return "sim";  // answered in process
  const std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  return url.port == (url.tls ? 443 : 80) ? host : fmt::format("{}:{}", host, url.port);
}

const char* words_for(UpstreamFailure failure) {
  switch (failure) {
    case UpstreamFailure::kResolve:
      return "its host name cannot be resolved";
    case UpstreamFailure::kConnect:
      return "the connection was refused or failed";
    case UpstreamFailure::kTls:
      return "TLS failed";
    case UpstreamFailure::kReset:
      return "it closed the connection before answering";
    case UpstreamFailure::kConnectTimeout:
      return "connecting took too long";
  }
  return "it cannot be reached";
}

}  // namespace

std::string Exchange::upstream_head(std::size_t body_size) const {
  const RequestHead& client = *request_.head;
  UpstreamHead head{.method = client.method, .target = {}, .host = {}, .body_size = body_size};
  head.has_body = body_size > 0 || client.content_length >= 0 || client.chunked;
  const Url* url = provider_ ? &provider_->url : &request_.target.upstream->url;
  if (provider_) {
    head.target = provider_path(*url, path_of(request_.target.operation, facts_.model));
    head.identity_only = true;
    if (!provider_->key.empty()) {
      const bool anthropic = dialect_of(request_.target.operation) == Dialect::kAnthropic;
      head.credential_name = anthropic ? "x-api-key" : "authorization";
      head.credential = credential_;
    }
  } else {
    head.target = url->path + std::string(client.path);
    head.keep_authorization = request_.target.upstream->pass_authorization;
    head.identity_only = !request_.target.upstream->meters.empty();
  }
  if (client.query.data() != nullptr) head.target.append("?").append(client.query);
  const std::string host = host_field(*url);
  head.host = host;
  return build_upstream_head(head, client.headers);
}

void Exchange::forward(bool fresh) {
  if (provider_ && !provider_->key.empty()) {
    const bool anthropic = dialect_of(request_.target.operation) == Dialect::kAnthropic;
    credential_ = anthropic ? provider_->key : "Bearer " + provider_->key;
  }
  phase_ = Phase::kForwarding;
  ++row_.attempts;
  parser_.emplace(answer_limits(), request_.head->method == "HEAD");
  sent_at_ = services_.now;
  const ProviderTimeouts& timeouts = provider_ ? provider_->timeouts : request_.target.upstream->timeouts;
  total_deadline_ = services_.now + timeouts.total;
  upstream_ =
      services_.dialer->dial(provider_ ? origin_of(*provider_) : origin_of(*request_.target.upstream), *this, fresh);
  if (upstream_->reused()) services_.metrics->upstream_connections_reused.add(1);
  if (provider_ && needs_rewrite(request_.target.operation, facts_)) {
    const std::string body = upstream_body(request_.target.operation, facts_, {}, request_.body);
    upstream_->send(upstream_head(body.size()));
    upstream_->send(body);
  } else {
    upstream_->send(upstream_head(request_.body.size()));
    upstream_->send(request_.body);
  }
  upstream_->set_deadline(facts_.stream ? services_.now + timeouts.first_byte : total_deadline_);
}

void Exchange::on_upstream_bytes(std::string_view bytes) {
  if (phase_ == Phase::kDone || !parser_) return;
  bool more = true;
  while (more && upstream_ != nullptr) {
    const MessageState before = parser_->state();
    const std::size_t used = parser_->feed(bytes, *this);
    if (upstream_ == nullptr) return;  // a sink call ended the exchange
    bytes.remove_prefix(used);
    if (parser_->state() == MessageState::kFault) {
      broken(fmt::format("sent a malformed answer ({})", parser_->fault().message), head_seen_, 502);
      return;
    }
    if (!head_seen_ && parser_->state() != MessageState::kHead) on_answer_head();
    if (upstream_ == nullptr) return;
    if (parser_->state() == MessageState::kComplete) {
      on_answer_complete();
      return;
    }
    more = !bytes.empty() || parser_->state() != before;
    if (used == 0 && parser_->state() == before) more = false;
  }
  if (upstream_ && head_seen_ && facts_.stream) upstream_->set_deadline(answer_deadline());
}

// While a slow client keeps us from reading, silence is not the provider's.
TimeNs Exchange::answer_deadline() const {
  if (!facts_.stream || upstream_paused_) return total_deadline_;
  return std::min(total_deadline_, services_.now + provider_->timeouts.idle);
}

void Exchange::on_answer_head() {
  head_seen_ = true;
  const ResponseHead& head = parser_->head();
  row_.status = head.status;
  services_.metrics->upstream_first_byte_seconds.observe(static_cast<double>(services_.now - sent_at_) / 1e9);
  phase_ = Phase::kRelaying;
  if (head.status == 101) {
    broken("wants to switch protocols, which is not supported here", false, 502);
    return;
  }
  if (provider_) {
    const bool stream = head.status < 400 && is_content_type(head.headers, "text/event-stream");
    mode_ = has_coding(head.headers) ? Mode::kPass : stream ? Mode::kStream : Mode::kBuffer;
    if (mode_ == Mode::kStream) {
      reader_ =
          std::make_unique<StreamReader>(request_.target.operation, Framing::kSse,
                                         needs_rewrite(request_.target.operation, facts_));
    }
  } else {
    const std::vector<MeterSource>& meters = request_.target.upstream->meters;
    const bool reads_json =
        std::any_of(meters.begin(), meters.end(), [](const MeterSource& m) { return !m.response_json.empty(); });
    const bool has_json = request_.head->method != "HEAD" && is_content_type(head.headers, "application/json");
    mode_ = reads_json && has_json ? Mode::kBuffer : Mode::kPass;
  }
  if (mode_ != Mode::kBuffer) begin_client_answer();
}

void Exchange::on_body(std::string_view bytes) {
  if (bytes.empty() || upstream_ == nullptr) return;
  if (!head_seen_) on_answer_head();
  if (upstream_ == nullptr) return;
  bytes_out_ += static_cast<std::int64_t>(bytes.size());
  if (mode_ == Mode::kStream) {
    relay_.clear();
    reader_->feed(bytes, relay_);
    if (!held_.empty() || (reader_->ended() && !settled_)) {
      held_ += relay_;
      if (!settled_) settle_answer();
    } else {
      send_answer(relay_);
    }
    return;
  }
  if (mode_ == Mode::kBuffer) {
    answer_ += bytes;
    if (answer_.size() <= kMaxBuffered) return;
    mode_ = Mode::kPass;  // too long to hold: pass it on, count what is seen of it
    begin_client_answer();
    pass_answer(std::exchange(answer_, {}));
    return;
  }
  pass_answer(bytes);
}

// Bytes that pass as they come, but the last ones of a known length: those wait for the journal like any answer's end.
void Exchange::pass_answer(std::string_view bytes) {
  const std::int64_t length = parser_->head().content_length;
  if (length >= 0 && bytes_out_ >= length) {
    held_ += bytes;
  } else {
    send_answer(bytes);
  }
}

std::string Exchange::answer_fields() const {
  std::string out;
  append_answer_fields(parser_->head().headers, provider_ ? std::string_view(provider_->key) : std::string_view{},
                       provider_ != nullptr, out);
  append_header(out, "x-weir-request-id", request_.request_id);
  append_limit_state(request_.shape, plan_, decision_, services_.now, out);
  return out;
}

// Status line and fields of an answer whose body follows as it comes.
void Exchange::begin_client_answer() {
  answer_begun_ = true;
  if (client_ == nullptr) return;
  const ResponseHead& head = parser_->head();
  std::string out;
  append_status_line(out, head.status);
  out += answer_fields();
  const bool no_body = request_.head->method == "HEAD" || head.status == 204 || head.status == 304;
  if (mode_ == Mode::kPass && head.content_length >= 0) {
    append_header(out, "content-length", head.content_length);
  } else if (!no_body) {
    chunked_ = request_.head->minor_version >= 1;
    if (chunked_) {
      append_header(out, "transfer-encoding", "chunked");
    } else {
      close_after_ = true;
    }
  }
  if (close_after_ || !client_->keep_alive()) {
    append_header(out, "connection", "close");
  } else if (request_.head->minor_version == 0) {
    append_header(out, "connection", "keep-alive");
  }
  out += "\r\n";
  client_->send(out);
}

void Exchange::send_answer(std::string_view bytes) {
  if (client_ == nullptr || bytes.empty()) return;
  if (chunked_) {
    std::string chunk;
    chunk.reserve(bytes.size() + 16);
    append_chunk(chunk, bytes);
    client_->send(chunk);
  } else {
    client_->send(bytes);
  }
  if (upstream_ && !upstream_paused_ && client_->unsent() > kHighWater) {
    upstream_paused_ = true;
    upstream_->want_read(false);
    upstream_->set_deadline(answer_deadline());
  }
}

void Exchange::client_drained() {
  if (!upstream_paused_ || upstream_ == nullptr) return;
  upstream_paused_ = false;
  upstream_->set_deadline(answer_deadline());
  upstream_->want_read(true);
}

void Exchange::on_answer_complete() {
  upstream_complete_ = true;
  if (!head_seen_) on_answer_head();
  if (upstream_ == nullptr) return;
  const bool reusable = parser_->reusable();
  release_upstream(reusable);
  if (reader_) {
    relay_.clear();
    reader_->finish(relay_);
    held_ += relay_;
  }
  if (phase_ == Phase::kRelaying) {
    if (settled_) {
      deliver();
    } else {
      settle_answer();
    }
  }
}

void Exchange::on_upstream_eof() {
  if (upstream_ == nullptr) return;
  if (parser_->started()) {
    parser_->finish();
    if (parser_->state() == MessageState::kComplete) {
      on_answer_complete();
      return;
    }
    broken("closed the connection in the middle of its answer", true, 502);
    return;
  }
  on_upstream_failed(UpstreamFailure::kReset, {});
}

void Exchange::on_upstream_failed(UpstreamFailure failure, const std::string& detail) {
  if (upstream_ == nullptr) return;
  const bool stale =
      failure == UpstreamFailure::kReset && upstream_->reused() && !parser_->started() && !retried_fresh_;
  if (stale && client_ != nullptr) {
    retried_fresh_ = true;  // the pool's connection had been closed meanwhile: this is no failure of the provider
    release_upstream(false);
    forward(true);
    return;
  }
  services_.metrics->upstream_failures.add(1);
  std::string words = words_for(failure);
  if (!detail.empty()) words += " (" + detail + ")";
  // Closed after the request was sent: the provider may have worked, and may bill it.
  broken(words, head_seen_ || failure == UpstreamFailure::kReset,
         failure == UpstreamFailure::kConnectTimeout ? 504 : 502);
}

void Exchange::on_upstream_deadline() {
  if (upstream_ == nullptr) return;
  services_.metrics->upstream_failures.add(1);
  broken(head_seen_ ? "stopped sending in the middle of its answer" : "did not answer in time", true, 504);
}

// The answer cannot be completed. `produced`: the provider may have done work that it bills.
void Exchange::broken(const std::string& message, bool produced, int status) {
  release_upstream(false);
  upstream_complete_ = true;
  if (settled_) {  // the stream's end marker was seen: nothing is missing that the client could tell
    if (phase_ == Phase::kRelaying) deliver();
    return;
  }
  const bool free = !produced || provider_refused();
  const std::string name =
      provider_ ? "Provider `" + provider_->name + "`" : "Upstream `" + request_.target.upstream->path + "`";
  const ErrorFacts facts{.kind = ErrorKind::kUpstream,
                         .status = status,
                         .message = name + ": " + message + ".",
                         .request_id = request_.request_id};
  if (!answer_begun_) {
    final_reply_ = error_reply(request_.shape, facts);
    row_.status = status;
  } else if (mode_ == Mode::kStream) {
    held_ += stream_error_end(request_.target.operation, Framing::kSse, facts, nullptr, false);
  } else {
    cut_after_ = true;
  }
  free ? settle(Settled::kNone, {}) : settle_counted(!head_seen_);
}

void Exchange::release_upstream(bool reusable) {
  if (upstream_ == nullptr) return;
  UpstreamPort* port = upstream_;
  upstream_ = nullptr;
  port->release(reusable);
}

void Exchange::read_custom_meters() {
  for (const MeterSource& meter : request_.target.upstream->meters) {
    std::optional<std::int64_t> value;
    if (!meter.response_header.empty()) {
      value = parse_decimal(trim(parser_->head().headers.get(to_lower(meter.response_header))));
    } else if (mode_ == Mode::kBuffer) {
      value = json_integer_at(answer_, meter.response_json);
    }
    // Not reported: the estimate stands, so that silence is never cheaper than an answer.
    custom_actual_.emplace_back(meter.name, std::min(value.value_or(meter.estimate), kMaxAmount));
  }
}

}  // namespace weir
