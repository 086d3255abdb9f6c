#include "admin/forecast.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace weir {
namespace {

constexpr std::int64_t kDayHours = 24, kWeekHours = 168;
constexpr std::int64_t kWeeklyFrom = 14, kVariationFrom = 3;  // days seen
constexpr double kEighty = 1.2816;                            // standard deviations to either side hold 80%

// Means of like hours; `season` is how many kinds of hours there are.
struct Profile {
  std::int64_t season = 1;
  std::vector<double> mean = {0};

  double at(std::int64_t hour) const { return mean[static_cast<std::size_t>(hour % season)]; }
};

Profile profile_of(std::span<const std::int64_t> hours, std::int64_t first_hour, std::int64_t season) {
  Profile out{.season = season, .mean = std::vector<double>(static_cast<std::size_t>(season), 0)};
  std::vector<double> seen(out.mean.size(), 0);
  for (std::size_t i = 0; i < hours.size(); ++i) {
    const auto kind = static_cast<std::size_t>((first_hour + static_cast<std::int64_t>(i)) % season);
    out.mean[kind] += static_cast<double>(hours[i]);
    seen[kind] += 1;
  }
  for (std::size_t kind = 0; kind < seen.size(); ++kind) out.mean[kind] /= std::max(seen[kind], 1.0);
  return out;
}

double rest_of(const Profile& profile, TimeNs now, TimeNs until) {
  double rest = 0;
  for (TimeNs at = now; at < until;) {
    const std::int64_t hour = at / kHour;
    const TimeNs end = std::min(until, (hour + 1) * kHour);
    rest += profile.at(hour) * static_cast<double>(end - at) / static_cast<double>(kHour);
    at = end;
  }
  return rest;
}

// Of whole days about what the profile expects of them; the days end with the newest hour.
double deviation_of(std::span<const std::int64_t> hours, std::int64_t first_hour, const Profile& profile,
                    std::int64_t days, std::int64_t fitted) {
  double squares = 0;
  const std::size_t skipped = hours.size() - static_cast<std::size_t>(days * kDayHours);
  for (std::int64_t day = 0; day < days; ++day) {
    double off = 0;
    for (std::int64_t i = 0; i < kDayHours; ++i) {
      const auto at = skipped + static_cast<std::size_t>(day * kDayHours + i);
      off += static_cast<double>(hours[at]) - profile.at(first_hour + static_cast<std::int64_t>(at));
    }
    squares += off * off;
  }
  return std::sqrt(squares / static_cast<double>(days - fitted));
}

}  // namespace

Forecast forecast(const ForecastFacts& facts) {
  std::span<const std::int64_t> hours = facts.hours;
  std::int64_t first_hour = facts.first_hour;
  constexpr auto kMost = static_cast<std::size_t>(kForecastDays * kDayHours);
  if (hours.size() > kMost) {
    first_hour += static_cast<std::int64_t>(hours.size() - kMost);
    hours = hours.last(kMost);
  }
  Forecast out;
  const std::int64_t days = out.days_seen = static_cast<std::int64_t>(hours.size()) / kDayHours;
  if (days < 1) {
    out.method = "a whole day of use must have been seen";
    return out;
  }
  const bool weekly = days >= kWeeklyFrom;
  const Profile profile = profile_of(hours, first_hour, weekly ? kWeekHours : kDayHours);
  const double rest = rest_of(profile, facts.now, facts.until), spent = static_cast<double>(facts.spent);
  out.expected = std::llround(spent + rest);
  out.method = weekly ? "mean of the same hours of the week"
                      : "mean of the same hours of the day; weekdays are not told apart before 14 days were seen";
  if (days < kVariationFrom) {
    out.low = facts.spent;
    out.high = std::llround(spent + 2 * rest);
    out.method += "; the range is a guess, fewer than 3 days were seen";
    return out;
  }
  const double deviation = deviation_of(hours, first_hour, profile, days, weekly ? 7 : 1);
  const double ahead = std::max<double>(0, static_cast<double>(facts.until - facts.now)) / static_cast<double>(kDay);
  const double spread = kEighty * deviation * std::sqrt(ahead + ahead * ahead / static_cast<double>(days));
  out.low = std::llround(std::max(spent, spent + rest - spread));
  out.high = std::llround(spent + rest + spread);
  return out;
}

}  // namespace weir
