#include "base/lru_map.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

TEST(LruMap, ForgetsWhatWasUsedLeastRecently) {
  LruMap<int, int> map(3);
  for (int i = 1; i <= 3; ++i) map.touch(i) = 10 * i;
  map.touch(1);
  map.touch(4) = 40;  // 2 is the oldest use
  EXPECT_EQ(map.size(), 3u);
  EXPECT_EQ(map.find(2), nullptr);
  ASSERT_NE(map.find(1), nullptr);
  EXPECT_EQ(*map.find(1), 10);
  EXPECT_EQ(*map.find(4), 40);
}

TEST(LruMap, LookingIsNoUse) {
  LruMap<int, int> map(2);
  map.touch(1) = 1;
  map.touch(2) = 2;
  EXPECT_NE(map.find(1), nullptr);
  map.touch(3);
  EXPECT_EQ(map.find(1), nullptr);
}

TEST(LruMap, UsingNeverMakes) {
  LruMap<int, int> map(2);
  EXPECT_EQ(map.use(1), nullptr);
  map.touch(1) = 1;
  map.touch(2) = 2;
  ASSERT_NE(map.use(1), nullptr);
  map.touch(3);
  EXPECT_EQ(map.find(2), nullptr) << "1 was used after it";
  EXPECT_EQ(*map.find(1), 1);
}

TEST(LruMap, WhatIsErasedMakesRoom) {
  LruMap<int, int> map(2);
  map.touch(1) = 1;
  map.touch(2) = 2;
  map.erase(2);
  map.erase(7);
  map.touch(3);
  EXPECT_EQ(map.size(), 2u);
  EXPECT_NE(map.find(1), nullptr);
  EXPECT_EQ(map.find(2), nullptr);
}

TEST(LruMap, TextsAreLookedForByView) {
  LruMap<std::string, int, TextHash> map(1);
  map.touch(std::string_view("a")) = 1;
  EXPECT_NE(map.find(std::string_view("a")), nullptr);
  map.touch(std::string_view("b")) = 2;
  EXPECT_EQ(map.use(std::string_view("a")), nullptr);
  EXPECT_EQ(map.begin()->first, "b");
}

TEST(LruMap, ANewKeyStartsFromNothing) {
  LruMap<int, int> map(1);
  map.touch(1) = 7;
  map.touch(2) = 8;
  EXPECT_EQ(map.touch(1), 0);
}

}  // namespace
}  // namespace weir
