#include "policy/amounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/characters.h"
#include "base/parse_time.h"
#include "base/strings.h"
#include "policy/suggest.h"

namespace weir {
namespace {

constexpr DurationNs kMaxWindow = 366 * kDay;
constexpr std::array<std::string_view, 4> kCalendarWords = {"hour", "day", "week", "month"};

struct UnitName {
  std::string_view name;
  DurationNs length;
};
constexpr std::array<UnitName, 5> kUnits = {
    {{"ms", kMillisecond}, {"s", kSecond}, {"m", kMinute}, {"h", kHour}, {"d", kDay}}};

// Words people write for a unit, and the unit to write.
constexpr std::array<std::pair<std::string_view, std::string_view>, 17> kOtherUnits = {{{"sec", "s"},
                                                                                        {"secs", "s"},
                                                                                        {"second", "s"},
                                                                                        {"seconds", "s"},
                                                                                        {"min", "m"},
                                                                                        {"mins", "m"},
                                                                                        {"minute", "m"},
                                                                                        {"minutes", "m"},
                                                                                        {"hr", "h"},
                                                                                        {"hrs", "h"},
                                                                                        {"hours", "h"},
                                                                                        {"days", "d"},
                                                                                        {"w", "7d"},
                                                                                        {"weeks", "7d"},
                                                                                        {"year", "365d"},
                                                                                        {"y", "365d"},
                                                                                        {"millis", "ms"}}};

std::size_t digits_at_start(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && is_ascii_digit(text[n])) ++n;
  return n;
}

std::optional<std::int64_t> suffix_factor(char c) {
  switch (c) {
    case 'k':
      return 1'000;
    case 'M':
      return 1'000'000;
    case 'G':
      return 1'000'000'000;
    default:
      return std::nullopt;
  }
}

std::string quoted(std::string_view text) {
  return "`" + std::string(text.substr(0, 80)) + "`";
}

Result<std::int64_t> not_an_amount(std::string_view text, AmountUnit unit) {
  if (!text.empty() && text[0] == '-') return fail(quoted(text) + " is negative; amounts are 0 or more");
  if (!text.empty() && text[0] == '$') return fail("write " + quoted(text.substr(1)) + " without the dollar sign");
  if (text.find_first_of("_,'") != std::string_view::npos) {
    std::string plain;
    for (const char c : text) {
      if (is_ascii_digit(c) || suffix_factor(c)) plain += c;
    }
    return fail(quoted(text) + " is not an amount; write " + quoted(plain) + " without separators");
  }
  if (!text.empty() && (text.back() == 'K' || text.back() == 'm' || text.back() == 'g')) {
    std::string plain(text);
    plain.back() = text.back() == 'K' ? 'k' : text.back() == 'm' ? 'M' : 'G';
    if (digits_at_start(text) + 1 == text.size())
      return fail(quoted(text) + " is not an amount; write " + quoted(plain));
  }
  return fail(quoted(text) + " is not an amount; write a number such as " +
              (unit == AmountUnit::kUsd ? "`2.50` (dollars)" : "`500`, `50k` or `2M`"));
}

Result<DurationNs> parse_window_length(std::string_view text, std::string_view amount) {
  const std::size_t digits = digits_at_start(text);
  const std::string_view number = text.substr(0, digits);
  const std::string_view unit = text.substr(digits);
  for (const UnitName& known : kUnits) {
    if (unit != known.name) continue;
    const auto count = parse_decimal(number);
    if (!count || *count > kMaxWindow / known.length) return fail("a window has at most 366d");
    const DurationNs length = *count * known.length;
    if (length < kMillisecond) return fail("a window has at least 1ms");
    return length;
  }
  for (const auto& [word, replacement] : kOtherUnits) {
    if (unit != word) continue;
    const std::string better =
        is_ascii_digit(replacement[0]) ? std::string(replacement) : std::string(number) + std::string(replacement);
    return fail(quoted(unit) + " is not a unit; write `" + std::string(amount) + "/" + better + "`");
  }
  if (unit.empty())
    return fail("a window needs a unit; write `" + std::string(amount) + "/" + std::string(number) + "s`");
  return fail(quoted(text) +
              " is not a window; units are ms s m h d, as in `20/1m`, or a calendar word, as in `10/day`");
}

// Splits "10/s burst 50" and "10k/month anchor metadata.x" at the first space after the window.
struct Parts {
  std::string_view amount, window, word, argument;
};

Result<Parts> split(std::string_view text, AmountUnit unit) {
  Parts parts;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    const std::size_t per = text.find(" per ");
    if (per != std::string_view::npos) {
      return fail(quoted(text) + " is not an amount per window; write `" + std::string(trim(text.substr(0, per))) +
                  "/1m`");
    }
    if (unit == AmountUnit::kConcurrency) {
      parts.amount = text;
      return parts;
    }
    return fail(quoted(text) + " has no window; write `" + std::string(text.substr(0, 40)) + "/1m` or `" +
                std::string(text.substr(0, 40)) + "/day`");
  }
  parts.amount = trim(text.substr(0, slash));
  if (unit == AmountUnit::kConcurrency) {
    return fail("concurrency has no window; write `" + std::string(parts.amount.substr(0, 40)) + "`");
  }
  std::string_view rest = trim(text.substr(slash + 1));
  const std::size_t space = rest.find(' ');
  parts.window = rest.substr(0, space);
  if (space == std::string_view::npos) return parts;
  rest = trim(rest.substr(space));
  const std::size_t second = rest.find(' ');
  parts.word = rest.substr(0, second);
  if (second != std::string_view::npos) parts.argument = trim(rest.substr(second));
  return parts;
}

