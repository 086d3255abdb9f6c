#include "gateway/run_budgets.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "gateway/services.h"
#include "policy/amounts.h"

namespace weir {
namespace {

constexpr std::string_view kForm = "`X-Weir-Run-Budget` must be like `tokens=200000, usd=2`";

bool is_plain(const LimitRule& rule, MeterKind kind) {
  return rule.meter.size() == 1 && rule.meter.front().weight == 1 && rule.meter.front().kind == kind;
}

// Waits for the counters and deletes itself.
class BudgetEnd final : public SettlementEvents {
 public:
  BudgetEnd(Services& services, Hash128 reservation) : services_(services), reservation_(reservation) {}
  void on_settled(CountersStatus, Outcome, std::span<const Effect> effects) override {
    if (!effects.empty()) services_.journal->top_up(reservation_, effects);
    delete this;
  }

 private:
  Services& services_;
  Hash128 reservation_;
};

}  // namespace

Result<RunBudgetAsk> parse_run_budget(std::string_view header) {
  RunBudgetAsk ask;
  while (!header.empty()) {
    const std::size_t comma = header.find(',');
    const std::string_view item = trim(header.substr(0, comma));
    header = comma == std::string_view::npos ? std::string_view() : header.substr(comma + 1);
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) return fail(std::string(kForm));
    const std::string_view name = trim(item.substr(0, equals));
    const bool usd = name == "usd";
    if (!usd && name != "tokens") return fail(std::string(kForm));
    std::optional<std::int64_t>& amount = usd ? ask.usd_micros : ask.tokens;
    const auto parsed =
        parse_amount(std::string(trim(item.substr(equals + 1))), usd ? AmountUnit::kUsd : AmountUnit::kCount);
    if (amount || !parsed || *parsed <= 0) return fail(std::string(kForm));
    amount = *parsed;
  }
  if (!ask.tokens && !ask.usd_micros) return fail(std::string(kForm));
  return ask;
}

HeldRunBudget run_budget_plan(const RunBudgetAsk& ask, Plan& plan) {
  HeldRunBudget budget;
  plan.price([&](Demand& demand, const Subject& subject, const PlannedLimit& limit) {
    const bool usd = is_plain(*limit.rule, MeterKind::kUsd);
    const bool tokens = is_plain(*limit.rule, MeterKind::kTokens);
    const std::optional<std::int64_t> amount = usd ? ask.usd_micros : tokens ? ask.tokens : std::nullopt;
    demand.cost = amount.value_or(0);
    budget.parts.push_back({.counter = demand.counter, .subject = subject.key, .usd = usd, .paid = amount.has_value()});
  });
  return budget;
}

void RunBudgets::add(Hash128 run, HeldRunBudget budget) {
  const MutexLock lock(mutex_);
  const Hash128 reservation = budget.reservation;
  of_run_[run] = reservation;
  by_reservation_.insert_or_assign(reservation, Held{run, std::move(budget)});
  size_.store(by_reservation_.size(), std::memory_order_relaxed);
}

Covered RunBudgets::covers(Hash128 run, const Plan& plan) const {
  Covered covered;
  if (size_.load(std::memory_order_relaxed) == 0) return covered;
  const MutexLock lock(mutex_);
  const auto current = of_run_.find(run);
  if (current == of_run_.end()) return covered;
  const std::vector<HeldRunBudget::Part>& parts = by_reservation_.find(current->second)->second.budget.parts;
  for (std::size_t i = 0; i < plan.demands().size(); ++i) {
    const Demand& demand = plan.demands()[i];
    const Hash128 subject = plan.subjects()[demand.subject].key;
    covered[i] = std::any_of(parts.begin(), parts.end(), [&](const HeldRunBudget::Part& part) {
      return part.paid && part.counter == demand.counter && part.subject == subject;
    });
  }
  return covered;
}

std::optional<HeldRunBudget> RunBudgets::take(Hash128 reservation) {
  const MutexLock lock(mutex_);
  auto found = by_reservation_.extract(reservation);
  if (found.empty()) return std::nullopt;
  const auto current = of_run_.find(found.mapped().run);
  if (current != of_run_.end() && current->second == reservation) of_run_.erase(current);
  size_.store(by_reservation_.size(), std::memory_order_relaxed);
  return std::move(found.mapped().budget);
}

void end_run_budget(Services& services, const HeldRunBudget& budget, RunUse used) {
  std::array<std::int64_t, kMaxDemands> amounts{};
  for (std::size_t i = 0; i < budget.parts.size(); ++i) {
    const HeldRunBudget::Part& part = budget.parts[i];
    if (part.paid) amounts[i] = part.usd ? used.usd_micros : used.tokens;
  }
  services.counters->settle(budget.reservation, std::span(amounts).first(budget.parts.size()), services.now,
                            *new BudgetEnd(services, budget.reservation));
}

}  // namespace weir
