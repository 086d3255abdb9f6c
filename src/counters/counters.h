// The counters contract: what the gateway asks of whoever keeps the counters. Opaque keys and quotas; it knows no
// tenant and no HTTP. Answers arrive as events on the asking worker: the in-process store answers before the call
// returns, a remote one later; callers must be ready for both.
//
//   struct Mine : AdmissionEvents { void on_decision(const Decision& d, std::span<const Effect> e) override; };
//   counters.admit(request, mine);
//
// Thread-safe. The listener must live until it was called or forget() returned.
#pragma once

#include <span>

#include "weir/limiter.h"

namespace weir {

enum class CountersStatus : std::uint8_t { kOk, kUnavailable };

class AdmissionEvents {
 public:
  virtual ~AdmissionEvents() = default;
  // `effects` is valid during the call only; what is written to the journal.
  virtual void on_decision(CountersStatus status, const Decision& decision, std::span<const Effect> effects) = 0;
};

class SettlementEvents {
 public:
  virtual ~SettlementEvents() = default;
  virtual void on_settled(CountersStatus status, Outcome outcome, std::span<const Effect> effects) = 0;
};

class Counters {
 public:
  virtual ~Counters() = default;
  virtual CounterId define(const CounterSpec& spec) = 0;
  virtual void admit(const AdmitRequest& request, AdmissionEvents& events) = 0;
  virtual void peek(const AdmitRequest& request, AdmissionEvents& events) = 0;
  virtual void top_up(Hash128 id, std::span<const std::int64_t> extra, TimeNs now, AdmissionEvents& events) = 0;
  virtual void settle(Hash128 id, std::span<const std::int64_t> actual, TimeNs now, SettlementEvents& events) = 0;
  virtual void cancel(Hash128 id, TimeNs now, SettlementEvents& events) = 0;
  // What an open reservation holds, so that the journal can keep it; false if the store keeps reservations itself or
  // does not know this one.
  virtual bool held(Hash128 id, HeldReservation& out) {
    (void)id, (void)out;
    return false;
  }
  // The listener is gone; an answer that is still under way is dropped.
  virtual void forget(const void* events) = 0;
};

}  // namespace weir
