// What is told of a change of metadata.
#include "records/metadata.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

Consumer with(std::map<std::string, std::string> metadata) {
  return {.metadata = std::move(metadata)};
}

TEST(MetadataChanges, AreCutWhereTheyAreLongAndEndWithHowManyMore) {
  Consumer many;
  for (int i = 0; i < 40; ++i) many.metadata["a" + std::to_string(i)] = "x";
  const std::string umlauts = std::string(199, 'y') + "ü";
  many.metadata["limits.spend"] = umlauts;
  const std::string told = metadata_changes({}, many);
  EXPECT_TRUE(told.starts_with("limits.spend (none) -> \"" + std::string(199, 'y') + "…\", a0 added, ")) << told;
  EXPECT_TRUE(told.ends_with(" added and 9 more")) << told;
  EXPECT_TRUE(members_gone(many, {}).ends_with(" and 9 more"));
  EXPECT_EQ(metadata_changes(many, many), "");
}

TEST(MetadataChanges, NamesAndValuesCannotPassForOthers) {
  EXPECT_EQ(metadata_changes(with({{"limits.a", "1/1m"}}), with({{"limits.a", "9\" -> \"1/1m"}})),
            R"(limits.a "1/1m" -> "9\" -> \"1/1m")");
  EXPECT_EQ(metadata_changes({}, with({{"x added, y", "1"}})), R"("x added, y" added)");
}

TEST(MetadataChanges, EveryLimitIsToldByItsOwnName) {
  EXPECT_EQ(
      metadata_changes(with({{"limits.gpt-4", "1/1m"}}), with({{"limits.gpt-4", "1/1m"}, {"limits.gpt-4.1", "2"}})),
      R"(limits.gpt-4.1 (none) -> "2")");
  EXPECT_EQ(members_gone(with({{"limits.a", "1"}, {"limits.b", "1"}}), with({{"limits.b", "1"}})), "limits.a");
  EXPECT_EQ(members_gone(with({{"limits.a", "1"}, {"limits.b", "1"}, {"plan.x", "y"}}), {}), "limits, plan");
  EXPECT_EQ(members_gone(with({{"plan.x", "1"}, {"plan.y", "1"}}), with({{"plan.x", "1"}})), "")
      << "of other members only the whole is told";
}

}  // namespace
}  // namespace weir
