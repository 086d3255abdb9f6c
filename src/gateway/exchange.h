// The life of one request that goes to a provider or upstream: facts, plan, admission, journal, forward, relay, settle.
//
//   entry -> kAdmitting -> kOpening -> kForwarding -> kRelaying -> kSettling -> kClosing -> done
//            counters      journal     provider       provider     counters     journal
//
// A state machine without sockets: every step is an event (of counters, journal, upstream or client) and ends by asking
// for the next one. Answers may come at once or later. Settles exactly once whatever happens: every way out of
// kForwarding and kRelaying goes through settle().
//
// Owned by Services::live from start() until it is done; then it is moved to Services::graveyard and deleted at the end
// of the turn, so that events may finish it from inside its own calls. One worker's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/http1.h"
#include "gateway/identity.h"
#include "gateway/ports.h"
#include "gateway/reply.h"
#include "gateway/services.h"
#include "gateway/target.h"

namespace weir {

// What an exchange may do to its client; implemented by Session.
class ClientSide {
 public:
  virtual ~ClientSide() = default;
  virtual void send(std::string_view bytes) = 0;
  virtual std::size_t unsent() const = 0;
  virtual void reply(Reply reply) = 0;              // a whole answer of our own
  virtual void exchange_done(bool keep_alive) = 0;  // the answer is complete; the exchange is gone afterwards
  virtual void exchange_aborted() = 0;              // the answer cannot be completed: cut the connection
  virtual bool keep_alive() const = 0;
};

struct ExchangeRequest {
  Target target;
  Identity identity;
  const RequestHead* head = nullptr;     // valid while the client is there
  std::shared_ptr<const Ruleset> rules;  // the request's own, from its head to its end; `target` points into it
  std::string body;
  ErrorShape shape = ErrorShape::kProblem;
  Hash128 id;
  std::string request_id;
};

class Exchange final : private AdmissionEvents,
                       private SettlementEvents,
                       private JournalEvents,
                       private UpstreamEvents,
                       private BodySink {
 public:
  static constexpr std::size_t kMaxBuffered = 8 << 20;  // of a JSON answer read whole
  static constexpr std::size_t kHighWater = 256 << 10;  // unsent bytes at which the provider is not read further

  // Creates the exchange and runs it as far as it goes. The client may be answered before this returns.
  static void start(Services& services, ClientSide& client, ExchangeRequest request, Exchange*& handle);
  ~Exchange() override;

  void client_left();     // the connection is gone; no call to the client follows
  void client_drained();  // what was unsent has left

 private:
  enum class Phase : std::uint8_t { kAdmitting, kOpening, kForwarding, kRelaying, kSettling, kClosing, kDone };
  enum class Mode : std::uint8_t { kBuffer, kStream, kPass };

  Exchange(Services& services, ClientSide& client, ExchangeRequest request);

  // exchange.cc: up to the provider
  void begin();
  bool prepare_llm();
  void set_llm_costs();
  void prepare_upstream();
  bool plan();
  bool cap_held_output();
  void plan_and_admit();
  void keep_attributes();
  void reject(ErrorKind kind, int status, std::string message, std::string param = {});
  void refuse(const Decision& decision);
  void fill_row();
  void on_decision(CountersStatus status, const Decision& decision, std::span<const Effect> effects) override;
  void on_written(bool ok) override;

  // exchange_forward.cc: the provider
  void forward(bool fresh);
  std::string upstream_head(std::size_t body_size) const;
  void on_upstream_bytes(std::string_view bytes) override;
  void on_upstream_eof() override;
  void on_upstream_failed(UpstreamFailure failure, const std::string& detail) override;
  void on_upstream_deadline() override;
  void on_body(std::string_view bytes) override;
  void on_answer_head();
  void on_answer_complete();
  void begin_client_answer();
  std::string answer_fields() const;
  void send_answer(std::string_view bytes);
  void pass_answer(std::string_view bytes);
  TimeNs answer_deadline() const;
  bool provider_refused() const { return provider_ != nullptr && head_seen_ && parser_->head().status >= 400; }
  void broken(const std::string& message, bool produced, int status);
  void release_upstream(bool reusable);
  void read_custom_meters();

  // exchange_settle.cc: what it cost
  Usage counted_usage(bool whole_reservation) const;
  void settle(Settled how, const Usage& usage);
  void settle_counted(bool whole_reservation);
  void settle_answer();
  void on_settled(CountersStatus status, Outcome outcome, std::span<const Effect> effects) override;
  void deliver();
  void finish();

  Services& services_;
  ClientSide* client_;
  ExchangeRequest request_;
  std::shared_ptr<const Ruleset> rules_;
  Phase phase_ = Phase::kAdmitting;
  Mode mode_ = Mode::kBuffer;

  // facts and plan
  RequestFacts facts_;
  const Provider* provider_ = nullptr;
  const ModelRule* model_rule_ = nullptr;
  Price price_;
  std::int64_t input_estimate_ = 0;
  std::int64_t output_held_ = 0;
  Costs costs_;
  Attributes attributes_;
  std::string kept_method_;  // see keep_attributes()
  std::vector<std::pair<std::string, std::string>> kept_fields_;
  Plan plan_;
  Decision decision_;
  UsageRow row_;

  // the provider's side
  UpstreamPort* upstream_ = nullptr;
  std::optional<ResponseParser> parser_;
  std::unique_ptr<StreamReader> reader_;
  std::string credential_;
  TimeNs sent_at_ = 0;
  TimeNs total_deadline_ = 0;
  bool head_seen_ = false;
  bool upstream_paused_ = false;
  bool upstream_complete_ = false;
  bool retried_fresh_ = false;
  std::string answer_;  // kBuffer: the whole body
  std::string relay_;   // scratch

  // the client's side
  bool answer_begun_ = false;
  bool chunked_ = false;
  bool close_after_ = false;
  bool cut_after_ = false;  // the answer is incomplete: abort instead of ending it
  bool settled_ = false;
  bool charge_what_was_held_ = false;
  std::string held_;                  // the answer's last bytes, which wait for the journal
  std::optional<Reply> final_reply_;  // instead of the provider's answer
  std::int64_t bytes_out_ = 0;
  std::vector<std::pair<std::string_view, std::int64_t>> custom_actual_;
};

}  // namespace weir
