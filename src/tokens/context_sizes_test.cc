#include "tokens/context_sizes.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

TEST(ContextSizes, AnIdIsItsOwnersOwn) {
  ContextSizes contexts;
  contexts.remember("acme", "resp_1", 5200);
  EXPECT_EQ(contexts.tokens_of("acme", "resp_1"), 5200);
  EXPECT_EQ(contexts.tokens_of("other", "resp_1"), std::nullopt);
  EXPECT_EQ(contexts.tokens_of("acm", "eresp_1"), std::nullopt);
  contexts.remember("acme", "resp_1", 100);
  EXPECT_EQ(contexts.tokens_of("acme", "resp_1"), 100);
}

TEST(ContextSizes, NonsenseIsNotRemembered) {
  ContextSizes contexts;
  contexts.remember("acme", "", 5);
  contexts.remember("acme", "x", -1);
  EXPECT_EQ(contexts.tokens_of("acme", ""), std::nullopt);
  EXPECT_EQ(contexts.tokens_of("acme", "x"), std::nullopt);
}

TEST(ContextSizes, ForgetsBeyondItsBound) {
  ContextSizes contexts;
  contexts.remember("acme", "first", 1);
  for (std::size_t i = 0; i < 2 * ContextSizes::kMaxIds; ++i) contexts.remember("acme", std::to_string(i), 2);
  EXPECT_EQ(contexts.tokens_of("acme", "first"), std::nullopt);
}

}  // namespace
}  // namespace weir
