#include "pricing/price_book.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/strings.h"
#include "pricing/price_csv.h"
#include "weir/types.h"

namespace weir {

extern const char kPricesCsv[];  // generated from prices.csv

namespace {

std::size_t literal_characters(std::string_view pattern) {
  return pattern.size() - static_cast<std::size_t>(std::count(pattern.begin(), pattern.end(), '*'));
}

bool is_glob(std::string_view pattern) {
  return pattern.find('*') != std::string_view::npos;
}

}  // namespace

std::int64_t cost_usd_micros(const Price& price, const Usage& usage) {
  const auto product = [](std::int64_t tokens, std::int64_t pico) {
    return static_cast<__int128>(std::max<std::int64_t>(0, tokens)) * std::max<std::int64_t>(0, pico);
  };
  // Audio tokens are part of the input and output counts; a book without an audio price charges them as text.
  const std::int64_t audio_in =
      std::clamp<std::int64_t>(usage.audio_in, 0, std::max<std::int64_t>(0, usage.input_uncached));
  const std::int64_t audio_out =
      std::clamp<std::int64_t>(usage.audio_out, 0, std::max<std::int64_t>(0, usage.output_visible));
  __int128 pico = product(usage.input_uncached - audio_in, price.input) +
                  product(audio_in, price.audio_in > 0 ? price.audio_in : price.input) +
                  product(usage.cache_read, price.cached_input) + product(usage.cache_write, price.cache_write) +
                  product(usage.output_visible - audio_out, price.output) + product(usage.reasoning, price.output) +
                  product(audio_out, price.audio_out > 0 ? price.audio_out : price.output);
  pico = (pico + 999'999) / 1'000'000;
  return pico > kMaxAmount ? kMaxAmount : static_cast<std::int64_t>(pico);
}

PriceBook::PriceBook(std::vector<PriceRow> rows) : rows_(std::move(rows)) {
  for (const PriceRow& row : rows_) {
    for (std::int64_t Price::* field : {&Price::input, &Price::cached_input, &Price::cache_write, &Price::output,
                                        &Price::audio_in, &Price::audio_out}) {
      dearest_.*field = std::max(dearest_.*field, row.price.*field);
    }
  }
}

const PriceBook& PriceBook::built_in() {
  static const PriceBook book = [] {
    Result<std::vector<PriceRow>> rows = parse_price_csv(kPricesCsv);
    WEIR_CHECK(rows.has_value());
    return PriceBook(std::move(*rows));
  }();
  return book;
}

const PriceRow* PriceBook::find(std::string_view model) const {
  const PriceRow* best = nullptr;
  std::size_t best_literals = 0;
  for (const PriceRow& row : rows_) {
    if (!is_glob(row.pattern)) {
      if (row.pattern == model) return &row;
      continue;
    }
    const std::size_t literals = literal_characters(row.pattern);
    if ((best == nullptr || literals > best_literals) && glob_match(row.pattern, model)) {
      best = &row;
      best_literals = literals;
    }
  }
  return best;
}

}  // namespace weir
