// What each kind of alert rule measures, and whose use it is. Belongs to src/alerts.
//
//   std::unique_ptr<Measure> measure = make_measure(rule, zone, 2'000);
//   measure->take(input);
//   measure->each(input, [&](const std::string& subject, const Reading& reading) { … });
//
// Of one thread. Limit: `most_tracked` subjects with sums; the one used least recently makes room.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "alerts/causes.h"
#include "alerts/input.h"
#include "base/lru_map.h"
#include "model/alert_rules.h"

namespace weir {

// Of a provider, before its share of errors counts: so many calls, or so many that failed. Breakers stop a single
// caller soon when its provider fails.
inline constexpr std::int64_t kLeastCalls = 20;
inline constexpr std::int64_t kLeastFailures = 5;
inline constexpr std::int64_t kLeastSettled = 100;         // answers, before their drift counts
inline constexpr std::int64_t kForecastPercent = 5;        // of a period must be over before it is judged
inline constexpr DurationNs kFailOpenLasts = 5 * kSecond;  // a limit is open until so long after the last request
inline constexpr DurationNs kBreakLasts = kMinute;         // and a key's loop, after the last break

// Threshold 0: nothing to judge.
struct Reading {
  double value = 0, threshold = 0;
  std::string_view words = {};           // how the subject is shown, if not as it is told apart
  const AlertInput::Use* use = nullptr;  // of a limit
};
using EachReading = std::function<void(const std::string& subject, const Reading& reading)>;

class Measure {
 public:
  virtual ~Measure() = default;
  virtual void take(const AlertInput& input) = 0;
  // Every subject that may be at its threshold now.
  virtual void each(const AlertInput& input, const EachReading& reading) = 0;
  // Of a subject whose reading was given in this step, or before.
  virtual std::string sentence(const std::string& subject, TimeNs now) = 0;
  virtual void spent_before(std::string_view /*name*/, std::int64_t /*usd_micros*/, TimeNs /*at*/) {}
};

std::unique_ptr<Measure> make_measure(const AlertRule& rule, std::string_view zone, std::size_t most_tracked);
// measures_use.cc, measures_faults.cc
std::unique_ptr<Measure> make_spend_measure(const AlertRule& rule, std::string_view zone, std::size_t most_tracked);
std::unique_ptr<Measure> make_spike_measure(const AlertRule& rule, std::size_t most_tracked);
std::unique_ptr<Measure> make_fault_measure(const AlertRule& rule);

// "key ann", "tenant acme", "all traffic".
std::string subject_of(AlertRule::Per per, std::string_view key, std::string_view tenant);

// What each key did within the time of a rule.
class EvidenceBook {
 public:
  EvidenceBook(std::size_t most, DurationNs within) : within_(within), keys_(most) {}
  void take(const AlertInput& input);
  // Of the subject's key, or of the key that used most of it.
  Cause cause(const std::string& subject, const AlertRule& rule, TimeNs now);

 private:
  const DurationNs within_;
  LruMap<std::string, KeyEvidence, TextHash> keys_;
};

}  // namespace weir
