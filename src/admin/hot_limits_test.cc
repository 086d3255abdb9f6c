// Who is near an amount, and what was refused: bounds and forgetting.
#include "admin/hot_limits.h"

#include <gtest/gtest.h>

#include "admin/refusal_book.h"
#include "journal/test_support.h"
#include "policy/test_ruleset.h"

namespace weir {
namespace {

class HotLimitsTest : public RulesetTest {
 protected:
  HotLimitsTest() {
    compile(R"(
limits:
  - { name: requests, per: caller, meter: requests, allow: [10/1m, 100/1h] }
  - { name: models, per: [tenant, model], meter: requests, allow: 100/1h }
)");
  }
  DecisionEvent event(std::string caller, std::uint16_t permille, std::uint16_t limit = 0) {
    DecisionEvent out;
    out.rules = rules_;
    out.caller = std::move(caller);
    out.tenant = "acme";
    out.model = "gpt-4o";
    out.tier = "pro";
    out.pressures[0] = {.limit = limit, .permille = permille, .allowed = 200};
    out.pressure_count = 1;
    return out;
  }
  HotLimits hot;
};

TEST_F(HotLimitsTest, SubjectsStandAsTheyWereDecidedAboutLast) {
  hot.add(event("ann", 900), kNow);
  hot.add(event("bob", 500), kNow);
  hot.add(event("ann", 250), kNow + kSecond);
  const std::vector<HotSubject> found = hot.of("requests", kNow + kSecond);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].per, (std::vector<std::pair<std::string, std::string>>{{"caller", "bob"}}));
  EXPECT_EQ(found[1].ratio, 0.25);
  EXPECT_EQ(found[1].used, 50);
  EXPECT_EQ(found[1].allowed, 200);
  EXPECT_EQ(found[1].tier, "pro");
  EXPECT_TRUE(hot.of("nothing", kNow).empty());
}

TEST_F(HotLimitsTest, OfSeveralWindowsTheFullestCounts) {
  DecisionEvent both = event("ann", 300);
  both.pressures[1] = {.limit = 0, .permille = 700, .allowed = 10};
  both.pressure_count = 2;
  hot.add(both, kNow);
  ASSERT_EQ(hot.of("requests", kNow).size(), 1u);
  EXPECT_EQ(hot.of("requests", kNow)[0].allowed, 10);
  hot.add(event("x", 100, 1), kNow);
  EXPECT_EQ(hot.of("models", kNow).at(0).per.size(), 2u);
  EXPECT_EQ(hot.all(kNow).size(), 2u);
}

TEST_F(HotLimitsTest, TheFiftyNearestStayAndOldOnesMakeRoom) {
  for (int i = 0; i < 100; ++i) hot.add(event("c" + std::to_string(i), static_cast<std::uint16_t>(i)), kNow);
  std::vector<HotSubject> found = hot.of("requests", kNow);
  ASSERT_EQ(found.size(), HotLimits::kMaxSubjects);
  EXPECT_EQ(found.back().per[0].second, "c50");
  EXPECT_TRUE(hot.of("requests", kNow + HotLimits::kKept).empty());
  hot.add(event("late", 1), kNow + HotLimits::kKept);
  found = hot.of("requests", kNow + HotLimits::kKept);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].per[0].second, "late");
}

TEST_F(HotLimitsTest, LimitsBeyondTheBoundHaveNoTable) {
  std::string yaml = "limits:\n";
  for (std::size_t i = 0; i < HotLimits::kMaxLimits + 2; ++i) {
    yaml += "  - { name: l" + std::to_string(i) + ", per: caller, meter: requests, allow: 1/1m }\n";
  }
  compile(yaml);
  hot.add(event("ann", 10, HotLimits::kMaxLimits - 1), kNow);
  hot.add(event("ann", 10, HotLimits::kMaxLimits), kNow);
  EXPECT_EQ(hot.of("l" + std::to_string(HotLimits::kMaxLimits - 1), kNow).size(), 1u);
  EXPECT_TRUE(hot.of("l" + std::to_string(HotLimits::kMaxLimits), kNow).empty());
}

TEST(RefusalBook, CountsByTheHourForTheStoreAndOfTheLastHour) {
  RefusalBook book;
  book.add(kNow, "tokens", "rate", "ann", false);
  book.add(kNow, "tokens", "rate", "ann", false);
  book.add(kNow, "tokens", "rate", "ann", true);
  EXPECT_EQ(book.last_hour("tokens", kNow), 2);
  EXPECT_EQ(book.last_hour("tokens", kNow + kHour - kMinute), 2);
  book.add(kNow + kHour, "tokens", "rate", "ann", false);
  EXPECT_EQ(book.last_hour("tokens", kNow + kHour), 1);
  EXPECT_EQ(book.last_hour("tokens", kNow + 3 * kHour), 0);
  EXPECT_EQ(book.last_hour("spend", kNow), 0);
  const std::vector<RefusalHour> rows = book.take();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0], (RefusalHour{.hour = kNow / kHour, .limit = "tokens", .layer = "rate", .key = "ann", .count = 2}));
  EXPECT_TRUE(rows[1].shadow);
  EXPECT_TRUE(book.take().empty());
  book.give_back(rows);
  book.add(kNow, "tokens", "rate", "ann", false);
  EXPECT_EQ(book.take()[0].count, 3);
}

TEST(RefusalBook, BeyondItsBoundRefusalsAreCountedWithoutTheirKey) {
  RefusalBook book;
  for (std::size_t i = 0; i < RefusalBook::kMaxWaiting + 50; ++i) {
    book.add(kNow, "tokens", "rate", "k" + std::to_string(i), false);
  }
  const std::vector<RefusalHour> rows = book.take();
  ASSERT_EQ(rows.size(), RefusalBook::kMaxWaiting + 1);
  EXPECT_EQ(rows[0].key, "");
  EXPECT_EQ(rows[0].count, 50);
  for (std::size_t i = 0; i < 3 * RefusalBook::kMaxWaiting; ++i) {
    book.add(kNow, "l" + std::to_string(i), "rate", "ann", false);
  }
  EXPECT_LE(book.take().size(), RefusalBook::kMaxWaiting * 9 / 8);
  EXPECT_EQ(book.last_hour("l" + std::to_string(RefusalBook::kMaxLimits + 1), kNow), 0);
}

TEST(RefusalBook, TheStoreAddsToWhatItHas) {
  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
  const std::vector<RefusalHour> rows = {
      {.hour = 7, .limit = "tokens", .layer = "rate", .key = "ann", .shadow = true, .count = 2}};
  EXPECT_TRUE(store.add_refusal_hours(rows));
  EXPECT_TRUE(store.add_refusal_hours(rows));
  EXPECT_TRUE(store.add_refusal_hours({}));
}

}  // namespace
}  // namespace weir
