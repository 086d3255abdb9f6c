#include "tokens/utf8_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weir {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::string valid(std::string_view text) {
  std::string copy;
  return std::string(valid_utf8(text, copy));
}

std::string replaced(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += kReplacement;
  return text;
}

TEST(Utf8Text, ValidTextIsNotCopied) {
  const std::string_view text = "plain, äß, 中, \xF0\x9F\x98\x80, and sixteen more bytes";
  std::string copy;
  EXPECT_EQ(valid_utf8(text, copy).data(), text.data());
  EXPECT_EQ(valid_prefix(text), text.size());
}

TEST(Utf8Text, EachLongestPartThatCouldHaveBegunACharacterBecomesOneReplacement) {
  EXPECT_EQ(valid("\x80"), replaced(1));
  EXPECT_EQ(valid("\xFF\xFE"), replaced(2));
  EXPECT_EQ(valid("a\xE4\xB8z"), "a" + replaced(1) + "z");         // two good bytes of three
  EXPECT_EQ(valid("\xF0\x9F\x98"), replaced(1));                   // three good bytes of four
  EXPECT_EQ(valid("\xC0\xAF"), replaced(2));                       // overlong
  EXPECT_EQ(valid("\xE0\x80\x80"), replaced(3));                   // overlong
  EXPECT_EQ(valid("\xED\xA0\x80"), replaced(3));                   // a surrogate
  EXPECT_EQ(valid("\xF4\x90\x80\x80"), replaced(4));               // above U+10FFFF
  EXPECT_EQ(valid("\xF1\x80\xC3\xA9"), replaced(1) + "\xC3\xA9");  // the next character begins at once
  EXPECT_EQ(valid("0123456789abcdef0123\xFFz"), "0123456789abcdef0123" + replaced(1) + "z");
}

TEST(Utf8Text, AnUnfinishedCharacterIsFoundAtTheEndOnly) {
  EXPECT_EQ(unfinished_bytes(""), 0u);
  EXPECT_EQ(unfinished_bytes("a"), 0u);
  EXPECT_EQ(unfinished_bytes("a\xC3"), 1u);
  EXPECT_EQ(unfinished_bytes("a\xE4\xB8"), 2u);
  EXPECT_EQ(unfinished_bytes("a\xF0\x9F\x98"), 3u);
  EXPECT_EQ(unfinished_bytes("a\xF0\x9F\x98\x80"), 0u);
  EXPECT_EQ(unfinished_bytes("a\xED\xA0"), 0u);  // can never become a character
  EXPECT_EQ(unfinished_bytes("\x80\x80\x80"), 0u);
}

RC_GTEST_PROP(Utf8TextProperty, TheResultIsValidAndTheSameWhereverTheTextIsCut, ()) {
  const auto bytes = *rc::gen::container<std::string>(
      rc::gen::weightedOneOf<char>({{3, rc::gen::elementOf(std::string("\xF0\x9F\x98\xE4\xB8\xC3\xED\xA0\xF4\x90"))},
                                    {1, rc::gen::arbitrary<char>()}}));
  const std::string whole = valid(bytes);
  RC_ASSERT(valid_prefix(whole) == whole.size());
  const std::size_t cut = *rc::gen::inRange<std::size_t>(0, bytes.size() + 1);
  const std::string_view front = std::string_view(bytes).substr(0, cut);
  const std::size_t rest = unfinished_bytes(front);
  std::string joined;
  append_valid(front.substr(0, cut - rest), joined);
  append_valid(std::string_view(bytes).substr(cut - rest), joined);
  RC_ASSERT(joined == whole);
}

}  // namespace
}  // namespace weir
