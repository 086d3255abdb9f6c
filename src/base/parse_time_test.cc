#include "base/parse_time.h"

#include <gtest/gtest.h>

#include <limits>

namespace weir {
namespace {

constexpr TimeNs kAt = 1'795'168'800 * kSecond;  // 2026-11-20 10:00:00 UTC

TEST(ParseTime, ReadsWhatIsWritten) {
  for (const TimeNs at : {TimeNs{0}, kAt, kAt + 987'654'321, TimeNs{-1}}) {
    EXPECT_EQ(parse_rfc3339(format_rfc3339(at, 9)), at);
  }
  EXPECT_EQ(parse_rfc3339("2026-11-20T11:00:00+01:00"), kAt);
  EXPECT_EQ(parse_rfc3339("2026-11-20T09:30:00.5-00:30"), kAt + kSecond / 2);
  EXPECT_EQ(parse_rfc3339("2026-11-20 10:00:00z"), kAt);
  EXPECT_EQ(parse_rfc3339("1970-01-02"), kDay);
  EXPECT_EQ(parse_rfc3339("9999-12-31T23:59:59Z"), std::numeric_limits<TimeNs>::max());
  EXPECT_EQ(parse_rfc3339("0001-01-01"), std::numeric_limits<TimeNs>::min());
}

TEST(ParseTime, RefusesWhatIsNoInstant) {
  for (const char* wrong : {"", "soon", "2026-02-30", "2026-13-01", "2026-1-01", "2026-11-20T", "2026-11-20T10:00Z",
                            "2026-11-20T10:00:00", "2026-11-20T24:00:00Z", "2026-11-20T10:00:00.Z",
                            "2026-11-20T10:00:00+24:00", "2026-11-20T10:00:00Zx", "+026-11-20", "2026-11-20x"}) {
    EXPECT_EQ(parse_rfc3339(wrong), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace weir
