// Calendar periods of every installed zone against the C library's idea of local time: at every change of a clock from
// 2024 to 2030 (P16), on every day, and with a limiter that counts across them.
#include <gtest/gtest.h>

#include "engine/prove_support.h"
#include "policy/calendar.h"
#include "policy/calendar_oracle_support.h"

namespace weir {
namespace {

constexpr std::array<std::string_view, 4> kWords{"hour", "day", "week", "month"};

const std::vector<std::string>& zones() {
  static const std::vector<std::string> names = installed_zones();
  return names;
}

void expect_period(const std::string& zone, std::string_view word, TimeNs now, std::optional<TimeNs> anchor) {
  const Result<Period> period = calendar_period(word, zone, now, anchor);
  ASSERT_TRUE(period) << zone << ": " << period.error().message;
  const Period expected = zone_clock(zone).period(word, now, anchor);
  ASSERT_EQ(period->start, expected.start)
      << zone << " " << word << " at " << format_rfc3339(now, 9) << " begins " << format_rfc3339(period->start)
      << ", not " << format_rfc3339(expected.start);
  ASSERT_EQ(period->end, expected.end) << zone << " " << word << " at " << format_rfc3339(now, 9) << " ends "
                                       << format_rfc3339(period->end) << ", not " << format_rfc3339(expected.end);
}

TEST(P16Zones, PeriodsAroundEveryChangeOfEveryClockAreTheOracles) {
  std::size_t transitions = 0, checked = 0;
  for (const std::string& zone : zones()) {
    std::vector<TimeNs> changes = zone_clock(zone).transitions();
    transitions += changes.size();
    if (changes.empty()) changes.push_back(utc(2026, 3, 1));
    for (const TimeNs change : changes) {
      // Times of day that the clock shows twice or skips on that day, and a day that not every month has.
      std::vector<TimeNs> anchors{change, change - kHour / 2, utc(2025, 1, 31) + change % kDay};
      for (const int days : {28, 29, 30, 31}) anchors.push_back(change + kHour / 2 - days * kDay);
      for (const DurationNs away : {DurationNs{0}, DurationNs{1}, 30 * kMinute, 3 * kHour, kDay, 8 * kDay}) {
        for (const TimeNs now : {change + away, change - away}) {
          for (const std::string_view word : kWords) expect_period(zone, word, now, std::nullopt);
          for (const TimeNs anchor : anchors) expect_period(zone, "month", now, anchor);
          checked += kWords.size() + anchors.size();
          if (HasFatalFailure()) return;
        }
      }
    }
  }
  EXPECT_GE(zones().size(), 400u);
  EXPECT_GE(transitions, 1500u);
  std::printf("%zu zones, %zu changes, %zu periods\n", zones().size(), transitions, checked);
}

// Every day's first instant and the last one before it; when not proving, a part of the days of each zone.
TEST(P16Zones, DaysPartitionTimeInEveryZone) {
  const engine::Plan plan = engine::plan_of(1);
  const std::size_t step = plan.proving ? 1 : 29;
  for (std::size_t z = 0; z < zones().size(); ++z) {
    const std::string& zone = zones()[z];
    const std::vector<TimeNs>& days = zone_clock(zone).days();
    for (std::size_t i = 100 + z % step; i + 100 < days.size(); i += step) {
      const Result<Period> day = calendar_period("day", zone, days[i]),
                           before = calendar_period("day", zone, days[i] - 1);
      ASSERT_TRUE(day && before);
      ASSERT_EQ(day->start, days[i]) << zone;
      ASSERT_EQ(day->end, days[i + 1]) << zone;
      ASSERT_EQ(before->start, days[i - 1]) << zone;
      ASSERT_EQ(before->end, days[i]) << zone;
    }
  }
}

// What was used before a boundary does not count after it, everything since does, and a clock that steps back across
// it finds what was used after it.
struct Count {
  TimeNs last = 0;
  std::map<TimeNs, std::int64_t> used;  // by the start of the period
};

TEST(P16Zones, UsageIsCountedInThePeriodItBelongsToAcrossChangesOfTheClock) {
  engine::check_seeds(1500, [](std::uint64_t seed) {
    engine::Random random(seed);
    const std::string& zone = zones()[random.index(zones().size())];
    const ZoneClock& clock = zone_clock(zone);
    const std::vector<TimeNs> changes = clock.transitions();
    const TimeNs change = changes.empty() || random.one_in(5) ? utc(2024, 2, 20) + random.below(2400 * kDay)
                                                              : changes[random.index(changes.size())];
    const std::string_view word = kWords[random.index(4)];
    std::optional<TimeNs> anchor;
    if (word == "month" && random.one_in(2)) anchor = change - random.below(3) * kHour / 2 - random.below(60 * kDay);
    const DurationNs near = word == "hour" ? 3 * kHour : word == "day" ? 3 * kDay : 40 * kDay;
    TimeNs now = change - near;
    Limiter limiter({.stripes = 1});
    const CounterId counter = limiter.define({.identity = "c", .kind = WindowKind::kCalendar});
    Count count;
    constexpr std::int64_t kAmount = 40;
    for (int i = 0; i < 60 && now < change + near; ++i) {
      now += random.one_in(8) ? -random.below(near / 4) : random.below(near / 8);
      const auto period = calendar_period(word, zone, now, anchor).value();
      if (random.one_in(6)) now = random.one_in(2) ? period.end - 1 : period.start;
      const auto quoted = calendar_period(word, zone, now, anchor).value();
      const engine::Ask ask{.counter = counter,
                            .amount = kAmount,
                            .cost = random.below(15),
                            .period_start = quoted.start,
                            .period_end = quoted.end};
      const Decision decision = engine::admit(limiter, ask, now);
      const TimeNs t = std::max(now, count.last);
      std::int64_t& used = count.used[clock.period(word, t, anchor).start];
      ASSERT_EQ(decision.verdicts[0].used, used) << zone << " " << word << " step " << i << " " << format_rfc3339(t, 9);
      ASSERT_EQ(decision.admitted, used + ask.cost <= kAmount);
      if (!decision.admitted && now >= count.last) {
        ASSERT_EQ(now + decision.retry_after, clock.period(word, now, anchor).end) << zone << " " << word;
      }
      if (!decision.admitted || ask.cost == 0) continue;
      used += ask.cost;
      count.last = t;
    }
  });
}

}  // namespace
}  // namespace weir
