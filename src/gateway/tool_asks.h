// Tools of one exchange that are asked about one by one: calls of a batch, each with an admission of its own, and tools
// of a list, which are only looked at.
//
//   ToolAsks asks(services, rules, attributes);
//   asks.admit(calls, deadline, judge, [&](std::vector<ToolAsks::Answer> answers) { … });   // each: admitted, or why
//   not … asks.settle(/*made=*/true, [&] { … });        // exactly once, what was admitted
//
// Only limits that count tool calls apply (Costs::tool_call_only). Counters may answer at once or later; the callback
// comes after the last answer, possibly before the call returns. `attributes` must outlive it. Destroying it drops
// answers under way; what was admitted then expires as any reservation does, so settle() first. At most kMaxAsked
// tools; further ones are not asked about (and not hidden). One worker's thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/services.h"
#include "model/agent.h"
#include "model/attributes.h"

namespace weir {

class ToolAsks final : private AdmissionEvents, private SettlementEvents {
 public:
  static constexpr std::size_t kMaxAsked = 1024;

  struct Answer {
    bool admitted = true;
    Refusal refusal;      // if not; layer `entry` where no limit but Weir itself refuses
    std::string problem;  // in words, where there is no limit to name
  };
  using Judge = std::function<std::optional<Refusal>(const ToolCall& call)>;
  using Answers = std::function<void(std::vector<Answer> answers)>;

  ToolAsks(Services& services, const Ruleset& rules, const Attributes& attributes)
      : services_(services), rules_(rules), attributes_(attributes) {}
  ~ToolAsks() override;
  ToolAsks(const ToolAsks&) = delete;
  ToolAsks& operator=(const ToolAsks&) = delete;

  // `id` is another one for each call. `unjudge`: a call that `judge` let pass was refused by a limit.
  void admit(std::vector<ToolCall> calls, Hash128 id, TimeNs deadline, Judge judge,
             std::function<void(const ToolCall&)> unjudge, Answers done);
  // Is there room for one more call? Charges nothing.
  void look(std::vector<std::string> tools, Answers done);
  // Each admitted call: made, or given back.
  void settle(bool made, std::function<void()> done);

  // Each call that is admitted, as it is.
  std::function<void(const Plan&, const Decision&)> on_admitted;

  // Forgets what was asked and is not answered yet.
  void stop();
  bool busy() const { return next_ < calls_.size(); }
  std::size_t admitted() const { return held_.size(); }
  // Changes of counters since the last take, for the journal.
  std::vector<Effect> take_effects() { return std::exchange(effects_, {}); }

 private:
  struct Held {
    Hash128 id;
    std::vector<std::int64_t> amounts;
  };
  void run();
  void ask(const ToolCall& call);
  void on_decision(CountersStatus status, const Decision& decision, std::span<const Effect> effects) override;
  void on_settled(CountersStatus status, Outcome outcome, std::span<const Effect> effects) override;
  void settle_next();

  Services& services_;
  const Ruleset& rules_;
  const Attributes& attributes_;
  std::vector<ToolCall> calls_;
  std::size_t next_ = 0;
  bool looking_ = false, running_ = false, waiting_ = false;
  Hash128 id_;
  TimeNs deadline_ = 0;
  Judge judge_;
  std::function<void(const ToolCall&)> unjudge_;
  Answers done_;
  std::vector<Answer> answers_;
  Attributes asked_;  // for the call under way
  Plan plan_;
  std::vector<Held> held_;
  std::vector<Effect> effects_;
  bool made_ = false;
  std::function<void()> settled_;
};

}  // namespace weir
