#include "node_sockets.h"

#include <algorithm>
#include <utility>

#include "base/sites.h"

namespace weir::sim {
namespace {

constexpr DurationNs kLinger = 2 * kSecond;  // as src/net/client.h

}  // namespace

// --- clients --------------------------------------------------------------------------------------------------------

NodeWorker::ClientSocket::ClientSocket(NodeWorker& worker, std::uint64_t number, std::unique_ptr<Wire> wire,
                                       const std::string& peer, weir::Session::Listener listener)
    : worker_(worker),
      number_(number),
      wire_(std::move(wire)),
      timer_(worker.shared_.context.schedule,
             [this] { worker_.turn_of_client(number_, [](auto& c) { c.on_timer(); }); }),
      stuck_(worker.shared_.context.schedule,
             [this] { worker_.turn_of_client(number_, [](auto& c) { c.watch_stuck(); }); }),
      session_(worker.services_, *this, peer, listener) {}

NodeWorker::ClientSocket::~ClientSocket() = default;

void NodeWorker::ClientSocket::send(std::string_view bytes) {
  if (ended_) return;
  out_ += bytes;
  worker_.dirty_clients_.insert(number_);
}

void NodeWorker::ClientSocket::flush() {
  if (ended_) return;
  if (!out_.empty()) wire_->send(std::exchange(out_, {}));
  if (lingering_ && !std::exchange(finished_, true)) wire_->finish();
  if (wire_->unsent() > 0 && !stuck_.is_set()) {
    stuck_at_ = wire_->unsent();
    stuck_.set(worker_.shared_.true_time(worker_.services_.now + worker_.services_.rules->policy().timeouts.idle));
  }
}

void NodeWorker::ClientSocket::set_deadline(TimeNs at) {
  if (!lingering_) timer_.set(at == 0 ? 0 : worker_.shared_.true_time(at));
}

void NodeWorker::ClientSocket::close_after_send() {
  if (ended_ || lingering_) return;
  lingering_ = true;
  worker_.dirty_clients_.insert(number_);
  wire_->want_read(true);
  linger();
}

void NodeWorker::ClientSocket::linger() {
  timer_.set(unsent() > 0 ? 0 : worker_.shared_.true_time(worker_.services_.now + kLinger));
}

void NodeWorker::ClientSocket::cut() {
  session_.on_closed();
  end();
}

void NodeWorker::ClientSocket::end() {
  if (std::exchange(ended_, true)) return;
  timer_.set(0);
  stuck_.set(0);
  wire_->reset();
  worker_.bury_client(number_);
}

void NodeWorker::ClientSocket::on_wire_bytes(std::string_view bytes) {
  worker_.turn_of_client(number_, [bytes = std::string(bytes)](ClientSocket& client) {
    if (!client.lingering_ && !client.ended_) client.session_.on_bytes(bytes);
  });
}

void NodeWorker::ClientSocket::on_wire_eof() {
  worker_.turn_of_client(number_, [](ClientSocket& client) {
    client.eof_ = true;
    if (!client.lingering_) client.session_.on_eof();
    if (client.lingering_ && client.unsent() == 0) client.end();
  });
}

void NodeWorker::ClientSocket::on_wire_reset(bool) {
  worker_.turn_of_client(number_, [](ClientSocket& client) {
    if (!client.lingering_) client.session_.on_closed();
    client.end();
  });
}

void NodeWorker::ClientSocket::on_wire_drained() {
  worker_.turn_of_client(number_, [](ClientSocket& client) {
    if (!client.lingering_) {
      client.session_.on_drained();
    } else if (client.eof_) {
      client.end();
    } else {
      client.linger();
    }
  });
}

void NodeWorker::ClientSocket::on_timer() {
  if (lingering_) {
    end();
  } else {
    session_.on_deadline();
  }
}

// A reader that takes nothing for as long as an idle client may be silent is gone.
void NodeWorker::ClientSocket::watch_stuck() {
  if (ended_ || wire_->unsent() == 0) return;
  if (wire_->unsent() >= stuck_at_) return cut();
  stuck_at_ = wire_->unsent();
  stuck_.set(worker_.shared_.true_time(worker_.services_.now + worker_.services_.rules->policy().timeouts.idle));
}

// --- upstreams ------------------------------------------------------------------------------------------------------

NodeWorker::UpstreamSocket::UpstreamSocket(NodeWorker& worker, std::uint64_t number, std::string place)
    : worker_(worker), number_(number), place_(std::move(place)), timer_(worker.shared_.context.schedule, [this] {
        worker_.turn_of_upstream(number_, [](auto& u) { u.on_timer(); });
      }) {}

NodeWorker::UpstreamSocket::~UpstreamSocket() = default;

void NodeWorker::UpstreamSocket::start(UpstreamEvents& events, DurationNs connect_timeout) {
  events_ = &events;
  connect_deadline_ = worker_.services_.now + connect_timeout;
  timer_.set(worker_.shared_.true_time(connect_deadline_));
  wire_ = worker_.shared_.context.network.connect("weir", place_, *this);
}

void NodeWorker::UpstreamSocket::reuse(UpstreamEvents& events) {
  events_ = &events;
  reused_ = true;
  timer_.set(0);
}

void NodeWorker::UpstreamSocket::flush() {
  if (connect_deadline_ == 0 && !gone_ && !out_.empty()) wire_->send(std::exchange(out_, {}));
}

void NodeWorker::UpstreamSocket::send(std::string_view bytes) {
  out_ += bytes;
  worker_.dirty_upstreams_.insert(number_);
}

void NodeWorker::UpstreamSocket::set_deadline(TimeNs at) {
  deadline_ = at;
  TimeNs next = at;
  if (connect_deadline_ != 0) next = at == 0 ? connect_deadline_ : std::min(at, connect_deadline_);
  timer_.set(next == 0 ? 0 : worker_.shared_.true_time(next));
}

void NodeWorker::UpstreamSocket::on_timer() {
  if (events_ == nullptr) {
    drop();
  } else if (connect_deadline_ != 0 && worker_.services_.now >= connect_deadline_) {
    events_->on_upstream_failed(UpstreamFailure::kConnectTimeout, {});
  } else {
    events_->on_upstream_deadline();
  }
}

void NodeWorker::UpstreamSocket::release(bool reusable) {
  events_ = nullptr;
  deadline_ = 0;
  const bool keep = reusable && !gone_ && connect_deadline_ == 0 && out_.empty() && wire_->open() &&
                    wire_->unsent() == 0 && !maybe("pool.keep-nothing");
  if (keep) {
    wire_->want_read(true);
    timer_.set(worker_.shared_.true_time(worker_.services_.now + kIdleFor));
  } else {
    timer_.set(0);
    if (!gone_) wire_->reset();
  }
  worker_.released(number_, keep);
}

void NodeWorker::UpstreamSocket::cut() {
  gone_ = true;
  timer_.set(0);
  wire_->reset();
}

void NodeWorker::UpstreamSocket::drop() {
  timer_.set(0);
  wire_->reset();
  worker_.drop_idle(*this);
}

void NodeWorker::UpstreamSocket::on_wire_open() {
  worker_.turn_of_upstream(number_, [](UpstreamSocket& socket) {
    socket.connect_deadline_ = 0;
    socket.timer_.set(socket.deadline_ == 0 ? 0 : socket.worker_.shared_.true_time(socket.deadline_));
    socket.worker_.dirty_upstreams_.insert(socket.number_);
  });
}

void NodeWorker::UpstreamSocket::on_wire_bytes(std::string_view bytes) {
  worker_.turn_of_upstream(number_, [bytes = std::string(bytes)](UpstreamSocket& socket) {
    if (socket.events_ == nullptr) {
      socket.drop();
    } else {
      socket.events_->on_upstream_bytes(bytes);
    }
  });
}

void NodeWorker::UpstreamSocket::on_wire_eof() {
  worker_.turn_of_upstream(number_, [](UpstreamSocket& socket) {
    if (socket.events_ == nullptr) {
      socket.drop();
    } else {
      socket.events_->on_upstream_eof();
    }
  });
}

void NodeWorker::UpstreamSocket::on_wire_reset(bool refused) {
  worker_.turn_of_upstream(number_, [refused](UpstreamSocket& socket) {
    socket.gone_ = true;
    if (socket.events_ == nullptr) {
      socket.drop();
    } else {
      const bool connecting = socket.connect_deadline_ != 0;
      socket.events_->on_upstream_failed(connecting ? UpstreamFailure::kConnect : UpstreamFailure::kReset,
                                         refused ? "refused" : "reset");
    }
  });
}

}  // namespace weir::sim
