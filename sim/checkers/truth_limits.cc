// Limits as the world outside sees them: what arrived at providers, and what a caller did to be refused. Knows nothing
// of counters.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "checkers/checkers.h"
#include "checkers/support.h"

namespace weir::sim {
namespace {

constexpr std::int64_t kDriftPermille = 10;  // clocks of nodes run at most so much faster or slower

// Follows the node's clock against true time: a step at a start makes what was counted before meaningless here.
class ClockSteps {
 public:
  bool stepped(TimeNs node, TimeNs truth) {
    const DurationNs offset = node - truth;
    const bool step = known_ && std::abs(offset - offset_) > kSecond;
    known_ = true;
    offset_ = offset;
    return step;
  }

 private:
  bool known_ = false;
  DurationNs offset_ = 0;
};

// `requests` and `concurrency` of callers, keys and tenants, by calls that arrived at providers.
class TruthLimits final : public Checker {
 public:
  explicit TruthLimits(const Setup& setup)
      : Checker("truth_limits", setup.context), world_(setup.world), sources_(setup.sources) {}

  void on_node(NodeEvent event, TimeNs) override {
    if (event == NodeEvent::kCrashed || event == NodeEvent::kStopped) open_.clear();
    const bool started = event == NodeEvent::kStarted;
    if (!started && event != NodeEvent::kReloaded) return;
    policy_ = sources_.policy();
    if (event == NodeEvent::kReloaded || steps_.stepped(sources_.now(), context().schedule.now())) arrivals_.clear();
    if (event == NodeEvent::kReloaded) open_.clear();
  }

  void on_call(const Call& call) override {
    const Ask* ask = context().truth.ask(call.ask);
    if (ask == nullptr || policy_ == nullptr || world_.late_counters) return;
    const Consumer* consumer = consumer_named(world_, ask->key);
    if (consumer == nullptr || consumer->kind == ConsumerKind::kService) return;
    for (const LimitRule& rule : policy_->limits) {
      const bool requests = counts_everything(rule, MeterKind::kRequests);
      if (!requests && !counts_everything(rule, MeterKind::kConcurrency)) continue;
      const auto group = group_of(rule, world_, ask->key, {});
      const auto* windows = windows_for(rule, *policy_, *consumer);
      if (!group || windows == nullptr) continue;
      if (!requests) {
        concurrent(rule, *group, *ask, windows->front().amount);
      } else if (call.attempt == 1) {
        for (const WindowRule& window : *windows)
          arrived(rule, *group + "|" + window.label, *ask, window, call.arrived);
      }
    }
  }
  void on_settled(Hash128, const UsageRow& row) override {
    if (const std::uint64_t number = ask_of(row)) settled_.insert(number);
  }

 private:
  // Sent after s and here by s + W: admitted in between, whatever the network did.
  void arrived(const LimitRule& rule, const std::string& group, const Ask& ask, const WindowRule& window, TimeNs at) {
    if (window.kind != WindowKind::kSliding || !window.amount_metadata.empty()) return;
    auto& sent = arrivals_[group];
    sent.insert(ask.sent);
    const DurationNs length = window.length - window.length / 1000 * kDriftPermille;
    const auto first = sent.upper_bound(at - length);
    sent.erase(sent.begin(), first);
    looked();
    if (static_cast<std::int64_t>(sent.size()) <= window.amount) return;
    fail(fmt::format("`{}`: {} requests of {} reached providers within {}, {} are allowed", rule.name, sent.size(),
                     group, window.label, window.amount));
  }

  void concurrent(const LimitRule& rule, const std::string& group, const Ask& ask, std::int64_t amount) {
    auto& open = open_[group];
    open.insert(ask.number);
    std::erase_if(open, [&](std::uint64_t number) { return settled_.contains(number); });
    looked();
    if (static_cast<std::int64_t>(open.size()) <= amount) return;
    fail(fmt::format("`{}`: {} requests of {} are at providers at once, {} are allowed", rule.name, open.size(), group,
                     amount));
  }

  const World& world_;
  Sources sources_;
  std::shared_ptr<const Policy> policy_;
  ClockSteps steps_;
  std::map<std::string, std::multiset<TimeNs>> arrivals_;  // when they were sent
  std::map<std::string, std::set<std::uint64_t>> open_;
  std::set<std::uint64_t> settled_;
};

// Nobody is refused for what others did: what a refusal says was used, the group itself has asked for.
class Isolation final : public Checker {
 public:
  explicit Isolation(const Setup& setup)
      : Checker("isolation", setup.context), world_(setup.world), sources_(setup.sources) {}

  void on_node(NodeEvent event, TimeNs now) override {
    if (event != NodeEvent::kStarted && event != NodeEvent::kReloaded) return;
    policies_.began(now, sources_.policy());
    if (event == NodeEvent::kReloaded || steps_.stepped(sources_.now(), now)) trusted_since_ = now;
  }
  void on_decided(const Decided& decided) override {
    if (decided.decision != nullptr && decided.decision->table_full) fail("refused because the table is full");
  }
  void on_ask(const Ask& ask) override {
    const auto policy = policies_.now();
    if (policy == nullptr) return;
    for (const LimitRule& rule : policy->limits) {
      if (!counts_everything(rule, MeterKind::kRequests)) continue;
      if (const auto group = group_of(rule, world_, ask.key, {})) {
        Group& of = groups_[*group];
        of.sent.push_back(ask.sent);
        of.many_in_one = of.many_in_one || ask.route == "mcp" || ask.route == "admit";
      }
    }
  }
  void on_ask_end(const Ask& ask) override {
    if (ask.end != AskEnd::kRefused || !ask.refusal || ask.refusal->meter != "requests") return;
    const auto policy = policies_.now();
    const LimitRule* rule = policy == nullptr ? nullptr : limit_named(*policy, ask.refusal->limit);
    const Consumer* consumer = consumer_named(world_, ask.key);
    if (rule == nullptr || consumer == nullptr || consumer->kind == ConsumerKind::kService) return;
    if (!counts_everything(*rule, MeterKind::kRequests)) return;
    const auto group = group_of(*rule, world_, ask.key, {});
    const auto* windows = windows_for(*rule, *policy, *consumer);
    if (!group || windows == nullptr || groups_[*group].many_in_one) return;
    for (const WindowRule& window : *windows) {
      if (window.label != ask.refusal->window || window.kind != WindowKind::kSliding) continue;
      const TimeNs since = ask.sent - window.length - 3 * window.length / rule->precision - window.length / 50;
      if (since < trusted_since_) continue;
      const auto& sent = groups_[*group].sent;
      const auto own = sent.end() - std::lower_bound(sent.begin(), sent.end(), since);
      looked();
      if (ask.refusal->used + ask.refusal->reserved <= own) continue;
      fail(fmt::format("ask {} of {}: `{}` says {} used, and only {} were asked", ask.number, ask.key, rule->name,
                       ask.refusal->used + ask.refusal->reserved, own));
    }
  }

 private:
  struct Group {
    std::vector<TimeNs> sent;
    bool many_in_one = false;
  };
  const World& world_;
  Sources sources_;
  PolicyHistory policies_;
  ClockSteps steps_;
  TimeNs trusted_since_ = 0;
  std::map<std::string, Group> groups_;
};

}  // namespace

std::unique_ptr<Checker> make_truth_limits(const Setup& setup) {
  return std::make_unique<TruthLimits>(setup);
}
std::unique_ptr<Checker> make_isolation(const Setup& setup) {
  return std::make_unique<Isolation>(setup);
}

}  // namespace weir::sim
