// The forecast against sums done by hand.
#include "admin/forecast.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr std::int64_t kFirst = 168 * 2000;  // the first hour of a week as the profile counts them

ForecastFacts days(std::int64_t count, std::int64_t (*dollars)(std::int64_t day, std::int64_t hour)) {
  ForecastFacts facts;
  facts.first_hour = kFirst;
  for (std::int64_t hour = 0; hour < count * 24; ++hour) facts.hours.push_back(dollars(hour / 24, hour % 24));
  facts.now = (kFirst + count * 24) * kHour;
  facts.until = facts.now + kDay;
  return facts;
}

TEST(Forecast, LikeDaysGoOnAsTheyWere) {
  ForecastFacts facts = days(28, [](std::int64_t, std::int64_t hour) { return hour == 9 ? std::int64_t{240} : 10; });
  facts.spent = 1000;
  const Forecast f = forecast(facts);
  EXPECT_EQ(f.expected, 1000 + 240 + 23 * 10);
  EXPECT_EQ(f.low, f.expected);
  EXPECT_EQ(f.high, f.expected);
  EXPECT_EQ(f.days_seen, 28);
  EXPECT_EQ(f.method, "mean of the same hours of the week");
}

TEST(Forecast, WeekdaysAreToldApartFromTwoWeeksOn) {
  // 240 on the first five days of a week, nothing on the others; what comes is the first day of a week.
  const auto working = [](std::int64_t day, std::int64_t) { return day % 7 < 5 ? std::int64_t{10} : 0; };
  EXPECT_EQ(forecast(days(14, working)).expected, 240);
  const Forecast early = forecast(days(7, working));
  EXPECT_EQ(early.expected, 171);  // 5/7 of 240
  EXPECT_TRUE(early.method.starts_with("mean of the same hours of the day")) << early.method;
}

TEST(Forecast, AnHourCountsByThePartOfItThatIsToCome) {
  ForecastFacts facts = days(3, [](std::int64_t, std::int64_t hour) { return hour == 0 ? std::int64_t{100} : 7; });
  facts.now += 45 * kMinute;
  facts.until = facts.now + 45 * kMinute;
  EXPECT_EQ(forecast(facts).expected, 25 + 4);  // 7 * 0.5 = 3.5
}

TEST(Forecast, TheRangeIsThatOfTheMeanMethod) {
  // Days of 0 and of 240 in turn: mean 120, squares 10 * 120^2 over 9, and one day to come.
  const Forecast f =
      forecast(days(10, [](std::int64_t day, std::int64_t) { return day % 2 == 0 ? std::int64_t{0} : 10; }));
  EXPECT_EQ(f.expected, 120);
  // 1.2816 * 126.491 * sqrt(1 + 1/10) = 170.02
  EXPECT_EQ(f.high, 290);
  EXPECT_EQ(f.low, 0);  // never below what was spent
}

TEST(Forecast, FewDaysAreSaidToBeAGuess) {
  ForecastFacts facts = days(1, [](std::int64_t, std::int64_t) { return std::int64_t{10}; });
  facts.spent = 50;
  const Forecast f = forecast(facts);
  EXPECT_EQ(f.expected, 290);
  EXPECT_EQ(f.low, 50);
  EXPECT_EQ(f.high, 530);
  EXPECT_NE(f.method.find("a guess"), std::string::npos);
}

TEST(Forecast, OneHourIsNotTakenForAMonth) {
  ForecastFacts facts = days(1, [](std::int64_t, std::int64_t) { return std::int64_t{10}; });
  for (const std::size_t hours : {23u, 1u, 0u}) {
    facts.hours.resize(hours);
    const Forecast f = forecast(facts);
    EXPECT_EQ(f.days_seen, 0);
    EXPECT_EQ(f.expected, 0);
    EXPECT_EQ(f.method, "a whole day of use must have been seen");
  }
}

TEST(Forecast, OnlyTheNewestDaysCount) {
  const Forecast f =
      forecast(days(56, [](std::int64_t day, std::int64_t) { return day < 28 ? std::int64_t{1000} : 1; }));
  EXPECT_EQ(f.days_seen, kForecastDays);
  EXPECT_EQ(f.expected, 24);
}

}  // namespace
}  // namespace weir
