#include "base/json_writer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <simdjson.h>

#include <limits>
#include <string>

#include "base/strings.h"

namespace weir {
namespace {

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonWriter, PlacesCommas) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().key("a").begin_array().number(1).string("x").null().boolean(true).end_array();
  w.key("b").begin_object().end_object().key("c").raw("[2]").key("d").real(0.1).key("e").begin_array().end_array();
  w.end_object();
  EXPECT_EQ(out, R"({"a":[1,"x",null,true],"b":{},"c":[2],"d":0.1,"e":[]})");
}

TEST(JsonWriter, WritesNumbers) {
  std::string out;
  JsonWriter w(out);
  w.begin_array().number(std::numeric_limits<std::int64_t>::min()).number(std::numeric_limits<std::int64_t>::max());
  w.real(1e300).real(-0.5).real(std::nan("")).real(std::numeric_limits<double>::infinity()).end_array();
  EXPECT_EQ(out, "[-9223372036854775808,9223372036854775807,1e+300,-0.5,null,null]");
}

TEST(JsonWriter, EscapesStrings) {
  EXPECT_EQ(json_text("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(json_text("\n\r\t\b\x1f"), R"("\n\r\t\u0008\u001f")");
  EXPECT_EQ(json_text(std::string("a\0b", 3)), R"("a\u0000b")");
  EXPECT_EQ(json_text("\u00e9\u20ac\U0001F600\x7f"), "\"\u00e9\u20ac\U0001F600\x7f\"");
}

TEST(JsonWriter, EscapesAtEveryPlaceOfAWord) {
  for (const std::string_view special : {"\"", "\\", "\n", "\x01", "\x1f", "\xff"}) {
    const std::string alone = json_text(special);
    for (std::size_t before = 0; before < 20; ++before) {
      for (std::size_t after = 0; after < 20; ++after) {
        const std::string left(before, '!'), right(after, '#');  // the neighbours of the quote
        EXPECT_EQ(json_text(left + std::string(special) + right),
                  '"' + left + alone.substr(1, alone.size() - 2) + right + '"');
      }
    }
  }
  for (int c = 0x20; c < 0x80; ++c) {
    if (c == '"' || c == '\\') continue;
    EXPECT_EQ(json_text(std::string(9, static_cast<char>(c))), '"' + std::string(9, static_cast<char>(c)) + '"');
  }
}

TEST(JsonWriter, ReplacesInvalidUtf8) {
  EXPECT_EQ(json_text("\xff"), "\"\uFFFD\"");
  EXPECT_EQ(json_text("a\xC3"), "\"a\uFFFD\"");
  EXPECT_EQ(json_text("\xED\xA0\x80z"), "\"\uFFFD\uFFFD\uFFFDz\"");
  EXPECT_EQ(json_text("\xC3\"x"), "\"\uFFFD\\\"x\"");
}

RC_GTEST_PROP(JsonWriter, AnyBytesBecomeAStringThatReadsBack, (const std::string& text)) {
  simdjson::dom::parser parser;
  const std::string json = "[" + json_text(text) + "]";
  std::string_view back;
  RC_ASSERT(parser.parse(json).at(0).get_string().get(back) == simdjson::SUCCESS);
  RC_ASSERT(is_valid_utf8(back));
  if (is_valid_utf8(text)) RC_ASSERT(back == text);
}

RC_GTEST_PROP(JsonWriter, RealsReadBackEqual, (double value)) {
  std::string json;
  JsonWriter(json).begin_array().real(value).end_array();
  simdjson::dom::parser parser;
  double back = 0;
  RC_ASSERT(parser.parse(json).at(0).get_double().get(back) == simdjson::SUCCESS);
  RC_ASSERT(back == value);
}

}  // namespace
}  // namespace weir
