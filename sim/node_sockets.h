// The node's ends of connections: what src/net's ClientConnection and UpstreamConnection are. Bytes wait for the end of
// the turn in which they were sent, until the journal is written.
#pragma once

#include <memory>
#include <string>

#include "gateway/session.h"
#include "node_worker.h"

namespace weir::sim {

class NodeWorker::ClientSocket final : public WireEvents, private ClientPort {
 public:
  ClientSocket(NodeWorker& worker, std::uint64_t number, std::unique_ptr<Wire> wire, const std::string& peer,
               weir::Session::Listener listener);
  ~ClientSocket() override;

  void flush();  // at the end of a turn
  void close_if_idle() { session_.close_if_idle(); }
  void cut();
  std::uint64_t number() const { return number_; }

 private:
  void on_wire_bytes(std::string_view bytes) override;
  void on_wire_eof() override;
  void on_wire_reset(bool refused) override;
  void on_wire_drained() override;

  void send(std::string_view bytes) override;
  std::size_t unsent() const override { return out_.size() + wire_->unsent(); }
  void want_read(bool on) override { wire_->want_read(on); }
  void set_deadline(TimeNs at) override;
  void close_after_send() override;
  void abort() override { end(); }

  void end();
  void linger();
  void on_timer();
  void watch_stuck();

  NodeWorker& worker_;
  const std::uint64_t number_;
  std::unique_ptr<Wire> wire_;
  std::string out_;
  bool ended_ = false, lingering_ = false, eof_ = false, finished_ = false;
  std::size_t stuck_at_ = 0;
  Timer timer_, stuck_;
  weir::Session session_;
};

class NodeWorker::UpstreamSocket final : public WireEvents, public UpstreamPort {
 public:
  UpstreamSocket(NodeWorker& worker, std::uint64_t number, std::string place);
  ~UpstreamSocket() override;

  void start(UpstreamEvents& events, DurationNs connect_timeout);
  void reuse(UpstreamEvents& events);
  void flush();
  void cut();  // the process dies
  std::uint64_t number() const { return number_; }
  const std::string& place() const { return place_; }

 private:
  void on_wire_open() override;
  void on_wire_bytes(std::string_view bytes) override;
  void on_wire_eof() override;
  void on_wire_reset(bool refused) override;

  void send(std::string_view bytes) override;
  void want_read(bool on) override { wire_->want_read(on); }
  void set_deadline(TimeNs at) override;
  bool reused() const override { return reused_; }
  bool connected() const override { return connect_deadline_ == 0; }
  void release(bool reusable) override;
  void on_timer();
  void drop();  // an idle connection that ended

  NodeWorker& worker_;
  const std::uint64_t number_;
  const std::string place_;
  std::unique_ptr<Wire> wire_;
  UpstreamEvents* events_ = nullptr;
  std::string out_;
  TimeNs deadline_ = 0, connect_deadline_ = 0;
  bool reused_ = false, gone_ = false;
  Timer timer_;
};

}  // namespace weir::sim
