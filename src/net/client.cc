#include "net/client.h"

#include "net/worker.h"

namespace weir {
namespace {

constexpr std::string_view kSpeaksTls =
    "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 51\r\n"
    "cache-control: no-store\r\nconnection: close\r\n\r\n"
    "This port speaks TLS: use https:// instead of http\n";

}  // namespace

ClientConnection::ClientConnection(Worker& worker, int fd, Ssl ssl, std::string peer, Session::Listener listener)
    : worker_(worker),
      link_(worker.loop(), *this),
      timer_([this] { on_timer(); }),
      stuck_([this] { watch_stuck(); }),
      handshaking_(ssl != nullptr),
      session_(worker.services(), *this, std::move(peer), listener) {
  link_.adopt(fd, std::move(ssl));
  if (handshaking_) {
    timer_.set(worker_.loop(), worker_.loop().now() + worker_.services().rules->policy().timeouts.header);
  }
}

ClientConnection::~ClientConnection() = default;

void ClientConnection::send(std::string_view bytes) {
  if (ended_) return;
  link_.send(bytes);
  stuck_.set(worker_.loop(), worker_.loop().now() + patience());
}

void ClientConnection::set_deadline(TimeNs at) {
  if (handshaking_) {
    session_deadline_ = at;
  } else if (!lingering_) {
    timer_.set(worker_.loop(), at);
  }
}

// Everything queued is sent, however slowly; then our side is closed, and what the client still sends is read and
// dropped for a moment, so that its unread bytes do not turn our last answer into a reset (RFC 9112 section 9.6).
void ClientConnection::close_after_send() {
  if (ended_ || lingering_) return;
  if (handshaking_) return end();
  lingering_ = true;
  link_.shutdown_write();
  link_.want_read(true);
  timer_.set(worker_.loop(), link_.unsent() > 0 ? 0 : worker_.loop().now() + kLinger);
}

void ClientConnection::abort() {
  end();
}

void ClientConnection::cut() {
  session_.on_closed();
  end();
}

void ClientConnection::end() {
  if (ended_) return;
  ended_ = true;
  timer_.set(worker_.loop(), 0);
  stuck_.set(worker_.loop(), 0);
  link_.close();
  worker_.ended(*this);
}

void ClientConnection::on_link_open() {
  handshaking_ = false;
  timer_.set(worker_.loop(), session_deadline_);
}

// The request is not read: it may hold a key, and whoever sent it in the clear should learn of it at once.
void ClientConnection::on_link_plain() {
  handshaking_ = false;
  worker_.services().metrics->request("other", "reject", "entry");
  session_.on_closed();
  send(kSpeaksTls);
  close_after_send();
}

void ClientConnection::on_link_bytes(std::string_view bytes) {
  if (!lingering_ && !ended_) session_.on_bytes(bytes);
}

void ClientConnection::on_link_eof() {
  eof_ = true;
  if (!lingering_) session_.on_eof();
  if (lingering_ && link_.unsent() == 0) end();
}

void ClientConnection::on_link_error(bool, const std::string&) {
  session_.on_closed();
  end();
}

void ClientConnection::on_link_drained() {
  if (!lingering_) {
    session_.on_drained();
  } else if (eof_) {
    end();
  } else {
    timer_.set(worker_.loop(), worker_.loop().now() + kLinger);
  }
}

void ClientConnection::on_timer() {
  if (handshaking_) {
    cut();
  } else if (lingering_) {
    end();
  } else {
    session_.on_deadline();
  }
}

DurationNs ClientConnection::patience() const {
  return worker_.services().rules->policy().timeouts.idle;
}

// A reader that takes nothing for as long as an idle client may be silent is gone.
void ClientConnection::watch_stuck() {
  if (link_.unsent() == 0 || ended_) return;
  const TimeNs since = link_.stuck_since() != 0 ? link_.stuck_since() : worker_.loop().now();
  if (worker_.loop().now() - since >= patience()) {
    cut();
  } else {
    stuck_.set(worker_.loop(), since + patience());
  }
}

}  // namespace weir
