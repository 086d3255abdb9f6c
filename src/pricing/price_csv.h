// Reads the price book's data file.
//
//   Result<std::vector<PriceRow>> rows = parse_price_csv("pattern,dialect,…\ngpt-4o,openai,2.50,1.25,,10,…\n");
//
// First line: the column names. Amounts are USD per 1M tokens (tool_unit: per 1000 calls), at most six decimals; flex,
// priority and batch are percent of the standard price, at most 1000. Empty: cached_input and cache_write cost what
// input costs, cache_write_1h what cache_write does, reasoning what output does, audio what text does, a tool nothing;
// tiers as in Price. No quoting: cells hold no commas. `#` starts a comment line. Pure; any thread.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "pricing/price_book.h"

namespace weir {

Result<std::vector<PriceRow>> parse_price_csv(std::string_view text);

// "2.50" dollars as micro-dollars, 2'500'000. Up to six decimals and 1'000'000 dollars; no sign, no exponent.
Result<std::int64_t> parse_price(std::string_view text);

}  // namespace weir
