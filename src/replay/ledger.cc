// The ledger as `weir usage --json` writes it: one object per line, ordered by `time`.
#include <optional>

#include "base/parse_time.h"
#include "records/metadata.h"
#include "replay/json_lines.h"

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
  Ledger(std::string_view text, std::string file) : lines_(text, std::move(file), kMaxRowBytes) {}

  // Says by the first line whether this is a ledger at all.
  Result<void> check_format() {
    JsonLines ahead = lines_.ahead();
    if (auto found = ahead.next(); !found) return std::unexpected(found.error());
    bool time = false;
    const auto read = ahead.each_field([&](std::string_view name, simdjson::ondemand::value) -> Result<void> {
      time |= name == "time";
      return {};
    });
    if (!read) return std::unexpected(read.error());
    if (!time)
      return ahead.fault("is none of load rows (CSV), lines of `weir usage --json`, agent events, transcripts");
    return {};
  }

  Result<bool> next(TraceRow& row) override {
    const auto found = lines_.next();
    if (!found) return std::unexpected(found.error());
    if (!*found) return false;
    row = {};
    row.line = lines_.line();
    seen_ = 0;
    const auto read = lines_.each_field(
        [&](std::string_view name, simdjson::ondemand::value value) { return take(name, value, row); });
    if (!read) return std::unexpected(read.error());
    for (std::size_t i = 0; i < kNeeded.size(); ++i) {
      if ((seen_ >> i & 1) == 0) return lines_.fault("has no `" + std::string(kNeeded[i]) + "`");
    }
    if (row.time < latest_) return lines_.fault("`time` is earlier than in the line before; sort the lines by it");
    latest_ = row.time;
    if (row.cached_tokens > row.input_tokens) return lines_.fault("`cached_tokens` is more than `input_tokens`");
    return true;
  }

  bool absolute() const override { return true; }

 private:
  static constexpr unsigned kTimeBit = 1, kInputBit = 2, kOutputBit = 4;  // of kNeeded
  static constexpr std::array<std::string_view, 3> kNeeded = {"time", "input_tokens", "output_tokens"};

  Result<void> take(std::string_view name, simdjson::ondemand::value value, TraceRow& row) {
    if (name == "time") {
      seen_ |= kTimeBit;
      std::string_view text;
      if (value.get_string().get(text)) return lines_.fault("`time` is not a string");
      const auto time = parse_utc(text);
      if (!time) return lines_.fault("`time` is not an instant like 2026-11-20T10:00:00.000Z");
      row.time = *time;
      return {};
    }
    if (name == "metadata") return take_metadata(value, row);
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
      if (value.get_string().get(row.*member)) return lines_.fault("`" + std::string(name) + "` is not a string");
      return checked_name(lines_.place(), name, row.*member);
    }
    return {};
  }

  Result<void> take_metadata(simdjson::ondemand::value value, TraceRow& row) {
    simdjson::ondemand::object object;
    std::string_view json;
    if (bool null = false; !value.is_null().get(null) && null) return {};
    if (value.get_object().get(object) || object.raw_json().get(json)) {
      return lines_.fault("`metadata` is not a JSON object, such as {\"plan\":\"pro\"}");
    }
    auto flat = flatten_metadata(json);
    if (!flat) return lines_.fault("`metadata`: " + flat.error().message);
    metadata_ = std::move(*flat);
    row.metadata = &metadata_;
    return {};
  }

  Result<void> take_tokens(std::string_view name, simdjson::ondemand::value value, unsigned bit, std::int64_t& out) {
    seen_ |= bit;
    if (value.get_int64().get(out))
      return lines_.fault("`" + std::string(name) + "` is not a whole number, or too large");
    return checked_tokens(lines_.place(), name, out, bit == kOutputBit ? kMaxRowOutput : kMaxRowTokens);
  }

  JsonLines lines_;
  std::map<std::string, std::string> metadata_;
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
