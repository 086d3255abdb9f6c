#include "policy/calendar.h"

#include <date/tz.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weir {
namespace {

// 2024-03-10T01:02:03Z and so on.
TimeNs at(int year, unsigned month, unsigned day, int hour = 0, int minute = 0) {
  const date::sys_days days = date::year(year) / date::month(month) / date::day(day);
  return (days.time_since_epoch() + std::chrono::hours(hour) + std::chrono::minutes(minute)) /
         std::chrono::nanoseconds(1);
}

Period period(std::string_view word, const std::string& zone, TimeNs now, std::optional<TimeNs> anchor = std::nullopt) {
  const auto out = calendar_period(word, zone, now, anchor);
  EXPECT_TRUE(out) << (out ? "" : out.error().message);
  return out.value_or(Period{});
}

const std::vector<std::string> kZones = {
    "UTC",          "Europe/Berlin",    "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana",
    "Africa/Cairo", "America/Santiago", "Asia/Gaza",        "Pacific/Apia"};

TEST(CalendarTest, DaysFollowTheZone) {
  const Period p = period("day", "Europe/Berlin", at(2026, 11, 20, 23, 30));
  EXPECT_EQ(p.start, at(2026, 11, 20, 23));
  EXPECT_EQ(p.end, at(2026, 11, 21, 23));
}

TEST(CalendarTest, DaysOfClockChangesHave23And25Hours) {
  const Period spring = period("day", "Europe/Berlin", at(2026, 3, 29, 12));
  EXPECT_EQ(spring.end - spring.start, 23 * kHour);
  const Period autumn = period("day", "Europe/Berlin", at(2026, 10, 25, 12));
  EXPECT_EQ(autumn.end - autumn.start, 25 * kHour);
}

TEST(CalendarTest, WeeksStartOnMonday) {
  const Period p = period("week", "UTC", at(2026, 11, 20, 10));  // a Friday
  EXPECT_EQ(p.start, at(2026, 11, 16));
  EXPECT_EQ(p.end, at(2026, 11, 23));
  EXPECT_EQ(period("week", "UTC", at(2026, 11, 16)).start, at(2026, 11, 16));
  EXPECT_EQ(period("week", "UTC", at(1970, 1, 8)).start, at(1970, 1, 5));
}

TEST(CalendarTest, MonthsAndLeapYears) {
  const Period p = period("month", "UTC", at(2024, 2, 29, 23, 59));
  EXPECT_EQ(p.start, at(2024, 2, 1));
  EXPECT_EQ(p.end, at(2024, 3, 1));
  EXPECT_EQ(period("month", "UTC", at(2026, 12, 31)).end, at(2027, 1, 1));
}

TEST(CalendarTest, AnchoredMonthsClampToTheLastDay) {
  const TimeNs anchor = at(2026, 1, 31, 15, 30);
  EXPECT_EQ(period("month", "UTC", at(2026, 2, 20), anchor).start, at(2026, 1, 31, 15, 30));
  EXPECT_EQ(period("month", "UTC", at(2026, 2, 20), anchor).end, at(2026, 2, 28, 15, 30));
  EXPECT_EQ(period("month", "UTC", at(2026, 3, 1), anchor).end, at(2026, 3, 31, 15, 30));
  EXPECT_EQ(period("month", "UTC", at(2024, 2, 29, 15, 29), anchor).end, at(2024, 2, 29, 15, 30));
  EXPECT_EQ(period("month", "UTC", at(2026, 4, 30, 15, 30), anchor).start, at(2026, 4, 30, 15, 30));
}

TEST(CalendarTest, HoursAreCutWhereTheClockChanges) {
  // Lord Howe moves by half an hour.
  const Period before = period("hour", "Australia/Lord_Howe", at(2026, 10, 3, 15, 20));
  EXPECT_EQ(before.end, at(2026, 10, 3, 15, 30));
  EXPECT_EQ(period("hour", "Asia/Kolkata", at(2026, 1, 1, 0, 45)).start, at(2026, 1, 1, 0, 30));
}

// Walking from each period's end visits every instant once, through every clock change of the years.
TEST(CalendarTest, PeriodsPartitionTime) {
  for (const std::string& zone : kZones) {
    for (const char* word : {"hour", "day", "week", "month"}) {
      TimeNs now = at(2024, 1, 1);
      const TimeNs last = std::string_view(word) == "hour" ? at(2025, 2, 1) : at(2031, 1, 1);
      Period previous = period(word, zone, now);
      while (now < last) {
        now = previous.end;
        const Period next = period(word, zone, now);
        ASSERT_EQ(next.start, previous.end) << zone << " " << word << " at " << format_rfc3339(now);
        ASSERT_GT(next.end, next.start);
        ASSERT_EQ(period(word, zone, now - 1).end, now) << zone << " " << word;
        ASSERT_EQ(period(word, zone, now - 1).start, previous.start);
        previous = next;
      }
    }
  }
}

TEST(CalendarTest, EveryTransitionIsInsideOnePeriodOfEachKind) {
  for (const std::string& zone_name : kZones) {
    const date::time_zone* zone = date::locate_zone(zone_name);
    auto instant = date::sys_seconds(std::chrono::seconds(at(2024, 1, 1) / kSecond));
    const auto last = date::sys_seconds(std::chrono::seconds(at(2031, 1, 1) / kSecond));
    while (instant < last) {
      const date::sys_info info = zone->get_info(instant);
      if (info.end >= last) break;
      const TimeNs change = info.end.time_since_epoch() / std::chrono::nanoseconds(1);
      for (const char* word : {"hour", "day", "week", "month"}) {
        for (const TimeNs now : {change - kHour, change - 1, change, change + kHour}) {
          const Period p = period(word, zone_name, now);
          ASSERT_LE(p.start, now);
          ASSERT_GT(p.end, now);
          const Period inside = period(word, zone_name, p.start + (p.end - p.start) / 2);
          ASSERT_EQ(inside.start, p.start) << zone_name << " " << word << " " << format_rfc3339(now);
        }
      }
      instant = info.end;
    }
  }
}

RC_GTEST_PROP(CalendarTest, AnchoredMonthsPartitionTime, ()) {
  const auto zone = *rc::gen::elementOf(kZones);
  const TimeNs anchor = *rc::gen::inRange<std::int64_t>(0, 2'000'000'000) * kSecond;
  const TimeNs now = *rc::gen::inRange<std::int64_t>(1'000'000'000, 2'000'000'000) * kSecond;
  const Period p = period("month", zone, now, anchor);
  RC_ASSERT(p.start <= now && now < p.end);
  RC_ASSERT(period("month", zone, p.end, anchor).start == p.end);
  RC_ASSERT(period("month", zone, p.start - 1, anchor).end == p.start);
  RC_ASSERT(p.end - p.start < 32 * kDay);
}

RC_GTEST_PROP(CalendarTest, TheCacheAnswersTheSame, ()) {
  const auto zone = *rc::gen::elementOf(kZones);
  const auto word = *rc::gen::elementOf(std::vector<std::string>{"hour", "day", "week", "month"});
  const TimeNs now = *rc::gen::inRange<std::int64_t>(1'700'000'000, 1'710'000'000) * kSecond;
  const Period cached = cached_calendar_period(word, zone, now, std::nullopt).value();
  const Period fresh = calendar_period(word, zone, now).value();
  RC_ASSERT(cached.start == fresh.start && cached.end == fresh.end);
}

TEST(CalendarTest, RefusesWhatItDoesNotKnow) {
  EXPECT_FALSE(calendar_period("fortnight", "UTC", 0));
  EXPECT_FALSE(calendar_period("day", "Europe/Nowhere", 0));
  EXPECT_FALSE(calendar_period("day", "UTC", -1));
  EXPECT_FALSE(calendar_period("day", "UTC", std::numeric_limits<TimeNs>::max()));
  EXPECT_FALSE(calendar_period("month", "UTC", 0, std::numeric_limits<TimeNs>::max()));
}

TEST(LocalTimeTest, ShowsTheDateOnlyWhenItIsFar) {
  const TimeNs now = at(2026, 11, 20, 10);
  EXPECT_EQ(format_local(at(2026, 11, 20, 23), now, "Europe/Berlin"), "00:00");
  EXPECT_EQ(format_local(at(2026, 11, 30, 23), now, "Europe/Berlin"), "2026-12-01 00:00");
}

}  // namespace
}  // namespace weir
