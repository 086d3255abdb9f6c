// What is usual for one subject: how much it uses within a span, such as a minute.
//
//   Baseline usual(kMinute);
//   usual.add(1'200, now);              // as it happens
//   usual.close_spans(now, most);       // before every question
//   if (usual.age(now) > kHour) … usual.of(now) …
//
// The larger of two means of spans: one over all of them whose memory is kMemory spans (the exponentially weighted
// moving average of S. W. Roberts, Technometrics 1(3), 1959; the plain mean until there are that many), and one over
// the spans of the same hour of the day (UTC), whose memory is kHourMemory spans of that hour, used once it has
// kHourLeast of an earlier day. Samples are cut at `most`, the value that alerts: a spike teaches little, a level that
// stays teaches itself within about kMemory spans. A value; `now` does not go back.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.h"

namespace weir {

class Baseline {
 public:
  static constexpr std::int64_t kMemory = 60;
  static constexpr std::int64_t kHourMemory = 300;
  static constexpr std::int64_t kHourLeast = 30;

  explicit Baseline(DurationNs span = kMinute) : span_(span) {}

  void add(std::int64_t amount, TimeNs now);
  void close_spans(TimeNs now, double most);
  double of(TimeNs now) const;
  DurationNs age(TimeNs now) const { return first_ == 0 ? 0 : now - first_; }

 private:
  struct Hour {
    double mean = 0;
    std::int64_t spans = 0, day = 0;  // day of the first
  };
  void learn(double sample, TimeNs at);

  DurationNs span_;
  TimeNs first_ = 0, span_at_ = 0;  // beginning of the open span
  std::int64_t open_ = 0, spans_ = 0;
  double mean_ = 0;
  std::array<Hour, 24> hours_{};
};

}  // namespace weir
