// The counters as the node's exchanges see them: the real limiter, everything that is decided told to the observers,
// and answers that come at once, later, or not at all. One worker's.
#pragma once

#include <functional>
#include <list>
#include <vector>

#include "context.h"
#include "counters/counters.h"

namespace weir::sim {

class NodeCounters final : public Counters {
 public:
  struct Late {
    bool on = false;
    bool away = false;                                                  // the store cannot be reached
    std::function<void(DurationNs wait, std::function<void()>)> later;  // as a turn of this worker
  };
  NodeCounters(Limiter& limiter, Context& context, Random random, std::function<TimeNs()> now, Late& late)
      : limiter_(limiter), context_(context), random_(random), now_(std::move(now)), late_(late) {}

  void mute() { muted_ = true; }  // the process has died
  CounterId define(const CounterSpec& spec) override { return limiter_.define(spec); }
  void admit(const AdmitRequest& request, AdmissionEvents& events) override;
  void peek(const AdmitRequest& request, AdmissionEvents& events) override;
  void top_up(Hash128 id, std::span<const std::int64_t> extra, TimeNs now, AdmissionEvents& events) override;
  void settle(Hash128 id, std::span<const std::int64_t> actual, TimeNs now, SettlementEvents& events) override;
  void cancel(Hash128 id, TimeNs now, SettlementEvents& events) override;
  bool held(Hash128 id, HeldReservation& out) override { return limiter_.held(id, out); }
  void forget(const void* events) override;

 private:
  struct Answer {
    AdmissionEvents* admission = nullptr;
    SettlementEvents* settlement = nullptr;
    CountersStatus status = CountersStatus::kOk;
    Decision decision;
    Outcome outcome = Outcome::kDone;
    std::vector<Effect> effects;
  };
  void close(Hash128 id, bool settle, std::span<const std::int64_t> actual, TimeNs now, SettlementEvents& events);
  void observe(const Decided& decided);
  void deliver(Answer answer);
  static void tell(const Answer& answer);

  Limiter& limiter_;
  Context& context_;
  Random random_;
  std::function<TimeNs()> now_;
  Late& late_;
  std::list<Answer> waiting_;
  bool muted_ = false;
};

}  // namespace weir::sim
