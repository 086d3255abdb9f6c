#include "pricing/price_book.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/strings.h"
#include "pricing/price_csv.h"
#include "weir/types.h"

namespace weir {
namespace {

constexpr const char* kHeader =
    "pattern,dialect,input,cached_input,cache_write,output,audio_in,audio_out,date,source\n";

TEST(ParseUsd, Amounts) {
  EXPECT_EQ(parse_price("2.50").value(), 2'500'000);
  EXPECT_EQ(parse_price("0.000001").value(), 1);
  EXPECT_EQ(parse_price("15").value(), 15'000'000);
  for (const char* bad :
       {"", ".", "1.", ".5", "-1", "+1", "1e3", "0.0000001", "1.2.3", "abc", "9999999", "1,5", " 1"}) {
    EXPECT_FALSE(parse_price(bad).has_value()) << bad;
  }
}

TEST(PriceCsv, EmptyCellsFallBackToInput) {
  const auto rows = parse_price_csv(std::string(kHeader) + "# note\nm*,openai,2,,,8,,,2026-01-01,here\n\n");
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ((*rows)[0].price, (Price{2'000'000, 2'000'000, 2'000'000, 8'000'000, 0, 0}));
  EXPECT_EQ((*rows)[0].source, "here");
}

TEST(PriceCsv, DamageIsNamedByLine) {
  const auto line_of = [](const std::string& body) {
    const auto rows = parse_price_csv(kHeader + body);
    return rows ? std::string("parsed") : rows.error().message.substr(0, 6);
  };
  EXPECT_EQ(line_of("a,openai,1,1,1,1,,,d\n"), "line 2");
  EXPECT_EQ(line_of("a,openai,1,1,1,1,,,d,s,x\n"), "line 2");
  EXPECT_EQ(line_of("a,openai,x,1,1,1,,,d,s\n"), "line 2");
  EXPECT_EQ(line_of("a,openai,1,1,1,1,,,d,\n"), "line 2");
  EXPECT_EQ(line_of("a,openai,1,1,1,1,,,d,s\na,openai,1,1,1,1,,,d,s\n"), "line 3");
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
  };
  for (const auto& c : cases) {
    const PriceRow* row = book.find(c.model);
    ASSERT_NE(row, nullptr) << c.model;
    EXPECT_EQ(row->price.input, c.input) << c.model;
    EXPECT_EQ(row->price.output, c.output) << c.model;
  }
  for (const char* unknown : {"", "llama-3", "gpt-5-pro", "o1-pro", "gpt-4-32k", "claude", "*"}) {
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
    EXPECT_TRUE(row.dialect == "openai" || row.dialect == "anthropic") << row.pattern;
    EXPECT_EQ(row.source.substr(0, 8), "https://") << row.pattern;
    EXPECT_LE(row.price.output, book.dearest().output);
    EXPECT_LE(row.price.audio_in, book.dearest().audio_in);
  }
  EXPECT_EQ(book.dearest().input, 30'000'000);
  EXPECT_EQ(book.dearest().output, 75'000'000);
}

TEST(PriceBook, MostLiteralCharactersWinAndLiteralsBeatGlobs) {
  const std::string tail = ",openai,1,,,1,,,d,s\n";
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

RC_GTEST_PROP(CostProperty, MonotonicAndRoundedUpOnce, ()) {
  const auto tokens = [] { return *rc::gen::inRange<std::int64_t>(0, 1'000'000); };
  const Usage usage{.input_uncached = tokens(), .cache_read = tokens(), .output_visible = tokens()};
  const Price price{.input = tokens(), .cached_input = tokens(), .output = tokens()};
  const std::int64_t exact =
      usage.input_uncached * price.input + usage.cache_read * price.cached_input + usage.output_visible * price.output;
  const std::int64_t cost = cost_usd_micros(price, usage);
  RC_ASSERT(cost * 1'000'000 >= exact);
  RC_ASSERT((cost - 1) * 1'000'000 < exact);
}

}  // namespace
}  // namespace weir
