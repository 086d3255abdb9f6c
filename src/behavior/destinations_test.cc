#include "behavior/destinations.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "behavior/prompt_text.h"

namespace weir {
namespace {

constexpr auto kNone = Destination::kNone, kKnown = Destination::kKnown, kOutside = Destination::kOutside;

std::string name_of(Destination destination) {
  return destination == kNone ? "none" : destination == kKnown ? "known" : "outside";
}

struct Case {
  const char* arguments;
  const char* prompt;
  Destination expected;
};

void expect_all(const std::vector<Case>& cases) {
  for (const Case& each : cases)
    EXPECT_EQ(name_of(classify(each.arguments, each.prompt)), name_of(each.expected))
        << each.arguments << " told: " << each.prompt;
}

TEST(Destinations, AreFoundUnderTheKeysThatNameThem) {
  expect_all({
      {R"({"to":"Bob"})", "Write to Bob.", kKnown},
      {R"({"to":"Eve"})", "Write to Bob.", kOutside},
      {R"({"recipients":["Bob","Eve"]})", "Write to Bob.", kOutside},
      {R"({"recipients":["Bob","Eve"]})", "Write to Bob and Eve.", kKnown},
      {R"({"toAddresses":["Eve"]})", "", kOutside},
      {R"({"channel_id":"C42"})", "post in C42", kKnown},
      {R"({"Webhook-URL":"hooks.evil.com/x"})", "", kOutside},
      {R"({"message":{"to":"Eve","body":"hi"}})", "", kOutside},
      {R"({"to":{"type":"user","value":"U77"}})", "ask U77", kKnown},
      {R"([{"user":"Eve"}])", "", kOutside},
  });
}

TEST(Destinations, AreNoneWhereNothingNamesOne) {
  expect_all({
      {R"({})", "x", kNone},
      {R"({"limit":10,"query":"bob@corp.com","ok":true,"none":null})", "", kNone},
      {R"({"to":"","cc":[],"bcc":null})", "", kNone},
      {R"({"subject":"Hi Eve","body":"see https://evil.com or eve@evil.com"})", "", kNone},
      {R"({"from":"2026-11-20","to":"2026-11-21T10:00"})", "", kNone},
      {R"({"email_id":"26","email_body":"x"})", "", kNone},
      {"", "", kNone},
      {"null", "", kNone},
  });
}

TEST(Destinations, ValuesThatLookLikeOneCountUnderAnyKey) {
  expect_all({
      {R"({"x":"eve@evil.com"})", "", kOutside},
      {R"({"x":["a",{"y":"HTTPS://evil.com/a"}]})", "", kOutside},
      {R"({"x":"www.evil.com"})", "", kOutside},
      {R"({"x":"DE89370400440532013000"})", "", kOutside},
      {R"({"x":"mailto:eve@evil.com"})", "", kOutside},
      {R"({"x":"a@evil.com, b@evil.com"})", "a@evil.com", kOutside},
      {R"({"x":"version 1.2"})", "", kNone},
      {R"({"x":"3.14"})", "", kNone},
  });
}

TEST(Destinations, EmailAddressesAreComparedWholeAndWithoutCase) {
  expect_all({
      {R"({"to":"Bob@Corp.com"})", "Mail bob@corp.COM.", kKnown},
      {R"({"to":"bob@corp.com"})", "(bob@corp.com)", kKnown},
      {R"({"to":"bob@corp.com"})", "not-bob@corp.com", kOutside},
      {R"({"to":"bob@corp.com"})", "bob@corp.com.evil.org", kOutside},
      {R"({"to":"bob@corp.co"})", "bob@corp.com", kOutside},
      {R"({"to":"Bob <bob@corp.com>, Eve <eve@evil.com>"})", "Bob, Eve, bob@corp.com", kOutside},
      {R"({"to":"Bob <bob@corp.com>"})", "bob@corp.com", kKnown},
      {R"({"to":"Bob Smith"})", "Bob Smithers", kOutside},
      {R"({"to":"bob@corp.com Eve"})", "mail bob@corp.com", kKnown},
  });
}

TEST(Destinations, UrlsAreKnownByHostAndPath) {
  expect_all({
      {R"({"url":"https://corp.com/a?x=1#y"})", "read corp.com/a", kKnown},
      {R"({"url":"http://www.Corp.com/"})", "see https://corp.com", kKnown},
      {R"({"url":"corp.com"})", "see www.corp.com/a/b", kKnown},
      {R"({"url":"https://corp.com/a"})", "see corp.com", kOutside},
      {R"({"url":"https://corp.com/ab"})", "see corp.com/a", kOutside},
      {R"({"url":"https://corp.com/a"})", "see corp.com/ab", kOutside},
      {R"({"url":"https://corp.com/A"})", "see corp.com/a", kOutside},
      {R"({"url":"https://corp.com@evil.com/"})", "see corp.com", kOutside},
      {R"({"url":"https://evil.com\\@corp.com"})", "see corp.com", kOutside},
      {R"({"url":"https://corp.com.evil.com"})", "see corp.com", kOutside},
      {R"({"url":"https://corp.com"})", "see corp.com.evil.com", kOutside},
      {R"({"url":"https://corp.com"})", "see evil-corp.com and x.corp.com and a@corp.com", kOutside},
      {R"({"url":"https://corp.com:8443/x"})", "see corp.com/x", kOutside},
      {R"({"url":"www.corp.com"})", "our page www.corp.com.They wait.", kKnown},
      {R"({"host":"10.0.0.1"})", "10.0.0.1", kKnown},
      {R"({"host":"10.0.0.1"})", "10.0.0.12", kOutside},
  });
}

TEST(Destinations, IbansAreComparedWithoutTheirSpaces) {
  expect_all({
      {R"({"recipient":"DE89 3704 0044 0532 0130 00"})", "pay de89370400440532013000.", kKnown},
      {R"({"iban":"DE89370400440532013000"})", "pay DE89 3704 0044 0532 0130 00 today", kKnown},
      {R"({"iban":"DE89370400440532013000"})", "pay DE893704004405320130001", kOutside},
      {R"({"iban":"US133000000121212121212"})", "pay US122000000121212121212", kOutside},
  });
}

TEST(Destinations, NumbersAreValuesToo) {
  expect_all({
      {R"({"account":12345678})", "to account 12345678", kKnown},
      {R"({"account":1234567})", "to account 12345678", kOutside},
      {R"({"phone":-5})", "", kOutside},
      {R"({"user_id":18446744073709551615})", "18446744073709551615", kKnown},
      {R"({"user_id":3.0})", "user 3", kKnown},
      {R"({"amount":12345678})", "", kNone},
  });
}

TEST(Destinations, WhatIsActedOnCountsOnlyWhereNobodyIsNamed) {
  expect_all({
      {R"({"file_id":"26"})", "delete file 26", kKnown},
      {R"({"file_id":"26"})", "on 2026-11-02", kOutside},
      {R"({"file_id":"26","email":"bob@corp.com"})", "share the minutes with bob@corp.com", kKnown},
      {R"({"path":"/etc/passwd"})", "read notes.txt", kOutside},
      {R"({"file_id":"1"})", "", kNone},
  });
}

TEST(Destinations, EscapesAndUnicodeAreReadAsTheTextTheyAre) {
  expect_all({
      {R"({"to":"\u0062ob\u0040corp.com"})", "bob@corp.com", kKnown},
      {R"({"\u0074o":"eve@evil.com"})", "", kOutside},
      {R"({"to":"Zo\u00eb"})", "Write to Zoë!", kKnown},
      {R"({"to":"Ren"})", "Write to René", kOutside},
      {R"({"to":"アリス"})", "アリスに送って", kKnown},
      {R"({"to":"Dora"})", "Doraに送って", kKnown},
      {R"({"to":"B\u043eb"})", "Write to Bob", kOutside},
      {R"({"channel":"#General"})", "in general, please", kKnown},
      {R"({"to":"https://b\u00fccher.de/a"})", "https://bücher.de/a", kKnown},
  });
}

TEST(Destinations, WhatCannotBeReadIsOutsideIfItMayNameOne) {
  expect_all({
      {R"({"to":"bob@corp.com")", "bob@corp.com", kOutside},
      {R"({"to": "Bob)", "Bob", kOutside},
      {R"({"x":"\u0040)", "", kOutside},
      {R"({"x":"DE89370400440532013000")", "DE89370400440532013000", kOutside},
      {R"({"limit": 1)", "", kNone},
      {R"(bob)", "", kNone},
      {R"({"to")", "", kNone},
  });
  const std::string deep = std::string(200, '[') + "\"eve@evil.com\"" + std::string(200, ']');
  EXPECT_EQ(classify(deep, "eve@evil.com"), kOutside);
}

TEST(Destinations, ArgumentsPromptAndNumberOfDestinationsAreBounded) {
  const std::string filler(kMaxArguments, 'x');
  EXPECT_EQ(classify(R"({"body":")" + filler + R"(","limit":1})", ""), kNone);
  EXPECT_EQ(classify(R"({"body":")" + filler + R"(","to":"bob@corp.com"})", "bob@corp.com"), kOutside);
  std::string many = R"({"to":["bob@corp.com")";
  for (std::size_t i = 1; i < kMaxDestinations; ++i) many += R"(,"bob@corp.com")";
  EXPECT_EQ(classify(many + "]}", "bob@corp.com"), kKnown);
  EXPECT_EQ(classify(many + R"(,"bob@corp.com"]})", "bob@corp.com"), kOutside);
  EXPECT_EQ(classify(R"({"to":"Bob"})", std::string(kMaxPrompt - 4, ' ') + "Bob "), kKnown);
  EXPECT_EQ(classify(R"({"to":"Bob"})", std::string(kMaxPrompt, ' ') + "Bob "), kOutside);
}

TEST(PromptText, WhatIsSoughtIsBoundedInLengthAndPlaces) {
  const std::string most(PromptText::kMaxSought, 'a');
  const std::string twice = most + "a " + most;
  EXPECT_TRUE(PromptText(twice).has_words(most));
  const std::string longer = most + "a";
  EXPECT_FALSE(PromptText(longer).has_words(longer));
  std::string places;
  for (std::size_t i = 1; i < PromptText::kMaxTries; ++i) places += "xBob ";
  const std::string last = places + "Bob";
  EXPECT_TRUE(PromptText(last).has_words("Bob"));
  const std::string more = places + "xBob Bob";
  EXPECT_FALSE(PromptText(more).has_words("Bob"));
}

RC_GTEST_PROP(Destinations, AnyBytesAreTakenWithoutHarm, (const std::string& arguments, const std::string& prompt)) {
  classify(arguments, prompt);
  classify("{\"to\":" + arguments, prompt);
}

// Whatever surrounds it: an address that the prompt names is known, one with other letters is not.
RC_GTEST_PROP(Destinations, AnAddressIsKnownExactlyWhereThePromptNamesIt, ()) {
  const auto word = [] {
    return *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::inRange<char>('a', 'z' + 1)));
  };
  const std::string address = word() + "@" + word() + ".com";
  const std::string prompt = word() + " (" + address + "), " + word();
  RC_ASSERT(classify(R"({"to":")" + address + R"("})", prompt) == kKnown);
  RC_ASSERT(classify(R"({"to":")" + address + R"("})", word() + address) == kOutside);
  RC_ASSERT(classify(R"({"to":")" + word() + address + R"("})", prompt) == kOutside);
}

TEST(PromptText, KnowsWhatLooksLikeADestination) {
  EXPECT_TRUE(looks_like_email("a.b+c@x-y.co.uk"));
  EXPECT_FALSE(looks_like_email("@corp.com"));
  EXPECT_FALSE(looks_like_email("a@b"));
  EXPECT_TRUE(looks_like_url("ftp://x", false));
  EXPECT_FALSE(looks_like_url("corp.com", false));
  EXPECT_TRUE(looks_like_url("corp.com/a", true));
  EXPECT_FALSE(looks_like_url("3.14", true));
  EXPECT_TRUE(looks_like_iban("GB29NWBK60161331926819"));
  EXPECT_FALSE(looks_like_iban("internationalization"));
}

}  // namespace
}  // namespace weir
