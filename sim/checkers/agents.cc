// Breakers: ordinary requests never meet one, and a runaway loop does not go on.
#include <fmt/format.h>

#include <deque>
#include <map>
#include <string>
#include <unordered_set>

#include "checkers/checkers.h"
#include "checkers/support.h"

namespace weir::sim {
namespace {

class Loops final : public Checker {
 public:
  explicit Loops(const Setup& setup) : Checker("loops", setup.context), sources_(setup.sources) {}

  void on_node(NodeEvent event, TimeNs now) override {
    if (event == NodeEvent::kStarted || event == NodeEvent::kReloaded) policies_.began(now, sources_.policy());
    // A process knows nothing of the calls that the one before it saw.
    if (event == NodeEvent::kStarted || event == NodeEvent::kReloaded) passed_.clear();
  }
  void on_ask_end(const Ask& ask) override {
    if (ask.end != AskEnd::kRefused || !ask.refusal || ask.refusal->layer != "breaker") return;
    looked();
    // Operators' switches, and the bounds of a run, hold for ordinary work too.
    if (!ask.ordinary || ask.refusal->limit == "killed" || ask.refusal->limit == "runs") return;
    fail(fmt::format("ask {} of {} is ordinary, and breaker `{}` refused it at {} of {}", ask.number, ask.client,
                     ask.refusal->limit, ask.refusal->used, ask.refusal->allowed));
  }

  // A loop that goes on and on in one run: not more calls than the breaker's threshold, those that were under way
  // already, and one probe for every cool-down since.
  void on_call(const Call& call) override {
    const Ask* ask = context().truth.ask(call.ask);
    const auto policy = policies_.now();
    if (ask == nullptr || policy == nullptr || ask->ordinary || ask->run.empty() || call.attempt != 1) return;
    if (!ask->client.starts_with("loop")) return;
    const Threshold& repeats = policy->behavior.breaker.repeats;
    if (repeats.count <= 0 || policy->behavior.breaker.shadow) return;
    Passed& passed = passed_[ask->client + " " + ask->run];
    passed.times.push_back(call.arrived);
    while (passed.times.front() <= call.arrived - repeats.within / 2) passed.times.pop_front();
    looked();
    const std::int64_t probes =
        repeats.within / 2 / std::max<DurationNs>(policy->behavior.breaker.cooldown, kSecond) + 1;
    const std::int64_t most = 2 * repeats.count + probes * 2;
    const auto count = static_cast<std::int64_t>(passed.times.size());
    if (count > most)
      fail(fmt::format("loop {} made {} calls in {} s, at most {} may pass", ask->run, count,
                       repeats.within / 2 / kSecond, most));
  }

 private:
  struct Passed {
    std::deque<TimeNs> times;
  };
  Sources sources_;
  PolicyHistory policies_;
  std::map<std::string, Passed> passed_;
};

// Nothing is settled, charged or held a second time, whatever is repeated.
class Idempotence final : public Checker {
 public:
  static constexpr std::size_t kMaxClosed = 2'000'000;

  explicit Idempotence(const Setup& setup) : Checker("idempotence", setup.context) {}

  void on_decided(const Decided& decided) override {
    const bool closes = decided.what == Decided::What::kSettle || decided.what == Decided::What::kCancel;
    if (closes) return closed(decided);
    if (decided.what != Decided::What::kAdmit || !decided.id) return;
    looked();
    if (decided.decision->replayed && !decided.effects.empty()) fail("a repeated admission was charged again");
    if (decided.decision->replayed && !decided.decision->admitted) fail("a repeated admission was refused");
    // The gateway releases and admits again under one id; the desk never does, and its ids stay closed.
    if (decided.decision->admitted && !decided.decision->replayed) closed_.erase(decided.id);
  }
  void on_settled(Hash128, const UsageRow& row) override {
    if (row.route == "/weir/v1/admit") return;  // may expire first, then settle
    looked();
    if (!rows_.insert(row.request_id).second) fail("request " + row.request_id + " was settled twice");
  }

 private:
  struct HashOf {
    std::size_t operator()(const Hash128& id) const { return static_cast<std::size_t>(id.low ^ (id.high << 1)); }
  };
  void closed(const Decided& decided) {
    looked();
    if (decided.outcome != Outcome::kDone) {
      if (!decided.effects.empty()) fail("a settlement that changes nothing has effects");
      return;
    }
    if (!closed_.insert(decided.id).second) fail("one reservation was settled twice");
    if (closed_.size() > kMaxClosed) closed_.clear();
  }
  std::unordered_set<Hash128, HashOf> closed_;
  std::unordered_set<std::string> rows_;
};

// With the counters out of reach a limit that fails closed lets nothing pass.
class FailModes final : public Checker {
 public:
  explicit FailModes(const Setup& setup) : Checker("fail_modes", setup.context), sources_(setup.sources) {}

  void on_node(NodeEvent event, TimeNs now) override {
    if (event == NodeEvent::kStarted || event == NodeEvent::kReloaded) policies_.began(now, sources_.policy());
  }
  void on_counters_away(bool on, TimeNs now) override {
    if (on && away_since_ == 0) away_since_ = now;
    if (!on) away_since_ = 0;
  }
  void on_call(const Call& call) override {
    const Ask* ask = context().truth.ask(call.ask);
    if (away_since_ == 0 || ask == nullptr || call.attempt != 1 || !ask_is_of_model(*ask)) return;
    if (ask->sent < away_since_) return;  // may have been decided before
    looked();
    for (const auto& policy : policies_.between(ask->sent, call.arrived)) {
      if (!closed_for_all(*policy)) return;
    }
    fail(fmt::format("ask {} reached a provider while the counters were away, and a limit fails closed", ask->number));
  }
  void on_ask_end(const Ask& ask) override {
    if (away_since_ == 0 || ask.sent < away_since_ || !ask_is_of_model(ask)) return;
    if (ask.end != AskEnd::kAnswered) return;
    looked();
    for (const auto& policy : policies_.between(ask.sent, ask.ended)) {
      if (!closed_for_all(*policy)) return;
    }
    fail(fmt::format("ask {} was answered while the counters were away, and a limit fails closed", ask.number));
  }

 private:
  static bool ask_is_of_model(const Ask& ask) {
    return ask.route == "chat" || ask.route == "messages" || ask.route == "gemini" || ask.route == "ollama" ||
           ask.route == "responses";
  }
  static bool closed_for_all(const Policy& policy) {
    for (const LimitRule& rule : policy.limits) {
      if (rule.fail != FailMode::kClosed) continue;
      for (const MeterKind meter :
           {MeterKind::kRequests, MeterKind::kTokens, MeterKind::kUsd, MeterKind::kInputTokens}) {
        if (counts_everything(rule, meter)) return true;
      }
    }
    return false;
  }
  Sources sources_;
  PolicyHistory policies_;
  TimeNs away_since_ = 0;
};

}  // namespace

std::unique_ptr<Checker> make_loops(const Setup& setup) {
  return std::make_unique<Loops>(setup);
}
std::unique_ptr<Checker> make_idempotence(const Setup& setup) {
  return std::make_unique<Idempotence>(setup);
}
std::unique_ptr<Checker> make_fail_modes(const Setup& setup) {
  return std::make_unique<FailModes>(setup);
}

}  // namespace weir::sim
