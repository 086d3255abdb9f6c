#include "app/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <limits>

#include "base/characters.h"
#include "base/parse_time.h"
#include "base/strings.h"

namespace weir {
namespace {

// Terminal columns of UTF-8 text, counting each code point as one.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

Result<std::string> data_directory(const StoreChoice& choice, const CommandContext& context) {
  if (!choice.data.empty()) return choice.data;
  if (choice.config.empty()) return std::string("./weir-data");
  return context.data_of_config(choice.config);
}

Result<Store> open_store(const StoreChoice& choice, const CommandContext& context, const StoreOptions& options) {
  const auto dir = data_directory(choice, context);
  if (!dir) return std::unexpected(dir.error());
  return Store::open(*dir, options);
}

void add_store_options(CLI::App& command, StoreChoice& choice) {
  CLI::Option* config = command.add_option("-c,--config", choice.config, "weir.yaml that names the data folder");
  command.add_option("--data", choice.data, "data folder (default ./weir-data)")->excludes(config);
}

std::ostream& output(const CommandContext& context) {
  return context.out == nullptr ? std::cout : *context.out;
}
std::ostream& errors(const CommandContext& context) {
  return context.err == nullptr ? std::cerr : *context.err;
}

int report(std::ostream& err, int code, const std::string& message) {
  std::string line = message;
  std::replace(line.begin(), line.end(), '\n', ' ');
  err << "weir: " << line << '\n';
  return code;
}

int could_not(const CommandContext& context, const Error& error) {
  return report(errors(context), kExitCouldNotRun, error.message);
}

Result<TimeNs> parse_since(std::string_view text, TimeNs now) {
  static constexpr std::pair<char, DurationNs> kUnits[] = {
      {'s', kSecond}, {'m', kMinute}, {'h', kHour}, {'d', kDay}, {'w', 7 * kDay}};
  for (const auto& [letter, unit] : kUnits) {
    if (!text.ends_with(letter)) continue;
    const auto count = parse_decimal(text.substr(0, text.size() - 1));
    if (count && *count <= 100 * 366 * kDay / unit) return now - *count * unit;
  }
  if (const auto at = parse_rfc3339(text)) return *at;
  return fail("--since " + std::string(text) + " is neither a time like " + format_rfc3339(now) +
              " nor an age like 90m, 24h or 7d");
}

Result<TimeNs> parse_since_or_all(std::string_view text, TimeNs now) {
  return text.empty() ? std::numeric_limits<TimeNs>::min() : parse_since(text, now);
}

void TextTable::add(std::vector<std::string> cells, std::string below) {
  // Names come from clients: none of them may speak to the terminal.
  for (std::string& cell : cells) cell = without_controls(std::move(cell));
  rows_.push_back(std::move(cells));
  below_.push_back(without_controls(std::move(below)));
}

void TextTable::print(std::ostream& out) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(width(columns_[i].title));
    for (const auto& row : rows_) widths[i] = std::max(widths[i], width(row[i]));
  }
  const auto line = [&](auto cell_of) {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string_view cell = cell_of(i);
      const std::string padding(widths[i] - width(cell), ' ');
      if (i > 0) text += "  ";
      text += columns_[i].right ? padding + std::string(cell) : std::string(cell) + padding;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out << text << '\n';
  };
  line([&](std::size_t i) { return std::string_view(columns_[i].title); });
  for (std::size_t at = 0; at < rows_.size(); ++at) {
    line([&](std::size_t i) { return std::string_view(rows_[at][i]); });
    if (!below_[at].empty()) out << std::string(widths[0] + 2, ' ') << below_[at] << '\n';
  }
}

namespace {

// The nearest place at or before `at` where a letter begins.
std::size_t letter_start(std::string_view text, std::size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

}  // namespace

std::string shown(std::string_view text, std::size_t most) {
  if (text.empty()) return "-";
  if (text.size() <= most) return std::string(text);
  return std::string(text.substr(0, letter_start(text, most - 1))) + "…";
}

std::string shown_name(std::string_view text, std::size_t most) {
  if (text.size() <= most) return shown(text, most);
  const std::size_t front = most / 3;
  return std::string(text.substr(0, letter_start(text, front))) + "…" +
         std::string(text.substr(letter_start(text, text.size() - (most - front - 1))));
}

std::string shown_time(TimeNs at, bool seconds) {
  std::string text = format_rfc3339(at).substr(0, seconds ? 19 : 16);
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text;
}

}  // namespace weir
