#include <gtest/gtest.h>

#include "checkers/checker_fixture.h"

namespace weir::sim {
namespace {

class RecordCheckersTest : public ::testing::Test {
 protected:
  // As a store that sums what the ledger holds, and one row more often than once.
  void sum(std::int64_t times) {
    world_.sums = [this, times](const UsageFilter& range) {
      UsageSums out;
      UsageSum sum{.group = range.until - range.since == kHour ? "ann" : "m"};
      for (const UsageRow& row : world_.ledger) {
        if (row.time < range.since || row.time >= range.until) continue;
        const std::int64_t counts = &row == &world_.ledger.back() ? times : 1;
        sum.requests += counts;
        sum.output_tokens += counts * row.usage.output();
      }
      if (sum.requests > 0) out.sums.push_back(sum);
      return out;
    };
  }
  void book(std::int64_t output) {
    UsageRow row = world_.row_of(world_.ask(), Settled::kUsage, output);
    row.model = "m";
    world_.ledger.push_back(row);
  }
  CheckerFixture world_;
};

TEST_F(RecordCheckersTest, SumsByHourAreThoseOfTheRows) {
  auto checker = world_.make(make_hour_sums);
  book(70);
  world_.wait(2 * kHour);
  book(30);
  sum(1);
  checker->at_end();
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  EXPECT_EQ(checker->looks(), 3u);
}

TEST_F(RecordCheckersTest, ARowThatIsSummedTwiceOrNotAtAllIsNoticed) {
  for (const std::int64_t times : {0, 2}) {
    world_.ledger.clear();
    auto checker = world_.make(make_hour_sums);
    book(70);
    sum(times);
    checker->at_end();
    EXPECT_TRUE(CheckerFixture::failed(*checker)) << times;
  }
}

TEST_F(RecordCheckersTest, SumsOfAnHourWithoutRowsAreNoticed) {
  auto checker = world_.make(make_hour_sums);
  world_.sums = [](const UsageFilter&) {
    UsageSums out;
    out.sums.push_back({.group = "m", .requests = 1});
    return out;
  };
  checker->at_end();
  EXPECT_TRUE(CheckerFixture::failed(*checker));
}

TEST_F(RecordCheckersTest, EveryChangeOfAnOperatorsIsInTheAuditOnce) {
  const auto row = [](const char* what, const char* per) {
    AuditRow out{.event = AuditEvent::kAdmin, .limit = what, .evidence = "by ops"};
    out.per_json = per;
    return out;
  };
  auto checker = world_.make(make_changes_audited);
  world_.changed("override limit", "requests");
  world_.changed("override limit", "requests");
  world_.changed("kill key", "ann");
  world_.audit = {row("override limit", R"({"limit":"requests"})"), row("kill key", R"({"key":"ann"})"),
                  row("override limit", R"({"limit":"requests"})")};
  world_.audit.push_back(row("kill key", R"({"key":"ann"})"));
  world_.audit.back().evidence = "by escalation: it loops";
  checker->at_end();
  EXPECT_EQ(CheckerFixture::why(*checker), "");
  EXPECT_EQ(checker->looks(), 2u);

  world_.audit.pop_back();
  world_.audit.pop_back();
  checker->at_end();
  EXPECT_EQ(checker->failures().size(), 1u) << "one of two overrides is not told";
  world_.audit[0].per_json = R"({"limit":"tokens"})";
  checker->at_end();
  EXPECT_EQ(checker->failures().size(), 2u) << "and a change of another limit is none of this";
}

}  // namespace
}  // namespace weir::sim
