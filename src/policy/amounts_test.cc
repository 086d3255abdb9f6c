#include "policy/amounts.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weir {
namespace {

struct Good {
  const char* text;
  AmountUnit unit;
  WindowKind kind;
  std::int64_t amount;
  DurationNs length;
  const char* label;
};

class GoodWindow : public testing::TestWithParam<Good> {};

TEST_P(GoodWindow, IsRead) {
  const Good& g = GetParam();
  const auto window = parse_window(g.text, g.unit);
  ASSERT_TRUE(window) << g.text << ": " << window.error().message;
  EXPECT_EQ(window->kind, g.kind);
  EXPECT_EQ(window->amount, g.amount);
  if (g.kind == WindowKind::kSliding) {
    EXPECT_EQ(window->length, g.length);
  }
  EXPECT_EQ(window->label, g.label);
}

constexpr auto kCount = AmountUnit::kCount;
constexpr auto kUsd = AmountUnit::kUsd;
INSTANTIATE_TEST_SUITE_P(
    Grammar, GoodWindow,
    testing::Values(Good{"20/1m", kCount, WindowKind::kSliding, 20, kMinute, "1m"},
                    Good{"3/5s", kCount, WindowKind::kSliding, 3, 5 * kSecond, "5s"},
                    Good{"2M/30d", kCount, WindowKind::kSliding, 2'000'000, 30 * kDay, "30d"},
                    Good{"0/1ms", kCount, WindowKind::kSliding, 0, kMillisecond, "1ms"},
                    Good{"1G/366d", kCount, WindowKind::kSliding, 1'000'000'000, 366 * kDay, "366d"},
                    Good{" 20 / 1m ", kCount, WindowKind::kSliding, 20, kMinute, "1m"},
                    Good{"9007199254740992/1m", kCount, WindowKind::kSliding, kMaxAmount, kMinute, "1m"},
                    Good{"10/day", kCount, WindowKind::kCalendar, 10, 0, "day"},
                    Good{"10k/month anchor metadata.subscribed_at", kCount, WindowKind::kCalendar, 10'000, 0, "month"},
                    Good{"10/s burst 50", kCount, WindowKind::kBucket, 50, 0, "10/s"},
                    Good{"1k/h burst 2k", kCount, WindowKind::kBucket, 2'000, 0, "1k/h"},
                    Good{"2.50/day", kUsd, WindowKind::kCalendar, 2'500'000, 0, "day"},
                    Good{"0.000001/1h", kUsd, WindowKind::kSliding, 1, kHour, "1h"},
                    Good{"1.5k/week", kUsd, WindowKind::kCalendar, 1'500'000'000, 0, "week"},
                    Good{"16", AmountUnit::kConcurrency, WindowKind::kConcurrency, 16, 0, ""}));

struct Bad {
  const char* text;
  AmountUnit unit;
  const char* says;  // part of the message: what to write instead
};

class BadWindow : public testing::TestWithParam<Bad> {};

TEST_P(BadWindow, SaysWhatToWrite) {
  const auto window = parse_window(GetParam().text, GetParam().unit);
  ASSERT_FALSE(window) << GetParam().text;
  EXPECT_NE(window.error().message.find(GetParam().says), std::string::npos)
      << GetParam().text << ": " << window.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Grammar, BadWindow,
    testing::Values(
        Bad{"20/min", kCount, "write `20/1m`"}, Bad{"20/minute", kCount, "write `20/1m`"},
        Bad{"20/2min", kCount, "write `20/2m`"}, Bad{"20/m", kCount, "`20/1m` for a sliding window or `20/m burst 20`"},
        Bad{"20 per minute", kCount, "write `20/1m`"}, Bad{"20", kCount, "`20/1m` or `20/day`"},
        Bad{"20/60", kCount, "write `20/60s`"}, Bad{"20/2w", kCount, "write `20/7d`"},
        Bad{"10/days", kCount, "`10/1d`"}, Bad{"10/dya", kCount, "did you mean `10/day`"},
        Bad{"10/fortnight", kCount, "hour day week month"}, Bad{"1.5/1m", kCount, "fractions are for usd"},
        Bad{"1.5k/1m", kCount, "write `1500`"}, Bad{"50_000/1m", kCount, "write `50000`"},
        Bad{"50K/1m", kCount, "write `50k`"}, Bad{"-5/1m", kCount, "negative"},
        Bad{"$5/day", kUsd, "without the dollar"}, Bad{"5/367d", kCount, "at most 366d"},
        Bad{"5/0s", kCount, "at least 1ms"}, Bad{"5/99999999999999999999d", kCount, "at most 366d"},
        Bad{"9007199254740993/1m", kCount, "too large"}, Bad{"99999999999999999999/1m", kCount, "too large"},
        Bad{"9007199255/day", kUsd, "too large"}, Bad{"1.0000001/day", kUsd, "6 decimals"},
        Bad{"10/d burst 50", kCount, "10/s burst 50"}, Bad{"10/s burst", kCount, "needs a burst"},
        Bad{"10/s burst x", kCount, "needs a burst"}, Bad{"0/s burst 5", kCount, "at least 1"},
        Bad{"{metadata.x}/s burst 5", kCount, "plain numbers"}, Bad{"10/week anchor metadata.x", kCount, "only months"},
        Bad{"10/month from metadata.x", kCount, "anchor metadata."}, Bad{"10/1m extra", kCount, "not understood"},
        Bad{"16/1m", AmountUnit::kConcurrency, "write `16`"}, Bad{"{x}/1m", kCount, "{metadata.NAME}"},
        Bad{"/1m", kCount, "not an amount"}, Bad{"", kCount, "has no window"}));

TEST(WindowTest, ReadsAmountsOfTheKey) {
  const auto window = parse_window("{metadata.requestsPerMinute}/1m", kCount);
  ASSERT_TRUE(window);
  EXPECT_EQ(window->amount_metadata, "requestsPerMinute");
  EXPECT_EQ(window->length, kMinute);
}

TEST(WindowTest, BucketKeepsRateAndBurst) {
  const auto window = parse_window("10/s burst 50", kCount);
  ASSERT_TRUE(window);
  EXPECT_EQ(window->rate.units, 10);
  EXPECT_EQ(window->rate.per, kSecond);
  EXPECT_EQ(window->amount, 50);
}

RC_GTEST_PROP(WindowTest, AnyTextIsReadOrRefused, (const std::string& text)) {
  for (const AmountUnit unit : {kCount, kUsd, AmountUnit::kConcurrency}) {
    const auto window = parse_window(text, unit);
    if (window) RC_ASSERT(window->amount >= 0 && window->amount <= kMaxAmount);
    if (!window) RC_ASSERT(!window.error().message.empty());
  }
}

RC_GTEST_PROP(UsdTest, ReadsBackWhatItWrites, ()) {
  const auto micros = *rc::gen::inRange<std::int64_t>(0, kMaxAmount + 1);
  RC_ASSERT(parse_usd(format_usd(micros)).value() == micros);
}

TEST(UsdTest, Shows) {
  EXPECT_EQ(format_usd(10'000'000), "10");
  EXPECT_EQ(format_usd(4'200'000), "4.20");
  EXPECT_EQ(format_usd(4'130), "0.00413");
  EXPECT_EQ(format_usd(-1'500'000), "-1.50");
}

TEST(CountTest, GroupsThousands) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(50'000), "50,000");
  EXPECT_EQ(format_count(-1'234'567), "-1,234,567");
}

TEST(DurationTest, ReadsAndRefuses) {
  EXPECT_EQ(parse_duration("150ms").value(), 150 * kMillisecond);
  EXPECT_EQ(parse_duration("400d").value(), 400 * kDay);
  EXPECT_EQ(parse_duration("0s").value(), 0);
  EXPECT_NE(parse_duration("10").error().message.find("`10s`"), std::string::npos);
  EXPECT_NE(parse_duration("10min").error().message.find("`10m`"), std::string::npos);
  EXPECT_FALSE(parse_duration("99999999999d"));
  EXPECT_FALSE(parse_duration("s"));
}

TEST(BytesTest, ArePowersOf1024) {
  EXPECT_EQ(parse_bytes("32k").value(), 32 << 10);
  EXPECT_EQ(parse_bytes("32M").value(), 32 << 20);
  EXPECT_EQ(parse_bytes("17").value(), 17);
  EXPECT_FALSE(parse_bytes("32kb"));
  EXPECT_FALSE(parse_bytes("99999G"));
}

TEST(InstantTest, ReadsDatesAndOffsets) {
  EXPECT_EQ(parse_instant("2026-03-31").value(), 1'774'915'200 * kSecond);
  EXPECT_EQ(parse_instant("2026-03-31T00:00:00Z").value(), 1'774'915'200 * kSecond);
  EXPECT_EQ(parse_instant("2026-03-31T02:00:00+02:00").value(), 1'774'915'200 * kSecond);
  EXPECT_FALSE(parse_instant("2026-02-30"));
  EXPECT_FALSE(parse_instant("soon"));
  EXPECT_FALSE(parse_instant("1800-01-01"));
}

}  // namespace
}  // namespace weir
