#include "model/agent.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(CanonicalToolName, AsciiStaysAsItIsCaseIncluded) {
  for (const char* name : {"send_email", "Bash", "fs.read-file", "mcp__x__Y", "two words", "a"}) {
    EXPECT_EQ(canonical_tool_name(name), name);
  }
  EXPECT_NE(canonical_tool_name("Bash"), canonical_tool_name("bash"));
}

TEST(CanonicalToolName, LookAlikesShareOneName) {
  EXPECT_EQ(canonical_tool_name("s\u0435nd_\u0435m\u0430il"), "send_email");         // Cyrillic
  EXPECT_EQ(canonical_tool_name("\u0440\u0430\u0443_\u0441"), "pay_c");              // Cyrillic throughout
  EXPECT_EQ(canonical_tool_name("s\u03b5nd\u03bf"), "s\u03b5ndo");                   // Greek: only what looks alike
  EXPECT_EQ(canonical_tool_name("\u0391\u0392\u0396"), "ABZ");                       // Greek capitals
  EXPECT_EQ(canonical_tool_name("\uff53\uff45\uff4e\uff44\uff3f\uff11"), "send_1");  // full-width
  EXPECT_EQ(canonical_tool_name("send\u2010email"), "send-email");
}

TEST(CanonicalToolName, OtherLettersStay) {
  EXPECT_EQ(canonical_tool_name("\u9001\u4fe1"), "\u9001\u4fe1");
  EXPECT_EQ(canonical_tool_name("pr\u00fcfe"), "pr\u00fcfe");
  EXPECT_EQ(canonical_tool_name("\U0001F600"), "\U0001F600");
}

TEST(CanonicalToolName, IsItsOwnCanonicalName) {
  for (const char* name : {"s\u0435nd", "\uff21\uff5a", "\u9001", "plain"}) {
    const std::string once = canonical_tool_name(name);
    EXPECT_EQ(canonical_tool_name(once), once);
  }
}

TEST(CanonicalToolName, WhatNobodyCanSeeIsNoName) {
  EXPECT_EQ(canonical_tool_name(""), "");
  for (const char* name :
       {"a\nb", "a\x7f", "a\x1b[0m", "send\u200bemail", "\ufeffsend", "a\u202eb", "a\u0085", "a\u00ad"}) {
    EXPECT_EQ(canonical_tool_name(name), "") << name;
  }
  EXPECT_EQ(canonical_tool_name(std::string_view("a\0b", 3)), "");
}

TEST(CanonicalToolName, InvalidUtf8IsNoName) {
  for (const char* name : {"a\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_EQ(canonical_tool_name(name), "");
  }
}

TEST(CanonicalToolName, ALongerOneThanTheBoundIsNoName) {
  EXPECT_EQ(canonical_tool_name(std::string(kMaxToolName, 'a')).size(), kMaxToolName);
  EXPECT_EQ(canonical_tool_name(std::string(kMaxToolName + 1, 'a')), "");
}

TEST(DestinationNames, AreWords) {
  EXPECT_STREQ(to_string(Destination::kNone), "none");
  EXPECT_STREQ(to_string(Destination::kKnown), "known");
  EXPECT_STREQ(to_string(Destination::kOutside), "outside");
}

}  // namespace
}  // namespace weir
