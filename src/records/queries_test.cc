// What the admin API asks of the records.
#include "records/queries.h"

#include <gtest/gtest.h>

#include "journal/test_support.h"

namespace weir {
namespace {

class Queries : public testing::Test {
 protected:
  static UsageRow row(TimeNs time, std::string key, std::int64_t usd_micros) {
    UsageRow out{.time = time, .request_id = "req_" + std::to_string(time), .usage = {.input_uncached = 5}};
    out.key = std::move(key);
    out.usd_micros = usd_micros;
    return out;
  }
  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
  RecordQueries ask{store};
};

TEST_F(Queries, UseByKeyIsOfWholeHoursAndCountsRefusalsButNotShadows) {
  ASSERT_TRUE(store.book({{row(kHour - 1, "ann", 1), row(kHour, "ann", 20), row(2 * kHour, "ann", 300)}}, {}, {}));
  const RefusalHour refused{.hour = kHour + 5, .limit = "tokens", .layer = "rate", .key = "bob", .count = 7};
  RefusalHour shadow = refused;
  shadow.shadow = true;
  ASSERT_TRUE(store.add_refusal_hours({{refused, shadow, refused}}));
  const auto use = ask.use_by_key(kHour + kMinute);
  ASSERT_TRUE(use);
  EXPECT_EQ(*use, (std::vector<KeyUse>{{.key = "ann", .requests = 2, .tokens = 10, .usd_micros = 320, .refused = 0},
                                       {.key = "bob", .refused = 14}}));
}

}  // namespace
}  // namespace weir
