// At the end what the counters hold is what the ledger says: each row's usage, inside the window.
#include <fmt/format.h>

#include <map>
#include <set>

#include "checkers/checkers.h"
#include "checkers/periods.h"
#include "checkers/support.h"
#include "model/decision.h"

namespace weir::sim {
namespace {

class CountersMatchLedger final : public Checker {
 public:
  static constexpr std::size_t kMaxKeys = 100;

  explicit CountersMatchLedger(const Setup& setup)
      : Checker("counters_match_ledger", setup.context), world_(setup.world), sources_(setup.sources) {}

  void on_node(NodeEvent event, TimeNs) override {
    // Amounts and windows that changed on the way are the window oracle's business.
    if (event == NodeEvent::kReloaded) reloaded_ = true;
    if (event != NodeEvent::kStarted || sources_.now == nullptr) return;
    if (sources_.now() < newest_) stepped_back_ = true;
    newest_ = std::max(newest_, sources_.now());
  }
  void on_settled(Hash128, const UsageRow& row) override {
    const TimeNs now = sources_.now();
    newest_ = std::max(newest_, now);
    ended_[row.request_id] = now;
  }

  void at_end() override {
    const auto policy = sources_.policy();
    const auto rows = sources_.ledger();
    if (policy == nullptr || !rows || reloaded_ || stepped_back_ || world_.late_counters) return;
    std::size_t keys = 0;
    for (const KeySpec& spec : world_.keys) {
      if (spec.consumer.kind == ConsumerKind::kService || ++keys > kMaxKeys) continue;
      const std::string key = spec.count == 0 ? spec.consumer.name : spec.consumer.name + "-0";
      for (const LimitRule& rule : policy->limits) judge(*policy, rule, key, *rows);
    }
  }

 private:
  static std::optional<std::int64_t> amount_of(const LimitRule& rule, const UsageRow& row) {
    if (counts_everything(rule, MeterKind::kRequests)) return 1;
    if (counts_everything(rule, MeterKind::kTokens)) return row.usage.total();
    if (counts_everything(rule, MeterKind::kInputTokens)) return row.usage.input();
    if (counts_everything(rule, MeterKind::kOutputTokens)) return row.usage.output();
    if (counts_everything(rule, MeterKind::kUsd)) return row.usd_micros;
    return std::nullopt;
  }

  void judge(const Policy& policy, const LimitRule& rule, const std::string& key, const std::vector<UsageRow>& rows) {
    if (!amount_of(rule, {})) return;
    const auto group = group_of(rule, world_, key, {});
    const auto used = group ? sources_.usage(key, rule.name) : std::nullopt;
    const Consumer* consumer = consumer_named(world_, key);
    if (!used || consumer == nullptr || rule.allow.front().windows.empty()) return;
    const TimeNs now = sources_.now();
    TimeNs from = 0, maybe_from = 0;
    if (used->kind == WindowKind::kSliding) {
      from = now - used->window;
      maybe_from = from - 2 * (used->window / std::max<std::uint16_t>(rule.precision, 1) + 1);
    } else if (used->kind == WindowKind::kCalendar) {
      const auto zone = policy.tenant_zones.find(consumer->tenant);
      const bool grouped = !rule.per.empty() && zone != policy.tenant_zones.end();
      const auto* windows = windows_for(rule, policy, *consumer);
      if (windows == nullptr || !windows->front().anchor.empty()) return;
      const auto period = own_period(windows->front().calendar, grouped ? zone->second : policy.zone, now);
      if (!period) return;
      from = maybe_from = period->start - 1;
    } else {
      return;
    }
    std::int64_t low = 0, high = 0;
    for (const UsageRow& row : rows) {
      // Decision holds name meters that rows do not show.
      if (row.route == kDecisionRoute) return;
      if (group_of(rule, world_, row.key, {}) != group) continue;
      const std::int64_t amount = *amount_of(rule, row);
      const auto ended = ended_.find(row.request_id);
      const TimeNs end = ended == ended_.end() ? now : ended->second;
      // What only was held may have been cut to the limit's amount.
      const bool exact = row.settled == Settled::kUsage || row.settled == Settled::kNone;
      if (row.time > from && exact) low += amount;
      if (std::max(row.time, end) > maybe_from) high += amount;
    }
    looked();
    const std::int64_t total = used->used + used->reserved;
    if (total >= low && total <= high) return;
    fail(fmt::format("`{}` of {}: the counter says {} used and {} reserved, the ledger {} to {}", rule.name, key,
                     used->used, used->reserved, low, high));
  }

  const World& world_;
  Sources sources_;
  bool reloaded_ = false, stepped_back_ = false;
  TimeNs newest_ = 0;
  std::map<std::string, TimeNs> ended_;
};

}  // namespace

std::unique_ptr<Checker> make_counters_match_ledger(const Setup& setup) {
  return std::make_unique<CountersMatchLedger>(setup);
}

}  // namespace weir::sim
