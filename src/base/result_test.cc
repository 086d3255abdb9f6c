#include "base/result.h"

#include <gtest/gtest.h>

#include "base/check.h"

namespace weir {
namespace {

Result<int> halve(int value) {
  if (value % 2 != 0) return fail("odd");
  return value / 2;
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_EQ(halve(4).value_or(-1), 2);
  const Result<int> odd = halve(3);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().message, "odd");
}

TEST(CheckDeathTest, EndsTheProcessAndNamesTheCondition) {
  const int size = 3;
  WEIR_CHECK(size == 3);
  EXPECT_DEATH(WEIR_CHECK(size == 4), "size == 4.*result_test.cc");
}

}  // namespace
}  // namespace weir
