#include "gateway/json_path.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(JsonPathTest, FindsNumbersAndRoundsUp) {
  const std::string_view json = R"({"n":7,"meta":{"rows":41.2,"zero":0,"big":9007199254740992},"a.b":1})";
  EXPECT_EQ(json_integer_at(json, "n"), 7);
  EXPECT_EQ(json_integer_at(json, "meta.rows"), 42);
  EXPECT_EQ(json_integer_at(json, "meta.zero"), 0);
  EXPECT_EQ(json_integer_at(json, "meta.big"), std::int64_t{1} << 53);
}

TEST(JsonPathTest, LongAnswersAreReadToo) {
  EXPECT_EQ(json_integer_at("{\"pad\":\"" + std::string(1 << 20, 'x') + "\",\"n\":5}", "n"), 5);
}

TEST(JsonPathTest, AnythingElseIsNothing) {
  for (const std::string_view json :
       {"", "{", "[1]", "7", R"({"n":"7"})", R"({"n":-1})", R"({"n":-0.5})", R"({"n":null})", R"({"n":true})",
        R"({"n":{}})", R"({"n":1e300})", R"({"n":18446744073709551615})", R"({"m":1})", "{\"n\":1,\"x\":\"\xff\"}"}) {
    EXPECT_EQ(json_integer_at(json, "n"), std::nullopt) << json;
  }
  EXPECT_EQ(json_integer_at(R"({"n":1})", "n.deeper"), std::nullopt);
  EXPECT_EQ(json_integer_at(R"({"n":{"x":1}})", "n."), std::nullopt);
}

}  // namespace
}  // namespace weir
