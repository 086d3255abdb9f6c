#include "app/policy_source.h"

#include <gtest/gtest.h>

#include "journal/test_support.h"
#include "records/sqlite.h"

namespace weir {
namespace {

TEST(PolicySource, OverridesThatCannotBeReadAnyMoreGoOnAsTheyWereReadLast) {
  TempDir dir;
  auto store = Store::open(dir.path(), {.create = true});
  ASSERT_TRUE(store);
  const std::string json = R"({"mode":"shadow"})";
  const OverrideChange change{Override::Kind::kLimit, "tokens", "", json};
  ASSERT_EQ(store->change_overrides({&change, 1}, {.at = 1, .by = "ops"}).value(), OverrideOutcome::kDone);
  PolicySource source;
  source.use_store(dir.path());
  ASSERT_EQ(source.read()->state->overrides.size(), 1u);

  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  ASSERT_TRUE(db.execute("ALTER TABLE overrides RENAME TO away"));
  const auto kept = source.read();
  ASSERT_TRUE(kept);
  EXPECT_NE(kept->state->overrides_fault, "");
  ASSERT_EQ(kept->state->overrides.size(), 1u) << "a reload meanwhile must not undo what operators set";
  EXPECT_EQ(kept->state->overrides[0].json, json);
  EXPECT_FALSE(source.overrides_differ(*kept->state));
  ASSERT_TRUE(db.execute("ALTER TABLE away RENAME TO overrides"));
  EXPECT_TRUE(source.overrides_differ(*kept->state)) << "the fault is over";
}

}  // namespace
}  // namespace weir
