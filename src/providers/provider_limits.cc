#include "providers/provider_limits.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <string>

#include "base/strings.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;

constexpr std::int64_t kMaxRemaining = std::int64_t{1} << 40;
// Waits beyond are absurd and count as not said.
constexpr DurationNs kMaxWait = 366 * kDay;
constexpr std::size_t kMaxErrorBody = 64 << 10;

std::optional<std::int64_t> remaining(std::string_view text) {
  const auto value = parse_decimal(trim(text));
  return value && *value <= kMaxRemaining ? value : std::nullopt;
}

// Digits with an optional fraction, in units of `unit`; takes them from the front. Rounded down to nanoseconds.
std::optional<DurationNs> take_decimal(std::string_view& text, DurationNs unit) {
  std::size_t digits = 0;
  std::int64_t whole = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    whole = whole * 10 + (text[digits] - '0');
    if (whole > kMaxWait / unit) return std::nullopt;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  DurationNs span = whole * unit;
  if (!text.starts_with('.')) return span;
  text.remove_prefix(1);
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  DurationNs place = unit;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
    place /= 10;
    span += place * (text.front() - '0');
  }
  return span;
}

std::optional<DurationNs> plain_decimal(std::string_view text, DurationNs unit) {
  text = trim(text);
  const auto span = take_decimal(text, unit);
  return span && text.empty() && *span <= kMaxWait ? span : std::nullopt;
}

// As Go writes a time.Duration: "1s", "6m0s", "12ms", "1h0m0.5s". Negative ones are absent.
std::optional<DurationNs> go_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    DurationNs span;
  };
  // Longer names first: "ms" is not minutes.
  static constexpr std::array<Unit, 7> kUnits{{{"ns", 1},
                                               {"us", kMicrosecond},
                                               {"\xC2\xB5s", kMicrosecond},
                                               {"ms", kMillisecond},
                                               {"s", kSecond},
                                               {"m", kMinute},
                                               {"h", kHour}}};
  text = trim(text);
  if (text.empty() || text.size() > 64) return std::nullopt;
  DurationNs sum = 0;
  while (!text.empty()) {
    const std::string_view number = text;
    text.remove_prefix(std::min(text.find_first_not_of("0123456789."), text.size()));
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits) {
      if (unit == nullptr && text.starts_with(candidate.name)) unit = &candidate;
    }
    if (unit == nullptr) return std::nullopt;
    const auto part = plain_decimal(number.substr(0, number.size() - text.size()), unit->span);
    if (!part) return std::nullopt;
    sum += *part;
    text.remove_prefix(unit->name.size());
  }
  return sum <= kMaxWait ? std::optional(sum) : std::nullopt;
}

std::optional<int> two_digits(std::string_view text) {
  const auto value = text.size() == 2 ? parse_decimal(text) : std::nullopt;
  return value ? std::optional(static_cast<int>(*value)) : std::nullopt;
}

// nullopt: not a date of the calendar.
std::optional<TimeNs> instant(std::int64_t year, int month, int day, std::string_view clock) {
  const auto hour = two_digits(clock.substr(0, 2));
  const auto minute = clock.size() == 8 ? two_digits(clock.substr(3, 2)) : std::nullopt;
  const auto second = clock.size() == 8 ? two_digits(clock.substr(6, 2)) : std::nullopt;
  if (!hour || !minute || !second || clock[2] != ':' || clock[5] != ':' || *hour > 23 || *minute > 59 || *second > 60 ||
      year < 1970 || year > 2200 || month < 1 || month > 12 || day < 1 || day > 31) {
    return std::nullopt;
  }
  std::tm t{};
  t.tm_year = static_cast<int>(year) - 1900;
  t.tm_mon = month - 1;
  t.tm_mday = day;
  t.tm_hour = *hour;
  t.tm_min = *minute;
  t.tm_sec = *second;
  const std::time_t seconds = timegm(&t);
  if (t.tm_mon != month - 1 || t.tm_mday < day) return std::nullopt;  // the 31st of a shorter month
  return static_cast<TimeNs>(seconds) * kSecond;
}

// "2026-02-25T20:02:37Z", with a fraction, or with an offset instead of the Z.
std::optional<TimeNs> rfc3339(std::string_view text) {
  text = trim(text);
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't')) return std::nullopt;
  const auto year = parse_decimal(text.substr(0, 4));
  const auto month = two_digits(text.substr(5, 2));
  const auto day = two_digits(text.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  auto at = instant(*year, *month, *day, text.substr(11, 8));
  if (!at) return std::nullopt;
  std::string_view rest = text.substr(19);
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    const auto fraction = plain_decimal("0." + std::string(rest.substr(0, digits)), kSecond);
    if (!fraction) return std::nullopt;
    *at += *fraction;
    rest.remove_prefix(digits);
  }
  if (rest == "Z" || rest == "z") return at;
  if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') return std::nullopt;
  const auto hours = two_digits(rest.substr(1, 2));
  const auto minutes = two_digits(rest.substr(4, 2));
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const DurationNs offset = *hours * kHour + *minutes * kMinute;
  return rest[0] == '+' ? *at - offset : *at + offset;
}

