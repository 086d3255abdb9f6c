// One connection to a provider or upstream: resolving, connecting, in use, idle in the pool.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/ports.h"
#include "net/dialer.h"
#include "net/link.h"

namespace weir {

class UpstreamConnection final : public UpstreamPort, public Disposable, private LinkEvents {
 public:
  UpstreamConnection(NetDialer& dialer, const Origin& origin, std::string key);
  ~UpstreamConnection() override;

  void start(UpstreamEvents& events);  // a new connection
  void reuse(UpstreamEvents& events);  // one from the pool
  const std::string& key() const { return key_; }

  void send(std::string_view bytes) override;
  void want_read(bool on) override { link_->want_read(on); }
  void set_deadline(TimeNs at) override;
  bool reused() const override { return reused_; }
  bool connected() const override { return connect_deadline_ == 0 && link_->unsent() < queued_; }
  void release(bool reusable) override;

 private:
  void resolved(const Resolver::Answer& answer);
  void connect_next();  // to the address after the last one tried
  void fail_later(UpstreamFailure failure, std::string detail);
  void report(UpstreamFailure failure, const std::string& detail);
  void on_timer();

  void on_link_open() override;
  void on_link_bytes(std::string_view bytes) override;
  void on_link_eof() override;
  void on_link_error(bool tls, const std::string& detail) override;

  NetDialer& dialer_;
  Origin origin_;
  std::string key_;
  UpstreamEvents* events_ = nullptr;  // null: idle or released
  std::unique_ptr<Link> link_;
  Timer timer_;
  TimeNs deadline_ = 0;          // asked for by the user of the port
  TimeNs connect_deadline_ = 0;  // 0 once open
  bool reused_ = false;
  std::size_t queued_ = 0;  // bytes handed to the link: those that are still there did not leave
  std::vector<SocketAddress> addresses_;
  std::size_t next_address_ = 0;
  std::string backlog_;                                         // bytes to send once the connection is up
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for callbacks that come late
};

}  // namespace weir
