#include "base/strings.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <string>

namespace weir {
namespace {

TEST(Strings, ComparesIgnoringCaseOfAsciiOnly) {
  EXPECT_TRUE(equal_ignoring_case("Content-Type", "cONTENT-tYPE"));
  EXPECT_TRUE(equal_ignoring_case("", ""));
  EXPECT_FALSE(equal_ignoring_case("a", "ab"));
  EXPECT_FALSE(equal_ignoring_case("[", "{"));  // 0x20 apart, but no letters
  EXPECT_FALSE(equal_ignoring_case("\xC4", "\xE4"));
}

TEST(Strings, TrimsSpacesAndTabs) {
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  EXPECT_EQ(trim(" \t "), "");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim("\na\r"), "\na\r");
}

TEST(Strings, ParsesDecimals) {
  EXPECT_EQ(parse_decimal("0"), 0);
  EXPECT_EQ(parse_decimal("007"), 7);
  EXPECT_EQ(parse_decimal("9223372036854775807"), 9223372036854775807);
  for (const char* bad :
       {"", " 1", "1 ", "+1", "-1", "1.0", "1e3", "0x1", "9223372036854775808", "99999999999999999999"}) {
    EXPECT_FALSE(parse_decimal(bad)) << bad;
  }
}

RC_GTEST_PROP(Strings, DecimalsReadBack, (std::uint32_t high, std::uint32_t low)) {
  const std::int64_t value = static_cast<std::int64_t>(std::uint64_t{high} << 31 ^ low);
  RC_ASSERT(parse_decimal(std::to_string(value)) == value);
}

TEST(Strings, KnowsWellFormedUtf8) {
  for (const char* good : {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "a\xC3\xA9z"}) {
    EXPECT_TRUE(is_valid_utf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF", "\xE0\xA0",
                          "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
                          "\xF0\x90\x80", "\xFE", "\xFF", "ab\xC3"}) {
    EXPECT_FALSE(is_valid_utf8(bad)) << bad;
  }
}

TEST(Strings, Utf8SequenceLengths) {
  EXPECT_EQ(utf8_sequence_length(""), 0U);
  EXPECT_EQ(utf8_sequence_length("ab"), 1U);
  EXPECT_EQ(utf8_sequence_length("\xC3\xA9x"), 2U);
  EXPECT_EQ(utf8_sequence_length("\xE2\x82\xACx"), 3U);
  EXPECT_EQ(utf8_sequence_length("\xF0\x9F\x98\x80x"), 4U);
  EXPECT_EQ(utf8_sequence_length("\x80"), 0U);
}

// RFC 3629: exactly the code points that are not surrogates encode to well-formed UTF-8.
TEST(Strings, EveryCodePoint) {
  const auto byte = [](unsigned value) { return static_cast<char>(value); };
  for (unsigned code = 0; code <= 0x10FFFF; code += code < 0x3000 ? 1 : 61) {
    std::string text;
    if (code < 0x80) {
      text = {byte(code)};
    } else if (code < 0x800) {
      text = {byte(0xC0 | code >> 6), byte(0x80 | (code & 0x3F))};
    } else if (code < 0x10000) {
      text = {byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 0x3F)), byte(0x80 | (code & 0x3F))};
    } else {
      text = {byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 0x3F)), byte(0x80 | (code >> 6 & 0x3F)),
              byte(0x80 | (code & 0x3F))};
    }
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    ASSERT_EQ(utf8_sequence_length(text), surrogate ? 0 : text.size()) << code;
  }
}

TEST(Strings, GlobsMatchTheWholeText) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_TRUE(glob_match("gpt-*", "gpt-4o"));
  EXPECT_TRUE(glob_match("gpt-*", "gpt-"));
  EXPECT_FALSE(glob_match("gpt-*", "xgpt-4"));
  EXPECT_TRUE(glob_match("*payment*", "make_payment_now"));
  EXPECT_TRUE(glob_match("a*b*c", "a--b-b--c"));
  EXPECT_FALSE(glob_match("a*b*c", "a--b--c-"));
  EXPECT_TRUE(glob_match("a**b", "ab"));
  EXPECT_FALSE(glob_match("a.c", "abc"));  // no other character is special
  EXPECT_FALSE(glob_match("a?c", "abc"));
  EXPECT_FALSE(glob_match(std::string(50, '*') + "b", std::string(5'000, 'a')));  // and quickly
}

bool naive_glob(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return naive_glob(pattern.substr(1), text) || (!text.empty() && naive_glob(pattern, text.substr(1)));
  }
  return !text.empty() && pattern[0] == text[0] && naive_glob(pattern.substr(1), text.substr(1));
}

RC_GTEST_PROP(Strings, GlobsAgreeWithTheirDefinition, ()) {
  const auto pattern = *rc::gen::resize(8, rc::gen::container<std::string>(rc::gen::element('a', 'b', '*')));
  const auto text = *rc::gen::resize(10, rc::gen::container<std::string>(rc::gen::element('a', 'b')));
  RC_ASSERT(glob_match(pattern, text) == naive_glob(pattern, text));
}

TEST(Strings, FindsMisspelledWords) {
  constexpr std::array<std::string_view, 4> kWords{"limits", "listen", "tiers", "zone"};
  EXPECT_EQ(nearest_word("limit", kWords), "limits");
  EXPECT_EQ(nearest_word("lisetn", kWords), "listen");
  EXPECT_EQ(nearest_word("Zone", kWords), "zone");
  EXPECT_EQ(nearest_word("tier", kWords), "tiers");
  EXPECT_EQ(nearest_word("completely-else", kWords), std::nullopt);
  EXPECT_EQ(nearest_word("x", kWords), std::nullopt);
  EXPECT_EQ(nearest_word("x", {}), std::nullopt);
}

}  // namespace
}  // namespace weir
