// Rings and bounds of the live numbers.
#include "admin/live_series.h"

#include <gtest/gtest.h>

#include "admin/top_keys.h"

namespace weir {
namespace {

constexpr std::int64_t kStart = 1'795'262'400;

TEST(LiveSeries, SecondsAreColumnsAndQuietOnesAreZero) {
  LiveSeries series;
  series.open(kStart);
  series.add({.requests = 2, .tokens = 30});
  series.add(LiveSeries::kTier, "pro", {.requests = 2, .tokens = 30});
  series.open(kStart + 3);
  series.add({.requests = 1, .refused = 1});
  const LiveWindow window = series.window(5);
  EXPECT_EQ(window.first_second, kStart - 1);
  std::vector<std::int64_t> requests;
  for (const LiveCounts& each : window.total) requests.push_back(each.requests);
  EXPECT_EQ(requests, (std::vector<std::int64_t>{0, 2, 0, 0, 1}));
  ASSERT_EQ(window.by[LiveSeries::kTier].size(), 1u);
  EXPECT_EQ(window.by[LiveSeries::kTier][0].first, "pro");
  EXPECT_EQ(window.by[LiveSeries::kTier][0].second[1].tokens, 30);
}

TEST(LiveSeries, ForgetsWhatIsOlderThanItsRing) {
  LiveSeries series;
  series.open(kStart);
  series.add({.requests = 7});
  series.add(LiveSeries::kModel, "m", {.requests = 7});
  series.open(kStart + static_cast<std::int64_t>(LiveSeries::kSeconds) - 1);
  EXPECT_EQ(series.window(LiveSeries::kSeconds).total.front().requests, 7);
  series.open(kStart + static_cast<std::int64_t>(LiveSeries::kSeconds));
  const LiveWindow window = series.window(LiveSeries::kSeconds + 5);
  EXPECT_EQ(window.total.size(), LiveSeries::kSeconds);
  for (const LiveCounts& each : window.total) EXPECT_FALSE(each.any());
  EXPECT_TRUE(window.by[LiveSeries::kModel].empty());
  series.open(kStart);  // time does not run backwards
  EXPECT_EQ(series.second(), kStart + static_cast<std::int64_t>(LiveSeries::kSeconds));
}

TEST(LiveSeries, ShowsTheEightLargestGroupsAndTheRestAsOther) {
  LiveSeries series;
  series.open(kStart);
  for (int i = 1; i <= 10; ++i) series.add(LiveSeries::kModel, "m" + std::to_string(i), {.requests = i});
  const auto shown = series.window(1).by[LiveSeries::kModel];
  ASSERT_EQ(shown.size(), LiveSeries::kShownGroups + 1);
  EXPECT_EQ(shown.front().first, "m10");
  EXPECT_EQ(shown.back().first, "other");
  EXPECT_EQ(shown.back().second[0].requests, 1 + 2);
}

TEST(LiveSeries, NamesBeyondTheBoundCountAsOtherUntilOneWasSilentForLong) {
  LiveSeries series;
  series.open(kStart);
  for (std::size_t i = 0; i < LiveSeries::kMaxGroups + 20; ++i) {
    series.add(LiveSeries::kModel, "m" + std::to_string(i), {.requests = 1});
  }
  EXPECT_EQ(series.groups(LiveSeries::kModel).size(), LiveSeries::kMaxGroups);
  EXPECT_EQ(series.groups(LiveSeries::kModel).back(), (NamedCounts{"other", {.requests = 21}}));
  series.open(kStart + static_cast<std::int64_t>(LiveSeries::kSeconds));
  series.add(LiveSeries::kModel, "fresh", {.requests = 5});
  EXPECT_EQ(series.groups(LiveSeries::kModel), (std::vector<NamedCounts>{{"fresh", {.requests = 5}}}));
}

TEST(TopKeys, AreOfTheLastMinuteLargestFirst) {
  TopKeys keys;
  keys.add("old", {.requests = 100});
  for (std::size_t i = 0; i < TopKeys::kSeconds; ++i) keys.close();
  EXPECT_EQ(keys.last_minute(5).size(), 1u);
  keys.add("a", {.requests = 1});
  keys.add("b", {.requests = 2, .tokens = 9});
  keys.add("", {.requests = 50});
  keys.close();  // now `old` is out
  keys.add("a", {.requests = 3});
  EXPECT_EQ(keys.this_second(5), (std::vector<NamedCounts>{{"a", {.requests = 3}}}));
  EXPECT_EQ(keys.last_minute(1), (std::vector<NamedCounts>{{"a", {.requests = 4}}}));
  EXPECT_EQ(keys.last_minute(9).size(), 2u);
}

TEST(TopKeys, CountExactlyTheFirstKeysOfASecondAndLeaveOutTheRest) {
  TopKeys keys;
  for (std::size_t i = 0; i < TopKeys::kMaxKeys + 100; ++i) keys.add("k" + std::to_string(i), {.requests = 1});
  keys.add("k0", {.requests = 1});
  EXPECT_EQ(keys.this_second(10'000).size(), TopKeys::kMaxKeys);
  EXPECT_EQ(keys.this_second(1), (std::vector<NamedCounts>{{"k0", {.requests = 2}}}));
}

}  // namespace
}  // namespace weir
