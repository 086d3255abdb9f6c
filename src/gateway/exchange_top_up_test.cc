// Streams whose reservation grows ahead of what the client gets, and that end when the budget is gone.
#include <gtest/gtest.h>

#include "gateway/exchange.h"
#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

// A limit of `tokens` per minute; streams hold at most 16 tokens of output at first and grow by 8.
std::string small_steps(const char* tokens) {
  const std::string limit = std::string("  - { name: tokens, per: caller, meter: tokens, allow: ") + tokens + "/1m }";
  std::string out = policy_with(limit, "  - { name: tokens");
  return out + "reservation: { trust_cap: 16, top_up: 8 }\n";
}

constexpr std::string_view kLongStream =
    R"({"model":"gpt-4o","max_tokens":1000,"stream":true,"messages":[{"role":"user","content":"Say hi."}]})";

// `words` tokens: each " river" is one in o200k.
std::string delta(int words) {
  std::string text;
  for (int i = 0; i < words; ++i) text += " river";
  return "data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + text +
         "\"}}]}\n\n";
}

std::string usage_event(int input, int output) {
  return "data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"choices\":[],\"usage\":{\"prompt_tokens\":" +
         std::to_string(input) + ",\"completion_tokens\":" + std::to_string(output) +
         ",\"total_tokens\":" + std::to_string(input + output) + "}}\n\n";
}

TEST(ExchangeTopUp, AStreamHoldsAtMostTheTrustedCapAndGrows) {
  World world(small_steps("50k"));
  Connection client(world);
  client.say(chat_request(world.agent, kLongStream));
  const std::int64_t before = world.reserved("tokens");
  EXPECT_LT(before, 16 + 40);
  world.upstream().bytes(joined({kStreamHead, chunk(delta(16))}));
  EXPECT_EQ(world.reserved("tokens"), before);  // 16 tokens are covered
  world.upstream().bytes(chunk(delta(1)));
  EXPECT_EQ(world.reserved("tokens"), before + 8);
  world.upstream().bytes(chunk(delta(30)));
  EXPECT_EQ(world.reserved("tokens"), before + 8 + 23);  // 47 in all: what the event needs
  EXPECT_EQ(client.answer().body, delta(16) + delta(1) + delta(30));
  world.upstream().bytes(joined({chunk(usage_event(11, 47)), chunk(kDone), kLastChunk}));
  EXPECT_TRUE(client.answer().complete);
  EXPECT_EQ(world.used("tokens"), 58);
  EXPECT_EQ(world.row().settled, Settled::kUsage);
  EXPECT_EQ(world.book.top_ups.value(), 2);
  EXPECT_EQ(world.book.streams_cut.value(), 0);
  world.expect_quiet();
}

TEST(ExchangeTopUp, WithoutRoomTheStreamEndsWithTheDialectsErrorAndNothingOvershoots) {
  World world(small_steps("100"));
  Connection client(world);
  client.say(chat_request(world.agent, kLongStream));
  world.upstream().bytes(kStreamHead);
  int sent = 0;
  while (!world.upstream().released && sent < 200) world.upstream().bytes(chunk(delta(5))), sent += 5;
  EXPECT_LT(sent, 120);
  EXPECT_FALSE(world.upstream().reusable);  // the provider need not go on
  const Received answer = client.answer();
  EXPECT_TRUE(answer.complete);
  EXPECT_TRUE(has(answer.body, R"("error":{)"));
  EXPECT_TRUE(has(answer.body, R"("limit":"tokens")"));
  EXPECT_FALSE(has(answer.body, kDone));
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.book.streams_cut.value(), 1);
  EXPECT_LE(world.used("tokens"), 100);
  EXPECT_GE(world.used("tokens"), 90);  // no more than a step is left unused
  EXPECT_EQ(world.used("tokens"), world.row().usage.total());
  ASSERT_FALSE(world.journal.audits.empty());
  EXPECT_EQ(world.journal.audits.back().limit, "tokens");
  world.expect_quiet();
}

