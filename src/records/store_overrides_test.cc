// What an operator changed, kept.
#include <gtest/gtest.h>

#include "journal/test_support.h"
#include "records/queries.h"
#include "records/sqlite.h"
#include "records/store.h"

namespace weir {
namespace {

using Kind = Override::Kind;

class StoreOverrides : public testing::Test {
 protected:
  Result<OverrideOutcome> change(Kind kind, std::string name, std::string before, std::string after, TimeNs at = 9) {
    const OverrideChange one{kind, std::move(name), std::move(before), std::move(after)};
    return store.change_overrides({&one, 1}, {.at = at, .by = "ops"});
  }
  std::vector<AuditRow> changes() { return store.override_changes(0, 1'000, 100).value(); }

  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
};

TEST_F(StoreOverrides, ArePutReplacedAndDeletedAndEachIsAudited) {
  EXPECT_EQ(change(Kind::kTier, "pro", "", R"({"weight":8})", 1), OverrideOutcome::kDone);
  EXPECT_EQ(change(Kind::kLimit, "tokens", "", "{}", 2), OverrideOutcome::kDone);
  EXPECT_EQ(change(Kind::kTier, "pro", R"({"weight":8})", R"({"weight":9})", 3), OverrideOutcome::kDone);
  EXPECT_EQ(store.overrides().value(), (std::vector<Override>{{Kind::kLimit, "tokens", "{}", "ops", 2},
                                                              {Kind::kTier, "pro", R"({"weight":9})", "ops", 3}}));
  EXPECT_EQ(change(Kind::kTier, "pro", R"({"weight":9})", "", 4), OverrideOutcome::kDone);
  EXPECT_EQ(store.overrides().value().size(), 1u);
  ASSERT_EQ(changes().size(), 4u);
  EXPECT_EQ(changes()[0].evidence, R"(by ops: was {"weight":9}, is nothing)");
  EXPECT_EQ(changes()[1].evidence, R"(by ops: was {"weight":8}, is {"weight":9})");
  EXPECT_EQ(changes()[3].limit, "override tier");
  EXPECT_EQ(changes()[3].per_json, R"({"tier":"pro"})");
  EXPECT_EQ(store.override_changes(0, 3, 1, 1).value()[0].time, 1);
}

TEST_F(StoreOverrides, ChangesAreReadAPageAtATimeWhateverElseTheAuditHolds) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(change(Kind::kTier, "t" + std::to_string(i), "", "{}", 3), OverrideOutcome::kDone);
  }
  const std::vector<AuditRow> others(2 * kMaxQueryPage,
                                     {.time = 4, .event = AuditEvent::kAdmin, .limit = "overridden"});
  ASSERT_TRUE(store.book({}, others, {}));
  ASSERT_EQ(changes().size(), 5u);
  EXPECT_EQ(changes()[0].per_json, R"({"tier":"t4"})") << "the last of one instant first";
  EXPECT_EQ(store.override_changes(0, 9, 2, 4).value().size(), 1u);
  EXPECT_EQ(store.override_changes(0, 9, 2, 5).value().size(), 0u);
  EXPECT_EQ(store.override_changes(0, 3, 2, 0).value().size(), 0u) << "until the third instant";
  std::vector<AuditRow> many(kMaxQueryPage + 2, {.time = 5, .event = AuditEvent::kAdmin, .limit = "override tier"});
  ASSERT_TRUE(store.book({}, many, {}));
  EXPECT_EQ(store.override_changes(0, 9, 1'000'000).value().size(), kMaxQueryPage + 1);
}

TEST_F(StoreOverrides, OneThatIsNotAsItWasChangesNothing) {
  EXPECT_EQ(change(Kind::kTier, "pro", "", "{}"), OverrideOutcome::kDone);
  EXPECT_EQ(change(Kind::kTier, "pro", "", R"({"weight":1})"), OverrideOutcome::kChangedMeanwhile);
  const OverrideChange both[] = {{Kind::kTier, "free", "", "{}"}, {Kind::kTier, "pro", "x", ""}};
  EXPECT_EQ(store.change_overrides(both, {.at = 9, .by = "ops"}), OverrideOutcome::kChangedMeanwhile);
  EXPECT_EQ(store.overrides().value().size(), 1u);
  EXPECT_EQ(changes().size(), 1u);
}

TEST_F(StoreOverrides, OtherProcessesSeeThemChange) {
  Store server = Store::open(dir.path()).value();
  const auto before = server.data_version().value();
  EXPECT_EQ(change(Kind::kTier, "pro", "", "{}"), OverrideOutcome::kDone);
  EXPECT_NE(server.data_version().value(), before);
}

TEST_F(StoreOverrides, AreBounded) {
  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  ASSERT_TRUE(
      db.execute(("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                  std::to_string(kMaxOverrides) + ") INSERT INTO overrides SELECT 2, 't' || i, '{}', '', 0 FROM n")
                     .c_str()));
  EXPECT_EQ(change(Kind::kTier, "pro", "", "{}"), OverrideOutcome::kTooMany);
  EXPECT_EQ(store.overrides().value().size(), kMaxOverrides);
  EXPECT_EQ(change(Kind::kTenant, "t1", "{}", ""), OverrideOutcome::kDone);
  EXPECT_EQ(change(Kind::kTier, "pro", "", "{}"), OverrideOutcome::kDone);
  EXPECT_FALSE(change(Kind::kTier, "pro", "{}", std::string(kMaxOverrideBytes + 1, ' ')));
}

TEST_F(StoreOverrides, ARowThatNobodyCanReadIsPassedOver) {
  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  ASSERT_TRUE(db.execute("INSERT INTO overrides VALUES (77, 'x', 'y', '', 0)"));
  EXPECT_TRUE(store.overrides().value().empty());
}

TEST_F(StoreOverrides, WhatShadowLimitsWouldHaveRefusedIsSummedByKey) {
  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  ASSERT_TRUE(db.execute(
      "INSERT INTO refusal_hours VALUES (1,'a','rate','k',1,2),(2,'a','rate','k',1,3),(2,'a','rate','l',1,9),"
      "(2,'a','rate','k',0,50),(9,'a','rate','k',1,100)"));
  const auto rows = store.shadow_refusals(kHour + 5, 9 * kHour).value();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].key, "l");
  EXPECT_EQ(rows[1].count, 5);
}

}  // namespace
}  // namespace weir
