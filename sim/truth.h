// What happened as the world outside Weir knows it, and what Weir wrote down meanwhile. Actors fill it in, checkers
// listen; neither knows the other.
//
// Every request that a client sends is an Ask with a number. The number is in the prompt (or in the arguments of a
// tool, or the body of an HTTP call) as "ask:123;", so that a provider knows whose call it answers, and in the header
// X-Weir-User (a label, for keys that are not services) or X-Weir-Conversation (service keys) as "ask-123", so that
// ledger rows lead to it. Every request that arrives at a provider is a Call; one Ask may have several (retries,
// fallbacks).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/usage.h"
#include "weir/limiter.h"

namespace weir::sim {

struct Call {
  std::uint64_t ask = 0;
  int attempt = 0;  // of this ask, from 1
  std::string provider, model;
  TimeNs arrived = 0, ended = 0;
  int status = 0;             // that the provider gave; 0: none
  Usage produced;             // what it really did for this call: the bill
  std::optional<Usage> told;  // the usage it reported, if that left completely; differs from `produced` only if `lied`
  bool lied = false;          // reports false, absurd, repeated or no usage on purpose
  std::int64_t streamed = 0;  // tokens of output that left towards Weir before the end
  bool announced = false;     // tool calls among them, which Weir may cut
  bool complete = false;      // its whole answer left, well formed
  bool over = false;
};

enum class AskEnd : std::uint8_t {
  kOpen,      // still under way
  kAnswered,  // a whole answer with a status below 400
  kRefused,   // by Weir: a 429 or 413 (or 200 with an in-band refusal of MCP) with a machine part
  kFailed,    // any other status of 400 and above, or a stream that ended with an in-band error
  kBroken,    // the connection ended before the answer did
  kLeft,      // the client went away first
};

// The machine part of a refusal as the client read it.
struct RefusalSeen {
  std::string limit, layer, meter, window;                          // window empty: null
  std::int64_t allowed = 0, used = 0, reserved = 0, requested = 0;  // usd in micro-dollars
  std::optional<std::int64_t> retry_after_ms;                       // header retry-after-ms; none: never
  std::vector<std::string> also;
};

struct Ask {
  std::uint64_t number = 0;
  std::string client;       // which actor
  std::string key, tenant;  // names; empty: none
  std::string route;        // "chat", "messages", "gemini", "ollama", "responses", "mcp", "http", "admit", …
  std::string model, run;
  bool stream = false;
  bool ordinary = true;            // false: part of a loop or flood, which may be refused by a breaker
  std::int64_t prompt_tokens = 0;  // as the simulated providers count them
  std::int64_t cap = 0;            // of output tokens; 0: none asked
  TimeNs sent = 0, ended = 0;      // true time
  AskEnd end = AskEnd::kOpen;
  int status = 0;
  std::string request_id;  // of the answer; empty: none came
  std::optional<RefusalSeen> refusal;
  std::int64_t tokens_received = 0;  // of output, before the end
  std::vector<std::size_t> calls;    // indexes into Truth::calls()
};

enum class NodeEvent : std::uint8_t { kStarted, kCrashed, kPaused, kResumed, kReloaded, kStopped };

// What Weir asked its counters, as it was decided.
struct Decided {
  TimeNs at = 0;  // the node's time
  enum class What : std::uint8_t { kAdmit, kPeek, kTopUp, kSettle, kCancel, kExpire } what = What::kAdmit;
  Hash128 id;
  std::span<const Subject> subjects;      // kAdmit, kPeek
  std::span<const Demand> demands;        // kAdmit, kPeek
  std::span<const std::int64_t> amounts;  // kTopUp: extra; kSettle: actual
  const Decision* decision = nullptr;     // kAdmit, kPeek, kTopUp
  Outcome outcome = Outcome::kDone;       // kSettle, kCancel
  std::span<const Effect> effects;
};

// Listens to everything. Views are valid during the call only.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_ask(const Ask&) {}
  virtual void on_ask_end(const Ask&) {}
  virtual void on_call(const Call&) {}
  virtual void on_call_end(const Call&) {}
  virtual void on_decided(const Decided&) {}
  virtual void on_opened(Hash128 /*id*/, const UsageRow&) {}  // appended to the journal
  virtual void on_settled(Hash128 /*id*/, const UsageRow&) {}
  virtual void on_node(NodeEvent, TimeNs /*true time*/) {}
  // A counter exists from now on, under this id, in the process that runs now.
  virtual void on_defined(CounterId, const CounterSpec&) {}
  // An operator's change is in force: in the words of the audit ("kill key", "override limit"), and of what.
  virtual void on_change(std::string_view /*what*/, const std::string& /*name*/) {}
  virtual void on_counters_away(bool /*on*/, TimeNs /*true time*/) {}
  virtual void on_step(TimeNs /*true time*/) {}
};

class Truth {
 public:
  void add(Observer& observer) { observers_.push_back(&observer); }
  template <class Tell>
  void tell(Tell tell) {
    for (Observer* observer : observers_) tell(*observer);
  }

  Ask& begin(Ask ask);  // gives it its number; told as on_ask
  void end(Ask& ask, AskEnd how, TimeNs at);
  Call& arrive(Call call);  // joined to its ask, told as on_call; the reference stays valid
  void end(Call& call, TimeNs at);

  Ask* ask(std::uint64_t number);
  const std::deque<Ask>& asks() const { return asks_; }
  const std::deque<Call>& calls() const { return calls_; }
  std::size_t open_asks() const { return open_; }

 private:
  std::vector<Observer*> observers_;
  std::deque<Ask> asks_;  // number n at n - 1
  std::deque<Call> calls_;
  std::size_t open_ = 0;
};

// "ask:123;" anywhere in a text; 0: none.
std::uint64_t ask_number(std::string_view text);
// Of a ledger row's user or conversation, "ask-123"; 0: none.
std::uint64_t ask_of(const UsageRow& row);

}  // namespace weir::sim
