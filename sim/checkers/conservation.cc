// What providers really did against what the ledger says: one row for each request that reached a provider, with what
// was produced where the provider told the truth.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "checkers/checkers.h"
#include "checkers/support.h"
#include "model/decision.h"

namespace weir::sim {
namespace {

const std::set<std::string> kModelRoutes{"chat", "messages", "gemini", "ollama", "responses", "completions"};

// Exchange::kStaleWithin, and the way of the last bytes.
constexpr DurationNs kStaleWithin = 1'200 * kMillisecond;

class Conservation final : public Checker {
 public:
  explicit Conservation(const Setup& setup) : Checker("conservation", setup.context), sources_(setup.sources) {}

  void at_end() override {
    const auto rows = sources_.ledger();
    if (!rows) return fail("the ledger cannot be read: " + rows.error().message);
    std::set<std::string> requests;
    std::map<std::uint64_t, std::vector<const UsageRow*>> of_ask;
    for (const UsageRow& row : *rows) {
      if (!requests.insert(row.request_id).second) fail("the ledger has two rows of request " + row.request_id);
      if (const std::uint64_t number = ask_of(row); number != 0) of_ask[number].push_back(&row);
    }
    for (const Ask& ask : context().truth.asks()) {
      const auto found = of_ask.find(ask.number);
      judge(ask, found == of_ask.end() ? std::vector<const UsageRow*>{} : found->second);
    }
  }

 private:
  void wrong(const Ask& ask, const std::string& what) {
    fail(fmt::format("ask {} ({}): {}", ask.number, ask.route, what));
  }

  void judge(const Ask& ask, const std::vector<const UsageRow*>& rows) {
    if (ask.route == "admit") return;  // holds are judged where they are settled
    looked();
    if (rows.size() > 1) return wrong(ask, fmt::format("{} ledger rows", rows.size()));
    if (ask.calls.empty()) {
      if (!rows.empty()) unreached(ask, *rows.front());
      return;
    }
    if (rows.empty()) return wrong(ask, "reached a provider and has no ledger row");
    if (kModelRoutes.contains(ask.route)) reached_model(ask, *rows.front());
  }

  // Connected to nobody, sent into a silent network, or died before it dialled.
  void unreached(const Ask& ask, const UsageRow& row) {
    if (row.settled == Settled::kUsage && row.usage != Usage{}) {
      wrong(ask, fmt::format("reached no provider, and its row says {} tokens of usage", row.usage.total()));
    }
    if (row.settled == Settled::kNone && row.usage != Usage{}) wrong(ask, "its row says none, and usage");
  }

  void reached_model(const Ask& ask, const UsageRow& row) {
    std::vector<const Call*> calls;
    std::int64_t produced = 0;
    bool lied = false;
    for (const std::size_t index : ask.calls) {
      calls.push_back(&context().truth.calls()[index]);
      produced += calls.back()->produced.total();
      lied = lied || calls.back()->lied;
    }
    if (row.settled == Settled::kNone) {
      // A connection of the pool that closed before the first byte counts as never used: another was being dialled.
      const bool dialled_anew = row.attempts > static_cast<std::int32_t>(calls.size());
      if (produced > 0 && !dialled_anew && !taken_for_stale(row, calls))
        wrong(ask, fmt::format("its row says none, and providers produced {} tokens", produced));
      return;
    }
    if (lied || row.settled == Settled::kExpired) return;
    if (ask.stream && calls.size() == 1 && row.attempts == 1) covered(ask, row);
    if (row.settled == Settled::kUsage) return told(ask, row, calls);
    counted(ask, row, produced);
  }

  // A stream never runs far ahead of what is held for it: ours is another count than the provider's, but not by much.
  void covered(const Ask& ask, const UsageRow& row) {
    const std::int64_t used = row.usage.total(), held = row.reserved_tokens;
    if (used <= held + held / 4 + 64) return;
    wrong(ask, fmt::format("its stream used {} tokens, and {} were held", used, held));
  }

