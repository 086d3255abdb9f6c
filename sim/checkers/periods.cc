#include "checkers/periods.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace weir::sim {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;
constexpr int kMinutesOfHour = 60;

struct Zone {
  const char* name;
  int minutes;  // east of Greenwich, in winter
  enum class Summer : unsigned char { kNone, kEurope, kUnitedStates } summer;
};
constexpr std::array kZones{
    Zone{"UTC", 0, Zone::Summer::kNone},
    Zone{"Europe/London", 0, Zone::Summer::kEurope},
    Zone{"Europe/Berlin", 60, Zone::Summer::kEurope},
    Zone{"Europe/Paris", 60, Zone::Summer::kEurope},
    Zone{"America/New_York", -300, Zone::Summer::kUnitedStates},
    Zone{"America/Los_Angeles", -480, Zone::Summer::kUnitedStates},
    Zone{"Asia/Kolkata", 330, Zone::Summer::kNone},
    Zone{"Asia/Kathmandu", 345, Zone::Summer::kNone},
    Zone{"Asia/Tokyo", 540, Zone::Summer::kNone},
};

bool is_leap(std::int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
int length_of(std::int64_t year, int month) {
  constexpr std::array kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && is_leap(year) ? 1 : 0);
}
// Days since 1970-01-01, counted year by year: slow and plain.
std::int64_t day_number(std::int64_t year, int month, int day) {
  std::int64_t days = 0;
  for (std::int64_t y = 1970; y < year; ++y) days += is_leap(y) ? 366 : 365;
  for (int m = 1; m < month; ++m) days += length_of(year, m);
  return days + day - 1;
}
int weekday(std::int64_t day) {  // Monday is 0; 1970-01-01 was a Thursday
  return static_cast<int>((day + 3) % 7);
}
struct Date {
  std::int64_t year = 1970;
  int month = 1, day = 1;
};
Date date_of(std::int64_t day) {
  Date out;
  while (day >= (is_leap(out.year) ? 366 : 365)) day -= is_leap(out.year++) ? 366 : 365;
  while (day >= length_of(out.year, out.month)) day -= length_of(out.year, out.month++);
  out.day = static_cast<int>(day) + 1;
  return out;
}
std::int64_t last_sunday(std::int64_t year, int month) {
  const std::int64_t last = day_number(year, month, length_of(year, month));
  return last - (weekday(last) + 1) % 7;
}
std::int64_t nth_sunday(std::int64_t year, int month, int n) {
  const std::int64_t first = day_number(year, month, 1);
  return first + (6 - weekday(first)) + 7 * (n - 1);
}

// Seconds east of Greenwich at an instant in seconds.
std::int64_t offset_at(const Zone& zone, std::int64_t second) {
  const std::int64_t winter = std::int64_t{zone.minutes} * kMinutesOfHour;
  const std::int64_t year = date_of((second + winter) / kDaySeconds).year;
  std::int64_t from = 0, until = 0;
  if (zone.summer == Zone::Summer::kEurope) {
    from = last_sunday(year, 3) * kDaySeconds + 3600;
    until = last_sunday(year, 10) * kDaySeconds + 3600;
  } else if (zone.summer == Zone::Summer::kUnitedStates) {
    from = nth_sunday(year, 3, 2) * kDaySeconds + 7200 - winter;
    until = nth_sunday(year, 11, 1) * kDaySeconds + 3600 - winter;
  }
  return winter + (second >= from && second < until ? 3600 : 0);
}

// The instant at which clocks there show midnight of that day; clocks change at night, but not at midnight there.
std::int64_t midnight(const Zone& zone, std::int64_t day) {
  const std::int64_t about = day * kDaySeconds - std::int64_t{zone.minutes} * kMinutesOfHour;
  return day * kDaySeconds -
         offset_at(zone, about - (offset_at(zone, about) == zone.minutes * kMinutesOfHour ? 0 : 3600));
}

}  // namespace

std::optional<Span> own_period(const std::string& word, const std::string& name, TimeNs now) {
  const auto zone = std::find_if(kZones.begin(), kZones.end(), [&](const Zone& z) { return name == z.name; });
  if (zone == kZones.end() || now < 0) return std::nullopt;
  const std::int64_t second = now / kSecond, local = second + offset_at(*zone, second);
  const std::int64_t today = local / kDaySeconds;
  const Date date = date_of(today);
  std::int64_t from = today, until = today + 1;
  if (word == "hour") {
    const std::int64_t into = local % 3600;
    return Span{(second - into) * kSecond, (second - into + 3600) * kSecond};
  }
  if (word == "week") {
    from = today - weekday(today);
    until = from + 7;
  } else if (word == "month") {
    from = day_number(date.year, date.month, 1);
    until = from + length_of(date.year, date.month);
  } else if (word != "day") {
    return std::nullopt;
  }
  return Span{midnight(*zone, from) * kSecond, midnight(*zone, until) * kSecond};
}

}  // namespace weir::sim
