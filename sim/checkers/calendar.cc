// Periods of calendar limits: they contain the instant, partition time, and are those of the zone that the policy
// names.
#include <fmt/format.h>

#include <map>
#include <unordered_map>

#include "checkers/checkers.h"
#include "checkers/periods.h"
#include "checkers/support.h"

namespace weir::sim {
namespace {

class Calendar final : public Checker {
 public:
  static constexpr std::size_t kMaxPending = 10'000;

  explicit Calendar(const Setup& setup) : Checker("calendar", setup.context), sources_(setup.sources) {}

  void on_node(NodeEvent event, TimeNs now) override {
    if (event == NodeEvent::kStarted || event == NodeEvent::kReloaded) policies_.began(now, sources_.policy());
    if (event == NodeEvent::kReloaded) periods_.clear();  // zones may have changed
    if (event == NodeEvent::kCrashed || event == NodeEvent::kStopped) ids_.clear();
  }
  void on_defined(CounterId id, const CounterSpec& spec) override {
    if (spec.kind == WindowKind::kCalendar) ids_[id] = spec.identity;
  }

  void on_decided(const Decided& decided) override {
    if (decided.what != Decided::What::kAdmit || !decided.decision->admitted || decided.decision->replayed) return;
    std::vector<Seen> seen;
    for (const Demand& demand : decided.demands) {
      const auto identity = ids_.find(demand.counter);
      if (identity == ids_.end()) continue;
      const Span period{demand.quota.period_start, demand.quota.period_end};
      looked();
      if (decided.at < period.start) {
        fail(fmt::format("{}: decided at {} in a period from {} on", identity->second, decided.at, period.start));
      }
      const auto& subject = decided.subjects[demand.subject].key;
      partition(fmt::format("{:x}{:x} {}", subject.high, subject.low, identity->second), period);
      seen.push_back({identity->second, period, decided.at});
    }
    if (!seen.empty() && decided.id && pending_.size() < kMaxPending) pending_[decided.id] = std::move(seen);
  }

  void on_opened(Hash128 id, const UsageRow& row) override {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    const TimeNs now = context().schedule.now();
    const auto policies = policies_.between(now - kMinute, now);
    if (policies.size() == 1) {
      for (const Seen& seen : found->second) in_zone(*policies.front(), seen, row.tenant);
    }
    pending_.erase(found);
  }

 private:
  struct Seen {
    std::string identity;
    Span period;
    TimeNs at = 0;
  };
  struct HashOf {
    std::size_t operator()(const Hash128& id) const { return static_cast<std::size_t>(id.low ^ (id.high << 1)); }
  };

  void partition(const std::string& counter, const Span& period) {
    auto& known = periods_[counter];
    const auto [place, fresh] = known.emplace(period.start, period.end);
    const bool before = place != known.begin() && std::prev(place)->second > period.start;
    const bool after = std::next(place) != known.end() && std::next(place)->first < period.end;
    if (!before && !after && (fresh || place->second == period.end)) return;
    fail(fmt::format("{}: the period from {} to {} overlaps another", counter, period.start, period.end));
  }

  void in_zone(const Policy& policy, const Seen& seen, const std::string& tenant) {
    const LimitRule* rule = limit_named(policy, seen.identity.substr(0, seen.identity.find('|')));
    if (rule == nullptr) return;
    bool of_tenant = false;
    for (const std::string& attribute : rule->per) {
      of_tenant =
          of_tenant || attribute == "key" || attribute == "user" || attribute == "caller" || attribute == "tenant";
    }
    const auto zone = policy.tenant_zones.find(tenant);
    const std::string& name = of_tenant && zone != policy.tenant_zones.end() ? zone->second : policy.zone;
    const std::size_t word = seen.identity.rfind("|calendar|");
    if (word == std::string::npos) return;
    const auto own = own_period(seen.identity.substr(word + 10), name, seen.at);
    if (!own) return;
    looked();
    if (*own == seen.period) return;
    fail(fmt::format("{}: in {} the period is from {} to {}, counted was {} to {}", seen.identity, name,
                     format_rfc3339(own->start), format_rfc3339(own->end), format_rfc3339(seen.period.start),
                     format_rfc3339(seen.period.end)));
  }

  Sources sources_;
  PolicyHistory policies_;
  std::unordered_map<CounterId, std::string> ids_;
  std::unordered_map<Hash128, std::vector<Seen>, HashOf> pending_;
  std::map<std::string, std::map<TimeNs, TimeNs>> periods_;  // by counter: start -> end
};

}  // namespace

std::unique_ptr<Checker> make_calendar(const Setup& setup) {
  return std::make_unique<Calendar>(setup);
}

}  // namespace weir::sim
