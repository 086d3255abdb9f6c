#include "pricing/price_book.h"

#include <algorithm>
#include <functional>

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

__extension__ using Wide = __int128;

Wide product(std::int64_t count, std::int64_t pico) {
  return static_cast<Wide>(count) * std::clamp<std::int64_t>(pico, 0, kMaxAmount);
}

std::int64_t or_else(std::int64_t price, std::int64_t otherwise) {
  return price > 0 ? price : otherwise;
}

// Every count 0 to 2^53, so that no product below can leave 128 bits.
Usage within_bounds(Usage usage) {
  const auto all = static_cast<std::uint64_t>(usage.input_uncached | usage.cache_read | usage.cache_write |
                                              usage.cache_write_1h | usage.output_visible | usage.reasoning |
                                              usage.audio_in | usage.audio_out | usage.tool_units);
  if (all < static_cast<std::uint64_t>(kMaxAmount)) return usage;
  for (std::int64_t Usage::* field :
       {&Usage::input_uncached, &Usage::cache_read, &Usage::cache_write, &Usage::cache_write_1h, &Usage::output_visible,
        &Usage::reasoning, &Usage::audio_in, &Usage::audio_out, &Usage::tool_units}) {
    usage.*field = std::clamp<std::int64_t>(usage.*field, 0, kMaxAmount);
  }
  return usage;
}

int percent_of(const Price& price, ServiceTier tier) {
  int percent = 100;
  if (tier == ServiceTier::kFlex) percent = price.flex_percent;
  if (tier == ServiceTier::kPriority) percent = price.priority_percent;
  if (tier == ServiceTier::kBatch) percent = price.batch_percent;
  return std::clamp(percent, 0, kMaxTierPercent);
}

}  // namespace

std::int64_t cost_usd_micros(const Price& price, const Usage& usage, ServiceTier tier) {
  const Usage u = within_bounds(usage);
  // Audio tokens are part of the input and output counts.
  const std::int64_t audio_in = std::min(u.audio_in, u.input_uncached);
  const std::int64_t audio_out = std::min(u.audio_out, u.output_visible);
  const Wide tokens =
      product(u.input_uncached - audio_in, price.input) + product(audio_in, or_else(price.audio_in, price.input)) +
      product(u.cache_read, price.cached_input) + product(u.cache_write, price.cache_write) +
      product(u.cache_write_1h, or_else(price.cache_write_1h, price.cache_write)) +
      product(u.output_visible - audio_out, price.output) + product(audio_out, or_else(price.audio_out, price.output)) +
      product(u.reasoning, or_else(price.reasoning, price.output));
  const Wide hundredths = tokens * percent_of(price, tier) + product(u.tool_units, price.tool_unit) * 100;
  constexpr std::int64_t kPerMicro = 100'000'000;
  const Wide rounded = hundredths + kPerMicro - 1;
  // Nearly every amount fits 64 bits, where a division costs a tenth.
  const auto low = static_cast<std::int64_t>(rounded);
  const Wide micros = rounded == low ? low / kPerMicro : rounded / kPerMicro;
  return micros > kMaxAmount ? kMaxAmount : static_cast<std::int64_t>(micros);
}

PriceBook::PriceBook(std::vector<PriceRow> rows) : rows_(std::move(rows)) {
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    if (is_glob(rows_[row].pattern)) {
      globs_.push_back(row);
    } else {
      names_.emplace(rows_[row].pattern, row);
    }
  }
  std::ranges::stable_sort(globs_, std::ranges::greater(),
                           [this](std::size_t row) { return literal_characters(rows_[row].pattern); });
  Price& most = dearest_;
  most.flex_percent = most.priority_percent = most.batch_percent = 0;
  for (const PriceRow& row : rows_) {
    const Price& p = row.price;
    for (std::int64_t Price::* field :
         {&Price::input, &Price::cached_input, &Price::cache_write, &Price::output, &Price::tool_unit}) {
      most.*field = std::max(most.*field, p.*field);
    }
    // What a row leaves out costs what stands beside it, and must not be cheaper in a model that nobody knows.
    most.audio_in = std::max(most.audio_in, or_else(p.audio_in, p.input));
    most.audio_out = std::max(most.audio_out, or_else(p.audio_out, p.output));
    most.cache_write_1h = std::max(most.cache_write_1h, or_else(p.cache_write_1h, p.cache_write));
    most.reasoning = std::max(most.reasoning, or_else(p.reasoning, p.output));
    for (int Price::* percent : {&Price::flex_percent, &Price::priority_percent, &Price::batch_percent}) {
      most.*percent = std::max(most.*percent, p.*percent);
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
  if (const auto named = names_.find(model); named != names_.end()) return &rows_[named->second];
  for (const std::size_t row : globs_) {
    if (glob_match(rows_[row].pattern, model)) return &rows_[row];
  }
  return nullptr;
}

}  // namespace weir
