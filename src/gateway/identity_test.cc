// Who is asking: keys, addresses, asserted users, and whose bucket they lead to.
#include "gateway/identity.h"

#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

Identity ask(World& world, std::initializer_list<Header> fields, std::string_view peer = "192.0.2.1") {
  const Headers headers{fields};
  return identify(world.services, headers, peer);
}

TEST(PresentedKey, IsReadFromAnyOfItsHeaders) {
  EXPECT_EQ(presented_key(Headers{{{"Authorization", "Bearer abc"}}}), "abc");
  EXPECT_EQ(presented_key(Headers{{{"authorization", "bearer   abc "}}}), "abc");
  for (const std::string_view name : {"x-api-key", "api-key", "X-Goog-Api-Key"}) {
    EXPECT_EQ(presented_key(Headers{{{name, "abc"}}}), "abc") << name;
  }
  EXPECT_EQ(presented_key(Headers{{{"authorization", "Basic Zm9v"}, {"x-api-key", "abc"}}}), "abc");
  EXPECT_EQ(presented_key(Headers{{{"x-api-key", "other"}, {"authorization", "Bearer abc"}}}), "abc");
  EXPECT_TRUE(presented_key(Headers{}).empty());
}

TEST(IdentityTest, KnownUnknownRevokedAndMissing) {
  World world;
  const Identity known = ask(world, {{"x-api-key", world.human}});
  EXPECT_EQ(known.status, IdentityStatus::kOk);
  EXPECT_EQ(known.consumer->name, "human-1");
  EXPECT_EQ(known.tenant, "acme");
  EXPECT_EQ(known.user, "ann");
  EXPECT_EQ(known.caller, "ann");
  EXPECT_EQ(known.kind, "human");
  EXPECT_EQ(known.tier, "free");  // the default one
  EXPECT_EQ(ask(world, {{"x-api-key", world.agent}}).caller, "agent-1");
  EXPECT_EQ(ask(world, {}).status, IdentityStatus::kMissing);
  EXPECT_EQ(ask(world, {{"x-api-key", ""}}).status, IdentityStatus::kMissing);
  EXPECT_EQ(ask(world, {{"x-api-key", world.revoked}}).status, IdentityStatus::kRevoked);
  EXPECT_EQ(ask(world, {{"x-api-key", "sk-someone-elses"}}).status, IdentityStatus::kWrong);
}

TEST(IdentityTest, WrongKeysBlockOnlyWrongKeys) {
  World world;
  std::string typo = world.agent;
  typo.back() = typo.back() == 'a' ? 'b' : 'a';
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(world, {{"x-api-key", typo}}).status, IdentityStatus::kWrong);
  const Identity blocked = ask(world, {{"x-api-key", typo}});
  EXPECT_EQ(blocked.status, IdentityStatus::kBlocked);
  EXPECT_GT(blocked.retry_after, 0);
  EXPECT_LE(blocked.retry_after, kMinute + kSecond);
  EXPECT_EQ(ask(world, {{"x-api-key", world.agent}}).status, IdentityStatus::kOk);
  EXPECT_EQ(ask(world, {}).status, IdentityStatus::kMissing);
  EXPECT_EQ(ask(world, {{"x-api-key", typo}}, "192.0.2.2").status, IdentityStatus::kWrong);
  EXPECT_EQ(world.book.auth_failures.value(), 5);
  world.pass(blocked.retry_after);
  EXPECT_EQ(ask(world, {{"x-api-key", typo}}).status, IdentityStatus::kWrong);
}

TEST(IdentityTest, AnIpv6UserIsItsNetwork) {
  World world;
  for (const std::string_view peer : {"2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::3"}) {
    EXPECT_EQ(ask(world, {{"x-api-key", "wrong"}}, peer).status, IdentityStatus::kWrong);
  }
  EXPECT_EQ(ask(world, {{"x-api-key", "wrong"}}, "2001:db8:0:1::4").status, IdentityStatus::kBlocked);
  EXPECT_EQ(ask(world, {{"x-api-key", "wrong"}}, "2001:db8:0:2::4").status, IdentityStatus::kWrong);
}

