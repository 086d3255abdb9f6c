#include "base/hmac.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

std::string hex(const HmacSha256::Sum& sum) {
  std::string out;
  for (const unsigned char byte : sum) out += fmt::format("{:02x}", byte);
  return out;
}

// Cases 1, 2 and 6 of RFC 4231.
TEST(HmacSha256, GivesTheSumsOfItsStandard) {
  EXPECT_EQ(hex(HmacSha256(std::string(20, '\x0b')).of({"Hi There"})),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(HmacSha256("Jefe").of({"what do ya want for nothing?"})),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(HmacSha256(std::string(131, '\xaa')).of({"Test Using Larger Than Block-Size Key - Hash Key First"})),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacSha256, IsOfThePartsOneAfterTheOther) {
  const HmacSha256 hmac("Jefe");
  EXPECT_TRUE(hmac.of({"what do ya ", "", "want for nothing?"}).same(hmac.of({"what do ya want for nothing?"})));
  EXPECT_TRUE(hmac.of({}).same(hmac.of({""})));
}

TEST(HmacSha256, IsTheSameEveryTimeWhateverWasSummedBefore) {
  const HmacSha256 hmac("key");
  const HmacSha256::Sum first = hmac.of({"a"});
  hmac.of({std::string(1000, 'x')});
  EXPECT_TRUE(hmac.of({"a"}).same(first));
}

TEST(HmacSha256, AnEmptyKeyIsAKey) {
  EXPECT_EQ(hex(HmacSha256("").of({""})), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  EXPECT_FALSE(HmacSha256("").of({"a"}).same(HmacSha256("k").of({"a"})));
}

}  // namespace
}  // namespace weir
