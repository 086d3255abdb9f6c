// The ledger as `weir usage --json` writes it: one object per line, ordered by `time`.
#include <simdjson.h>

#include <optional>

#include "base/parse_time.h"
#include "base/strings.h"
#include "replay/trace_format.h"

namespace weir {
namespace {

// "2026-11-20T10:00:00.123Z": UTC, as format_rfc3339 writes it.
std::optional<TimeNs> parse_utc(std::string_view text) {
  constexpr std::size_t kLeast = 20, kMost = 30, kT = 10, kSeconds = 17;
  if (text.size() < kLeast || text.size() > kMost || text[kT] != 'T' || text[kSeconds] == '6' || text.back() != 'Z') {
    return std::nullopt;
  }
  const std::string_view year = text.substr(0, 4);
  return year < "1970" || year > "2200" ? std::nullopt : parse_rfc3339(text);
}

class Ledger final : public TraceReader {
 public:
  Ledger(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

  // Says by the first line whether this is a ledger at all.
  Result<void> check_format() {
    const std::size_t begin = at_, line = line_;
    if (auto found = next_line(); !found) return std::unexpected(found.error());
    bool time = false;
    const auto read = each_field([&](std::string_view name, simdjson::ondemand::value) -> Result<void> {
      time |= name == "time";
      return {};
    });
    if (!read) return std::unexpected(read.error());
    if (!time) return fault("is none of load rows (CSV), lines of `weir usage --json`, agent events, transcripts");
    at_ = begin;
    line_ = line;
    return {};
  }

  Result<bool> next(TraceRow& row) override {
    const auto found = next_line();
    if (!found) return std::unexpected(found.error());
    if (!*found) return false;
    row = {};
    row.line = line_;
    seen_ = 0;
    const auto read =
        each_field([&](std::string_view name, simdjson::ondemand::value value) { return take(name, value, row); });
    if (!read) return std::unexpected(read.error());
    for (std::size_t i = 0; i < kNeeded.size(); ++i) {
      if ((seen_ >> i & 1) == 0) return fault("has no `" + std::string(kNeeded[i]) + "`");
    }
    if (row.time < latest_) return fault("`time` is earlier than in the line before; sort the lines by it");
    latest_ = row.time;
    if (row.cached_tokens > row.input_tokens) return fault("`cached_tokens` is more than `input_tokens`");
    return true;
  }

  bool absolute() const override { return true; }

 private:
  static constexpr unsigned kTimeBit = 1, kInputBit = 2, kOutputBit = 4;  // of kNeeded
  static constexpr std::array<std::string_view, 3> kNeeded = {"time", "input_tokens", "output_tokens"};

  // Copies the next line to where the JSON reader may read beyond its end; empty lines are skipped.
  Result<bool> next_line() {
    while (at_ < text_.size()) {
      const std::size_t end = std::min(text_.find('\n', at_), text_.size());
      std::string_view line = text_.substr(at_, end - at_);
      at_ = end + 1;
      ++line_;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (trim(line).empty()) continue;
      if (line.size() > kMaxRowBytes) return fault("is longer than 64 KiB");
      buffer_.assign(line);
      buffer_.append(simdjson::SIMDJSON_PADDING, ' ');
      length_ = line.size();
      return true;
    }
    return false;
  }

  template <typename Visit>
  Result<void> each_field(Visit visit) {
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    if (parser_.iterate(simdjson::padded_string_view(buffer_.data(), length_, buffer_.size())).get(document) ||
        document.get_object().get(object)) {
      return fault("is not a JSON object");
    }
    for (auto field : object) {
      std::string_view name;
      simdjson::ondemand::value value;
      if (field.unescaped_key().get(name) || field.value().get(value)) return fault("is not a JSON object");
      if (auto visited = visit(name, value); !visited) return visited;
    }
    const char* rest = nullptr;
    if (document.current_location().get(rest) != simdjson::OUT_OF_BOUNDS) return fault("has more than one JSON value");
    return {};
  }

  Result<void> take(std::string_view name, simdjson::ondemand::value value, TraceRow& row) {
    if (name == "time") {
      seen_ |= kTimeBit;
      std::string_view text;
      if (value.get_string().get(text)) return fault("`time` is not a string");
      const auto time = parse_utc(text);
      if (!time) return fault("`time` is not an instant like 2026-11-20T10:00:00.000Z");
      row.time = *time;
      return {};
    }
    if (name == "input_tokens") return take_tokens(name, value, kInputBit, row.input_tokens);
    if (name == "output_tokens") return take_tokens(name, value, kOutputBit, row.output_tokens);
    if (name == "cached_tokens") return take_tokens(name, value, 0, row.cached_tokens);
    static constexpr std::pair<std::string_view, std::string_view TraceRow::*> kNames[] = {
        {"tenant", &TraceRow::tenant}, {"conversation", &TraceRow::conversation},
        {"model", &TraceRow::model},   {"key", &TraceRow::key},
        {"user", &TraceRow::user},     {"tier", &TraceRow::tier},
        {"kind", &TraceRow::kind},     {"run", &TraceRow::run},
        {"agent", &TraceRow::agent},   {"route", &TraceRow::route}};
    for (const auto& [known, member] : kNames) {
      if (name != known) continue;
      if (value.get_string().get(row.*member)) return fault("`" + std::string(name) + "` is not a string");
      return checked_name({file_, line_}, name, row.*member);
    }
    return {};
  }

  Result<void> take_tokens(std::string_view name, simdjson::ondemand::value value, unsigned bit, std::int64_t& out) {
    seen_ |= bit;
    if (value.get_int64().get(out)) return fault("`" + std::string(name) + "` is not a whole number, or too large");
    return checked_tokens({file_, line_}, name, out, bit == kOutputBit ? kMaxRowOutput : kMaxRowTokens);
  }

  std::unexpected<Error> fault(std::string_view message) const { return Place{file_, line_}.fault(message); }

  std::string_view text_;
  std::string file_;
  std::size_t at_ = 0, line_ = 0;
  simdjson::ondemand::parser parser_;
  std::string buffer_;
  std::size_t length_ = 0;
  unsigned seen_ = 0;  // of kNeeded
  TimeNs latest_ = 0;
};

}  // namespace

Result<std::unique_ptr<TraceReader>> open_ledger(std::string_view text, std::string file) {
  auto reader = std::make_unique<Ledger>(text, std::move(file));
  if (auto format = reader->check_format(); !format) return std::unexpected(format.error());
  return reader;
}

}  // namespace weir
