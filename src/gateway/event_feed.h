// What a worker decided and settled, for those who watch: events in batches, from one worker to one reader.
//
//   services.events->publish({.time = now, .what = DecisionEvent::What::kAdmitted, …});   // the worker
//   std::vector<DecisionEvent> batch;
//   std::uint64_t dropped = feed.take(batch);                                            // the reader, ten times a
//   second
//
// Thread-safe. Limit: kMaxWaiting events; further ones are counted and dropped, never waited for.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "policy/ruleset.h"

namespace weir {

// How near a counter is to its amount after the decision.
struct LimitPressure {
  std::uint16_t limit = 0;     // index into the limits of the ruleset's policy
  std::uint16_t permille = 0;  // (used + held) of allowed; at most 65535
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
  std::shared_ptr<const Ruleset> rules;  // that decided
  Hash128 id;                            // of the request
  std::string key, tenant, user, tier, kind, model, provider, route, agent, run, conversation;
  std::string layer, limit;                            // of a refusal or break
  std::string evidence;                                // of a break or warning
  std::int64_t input_tokens = 0, output_tokens = 0;    // kSettled
  std::int64_t usd_micros = 0, reserved_tokens = 0;    // kSettled; kAdmitted
  std::int32_t status = 0;                             // given to the client; 0 unknown
  double retry_after_s = -1;                           // negative: none
  std::array<LimitPressure, kMaxDemands> pressures{};  // kAdmitted, kRefused
  std::uint8_t pressure_count = 0;
  std::uint32_t shadow_limits = 0;  // bits of `pressures`: limits in mode shadow that would have refused
};
const char* to_string(DecisionEvent::What what);  // "admitted", "settled", …

class EventFeed {
 public:
  static constexpr std::size_t kMaxWaiting = 16'384;

  void publish(DecisionEvent event);
  // Swaps `out`, which must be empty, with what waits; how many were dropped since the last call.
  std::uint64_t take(std::vector<DecisionEvent>& out);

 private:
  Mutex mutex_;
  std::vector<DecisionEvent> waiting_ WEIR_GUARDED_BY(mutex_);
  std::uint64_t dropped_ WEIR_GUARDED_BY(mutex_) = 0;
};

}  // namespace weir
