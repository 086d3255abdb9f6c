// Asks the counters about single tool calls: whether a tool is used up, and for room for one call more. A call is an
// admission of its own, over every limit that counts it (Costs::tool_call_only).
//
//   ToolLimits limits(services, events);
//   if (!limits.look(rules, attributes, "send_email", now)) return;      // on_tool_limit() follows
//   if (!limits.answer().admitted) …strip it: limits.answer().rule->on_exceed…
//
// One question at a time; the answer stands until the next. What admissions charge goes into the journal under the
// request's id. Belongs to one exchange and its thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/services.h"
#include "model/refusal.h"

namespace weir {

class ToolLimitEvents {
 public:
  virtual ~ToolLimitEvents() = default;
  virtual void on_tool_limit() = 0;  // an answer that did not come at once
};

class ToolLimits final : private AdmissionEvents, private SettlementEvents {
 public:
  struct Answer {
    bool admitted = true;
    bool unavailable = false;         // the store cannot be reached; admitted says what the limits' `fail` makes of it
    const LimitRule* rule = nullptr;  // refused: the one with the longest wait
    Refusal refusal;
    DurationNs retry_after = 0;
  };

  ToolLimits(Services& services, ToolLimitEvents& events, Hash128 request)
      : services_(services), events_(events), request_(request) {}
  ~ToolLimits() override;
  ToolLimits(const ToolLimits&) = delete;
  ToolLimits& operator=(const ToolLimits&) = delete;

  // Is there room for one call more? Charges nothing. False: the answer comes later.
  bool look(const Ruleset& rules, const Attributes& attributes, std::string_view tool);
  // Charges one call. `call`: what release() will name it by, where its limits count calls in flight. They are in
  // flight until then, or until `deadline`.
  bool admit(const Ruleset& rules, const Attributes& attributes, std::string_view tool, Hash128 call, TimeNs deadline);
  // Charges a call that was made already, as far as there is room; asks nobody.
  void spend(const Ruleset& rules, const Attributes& attributes, std::string_view tool);
  // The call is over; does nothing where no limit counts the tool's calls in flight.
  void release(const Ruleset& rules, const Attributes& attributes, std::string_view tool, Hash128 call);

  const Answer& answer() const { return answer_; }
  const Plan& plan() const { return plan_; }
  const Decision& decision() const { return decision_; }

 private:
  class Spender;
  bool ask(const Ruleset& rules, const Attributes& attributes, std::string_view tool, bool charge, Hash128 call,
           TimeNs deadline);
  void on_decision(CountersStatus status, const Decision& decision, std::span<const Effect> effects) override;
  void on_settled(CountersStatus status, Outcome outcome, std::span<const Effect> effects) override;
  Attributes with_tool() const;
  void admit_as(Hash128 call);
  void judge(CountersStatus status, const Decision& decision);

  Services& services_;
  ToolLimitEvents& events_;
  Hash128 request_;
  const Ruleset* rules_ = nullptr;
  const Attributes* attributes_ = nullptr;  // the exchange's, which outlives its client
  std::string tool_;
  TimeNs deadline_ = 0;
  bool charging_ = false;
  Plan plan_;
  Decision decision_;
  Answer answer_;
  bool asking_ = false;  // inside ask()
  bool answered_ = false;
  std::unique_ptr<AdmissionEvents> spender_;
};

}  // namespace weir
