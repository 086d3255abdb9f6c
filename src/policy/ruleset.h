// A policy compiled for deciding: which limits apply to a request, for whom, with what cost.
//
//   auto rules = Ruleset::compile(policy, [&](const CounterSpec& s) { return counters.define(s); }, secret);
//   Plan plan;
//   if (auto fault = rules->plan(attributes, costs, now, plan)) …refuse…;
//   counters.admit({.subjects = plan.subjects(), .demands = plan.demands(), …}, …);
//
// Immutable and shared between workers (shared_ptr<const Ruleset>); one request sees one ruleset.
#pragma once

#include <array>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/attributes.h"
#include "model/refusal.h"
#include "policy/ladder.h"
#include "policy/policy.h"
#include "weir/limiter.h"
#include "weir/subject.h"

namespace weir {

inline constexpr std::size_t kMeterCount = 11;  // without custom

// What a request costs, per meter. usd in micro-dollars.
struct Costs {
  // Certain before forwarding: 1 request, the input tokens, their price, the body's bytes.
  std::array<std::int64_t, kMeterCount> certain{};
  // The most it is held for: certain + what the output may add. Never below `certain`.
  std::array<std::int64_t, kMeterCount> held{};
  // Custom meters of the upstream: name -> estimate (or actual).
  std::vector<std::pair<std::string_view, std::int64_t>> custom;
  // One tool call and nothing else: only limits that count tool calls apply (meter tool_calls, and concurrency that
  // matches tools). False: a whole request, which may itself be a tool call (attribute `tool` is set).
  bool tool_call_only = false;

  void set(MeterKind kind, std::int64_t certain_amount, std::int64_t held_amount);
};

struct PlannedLimit {
  const LimitRule* rule = nullptr;
  const WindowRule* window = nullptr;
  // After tier, metadata and overrides: what headers show and ladders measure by. A demand's quota is larger where the
  // limit degrades up to a hard share.
  std::int64_t amount = 0;
  Period period;  // calendar
};

// Up to 16 demands. Reusable; points into the Ruleset it came from.
class Plan {
 public:
  std::span<const Subject> subjects() const { return {subjects_.data(), subject_count_}; }
  std::span<const Demand> demands() const { return {demands_.data(), demand_count_}; }
  std::span<const PlannedLimit> limits() const { return {limits_.data(), demand_count_}; }
  void clear() { subject_count_ = demand_count_ = 0; }
  // Makes demands that were paid before cost nothing.
  template <class Paid>
  void waive(Paid paid) {
    for (std::size_t i = 0; i < demand_count_; ++i) {
      if (paid(demands_[i], subjects_[demands_[i].subject], limits_[i])) demands_[i].cost = 0;
    }
  }
  // Another price for every demand.
  template <class Price>
  void price(Price price) {
    for (std::size_t i = 0; i < demand_count_; ++i) {
      price(demands_[i], subjects_[demands_[i].subject], limits_[i]);
    }
  }

 private:
  friend class Ruleset;
  std::array<Subject, kMaxDemands> subjects_;
  std::array<Demand, kMaxDemands> demands_;
  std::array<PlannedLimit, kMaxDemands> limits_;
  std::size_t subject_count_ = 0, demand_count_ = 0;
};

// True if the limit matches or groups by `tool`: it counts calls of named tools only.
bool names_tools(const LimitRule& rule);

struct PlanFault {
  enum class Kind : std::uint8_t { kTooManyLimits, kMissingAttribute } kind = Kind::kTooManyLimits;
  std::string message;  // names the limits, or the limit and its attribute
};

class Ruleset {
 public:
  using Define = std::function<CounterId(const CounterSpec&)>;
  // `before`: the policy in force until now, so that windows whose length changed keep what they counted.
  static std::shared_ptr<const Ruleset> compile(std::shared_ptr<const Policy> policy, const Define& define,
                                                const SubjectSecret& secret, const Policy* before = nullptr);
  ~Ruleset();

  const Policy& policy() const { return *policy_; }

  // Fills `plan` with every limit that applies. A demand's cost is its held cost, but never more than the amount when
  // the certain part alone fits (a cap beyond the amount holds the amount). `requests` is spent, all else held.
  std::optional<PlanFault> plan(const Attributes& attributes, const Costs& costs, TimeNs now, Plan& plan) const;

  // Adds to a plan what another part of the same admission costs, such as a further tool call: counters that the plan
  // has already are asked for the sum. Bits of the demands that this part counts in; after a fault the plan is as it
  // was.
  std::expected<std::uint32_t, PlanFault> plan_also(const Attributes& attributes, const Costs& costs, TimeNs now,
                                                    Plan& plan) const;

  // What each demand really cost, for settle(): `actual` holds the real numbers in `held`.
  void actuals(const Plan& plan, const Costs& actual, std::span<std::int64_t> out) const;

  // The refusal of a decision that did not admit: the limit with the longest wait, others in `also`.
  Refusal refusal(const Plan& plan, const Decision& decision, const Attributes& attributes, TimeNs now) const;
  // True when a refusing, enforced demand can never fit (413).
  static bool never_fits(const Plan& plan, const Decision& decision);

  // What the ladders of the planned limits ask for, given the state of their counters (a peek or a decision) before
  // this request is charged. Only reads: a request that is then refused, or only looked, changes no later answer.
  Degradation degradation(const Plan& plan, const Decision& state, std::string_view model,
                          const Ladders& ladders) const;
  // Once the request is admitted: notes which rungs were in force, for the plan and the state that degradation() saw.
  // Every admitted request whose plan has a ladder calls it, degraded or not: that is how rungs are left.
  void remember(const Plan& plan, const Decision& state, Ladders& ladders) const;
  bool has_ladder(const Plan& plan) const;

  // True if a limit may count calls of this tool (canonical name), whoever calls. Cheap.
  bool limits_tool(std::string_view tool) const;
  // True if the caller's tier or key may not use the tool: `tools.deny` and `tools.allow` of the tier, and of the key's
  // metadata ({"tools": {"allow": […], "deny": […]}}); either may deny.
  bool denies_tool(const Attributes& attributes, std::string_view tool) const;
  // How long a refused request may wait for room: the shortest `queue` of the limits that refuse, 0 if one of them does
  // not queue, or if the decision's wait is longer.
  static DurationNs queue_for(const Plan& plan, const Decision& decision);

  // Sentences for `weir explain`: one per limit and window that applies, with usage if a decision (peek) is given:
  // "spend: $10 per calendar day of Europe/Berlin, 4.20 used, resets 00:00".
  std::vector<std::string> explain(const Plan& plan, const Attributes& attributes, const Decision* state,
                                   TimeNs now) const;

 private:
  Ruleset() = default;
  struct Compiled;
  std::shared_ptr<const Policy> policy_;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace weir