TEST(IdentityTest, AnonymousOnlyIfAllowed) {
  World world;
  world.use_policy("anonymous: allow\n");
  const Identity anonymous = ask(world, {{"x-weir-user", "bob"}});
  EXPECT_EQ(anonymous.status, IdentityStatus::kOk);
  EXPECT_EQ(anonymous.consumer, nullptr);
  EXPECT_EQ(anonymous.caller, "192.0.2.1");
  EXPECT_EQ(anonymous.tier, "anonymous");
  EXPECT_EQ(anonymous.user, "");
  EXPECT_EQ(ask(world, {{"x-api-key", "wrong"}}).status, IdentityStatus::kWrong);
}

TEST(IdentityTest, OnlyServiceKeysSpeakForOthers) {
  World world;
  const Identity service = ask(
      world,
      {{"x-api-key", world.service}, {"x-weir-user", "eve"}, {"x-weir-tier", "pro"}, {"x-weir-tenant", "umbrella"}});
  EXPECT_EQ(service.caller, "eve");
  EXPECT_EQ(service.tier, "pro");
  EXPECT_EQ(service.tenant, "umbrella");
  EXPECT_TRUE(service.user_asserted);
  const Identity agent =
      ask(world,
          {{"x-api-key", world.agent}, {"x-weir-user", "eve"}, {"x-weir-tier", "pro"}, {"x-weir-tenant", "umbrella"}});
  EXPECT_EQ(agent.caller, "agent-1");
  EXPECT_EQ(agent.user, "eve");
  EXPECT_EQ(agent.tier, "free");
  EXPECT_EQ(agent.tenant, "acme");
  const Identity odd = ask(world, {{"x-api-key", world.service}, {"x-weir-tier", "platinum"}});
  EXPECT_EQ(odd.status, IdentityStatus::kBadAssertion);
  EXPECT_NE(odd.problem.find("platinum"), std::string::npos);
}

TEST(IdentityTest, AssertionsMustBeUsable) {
  World world;
  for (const std::string& value : {std::string(), std::string(257, 'x'), std::string("a\tb"), std::string("\xff")}) {
    EXPECT_EQ(ask(world, {{"x-api-key", world.agent}, {"x-weir-user", value}}).status, IdentityStatus::kBadAssertion);
    EXPECT_EQ(ask(world, {{"x-api-key", world.agent}, {"x-weir-conversation", value}}).status,
              IdentityStatus::kBadAssertion);
  }
  EXPECT_EQ(ask(world, {{"x-api-key", world.agent}, {"x-weir-user", std::string(256, 'x')}}).status,
            IdentityStatus::kOk);
}

TEST(IdentityTest, TheDialectsUserCountsUnlessAHeaderSpoke) {
  World world;
  Identity service = ask(world, {{"x-api-key", world.service}});
  adopt_dialect_user(service, "eve");
  EXPECT_EQ(service.caller, "eve");
  Identity named = ask(world, {{"x-api-key", world.service}, {"x-weir-user", "ann"}});
  adopt_dialect_user(named, "eve");
  EXPECT_EQ(named.caller, "ann");
  Identity plain = ask(world, {{"x-api-key", world.agent}});
  adopt_dialect_user(plain, "eve");
  EXPECT_EQ(plain.caller, "agent-1");
  EXPECT_EQ(plain.user, "eve");
}

// Through the whole gateway: how many of `count` requests get past a limit of 2, each with another invented user.
int admitted(std::string_view per, const std::string& (*key_of)(World&), int count, bool in_body) {
  World world;
  world.use_policy("providers: { p: { dialect: openai, url: \"http://p.test\" } }\nlimits: [{ name: two, per: " +
                   std::string(per) + ", meter: requests, allow: 2/1h }]\n");
  int passed = 0;
  for (int i = 0; i < count; ++i) {
    Connection client(world);
    const std::string user = "invented-" + std::to_string(i);
    const std::string body = R"({"model":"m","user":")" + user + R"(","messages":[{"role":"user","content":"x"}]})";
    client.say(in_body ? chat_request(key_of(world), body)
                       : chat_request(key_of(world), kChat, "x-weir-user: " + user + "\r\n"));
    if (client.port.sent.empty()) ++passed;
    client.leave();
  }
  return passed;
}

