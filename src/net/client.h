// One accepted client connection: a Link on one side, a Session on the other.
#pragma once

#include <string>

#include "gateway/session.h"
#include "net/link.h"

namespace weir {

class Worker;

class ClientConnection final : public Disposable, private ClientPort, private LinkEvents {
 public:
  // `ssl`: of a TLS listener; its handshake has the time that a request's head has.
  ClientConnection(Worker& worker, int fd, Ssl ssl, std::string peer, Session::Listener listener);
  ~ClientConnection() override;

  void close_if_idle() { session_.close_if_idle(); }
  void cut();  // at the end of the drain

 private:
  static constexpr DurationNs kLinger = 2 * kSecond;  // wait for the client's side of a close

  void send(std::string_view bytes) override;
  std::size_t unsent() const override { return link_.unsent(); }
  void want_read(bool on) override { link_.want_read(on); }
  void set_deadline(TimeNs at) override;
  void close_after_send() override;
  void abort() override;

  void on_link_open() override;
  void on_link_plain() override;
  void on_link_bytes(std::string_view bytes) override;
  void on_link_eof() override;
  void on_link_error(bool tls, const std::string& detail) override;
  void on_link_drained() override;

  void on_timer();
  void watch_stuck();
  DurationNs patience() const;
  void end();

  Worker& worker_;
  Link link_;
  Timer timer_;
  Timer stuck_;
  bool lingering_ = false;
  bool ended_ = false;
  bool handshaking_;
  TimeNs session_deadline_ = 0;  // asked for during the handshake, in force after it
  bool eof_ = false;             // the client sends no more
  Session session_;
};

}  // namespace weir
