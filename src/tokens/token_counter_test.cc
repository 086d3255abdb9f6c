#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tokens/test_texts.h"
#include "tokens/tokenizer.h"

namespace weir {
namespace {

RC_GTEST_PROP(TokenCounterProperty, CountsWhatTheWholeCountsHoweverItIsCut, ()) {
  const std::string text = *tokens_text();
  const auto cuts = *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 12));
  const bool ask_often = *rc::gen::arbitrary<bool>();
  for (const Encoding encoding : kAllEncodings) {
    const Tokenizer& tokenizer = Tokenizer::of(encoding);
    TokenCounter counter(tokenizer);
    std::size_t at = 0;
    for (const std::size_t cut : cuts) {
      if (at >= text.size()) break;
      counter.append(std::string_view(text).substr(at, cut));
      at = std::min(at + cut, text.size());
      if (ask_often) RC_ASSERT(counter.tokens() == tokenizer.count(std::string_view(text).substr(0, at)));
    }
    counter.append(std::string_view(text).substr(at));
    RC_ASSERT(counter.tokens() == tokenizer.count(text));
  }
}

// What is open may be long: runs whose pieces, and whose split, are known only at their end.
TEST(TokenCounter, LongRunsEndAsTheyWouldInTheWhole) {
  const std::string letters(3000, 'a'), capitals(3000, 'A'), spaces(3000, ' '), lines(700, '\n');
  const std::string texts[] = {
      letters + "'s b",
      capitals + "\u4E2D" + capitals + "x",
      capitals + "\u4E2D" + capitals + " x",
      "a" + spaces + "x",
      lines + spaces + "x",
      spaces + lines + spaces + lines + "'ll",
      "!" + std::string(3000, '!') + "\n\n/\n//a",
      std::string(3000, '7') + "\u00B2" + letters,
      "x" + lines + spaces + lines,
      "\u0301" + capitals + "b",
  };
  for (const Encoding encoding : kAllEncodings) {
    const Tokenizer& tokenizer = Tokenizer::of(encoding);
    for (const std::string& text : texts) {
      TokenCounter counter(tokenizer);
      for (std::size_t at = 0; at < text.size(); at += 97) {
        counter.append(std::string_view(text).substr(at, 97));
        ASSERT_EQ(counter.tokens(), tokenizer.count(std::string_view(text).substr(0, at + 97)));
      }
      EXPECT_EQ(counter.tokens(), tokenizer.count(text));
    }
  }
}

TEST(TokenCounter, AMegabyteOfOneLetterTenBytesAtATimeIsLinear) {
  const std::string piece(10, 'a');
  const Tokenizer& tokenizer = Tokenizer::of(Encoding::kO200k);
  TokenCounter counter(tokenizer);
  std::int64_t before = 0;
  for (int i = 0; i < 100'000; ++i) {
    counter.append(piece);
    if (i % 16 == 0) {
      ASSERT_GE(counter.tokens(), before);
      before = counter.tokens();
    }
  }
  EXPECT_EQ(counter.tokens(), tokenizer.count(std::string(1'000'000, 'a')));
}

TEST(TokenCounter, ABrokenCharacterCountsAsOneReplacementUntilItIsComplete) {
  const Tokenizer& tokenizer = Tokenizer::of(Encoding::kCl100k);
  TokenCounter counter(tokenizer);
  counter.append("x\xF0\x9F");
  EXPECT_EQ(counter.tokens(), tokenizer.count("x\uFFFD"));
  counter.append("\x98\x80");
  EXPECT_EQ(counter.tokens(), tokenizer.count("x\U0001F600"));
}

TEST(TokenCounter, MovesWithItsText) {
  const Tokenizer& tokenizer = Tokenizer::of(Encoding::kO200k);
  TokenCounter counter(tokenizer);
  counter.append("hel");
  TokenCounter other = std::move(counter);
  other.append("lo world");
  EXPECT_EQ(other.tokens(), 2);
}

}  // namespace
}  // namespace weir
