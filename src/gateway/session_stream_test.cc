// Answers of our own that have no known end.
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

// Streams to whoever asks.
class Streamer final : public OwnEndpoints {
 public:
  bool needs_identity(const Target&) const override { return false; }
  void handle(Services&, const OwnRequest&, ReplyEvents& events) override {
    to = &events;
    events.on_stream({.status = 200, .content_type = "text/event-stream", .headers = {}, .body = "retry: 1\n\n"});
  }
  void forget(ReplyEvents& events) override {
    EXPECT_EQ(to, &events);
    to = nullptr;
    ++forgotten;
  }
  ReplyEvents* to = nullptr;
  int forgotten = 0;
};

class SessionStream : public testing::Test {
 protected:
  SessionStream() { world.services.endpoints = &streamer; }
  World world;
  Streamer streamer;
  Connection client{world, "192.0.2.1", Session::Listener::kAdmin};
};

TEST_F(SessionStream, IsChunkedHasNoDeadlineAndGoesOnUntilItsEnd) {
  client.say(request("GET", "/admin/v1/events", "t"));
  EXPECT_EQ(client.port.deadline, 0);
  EXPECT_TRUE(streamer.to->on_piece("one\n"));
  streamer.to->on_piece("two\n");
  streamer.to->end_stream();
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer["transfer-encoding"], "chunked");
  EXPECT_EQ(answer["content-type"], "text/event-stream");
  EXPECT_EQ(answer["cache-control"], "no-store");
  EXPECT_TRUE(answer["x-weir-request-id"].starts_with("req_"));
  EXPECT_EQ(answer.body, "retry: 1\n\none\ntwo\n");
  EXPECT_TRUE(answer.complete);
  EXPECT_FALSE(client.port.closing);
  EXPECT_EQ(streamer.forgotten, 0);
  client.say(request("GET", "/admin/v1/events", "t"));  // the connection goes on
  EXPECT_EQ(client.answers().size(), 2u);
  EXPECT_FALSE(streamer.to == nullptr);
}

TEST_F(SessionStream, OfHttp10EndsWithItsConnection) {
  client.say("GET /admin/v1/events HTTP/1.0\r\n\r\n");
  streamer.to->on_piece("one\n");
  EXPECT_FALSE(client.port.closing);
  streamer.to->end_stream();
  EXPECT_TRUE(client.port.closing);
  EXPECT_TRUE(client.port.sent.ends_with("\r\nconnection: close\r\n\r\nretry: 1\n\none\n")) << client.port.sent;
  EXPECT_FALSE(has(client.port.sent, "chunked"));
}

TEST_F(SessionStream, AHeadRequestGetsTheHeadAndIsForgotten) {
  client.say(request("HEAD", "/admin/v1/events", "t"));
  EXPECT_EQ(streamer.forgotten, 1);
  EXPECT_TRUE(client.port.sent.ends_with("\r\n\r\n"));
  EXPECT_FALSE(has(client.port.sent, "retry"));
  client.say(request("HEAD", "/admin/v1/events", "t"));
  EXPECT_EQ(streamer.forgotten, 2);
}

TEST_F(SessionStream, WhoDoesNotReadMissesPieces) {
  client.say(request("GET", "/admin/v1/events", "t"));
  client.port.unsent_bytes = kMaxUnsentOfStream + 1;
  EXPECT_FALSE(streamer.to->on_piece("lost\n"));
  client.port.unsent_bytes = kMaxUnsentOfStream;
  EXPECT_TRUE(streamer.to->on_piece("seen\n"));
  streamer.to->end_stream();
  EXPECT_EQ(client.answer().body, "retry: 1\n\nseen\n");
}

TEST_F(SessionStream, EndsInOrderAtTheDrain) {
  client.say(request("GET", "/admin/v1/events", "t"));
  world.health.draining = true;
  client.session->close_if_idle();
  EXPECT_EQ(streamer.forgotten, 1);
  EXPECT_TRUE(client.port.closing);
  EXPECT_TRUE(client.answer().complete);
}

TEST_F(SessionStream, AClientThatLeavesIsForgottenAndNothingMoreIsSent) {
  client.say(request("GET", "/admin/v1/events", "t"));
  ReplyEvents* stream = streamer.to;
  client.session->on_eof();
  EXPECT_EQ(streamer.forgotten, 1);
  EXPECT_TRUE(client.port.aborted);
  EXPECT_FALSE(stream->on_piece("late"));
  stream->end_stream();
}

TEST_F(SessionStream, WhatIsAskedMeanwhileWaits) {
  client.say(request("GET", "/admin/v1/events", "t") + request("GET", "/admin/v1/events", "t"));
  EXPECT_EQ(client.answers().size(), 1u);
  streamer.to->end_stream();
  EXPECT_EQ(client.answers().size(), 2u);
}

}  // namespace
}  // namespace weir
