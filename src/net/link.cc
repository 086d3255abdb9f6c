#include "net/link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace weir {
namespace {

constexpr std::size_t kReadSize = 64 << 10;
constexpr int kReadsPerTurn = 4;               // then other connections get their turn
constexpr std::size_t kKeepBuffer = 16 << 10;  // an idle link holds no more than this
constexpr std::uint32_t kEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Link::~Link() {
  close();
}

void Link::adopt(int fd, Ssl ssl) {
  fd_ = fd;
  ssl_ = std::move(ssl);
  handshaking_ = sniffing_ = ssl_ != nullptr;
  open_ = !handshaking_;
  set_no_delay(fd);
  loop_.watch(fd, *this, kEvents);
}

void Link::connect(int fd, Ssl ssl) {
  fd_ = fd;
  ssl_ = std::move(ssl);
  connecting_ = true;
  handshaking_ = ssl_ != nullptr;
  set_no_delay(fd);
  loop_.watch(fd, *this, kEvents);
}

void Link::close() {
  if (fd_ < 0) return;
  loop_.forget(*this);
  loop_.forget_events(*this);
  ssl_.reset();
  ::close(fd_);
  fd_ = -1;
  open_ = false;
}

void Link::send(std::string_view bytes) {
  if (fd_ < 0 || dead_) return;
  if (sent_ > 0 && sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
  }
  out_.append(bytes);
  if (!dirty_) {
    dirty_ = true;
    loop_.needs_flush(*this);
  }
}

void Link::want_read(bool on) {
  paused_ = !on;
  if (on && pending_read_ && !read_queued_ && fd_ >= 0) {
    read_queued_ = true;
    loop_.needs_read(*this);
  }
}

void Link::shutdown_write() {
  shutdown_wanted_ = true;
  if (!dirty_ && fd_ >= 0) {
    dirty_ = true;
    loop_.needs_flush(*this);
  }
}

void Link::failed(bool tls, const std::string& detail) {
  if (dead_) return;
  dead_ = true;
  events_.on_link_error(tls, detail);
}

bool Link::finish_connect() {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) {
    failed(false, std::strerror(error));
    return false;
  }
  connecting_ = false;
  return true;
}

bool Link::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    handshaking_ = false;
    return true;
  }
  const int error = SSL_get_error(ssl_.get(), result);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) failed(true, tls_error(ssl_.get()));
  return false;
}

// Looks at the first byte without taking it: a method's capital letter cannot begin a TLS record.
bool Link::is_plain_http() {
  char first = 0;
  const ssize_t n = ::recv(fd_, &first, 1, MSG_PEEK);
  if (n == 1) sniffing_ = false;
  return n == 1 && first >= 'A' && first <= 'Z';
}

void Link::on_events(std::uint32_t events) {
  if (dead_ || fd_ < 0) return;
  if (sniffing_ && is_plain_http()) {
    ssl_.reset();
    handshaking_ = false;
    open_ = true;
    events_.on_link_plain();
    if (fd_ < 0) return;
  }
  if (connecting_) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0 || !finish_connect()) return;
  }
  if (handshaking_ && !handshake()) return;
  if (!open_) {
    open_ = true;
    events_.on_link_open();
    if (fd_ < 0) return;
    if ((unsent() > 0 || shutdown_wanted_) && !dirty_) {
      dirty_ = true;
      loop_.needs_flush(*this);
    }
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hang_up_ = true;
  if (paused_ && (events & (EPOLLHUP | EPOLLERR)) != 0) {  // nobody will read on to find out
    failed(false, "the connection was reset");
    return;
  }
  const bool was_blocked = blocked_;
  if ((events & EPOLLOUT) != 0 || ssl_) blocked_ = false;
  if (was_blocked && !blocked_ && !dirty_) {
    dirty_ = true;
    loop_.needs_flush(*this);
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 || ssl_) read_now();
}

long Link::read_some(char* buffer, std::size_t size) {
  if (ssl_) {
    ERR_clear_error();
    const int n = SSL_read(ssl_.get(), buffer, static_cast<int>(size));
    if (n > 0) return n;
    const int error = SSL_get_error(ssl_.get(), n);
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : -2;
  }
  while (true) {
    const ssize_t n = ::recv(fd_, buffer, size, 0);
    if (n >= 0) return n;
    if (errno == EINTR) continue;
    return errno == EAGAIN ? -1 : -2;
  }
}

void Link::read_now() {
  read_queued_ = false;
  thread_local std::array<char, kReadSize> buffer;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (fd_ < 0 || dead_ || eof_seen_ || !open_) return;
    if (paused_) {
      pending_read_ = true;
      return;
    }
    const long n = read_some(buffer.data(), buffer.size());
    if (n == -1) {
      pending_read_ = false;
      return;
    }
    if (n == -2) {
      const int error = errno;
      failed(ssl_ != nullptr, ssl_ ? tls_error(ssl_.get()) : std::strerror(error));
      return;
    }
    if (n == 0) {
      eof_seen_ = true;
      events_.on_link_eof();
      return;
    }
    events_.on_link_bytes({buffer.data(), static_cast<std::size_t>(n)});
    // A short read emptied the socket: what comes later raises a new edge, so the read that would say EAGAIN is saved.
    if (!ssl_ && !hang_up_ && static_cast<std::size_t>(n) < buffer.size()) {
      pending_read_ = false;
      return;
    }
  }
  if (fd_ < 0 || read_queued_) return;
  pending_read_ = true;
  read_queued_ = true;
  loop_.needs_read(*this);
}

long Link::write_some(std::string_view bytes) {
  if (ssl_) {
    ERR_clear_error();
    const int n = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 20)));
    if (n > 0) return n;
    const int error = SSL_get_error(ssl_.get(), n);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : -2;
  }
  while (true) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) return n;
    if (errno == EINTR) continue;
    return errno == EAGAIN ? -1 : -2;
  }
}

// Tells the other side that nothing is missing. False if the socket has no room for it yet.
bool Link::close_notify() {
  ERR_clear_error();
  const int result = SSL_shutdown(ssl_.get());
  const bool later = result < 0 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_WRITE;
  ERR_clear_error();
  return !later;
}

void Link::flush() {
  dirty_ = false;
  if (fd_ < 0 || dead_ || !open_ || blocked_) return;
  const bool sends = sent_ < out_.size() || notify_due_;
  const TimeNs notifying_since = notify_due_ ? stuck_since_ : 0;
  while (sent_ < out_.size()) {
    const long n = write_some(std::string_view(out_).substr(sent_));
    if (n == -1) {
      blocked_ = true;
      if (stuck_since_ == 0) stuck_since_ = loop_.now();
      return;
    }
    if (n == -2) {
      const int error = errno;
      failed(ssl_ != nullptr, ssl_ ? tls_error(ssl_.get()) : std::strerror(error));
      return;
    }
    sent_ += static_cast<std::size_t>(n);
    if (stuck_since_ != 0) stuck_since_ = loop_.now();
  }
  if (out_.capacity() > kKeepBuffer) {
    out_ = std::string();
  } else {
    out_.clear();
  }
  sent_ = 0;
  stuck_since_ = 0;
  if (shutdown_wanted_) {
    notify_due_ = ssl_ != nullptr && !close_notify();
    if (notify_due_) {
      blocked_ = true;
      stuck_since_ = notifying_since != 0 ? notifying_since : loop_.now();
      return;
    }
    shutdown_wanted_ = false;
    ::shutdown(fd_, SHUT_WR);
  }
  if (sends) events_.on_link_drained();
}

}  // namespace weir
