// The provider's side of an exchange: sending an attempt, and the ways it can end without an answer.
#include <fmt/format.h>

#include <algorithm>

#include "base/sites.h"
#include "base/strings.h"
#include "gateway/exchange.h"
#include "gateway/forward.h"

namespace weir {
namespace {

HttpLimits answer_limits() {
  HttpLimits limits;
  limits.head = 64 << 10;
  limits.body = std::size_t{1} << 40;  // answers are relayed, not held: no bound of their own
  return limits;
}

std::string host_field(const Url& url) {
  if (url.host.empty()) return "sim";  // answered in process
  std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  if (url.port == (url.tls ? 443 : 80)) return host;
  append_number(host += ':', url.port);
  return host;
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

const ProviderTimeouts& Exchange::timeouts() const {
  if (mcp_) return mcp_timeouts_;
  return call_ ? call_->provider().timeouts : request_.target.upstream->timeouts;
}

std::string Exchange::upstream_head(std::size_t body_size) const {
  const RequestHead& client = *request_.head;
  UpstreamHead head{.method = client.method, .target = {}, .host = {}, .body_size = body_size};
  head.has_body = body_size > 0 || client.content_length >= 0 || client.chunked;
  const Url* url = call_ ? &call_->provider().url : &request_.target.upstream->url;
  if (call_) {
    head.target = call_->upstream_path();
    head.identity_only = true;
    head.credential_name = call_->credential_header();
    if (!head.credential_name.empty()) head.credential = call_->credential();
  } else {
    head.target = mcp_ ? mcp_->upstream_path(client.path) : url->path + std::string(client.path);
    head.keep_authorization = request_.target.upstream->pass_authorization;
    head.identity_only = !request_.target.upstream->meters.empty() || (mcp_ && mcp_->is_post());
  }
  if (client.query.data() != nullptr) head.target.append("?").append(client.query);
  const std::string host = host_field(*url);
  head.host = host;
  return build_upstream_head(head, client.headers);
}

// Sends one attempt. `fresh`: once more, because the pool's connection turned out to be closed.
void Exchange::forward(bool fresh) {
  phase_ = Phase::kForwarding;
  parser_.emplace(answer_limits(), request_.head->method == "HEAD");
  head_seen_ = upstream_complete_ = false;
  answer_.clear();
  bytes_out_ = 0;
  inflate_.reset();
  copy_.clear();
  copied_ = 0;
  broke_ = false;
  final_reply_.reset();
  ++row_.attempts;
  sent_at_ = services_.now;
  total_deadline_ = services_.now + timeouts().total;
  if (!fresh) {
    if (call_) {
      provider_key_ = call_->provider().key;
      services_.learned->providers.sent(call_->provider().name, call_->model(), call_->input() + call_->output_held(),
                                        attempts_.made() > 0, services_.now);
      reported_ = false;
    }
    attempts_.begun();
    retried_fresh_ = false;
  }
  upstream_ =
      services_.dialer->dial(call_ ? origin_of(call_->provider()) : origin_of(*request_.target.upstream), *this, fresh);
  if (upstream_->reused()) services_.metrics->upstream_connections_reused.add(1);
  if (call_ && call_->rewrites()) {
    const std::string body = call_->upstream_body(request_.body);
    upstream_->send(upstream_head(body.size()));
    upstream_->send(body);
  } else {
    upstream_->send(upstream_head(request_.body.size()));
    upstream_->send(request_.body);
  }
  upstream_->set_deadline(stream_ ? services_.now + timeouts().first_byte : total_deadline_);
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
      reached("upstream.malformed-answer");
      broken(fmt::format("sent a malformed answer ({})", parser_->fault().message), true, AttemptFailure::kStatus502,
             502);
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
  if (upstream_ && head_seen_ && stream_) upstream_->set_deadline(answer_deadline());
}

// While a slow client keeps us from reading, silence is not the provider's.
TimeNs Exchange::answer_deadline() const {
  if (!stream_ || upstream_paused_) return total_deadline_;
  return std::min(total_deadline_, services_.now + timeouts().idle);
}

void Exchange::on_upstream_eof() {
  if (upstream_ == nullptr) return;
  if (parser_->started()) {
    parser_->finish();
    if (parser_->state() == MessageState::kComplete) {
      on_answer_complete();
      return;
    }
    reached("upstream.closed-in-the-middle");
    broken("closed the connection in the middle of its answer", true, AttemptFailure::kStatus502, 502);
    return;
  }
  on_upstream_failed(UpstreamFailure::kReset, {});
}

void Exchange::on_upstream_failed(UpstreamFailure failure, const std::string& detail) {
  if (upstream_ == nullptr) return;
  // A server that closes an idle connection does so about when it is used again; later it has been at work.
  const bool stale = failure == UpstreamFailure::kReset && upstream_->reused() && !parser_->started() &&
                     !retried_fresh_ && services_.now - sent_at_ <= kStaleWithin;
  if (stale && client_ != nullptr) {
    reached("upstream.idle-connection-was-closed");
    retried_fresh_ = true;  // the pool's connection had been closed meanwhile: this is no failure of the provider
    release_upstream(false);
    forward(true);
    return;
  }
  services_.metrics->upstream_failures.add(1);
  std::string words = words_for(failure);
  if (!detail.empty()) words += " (" + detail + ")";
  const bool sent = failure == UpstreamFailure::kReset;  // the provider may have worked, and may bill it
  broken(words, head_seen_ || sent, sent ? AttemptFailure::kStatus502 : AttemptFailure::kConnect,
         failure == UpstreamFailure::kConnectTimeout ? 504 : 502);
}

void Exchange::on_upstream_deadline() {
  if (upstream_ == nullptr) return;
  services_.metrics->upstream_failures.add(1);
  reached(head_seen_ ? "upstream.silent-midway" : "upstream.silent");
  broken(head_seen_ ? "stopped sending in the middle of its answer" : "did not answer in time", true,
         AttemptFailure::kStatus504, 504);
}

// The answer cannot be completed. `produced`: the provider may have done work that it bills.
void Exchange::broken(const std::string& message, bool produced, AttemptFailure failure, int status) {
  release_upstream(false);
  upstream_complete_ = true;
  if (settled_) {  // the stream's end marker was seen: nothing is missing that the client could tell
    reached("upstream.broke-after-the-end-marker");
    if (phase_ == Phase::kRelaying) deliver();
    return;
  }
  report(ProviderHealth::Answer::kFailed);
  broke_ = true;
  const bool free = !produced || provider_refused();
  const std::string name =
      call_ ? "Provider `" + call_->provider().name + "`" : "Upstream `" + request_.target.upstream->path + "`";
  const ErrorFacts facts{.kind = ErrorKind::kUpstream,
                         .status = status,
                         .message = name + ": " + message + ".",
                         .request_id = request_.request_id};
  if (!answer_begun_) {
    final_reply_ = error_answer(facts);
    row_.status = facts.status;
    if (try_again(failure, !free)) return;
  } else if (mcp_) {
    end_broken_mcp(facts.message);
  } else if (mode_ == Mode::kStream) {
    reached(topping_up_ ? "stream.broke-in-top-up" : "stream.broke");
    const Usage seen = free ? Usage{} : counted_usage(false);
    held_ += stream_error_end(request_.target.operation, framing_, facts, &seen,
                              !needs_rewrite(call_->operation(), call_->facts()), &reader_->facts(),
                              topping_up_ ? position_ : reader_->position());
  } else {
    cut_after_ = true;
  }
  free ? settle(Settled::kNone, {}) : settle_counted(saw_nothing());
}

void Exchange::release_upstream(bool reusable) {
  if (upstream_ == nullptr) return;
  UpstreamPort* port = upstream_;
  upstream_ = nullptr;
  port->release(reusable);
}

}  // namespace weir