Result<void> read_amount(std::string_view text, AmountUnit unit, WindowRule& out) {
  if (!text.empty() && text.front() == '{') {
    constexpr std::string_view kPrefix = "{metadata.";
    if (text.back() != '}' || !text.starts_with(kPrefix) || text.size() <= kPrefix.size() + 1) {
      return fail(quoted(text) + " is not an amount of a key; write `{metadata.NAME}`");
    }
    out.amount_metadata = std::string(text.substr(kPrefix.size(), text.size() - kPrefix.size() - 1));
    return {};
  }
  const auto amount = parse_amount(text, unit);
  if (!amount) return std::unexpected(amount.error());
  out.amount = *amount;
  return {};
}

Result<WindowRule> bucket(const Parts& parts, AmountUnit unit, WindowRule out) {
  DurationNs per = 0;
  for (const UnitName& known : kUnits) {
    if (known.name == parts.window && (known.name == "s" || known.name == "m" || known.name == "h")) per = known.length;
  }
  if (per == 0) {
    return fail("a bucket refills per s, m or h; write `" + std::string(parts.amount) + "/s burst 50`");
  }
  if (!out.amount_metadata.empty()) return fail("the amounts of a bucket are plain numbers, as in `10/s burst 50`");
  const auto burst = parse_amount(parts.argument, unit);
  if (!burst) return fail("a bucket needs a burst, as in `10/s burst 50`: " + burst.error().message);
  if (out.amount < 1) return fail("a bucket refills at least 1 per " + std::string(parts.window));
  out.kind = WindowKind::kBucket;
  out.rate = {out.amount, per};
  out.length = per;
  out.label = std::string(parts.amount) + "/" + std::string(parts.window);
  out.amount = *burst;
  return out;
}

Result<WindowRule> calendar(const Parts& parts, WindowRule out) {
  out.kind = WindowKind::kCalendar;
  out.calendar = std::string(parts.window);
  out.label = out.calendar;
  if (parts.word.empty()) return out;
  constexpr std::string_view kPrefix = "metadata.";
  if (parts.word != "anchor" || !parts.argument.starts_with(kPrefix) || parts.argument.size() == kPrefix.size()) {
    return fail(quoted(parts.word) + " is not understood here; write `" + std::string(parts.amount) +
                "/month anchor metadata.subscribed_at`");
  }
  if (out.calendar != "month") return fail("only months can have an anchor");
  out.anchor = std::string(parts.argument);
  return out;
}

}  // namespace

