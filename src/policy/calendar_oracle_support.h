// Calendar periods a second time, without the library that calendar.cc uses: the C library says what a zone's clock
// shows, and a boundary is the first instant at which it shows the wanted local time or later.
//
//   const ZoneClock& clock = zone_clock("Europe/Berlin");
//   Period period = clock.day_period(now);      // 2023-10 to 2031-03
//
// Sets TZ for a moment: one thread at a time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "policy/policy.h"

namespace weir {

// Instants of UTC days.
inline TimeNs utc(int year, unsigned month, unsigned day) {
  const std::chrono::sys_days days{std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)};
  return days.time_since_epoch() / std::chrono::nanoseconds(1);
}

// Every zone that is installed, links too.
inline std::vector<std::string> installed_zones() {
  namespace fs = std::filesystem;
  std::vector<std::string> names;
  const fs::path root = "/usr/share/zoneinfo";
  for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator(); ++it) {
    const std::string name = fs::relative(it->path(), root).string();
    // Other forms of the same zones, two files named after what the machine is set to, and one for "not set".
    if (name == "posix" || name == "right") it.disable_recursion_pending();
    if (!it->is_regular_file() || name == "posixrules" || name == "localtime" || name == "Factory") continue;
    char magic[4] = {};
    std::ifstream(it->path(), std::ios::binary).read(magic, 4);
    if (std::string_view(magic, 4) == "TZif") names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

class ZoneClock {
 public:
  // A stretch of time with one offset of local time from UTC.
  struct Stretch {
    TimeNs begin = 0, end = 0;
    DurationNs offset = 0;
  };

  explicit ZoneClock(const std::string& name) {
    setenv("TZ", (":" + name).c_str(), 1);
    tzset();
    constexpr std::time_t kStep = 12 * 3600;
    const std::time_t first = utc(2023, 10, 1) / kSecond, last = utc(2031, 3, 1) / kSecond;
    stretches_.push_back({.begin = 0, .offset = offset_at(first)});
    for (std::time_t at = first; at < last; at += kStep) {
      if (offset_at(at + kStep) == stretches_.back().offset) continue;
      std::time_t before = at, after = at + kStep;
      while (after - before > 1) {
        const std::time_t middle = before + (after - before) / 2;
        (offset_at(middle) == stretches_.back().offset ? before : after) = middle;
      }
      stretches_.back().end = after * kSecond;
      stretches_.push_back({.begin = after * kSecond, .offset = offset_at(after)});
    }
    stretches_.back().end = std::numeric_limits<TimeNs>::max();
    unsetenv("TZ");
    tzset();
    for (TimeNs day = utc(2023, 10, 1); day <= utc(2031, 3, 1); day += kDay) {
      days_.push_back(first_instant(day));
      if ((day / kDay + 3) % 7 == 0) weeks_.push_back(days_.back());  // 1970-01-01 was a Thursday
    }
    months_ = month_boundaries(0, 0);
  }

  // Changes of the offset within 2024 to 2030.
  std::vector<TimeNs> transitions() const {
    std::vector<TimeNs> result;
    for (const Stretch& stretch : stretches_) {
      if (stretch.begin >= utc(2024, 1, 1) && stretch.begin < utc(2031, 1, 1)) result.push_back(stretch.begin);
    }
    return result;
  }
  const std::vector<TimeNs>& days() const { return days_; }

  Period hour_period(TimeNs now) const {
    const Stretch& stretch = stretch_at(now);
    const TimeNs local = now + stretch.offset;
    const TimeNs begin = local - (local % kHour + kHour) % kHour - stretch.offset;
    return {std::max(begin, stretch.begin), std::min(begin + kHour, stretch.end)};
  }
  Period day_period(TimeNs now) const { return between(days_, now); }
  Period week_period(TimeNs now) const { return between(weeks_, now); }
  Period month_period(TimeNs now) const { return between(months_, now); }
  // `anchor` within the years of this clock, or so that its offset is the one of 2023.
  Period anchored_period(TimeNs now, TimeNs anchor) const {
    const TimeNs local = anchor + stretch_at(anchor).offset;
    const std::chrono::sys_days midnight{std::chrono::days(local / kDay)};
    const unsigned day{std::chrono::year_month_day(midnight).day()};
    return between(month_boundaries(static_cast<int>(day) - 1, local % kDay), now);
  }

  Period period(std::string_view word, TimeNs now, std::optional<TimeNs> anchor) const {
    if (anchor) return anchored_period(now, *anchor);
    if (word == "hour") return hour_period(now);
    if (word == "day") return day_period(now);
    return word == "week" ? week_period(now) : month_period(now);
  }

 private:
  static DurationNs offset_at(std::time_t at) {
    std::tm local{};
    localtime_r(&at, &local);
    return local.tm_gmtoff * kSecond;
  }

  const Stretch& stretch_at(TimeNs now) const {
    return *std::ranges::find_if(stretches_, [&](const Stretch& stretch) { return now < stretch.end; });
  }

  TimeNs first_instant(TimeNs local) const {
    for (const Stretch& stretch : stretches_) {
      const TimeNs candidate = std::max(stretch.begin, local - stretch.offset);
      if (candidate < stretch.end) return candidate;
    }
    return 0;
  }

  // One per month: its day number `day` (from 0) or its last one, at that time of day.
  std::vector<TimeNs> month_boundaries(int day, DurationNs time_of_day) const {
    std::vector<TimeNs> result;
    for (int index = 2023 * 12 + 9; index <= 2031 * 12 + 2; ++index) {
      const std::chrono::year_month month{std::chrono::year(index / 12),
                                          std::chrono::month(static_cast<unsigned>(index % 12) + 1)};
      const auto last = static_cast<int>(unsigned{(month / std::chrono::last).day()});
      const std::chrono::sys_days date =
          std::chrono::sys_days{month / std::chrono::day(1)} + std::chrono::days(std::min(day, last - 1));
      result.push_back(first_instant(date.time_since_epoch() / std::chrono::nanoseconds(1) + time_of_day));
    }
    return result;
  }

  static Period between(const std::vector<TimeNs>& boundaries, TimeNs now) {
    const auto end = std::ranges::upper_bound(boundaries, now);
    return {*(end - 1), *end};
  }

  std::vector<Stretch> stretches_;
  std::vector<TimeNs> days_, weeks_, months_;
};

inline const ZoneClock& zone_clock(const std::string& name) {
  static std::map<std::string, ZoneClock> known;
  return known.try_emplace(name, name).first->second;
}

}  // namespace weir
