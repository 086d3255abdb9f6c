#include "replay/recommend_rhythm.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace weir {

const char* to_string(Shape shape) {
  static constexpr std::array<const char*, kShapes> kNames = {"unknown", "conversational", "batch", "autonomous"};
  return kNames[static_cast<std::size_t>(shape)];
}

void Rhythm::add(TimeNs at, DurationNs answer) {
  if (requests_ > 0) {
    const double gap = static_cast<double>(at - last_) / 1e9;
    const double off = gap - mean_;
    mean_ += off / static_cast<double>(requests_);  // as many gaps as requests before this one
    squares_ += off * (gap - mean_);
    if (at < answered_) ++overlap_;
    if (at < answered_ + kReading) ++quick_;
  } else {
    first_ = at;
  }
  ++requests_;
  last_ = at;
  answered_ = at + answer;
  const std::int64_t hour = at / kHour;
  if (hour != hour_) in_hour_ = 0;
  hour_ = hour;
  busiest_ = std::max(busiest_, ++in_hour_);
  const auto of_day = static_cast<unsigned>(((hour % 24) + 24) % 24);
  hours_ |= 1u << of_day;
  if (of_day >= 22 || of_day < 6) ++night_;
}

double Rhythm::burstiness() const {
  if (requests_ < 3) return 0;
  const double deviation = std::sqrt(squares_ / static_cast<double>(requests_ - 1));
  return deviation + mean_ <= 0 ? 0 : (deviation - mean_) / (deviation + mean_);
}

int Rhythm::hours() const {
  return std::popcount(hours_);
}

Shape Rhythm::shape() const {
  if (requests_ - 1 < kMinGaps) return Shape::kUnknown;
  if (quick() < kMostly) {
    const bool around_the_clock = last_ - first_ >= kClockSeen && hours() >= kClockHours;
    return around_the_clock ? Shape::kAutonomous : Shape::kConversational;
  }
  const double b = burstiness();
  if (overlap() < kMostly || b <= kBeat) return Shape::kAutonomous;
  return b >= kBursty ? Shape::kBatch : Shape::kConversational;
}

bool Rhythm::crowd() const {
  return shape() == Shape::kConversational && quick() >= kMostly;
}

}  // namespace weir
