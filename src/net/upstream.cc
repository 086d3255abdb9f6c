#include "net/upstream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace weir {

UpstreamConnection::UpstreamConnection(NetDialer& dialer, const Origin& origin, std::string key)
    : dialer_(dialer),
      origin_(origin),
      key_(std::move(key)),
      link_(std::make_unique<Link>(dialer.loop(), static_cast<LinkEvents&>(*this))),
      timer_([this] { on_timer(); }) {}

UpstreamConnection::~UpstreamConnection() {
  *alive_ = false;
}

void UpstreamConnection::start(UpstreamEvents& events) {
  events_ = &events;
  connect_deadline_ = dialer_.loop().now() + origin_.connect_timeout;
  timer_.set(dialer_.loop(), connect_deadline_);
  const auto answer = dialer_.resolver().resolve(origin_.host, origin_.port, dialer_.loop(),
                                                 [this, alive = alive_](const Resolver::Answer& late) {
                                                   if (*alive && events_ != nullptr) resolved(late);
                                                 });
  if (answer) resolved(*answer);
}

void UpstreamConnection::reuse(UpstreamEvents& events) {
  events_ = &events;
  reused_ = true;
  queued_ = 0;
  timer_.set(dialer_.loop(), 0);
}

void UpstreamConnection::resolved(const Resolver::Answer& answer) {
  if (!answer) {
    fail_later(UpstreamFailure::kResolve, answer.error().message);
    return;
  }
  addresses_ = *answer;
  connect_next();
}

// Tries the addresses one after another, within the connect timeout for all of them.
void UpstreamConnection::connect_next() {
  std::string detail = "no address";
  while (next_address_ < addresses_.size()) {
    const SocketAddress& address = addresses_[next_address_++];
    const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      detail = std::strerror(errno);
      continue;
    }
    Ssl ssl;
    if (origin_.tls) {
      Result<Ssl> made = dialer_.tls().session(origin_.ca, origin_.host, fd);
      if (!made) {
        ::close(fd);
        fail_later(UpstreamFailure::kTls, made.error().message);
        return;
      }
      ssl = std::move(*made);
    }
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0 && errno != EINPROGRESS) {
      detail = std::strerror(errno);
      ssl.reset();
      ::close(fd);
      continue;
    }
    link_->connect(fd, std::move(ssl));
    return;
  }
  fail_later(UpstreamFailure::kConnect, detail);
}

void UpstreamConnection::fail_later(UpstreamFailure failure, std::string detail) {
  // Ports never call back from inside dial() or send().
  dialer_.loop().post([this, alive = alive_, failure, detail = std::move(detail)] {
    if (*alive && events_ != nullptr) report(failure, detail);
  });
}

void UpstreamConnection::report(UpstreamFailure failure, const std::string& detail) {
  if (events_ != nullptr) events_->on_upstream_failed(failure, detail);
}

void UpstreamConnection::set_deadline(TimeNs at) {
  deadline_ = at;
  if (connect_deadline_ == 0) {
    timer_.set(dialer_.loop(), at);
  } else {
    timer_.set(dialer_.loop(), at == 0 ? connect_deadline_ : std::min(at, connect_deadline_));
  }
}

void UpstreamConnection::on_timer() {
  if (events_ == nullptr) {
    dialer_.drop_idle(*this);
  } else if (connect_deadline_ != 0 && dialer_.loop().now() >= connect_deadline_) {
    report(UpstreamFailure::kConnectTimeout, {});
  } else {
    events_->on_upstream_deadline();
  }
}

void UpstreamConnection::release(bool reusable) {
  events_ = nullptr;
  deadline_ = 0;
  std::unique_ptr<UpstreamConnection> self(this);
  if (reusable && link_->is_open() && link_->unsent() == 0 && connect_deadline_ == 0) {
    link_->want_read(true);
    timer_.set(dialer_.loop(), dialer_.loop().now() + NetDialer::kIdleFor);
    dialer_.keep(std::move(self));
    return;
  }
  timer_.set(dialer_.loop(), 0);
  link_->close();
  dialer_.loop().dispose(std::move(self));
}

void UpstreamConnection::send(std::string_view bytes) {
  if (connect_deadline_ != 0) {
    backlog_.append(bytes);  // an address may fail: nothing is handed to a socket before one works
  } else {
    queued_ += bytes.size();
    link_->send(bytes);
  }
}

void UpstreamConnection::on_link_open() {
  connect_deadline_ = 0;
  timer_.set(dialer_.loop(), deadline_);
  queued_ += backlog_.size();
  link_->send(backlog_);
  backlog_ = std::string();
}

void UpstreamConnection::on_link_bytes(std::string_view bytes) {
  if (events_ == nullptr) {
    dialer_.drop_idle(*this);  // an idle server has nothing to say: whatever this is, it answers nobody
  } else {
    events_->on_upstream_bytes(bytes);
  }
}

void UpstreamConnection::on_link_eof() {
  if (events_ == nullptr) {
    dialer_.drop_idle(*this);
  } else {
    events_->on_upstream_eof();
  }
}

void UpstreamConnection::on_link_error(bool tls, const std::string& detail) {
  if (events_ == nullptr) {
    dialer_.drop_idle(*this);
    return;
  }
  if (connect_deadline_ == 0) {
    report(UpstreamFailure::kReset, detail);
  } else if (tls) {
    report(UpstreamFailure::kTls, detail);
  } else if (next_address_ < addresses_.size()) {
    link_->close();
    dialer_.loop().dispose(std::move(link_));
    link_ = std::make_unique<Link>(dialer_.loop(), static_cast<LinkEvents&>(*this));
    connect_next();
  } else {
    report(UpstreamFailure::kConnect, detail);
  }
}

}  // namespace weir
