// What is under way at a desk for one id: between the counters' answer and the journal's.
//
//   desk.run(std::make_unique<DecisionDesk::Admit>(desk, services, call, done));
//
// Owned by the desk until it is over; then it takes itself out and ends with the call it is in. One worker's thread.
#pragma once

#include <memory>
#include <vector>

#include "api/decision_desk.h"

namespace weir {

class DecisionDesk::Operation : protected AdmissionEvents, protected SettlementEvents, protected JournalEvents {
 public:
  Operation(DecisionDesk& desk, Services& services, Hash128 id, Done done)
      : desk_(desk), services_(services), id_(id), done_(std::move(done)) {}
  ~Operation() override {
    services_.counters->forget(static_cast<AdmissionEvents*>(this));
    services_.counters->forget(static_cast<SettlementEvents*>(this));
    services_.journal->forget(*this);
  }
  virtual void start() = 0;

 protected:
  void on_decision(CountersStatus, const Decision&, std::span<const Effect>) override {}
  void on_settled(CountersStatus, Outcome, std::span<const Effect>) override {}
  void on_written(bool) override {}
  // Ends the operation with its answer; `this` is gone afterwards.
  void finish(Reply reply);

  DecisionDesk& desk_;
  Services& services_;
  const Hash128 id_;
  Done done_;
};

class DecisionDesk::Admit final : public Operation {
 public:
  Admit(DecisionDesk& desk, Services& services, std::shared_ptr<DecisionCall> call, Done done)
      : Operation(desk, services, call->id, std::move(done)), call_(std::move(call)) {}
  void start() override;

 private:
  void ask();
  void on_decision(CountersStatus status, const Decision& decision, std::span<const Effect> effects) override;
  void on_settled(CountersStatus status, Outcome outcome, std::span<const Effect> effects) override;
  void on_written(bool ok) override;
  void refuse(const Decision& decision);
  bool hold(const Decision& decision, std::span<const Effect> effects);

  std::shared_ptr<DecisionCall> call_;
  bool peeking_ = false;
  Reply reply_;
};

class DecisionDesk::Close final : public Operation {
 public:
  Close(DecisionDesk& desk, Services& services, Hash128 id, ClosedHow how, DecisionHold hold, MeterAmounts used,
        Done done)
      : Operation(desk, services, id, std::move(done)), how_(how), hold_(std::move(hold)), used_(std::move(used)) {}
  void start() override;

 private:
  void on_settled(CountersStatus status, Outcome outcome, std::span<const Effect> effects) override;
  void on_written(bool ok) override;

  ClosedHow how_;
  DecisionHold hold_;
  MeterAmounts used_;
};

// Of a call that names a tool its caller may not use.
Reply denied_reply(const DecisionCall& call);

// The body of an admission's 200; `id` is empty for check.
std::string admit_answer(const DecisionCall& call, const Decision& decision, TimeNs now, std::string_view id);

}  // namespace weir
