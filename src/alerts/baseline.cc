#include "alerts/baseline.h"

#include <algorithm>
#include <cmath>

namespace weir {

void Baseline::add(std::int64_t amount, TimeNs now) {
  if (first_ == 0) first_ = span_at_ = now;
  open_ += amount;
}

void Baseline::close_spans(TimeNs now, double most) {
  if (first_ == 0 || now < span_at_ + span_) return;
  const TimeNs over = span_at_;
  const std::int64_t passed = (now - span_at_) / span_;
  learn(std::min(static_cast<double>(open_), most), over);
  open_ = 0;
  span_at_ += passed * span_;
  // Spans in which nothing happened, all at once.
  const std::int64_t quiet = passed - 1;
  if (quiet == 0) return;
  spans_ += quiet;
  const double memory = static_cast<double>(std::min(spans_, kMemory));
  mean_ *= std::pow(1 - 1 / memory, static_cast<double>(quiet));
}

void Baseline::learn(double sample, TimeNs at) {
  ++spans_;
  mean_ += (sample - mean_) / static_cast<double>(std::min(spans_, kMemory));
  Hour& hour = hours_[static_cast<std::size_t>(at / kHour % 24)];
  if (hour.spans == 0) hour.day = at / kDay;
  ++hour.spans;
  hour.mean += (sample - hour.mean) / static_cast<double>(std::min(hour.spans, kHourMemory));
}

double Baseline::of(TimeNs now) const {
  const Hour& hour = hours_[static_cast<std::size_t>(now / kHour % 24)];
  const bool known = hour.spans >= kHourLeast && hour.day < now / kDay;
  return known ? std::max(mean_, hour.mean) : mean_;
}

}  // namespace weir
