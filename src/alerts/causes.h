// Why a key's use jumped, as far as what it did lately tells.
//
//   KeyEvidence evidence;
//   evidence.add(second, now);                       // each second in which the key did something
//   const Cause cause = cause_of(evidence, now);     // {"loop", "tool search was called 5 times …"}
//
// Looks back over kLookBack. Values; `now` does not go back. Limit: kMaxThreads runs or conversations are told apart,
// each twice.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "alerts/input.h"
#include "alerts/rolling.h"

namespace weir {

class KeyEvidence {
 public:
  static constexpr DurationNs kLookBack = 5 * kMinute;
  static constexpr std::size_t kMaxThreads = 64;

  void add(const KeySecond& second, TimeNs now);
  std::size_t threads() const;          // distinct runs or conversations
  std::int64_t busiest_thread() const;  // requests of the one that made most

  std::string tenant, tier;
  std::string break_evidence, anomaly_evidence, refused_limit;  // of the last one
  RollingSum requests{kLookBack}, tokens{kLookBack}, usd_micros{kLookBack}, refused{kLookBack}, failed{kLookBack},
      breaks{kLookBack}, anomalies{kLookBack};

 private:
  // By hash; the older generation is dropped when the newer one is kLookBack old.
  std::unordered_map<std::uint64_t, std::int64_t> threads_, older_;
  TimeNs threads_since_ = 0;
};

struct Cause {
  std::string word;      // loop, injection, provider, outgrown_tier or unknown
  std::string evidence;  // a sentence without its full stop
};
Cause cause_of(KeyEvidence& evidence, TimeNs now);

}  // namespace weir
