#include "base/time.h"

#include <fmt/format.h>

#include <ctime>

namespace weir {
namespace {

std::tm utc(TimeNs at, DurationNs& fraction) {
  TimeNs seconds = at / kSecond;
  fraction = at % kSecond;
  if (fraction < 0) {
    fraction += kSecond;
    --seconds;
  }
  const std::time_t t = static_cast<std::time_t>(seconds);
  std::tm out{};
  gmtime_r(&t, &out);
  return out;
}

}  // namespace

std::string format_rfc3339(TimeNs at, int digits) {
  DurationNs fraction = 0;
  const std::tm t = utc(at, fraction);
  std::string out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                                t.tm_hour, t.tm_min, t.tm_sec);
  if (digits > 0) out += fmt::format(".{:09}", fraction).substr(0, static_cast<std::size_t>(digits) + 1);
  out += 'Z';
  return out;
}

std::string format_http_date(TimeNs at) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  DurationNs fraction = 0;
  const std::tm t = utc(at, fraction);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[t.tm_wday], t.tm_mday, kMonths[t.tm_mon],
                     t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

}  // namespace weir
