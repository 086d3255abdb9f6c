// Streams on their way through: bytes unchanged, forced usage hidden again, the end held until the journal has the
// usage.
#include <gtest/gtest.h>

#include <random>

#include "gateway/exchange.h"
#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

TEST(ExchangeStream, ForcedUsageIsHiddenAgain) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  EXPECT_TRUE(has(world.upstream().sent, "\"include_usage\":true"));
  world.upstream().bytes(joined({kStreamHead, chunk(kDelta1), chunk(kDelta2)}));
  EXPECT_EQ(client.answer().body, joined({kDelta1, kDelta2}));  // leaves as soon as it has arrived
  world.upstream().bytes(joined({chunk(joined({kUsageEvent, kDone})), kLastChunk}));
  const Received answer = client.answer();
  EXPECT_TRUE(answer.complete);
  EXPECT_EQ(answer.body, joined({kDelta1, kDelta2, kDone}));
  EXPECT_EQ(answer["x-weir-tokens"], "(absent)");
  EXPECT_EQ(world.used("tokens"), 15);
  EXPECT_EQ(world.row().settled, Settled::kUsage);
  EXPECT_TRUE(world.upstream().reusable);
  EXPECT_LT(first_of(world.trace, "settle"), last_of(world.trace, "client"));
  world.expect_quiet();
}

TEST(ExchangeStream, AskedForUsageStays) {
  World world;
  Connection client(world);
  client.say(chat_request(
      world.agent,
      R"({"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]})"));
  world.upstream().bytes(joined({kStreamHead, chunk(joined({kDelta1, kUsageEvent, kDone})), kLastChunk}));
  EXPECT_EQ(client.answer().body, joined({kDelta1, kUsageEvent, kDone}));
  EXPECT_EQ(world.used("tokens"), 15);
  world.expect_quiet();
}

TEST(ExchangeStream, TheEndMarkerWaitsForTheJournal) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  world.upstream().bytes(joined({kStreamHead, chunk(kDelta1)}));
  world.upstream().bytes_within_turn(joined({chunk(joined({kUsageEvent, kDone})), kLastChunk}));
  EXPECT_EQ(client.answer().body, kDelta1);
  EXPECT_EQ(world.journal.settles.size(), 1u);
  world.turn();
  EXPECT_TRUE(client.answer().complete);
}

TEST(ExchangeStream, WhatFollowsTheEndMarkerStillPasses) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  world.upstream().bytes(joined({kStreamHead, chunk(joined({kDelta1, kUsageEvent, kDone}))}));
  EXPECT_EQ(client.answer().body, joined({kDelta1, kDone}));
  EXPECT_FALSE(client.answer().complete);
  EXPECT_EQ(world.journal.settles.size(), 1u);
  world.upstream().bytes(chunk(": bye\n\n"));
  world.upstream().bytes(joined({chunk(": and no blank line"), kLastChunk}));
  EXPECT_EQ(client.answer().body, joined({kDelta1, kDone, ": bye\n\n", ": and no blank line"}));
  EXPECT_TRUE(client.answer().complete);
  EXPECT_EQ(world.journal.settles.size(), 1u);
  world.expect_quiet();
}

TEST(ExchangeStream, AnthropicStreamIsCountedFromItsOwnEvents) {
  World world;
  Connection client(world);
  client.say(request("POST", "/v1/messages", world.agent, kMessageStream));
  const std::string events = joined(
      {"event: message_start\ndata: "
       "{\"type\":\"message_start\",\"message\":{\"model\":\"claude-x\",\"usage\":{\"input_tokens\":9,\"output_"
       "tokens\":1}}}\n\n",
       "event: content_block_delta\ndata: "
       "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
       "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":7}}\n\n",
       "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"});
  world.upstream().bytes(joined({kStreamHead, chunk(events), kLastChunk}));
  EXPECT_EQ(client.answer().body, events);
  EXPECT_EQ(world.used("tokens"), 16);
  EXPECT_EQ(world.row().settled, Settled::kUsage);
  world.expect_quiet();
}

TEST(ExchangeStream, OldClientsGetTheStreamUntilTheConnectionCloses) {
  World world;
  Connection client(world);
  std::string text = chat_request(world.agent, kChatStream);
  text.replace(text.find("HTTP/1.1"), 8, "HTTP/1.0");
  client.say(text);
  world.upstream().bytes(joined({kStreamHead, chunk(joined({kDelta1, kUsageEvent, kDone})), kLastChunk}));
  EXPECT_EQ(client.answer()["transfer-encoding"], "(absent)");
  EXPECT_EQ(client.answer()["connection"], "close");
  EXPECT_EQ(client.answer().body, joined({kDelta1, kDone}));
  EXPECT_TRUE(client.port.closing);
  world.expect_quiet();
}

// The client's bytes after the head must not depend on how the provider's arrive.
TEST(ExchangeStream, SplitsOfTheProvidersBytesChangeNothing) {
  struct Case {
    std::string body, answer, wanted;
  };
  const std::string events = joined({kDelta1, ": ping\r\n\r\n", kDelta2, kUsageEvent, kDone});
  const std::vector<Case> cases = {
      {std::string(kChat), json_answer(kChatAnswer), std::string(kChatAnswer)},
      {std::string(kChatStream),
       joined({kStreamHead, chunk(events.substr(0, 50)), chunk(events.substr(50)), kLastChunk}),
       joined({kDelta1, ": ping\r\n\r\n", kDelta2, kDone})},
  };
  std::minstd_rand random(11);
  for (const Case& one : cases) {
    for (std::size_t at = 0; at < one.answer.size() + 40; ++at) {
      World world;
      Connection client(world);
      client.say(chat_request(world.agent, one.body));
      if (at < one.answer.size()) {
        world.upstream().bytes(one.answer.substr(0, at));
        world.upstream().bytes(one.answer.substr(at));
      } else {
        for (std::size_t begin = 0; begin < one.answer.size();) {
          const std::size_t size = at == one.answer.size() ? 1 : 1 + random() % 60;
          random() % 3 == 0 ? world.upstream().bytes_within_turn(std::string_view(one.answer).substr(begin, size))
                            : world.upstream().bytes(std::string_view(one.answer).substr(begin, size));
          begin += size;
        }
        world.turn();
      }
      ASSERT_EQ(client.answer().body, one.wanted) << "split at " << at;
      ASSERT_TRUE(client.answer().complete);
      ASSERT_EQ(world.row().settled, Settled::kUsage);
      world.expect_quiet();
    }
  }
}

TEST(ExchangeStream, CodedStreamsPassAsTheyCome) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  world.upstream().bytes(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ntransfer-encoding: "
      "chunked\r\n\r\n" +
      chunk("\x1f\x8b some bytes"));
  EXPECT_EQ(client.answer().body, "\x1f\x8b some bytes");
  world.upstream().bytes(kLastChunk);
  EXPECT_TRUE(client.answer().complete);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  world.expect_quiet();
}

}  // namespace
}  // namespace weir
