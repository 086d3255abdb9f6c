#include "pricing/price_csv.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "base/strings.h"

namespace weir {
namespace {

constexpr std::string_view kHeader =
    "pattern,dialect,input,cached_input,cache_write,cache_write_1h,output,reasoning,audio_in,audio_out,tool_unit,flex,"
    "priority,batch,date,source";
constexpr std::size_t kColumns = 16;
constexpr std::int64_t kMaxDollars = 1'000'000;

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

Result<std::array<std::string_view, kColumns>> split(std::string_view line) {
  std::array<std::string_view, kColumns> cells;
  for (std::size_t i = 0; i < kColumns; ++i) {
    const std::size_t comma = line.find(',');
    if ((comma == std::string_view::npos) != (i + 1 == kColumns)) {
      return fail(fmt::format("expected {} cells", kColumns));
    }
    cells[i] = trim(line.substr(0, comma));
    if (comma != std::string_view::npos) line.remove_prefix(comma + 1);
  }
  return cells;
}

using Cells = std::array<std::string_view, kColumns>;

Result<Price> parse_prices(const Cells& cells) {
  const auto input = parse_price(cells[2]);
  if (!input) return std::unexpected(input.error());
  Price price;
  price.input = *input;
  struct Cell {
    std::size_t column;
    std::int64_t Price::* field;
    std::int64_t if_empty;
  };
  for (const Cell& cell :
       {Cell{3, &Price::cached_input, *input}, Cell{4, &Price::cache_write, *input}, Cell{5, &Price::cache_write_1h, 0},
        Cell{6, &Price::output, 0}, Cell{7, &Price::reasoning, 0}, Cell{8, &Price::audio_in, 0},
        Cell{9, &Price::audio_out, 0}, Cell{10, &Price::tool_unit, 0}}) {
    const std::string_view text = cells[cell.column];
    const Result<std::int64_t> value = text.empty() ? Result<std::int64_t>(cell.if_empty) : parse_price(text);
    if (!value) return std::unexpected(value.error());
    price.*cell.field = *value;
  }
  price.tool_unit *= kPicoPerUnit;
  return price;
}

std::optional<Error> parse_tiers(const Cells& cells, Price& price) {
  struct Cell {
    std::size_t column;
    int Price::* field;
  };
  for (const Cell& cell :
       {Cell{11, &Price::flex_percent}, Cell{12, &Price::priority_percent}, Cell{13, &Price::batch_percent}}) {
    const std::string_view text = cells[cell.column];
    if (text.empty()) continue;
    const auto percent = parse_decimal(text);
    if (!percent || *percent < 1 || *percent > kMaxTierPercent) {
      return Error{fmt::format("`{}` is not a percentage from 1 to {}", text, kMaxTierPercent)};
    }
    price.*cell.field = static_cast<int>(*percent);
  }
  return std::nullopt;
}

Result<PriceRow> parse_row(std::string_view line) {
  const auto cells = split(line);
  if (!cells) return std::unexpected(cells.error());
  PriceRow row{.pattern = std::string((*cells)[0]),
               .dialect = std::string((*cells)[1]),
               .price = {},
               .date = std::string((*cells)[14]),
               .source = std::string((*cells)[15])};
  if (row.pattern.empty() || row.dialect.empty() || row.date.empty() || row.source.empty()) {
    return fail("pattern, dialect, date and source may not be empty");
  }
  const auto price = parse_prices(*cells);
  if (!price) return std::unexpected(price.error());
  row.price = *price;
  if (auto error = parse_tiers(*cells, row.price)) return std::unexpected(std::move(*error));
  return row;
}

}  // namespace

Result<std::int64_t> parse_price(std::string_view text) {
  const std::size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  std::string decimals(dot == std::string_view::npos ? std::string_view("0") : text.substr(dot + 1));
  if (decimals.empty() || decimals.size() > 6) return fail(fmt::format("`{}` is not an amount in dollars", text));
  decimals.append(6 - decimals.size(), '0');
  const auto dollars = parse_decimal(whole);
  const auto micros = parse_decimal(decimals);
  if (!dollars || !micros || *dollars > kMaxDollars) return fail(fmt::format("`{}` is not an amount in dollars", text));
  return *dollars * 1'000'000 + *micros;
}

Result<std::vector<PriceRow>> parse_price_csv(std::string_view text) {
  std::vector<PriceRow> rows;
  if (trim(take_line(text)) != kHeader) return fail("the first line must name the columns: " + std::string(kHeader));
  for (int number = 2; !text.empty(); ++number) {
    const std::string_view line = trim(take_line(text));
    if (line.empty() || line.front() == '#') continue;
    Result<PriceRow> row = parse_row(line);
    if (!row) return fail(fmt::format("line {}: {}", number, row.error().message));
    for (const PriceRow& earlier : rows) {
      if (earlier.pattern == row->pattern)
        return fail(fmt::format("line {}: `{}` is there twice", number, row->pattern));
    }
    rows.push_back(std::move(*row));
  }
  return rows;
}

}  // namespace weir
