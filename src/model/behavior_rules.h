// What weir.yaml says under `runs`, `breaker`, `profiles` and `trust` (PRODUCT section 3). A value; the defaults here
// are the built-in ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace weir {

// `so many within that time`. 0: never.
struct Threshold {
  std::int64_t count = 0;
  DurationNs within = 0;
};

// One run may do so much. 0: no bound.
struct RunRules {
  bool shadow = false;  // note what would have been refused, refuse nothing
  std::int64_t max_tool_calls = 200, max_llm_calls = 300, max_depth = 5, max_fanout = 20;
  std::int64_t max_tokens = 10'000'000, max_usd_micros = 5'000'000;
  DurationNs idle = 10 * kMinute;     // a run without requests for so long is over
  Threshold burst{60, 10 * kSecond};  // of tool calls
};

struct BreakerRules {
  bool shadow = false;
  std::int64_t repeats_warn = 3;
  Threshold repeats{5, 5 * kMinute};      // the same call with the same arguments, or the same prompt, in one run
  Threshold tool_errors{5, kMinute};      // in a row, in one run
  Threshold failed_prompts{10, kMinute};  // runs of a caller whose last answer failed
  Threshold unlinked_repeats{60, kMinute}, unlinked_failed{5, kMinute};
  DurationNs cooldown = 30 * kSecond;
  std::vector<std::string> exempt;  // tools that poll: names or globs
};

struct ProfileRules {
  std::vector<std::string> sensitive;  // tools with side effects: names or globs
  std::int64_t warmup = 20;            // ordinary runs of an agent's task before its profile judges
  bool refuse = false;                 // on_anomaly
};

enum class TrustAction : std::uint8_t { kNone, kFlag, kSuspend };

struct TrustRules {
  bool shadow = false;
  double min = 0.5;
  DurationNs recover = kHour;  // of quiet, from `min` to full trust
  Threshold escalate;          // throttles before the account itself is touched
  TrustAction action = TrustAction::kNone;
};

struct BehaviorRules {
  RunRules runs;
  BreakerRules breaker;
  ProfileRules profiles;
  TrustRules trust;
};

}  // namespace weir