Result<std::int64_t> parse_usd(std::string_view text) {
  std::int64_t factor = 1;
  std::string_view number = text;
  if (!number.empty()) {
    if (const auto suffix = suffix_factor(number.back())) {
      factor = *suffix;
      number.remove_suffix(1);
    }
  }
  const std::size_t whole_digits = digits_at_start(number);
  std::string_view fraction;
  if (whole_digits < number.size() && number[whole_digits] == '.') fraction = number.substr(whole_digits + 1);
  const bool well_formed = whole_digits > 0 && digits_at_start(fraction) == fraction.size() &&
                           (number.size() == whole_digits || !fraction.empty());
  if (!well_formed) return not_an_amount(text, AmountUnit::kUsd);
  if (fraction.size() > 6) return fail(quoted(text) + " has more than 6 decimals; the smallest amount is 0.000001");
  const auto whole = parse_decimal(number.substr(0, whole_digits));
  std::int64_t micros = fraction.empty() ? 0 : *parse_decimal(fraction);
  for (std::size_t i = fraction.size(); i < 6 && !fraction.empty(); ++i) micros *= 10;
  if (!whole || *whole > kMaxAmount / 1'000'000)
    return fail(quoted(text) + " is too large; at most 9007199254 dollars");
  micros += *whole * 1'000'000;
  if (micros > kMaxAmount / factor) return fail(quoted(text) + " is too large; at most 9007199254 dollars");
  return micros * factor;
}

Result<std::int64_t> parse_amount(std::string_view text, AmountUnit unit) {
  if (unit == AmountUnit::kUsd) return parse_usd(text);
  const std::size_t digits = digits_at_start(text);
  const std::string_view suffix = text.substr(digits);
  if (digits > 0 && suffix.starts_with(".")) {
    const auto micros = parse_usd(text);
    if (micros && *micros % 1'000'000 == 0) {
      return fail("fractions are for usd; write " + quoted(std::to_string(*micros / 1'000'000)));
    }
    if (micros) return fail("fractions are for usd; write a whole number");
  }
  if (digits == 0 || suffix.size() > 1 || (!suffix.empty() && !suffix_factor(suffix[0])))
    return not_an_amount(text, unit);
  const auto number = parse_decimal(text.substr(0, digits));
  const std::int64_t factor = suffix.empty() ? 1 : *suffix_factor(suffix[0]);
  if (!number || *number > kMaxAmount / factor) return fail(quoted(text) + " is too large; at most 9007199254740992");
  return *number * factor;
}

Result<WindowRule> parse_window(std::string_view text, AmountUnit unit) {
  text = trim(text);
  const auto parts = split(text, unit);
  if (!parts) return std::unexpected(parts.error());
  WindowRule out;
  if (auto read = read_amount(parts->amount, unit, out); !read) return std::unexpected(read.error());
  if (unit == AmountUnit::kConcurrency) {
    out.kind = WindowKind::kConcurrency;
    return out;
  }
  if (parts->word == "burst") return bucket(*parts, unit, std::move(out));
  if (std::find(kCalendarWords.begin(), kCalendarWords.end(), parts->window) != kCalendarWords.end()) {
    return calendar(*parts, std::move(out));
  }
  if (!parts->window.empty() && !is_ascii_digit(parts->window[0])) {
    const std::string amount(parts->amount.substr(0, 40));
    if (parts->window == "s" || parts->window == "m" || parts->window == "h") {
      return fail(quoted(text) + " is not a window; write `" + amount + "/1" + std::string(parts->window) +
                  "` for a sliding window or `" + amount + "/" + std::string(parts->window) + " burst " + amount +
                  "` for a bucket");
    }
    for (const auto& [word, replacement] : kOtherUnits) {
      if (parts->window != word) continue;
      return fail(quoted(text) + " is not a window; write `" + amount + "/" +
                  (is_ascii_digit(replacement[0]) ? "" : "1") + std::string(replacement) + "`");
    }
    return fail(quoted(parts->window) + " is not a window" + [&] {
      const auto nearest = suggestion(parts->window, kCalendarWords);
      return nearest ? "; did you mean `" + amount + "/" + std::string(*nearest) + "`?"
                     : "; write `" + amount + "/1m` (sliding), `" + amount + "/day` (hour day week month) or `" +
                           amount + "/s burst 50`";
    }());
  }
  const auto length = parse_window_length(parts->window, parts->amount.substr(0, 40));
  if (!length) return std::unexpected(length.error());
  if (!parts->word.empty()) return fail(quoted(parts->word) + " is not understood after a sliding window");
  out.length = *length;
  out.label = std::string(parts->window);
  return out;
}

