#include "journal/audit_sum.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/time.h"

namespace weir {
namespace {

AuditRow refusal(const std::string& key, const std::string& limit, TimeNs now) {
  AuditRow row;
  row.time = now;
  row.key = key;
  row.limit = limit;
  row.request_id = "req_" + std::to_string(now);
  return row;
}

std::int64_t total(const std::vector<AuditRow>& rows) {
  std::int64_t sum = 0;
  for (const AuditRow& row : rows) sum += row.count;
  return sum;
}

TEST(AuditSum, TwentySinglesThenOneSum) {
  AuditSum audit;
  std::vector<AuditRow> rows;
  for (int i = 0; i < 100; ++i) audit.add(refusal("ann", "tokens", 5 * kSecond + i), 5 * kSecond + i, rows);
  EXPECT_EQ(rows.size(), 20u);
  audit.flush(5 * kSecond + 999, rows);
  EXPECT_EQ(rows.size(), 20u) << "the second is not over";
  audit.flush(6 * kSecond, rows);
  ASSERT_EQ(rows.size(), 21u);
  EXPECT_EQ(rows.back().count, 80);
  EXPECT_EQ(rows.back().request_id, "req_5000000020") << "of the first that is summed";
  EXPECT_EQ(total(rows), 100);
}

TEST(AuditSum, KeysAndLimitsAndSecondsAreApart) {
  AuditSum audit(1);
  std::vector<AuditRow> rows;
  for (const char* key : {"a", "b"}) {
    for (const char* limit : {"x", "y"}) {
      for (int i = 0; i < 3; ++i) audit.add(refusal(key, limit, kSecond), kSecond, rows);
    }
  }
  EXPECT_EQ(rows.size(), 4u);
  audit.add(refusal("a", "x", 2 * kSecond), 2 * kSecond, rows);
  EXPECT_EQ(rows.size(), 9u) << "four sums of the second before, and one single";
  EXPECT_EQ(total(rows), 13);
}

TEST(AuditSum, OtherEventsAlwaysPass) {
  AuditSum audit(0);
  std::vector<AuditRow> rows;
  AuditRow row = refusal("ann", "tokens", kSecond);
  row.event = AuditEvent::kAdmin;
  for (int i = 0; i < 50; ++i) audit.add(row, kSecond, rows);
  EXPECT_EQ(rows.size(), 50u);
}

TEST(AuditSum, WarningsAndBreaksAreSummedLikeRefusalsAndApartFromThem) {
  AuditSum audit(1);
  std::vector<AuditRow> rows;
  for (const AuditEvent event : {AuditEvent::kRefused, AuditEvent::kWarned, AuditEvent::kBroken, AuditEvent::kStripped,
                                 AuditEvent::kDegraded, AuditEvent::kTrust}) {
    AuditRow row = refusal("ann", "repeats", kSecond);
    row.event = event;
    for (int i = 0; i < 100; ++i) audit.add(row, kSecond, rows);
  }
  EXPECT_EQ(rows.size(), 6u);
  audit.flush(2 * kSecond, rows);
  EXPECT_EQ(rows.size(), 12u);
  EXPECT_EQ(total(rows), 600);
}

TEST(AuditSum, ToolsAreApartAndRunsAreNot) {
  AuditSum audit(1);
  std::vector<AuditRow> rows;
  for (int i = 0; i < 100; ++i) {
    AuditRow row = refusal("ann", "high-risk", kSecond);
    row.tool = i % 2 == 0 ? "pay" : "mail";
    row.run = "run" + std::to_string(i);
    audit.add(row, kSecond, rows);
  }
  audit.flush(2 * kSecond, rows);
  EXPECT_EQ(rows.size(), 4u);
  EXPECT_EQ(total(rows), 100);
}

TEST(AuditSum, AFloodIsSummedForEachUserAndNobodyIsBlamedForAnother) {
  AuditSum audit(1);
  std::vector<AuditRow> rows;
  for (int i = 0; i < 90; ++i) {
    AuditRow row = refusal("widget", "requests", kSecond);
    row.user = i % 3 == 0 ? "eve" : "mallory";
    audit.add(row, kSecond, rows);
  }
  ASSERT_EQ(rows.size(), 1u) << "how many pass does not grow with the users";
  audit.flush(2 * kSecond, rows);
  ASSERT_EQ(rows.size(), 3u);
  std::int64_t eve = 0;
  for (const AuditRow& row : rows) eve += row.user == "eve" ? row.count : 0;
  EXPECT_EQ(eve, 30);
  EXPECT_EQ(total(rows), 90);
}

TEST(AuditSum, ManyUsersShareARowThatNamesNone) {
  AuditSum audit(0);
  std::vector<AuditRow> rows;
  for (std::size_t i = 0; i < kMaxSummedUsers + 50; ++i) {
    AuditRow row = refusal("widget", "requests", kSecond);
    row.user = "user" + std::to_string(i);
    row.per_json = R"({"caller":"user"})";
    audit.add(row, kSecond, rows);
  }
  audit.flush(2 * kSecond, rows);
  ASSERT_EQ(rows.size(), kMaxSummedUsers + 1);
  EXPECT_EQ(rows.back().count, 50);
  EXPECT_EQ(rows.back().user + rows.back().per_json, "{}");
}

TEST(AuditSum, SumsOfAllCombinationsTogetherAreBounded) {
  AuditSum audit(0);
  std::vector<AuditRow> rows;
  const std::size_t keys = kMaxAuditPairs, users = 3;
  for (std::size_t i = 0; i < keys * users; ++i) {
    AuditRow row = refusal("key" + std::to_string(i / users), "x", kSecond);
    row.user = "user" + std::to_string(i % users);
    audit.add(row, kSecond, rows);
  }
  audit.flush(2 * kSecond, rows);
  EXPECT_LE(rows.size(), 3 * kMaxAuditPairs);
  EXPECT_EQ(total(rows), static_cast<std::int64_t>(keys * users));
}

TEST(AuditSum, TimeThatGoesBackOpensNothingAnew) {
  AuditSum audit(1);
  std::vector<AuditRow> rows;
  audit.add(refusal("a", "x", 10 * kSecond), 10 * kSecond, rows);
  for (int i = 0; i < 10; ++i) audit.add(refusal("a", "x", 9 * kSecond), 9 * kSecond, rows);
  EXPECT_EQ(rows.size(), 1u);
  audit.flush(9 * kSecond, rows, true);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.back().count, 10);
}

TEST(AuditSum, AClockThatJumpedAheadAndBackHoldsNoSumsUntilItIsThereAgain) {
  AuditSum audit(1);
  std::vector<AuditRow> rows;
  for (int i = 0; i < 3; ++i) audit.add(refusal("a", "x", 1), 100'000 * kSecond, rows);
  audit.flush(1000 * kSecond, rows);
  ASSERT_EQ(rows.size(), 2u) << "the second ahead is over";
  EXPECT_EQ(rows.back().count, 2);
  for (int i = 0; i < 3; ++i) audit.add(refusal("a", "x", 1), 1000 * kSecond, rows);
  EXPECT_EQ(rows.size(), 3u);
  audit.flush(1001 * kSecond, rows);
  EXPECT_EQ(rows.size(), 4u);
  for (int i = 0; i < 3; ++i) audit.add(refusal("a", "x", 1), 500 * kSecond, rows);
  audit.flush(501 * kSecond, rows);
  EXPECT_EQ(rows.size(), 6u) << "also when no flush came between";
  EXPECT_EQ(total(rows), 9);
}

TEST(AuditSum, WhoFloodsIsNamedAndNobodyElseForIt) {
  AuditSum audit(1);
  std::vector<AuditRow> rows;
  const auto refuse = [&](const std::string& user) {
    AuditRow row = refusal("backend", "requests", kSecond);
    row.user = user;
    row.run = "run of " + user;
    audit.add(std::move(row), kSecond, rows);
  };
  refuse("first");
  for (std::size_t user = 1; user < kMaxSummedUsers; ++user) refuse("user" + std::to_string(user));
  for (int i = 0; i < 900; ++i) refuse("eve");
  for (int i = 0; i < 50; ++i) refuse("named anew " + std::to_string(i));
  EXPECT_EQ(rows.size(), 1u);
  audit.flush(2 * kSecond, rows);
  ASSERT_EQ(rows.size(), 1 + kMaxSummedUsers + 1) << "users, and the rest";
  EXPECT_EQ(rows[kMaxSummedUsers].user, "eve");
  EXPECT_EQ(rows[kMaxSummedUsers].count, 900);
  EXPECT_EQ(rows.back().user + rows.back().run, "") << "of many users";
  EXPECT_EQ(rows.back().count, 50);
}

TEST(AuditSum, MemoryIsBoundedAndNothingIsLost) {
  AuditSum audit;
  std::vector<AuditRow> rows;
  const std::size_t many = kMaxAuditPairs + 500;
  for (std::size_t i = 0; i < many; ++i) audit.add(refusal("key" + std::to_string(i), "x", kSecond), kSecond, rows);
  EXPECT_EQ(rows.size(), kMaxAuditPairs);
  audit.flush(2 * kSecond, rows);
  ASSERT_EQ(rows.size(), kMaxAuditPairs + 1);
  EXPECT_EQ(rows.back().key, "");
  EXPECT_EQ(rows.back().count, 500);
}

TEST(AuditSum, SharedBetweenThreads) {
  AuditSum audit;
  std::atomic<std::int64_t> sum{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::vector<AuditRow> rows;
      for (int i = 0; i < 2000; ++i) {
        const TimeNs now = kSecond * (1 + i / 500);
        audit.add(refusal("ann", "x", now), now, rows);
      }
      sum += total(rows);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<AuditRow> rows;
  audit.flush(100 * kSecond, rows);
  EXPECT_EQ(sum + total(rows), 8000);
}

}  // namespace
}  // namespace weir
