// Load rows: timestamp_s,tenant,session,turn,model,input_tokens,output_tokens, in any order, further columns ignored.
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/characters.h"
#include "base/strings.h"
#include "replay/csv.h"
#include "replay/trace_format.h"

namespace weir {
namespace {

enum Column : std::size_t { kTimestamp, kTenant, kSession, kTurn, kModel, kInput, kOutput, kColumnCount };
constexpr std::array<std::string_view, kColumnCount> kColumnNames = {
    "timestamp_s", "tenant", "session", "turn", "model", "input_tokens", "output_tokens"};

// "12.345" to nanoseconds, exactly; digits beyond the ninth are dropped.
std::optional<TimeNs> parse_plain_seconds(std::string_view text) {
  const std::size_t point = text.find('.');
  const auto whole = parse_decimal(text.substr(0, point));
  if (!whole || *whole > kMaxTraceTime / kSecond) return std::nullopt;
  TimeNs fraction = 0;
  if (point != std::string_view::npos) {
    TimeNs unit = kSecond / 10;
    for (const char c : text.substr(point + 1)) {
      if (c < '0' || c > '9') return std::nullopt;
      fraction += unit * (c - '0');
      unit /= 10;
    }
  }
  return *whole * kSecond + fraction;
}

Result<TimeNs> parse_seconds(const Place& place, std::string_view text) {
  if (const auto plain = parse_plain_seconds(text)) return *plain;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return place.fault("timestamp_s is out of range");
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return place.fault("timestamp_s is not a number of seconds: `" + std::string(text.substr(0, 40)) + "`");
  }
  if (value < 0) return place.fault("timestamp_s is negative");
  constexpr double kMost = static_cast<double>(kMaxTraceTime) / 1e9;
  if (value > kMost) return place.fault("timestamp_s is more than ten years; it counts seconds from the trace's start");
  return static_cast<TimeNs>(value * 1e9);
}

class LoadRows final : public TraceReader {
 public:
  LoadRows(std::string_view text, std::string file) : file_(std::move(file)), rows_(text) {}

  Result<void> read_header() {
    if (rows_.next() != CsvRows::Step::kRow) return fault(rows_.fault());
    columns_ = rows_.fields().size();
    index_.fill(kMaxColumns);
    for (std::size_t i = 0; i < columns_; ++i) {
      const std::string_view name = trim(rows_.fields()[i]);
      for (std::size_t column = 0; column < kColumnCount; ++column) {
        if (name != kColumnNames[column]) continue;
        if (index_[column] != kMaxColumns) return fault("the column " + std::string(name) + " is there twice");
        index_[column] = i;
      }
    }
    for (std::size_t column = 0; column < kColumnCount; ++column) {
      if (index_[column] != kMaxColumns) continue;
      return fault("the column " + std::string(kColumnNames[column]) +
                   " is missing; the header of load rows is "
                   "timestamp_s,tenant,session,turn,model,input_tokens,output_tokens");
    }
    return {};
  }

  Result<bool> next(TraceRow& row) override {
    switch (rows_.next()) {
      case CsvRows::Step::kEnd:
        return false;
      case CsvRows::Step::kFault:
        return fault(rows_.fault());
      case CsvRows::Step::kRow:
        break;
    }
    if (rows_.fields().size() != columns_) {
      return fault("has " + std::to_string(rows_.fields().size()) + " fields, the header " + std::to_string(columns_));
    }
    row = {};
    row.line = rows_.line();
    row.tenant = field(kTenant);
    row.conversation = field(kSession);
    row.model = field(kModel);
    if (auto read = read_names(row); !read) return std::unexpected(read.error());
    if (auto read = read_numbers(row); !read) return std::unexpected(read.error());
    return true;
  }

  bool absolute() const override { return false; }

 private:
  Result<void> read_names(const TraceRow& row) const {
    if (auto name = checked_name(place(), "tenant", row.tenant); !name) return name;
    if (auto name = checked_name(place(), "session", row.conversation); !name) return name;
    if (auto name = checked_name(place(), "model", row.model); !name) return name;
    const std::string_view turn = field(kTurn);
    if (!turn.empty() && !parse_decimal(turn)) return fault("turn is not a whole number");
    return {};
  }

  Result<void> read_numbers(TraceRow& row) {
    const auto time = parse_seconds(place(), field(kTimestamp));
    if (!time) return std::unexpected(time.error());
    if (*time < latest_) return fault("timestamp_s is smaller than in the row before; sort the rows by it");
    row.time = latest_ = *time;
    if (auto read = read_tokens(kInput, row.input_tokens); !read) return read;
    return read_tokens(kOutput, row.output_tokens);
  }

  Result<void> read_tokens(Column column, std::int64_t& out) const {
    const std::string_view text = field(column);
    const std::string_view name = kColumnNames[column];
    const auto value = number_in<std::int64_t>(text);
    if (!value) {
      const bool digits = !text.empty() && text.find_first_not_of("-0123456789") == std::string_view::npos;
      return fault(std::string(name) + (digits ? " is too large: `" : " is not a whole number: `") +
                   std::string(text.substr(0, 40)) + "`");
    }
    out = *value;
    return checked_tokens(place(), name, *value, column == kOutput ? kMaxRowOutput : kMaxRowTokens);
  }

  std::string_view field(Column column) const { return rows_.fields()[index_[column]]; }
  Place place() const { return {file_, rows_.line()}; }
  std::unexpected<Error> fault(std::string_view message) const { return place().fault(message); }

  std::string file_;
  CsvRows rows_;
  std::array<std::size_t, kColumnCount> index_{};
  std::size_t columns_ = 0;
  TimeNs latest_ = 0;
};

}  // namespace

Result<std::unique_ptr<TraceReader>> open_load_rows(std::string_view text, std::string file) {
  auto reader = std::make_unique<LoadRows>(text, std::move(file));
  if (auto header = reader->read_header(); !header) return std::unexpected(header.error());
  return reader;
}

}  // namespace weir
