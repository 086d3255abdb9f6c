#include "gateway/body_charset.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

bool says(std::string_view type) {
  return says_utf8({{{"Accept", "text/plain; charset=utf-7"}, {"Content-Type", type}}});
}

TEST(BodyCharset, Utf8AndNothingSaidAreUtf8) {
  for (const char* type : {"application/json", "", "application/json; charset=utf-8", "application/json;charset=UTF-8",
                           "application/json; charset=\"utf-8\"", "application/json ; Charset = utf8 ; x=y",
                           "text/plain; charset=US-ASCII"}) {
    EXPECT_TRUE(says(type)) << type;
  }
  EXPECT_TRUE(says_utf8({}));
}

TEST(BodyCharset, EverythingElseIsNot) {
  for (const char* type :
       {"application/json; charset=utf-7", "application/json; charset=\"UTF-7\"", "application/json; charset=utf-16",
        "application/json; charset=utf-8; charset=utf-7", "application/json; charset=utf-7; charset=utf-8",
        "application/json; charset=", "application/json; charset", "application/json; charset=\"utf-8",
        "application/json; charset*=utf-8''utf-7", "application/json; charset='utf-8'",
        "application/json; charset=utf-8x", "application/json; charset=utf-8 utf-7",
        "application/json, text/plain; charset=iso-8859-1"}) {
    EXPECT_FALSE(says(type)) << type;
  }
}

TEST(BodyCharset, TwoTypesAreAmbiguous) {
  EXPECT_FALSE(says_utf8({{{"content-type", "application/json"}, {"Content-Type", "application/json"}}}));
}

}  // namespace
}  // namespace weir
