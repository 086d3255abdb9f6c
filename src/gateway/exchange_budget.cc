// A budget for a whole run, held at its first request.
#include <utility>

#include "base/sites.h"
#include "gateway/exchange.h"

namespace weir {
namespace {

// A run that lasts longer is charged what it was held for.
constexpr DurationNs kMaxRun = kDay;

}  // namespace

// False: the request was answered.
bool Exchange::read_budget() {
  const std::string_view header = request_.head->headers.get("x-weir-run-budget");
  if (header.data() == nullptr) return true;
  auto ask = parse_run_budget(header);
  if (!ask) {
    reject(ErrorKind::kInvalidRequest, 400, ask.error().message + ".");
    return false;
  }
  if (entry_.begins) budget_ask_ = *ask;  // later requests of the run may repeat the header
  return true;
}

bool Exchange::wants_budget() {
  return budget_ask_ && !budget_;
}

void Exchange::ask_for_budget() {
  if (services_.budgets->full()) {
    reject(ErrorKind::kOverloaded, 503, "Too many runs hold a budget at this moment; try again shortly.");
    return;
  }
  Plan plan = plan_;
  budget_ = run_budget_plan(*budget_ask_, plan);
  SubjectHasher hasher(*services_.secret);
  budget_->reservation = hasher.begin("run budget")
                             .add({reinterpret_cast<const char*>(&entry_.token.run), sizeof entry_.token.run})
                             .add({reinterpret_cast<const char*>(&request_.id), sizeof request_.id})
                             .finish();
  plan_ = plan;  // what a refusal shows
  phase_ = Phase::kBudgeting;
  services_.counters->admit({.subjects = plan_.subjects(),
                             .demands = plan_.demands(),
                             .now = services_.now,
                             .id = budget_->reservation,
                             .deadline = services_.now + kMaxRun,
                             .remember = false},
                            *this);
}

void Exchange::on_budget(const Decision& decision, std::span<const Effect> effects) {
  if (!decision.admitted) {
    reached("budget.refused");
    budget_.reset();
    refuse_with(plan_, decision, rules_->refusal(plan_, decision, attributes_, services_.now));
    return;
  }
  services_.journal->top_up(budget_->reservation, effects);
  if (services_.guard->set_budget(entry_, budget_ask_->tokens, budget_ask_->usd_micros, budget_->reservation)) {
    reached("budget.held");
    services_.budgets->add(entry_.token.run, *budget_);
  } else {  // another first request of the run was quicker
    reached("budget.held-by-another");
    end_run_budget(services_, *std::exchange(budget_, std::nullopt), {});
    budget_ask_.reset();
  }
  ask();
}

// The run did not begin after all.
void Exchange::give_back_budget() {
  if (!budget_) return;
  reached("budget.given-back");
  if (const auto held = services_.budgets->take(budget_->reservation)) end_run_budget(services_, *held, {});
  budget_.reset();
}

// What the run's budget holds is not held again.
void Exchange::pay_from_budget() {
  covered_ = services_.budgets->covers(entry_.token.run, plan_);
  if (covered_.none()) return;
  std::size_t i = 0;
  plan_.price([&](Demand& demand, const Subject&, const PlannedLimit&) {
    if (covered_[i++]) demand.cost = 0;
  });
}

void Exchange::leave_to_budget(std::span<std::int64_t> amounts) const {
  if (covered_.none()) return;
  for (std::size_t i = 0; i < amounts.size(); ++i) {
    if (covered_[i]) amounts[i] = 0;
  }
}

}  // namespace weir
