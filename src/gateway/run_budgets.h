// X-Weir-Run-Budget: a whole run's tokens and dollars, held at its first call in every limit that counts them. What the
// run then does is paid from there and asks these limits for nothing more; when it is over, the rest is given back.
//
//   auto asked = parse_run_budget("tokens=200000, usd=2");
//   …admit what run_budget_plan() made of the request's own plan, under an id of its own; then
//   budgets.add(run, budget);
//   const Covered paid = budgets.covers(run, plan);        // these demands cost nothing
//   …the guard says that the run has ended…  if (auto budget = budgets.take(tag)) end_run_budget(services, *budget,
//   used);
//
// Thread-safe, shared by all workers. At most kMaxBudgets at once.
#pragma once

#include <atomic>
#include <bitset>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "behavior/guard.h"
#include "policy/ruleset.h"

namespace weir {

struct Services;

struct RunBudgetAsk {
  std::optional<std::int64_t> tokens, usd_micros;
};
// "tokens=200000, usd=2": one or both, each once; the error says what is wrong.
Result<RunBudgetAsk> parse_run_budget(std::string_view header);

using Covered = std::bitset<kMaxDemands>;

struct HeldRunBudget {
  struct Part {
    CounterId counter = 0;
    Hash128 subject;
    bool usd = false;   // micro-dollars, else tokens
    bool paid = false;  // held by this budget
  };
  Hash128 reservation;
  std::vector<Part> parts;  // one per demand of its admission
};

// Makes of a request's plan the admission of a budget: limits of plain tokens or dollars hold all that is asked, the
// others nothing.
HeldRunBudget run_budget_plan(const RunBudgetAsk& ask, Plan& plan);

class RunBudgets {
 public:
  static constexpr std::size_t kMaxBudgets = 100'000;

  bool full() const { return size_.load(std::memory_order_relaxed) >= kMaxBudgets; }
  void add(Hash128 run, HeldRunBudget budget);
  Covered covers(Hash128 run, const Plan& plan) const;
  std::optional<HeldRunBudget> take(Hash128 reservation);

 private:
  mutable Mutex mutex_;
  struct Held {
    Hash128 run;
    HeldRunBudget budget;
  };
  std::map<Hash128, Held> by_reservation_ WEIR_GUARDED_BY(mutex_);
  std::map<Hash128, Hash128> of_run_ WEIR_GUARDED_BY(mutex_);  // a run that went on after it had ended may hold another
  std::atomic<std::size_t> size_{0};
};

// Settles a budget to what its run used. On a worker's thread.
void end_run_budget(Services& services, const HeldRunBudget& budget, RunUse used);

}  // namespace weir
