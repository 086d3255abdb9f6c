// Counters kept by a Limiter of this process. Every answer comes before the call returns.
//
//   Limiter limiter;
//   LocalCounters counters(limiter);
//   counters.admit(request, events);      // events.on_decision() has been called
//
// Thread-safe. The limiter must outlive it.
#pragma once

#include "counters/counters.h"

namespace weir {

class LocalCounters final : public Counters {
 public:
  explicit LocalCounters(Limiter& limiter) : limiter_(limiter) {}

  CounterId define(const CounterSpec& spec) override;
  // `request.effects` need not be given; if it is, the effects are appended there as well.
  void admit(const AdmitRequest& request, AdmissionEvents& events) override;
  void peek(const AdmitRequest& request, AdmissionEvents& events) override;
  void top_up(Hash128 id, std::span<const std::int64_t> extra, TimeNs now, AdmissionEvents& events) override;
  void settle(Hash128 id, std::span<const std::int64_t> actual, TimeNs now, SettlementEvents& events) override;
  void cancel(Hash128 id, TimeNs now, SettlementEvents& events) override;
  bool held(Hash128 id, HeldReservation& out) override { return limiter_.held(id, out); }
  void forget(const void* events) override;

 private:
  Limiter& limiter_;
};

}  // namespace weir