TEST(InventedUsers, OpenNoFreshBudgetForPlainKeys) {
  const auto agent = [](World& world) -> const std::string& { return world.agent; };
  const auto human = [](World& world) -> const std::string& { return world.human; };
  const auto service = [](World& world) -> const std::string& { return world.service; };
  for (const bool in_body : {false, true}) {
    EXPECT_EQ(admitted("caller", agent, 5, in_body), 2);
    EXPECT_EQ(admitted("caller", human, 5, in_body), 2);
    EXPECT_EQ(admitted("user", human, 5, in_body), 2);  // it has a user of its own
    EXPECT_EQ(admitted("key", service, 5, in_body), 2);
    EXPECT_EQ(admitted("caller", service, 5, in_body), 5);  // its users are its callers
  }
}

TEST(InventedUsers, AKeysOwnUserIsOneBucketWhetherOrNotItAddsALabel) {
  World world;
  world.use_policy(
      "providers: { p: { dialect: openai, url: \"http://p.test\" } }\nlimits: [{ name: two, per: caller, meter: "
      "requests, allow: 2/1h }]\n");
  const std::string second =
      world.add_key({.name = "human-2", .tenant = "acme", .user = "ann", .kind = ConsumerKind::kHuman});
  int passed = 0;
  for (const std::string& text : {chat_request(world.human), chat_request(second, kChat, "x-weir-user: label\r\n"),
                                  chat_request(world.human, kChat, "x-weir-user: bob\r\n"), chat_request(second)}) {
    Connection client(world);
    client.say(text);
    if (client.port.sent.empty()) ++passed;
    client.leave();
  }
  EXPECT_EQ(passed, 2);
  EXPECT_EQ(world.journal.settles[1].row.user, "label");
}

TEST(ClientIp, ForwardedForIsBelievedOnlyFromTrustedProxies) {
  World world;
  const std::vector<Cidr>& trusted = world.services.rules->policy().trusted_proxies;
  const auto ip = [&](std::string_view peer, std::initializer_list<Header> fields) {
    return client_ip(peer, Headers{fields}, trusted);
  };
  EXPECT_EQ(ip("192.0.2.1", {{"x-forwarded-for", "198.51.100.7"}}), "192.0.2.1");
  EXPECT_EQ(ip("10.1.2.3", {{"X-Forwarded-For", "198.51.100.7"}}), "198.51.100.7");
  EXPECT_EQ(ip("10.1.2.3", {{"x-forwarded-for", "6.6.6.6, 198.51.100.7, 10.9.9.9"}}),
            "198.51.100.7");  // what the client wrote is not believed
  EXPECT_EQ(ip("10.1.2.3", {{"x-forwarded-for", "6.6.6.6"}, {"x-forwarded-for", "198.51.100.7"}}), "198.51.100.7");
  EXPECT_EQ(ip("10.1.2.3", {{"x-forwarded-for", "10.0.0.1"}}), "10.0.0.1");
  EXPECT_EQ(ip("10.1.2.3", {{"x-forwarded-for", "6.6.6.6, junk"}}), "10.1.2.3");
  EXPECT_EQ(ip("10.1.2.3", {{"x-forwarded-for", ""}}), "10.1.2.3");
  EXPECT_EQ(ip("10.1.2.3", {}), "10.1.2.3");
  EXPECT_EQ(ip("::ffff:10.1.2.3", {{"x-forwarded-for", "198.51.100.7"}}), "198.51.100.7");
  EXPECT_EQ(ip("fd00::1", {{"x-forwarded-for", "2001:db8:1:2:3:4:5:6"}}), "2001:db8:1:2::/64");
  EXPECT_EQ(ip("10.1.2.3", {{"x-forwarded-for", "[2001:db8::1]"}}), "2001:db8::/64");
  EXPECT_EQ(ip("2001:DB8:0:0:9::1", {}), "2001:db8::/64");
  EXPECT_EQ(ip("::ffff:192.0.2.1", {}), "192.0.2.1");
}

}  // namespace
}  // namespace weir
