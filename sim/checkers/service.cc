// What clients are owed: whole answers of their own, an end to everything, an audit that holds, and clocks that never
// run backwards.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "checkers/checkers.h"
#include "checkers/support.h"

namespace weir::sim {
namespace {

const std::set<std::string> kModelRoutes{"chat", "messages", "gemini", "ollama", "responses", "completions"};

class Answers final : public Checker {
 public:
  explicit Answers(const Setup& setup) : Checker("answers", setup.context) {}

  // Bad requests are answered with an error, and nobody hears of them.
  void on_call(const Call& call) override {
    const Ask* ask = context().truth.ask(call.ask);
    if (ask != nullptr && is_bad(*ask)) wrong(*ask, "is a bad request, and reached a provider");
  }
  void on_ask_end(const Ask& ask) override {
    if (is_bad(ask)) looked();
    if (is_bad(ask) && ask.end == AskEnd::kAnswered) return wrong(ask, "is a bad request, and was answered");
    if (ask.end != AskEnd::kAnswered || !kModelRoutes.contains(ask.route)) return;
    looked();
    if (ask.calls.empty()) return wrong(ask, "was answered, and no provider was asked");
    const Call& last = context().truth.calls()[ask.calls.back()];
    if (last.status >= 400) return wrong(ask, fmt::format("was answered, and its provider said {}", last.status));
    if (!ask.stream || !last.complete) return;
    if (ask.tokens_received > last.streamed) {
      wrong(ask, fmt::format("received {} tokens, its provider sent {}", ask.tokens_received, last.streamed));
    }
    if (ask.tokens_received < last.streamed && !last.announced) {
      wrong(ask,
            fmt::format("received {} tokens of {} in an answer that looks whole", ask.tokens_received, last.streamed));
    }
  }

 private:
  static bool is_bad(const Ask& ask) { return ask.client.starts_with("garbage"); }
  void wrong(const Ask& ask, const std::string& what) {
    fail(fmt::format("ask {} of {}: {}", ask.number, ask.client, what));
  }
};

class Liveness final : public Checker {
 public:
  // Of one ask: attempts with their time-outs, a queue, a pause of the process, and what a healed network still brings.
  static constexpr DurationNs kMostOpen = 100 * kMinute;

  explicit Liveness(const Setup& setup) : Checker("liveness", setup.context), sources_(setup.sources) {}
  void on_ask_end(const Ask& ask) override {
    looked();
    if (ask.ended - ask.sent <= kMostOpen) return;
    fail(fmt::format("ask {} of {} was open for {} s", ask.number, ask.client, (ask.ended - ask.sent) / kSecond));
  }
  void at_end() override {
    looked();
    for (const Ask& ask : context().truth.asks()) {
      if (ask.end == AskEnd::kOpen) fail(fmt::format("ask {} of {} never ended", ask.number, ask.client));
    }
    if (!sources_.running()) return fail("the node does not run");
    const Node::Books books = sources_.books();
    if (!books.journal_healthy) fail("the journal is not healthy again");
    if (!books.ledger_healthy) fail("the ledger is not healthy again");
    if (!books.snapshot_healthy) fail("snapshots fail still");
  }

 private:
  Sources sources_;
};

class AuditChain final : public Checker {
 public:
  explicit AuditChain(const Setup& setup) : Checker("audit_chain", setup.context), sources_(setup.sources) {}
  void on_node(NodeEvent event, TimeNs) override {
    if (event == NodeEvent::kStarted) look();
  }
  void at_end() override { look(); }

 private:
  void look() {
    const auto verdict = sources_.verify_audit();
    if (!verdict) return;  // another process may hold the store just now
    looked();
    if (!verdict->intact) fail("the audit's chain is broken");
  }
  Sources sources_;
};

class Clock final : public Checker {
 public:
  explicit Clock(const Setup& setup)
      : Checker("clock", setup.context), sources_(setup.sources), forgets_(forgets(setup.world)) {}

  void on_node(NodeEvent event, TimeNs now) override {
    if (event != NodeEvent::kStarted) return;
    looked();
    TimeNs surely = 0;
    for (const auto& [written, at] : rows_) {
      if (written <= now - forgets_) surely = std::max(surely, at);
    }
    surely = std::max(surely, surely_);
    rows_.clear();
    surely_ = surely;
    if (sources_.now() < surely) {
      fail(fmt::format("starts at {}, its journal has a row of {}", format_rfc3339(sources_.now(), 9),
                       format_rfc3339(surely, 9)));
    }
  }
  void on_opened(Hash128, const UsageRow& row) override {
    const TimeNs truth = context().schedule.now(), now = sources_.now();
    looked();
    if (row.time > now) fail("request " + row.request_id + " is opened in the future");
    if (row.time < surely_) fail("request " + row.request_id + " is opened before rows of an earlier process");
    rows_.emplace_back(truth, row.time);
    if (rows_.size() < kMaxRows) return;
    surely_ = std::max(surely_, rows_.front().second);
    rows_.pop_front();
  }
  void at_end() override {
    const auto rows = sources_.ledger();
    if (!rows) return;
    for (const UsageRow& row : *rows) {
      looked();
      if (row.time > sources_.now()) fail("the row of request " + row.request_id + " lies in the future");
    }
  }

 private:
  static constexpr std::size_t kMaxRows = 10'000;
  Sources sources_;
  const DurationNs forgets_;
  TimeNs surely_ = 0;
  std::deque<std::pair<TimeNs, TimeNs>> rows_;  // true time, the row's
};

}  // namespace

std::unique_ptr<Checker> make_answers(const Setup& setup) {
  return std::make_unique<Answers>(setup);
}
std::unique_ptr<Checker> make_liveness(const Setup& setup) {
  return std::make_unique<Liveness>(setup);
}
std::unique_ptr<Checker> make_audit_chain(const Setup& setup) {
  return std::make_unique<AuditChain>(setup);
}
std::unique_ptr<Checker> make_clock(const Setup& setup) {
  return std::make_unique<Clock>(setup);
}

}  // namespace weir::sim
