#include "admin/access.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr TimeNs kNow = 1'795'000'000 * kSecond;

class Access : public testing::Test {
 protected:
  static StoredAdminToken token(const std::string& name, AdminRole role, TimeNs expires_at = 0) {
    return {.token = {.name = name, .role = role, .created_at = kNow, .expires_at = expires_at},
            .hash = KeyHasher("secret").hash("token of " + name)};
  }
  AdminCaller of(std::string_view presented, TimeNs now = kNow) const { return access.caller_of(presented, now); }

  AdminAccess access{Secret("policy token"), "secret"};
};

TEST_F(Access, KnowsThePolicysTokenAndThoseOfTheStore) {
  access.use(std::vector{token("ann", AdminRole::kViewer), token("ben", AdminRole::kAdmin, kNow + kDay)});
  EXPECT_EQ(of("policy token").role, AdminRole::kAdmin);
  EXPECT_EQ(of("policy token").name, "admin");
  EXPECT_EQ(of("token of ann").role, AdminRole::kViewer);
  EXPECT_EQ(of("token of ann").name, "ann");
  EXPECT_EQ(of("token of ben").expires_at, kNow + kDay);
  EXPECT_EQ(of("token of ben", kNow + kDay).role, AdminRole::kNone) << "expired";
  for (const std::string_view wrong : {"", "policy", "token of ann ", "token of", "secret"}) {
    EXPECT_EQ(of(wrong).role, AdminRole::kNone) << wrong;
  }
  access.use({});
  EXPECT_EQ(of("token of ann").role, AdminRole::kNone);
  EXPECT_EQ(AdminAccess(Secret()).caller_of("", kNow).role, AdminRole::kNone);
}

TEST_F(Access, ACodeOpensOneSessionWithinItsHour) {
  access.add_code("code", kNow);
  EXPECT_TRUE(access.knows_code("code", kNow));
  EXPECT_FALSE(access.knows_code("cod", kNow));
  EXPECT_EQ(of("code").role, AdminRole::kNone) << "a code is no token";
  const auto session = access.open_session("code", "fresh", kNow);
  ASSERT_TRUE(session);
  EXPECT_EQ(session->expires_at, kNow + AdminAccess::kSessionFor);
  EXPECT_EQ(of("fresh").role, AdminRole::kAdmin);
  EXPECT_EQ(of("fresh", session->expires_at).role, AdminRole::kNone);
  EXPECT_FALSE(access.open_session("code", "second", kNow)) << "once";
  access.add_code("late", kNow);
  EXPECT_FALSE(access.knows_code("late", kNow + AdminAccess::kCodeFor));
  EXPECT_FALSE(access.open_session("late", "third", kNow + AdminAccess::kCodeFor));
  EXPECT_EQ(of("second").role, AdminRole::kNone);
}

TEST_F(Access, ASessionEndsWhenItIsEndedOrItsTokenIsRevoked) {
  access.use(std::vector{token("ann", AdminRole::kViewer), token("ben", AdminRole::kViewer)});
  const auto first = access.open_session(of("token of ann"), "a", kNow);
  ASSERT_TRUE(first && access.open_session(of("a"), "a of a", kNow) &&
              access.open_session(of("token of ben"), "b", kNow));
  EXPECT_EQ(of("a").role, AdminRole::kViewer);
  EXPECT_EQ(of("a").name, "ann");
  EXPECT_TRUE(access.end_session(first->session));
  EXPECT_FALSE(access.end_session(first->session));
  EXPECT_EQ(of("a").role, AdminRole::kNone);
  EXPECT_FALSE(access.open_session(*first, "again", kNow)) << "a session that is over begins no other";
  EXPECT_EQ(of("a of a").role, AdminRole::kViewer);
  const AdminCaller ann = of("token of ann");
  access.use(std::vector{token("ben", AdminRole::kViewer)});
  EXPECT_EQ(of("a of a").role, AdminRole::kNone) << "it goes back to the token that was revoked";
  EXPECT_EQ(of("b").role, AdminRole::kViewer);
  EXPECT_FALSE(access.open_session(ann, "late", kNow));
}

TEST_F(Access, ASessionOutlivesNoTokenAndNoSessionThatItCameFrom) {
  access.use(std::vector{token("ann", AdminRole::kAdmin, kNow + kHour)});
  EXPECT_EQ(access.open_session(of("token of ann"), "a", kNow)->expires_at, kNow + kHour);
  const auto first = access.open_session(of("policy token"), "p", kNow);
  const auto next = access.open_session(of("p", kNow + kHour), "q", kNow + kHour);
  EXPECT_EQ(next->expires_at, first->expires_at);
}

TEST_F(Access, TheOldestSessionAndCodeMakeRoom) {
  const auto open = [&](const AdminCaller& as, const std::string& name, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) access.open_session(as, name + std::to_string(i), kNow);
  };
  std::vector<StoredAdminToken> tokens;
  for (const char* name : {"ann", "ben", "cy", "dee"}) tokens.push_back(token(name, AdminRole::kViewer));
  access.use(tokens);
  open(of("policy token"), "s", 1);
  open(of("token of ann"), "ann", AdminAccess::kMaxSessionsOfOne + 1);
  EXPECT_EQ(of("ann0").role, AdminRole::kNone);
  EXPECT_EQ(of("ann1").role, AdminRole::kViewer);
  EXPECT_EQ(of("s0").role, AdminRole::kAdmin) << "who begins many ends only his own";
  for (const char* name : {"ben", "cy", "dee"}) {
    open(of("token of " + std::string(name)), name, AdminAccess::kMaxSessionsOfOne);
  }
  EXPECT_EQ(of("s0").role, AdminRole::kNone) << "more than kMaxSessions in all";
  EXPECT_EQ(of("ann1").role, AdminRole::kViewer);
  for (std::size_t i = 0; i <= AdminAccess::kMaxCodes; ++i) access.add_code("c" + std::to_string(i), kNow);
  EXPECT_FALSE(access.knows_code("c0", kNow));
  EXPECT_TRUE(access.knows_code("c1", kNow));
}

}  // namespace
}  // namespace weir
