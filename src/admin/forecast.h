// What will have been spent when a period ends.
//
//   Forecast f = forecast({.hours = dollars_of_the_last_28_days, .first_hour = 489'000, .now = now, .until = month_end,
//                          .spent = so_far});
//   f.expected, f.low, f.high;     // micro-dollars of the whole period
//   f.method;                      // in words
//
// The formula. Let y(h) be the dollars of hour h, of the whole hours seen within the last 28 days: from the first hour
// that has any row on, hours without rows are 0. The rest of the period is expected to be the mean of like hours:
//   14 days seen or more   like hours are those of the same hour of the week (two to four of each)
//   1 day or more          those of the same hour of the day
//   less                   there is no forecast: an hour would be taken for the whole period
// an hour that the period or `now` cuts counts by the part of it that is to come. expected = spent + rest.
// This is the seasonal mean: the mean method (Hyndman, Athanasopoulos: Forecasting: Principles and Practice, 3rd ed.,
// OTexts 2021, section 5.2) applied to each season by itself.
// The interval is that text's 80% (section 5.5: 1.28 standard deviations; mean method: sd of one step is s * sqrt(1 +
// 1/T)). Days are taken as independent: s is the standard deviation of the whole days seen about what the profile
// expects of them, with T - 1 in the denominator (T - 7 by hours of the week), and D days to come vary by
// s * sqrt(D + D * D / T). low is never below what was spent. With fewer than 3 days there is no variation to see: low
// is what was spent, high is spent plus twice the rest, and the method says that this is a guess.
//
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace weir {

inline constexpr std::int64_t kForecastDays = 28;

struct ForecastFacts {
  std::vector<std::int64_t> hours;  // micro-dollars by hour, without gaps, up to the hour before that of `now`
  std::int64_t first_hour = 0;      // of them, since 1970; at most kForecastDays * 24 are used, the newest
  TimeNs now = 0, until = 0;        // what is to come: [now, until)
  std::int64_t spent = 0;           // in the period before `now`
};

struct Forecast {
  std::int64_t expected = 0, low = 0, high = 0;  // of nothing while no whole day was seen
  std::int64_t days_seen = 0;                    // whole days
  std::string method;
};

Forecast forecast(const ForecastFacts& facts);

}  // namespace weir
