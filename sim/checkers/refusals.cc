// Refusals: they leave nothing behind, name a limit that was really reached, and the wait they tell is true.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "checkers/checkers.h"
#include "checkers/support.h"

namespace weir::sim {
namespace {

constexpr std::int64_t kMostDriftPpm = 200;  // as in faults.cc

bool of_limit(const RefusalSeen& refusal) {
  return refusal.layer == "rate" || refusal.layer == "budget" || refusal.layer == "tool" || refusal.layer == "plan";
}

class InertRefusal final : public Checker {
 public:
  explicit InertRefusal(const Setup& setup) : Checker("inert_refusal", setup.context), sources_(setup.sources) {}

  void on_decided(const Decided& decided) override {
    if (decided.what == Decided::What::kPeek) {
      if (!decided.effects.empty()) fail("a peek has effects");
      return;
    }
    if (decided.what != Decided::What::kAdmit && decided.what != Decided::What::kTopUp) return;
    const Decision& decision = *decided.decision;
    if (decision.admitted && !decision.replayed) return;
    looked();
    if (!decided.effects.empty()) fail("a refusal has effects");
    if (decided.what == Decided::What::kAdmit && !decision.replayed && !decision.table_full) same_again(decided);
  }

  void on_node(NodeEvent event, TimeNs) override { died_ = died_ || event == NodeEvent::kCrashed; }
  void on_ask_end(const Ask& ask) override {
    if (ask.end != AskEnd::kRefused) return;
    looked();
    // A batch of MCP calls may be refused in part.
    if (!ask.calls.empty() && ask.route != "mcp")
      fail(fmt::format("ask {} was refused, and reached a provider", ask.number));
  }

  void at_end() override {
    if (const auto rows = sources_.ledger()) {
      for (const UsageRow& row : *rows) {
        const Ask* ask = context().truth.ask(ask_of(row));
        if (ask != nullptr && ask->end == AskEnd::kRefused && ask->route != "mcp") {
          fail(fmt::format("ask {} was refused, and has a ledger row", ask->number));
        }
      }
    }
    if (const auto rows = sources_.audit()) audited(*rows);
  }

 private:
  // What it found it leaves: the same question a moment later gets the same answer.
  void same_again(const Decided& decided) {
    if (!sources_.peek) return;
    Decision again;
    if (!sources_.peek({.subjects = decided.subjects, .demands = decided.demands, .now = decided.at}, again)) return;
    bool same = again.admitted == decided.decision->admitted && again.count == decided.decision->count;
    for (std::size_t i = 0; same && i < again.count; ++i) {
      const Verdict &a = again.verdicts[i], &b = decided.decision->verdicts[i];
      same = a.used == b.used && a.reserved == b.reserved && a.refuses == b.refuses;
    }
    if (!same) fail("a refusal changed what the same request is answered");
  }

  // Each refusal that a client saw is in the audit, by itself or in a sum; and no more than could have been.
  void audited(const std::vector<AuditRow>& rows) {
    std::map<std::pair<std::string, std::string>, std::int64_t> written, seen;
    std::map<std::string, std::int64_t> unknown;  // by key: asks that ended without an answer
    for (const AuditRow& row : rows) {
      if (row.event == AuditEvent::kRefused && !row.limit.empty()) written[{row.key, row.limit}] += row.count;
    }
    for (const Ask& ask : context().truth.asks()) {
      // A check only asks what would be: its answer is no refusal.
      const bool refused = ask.end == AskEnd::kRefused && ask.refusal && ask.route != "check" && of_limit(*ask.refusal);
      if (refused) ++seen[{ask.key, ask.refusal->limit}];
    }
    for (const auto& [pair, count] : seen) {
      looked();
      const std::int64_t rows_say = written[pair];
      if (rows_say >= count || died_) continue;
      fail(fmt::format("key {} was refused {} times by {}, the audit says {}", pair.first, count, pair.second,
                       rows_say));
    }
  }

  Sources sources_;
  bool died_ = false;
};

class JustifiedRefusal final : public Checker {
 public:
  explicit JustifiedRefusal(const Setup& setup)
      : Checker("justified_refusal", setup.context), sources_(setup.sources) {}
  void on_node(NodeEvent event, TimeNs now) override {
    if (event == NodeEvent::kStarted || event == NodeEvent::kReloaded) policies_.began(now, sources_.policy());
  }
  void on_ask_end(const Ask& ask) override {
    if (ask.end != AskEnd::kRefused || !ask.refusal) return;
    const RefusalSeen& refusal = *ask.refusal;
    looked();
    if (refusal.layer == "breaker") return of_breaker(ask, refusal);
    if (!of_limit(refusal)) return;
    bool named = false;
    for (const auto& policy : policies_.between(ask.sent, ask.ended)) {
      named = named || limit_named(*policy, refusal.limit) != nullptr;
    }
    if (!named) return wrong(ask, "its refusal names limit `" + refusal.limit + "`, which does not exist");
    if (refusal.used + refusal.reserved + refusal.requested <= refusal.allowed) {
      wrong(ask, fmt::format("`{}` refused: {} used, {} reserved, {} requested of {}", refusal.limit, refusal.used,
                             refusal.reserved, refusal.requested, refusal.allowed));
    }
    if (ask.status == 429 && !refusal.retry_after_ms) wrong(ask, "a 429 tells no wait");
    if (refusal.retry_after_ms && *refusal.retry_after_ms <= 0) wrong(ask, "its wait is not positive");
    if (ask.status == 413 && refusal.requested <= refusal.allowed && refusal.meter != "usd") {
      wrong(ask, fmt::format("413 although {} of {} were requested", refusal.requested, refusal.allowed));
    }
  }

