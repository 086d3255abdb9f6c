#include "pricing/price_book.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "base/strings.h"
#include "pricing/price_csv.h"
#include "weir/types.h"

namespace weir {
namespace {

constexpr const char* kHeader =
    "pattern,dialect,input,cached_input,cache_write,cache_write_1h,output,reasoning,audio_in,audio_out,tool_unit,flex,"
    "priority,batch,date,source\n";

TEST(ParseUsd, Amounts) {
  EXPECT_EQ(parse_price("2.50").value(), 2'500'000);
  EXPECT_EQ(parse_price("0.000001").value(), 1);
  EXPECT_EQ(parse_price("15").value(), 15'000'000);
  for (const char* bad :
       {"", ".", "1.", ".5", "-1", "+1", "1e3", "0.0000001", "1.2.3", "abc", "9999999", "1,5", " 1"}) {
    EXPECT_FALSE(parse_price(bad).has_value()) << bad;
  }
}

TEST(PriceCsv, EmptyCellsFallBackToWhatStandsBesideThem) {
  const auto rows = parse_price_csv(std::string(kHeader) + "# note\nm*,openai,2,,,,8,,,,,,,,2026-01-01,here\n\n");
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  ASSERT_EQ(rows->size(), 1u);
  const Price& price = (*rows)[0].price;
  EXPECT_EQ(price, (Price{2'000'000, 2'000'000, 2'000'000, 8'000'000, 0, 0}));
  EXPECT_EQ(price.flex_percent, 50);
  EXPECT_EQ(price.priority_percent, 200);
  EXPECT_EQ(price.batch_percent, 50);
  EXPECT_EQ((*rows)[0].source, "here");
}

TEST(PriceCsv, EveryColumnIsRead) {
  const auto rows = parse_price_csv(std::string(kHeader) + "m,gemini,1,2,3,4,5,6,7,8,10.00,40,175,45,d,s\n");
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  EXPECT_EQ((*rows)[0].price, (Price{.input = 1'000'000,
                                     .cached_input = 2'000'000,
                                     .cache_write = 3'000'000,
                                     .output = 5'000'000,
                                     .audio_in = 7'000'000,
                                     .audio_out = 8'000'000,
                                     .cache_write_1h = 4'000'000,
                                     .reasoning = 6'000'000,
                                     .tool_unit = 10'000'000'000,  // a cent a call
                                     .flex_percent = 40,
                                     .priority_percent = 175,
                                     .batch_percent = 45}));
}

TEST(PriceCsv, DamageIsNamedByLine) {
  const auto line_of = [](const std::string& body) {
    const auto rows = parse_price_csv(kHeader + body);
    return rows ? std::string("parsed") : rows.error().message.substr(0, 6);
  };
  EXPECT_EQ(line_of("a,openai,1,1,1,1,1,,,,,,,,d,s\n"), "parsed");
  EXPECT_EQ(line_of("a,openai,1,1,1,1,1,,,,,,,,d\n"), "line 2");
  EXPECT_EQ(line_of("a,openai,1,1,1,1,1,,,,,,,,d,s,x\n"), "line 2");
  EXPECT_EQ(line_of("a,openai,x,1,1,1,1,,,,,,,,d,s\n"), "line 2");
  EXPECT_EQ(line_of("a,openai,1,1,1,1,1,,,,,,,,d,\n"), "line 2");
  for (const char* percent : {"0", "1001", "50%", "-1", "x"}) {
    EXPECT_EQ(line_of(std::string("a,openai,1,1,1,1,1,,,,,,") + percent + ",,d,s\n"), "line 2") << percent;
  }
  EXPECT_EQ(line_of("a,openai,1,1,1,1,1,,,,,,,,d,s\na,openai,1,1,1,1,1,,,,,,,,d,s\n"), "line 3");
  EXPECT_FALSE(parse_price_csv("model,price\n").has_value());
}

TEST(PriceBook, BuiltInFindsAliasesAndSnapshots) {
  const PriceBook& book = PriceBook::built_in();
  const struct {
    const char* model;
    std::int64_t input, output;
  } cases[] = {
      {"gpt-4o", 2'500'000, 10'000'000},
      {"gpt-4o-2024-08-06", 2'500'000, 10'000'000},
      {"gpt-4o-2024-05-13", 5'000'000, 15'000'000},
      {"gpt-4o-mini", 150'000, 600'000},
      {"gpt-4o-mini-2024-07-18", 150'000, 600'000},
      {"gpt-4.1-nano-2025-04-14", 100'000, 400'000},
      {"gpt-5-2025-08-07", 1'250'000, 10'000'000},
      {"gpt-5-mini-2025-08-07", 250'000, 2'000'000},
      {"o3-mini", 1'100'000, 4'400'000},
      {"text-embedding-3-small", 20'000, 0},
      {"claude-opus-4-5-20251101", 5'000'000, 25'000'000},
      {"claude-opus-4-20250514", 15'000'000, 75'000'000},
      {"claude-sonnet-4-5", 3'000'000, 15'000'000},
      {"claude-3-5-haiku-20241022", 800'000, 4'000'000},
      {"gpt-5-pro", 15'000'000, 120'000'000},
      {"o3-pro-2025-06-10", 20'000'000, 80'000'000},
      {"gpt-3.5-turbo-instruct", 1'500'000, 2'000'000},
      {"davinci-002", 2'000'000, 2'000'000},
      {"gemini-2.5-flash", 300'000, 2'500'000},
      {"gemini-2.5-flash-lite", 100'000, 400'000},
      {"gemini-2.5-flash-lite-preview-09-2025", 100'000, 400'000},
      {"gemini-2.0-flash-001", 100'000, 400'000},
      {"gemini-2.5-pro", 2'500'000, 15'000'000},
      {"gemini-3-flash-preview", 500'000, 3'000'000},
      {"gemini-3.1-flash-lite-preview-06-17", 250'000, 1'500'000},
      {"gemini-embedding-001", 150'000, 0},
  };
  for (const auto& c : cases) {
    const PriceRow* row = book.find(c.model);
    ASSERT_NE(row, nullptr) << c.model;
    EXPECT_EQ(row->price.input, c.input) << c.model;
    EXPECT_EQ(row->price.output, c.output) << c.model;
  }
  for (const char* unknown : {"", "llama-3", "o1-pro", "gpt-4-32k", "claude", "gemini-2.5-pro-preview-tts", "*"}) {
    EXPECT_EQ(book.find(unknown), nullptr) << unknown;
  }
}

TEST(PriceBook, EveryRowIsPlausibleAndNothingIsDearerThanDearest) {
  const PriceBook& book = PriceBook::built_in();
  ASSERT_GT(book.rows().size(), 60u);
  for (const PriceRow& row : book.rows()) {
    EXPECT_GT(row.price.input, 0) << row.pattern;
    EXPECT_GT(row.price.cached_input, 0) << row.pattern;
    EXPECT_LE(row.price.cached_input, row.price.input) << row.pattern;
    EXPECT_GE(row.price.cache_write, row.price.input) << row.pattern;
    EXPECT_TRUE(row.dialect == "openai" || row.dialect == "anthropic" || row.dialect == "gemini") << row.pattern;
    EXPECT_TRUE(row.price.cache_write_1h == 0 || row.price.cache_write_1h > row.price.cache_write) << row.pattern;
    EXPECT_EQ(row.price.cache_write_1h > 0, row.dialect == "anthropic") << row.pattern;
    EXPECT_LE(row.price.flex_percent, 100) << row.pattern;
    EXPECT_GE(row.price.priority_percent, 150) << row.pattern;
    EXPECT_LE(row.price.batch_percent, 100) << row.pattern;
    EXPECT_EQ(row.source.substr(0, 8), "https://") << row.pattern;
    EXPECT_LE(row.price.output, book.dearest().output);
    EXPECT_LE(row.price.audio_in, book.dearest().audio_in);
  }
  EXPECT_EQ(book.dearest().input, 30'000'000);
  EXPECT_EQ(book.dearest().output, 168'000'000);
  EXPECT_EQ(book.dearest().reasoning, 168'000'000);
  EXPECT_EQ(book.dearest().cache_write_1h, 30'000'000);
  EXPECT_EQ(book.dearest().tool_unit, 35'000'000'000);
  EXPECT_EQ(book.dearest().priority_percent, 250);
}

TEST(PriceBook, DearestIsNotCheaperThanWhatARowLeavesOut) {
  const PriceBook book(*parse_price_csv(std::string(kHeader) + "a,openai,9,,,,90,,,,,,,,d,s\n" +
                                        "b,openai,1,,,2,10,11,3,4,,60,150,70,d,s\n"));
  EXPECT_EQ(book.dearest().audio_in, 9'000'000);
  EXPECT_EQ(book.dearest().audio_out, 90'000'000);
  EXPECT_EQ(book.dearest().cache_write_1h, 9'000'000);
  EXPECT_EQ(book.dearest().reasoning, 90'000'000);
  EXPECT_EQ(book.dearest().flex_percent, 60);
  EXPECT_EQ(book.dearest().priority_percent, 200);
  EXPECT_EQ(book.dearest().batch_percent, 70);
}

TEST(PriceBook, AnthropicCacheWritesCostMoreForAnHour) {
  const Price& price = PriceBook::built_in().find("claude-sonnet-4-5")->price;
  EXPECT_EQ(price.cache_write, 3'750'000);     // 1.25 x input
  EXPECT_EQ(price.cache_write_1h, 6'000'000);  // 2 x input
}

TEST(PriceBook, MostLiteralCharactersWinAndLiteralsBeatGlobs) {
  const std::string tail = ",openai,1,,,,1,,,,,,,,d,s\n";
  const PriceBook book(
      *parse_price_csv(kHeader + ("a*" + tail) + ("a-long*" + tail) + ("*-longest" + tail) + ("a-longer" + tail)));
  EXPECT_EQ(book.find("a-x")->pattern, "a*");
  EXPECT_EQ(book.find("a-long-one")->pattern, "a-long*");
  EXPECT_EQ(book.find("a-longest")->pattern, "*-longest");
  EXPECT_EQ(book.find("a-longer")->pattern, "a-longer");
  EXPECT_EQ(book.find("b"), nullptr);
}

TEST(Cost, EachKindOfTokenHasItsPrice) {
  const Price price{2'500'000, 1'250'000, 3'000'000, 10'000'000, 40'000'000, 80'000'000};
  const auto cost = [&](Usage usage) { return cost_usd_micros(price, usage); };
  EXPECT_EQ(cost({}), 0);
  EXPECT_EQ(cost({.input_uncached = 1'000'000}), 2'500'000);
  EXPECT_EQ(cost({.cache_read = 1'000'000}), 1'250'000);
  EXPECT_EQ(cost({.cache_write = 1'000'000}), 3'000'000);
  EXPECT_EQ(cost({.output_visible = 600'000, .reasoning = 400'000}), 10'000'000);
  EXPECT_EQ(cost({.input_uncached = 1'000'000, .audio_in = 500'000}), 1'250'000 + 20'000'000);
  EXPECT_EQ(cost({.output_visible = 1'000'000, .audio_out = 1'000'000}), 80'000'000);
  EXPECT_EQ(cost({.input_uncached = 1}), 3) << "2.5 micro-dollars round up";
}

TEST(Cost, WithoutAudioPriceAudioCostsTextAndHugeSaturates) {
  const Price price{.input = 1'000'000, .output = 2'000'000};
  EXPECT_EQ(cost_usd_micros(price, {.input_uncached = 10, .output_visible = 10, .audio_in = 4, .audio_out = 4}), 30);
  const Price absurd{.input = 1'000'000'000'000};
  EXPECT_EQ(cost_usd_micros(absurd, {.input_uncached = std::int64_t{1} << 40}), kMaxAmount);
}

TEST(Cost, CachesForAnHourReasoningAndToolsHaveTheirOwnPrices) {
  const Price price{.input = 1'000'000,
                    .cache_write = 1'250'000,
                    .output = 5'000'000,
                    .cache_write_1h = 2'000'000,
                    .reasoning = 7'000'000,
                    .tool_unit = 10'000'000'000};
  EXPECT_EQ(cost_usd_micros(price, {.cache_write = 1'000, .cache_write_1h = 1'000}), 1'250 + 2'000);
  EXPECT_EQ(cost_usd_micros(price, {.output_visible = 100, .reasoning = 100}), 500 + 700);
  EXPECT_EQ(cost_usd_micros(price, {.tool_units = 3}), 30'000) << "three cents";
  const Price plain{.input = 1'000'000, .cache_write = 1'250'000, .output = 5'000'000};
  EXPECT_EQ(cost_usd_micros(plain, {.cache_write_1h = 1'000, .reasoning = 100, .tool_units = 3}), 1'250 + 500);
}

TEST(Cost, TiersScaleTokensAndNotTools) {
  const Price price{.input = 1'000'000, .tool_unit = 1'000'000'000, .priority_percent = 175};
  const Usage usage{.input_uncached = 1'000, .tool_units = 2};
  EXPECT_EQ(cost_usd_micros(price, usage), 1'000 + 2'000);
  EXPECT_EQ(cost_usd_micros(price, usage, ServiceTier::kFlex), 500 + 2'000);
  EXPECT_EQ(cost_usd_micros(price, usage, ServiceTier::kBatch), 500 + 2'000);
  EXPECT_EQ(cost_usd_micros(price, usage, ServiceTier::kPriority), 1'750 + 2'000);
  EXPECT_EQ(cost_usd_micros({.input = 1'000'000}, {.input_uncached = 1}, ServiceTier::kFlex), 1) << "rounded up";
}

TEST(Cost, AbsurdNumbersSaturate) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  const Price price{kHuge, kHuge, kHuge, kHuge, kHuge, kHuge, kHuge, kHuge, kHuge, 1'000, 1'000, 1'000};
  const Usage usage{kHuge, kHuge, kHuge, kHuge, kHuge, kHuge, kHuge, kHuge, kHuge};
  for (const ServiceTier tier :
       {ServiceTier::kStandard, ServiceTier::kFlex, ServiceTier::kPriority, ServiceTier::kBatch}) {
    EXPECT_EQ(cost_usd_micros(price, usage, tier), kMaxAmount);
  }
  const Usage negative{-1, -1, -1, -1, -1, -1, -1, -1, -1};
  EXPECT_EQ(cost_usd_micros(price, negative), 0);
}

constexpr std::int64_t Usage::* kFields[] = {&Usage::input_uncached, &Usage::cache_read,     &Usage::cache_write,
                                             &Usage::cache_write_1h, &Usage::output_visible, &Usage::reasoning,
                                             &Usage::audio_in,       &Usage::audio_out,      &Usage::tool_units};

Usage any_usage() {
  Usage usage;
  for (std::int64_t Usage::* field : kFields) usage.*field = *rc::gen::inRange<std::int64_t>(0, 2'000'000);
  return usage;
}

// Audio is never cheaper than text, or replacing text by audio would lower the cost.
Price any_price() {
  const auto amount = [] { return *rc::gen::inRange<std::int64_t>(0, 200'000'000); };
  const auto none_or = [](std::int64_t least) {
    return *rc::gen::arbitrary<bool>() ? 0 : least + *rc::gen::inRange<std::int64_t>(0, 100'000'000);
  };
  Price price{.input = amount(), .cached_input = amount(), .cache_write = amount(), .output = amount()};
  price.audio_in = none_or(price.input);
  price.audio_out = none_or(price.output);
  price.cache_write_1h = none_or(0);
  price.reasoning = none_or(0);
  price.tool_unit = none_or(0) * 1'000;
  price.flex_percent = *rc::gen::inRange(1, 101);
  price.priority_percent = *rc::gen::inRange(100, 1'001);
  price.batch_percent = *rc::gen::inRange(1, 101);
  return price;
}

ServiceTier any_tier() {
  return *rc::gen::element(ServiceTier::kStandard, ServiceTier::kFlex, ServiceTier::kPriority, ServiceTier::kBatch);
}

// The same sum written down once more, in hundredths of a pico-dollar.
__extension__ using Wide = __int128;
Wide exact_cost(const Price& p, const Usage& u, ServiceTier tier) {
  const auto times = [](std::int64_t count, std::int64_t price) { return static_cast<Wide>(count) * price; };
  const std::int64_t audio_in = std::min(u.audio_in, u.input_uncached);
  const std::int64_t audio_out = std::min(u.audio_out, u.output_visible);
  Wide tokens = times(u.input_uncached - audio_in, p.input) + times(u.output_visible - audio_out, p.output);
  tokens += times(audio_in, p.audio_in != 0 ? p.audio_in : p.input);
  tokens += times(audio_out, p.audio_out != 0 ? p.audio_out : p.output);
  tokens += times(u.cache_read, p.cached_input) + times(u.cache_write, p.cache_write);
  tokens += times(u.cache_write_1h, p.cache_write_1h != 0 ? p.cache_write_1h : p.cache_write);
  tokens += times(u.reasoning, p.reasoning != 0 ? p.reasoning : p.output);
  const int percent = tier == ServiceTier::kFlex       ? p.flex_percent
                      : tier == ServiceTier::kPriority ? p.priority_percent
                      : tier == ServiceTier::kBatch    ? p.batch_percent
                                                       : 100;
  return tokens * percent + times(u.tool_units, p.tool_unit) * 100;
}

RC_GTEST_PROP(CostProperty, NeverBelowTheExactValueAndLessThanAMicroDollarAbove, ()) {
  const Price price = any_price();
  const Usage usage = any_usage();
  const ServiceTier tier = any_tier();
  const Wide exact = exact_cost(price, usage, tier);
  const Wide cost = static_cast<Wide>(cost_usd_micros(price, usage, tier)) * 100'000'000;
  RC_ASSERT(cost >= exact);
  RC_ASSERT(cost - exact < 100'000'000);
}

RC_GTEST_PROP(CostProperty, MoreOfAnythingNeverCostsLess, ()) {
  const Price price = any_price();
  const ServiceTier tier = any_tier();
  const Usage usage = any_usage();
  const std::int64_t cost = cost_usd_micros(price, usage, tier);
  const auto more = *rc::gen::inRange<std::int64_t>(1, 1'000'000'000);
  for (std::int64_t Usage::* field : kFields) {
    Usage larger = usage;
    larger.*field += more;
    RC_ASSERT(cost_usd_micros(price, larger, tier) >= cost);
  }
}

RC_GTEST_PROP(CostProperty, BuiltInRowsNeverCostMoreThanTheDearest, ()) {
  const PriceBook& book = PriceBook::built_in();
  const PriceRow& row = *rc::gen::elementOf(book.rows());
  const Usage usage = any_usage();
  const ServiceTier tier = any_tier();
  RC_ASSERT(cost_usd_micros(row.price, usage, tier) <= cost_usd_micros(book.dearest(), usage, tier));
}

}  // namespace
}  // namespace weir