TEST(ExchangeTopUp, AStreamWhoseWholeCapIsHeldIsNotCutWhenItsProviderCountsLess) {
  const char* capped =
      R"({"model":"gpt-4o","max_tokens":12,"stream":true,"messages":[{"role":"user","content":"Say hi."}]})";
  World world(small_steps("24"));
  Connection client(world);
  client.say(chat_request(world.agent, capped));
  ASSERT_GT(world.reserved("tokens") + 8, 24);  // no room for a step
  world.upstream().bytes(joined({kStreamHead, chunk(delta(10)), chunk(delta(5))}));
  EXPECT_EQ(client.answer().body, delta(10) + delta(5));
  world.upstream().bytes(joined({chunk(usage_event(11, 12)), chunk(kDone), kLastChunk}));
  EXPECT_EQ(world.row().settled, Settled::kUsage);
  EXPECT_EQ(world.used("tokens"), 23);
  world.expect_quiet();
}

TEST(ExchangeTopUp, ACountBeyondTheCapIsNotChargedToWhoLeaves) {
  const char* capped =
      R"({"model":"gpt-4o","max_tokens":12,"stream":true,"messages":[{"role":"user","content":"Say hi."}]})";
  World world(small_steps("24"));
  Connection client(world);
  client.say(chat_request(world.agent, capped));
  const std::int64_t held = world.reserved("tokens");
  world.upstream().bytes(joined({kStreamHead, chunk(delta(15))}));
  client.leave();
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.used("tokens"), held);
  world.expect_quiet();
}

TEST(ExchangeTopUp, AProviderThatIgnoresTheCapNeedsRoomAgain) {
  const char* capped =
      R"({"model":"gpt-4o","max_tokens":6,"stream":true,"messages":[{"role":"user","content":"Say hi."}]})";
  World world(small_steps("40"));
  Connection client(world);
  client.say(chat_request(world.agent, capped));
  world.upstream().bytes(kStreamHead);
  for (int i = 0; i < 20 && !world.upstream().released; ++i) world.upstream().bytes(chunk(delta(5)));
  EXPECT_TRUE(world.upstream().released);
  EXPECT_TRUE(has(client.answer().body, R"("error":{)"));
  EXPECT_LE(world.used("tokens"), 40);
  world.expect_quiet();
}

TEST(ExchangeTopUp, ManyStreamsShareABudgetWithoutOvershoot) {
  World world(small_steps("1000"));
  std::string yaml = small_steps("1000");
  const std::size_t at = yaml.find("allow: 4 }");
  world.use_policy(yaml.replace(at, 10, "allow: 500 }"));
  std::vector<std::unique_ptr<Connection>> clients;
  std::vector<FakeUpstream*> upstreams;
  for (int i = 0; i < 90; ++i) {
    clients.push_back(std::make_unique<Connection>(world));
    const std::size_t before = world.dialed.size();
    clients.back()->say(chat_request(world.agent, kLongStream));
    if (world.dialed.size() > before) upstreams.push_back(&world.upstream());
  }
  ASSERT_GT(upstreams.size(), 10u);
  for (FakeUpstream* upstream : upstreams) upstream->bytes(kStreamHead);
  for (int round = 0; round < 30; ++round) {
    for (FakeUpstream* upstream : upstreams) {
      if (!upstream->released) upstream->bytes(chunk(delta(3)));
    }
    ASSERT_LE(world.used("tokens") + world.reserved("tokens"), 1000);
  }
  for (FakeUpstream* upstream : upstreams) EXPECT_TRUE(upstream->released);
  EXPECT_GT(world.used("tokens"), 900);
  world.expect_quiet();
}

TEST(ExchangeTopUp, ReasoningThatWasNotSeenBecomesDebt) {
  World world(small_steps("100"));
  Connection client(world);
  client.say(chat_request(world.agent, kLongStream));
  world.upstream().bytes(joined({kStreamHead, chunk(delta(4)), chunk(usage_event(11, 504)), chunk(kDone), kLastChunk}));
  EXPECT_EQ(world.used("tokens"), 515);  // above the limit of 100: nothing is forgiven
  Connection next(world);
  next.say(chat_request(world.agent));
  EXPECT_EQ(next.answer().status, 429);
  world.expect_quiet();
}

