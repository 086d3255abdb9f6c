// One admit or check, planned: who asks for whom, what it may cost, and the limits that apply.
//
//   auto call = std::make_shared<DecisionCall>(…);
//   if (auto fault = call->prepare(services, request)) …answer it…
//   services.counters->admit({.subjects = call->plan.subjects(), …}, events);
//
// Owns everything its attributes and costs point to, so it may go to another worker. Not copyable. One thread at a
// time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/decision_hold.h"
#include "gateway/endpoints.h"
#include "gateway/publish.h"
#include "gateway/services.h"

namespace weir {

struct DecisionCall {
  DecisionCall(std::shared_ptr<const Ruleset> in_force, AdmitBody asked)
      : rules(std::move(in_force)), body(std::move(asked)) {}
  DecisionCall(const DecisionCall&) = delete;
  DecisionCall& operator=(const DecisionCall&) = delete;

  // Fills everything below.
  std::optional<CallFault> prepare(const Services& services, const OwnRequest& request);
  // With the state of the counters (a peek at `plan`): asks for what the ladders in force want, and plans again.
  std::optional<CallFault> climb(const Decision& state, const Ladders& ladders, TimeNs now);
  // For the audit, and for those who watch.
  EventSource source(const Decision* decision = nullptr) const {
    return {.rules = rules,
            .request_id = request_id,
            .who = identity,
            .run = body.attributes.run,
            .model = row.model,
            .provider = row.provider,
            .route = kDecisionRoute,
            .plan = &plan,
            .decision = decision};
  }
  // Once it is admitted.
  void remember_rungs(Ladders& ladders) const;
  // The limit whose ladder changed the call, as it was then.
  Refusal seen_by_ladder() const;

  std::shared_ptr<const Ruleset> rules;
  AdmitBody body;
  Identity identity;  // of the end consumer
  Attributes attributes;
  Costs costs;
  Price price;
  Plan plan;
  Degradation change;  // that ladders made
  UsageRow row;
  std::string request_id;                               // of the HTTP request
  Hash128 id;                                           // of the reservation; none for check
  std::vector<std::vector<std::string>> counted_tools;  // by demand of the plan: whose calls it counts; none: all
  std::optional<Refusal> denied;  // a tool that the caller may not use, or a kill switch; nothing is planned then
  std::string denied_because;     // in words

 private:
  std::optional<CallFault> take_consumer(const Services& services);
  std::optional<CallFault> take_price();
  std::optional<CallFault> check_meters() const;
  std::optional<CallFault> take_tools();
  void deny_stopped(const KillSwitches& kills);
  void deny_tools();
  std::optional<CallFault> plan_tools(TimeNs now);
  std::optional<CallFault> plan_once(TimeNs now);
  std::optional<CallFault> make_plan(TimeNs now);
  void hold_at_most(std::int64_t output_tokens);
  void fill_attributes_of(const OwnRequest& request);
  void fill_row(TimeNs now);

  struct Seen {
    Plan plan;
    Decision state;
  };
  std::unique_ptr<Seen> seen_;  // what the ladders saw
  std::string provider_;
  std::vector<std::pair<std::string, std::string>> fields_;  // of the request's head, lower-case names
};

// The reservation of a key's own id: another key's id of the same text is another reservation.
Hash128 decision_hash(const SubjectSecret& secret, const Consumer& consumer, std::string_view id);

}  // namespace weir