Result<DurationNs> parse_duration(std::string_view text) {
  const std::size_t digits = digits_at_start(text);
  const auto count = parse_decimal(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  for (const UnitName& known : kUnits) {
    if (unit != known.name || !count) continue;
    if (*count > 3'660 * kDay / known.length) return fail(quoted(text) + " is too long; at most 3660d");
    return *count * known.length;
  }
  for (const auto& [word, replacement] : kOtherUnits) {
    if (unit == word && count && !is_ascii_digit(replacement[0])) {
      return fail(quoted(text) + " is not a duration; write `" + std::to_string(*count) + std::string(replacement) +
                  "`");
    }
  }
  if (count && unit.empty()) return fail(quoted(text) + " has no unit; write `" + std::string(text) + "s`");
  return fail(quoted(text) + " is not a duration; write a whole number and ms s m h or d, as in `10s`");
}

Result<std::int64_t> parse_bytes(std::string_view text) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  const std::size_t digits = digits_at_start(text);
  const auto number = parse_decimal(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  const int shift = unit.empty() ? 0 : unit == "k" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : -1;
  if (!number || shift < 0) return fail(quoted(text) + " is not a size; write bytes or k, M, G, as in `32k`");
  if (*number > kMost >> shift) return fail(quoted(text) + " is too large");
  return *number << shift;
}

Result<TimeNs> parse_instant(std::string_view text) {
  constexpr TimeNs kLast = 9'000'000'000 * kSecond;
  if (const auto at = parse_rfc3339(text); at && *at >= 0 && *at <= kLast) return *at;
  return fail(quoted(text) + " is not a date; write `2026-03-31` or `2026-03-31T12:00:00Z`");
}

std::string format_usd(std::int64_t micros) {
  const std::string sign = micros < 0 ? "-" : "";
  const std::uint64_t size = micros < 0 ? 0 - static_cast<std::uint64_t>(micros) : static_cast<std::uint64_t>(micros);
  std::string out = sign + std::to_string(size / 1'000'000);
  std::string fraction = fmt::format("{:06}", size % 1'000'000);
  while (fraction.size() > 2 && fraction.back() == '0') fraction.pop_back();
  return fraction == "00" ? out : out + "." + fraction;
}

std::string format_count(std::int64_t value) {
  std::string out = std::to_string(value);
  for (std::size_t end = out.size(); end > 3 && is_ascii_digit(out[end - 4]); end -= 3) out.insert(end - 3, ",");
  return out;
}

double refill_per_ns(const WindowRule& window) {
  DurationNs length = window.length;
  double amount = static_cast<double>(window.amount);
  switch (window.kind) {
    case WindowKind::kConcurrency:
      return amount;
    case WindowKind::kBucket:
      return static_cast<double>(window.rate.units) / static_cast<double>(window.rate.per);
    case WindowKind::kCalendar:
      length = window.calendar == "hour"   ? kHour
               : window.calendar == "day"  ? kDay
               : window.calendar == "week" ? 7 * kDay
                                           : 30 * kDay;
      break;
    case WindowKind::kSliding:
      break;
  }
  return amount / static_cast<double>(std::max<DurationNs>(length, 1));
}

}  // namespace weir
