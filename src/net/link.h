// A non-blocking stream socket with buffered sending, optional TLS (either side), and a lingering close.
//
// Reads as soon as bytes arrive unless paused; sends what was queued at the end of the turn. One loop's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "net/tls.h"

namespace weir {

class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  virtual void on_link_open() {}  // connected, and the TLS handshake is done
  virtual void on_link_bytes(std::string_view bytes) = 0;
  virtual void on_link_eof() = 0;                                       // the other side sends no more
  virtual void on_link_error(bool tls, const std::string& detail) = 0;  // dead; close() is still due
  virtual void on_link_drained() {}                                     // everything queued has been sent
  virtual void on_link_plain() {}  // adopted for TLS, but the other side speaks HTTP: from here on the link is plain
};

class Link final : public Disposable, private Watched {
 public:
  Link(Loop& loop, LinkEvents& events) : loop_(loop), events_(events) {}
  ~Link() override;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void adopt(int fd, Ssl ssl);    // an accepted, non-blocking socket; with `ssl` on_link_open() follows the handshake
  void connect(int fd, Ssl ssl);  // connect(2) was begun; `ssl` may be empty

  void send(std::string_view bytes);
  std::size_t unsent() const { return out_.size() - sent_ + (notify_due_ ? 1 : 0); }
  TimeNs stuck_since() const { return stuck_since_; }  // 0 unless the other side does not take what is queued
  void want_read(bool on);
  void shutdown_write();  // after what is queued was sent
  void close();
  bool is_open() const { return fd_ >= 0; }

  // called by the loop
  void flush();
  void read_now();

 private:
  void on_events(std::uint32_t events) override;
  bool finish_connect();
  bool handshake();
  bool is_plain_http();
  bool close_notify();
  long read_some(char* buffer, std::size_t size);  // as recv(2): 0 = eof, -1 = would block, -2 = error
  long write_some(std::string_view bytes);
  void failed(bool tls, const std::string& detail);

  Loop& loop_;
  LinkEvents& events_;
  int fd_ = -1;
  Ssl ssl_;
  bool connecting_ = false;
  bool handshaking_ = false;
  bool sniffing_ = false;  // the first byte of an accepted TLS connection is still to come
  bool open_ = false;
  bool paused_ = false;
  bool pending_read_ = false;  // data may be waiting while paused, or the turn's share was used up
  bool read_queued_ = false;
  bool eof_seen_ = false;
  bool hang_up_ = false;  // the kernel said that the other side is done: read on until the end shows
  bool dirty_ = false;
  bool blocked_ = false;
  bool shutdown_wanted_ = false;
  bool notify_due_ = false;  // TLS: the socket has no room yet for the word that nothing more comes
  bool dead_ = false;
  TimeNs stuck_since_ = 0;
  std::string out_;
  std::size_t sent_ = 0;
};

}  // namespace weir
