#include "replay/service_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "base/characters.h"

namespace weir {
namespace {

constexpr double kMost = 10.0 * 366 * static_cast<double>(kDay);

std::optional<double> parse_seconds(std::string_view text) {
  const auto value = number_in<double>(text);
  return value && std::isfinite(*value) && *value >= 0 ? value : std::nullopt;
}

}  // namespace

DurationNs ServiceTime::of(std::int64_t token) const {
  return static_cast<DurationNs>(
      std::min(static_cast<double>(constant) + per_token * static_cast<double>(token), kMost));
}

std::string assumption(const ServiceTime& service) {
  return fmt::format(
      "Nothing records how long answers took: {:.6g} s and {:.6g} s per output token are assumed, on which limits of "
      "concurrency depend.",
      static_cast<double>(service.constant) / 1e9, service.per_token / 1e9);
}

Result<ServiceTime> parse_service_time(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return fail("--service-time " + std::string(text) + " " + std::string(why) +
                "; write seconds as A+B*out, such as 0.5+0.02*out");
  };
  std::string plain;
  std::copy_if(text.begin(), text.end(), std::back_inserter(plain), [](char c) { return c != ' '; });
  std::string_view rest = plain;
  std::optional<double> constant = 0, slope = 0;
  constexpr std::string_view kSlope = "*out";
  if (rest.ends_with(kSlope)) {
    rest.remove_suffix(kSlope.size());
    // A plus right behind an "e" belongs to the number.
    std::size_t plus = rest.find_last_of('+');
    if (plus != std::string_view::npos && plus > 0 && (rest[plus - 1] == 'e' || rest[plus - 1] == 'E')) {
      plus = plus > 1 ? rest.find_last_of('+', plus - 2) : std::string_view::npos;
    }
    if (plus == std::string_view::npos) {
      slope = parse_seconds(rest);
    } else {
      slope = parse_seconds(rest.substr(plus + 1));
      constant = parse_seconds(rest.substr(0, plus));
    }
  } else {
    constant = parse_seconds(rest);
  }
  if (!constant || !slope) return wrong("is not a time");
  if (*constant > 86'400) return wrong("begins with more than a day");
  if (*slope > 60) return wrong("has more than a minute per token");
  return ServiceTime{static_cast<DurationNs>(std::llround(*constant * 1e9)), *slope * 1e9};
}

}  // namespace weir
