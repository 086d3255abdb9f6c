#include "base/time.h"

#include <fmt/format.h>

#include <ctime>

#include "base/strings.h"

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

// Every refusal and every row has one: no format string is read.
std::string format_rfc3339(TimeNs at, int digits) {
  DurationNs fraction = 0;
  const std::tm t = utc(at, fraction);
  std::string out;
  out.reserve(sizeof "2026-01-02T03:04:05.123456789Z");
  const auto append = [&out](int number, char before) {
    out += before;
    append_number(out, number, 2);
  };
  append_number(out, t.tm_year + 1900, 4);
  append(t.tm_mon + 1, '-');
  append(t.tm_mday, '-');
  append(t.tm_hour, 'T');
  append(t.tm_min, ':');
  append(t.tm_sec, ':');
  if (digits > 0) {
    const std::size_t whole = out.size();
    out += '.';
    append_number(out, fraction, 9);
    out.resize(whole + 1 + static_cast<std::size_t>(digits));
  }
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
