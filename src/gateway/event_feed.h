// What a worker decided and settled, for those who watch: events in batches, from one worker to one reader.
//
//   services.events->publish([&](DecisionEvent& event) { event.time = now; … });   // the worker
//   EventBatch batch;
//   std::uint64_t dropped = feed.take(batch);                                      // the reader, ten times a second
//
// Thread-safe. Limit: kMaxWaiting events; further ones are counted and dropped, never waited for.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "model/usage.h"
#include "policy/ruleset.h"

namespace weir {

// In use of allowed, in thousandths; at most 65535.
std::uint16_t permille_of(std::int64_t in_use, std::int64_t allowed);

// How near a counter is to its amount after the decision.
struct LimitPressure {
  std::uint16_t limit = 0;     // index into the limits of the ruleset's policy
  std::uint16_t permille = 0;  // (used + held) of allowed
  std::int64_t allowed = 0;    // in the limit's meter; usd in micro-dollars
};

// A value. Texts are as in the ledger; empty where unknown.
struct DecisionEvent {
  enum class What : std::uint8_t {
    kAdmitted,
    kSettled,
    kRefused,   // by a limit
    kBroken,    // by a breaker or kill switch
    kRejected,  // at the entry: no identity, too large, unknown model
    kWarned,
    kDegraded,
    kStripped,
  };
  TimeNs time = 0;
  What what = What::kAdmitted;
  bool shadow = false;  // admitted, and a limit in mode shadow would have refused it
  // Of a tool call, or of the answer, of a request that was admitted: no further request.
  bool of_call = false;
  std::shared_ptr<const Ruleset> rules;  // that decided
  std::string request_id, key, caller, tenant, user, tier, kind, model, provider, route, agent, run, conversation;
  std::string layer, limit;                            // of a refusal or break
  std::string evidence;                                // of a break or warning; why it was rejected
  std::shared_ptr<const AuditRow> audited;             // what the audit says, of all but admitted, settled, rejected
  std::int64_t input_tokens = 0, output_tokens = 0;    // kSettled
  std::int64_t usd_micros = 0, reserved_tokens = 0;    // kSettled; kAdmitted
  std::int32_t status = 0;                             // given to the client; 0 unknown
  double retry_after_s = -1;                           // negative: none
  std::array<LimitPressure, kMaxDemands> pressures{};  // kAdmitted, kRefused
  std::uint8_t pressure_count = 0;
  // Whose counters the pressures are of, in their order: who asks for these later learns how full they are then.
  std::vector<Subject> subjects;
  std::vector<Demand> demands;
  std::uint32_t shadow_limits = 0;  // bits of `pressures`: limits in mode shadow that would have refused

  void reset();  // as if new, but texts keep their memory, pressures beyond the count and rules what they were
};
const char* to_string(DecisionEvent::What what);  // "admitted", "settled", …

// What was taken: slots that are used again and again, so that texts find their memory there.
struct EventBatch {
  std::vector<DecisionEvent> slots;
  std::size_t count = 0;
  std::span<const DecisionEvent> events() const { return {slots.data(), count}; }
};

class EventFeed {
 public:
  static constexpr std::size_t kMaxWaiting = 16'384;

  // `fill` makes the event in place; it is not called when there is no room.
  template <class Fill>
  void publish(Fill fill) {
    const MutexLock lock(mutex_);
    if (waiting_.count >= kMaxWaiting) {
      ++dropped_;
      return;
    }
    if (waiting_.count == waiting_.slots.size()) waiting_.slots.emplace_back();
    DecisionEvent& event = waiting_.slots[waiting_.count++];
    event.reset();
    fill(event);
  }
  // Gives what waits, and takes the slots of `out`; how many were dropped since the last call.
  std::uint64_t take(EventBatch& out);

 private:
  Mutex mutex_;
  EventBatch waiting_ WEIR_GUARDED_BY(mutex_);
  std::uint64_t dropped_ WEIR_GUARDED_BY(mutex_) = 0;
};

}  // namespace weir