 private:
  void wrong(const Ask& ask, const std::string& what) { fail(fmt::format("ask {}: {}", ask.number, what)); }
  void of_breaker(const Ask& ask, const RefusalSeen& refusal) {
    static const std::set<std::string> kNames{"repeats", "tool_errors", "failed_prompts", "unlinked",
                                              "runs",    "profile",     "killed"};
    if (!kNames.contains(refusal.limit)) return wrong(ask, "refused by a breaker named `" + refusal.limit + "`");
    // What a run has held, and what this request would, is not in `used`.
    const bool held = refusal.limit == "runs" && (refusal.meter == "tokens" || refusal.meter == "usd");
    if (refusal.limit != "killed" && !held && refusal.used < refusal.allowed) {
      wrong(ask, fmt::format("breaker `{}` refused at {} of {}", refusal.limit, refusal.used, refusal.allowed));
    }
  }
  Sources sources_;
  PolicyHistory policies_;
};

class HonestRetry final : public Checker {
 public:
  explicit HonestRetry(const Setup& setup) : Checker("honest_retry", setup.context), sources_(setup.sources) {}

  // If nothing else happens: refused a nanosecond before, admitted at the wait.
  void on_decided(const Decided& decided) override {
    if (decided.what != Decided::What::kAdmit || decided.decision->admitted || decided.decision->table_full) return;
    if (!sources_.peek || in_flight_counts(decided)) return;
    const Decision& told = *decided.decision;
    looked();
    const bool never = told.retry_after == kNever;
    const std::array<DurationNs, 2> waits{never ? 0 : told.retry_after - 1, never ? kDay : told.retry_after};
    for (std::size_t i = 0; i < waits.size(); ++i) {
      const bool should = i == 1 && !never;
      Decision later;
      const AdmitRequest request{
          .subjects = decided.subjects, .demands = decided.demands, .now = decided.at + waits[i]};
      if (!sources_.peek(request, later) || later.admitted == should) continue;
      fail(fmt::format("told to wait {} ns; after {} ns it would be {}", told.retry_after, waits[i],
                       later.admitted ? "admitted" : "refused"));
    }
  }

  void on_node(NodeEvent event, TimeNs) override {
    if (event != NodeEvent::kPaused && event != NodeEvent::kResumed) last_.clear();
  }
  // What a prober sees, who is alone on its key: not refused again by the same limit once the wait is over.
  void on_ask_end(const Ask& ask) override {
    if (!ask.client.starts_with("prober")) return;
    const auto before = last_.find(ask.key);
    const bool refused = ask.end == AskEnd::kRefused && ask.refusal;
    if (before != last_.end() && refused && before->second.refusal->limit == ask.refusal->limit)
      again(before->second, ask);
    last_.erase(ask.key);
    if (refused && of_limit(*ask.refusal) && ask.refusal->meter != "concurrency") last_[ask.key] = ask;
  }

 private:
  bool in_flight_counts(const Decided& decided) const {
    for (std::size_t i = 0; i < decided.decision->count; ++i) {
      const Demand& demand = decided.demands[i];
      if (decided.decision->verdicts[i].refuses && concurrency_.contains(demand.counter)) return true;
    }
    return false;
  }
  void on_defined(CounterId id, const CounterSpec& spec) override {
    if (spec.kind == WindowKind::kConcurrency) {
      concurrency_.insert(id);
    } else {
      concurrency_.erase(id);
    }
  }