// "Fri, 20 Nov 2026 10:00:00 GMT"; the two obsolete forms are not sent by anybody.
std::optional<TimeNs> http_date(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  text = trim(text);
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") return std::nullopt;
  const auto day = two_digits(text.substr(5, 2));
  const std::size_t month = kMonths.find(text.substr(8, 3));
  const auto year = parse_decimal(text.substr(12, 4));
  if (!day || !year || month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  return instant(*year, static_cast<int>(month / 3) + 1, *day, text.substr(17, 8));
}

std::optional<DurationNs> until(std::optional<TimeNs> at, TimeNs now) {
  if (!at || *at > now + kMaxWait) return std::nullopt;
  return *at > now ? *at - now : 0;
}

// {"error":{"details":[{"@type":"….RetryInfo","retryDelay":"34.07s"}]}}, also as the only element of an array.
std::optional<DurationNs> retry_info(std::string_view body) {
  if (body.empty() || body.size() > kMaxErrorBody) return std::nullopt;
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS) return std::nullopt;
  if (root.is_array() && root.at(0).get(root) != simdjson::SUCCESS) return std::nullopt;
  array details;
  if (!root.is_object() || root["error"]["details"].get_array().get(details) != simdjson::SUCCESS) return std::nullopt;
  std::optional<DurationNs> longest;
  for (const element detail : details) {
    std::string_view type, delay;
    if (detail["@type"].get_string().get(type) != simdjson::SUCCESS || !type.ends_with("google.rpc.RetryInfo") ||
        detail["retryDelay"].get_string().get(delay) != simdjson::SUCCESS || !delay.ends_with('s')) {
      continue;
    }
    const auto span = plain_decimal(delay.substr(0, delay.size() - 1), kSecond);
    if (span && (!longest || *span > *longest)) longest = span;
  }
  return longest;
}

using Header = std::function<std::string_view(std::string_view)>;

std::optional<DurationNs> retry_after(const Header& header, TimeNs now) {
  if (const auto ms = plain_decimal(header("retry-after-ms"), kMillisecond)) return ms;
  const std::string_view text = header("retry-after");
  if (const auto seconds = plain_decimal(text, kSecond)) return seconds;
  return until(http_date(text), now);
}

// The smaller of what two headers say is left; true if it is that of `told`, whose reset counts then.
bool lower(std::optional<std::int64_t>& left, std::optional<std::int64_t> told) {
  if (!told || (left && *left <= *told)) return false;
  left = told;
  return true;
}

void read_openai(const Header& header, ProviderLimits& limits) {
  const auto read = [&](std::string_view left_name, std::string_view reset_name, std::optional<std::int64_t>& left,
                        DurationNs& reset) {
    if (lower(left, remaining(header(left_name)))) reset = go_duration(header(reset_name)).value_or(0);
  };
  read("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", limits.remaining_requests,
       limits.reset_requests);
  read("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", limits.remaining_tokens, limits.reset_tokens);
  read("x-ratelimit-remaining-project-tokens", "x-ratelimit-reset-project-tokens", limits.remaining_tokens,
       limits.reset_tokens);
}

void read_anthropic(const Header& header, TimeNs now, ProviderLimits& limits) {
  const auto read = [&](std::string_view meter, std::optional<std::int64_t>& left, DurationNs& reset) {
    const std::string name = "anthropic-ratelimit-" + std::string(meter);
    if (lower(left, remaining(header(name + "-remaining")))) {
      reset = until(rfc3339(header(name + "-reset")), now).value_or(0);
    }
  };
  read("requests", limits.remaining_requests, limits.reset_requests);
  // `tokens` already shows the most restrictive one; the others are read where it is missing.
  read("tokens", limits.remaining_tokens, limits.reset_tokens);
  if (limits.remaining_tokens) return;
  read("input-tokens", limits.remaining_tokens, limits.reset_tokens);
  read("output-tokens", limits.remaining_tokens, limits.reset_tokens);
}

}  // namespace

ProviderLimits read_provider_limits(Dialect dialect, const Header& header, std::string_view error_body, TimeNs now) {
  ProviderLimits limits;
  limits.retry_after = retry_after(header, now);
  switch (dialect) {
    case Dialect::kOpenAi:
      read_openai(header, limits);
      break;
    case Dialect::kAnthropic:
      read_anthropic(header, now, limits);
      break;
    case Dialect::kGemini:
      if (!limits.retry_after) limits.retry_after = retry_info(error_body);
      break;
    case Dialect::kOllama:
      break;  // documents no limits
  }
  return limits;
}

}  // namespace weir
