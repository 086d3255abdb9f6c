#include "base/parse_time.h"

#include <ctime>
#include <limits>

#include "base/strings.h"

namespace weir {
namespace {

// Digits only, of exactly the width of `text`.
std::optional<int> digits(std::string_view text) {
  const auto value = parse_decimal(text);
  if (!value || *value > 9999) return std::nullopt;
  return static_cast<int>(*value);
}

}  // namespace

std::optional<TimeNs> parse_rfc3339(std::string_view text) {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = digits(text.substr(0, 4)), month = digits(text.substr(5, 2)), day = digits(text.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  std::tm t{};
  t.tm_year = *year - 1900;
  t.tm_mon = *month - 1;
  t.tm_mday = *day;
  TimeNs fraction = 0, offset = 0;
  std::string_view rest = text.substr(10);
  if (!rest.empty()) {
    if (rest.size() < 10 || (rest[0] != 'T' && rest[0] != 't' && rest[0] != ' ') || rest[3] != ':' || rest[6] != ':') {
      return std::nullopt;
    }
    const auto hour = digits(rest.substr(1, 2)), minute = digits(rest.substr(4, 2)), second = digits(rest.substr(7, 2));
    if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    t.tm_hour = *hour;
    t.tm_min = *minute;
    t.tm_sec = *second;
    rest.remove_prefix(9);
    if (rest[0] == '.') {
      rest.remove_prefix(1);
      TimeNs unit = kSecond;
      while (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
        unit /= 10;
        fraction += unit * (rest[0] - '0');
        rest.remove_prefix(1);
      }
      if (unit == kSecond) return std::nullopt;
    }
    if (rest.size() == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':') {
      const auto hours = digits(rest.substr(1, 2)), minutes = digits(rest.substr(4, 2));
      if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
      offset = (*hours * kHour + *minutes * kMinute) * (rest[0] == '+' ? 1 : -1);
    } else if (rest != "Z" && rest != "z") {
      return std::nullopt;
    }
  }
  const std::tm asked = t;
  const std::time_t seconds = timegm(&t);
  const bool leap_second = asked.tm_sec == 60;
  if (!leap_second && (t.tm_mon != asked.tm_mon || t.tm_mday != asked.tm_mday)) return std::nullopt;  // 31 February
  constexpr std::time_t kMost = (std::numeric_limits<TimeNs>::max() - kDay) / kSecond - 1;  // a day for the offset
  if (seconds > kMost) return std::numeric_limits<TimeNs>::max();
  if (seconds < -kMost) return std::numeric_limits<TimeNs>::min();
  return static_cast<TimeNs>(seconds) * kSecond + fraction - offset;
}

}  // namespace weir
