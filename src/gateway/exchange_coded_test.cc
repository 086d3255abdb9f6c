// Answers that come compressed although they were asked for as they are: passed unchanged, and read.
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "gateway/test_compressed.h"

namespace weir {
namespace {

using namespace stage;

const std::string kPlainStream = joined({kDelta1, kDelta2, kUsageEvent, kDone});

std::string coded_head(std::string_view coding) {
  return joined({"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: ", coding,
                 "\r\ntransfer-encoding: chunked\r\n\r\n"});
}
std::string coded_json(std::string_view bytes, std::string_view coding) {
  return json_answer(bytes, joined({"content-encoding: ", coding, "\r\n"}));
}

TEST(ExchangeCoded, AJsonAnswerPassesUnchangedAndItsUsageIsRead) {
  for (const auto& [coding, bits] : {std::pair{"gzip", kGzip}, {"deflate", kDeflate}, {"deflate", kRawDeflate}}) {
    World world;
    Connection client(world);
    client.say(chat_request(world.agent));
    const std::string bytes = compressed(kChatAnswer, bits);
    world.upstream().bytes(coded_json(bytes, coding));
    EXPECT_EQ(client.answer().body, bytes);
    EXPECT_EQ(client.answer()["content-encoding"], coding);
    EXPECT_EQ(client.answer()["x-weir-tokens"], "14");
    EXPECT_EQ(world.row().settled, Settled::kUsage);
    EXPECT_EQ(world.used("tokens"), 14);
    world.expect_quiet();
  }
}

TEST(ExchangeCoded, AStreamPassesAtOnceAndIsReadWhereverItIsSplit) {
  const std::string bytes = compressed(kPlainStream, kGzip);
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    World world;
    Connection client(world);
    client.say(chat_request(world.agent, kChatStream));
    world.upstream().bytes(coded_head("gzip"));
    world.upstream().bytes(chunk(bytes.substr(0, at)));
    ASSERT_EQ(client.answer().body, bytes.substr(0, at)) << "at once";
    world.upstream().bytes(chunk(bytes.substr(at)));
    EXPECT_EQ(client.answer().body, bytes) << "nothing is hidden";
    EXPECT_FALSE(client.answer().complete);
    world.upstream().bytes(kLastChunk);
    EXPECT_TRUE(client.answer().complete);
    ASSERT_EQ(world.row().settled, Settled::kUsage) << at;
    ASSERT_EQ(world.used("tokens"), 15) << at;
    world.expect_quiet();
  }
}

TEST(ExchangeCoded, AClientThatLeavesIsChargedWhatItWasSent) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  const std::int64_t input = world.journal.opens.back().row.usage.input();
  const std::string all = compressed({kDelta1, kDelta2, kDone}, kGzip);
  const std::string first = compressed({kDelta1, ""}, kGzip);
  std::size_t same = 0;
  while (same < first.size() && first[same] == all[same]) ++same;
  world.upstream().bytes(coded_head("gzip") + chunk(all.substr(0, same)));
  client.leave();
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.row().usage.input(), input);
  EXPECT_EQ(world.row().usage.output(), 1) << "Hi";
  world.expect_quiet();
}

TEST(ExchangeCoded, MoreThanWasHeldBecomesDebt) {
  World world(policy_with("  - { name: tokens, per: caller, meter: tokens, allow: 60/1m }", "  - { name: tokens,"));
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  std::string text = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
  for (int i = 0; i < 300; ++i) text += " word";
  text += "\"}}]}\n\n";
  const std::string bytes = compressed(joined({text, kDone}), kGzip);
  world.upstream().bytes(coded_head("gzip") + chunk(bytes) + std::string(kLastChunk));
  EXPECT_EQ(client.answer().body, bytes);
  EXPECT_TRUE(client.answer().complete);
  EXPECT_TRUE(world.journal.top_ups.empty());
  EXPECT_EQ(world.row().usage.output(), 300);  // far beyond its cap of 100: the provider ignores that
  EXPECT_GT(world.used("tokens"), 300);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  world.expect_quiet();
}

TEST(ExchangeCoded, WhatCannotBeReadIsCountedByItsBytesAndIsNeverFree) {
  const std::string good = compressed(kChatAnswer, kGzip);
  const std::string noise(3200, '\xAA');
  struct Case {
    const char* coding;
    std::string bytes;
    std::int64_t output;  // at most the cap
  };
  for (const Case& one : {Case{"br", noise, 100}, Case{"zstd", "x", 1}, Case{"br", "", 1}, Case{"gzip", noise, 100},
                          Case{"gzip", "", 1}, Case{"gzip, br", noise, 100}}) {
    World world;
    Connection client(world);
    client.say(chat_request(world.agent));
    world.upstream().bytes(coded_json(one.bytes, one.coding));
    EXPECT_EQ(client.answer().body, one.bytes);
    EXPECT_EQ(world.row().settled, Settled::kCounted) << one.coding;
    EXPECT_EQ(world.row().usage.output(), one.output) << one.coding;
    world.expect_quiet();
  }
}

TEST(ExchangeCoded, ATruncatedAnswerIsCountedByWhatWasReadOfIt) {
  const std::string good = compressed(kChatAnswer, kGzip);
  for (std::size_t size = 1; size < good.size(); ++size) {
    World world;
    Connection client(world);
    client.say(chat_request(world.agent));
    world.upstream().bytes(coded_json(good.substr(0, size), "gzip"));
    EXPECT_EQ(client.answer().body, good.substr(0, size));
    ASSERT_EQ(world.row().settled, Settled::kCounted) << size;
    ASSERT_GE(world.row().usage.output(), 1) << size;
    world.expect_quiet();
  }
}

TEST(ExchangeCoded, AnErrorPassesUnchangedUnlessItShowsTheProvidersKey) {
  const auto error = [](std::string_view text) {
    return response("401 Unauthorized", "application/json", compressed(text, kGzip), "content-encoding: gzip\r\n");
  };
  World world;
  Connection first(world), second(world);
  first.say(chat_request(world.agent));
  world.upstream().bytes(error(R"({"error":{"message":"no"}})"));
  EXPECT_EQ(first.answer().body, compressed(R"({"error":{"message":"no"}})", kGzip));
  EXPECT_EQ(first.answer()["content-encoding"], "gzip");
  second.say(chat_request(world.agent));
  world.upstream().bytes(error(joined({R"({"error":{"message":"wrong key: )", kProviderKey, R"("}})"})));
  EXPECT_EQ(second.answer().status, 401);
  EXPECT_EQ(second.answer().body, R"({"error":{"message":"wrong key: ******************"}})");
  EXPECT_EQ(second.answer()["content-encoding"], "(absent)");
  EXPECT_EQ(world.used("tokens"), 0);
  world.expect_quiet();
}

TEST(ExchangeCoded, ABombIsReadToTheMostAndCountedAsSeen) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  const std::string bomb = compressed(std::string(Inflate::kMax + 1, ' '), kGzip);
  world.upstream().bytes(coded_json(bomb, "gzip"));
  EXPECT_EQ(client.answer().body, bomb);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.row().usage.output(), 100);  // the request's cap
  world.expect_quiet();
}

}  // namespace
}  // namespace weir
