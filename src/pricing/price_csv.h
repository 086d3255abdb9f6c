// Reads the price book's data file.
//
//   Result<std::vector<PriceRow>> rows = parse_price_csv("pattern,dialect,…\ngpt-4o,openai,2.50,1.25,,10,…\n");
//
// First line: the column names. Amounts are USD per 1M tokens, at most six decimals; an empty cached_input or
// cache_write costs what input costs, an empty audio price what text costs. No quoting: cells hold no commas. `#`
// starts a comment line. Pure; any thread.
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