  void told(const Ask& ask, const UsageRow& row, const std::vector<const Call*>& calls) {
    const auto complete = [](const Call* call) { return call->told.has_value(); };
    // What a reset overtakes may have arrived all the same; then it is what was produced.
    const auto overtaken = [&](const Call* call) { return call->produced == row.usage; };
    if (std::none_of(calls.begin(), calls.end(), complete)) {
      if (std::any_of(calls.begin(), calls.end(), overtaken)) return;
      return wrong(ask, fmt::format("its row says {} tokens of usage, and no provider told any", row.usage.total()));
    }
    if (calls.size() == 1 && row.attempts == 1) {
      const Usage& truth = *calls.front()->told;
      if (row.usage.input() != truth.input() || row.usage.output() != truth.output()) {
        wrong(ask, fmt::format("its row says {} + {} tokens, the provider told {} + {}", row.usage.input(),
                               row.usage.output(), truth.input(), truth.output()));
      }
      return;
    }
    std::int64_t least = -1;  // one of those that told is in the sum
    for (const Call* call : calls) {
      if (call->told) least = least < 0 ? call->told->total() : std::min(least, call->told->total());
    }
    // What an earlier attempt did is in the sum as well, with its input at least.
    const bool twice = calls.front()->produced.total() > 0 && calls.back()->told && row.attempts > 1 &&
                       calls.size() > 1 && calls.front()->status < 400 && !taken_for_stale(row, calls);
    if (twice && row.usage.input() <= calls.back()->told->input()) {
      wrong(ask, fmt::format("two attempts worked on it, and its row says {} tokens of input", row.usage.input()));
    }
    if (row.usage.total() < least) {
      wrong(ask, fmt::format("its row says {} tokens of usage, a provider told {}", row.usage.total(), least));
    }
  }

  // A reused connection that breaks before the first byte, soon after it was used, is taken for one that had been
  // closed (PRODUCT section 4): what a provider did meanwhile nobody can know.
  static bool taken_for_stale(const UsageRow& row, const std::vector<const Call*>& calls) {
    return row.attempts > 1 && std::any_of(calls.begin(), calls.end(), [](const Call* call) {
             return !call->complete && call->streamed == 0 && call->ended - call->arrived <= kStaleWithin;
           });
  }

  // Between what the client certainly received and the most that was held or produced.
  void counted(const Ask& ask, const UsageRow& row, std::int64_t produced) {
    const std::int64_t output = row.usage.output();
    if (output < ask.tokens_received * 9 / 10 - 2) {
      wrong(ask,
            fmt::format("its row counts {} tokens of output, the client received {}", output, ask.tokens_received));
    }
    const std::int64_t most = std::max(row.reserved_tokens * row.attempts, produced);
    if (row.usage.total() > most + most / 4 + 64) {
      wrong(ask, fmt::format("its row counts {} tokens, {} were held and {} produced", row.usage.total(),
                             row.reserved_tokens, produced));
    }
  }

  Sources sources_;
};

// Of rows of one attempt whose model has a price of its own in the policy.
class Prices final : public Checker {
 public:
  explicit Prices(const Setup& setup) : Checker("prices", setup.context), sources_(setup.sources) {}
  void on_node(NodeEvent event, TimeNs now) override {
    if (event == NodeEvent::kStarted || event == NodeEvent::kReloaded) policies_.began(now, sources_.policy());
  }
  void on_opened(Hash128 id, const UsageRow&) override { opened_[id] = context().schedule.now(); }

  void on_settled(Hash128 id, const UsageRow& row) override {
    const auto opened = opened_.find(id);
    const TimeNs since = opened == opened_.end() ? context().schedule.now() : opened->second;
    if (opened != opened_.end()) opened_.erase(opened);
    if (row.attempts != 1 || row.settled == Settled::kExpired || row.route == kDecisionRoute) return;
    // A fallback that was never sent leaves its model in the row, and the price of the attempt before it.
    if (const Ask* ask = context().truth.ask(ask_of(row))) {
      for (const std::size_t at : ask->calls) {
        const std::string& called = context().truth.calls()[at].model;
        if (!called.empty() && called != row.model) return;
      }
    }
    // The request took its policy when its head was read, a while before it was opened.
    const auto policies = policies_.between(since - kMinute, context().schedule.now());
    if (policies.size() != 1 || row.model.empty()) return;
    const ModelRule* rule = policies.front()->find_model(row.model);
    if (rule == nullptr || !rule->price) return;
    looked();
    const std::int64_t low = cost(*rule->price, row.usage, false), high = cost(*rule->price, row.usage, true);
    if (row.usd_micros >= low - 1 && row.usd_micros <= high + 1) return;
    fail(fmt::format("request {} of {}: {} micro-dollars for {} + {} tokens, its price says {} to {}", row.request_id,
                     row.model, row.usd_micros, row.usage.input(), row.usage.output(), low, high));
  }