// What was held when the process dies is charged: never less than the client was given.
TEST(ExchangeTopUp, EachTopUpIsJournalledBeforeWhatItCoversIsSent) {
  World world(small_steps("50k"));
  Connection client(world);
  client.say(chat_request(world.agent, kLongStream));
  world.upstream().bytes(joined({kStreamHead, chunk(delta(16))}));
  EXPECT_TRUE(world.journal.top_ups.empty());
  for (std::size_t i = 1; i <= 3; ++i) {
    world.upstream().bytes(chunk(delta(8)));
    ASSERT_EQ(world.journal.top_ups.size(), i);
    EXPECT_EQ(world.journal.top_ups.back().tokens, 8);
    EXPECT_EQ(world.journal.top_ups.back().usd_micros, 8 * 10);
    EXPECT_FALSE(world.journal.top_ups.back().effects.empty());
  }
  world.upstream().bytes(joined({chunk(usage_event(11, 40)), chunk(kDone), kLastChunk}));
  EXPECT_EQ(world.journal.settles.back().row.reserved_tokens, world.journal.opens.back().row.reserved_tokens + 3 * 8);
  world.expect_quiet();
}

TEST(ExchangeTopUp, AStoreFarAwayHoldsTheEventBack) {
  World world(small_steps("50k"));
  Connection client(world);
  client.say(chat_request(world.agent, kLongStream));
  world.upstream().bytes(joined({kStreamHead, chunk(delta(16))}));
  world.counters.deferred = true;
  world.upstream().bytes(
      joined({chunk(delta(2)), chunk(delta(3)), chunk(usage_event(11, 21)), chunk(kDone), kLastChunk}));
  EXPECT_EQ(client.answer().body, delta(16));
  EXPECT_FALSE(world.upstream().reading);
  while (world.counters.waiting() > 0) world.counters.answer(), world.turn();
  EXPECT_EQ(client.answer().body, delta(16) + delta(2) + delta(3) + std::string(kDone));
  EXPECT_TRUE(client.answer().complete);
  EXPECT_EQ(world.used("tokens"), 32);
  world.expect_quiet();
}

TEST(ExchangeTopUp, AClientThatLeavesDuringATopUpIsChargedWhatItGot) {
  World world(small_steps("50k"));
  Connection client(world);
  client.say(chat_request(world.agent, kLongStream));
  world.upstream().bytes(joined({kStreamHead, chunk(delta(16))}));
  world.counters.deferred = true;
  world.upstream().bytes(chunk(delta(2)));
  client.leave();
  while (world.counters.waiting() > 0) world.counters.answer(), world.turn();
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_GE(world.row().usage.output(), 16);
  world.expect_quiet();
}

TEST(ExchangeTopUp, WarmStreamsHoldWhatAnswersTurnOutToBe) {
  World world(small_steps("50k") + "");
  for (int i = 0; i < 20; ++i) world.learned.outputs.learn(OutputHistory::key("tenant acme", "gpt-4o"), 5);
  Connection client(world);
  client.say(chat_request(world.agent, kLongStream));
  const std::int64_t held = world.reserved("tokens");
  EXPECT_LT(held, 16 + 12);
  client.leave();
  world.expect_quiet();
}

TEST(ExchangeTopUp, SeveralChoicesAreNeverCountedAsOneText) {
  World world(small_steps("50k"));
  Connection client(world);
  client.say(chat_request(
      world.agent,
      R"({"model":"gpt-4o","max_tokens":1000,"n":8,"stream":true,"messages":[{"role":"user","content":"Say hi."}]})"));
  world.upstream().bytes(kStreamHead);
  for (int round = 0; round < 30; ++round) {
    for (int choice = 0; choice < 8; ++choice) {
      world.upstream().bytes(chunk("data: {\"choices\":[{\"index\":" + std::to_string(choice) +
                                   ",\"delta\":{\"content\":\" river\"}}]}\n\n"));
    }
  }
  client.leave();
  EXPECT_GE(world.row().usage.output(), 240);
  world.expect_quiet();
}

TEST(ExchangeTopUp, AStoreThatCannotBeReachedEndsAStreamOfAClosedLimit) {
  std::string yaml = small_steps("50k");
  const std::size_t at = yaml.find("/1m }", yaml.find("name: tokens"));
  World world(yaml.replace(at, 5, "/1m, fail: closed }"));
  Connection client(world);
  client.say(chat_request(world.agent, kLongStream));
  world.upstream().bytes(joined({kStreamHead, chunk(delta(16))}));
  world.counters.status = CountersStatus::kUnavailable;
  world.upstream().bytes(chunk(delta(5)));
  EXPECT_TRUE(world.upstream().released);
  EXPECT_TRUE(has(client.answer().body, "counter store"));
  EXPECT_EQ(world.row().usage.output(), 16);
  world.expect_quiet();
}

}  // namespace
}  // namespace weir
