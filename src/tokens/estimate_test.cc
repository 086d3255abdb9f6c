#include "tokens/estimate.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weir {
namespace {

TEST(Estimate, OutputOfNothingIsNothing) {
  EXPECT_EQ(estimate_output_tokens(0), 0);
  EXPECT_EQ(estimate_output_tokens(1), 1);
  EXPECT_EQ(estimate_output_tokens(64), 20);
}

RC_GTEST_PROP(EstimateProperty, NeverBelowBytesOver32AndMonotonic, ()) {
  const auto bytes = *rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 35);
  const std::int64_t tokens = estimate_output_tokens(bytes);
  RC_ASSERT(tokens * 16 >= bytes * 5);
  RC_ASSERT((tokens - 1) * 16 < bytes * 5 || tokens == 0);
  RC_ASSERT(estimate_output_tokens(bytes + 1) >= tokens);
}

}  // namespace
}  // namespace weir