 private:
  struct HashOf {
    std::size_t operator()(const Hash128& id) const { return static_cast<std::size_t>(id.low ^ (id.high << 1)); }
  };
  // Each part rounded down, or up.
  static std::int64_t cost(const Price& price, const Usage& usage, bool up) {
    const auto part = [up](std::int64_t tokens, std::int64_t per_million) {
      return (tokens * per_million + (up ? 999'999 : 0)) / 1'000'000;
    };
    std::int64_t sum = part(usage.input_uncached, price.input) + part(usage.cache_read, price.cached_input);
    sum += part(usage.cache_write, price.cache_write) + part(usage.output_visible, price.output);
    sum += part(usage.cache_write_1h, price.cache_write_1h > 0 ? price.cache_write_1h : price.cache_write);
    return sum + part(usage.reasoning, price.reasoning > 0 ? price.reasoning : price.output);
  }

  Sources sources_;
  PolicyHistory policies_;
  std::unordered_map<Hash128, TimeNs, HashOf> opened_;
};

// Expired rows are those of requests that were in flight when a process died, and of nobody else.
class CrashRows final : public Checker {
 public:
  explicit CrashRows(const Setup& setup)
      : Checker("crash_rows", setup.context), sources_(setup.sources), forgets_(forgets(setup.world)) {}
  void on_opened(Hash128, const UsageRow& row) override {
    if (row.route != kDecisionRoute) open_.insert(row.request_id);
  }
  void on_settled(Hash128, const UsageRow& row) override {
    open_.erase(row.request_id);
    settled_.emplace_back(context().schedule.now(), row.request_id);
    while (settled_.front().first < context().schedule.now() - forgets_) settled_.pop_front();
  }
  void on_node(NodeEvent event, TimeNs now) override {
    if (event != NodeEvent::kCrashed && event != NodeEvent::kStopped) return;
    in_flight_.insert(open_.begin(), open_.end());
    open_.clear();
    for (const auto& [at, request] : settled_) {
      if (at > now - forgets_) maybe_.insert(request);
    }
    settled_.clear();
  }
  void at_end() override {
    const auto rows = sources_.ledger();
    if (!rows) return;
    for (const UsageRow& row : *rows) {
      if (row.route == kDecisionRoute) continue;
      const bool died = in_flight_.contains(row.request_id);
      if (died || row.settled == Settled::kExpired) looked();
      if (died && row.settled != Settled::kExpired) {
        fail(fmt::format("request {} was in flight when the process died, and its row says {}", row.request_id,
                         to_string(row.settled)));
      }
      if (row.settled == Settled::kExpired && !died && !maybe_.contains(row.request_id)) {
        fail(fmt::format("the row of request {} says expired, and no process died under it", row.request_id));
      }
    }
  }

 private:
  Sources sources_;
  const DurationNs forgets_;
  std::set<std::string> open_, in_flight_, maybe_;
  std::deque<std::pair<TimeNs, std::string>> settled_;
};

}  // namespace

std::unique_ptr<Checker> make_conservation(const Setup& setup) {
  return std::make_unique<Conservation>(setup);
}
std::unique_ptr<Checker> make_prices(const Setup& setup) {
  return std::make_unique<Prices>(setup);
}
std::unique_ptr<Checker> make_crash_rows(const Setup& setup) {
  return std::make_unique<CrashRows>(setup);
}

}  // namespace weir::sim
