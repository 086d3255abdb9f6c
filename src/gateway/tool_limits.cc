#include "gateway/tool_limits.h"

#include <algorithm>

namespace weir {
namespace {

Costs one_call() {
  Costs costs;
  costs.set(MeterKind::kToolCalls, 1, 1);
  costs.tool_call_only = true;
  return costs;
}

bool counts_in_flight(const Plan& plan) {
  return std::any_of(plan.limits().begin(), plan.limits().end(),
                     [](const PlannedLimit& limit) { return limit.window->kind == WindowKind::kConcurrency; });
}

}  // namespace

// Journals what was charged; the answer itself is of no interest.
class ToolLimits::Spender final : public AdmissionEvents {
 public:
  Spender(Services& services, Hash128 request) : services_(services), request_(request) {}
  void on_decision(CountersStatus, const Decision&, std::span<const Effect> effects) override {
    if (!effects.empty()) services_.journal->top_up(request_, effects);
  }

 private:
  Services& services_;
  Hash128 request_;
};

ToolLimits::~ToolLimits() {
  services_.counters->forget(static_cast<AdmissionEvents*>(this));
  services_.counters->forget(static_cast<SettlementEvents*>(this));
  if (spender_) services_.counters->forget(spender_.get());
}

bool ToolLimits::look(const Ruleset& rules, const Attributes& attributes, std::string_view tool) {
  return ask(rules, attributes, tool, false, {}, 0);
}

bool ToolLimits::admit(const Ruleset& rules, const Attributes& attributes, std::string_view tool, Hash128 call,
                       TimeNs deadline) {
  return ask(rules, attributes, tool, true, call, deadline);
}

bool ToolLimits::ask(const Ruleset& rules, const Attributes& attributes, std::string_view tool, bool charge,
                     Hash128 call, TimeNs deadline) {
  rules_ = &rules;
  tool_ = tool;
  attributes_ = &attributes;
  deadline_ = deadline;
  charging_ = charge;
  answer_ = {};
  decision_ = {};
  answered_ = false;
  if (rules.plan(with_tool(), one_call(), services_.now, plan_) || plan_.demands().empty()) return true;
  asking_ = true;
  if (charge) {
    admit_as(call);
  } else {
    services_.counters->peek({.subjects = plan_.subjects(), .demands = plan_.demands(), .now = services_.now}, *this);
  }
  asking_ = false;
  return answered_;
}

Attributes ToolLimits::with_tool() const {
  Attributes out = *attributes_;
  out.set(Attribute::kTool, tool_);
  return out;
}

void ToolLimits::admit_as(Hash128 call) {
  AdmitRequest request{.subjects = plan_.subjects(), .demands = plan_.demands(), .now = services_.now};
  if (counts_in_flight(plan_)) {
    request.id = call;
    request.deadline = deadline_;
    request.remember = false;
  }
  services_.counters->admit(request, *this);
}

void ToolLimits::spend(const Ruleset& rules, const Attributes& attributes, std::string_view tool) {
  Attributes with_tool = attributes;
  with_tool.set(Attribute::kTool, tool);
  Plan plan;
  if (rules.plan(with_tool, one_call(), services_.now, plan) || plan.demands().empty()) return;
  // It is not in flight any more.
  plan.waive([](const Demand&, const Subject&, const PlannedLimit& limit) {
    return limit.window->kind == WindowKind::kConcurrency;
  });
  if (!spender_) spender_ = std::make_unique<Spender>(services_, request_);
  services_.counters->admit({.subjects = plan.subjects(), .demands = plan.demands(), .now = services_.now}, *spender_);
}

void ToolLimits::release(const Ruleset& rules, const Attributes& attributes, std::string_view tool, Hash128 call) {
  Attributes with_tool = attributes;
  with_tool.set(Attribute::kTool, tool);
  Plan plan;
  if (rules.plan(with_tool, one_call(), services_.now, plan) || !counts_in_flight(plan)) return;
  std::array<std::int64_t, kMaxDemands> once{};
  rules.actuals(plan, one_call(), once);
  services_.counters->settle(call, std::span(once).first(plan.demands().size()), services_.now, *this);
}

void ToolLimits::on_decision(CountersStatus status, const Decision& decision, std::span<const Effect> effects) {
  if (charging_ && decision.replayed) {
    // A provider that numbers its calls from zero: this is another one, of which nobody can say when it is over.
    admit_as(services_.next_id());
    return;
  }
  if (!effects.empty()) services_.journal->top_up(request_, effects);
  judge(status, decision);
  answered_ = true;
  if (!asking_) events_.on_tool_limit();
}

void ToolLimits::on_settled(CountersStatus, Outcome, std::span<const Effect> effects) {
  if (!effects.empty()) services_.journal->top_up(request_, effects);
}

void ToolLimits::judge(CountersStatus status, const Decision& decision) {
  decision_ = decision;
  if (status != CountersStatus::kOk) {
    answer_.unavailable = true;
    answer_.admitted = std::none_of(plan_.limits().begin(), plan_.limits().end(), [](const PlannedLimit& limit) {
      return !limit.rule->shadow && limit.rule->fail == FailMode::kClosed;
    });
    if (answer_.admitted) {
      for (const PlannedLimit& limit : plan_.limits()) services_.metrics->fail_open.add(limit.rule->name);
    }
    return;
  }
  answer_.admitted = decision.admitted;
  if (decision.admitted) return;
  answer_.retry_after = decision.retry_after;
  answer_.refusal = rules_->refusal(plan_, decision, with_tool(), services_.now);
  for (const PlannedLimit& limit : plan_.limits()) {
    if (limit.rule->name == answer_.refusal.limit) answer_.rule = limit.rule;
  }
}

}  // namespace weir
