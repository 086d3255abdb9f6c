#include "behavior/lineage.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weir {
namespace {

TEST(Lineage, ATokenComesBackAsItWasSigned) {
  LineageSigner signer("secret");
  const Lineage lineage{{0x0123456789abcdef, 0xfedcba9876543210}, 77, 3};
  const std::string token = signer.sign(lineage, "acme");
  EXPECT_LE(token.size(), kMaxLineage);
  EXPECT_EQ(signer.verify(token, "acme"), lineage);
  EXPECT_EQ(LineageSigner("secret").verify(token, "acme"), lineage);
}

TEST(Lineage, AnotherScopeOrSecretIsRefused) {
  LineageSigner signer("secret");
  const std::string token = signer.sign({{1, 2}, 3, 4}, "acme");
  EXPECT_FALSE(signer.verify(token, "acme2"));
  EXPECT_FALSE(signer.verify(token, ""));
  EXPECT_FALSE(LineageSigner("secres").verify(token, "acme"));
  EXPECT_FALSE(LineageSigner("").verify(token, "acme"));
}

RC_GTEST_PROP(Lineage, EveryChangedCharacterIsRefused, (std::uint64_t high, std::uint64_t node, std::uint32_t depth)) {
  LineageSigner signer("secret");
  const Lineage lineage{{high, 1}, node, depth};
  const std::string token = signer.sign(lineage, "t");
  RC_ASSERT(signer.verify(token, "t") == lineage);
  const auto at = *rc::gen::inRange<std::size_t>(0, token.size());
  std::string changed = token;
  changed[at] = *rc::gen::suchThat(rc::gen::arbitrary<char>(), [&](char c) { return c != token[at]; });
  RC_ASSERT(!signer.verify(changed, "t"));
  RC_ASSERT(!signer.verify(std::string_view(token).substr(0, at), "t"));
  RC_ASSERT(!signer.verify(token + changed[at], "t"));
}

TEST(Lineage, AbsurdTokensAreRefused) {
  LineageSigner signer("secret");
  const std::string token = signer.sign({{1, 2}, 3, 4}, "acme");
  EXPECT_FALSE(signer.verify("", "acme"));
  EXPECT_FALSE(signer.verify("v1..", "acme"));
  EXPECT_FALSE(signer.verify("v2" + token.substr(2), "acme"));
  EXPECT_FALSE(signer.verify(std::string(1'000'000, 'A'), "acme"));
  EXPECT_FALSE(signer.verify(std::string(token.size(), '\0'), "acme"));
  EXPECT_FALSE(signer.verify(token + "=", "acme"));
}

}  // namespace
}  // namespace weir
