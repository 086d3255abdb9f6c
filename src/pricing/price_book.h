// Prices of models, in integer micro-dollars. The built-in book is src/pricing/prices.csv, with date and source per
// row.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/usage.h"

namespace weir {

// Prices of tools are written in USD per 1000 calls: micro-dollars per 1000 x this = pico-dollars per call.
inline constexpr std::int64_t kPicoPerUnit = 1'000;
inline constexpr int kMaxTierPercent = 1'000;

// Pico-dollars (1e-12 USD) per token: $2.50 per 1M tokens = 2'500'000. Micro-dollars per 1M tokens is the same number.
struct Price {
  std::int64_t input = 0;
  std::int64_t cached_input = 0;
  std::int64_t cache_write = 0;
  std::int64_t output = 0;
  std::int64_t audio_in = 0;        // 0: as input
  std::int64_t audio_out = 0;       // 0: as output
  std::int64_t cache_write_1h = 0;  // 0: as cache_write
  std::int64_t reasoning = 0;       // 0: as output
  std::int64_t tool_unit = 0;       // pico-dollars per call of a tool that the provider runs
  // Of the prices of tokens above; calls of tools cost the same in every tier.
  int flex_percent = 50;
  int priority_percent = 200;
  int batch_percent = 50;
  bool operator==(const Price&) const = default;
};

// Micro-dollars, rounded up; saturates at 2^53.
std::int64_t cost_usd_micros(const Price& price, const Usage& usage, ServiceTier tier = ServiceTier::kStandard);

struct PriceRow {
  std::string pattern;  // literal model name or glob
  std::string dialect;  // "openai", "anthropic", "gemini"
  Price price;
  std::string date, source;
};

class PriceBook {
 public:
  static const PriceBook& built_in();
  // The row whose pattern matches with the most literal characters (a literal name beats every glob).
  const PriceRow* find(std::string_view model) const;
  // For routed models that no row prices: for each field the dearest price in the book.
  const Price& dearest() const { return dearest_; }
  const std::vector<PriceRow>& rows() const { return rows_; }
  explicit PriceBook(std::vector<PriceRow> rows);

 private:
  std::vector<PriceRow> rows_;
  std::map<std::string, std::size_t, std::less<>> names_;  // of rows without a star
  std::vector<std::size_t> globs_;                         // the others, those with the most literal characters first
  Price dearest_;
};

}  // namespace weir
