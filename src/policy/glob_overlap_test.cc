#include "policy/glob_overlap.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/strings.h"

namespace weir {
namespace {

TEST(GlobOverlapTest, KnowsWhatMeets) {
  EXPECT_TRUE(globs_overlap("gpt-*", "*-mini"));
  EXPECT_TRUE(globs_overlap("gpt-4o", "gpt-*"));
  EXPECT_TRUE(globs_overlap("*", ""));
  EXPECT_TRUE(globs_overlap("a*c", "ac"));
  EXPECT_TRUE(globs_overlap("a*b*c", "*b*"));
  EXPECT_FALSE(globs_overlap("gpt-*", "claude-*"));
  EXPECT_FALSE(globs_overlap("a", "b"));
  EXPECT_FALSE(globs_overlap("", "a*"));
}

// Over short texts of two letters, trying every text decides what overlaps.
RC_GTEST_PROP(GlobOverlapTest, AgreesWithTryingEveryText, ()) {
  const auto letters = rc::gen::elementOf(std::string("ab*"));
  const auto glob = [&] {
    auto text = *rc::gen::container<std::string>(letters);
    return text.substr(0, 4);
  };
  const std::string a = glob();
  const std::string b = glob();
  bool any = false;
  for (unsigned length = 0; length <= 8 && !any; ++length) {
    for (unsigned bits = 0; bits < (1u << length) && !any; ++bits) {
      std::string text;
      for (unsigned i = 0; i < length; ++i) text += (bits >> i) & 1 ? 'a' : 'b';
      any = glob_match(a, text) && glob_match(b, text);
    }
  }
  RC_ASSERT(globs_overlap(a, b) == any);
  RC_ASSERT(globs_overlap(b, a) == any);
}

}  // namespace
}  // namespace weir
