// How a consumer's requests follow each other, and what sort of caller that looks like.
//
//   Rhythm rhythm;
//   rhythm.add(at, answer_time);              // in the order of time
//   rhythm.shape();                           // kConversational, kBatch, kAutonomous; kUnknown below kMinGaps
//
// Measures:
// - burstiness B = (s - m) / (s + m) of the gaps between requests, m their mean and s their standard deviation: -1 a
//   clock, 0 chance (Poisson), towards 1 bursts and pauses. K.-I. Goh and A.-L. Barabási, Burstiness and memory in
//   complex systems, EPL 81 (2008) 48002.
// - quick: share of requests that came sooner than a person could have read the answer before (its end + kReading).
// - overlap: share of requests that came before the answer before had ended: parallel work.
// - hours: of the 24 of a day (UTC), in how many there were requests; night: share between 22:00 and 06:00 UTC.
// - busiest hour: share of all requests in the one hour of the calendar that has most.
// Answers' ends are not recorded; callers pass an estimate (replay/service_time.h).
//
// The rule, in this order: slow requests are a person's, unless they come around the clock (kClockHours, once two days
// were seen): autonomous. Quick ones that follow one another, or keep a beat (B <= kBeat), are an agent at work.
// Parallel ones are a batch when they come in bursts (B >= kBursty); parallel without bursts are many people behind one
// name: sums of independent sources look like chance, whatever each of them is (Palm and Khinchin). Those are called
// conversational and `crowd()`.
//
// A value; 112 bytes. Belongs to one thread.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace weir {

enum class Shape : std::uint8_t { kUnknown, kConversational, kBatch, kAutonomous };
inline constexpr std::size_t kShapes = 4;
const char* to_string(Shape shape);  // "unknown", "conversational", …

class Rhythm {
 public:
  static constexpr std::int64_t kMinGaps = 20;          // fewer tell nothing
  static constexpr DurationNs kReading = 5 * kSecond;   // nobody reads an answer and writes again within
  static constexpr double kMostly = 0.5;                // of requests: quick, parallel
  static constexpr double kBursty = 0.3, kBeat = -0.2;  // of B; chance lies between
  static constexpr int kClockHours = 22;                // of 24: no person is awake in so many
  static constexpr DurationNs kClockSeen = 2 * kDay;    // before that hours of the day tell nothing

  void add(TimeNs at, DurationNs answer);

  std::int64_t requests() const { return requests_; }
  double burstiness() const;
  double quick() const { return share(quick_, requests_ - 1); }
  double overlap() const { return share(overlap_, requests_ - 1); }
  double night() const { return share(night_, requests_); }
  double busiest_hour() const { return share(busiest_, requests_); }
  int hours() const;
  Shape shape() const;
  bool crowd() const;

 private:
  static double share(std::int64_t part, std::int64_t whole) {
    return whole <= 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
  }

  std::int64_t requests_ = 0, quick_ = 0, overlap_ = 0, night_ = 0;
  std::int64_t hour_ = -1, in_hour_ = 0, busiest_ = 0;
  TimeNs first_ = 0, last_ = 0, answered_ = 0;
  double mean_ = 0, squares_ = 0;  // of gaps, in seconds; Welford's sums
  std::uint32_t hours_ = 0;        // bit per hour of the day
};

}  // namespace weir