  void again(const Ask& first, const Ask& second) {
    const RefusalSeen& told = *first.refusal;
    const bool same_size = second.prompt_tokens <= first.prompt_tokens && second.cap == first.cap;
    if (!told.retry_after_ms || !same_size || second.model != first.model) return;
    looked();
    // Decided before the client read it: counted from there the wait is over at the latest.
    // A clock that drifts shows the instant that little later.
    const DurationNs wait = *told.retry_after_ms * kMillisecond;
    if (second.sent < first.ended + wait + wait / 1'000'000 * kMostDriftPpm) return;
    const RefusalSeen& now = *second.refusal;
    if (now.requested > told.requested) return;  // of one size in our tokens, a little larger in Weir's
    fail(fmt::format(
        "prober of {}: ask {} was told to wait {} ms, and ask {} was refused after {} ms, by `{}`: first {} + "
        "{} + {} of {}, then {} + {} + {}, to wait {} ms",
        first.key, first.number, *told.retry_after_ms, second.number, (second.sent - first.ended) / kMillisecond,
        now.limit, told.used, told.reserved, told.requested, told.allowed, now.used, now.reserved, now.requested,
        now.retry_after_ms.value_or(-1)));
  }

  Sources sources_;
  std::set<CounterId> concurrency_;
  std::map<std::string, Ask> last_;
};

// All numbers and names of one refusal belong to one policy, and a limit that did not change keeps its counters.
class OneRuleset final : public Checker {
 public:
  explicit OneRuleset(const Setup& setup)
      : Checker("one_ruleset", setup.context), world_(setup.world), sources_(setup.sources) {}
  void on_node(NodeEvent event, TimeNs now) override {
    if (event != NodeEvent::kStarted && event != NodeEvent::kReloaded) return;
    const auto before = policies_.now();
    if (policies_.began(now, sources_.policy()) && before != nullptr) kept_counters(*before, *policies_.now());
    counters_ = std::exchange(defined_, {});
  }
  void on_defined(CounterId, const CounterSpec& spec) override {
    defined_[spec.identity.substr(0, spec.identity.find('|'))].insert(spec.identity);
  }
  void on_ask_end(const Ask& ask) override {
    if (ask.end != AskEnd::kRefused || !ask.refusal || !of_limit(*ask.refusal)) return;
    const Consumer* consumer = consumer_named(world_, ask.key);
    if (consumer == nullptr) return;
    looked();
    for (const auto& policy : policies_.between(ask.sent, ask.ended)) {
      if (fits(*policy, *ask.refusal, *consumer)) return;
    }
    fail(fmt::format("ask {}: no policy has limit `{}` with {} per `{}`", ask.number, ask.refusal->limit,
                     ask.refusal->allowed, ask.refusal->window));
  }

 private:
  static bool fits(const Policy& policy, const RefusalSeen& refusal, const Consumer& consumer) {
    const LimitRule* rule = limit_named(policy, refusal.limit);
    const auto exists = [&](const std::string& name) { return limit_named(policy, name) != nullptr; };
    if (rule == nullptr || !std::all_of(refusal.also.begin(), refusal.also.end(), exists)) return false;
    const auto* windows = windows_for(*rule, policy, consumer);
    if (windows == nullptr || rule->contextual || consumer.kind == ConsumerKind::kService) return true;
    return std::any_of(windows->begin(), windows->end(), [&](const WindowRule& window) {
      const bool amount =
          window.amount == refusal.allowed || !window.amount_metadata.empty() || rule->on_exceed == OnExceed::kDegrade;
      return window.label == refusal.window && amount;
    });
  }

  static bool counts_the_same(const LimitRule& a, const LimitRule& b) {
    if (a.per != b.per || a.meter_name != b.meter_name || a.allow.size() != b.allow.size()) return false;
    for (std::size_t i = 0; i < a.allow.size(); ++i) {
      const auto same = [](const WindowRule& x, const WindowRule& y) {
        return x.kind == y.kind && x.length == y.length && x.calendar == y.calendar && x.anchor == y.anchor;
      };
      if (!std::ranges::equal(a.allow[i].windows, b.allow[i].windows, same)) return false;
    }
    return true;
  }
  void kept_counters(const Policy& before, const Policy& after) {
    for (const LimitRule& rule : after.limits) {
      const LimitRule* old = limit_named(before, rule.name);
      if (old == nullptr || !counts_the_same(*old, rule) || counters_.empty()) continue;
      looked();
      if (counters_[rule.name] != defined_[rule.name]) {
        fail(fmt::format("limit `{}` counts the same as before the reload, and has other counters", rule.name));
      }
    }
  }

  const World& world_;
  Sources sources_;
  PolicyHistory policies_;
  std::map<std::string, std::set<std::string>> defined_, counters_;  // identities of each limit's counters
};

}  // namespace

std::unique_ptr<Checker> make_inert_refusal(const Setup& setup) {
  return std::make_unique<InertRefusal>(setup);
}
std::unique_ptr<Checker> make_justified_refusal(const Setup& setup) {
  return std::make_unique<JustifiedRefusal>(setup);
}
std::unique_ptr<Checker> make_honest_retry(const Setup& setup) {
  return std::make_unique<HonestRetry>(setup);
}
std::unique_ptr<Checker> make_one_ruleset(const Setup& setup) {
  return std::make_unique<OneRuleset>(setup);
}

}  // namespace weir::sim
