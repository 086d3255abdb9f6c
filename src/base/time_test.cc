#include "base/time.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr TimeNs kAt = 1'795'168'800 * kSecond;  // 2026-11-20 10:00:00 UTC, a Friday

TEST(Time, Rfc3339) {
  EXPECT_EQ(format_rfc3339(kAt), "2026-11-20T10:00:00Z");
  EXPECT_EQ(format_rfc3339(kAt + 987'654'321, 3), "2026-11-20T10:00:00.987Z");
  EXPECT_EQ(format_rfc3339(kAt + 1, 9), "2026-11-20T10:00:00.000000001Z");
  EXPECT_EQ(format_rfc3339(kAt + kSecond - 1), "2026-11-20T10:00:00Z");  // cut, never rounded into the next second
  EXPECT_EQ(format_rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_rfc3339(-1, 9), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(format_rfc3339(951'782'400 * kSecond), "2000-02-29T00:00:00Z");
}

TEST(Time, HttpDate) {
  EXPECT_EQ(format_http_date(kAt), "Fri, 20 Nov 2026 10:00:00 GMT");
  EXPECT_EQ(format_http_date(784'111'777 * kSecond), "Sun, 06 Nov 1994 08:49:37 GMT");  // the example of RFC 9110
}

TEST(Time, UnitsFitTogether) {
  EXPECT_EQ(kSecond, 1000 * kMillisecond);
  EXPECT_EQ(kMillisecond, 1000 * kMicrosecond);
  EXPECT_EQ(kDay, 86'400 * kSecond);
  EXPECT_EQ(kHour, 60 * kMinute);
}

}  // namespace
}  // namespace weir
