#include "base/secret.h"

#include <gtest/gtest.h>

#include <concepts>
#include <ostream>

#include "base/hmac.h"

namespace weir {
namespace {

template <class T>
concept Streams = requires(std::ostream& out, const T& value) { out << value; };

// What is compared with something that a stranger chose has no ==: it stops at the first difference.
static_assert(std::equality_comparable<std::string>);
static_assert(!std::equality_comparable<Secret>);
static_assert(!std::equality_comparable_with<Secret, std::string>);
static_assert(!std::equality_comparable<HmacSha256::Sum>);
static_assert(!std::convertible_to<Secret, std::string_view>);
static_assert(Streams<std::string> && !Streams<Secret>);

TEST(Secret, MatchesItselfOnly) {
  const Secret secret("the-admin-token");
  EXPECT_TRUE(secret.matches("the-admin-token"));
  for (const std::string_view wrong :
       {"", "t", "the-admin-toke", "the-admin-tokem", "The-admin-token", "the-admin-token ", "the-admin-tokenn"}) {
    EXPECT_FALSE(secret.matches(wrong)) << wrong;
  }
  EXPECT_FALSE(secret.matches(std::string_view("the-admin-token\0", 16)));
}

TEST(Secret, NoSecretMatchesNothing) {
  EXPECT_TRUE(Secret().empty());
  EXPECT_FALSE(Secret().matches(""));
  EXPECT_FALSE(Secret("").matches(""));
  EXPECT_FALSE(Secret().matches("x"));
}

TEST(Secret, AssignmentReplaces) {
  Secret a("first"), b("second secret");
  a = b;
  EXPECT_TRUE(a.matches("second secret"));
  b = Secret();
  EXPECT_TRUE(b.empty());
  Secret& same = a;
  a = same;
  EXPECT_EQ(a.reveal(), "second secret");
}

TEST(SameInConstantTime, LooksAtEveryByte) {
  const std::string all(257, 'x');
  for (std::size_t at = 0; at < all.size(); ++at) {
    std::string other = all;
    for (const unsigned flip : {1u, 0x80u}) {
      other[at] = static_cast<char>(static_cast<unsigned char>(all[at]) ^ flip);
      EXPECT_FALSE(same_in_constant_time(all, other)) << at;
    }
  }
  EXPECT_TRUE(same_in_constant_time(all, std::string(257, 'x')));
  EXPECT_TRUE(same_in_constant_time("", ""));
  EXPECT_FALSE(same_in_constant_time("", std::string_view("\0", 1)));
}

}  // namespace
}  // namespace weir
