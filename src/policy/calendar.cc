#include "policy/calendar.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

namespace weir {
namespace {

using date::days;
using date::local_days;
using std::chrono::hours;
using std::chrono::nanoseconds;
using LocalNs = date::local_time<nanoseconds>;
using SysNs = date::sys_time<nanoseconds>;

// 2200-01-01; keeps every sum below in range.
constexpr TimeNs kLastInstant = 7'258'118'400 * kSecond;

// The first instant at which the zone's clock shows `local` or later.
TimeNs first_instant(const date::time_zone& zone, LocalNs local) {
  const date::local_info info = zone.get_info(local);
  if (info.result == date::local_info::nonexistent) return SysNs(info.first.end).time_since_epoch().count();
  return (local.time_since_epoch() - nanoseconds(info.first.offset)).count();
}

LocalNs local_time(const date::time_zone& zone, TimeNs at) {
  const SysNs instant{nanoseconds(at)};
  const date::sys_info info = zone.get_info(date::floor<std::chrono::seconds>(instant));
  return LocalNs(instant.time_since_epoch() + nanoseconds(info.offset));
}

// Hours follow the offset in force; a change of the clock starts a new one, so that they partition time.
Period hour_period(const date::time_zone& zone, TimeNs now) {
  const SysNs instant{nanoseconds(now)};
  const date::sys_info info = zone.get_info(date::floor<std::chrono::seconds>(instant));
  const nanoseconds offset(info.offset);
  const SysNs start{date::floor<hours>(instant + offset).time_since_epoch() - offset};
  const SysNs end = start + hours(1);
  const bool has_begin = info.begin > date::sys_seconds(std::chrono::seconds(0));
  const bool has_end = info.end < date::sys_seconds(std::chrono::seconds(kLastInstant / kSecond));
  Period out{start.time_since_epoch().count(), end.time_since_epoch().count()};
  if (has_begin) out.start = std::max(out.start, SysNs(info.begin).time_since_epoch().count());
  if (has_end) out.end = std::min(out.end, SysNs(info.end).time_since_epoch().count());
  return out;
}

// Periods numbered by `index` begin at boundary(index), which never falls as the index grows. A clock set back across
// midnight shows the old date again after the new day began, so the guess from the date may be one off.
Period find_period(std::int64_t guess, TimeNs now, const std::function<TimeNs(std::int64_t)>& boundary) {
  while (now < boundary(guess)) --guess;
  while (now >= boundary(guess + 1)) ++guess;
  return {boundary(guess), boundary(guess + 1)};
}

date::year_month month_number(std::int64_t index) {
  const auto year = static_cast<int>(index / 12);
  const auto month = static_cast<unsigned>(index % 12) + 1;
  return date::year(year) / date::month(month);
}

Period month_period(const date::time_zone& zone, TimeNs now, std::optional<TimeNs> anchor) {
  unsigned day = 1;
  nanoseconds time_of_day{0};
  if (anchor) {
    const LocalNs local = local_time(zone, *anchor);
    const auto midnight = date::floor<days>(local);
    day = static_cast<unsigned>(date::year_month_day(midnight).day());
    time_of_day = local - midnight;
  }
  const auto boundary = [&](std::int64_t index) {
    const date::year_month month = month_number(index);
    const auto last = static_cast<unsigned>((month / date::last).day());
    const local_days date_of = local_days(month / date::day(std::min(day, last)));
    return first_instant(zone, LocalNs(date_of.time_since_epoch()) + time_of_day);
  };
  const date::year_month_day today(date::floor<days>(local_time(zone, now)));
  const std::int64_t index =
      static_cast<int>(today.year()) * 12 + static_cast<int>(static_cast<unsigned>(today.month())) - 1;
  return find_period(index, now, boundary);
}

Period days_period(const date::time_zone& zone, TimeNs now, std::int64_t length) {
  // Day 0 of 1970 was a Thursday; weeks start on Monday, 3 days before.
  const std::int64_t shift = length == 7 ? 3 : 0;
  const auto boundary = [&](std::int64_t index) {
    return first_instant(zone, LocalNs(days(static_cast<int>(index * length - shift))));
  };
  const std::int64_t today = date::floor<days>(local_time(zone, now)).time_since_epoch().count();
  return find_period((today + shift) / length, now, boundary);
}

struct CachedPeriod {
  std::string word, zone;
  TimeNs anchor = -1;
  Period period;
};

}  // namespace

Result<Period> calendar_period(std::string_view word, const std::string& zone, TimeNs now,
                               std::optional<TimeNs> anchor) {
  if (now < 0 || now > kLastInstant || (anchor && (*anchor < 0 || *anchor > kLastInstant))) {
    return fail("calendar periods are known from 1970 to 2200");
  }
  try {
    const date::time_zone* found = date::locate_zone(zone);
    if (word == "hour") return hour_period(*found, now);
    if (word == "day") return days_period(*found, now, 1);
    if (word == "week") return days_period(*found, now, 7);
    if (word == "month") return month_period(*found, now, anchor);
    return fail("`" + std::string(word) + "` is not a calendar period; use hour, day, week or month");
  } catch (const std::exception& e) {
    return fail("time zone `" + zone + "` cannot be read: " + e.what());
  }
}

Result<Period> cached_calendar_period(std::string_view word, const std::string& zone, TimeNs now,
                                      std::optional<TimeNs> anchor) {
  thread_local std::array<CachedPeriod, kMaxCachedPeriods> cache;
  const TimeNs anchor_key = anchor.value_or(-1);
  const std::size_t hash =
      std::hash<std::string_view>{}(zone) ^ (std::hash<std::string_view>{}(word) << 1) ^
      static_cast<std::size_t>(static_cast<std::uint64_t>(anchor_key) * 0x9E3779B97F4A7C15ull >> 40);
  CachedPeriod& slot = cache[hash % kMaxCachedPeriods];
  if (now >= slot.period.start && now < slot.period.end && slot.anchor == anchor_key && slot.zone == zone &&
      slot.word == word) {
    return slot.period;
  }
  const auto period = calendar_period(word, zone, now, anchor);
  if (period) slot = {std::string(word), zone, anchor_key, *period};
  return period;
}

std::string format_local(TimeNs at, TimeNs now, const std::string& zone) {
  LocalNs local;
  try {
    local = local_time(*date::locate_zone(zone), at);
  } catch (const std::exception&) {
    local = LocalNs{nanoseconds(at)};
  }
  const auto midnight = date::floor<days>(local);
  const date::year_month_day day(midnight);
  const std::int64_t minutes = std::chrono::floor<std::chrono::minutes>(local - midnight).count();
  std::string out = fmt::format("{:02}:{:02}", minutes / 60, minutes % 60);
  if (at - now <= kDay && at >= now) return out;
  return fmt::format("{:04}-{:02}-{:02} {}", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                     static_cast<unsigned>(day.day()), out);
}

}  // namespace weir
