// Why a key's use jumped, as far as what it did lately tells.
//
//   KeyEvidence evidence;
//   evidence.add(second, now);                       // each second in which the key did something
//   const Cause cause = cause_of(evidence, now);     // {"loop", "tool search was called 5 times …"}
//
// Looks back over `within`. Values; `now` does not go back. Limit: kMaxThreads runs or conversations are told apart; of
// more, the one that made least makes room.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "alerts/input.h"
#include "alerts/rolling.h"

namespace weir {

class KeyEvidence {
 public:
  static constexpr std::size_t kMaxThreads = 32;

  explicit KeyEvidence(DurationNs within = kMinute);
  void add(const KeySecond& second, TimeNs now);
  std::size_t threads(TimeNs now);          // distinct runs or conversations
  std::int64_t busiest_thread(TimeNs now);  // requests of the one that made most

  std::string tenant, tier;
  std::string break_evidence, anomaly_evidence, refused_limit;  // of the last one
  DurationNs within;
  RollingSum requests, tokens, usd_micros, refused, failed, breaks, anomalies;  // breaks: warnings, too

 private:
  std::unordered_map<std::uint64_t, RollingSum> threads_;  // by hash
};

struct Cause {
  std::string word;      // loop, injection, provider, outgrown_tier or unknown
  std::string evidence;  // a sentence without its full stop
};
Cause cause_of(KeyEvidence& evidence, TimeNs now);

}  // namespace weir
