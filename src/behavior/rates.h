// Is a caller doing much more than it usually does? Requests, tokens, distinct tools, errors and repetitions per
// 5 minutes, against the caller's own history.
//
//   Rates rates({.max_callers = 100'000});
//   if (auto anomaly = rates.note(caller, {.tokens = 812, .tool = hash64("search")}, now)) …trust.drop(…)…
//
// The history is, per hour of the day (UTC), how high the busiest 5 minutes ordinarily are and how much that varies,
// over the days before; and what the last hours were like. An anomaly is above both by kDeviations and kTimes, and
// above an absolute floor: a daily rhythm and a nightly batch are none from their second day on, slow growth is none at
// all. Nothing is judged before kLeastHistory. At most one anomaly a bucket and measure.
//
// Thread-safe, shared by all workers; O(1) a call. Bounded: max_callers over kStripes stripes, about 400 bytes each;
// the least recently used goes, and is judged again after kLeastHistory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "weir/types.h"

namespace weir {

// Something a caller did. Any of it may be zero.
struct RateEvent {
  std::int64_t requests = 0, tokens = 0, errors = 0, repetitions = 0;
  std::uint64_t tool = 0;  // hash64 of a used tool's name; 0: none
};

struct RateAnomaly {
  std::string_view measure;  // "requests" "tokens" "tools" "errors" "repetitions"
  std::int64_t seen = 0;     // so far in this bucket
  std::int64_t bound = 0;    // the most that would have been ordinary
  std::string sentence;      // "412 requests in 5 minutes, ordinarily up to 35 at this time of day"
};

class Rates {
 public:
  static constexpr DurationNs kBucket = 5 * kMinute;
  static constexpr DurationNs kLeastHistory = kDay;
  static constexpr int kDeviations = 6, kTimes = 4;
  static constexpr std::size_t kStripes = 16;

  struct Options {
    std::size_t max_callers = 100'000;
  };
  explicit Rates(Options options);
  ~Rates();
  Rates(const Rates&) = delete;
  Rates& operator=(const Rates&) = delete;

  // Of several measures that are new anomalies with this event, the first.
  std::optional<RateAnomaly> note(Hash128 caller, const RateEvent& event, TimeNs now);

  std::size_t size() const;
  static std::size_t bytes_per_caller();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
