// One client connection: reads requests one after another (pipelining included), checks who is asking and where it
// goes, and hands each to an exchange or to Weir's own endpoints.
//
// Sans-IO: src/net feeds it bytes and events and implements ClientPort. One worker's thread.
#pragma once

#include <string>
#include <string_view>

#include "gateway/endpoints.h"
#include "gateway/exchange.h"
#include "gateway/http1.h"
#include "gateway/ports.h"
#include "gateway/services.h"

namespace weir {

class Session final : private ClientSide, private ReplyEvents, private BodySink {
 public:
  static constexpr std::size_t kMaxPipelined = 64 << 10;  // bytes kept of later requests while one is answered
  static constexpr std::size_t kMaxSwallowed =
      1 << 20;  // body of a refused request that is read so as to keep the connection
  static constexpr std::size_t kBodyProgress = 16 << 10;  // bytes that restart the body timeout

  enum class Listener : std::uint8_t { kData, kAdmin };

  Session(Services& services, ClientPort& port, std::string peer, Listener listener = Listener::kData);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // events of the port
  void on_bytes(std::string_view bytes);
  void on_eof();      // the client will send nothing more
  void on_closed();   // the connection is gone
  void on_drained();  // everything unsent has left
  void on_deadline();

  bool idle() const { return state_ == State::kIdle; }
  void close_if_idle();  // draining: a connection between requests or with a standing stream ends, others after their
                         // answer

 private:
  enum class State : std::uint8_t {
    kIdle,        // between requests
    kReading,     // head or body under way
    kSwallowing,  // answered already; the rest of the body is read and dropped
    kAnswering,   // an exchange or endpoint is at work
    kClosing,     // the last answer is on its way out
  };

  void process();
  void on_head();
  void on_request();
  void refuse(ErrorKind kind, int status, std::string message, std::string headers = {}, bool close = false);
  void refuse_identity();
  void refuse_large_body();
  void fault(const HttpFault& fault);
  void method_not_allowed();
  void add_admin_fields(Reply& answer) const;
  void after_stream();
  void options();
  void start_timer_for_state();
  void next_request();
  void close();
  bool reserve_body(std::size_t bytes);
  void release_body();

  void send(std::string_view bytes) override { port_.send(bytes); }
  std::size_t unsent() const override { return port_.unsent(); }
  void reply(Reply reply) override;
  void exchange_done(bool keep_alive) override;
  void exchange_aborted() override;
  void wake_at(TimeNs at) override { port_.set_deadline(at); }
  bool keep_alive() const override;
  void on_reply(Reply reply) override;
  void on_stream(Reply head) override;
  bool on_piece(std::string_view bytes) override;
  void end_stream() override;
  void on_body(std::string_view bytes) override;

  Services& services_;
  ClientPort& port_;
  std::string peer_;
  Listener listener_;
  RequestParser parser_;
  State state_ = State::kIdle;
  bool head_checked_ = false;
  bool processing_ = false;
  bool closed_ = false;
  bool eof_ = false;
  std::string input_;  // bytes not parsed yet
  std::string body_;
  std::size_t body_charged_ = 0;  // of Services::buffers
  std::size_t progress_ = 0;
  std::size_t swallowed_ = 0;
  Exchange* exchange_ = nullptr;
  bool waiting_reply_ = false;
  enum class Stream : std::uint8_t { kNone, kChunked, kPlain } streaming_ = Stream::kNone;

  // of the request under way
  std::shared_ptr<const Ruleset> rules_;  // from its head on: a reload is for the next request; target_ points into it
  Target target_;
  ErrorShape shape_ = ErrorShape::kProblem;
  Identity identity_;
  Hash128 id_;
  std::string request_id_;
};

}  // namespace weir
