// The life of one request that goes to a provider or upstream: facts, plan, admission, journal, attempts, relay,
// settle.
//
//   entry -> kPeeking -> kAdmitting -> kOpening -> kForwarding -> kRelaying -> kSettling -> kClosing -> done
//            ladders,    counters      journal     provider       provider     counters     journal
//            counting                     ^            |
//                         kReadmitting <- kReleasing <- kWaiting        another attempt, before a byte went to the
//                         client
//
// A state machine without sockets: every step is an event (of counters, journal, upstream or client) and ends by asking
// for the next one. Answers may come at once or later. Settles exactly once whatever happens: every way out of
// kForwarding and kRelaying goes through settle(). Each attempt that may have used something has a reservation of its
// own; the journal knows them all under the request's id, and the ledger row sums them.
//
// Owned by Services::live from start() until it is done; then it is moved to Services::graveyard and deleted at the end
// of the turn, so that events may finish it from inside its own calls. One worker's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/attempts.h"
#include "gateway/http1.h"
#include "gateway/identity.h"
#include "gateway/inflate.h"
#include "gateway/llm_call.h"
#include "gateway/mcp_call.h"
#include "gateway/ports.h"
#include "gateway/publish.h"
#include "gateway/reply.h"
#include "gateway/services.h"
#include "gateway/target.h"
#include "gateway/tool_asks.h"
#include "gateway/tool_limits.h"
#include "providers/tool_calls.h"

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
  virtual void wake_at(TimeNs at) = 0;  // Exchange::client_woken() follows then; 0: not any more
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
                       private BodySink,
                       private GeneratedText,
                       private ToolLimitEvents {
 public:
  static constexpr std::size_t kMaxBuffered = 8 << 20;  // of a JSON answer read whole
  static constexpr std::size_t kHighWater = 256 << 10;  // unsent bytes at which the provider is not read further
  static constexpr DurationNs kStaleWithin = kSecond;   // a reused connection that breaks: it had been closed before
  static constexpr std::int64_t kMaxOvercount = 2;      // our count of a text over its provider's

  // Creates the exchange and runs it as far as it goes. The client may be answered before this returns.
  static void start(Services& services, ClientSide& client, ExchangeRequest request, Exchange*& handle);
  ~Exchange() override;

  void client_left();     // the connection is gone; no call to the client follows
  void client_drained();  // what was unsent has left
  void client_woken();    // the instant given to ClientSide::wake_at() has come
  // A stream that a server of MCP may fill for hours: its client opens another when it ends.
  bool is_standing_stream() const { return mcp_ && mcp_->is_long_lived() && phase_ == Phase::kRelaying; }

 private:
  enum class Phase : std::uint8_t {
    kLooking,    // at the limits of the tools that the request declares
    kBudgeting,  // holding a budget for its whole run
    kPeeking,
    kAdmitting,
    kQueueing,  // for room
    kOpening,
    kForwarding,
    kRelaying,
    kWaiting,
    kReleasing,
    kReadmitting,
    kSettling,
    kClosing,
    kDone,
  };
  enum class Mode : std::uint8_t { kBuffer, kStream, kPass };

  using Amounts = std::array<std::int64_t, kMaxDemands>;

  Exchange(Services& services, ClientSide& client, ExchangeRequest request);

  // exchange.cc: from the request to its journal record
  void begin();
  bool prepare_llm();
  void prepare_upstream();
  bool pass_gate();
  void end_probe();
  void aim_attributes();
  bool plan();
  std::optional<PlanFault> plan_fitting();
  void ask();
  void on_peek(const Decision& decision);
  bool counting_matters(const Decision& decision) const;
  void amounts_with(std::int64_t input, Amounts& out) const;
  void degrade(const Degradation& change);
  void admit();
  TimeNs reservation_deadline() const;
  void keep_attributes();
  void reject(ErrorKind kind, int status, std::string message, std::string param = {}, DurationNs retry_after = 0);
  void refuse(const Decision& decision);
  void refuse_with(const Plan& plan, const Decision& decision, const Refusal& refusal);
  bool queue(const Decision& decision);
  void fill_row();
  void hold_in_row();
  void on_admitted(const Decision& decision, std::span<const Effect> effects);
  void open_record(std::span<const Effect> effects);
  void on_decision(CountersStatus status, const Decision& decision, std::span<const Effect> effects) override;
  void on_written(bool ok) override;

  // exchange_agent.cc: whose request it is, and with which tools
  bool enter();
  bool enter_call();
  void deny_tool();
  void name_agent();
  void note_signals(std::string_view tool = {});
  bool asks_too_much(const Trip& trip) const;
  void refuse_trip(const Trip& trip);
  void give_back_place(DurationNs wait);
  void leave_run();
  void look_at_tools();
  ToolLimits& tool_limits();
  bool read_budget();
  bool wants_budget();
  void pay_from_budget();
  void ask_for_budget();
  void on_budget(const Decision& decision, std::span<const Effect> effects);
  void give_back_budget();
  void leave_to_budget(std::span<std::int64_t> amounts) const;
  void note_refusal(AuditEvent event, const Refusal& refusal, const Plan* plan = nullptr,
                    const Decision* decision = nullptr);
  EventSource source(const Plan* plan = nullptr, const Decision* decision = nullptr) const;
  void strip(const std::string& tool, const Refusal& refusal);
  void count_reported_calls();
  void release_answered_calls();
  void count_call(std::string_view tool);
  Hash128 reservation_of_call(std::string_view call_id) const;
  void append_agent_fields(std::string& out) const;

  // exchange_calls.cc: the calls that an answer announces
  Destination destination_of(const ToolCall& call);
  bool may_use(const std::string& tool);
  bool passes_guard(const ToolCall& call, bool cuttable);
  bool ask_for_call(const ToolCall& call);
  bool admits_call(const ToolCall& call, bool noted);
  bool judge_answer();
  bool filter_event();
  const std::string& passed_event() const { return filter_ && !untouched_ ? filtered_ : relay_; }
  CallFilter::Ruling judge_name(const ToolCall& call);
  CallFilter::Ruling judge_call(const ToolCall& call);
  void count_passed_calls();
  bool may_announce_calls() const;
  void on_tool_limit() override;

  // exchange_forward.cc: the provider
  void forward(bool fresh);
  std::string upstream_head(std::size_t body_size) const;
  void on_upstream_bytes(std::string_view bytes) override;
  void on_upstream_eof() override;
  void on_upstream_failed(UpstreamFailure failure, const std::string& detail) override;
  void on_upstream_deadline() override;
  void broken(const std::string& message, bool produced, AttemptFailure failure, int status);
  void release_upstream(bool reusable);
  const ProviderTimeouts& timeouts() const;
  TimeNs answer_deadline() const;
  void learn_limits(std::string_view error_body);

  // exchange_attempts.cc: another one
  bool try_again(AttemptFailure failure, bool produced);
  bool next_open_target();
  void go_again();
  void readmit();
  void on_readmission(const Decision& decision, std::span<const Effect> effects);
  void report(ProviderHealth::Answer answer);

  // exchange_measure.cc: for the metrics
  void measure_decision();
  void measure_reserved(std::int64_t tokens);
  void measure_chunk();
  void measure_end(Settled how, const Usage& usage);
  void measure_fail_open();

  // exchange_relay.cc: the answer
  void on_body(std::string_view bytes) override;
  void on_text(std::string_view text) override;
  void on_answer_head();
  void on_answer_complete();
  void read_copy(std::string_view bytes);
  void begin_client_answer();
  std::string answer_fields() const;
  void send_answer(std::string_view bytes);
  void pass_answer(std::string_view bytes);
  void relay(std::string_view bytes);
  bool let_go();
  void hand_over();
  void go_on_relaying();
  void finish_events();
  bool holds_whole_cap() const;
  bool keeps_to_cap(std::int64_t counted) const;
  bool is_covered() const;
  void top_up();
  void on_topped_up(CountersStatus status, const Decision& decision, std::span<const Effect> effects);
  void cut_stream(const Decision& decision, std::int64_t wanted);
  void cut_by_run();
  void end_stream(const ErrorFacts& facts);
  bool fails_closed() const;
  void read_custom_meters();
  bool provider_refused() const { return call_ && head_seen_ && parser_->head().status >= 400; }

  // exchange_mcp.cc: an MCP server
  bool prepare_mcp();
  bool owns_mcp_session();
  void note_mcp_session();
  bool pass_tool_lists();
  Reply refusal_answer(const Plan& plan, const Decision& decision, const Refusal& refusal) const;
  void watch_mcp();
  Reply trip_answer(const Trip& trip, const Refusal& refusal) const;
  Reply error_answer(const ErrorFacts& facts) const;
  void answer_now(Reply reply, const char* decision, std::string_view layer);
  bool admit_batch(std::span<const Effect> effects);
  void on_batch_asked(const std::vector<ToolAsks::Answer>& answers);
  void refuse_message(std::size_t i, const Refusal& refusal, const std::string& words);
  bool choose_mcp_mode();
  void relay_mcp(std::string_view bytes);
  bool take_mcp_event();
  void pass_mcp_event();
  bool end_mcp_answer();
  void edit_mcp_body();
  bool find_hidden();
  void on_hidden_found();
  bool is_hidden(std::string_view tool) const;
  void end_broken_mcp(const std::string& message);

  // exchange_settle.cc: what it cost
  std::span<const std::int64_t> amounts_of(const Usage& usage, bool nothing, Amounts& out) const;
  std::span<const std::int64_t> amounts_used(const Usage& usage, bool nothing, Amounts& out) const;
  std::span<const std::int64_t> amounts_held(std::int64_t output, Amounts& out) const;
  Usage counted_usage(bool whole_reservation) const;
  std::int64_t counted_output(const Usage& seen) const;
  std::int64_t billable(std::int64_t counted) const;
  bool saw_nothing() const;
  void settle(Settled how, const Usage& usage);
  void settle_request(Settled how, const Usage& usage);
  void settle_counted(bool whole_reservation);
  void client_left_answer();
  void settle_answer();
  void close_row(std::span<const Effect> effects);
  void on_settled(CountersStatus status, Outcome outcome, std::span<const Effect> effects) override;
  void deliver();
  void deliver_whole();
  void finish();

  Services& services_;
  ClientSide* client_;
  ExchangeRequest request_;
  std::shared_ptr<const Ruleset> rules_;
  Phase phase_ = Phase::kPeeking;
  const TimeNs arrived_;
  Mode mode_ = Mode::kBuffer;

  // facts and plan
  std::optional<LlmCall> call_;  // of a model; otherwise the request goes to an upstream
  std::optional<McpCall> mcp_;   // an MCP server
  Hash128 mcp_session_;          // of the request or its answer; zero: none
  bool stream_ = false;
  Costs costs_;
  Attributes attributes_;
  std::string kept_method_;  // see keep_attributes()
  std::vector<std::pair<std::string, std::string>> kept_fields_;
  Plan plan_;
  bool looked_ = false;  // at the counters, before admission
  struct Seen {
    Plan plan;
    Decision state;
  };
  std::unique_ptr<Seen> seen_;  // what the ladders saw then, if they changed the plan
  Decision decision_;
  Hash128 reservation_;  // of this attempt
  UsageRow row_;

  // the agent
  Entry entry_;
  std::shared_ptr<const KillSwitches> kills_;
  Hash128 owner_;
  std::string depth_;
  std::optional<ToolCall> executed_;  // the request is itself a tool call
  bool noted_ = false;                // … that the guard counts
  bool tool_failed_ = false;          // … whose result is an error
  bool resulted_ = false;             // … whose result it knows
  bool admitted_ = false;
  bool entered_ = false;  // Guard::refused() or leave() is due
  bool began_ = false;    // this request is what its run is counted by
  bool broke_ = false;    // the answer broke off
  std::optional<RunBudgetAsk> budget_ask_;
  std::optional<HeldRunBudget> budget_;  // held by this request for its run
  Covered covered_;                      // demands that the run's budget pays
  DurationNs queued_ = 0;                // waited for room
  std::string warning_, answer_id_;
  std::unique_ptr<ToolLimits> tool_limits_;  // once it is asked
  std::size_t tool_at_ = 0;                  // of the declared tools
  bool looking_ = false;                     // at the limits of that one
  std::vector<std::string> stripped_;

  // calls that the answer announces
  std::unique_ptr<CallFilter> filter_;
  CallFilter::Asks question_ = CallFilter::Asks::kNothing;
  std::string filtered_;                        // the event under way, without what was cut
  std::optional<std::vector<ToolCall>> calls_;  // of an answer read whole
  bool untouched_ = false;                      // the event has nothing to do with calls
  std::vector<bool> cut_;                       // those judged so far
  bool judging_ = false;                        // the limits have yet to answer
  bool counted_here_ = false;                   // the call under way, not where it is executed
  bool announced_ = false;                      // the answer has calls, even if all were cut
  std::optional<std::string> prompt_;           // the words that destinations are looked for in

  // attempts
  Attempts attempts_;
  bool probing_ = false;  // this attempt decides whether its provider's breaker closes
  bool reported_ = true;  // its end was told to Services::learned
  bool fell_back_ = false;
  bool lost_place_ = false;  // the last attempt was settled, and no other admitted: nothing is reserved
  std::optional<DurationNs> retry_after_;
  Usage used_;  // by the attempt that has just failed
  std::int64_t used_usd_ = 0;
  Amounts used_amounts_{};                                    // what that settles
  std::vector<std::pair<CounterId, Hash128>> spent_at_once_;  // by earlier attempts: counters of requests
  Usage spent_;                                               // by earlier attempts
  std::int64_t spent_usd_ = 0;

  // the provider's side
  UpstreamPort* upstream_ = nullptr;
  std::optional<ResponseParser> parser_;
  std::unique_ptr<StreamReader> reader_;
  Framing framing_ = Framing::kSse;
  std::optional<OutputCounter> counter_;
  TimeNs sent_at_ = 0;
  TimeNs chunk_at_ = 0;  // when the last piece of a stream came
  const GenAiMetrics::Series* series_ = nullptr;
  bool streaming_ = false;           // counted in active_streams
  std::int64_t shown_reserved_ = 0;  // counted in reserved_tokens
  TimeNs total_deadline_ = 0;
  bool head_seen_ = false;
  bool upstream_paused_ = false;
  bool upstream_complete_ = false;
  bool retried_fresh_ = false;
  std::string provider_key_;  // of the provider that was called: never shown to the client
  std::string answer_;        // kBuffer: the whole body
  std::string relay_;         // the event under way
  // A compressed answer passes as it is; this is its text, to read what it used.
  std::unique_ptr<Inflate> inflate_;
  std::string copy_;         // of a JSON answer, up to kMaxBuffered
  bool decoded_ = false;     // the client gets the text, because a secret had to be taken out
  std::int64_t copied_ = 0;  // bytes of text, also of a stream

  // an MCP server
  ProviderTimeouts mcp_timeouts_;
  std::unique_ptr<ToolAsks> asks_;
  std::vector<std::size_t> batch_calls_;  // messages of a batch that were asked about
  std::optional<StreamCutter> cutter_;
  std::string event_;                      // under way
  std::vector<std::string> looked_tools_;  // tools of a list whose limits are looked at
  std::vector<std::string> hidden_;        // tools that the list leaves out
  bool finding_ = false;                   // inside find_hidden()

  // top-ups of a stream
  std::int64_t output_reserved_ = 0;  // tokens of output that are held
  std::int64_t relayed_ = 0;          // tokens of output that the client has
  bool topping_up_ = false;           // the counters were asked
  bool relaying_ = false;             // inside relay()
  bool complete_later_ = false;       // the answer's end came meanwhile
  StreamPosition position_;           // before the event under way
  std::string backlog_;               // bytes that came meanwhile, also while an MCP server's tools are looked at
  std::int64_t asked_ = 0;            // tokens of the top-up under way
  std::vector<Effect> unjournalled_effects_;

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
