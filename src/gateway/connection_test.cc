// One client connection against the whole gateway: shapes of refusals, order, bodies that are dropped, bounds,
// timeouts.
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "gateway/session.h"

namespace weir {
namespace {

using namespace stage;

// --- refusals in the shape of their route ---------------------------------------------------------------------------

TEST(ConnectionShapes, NoKeyIs401InEveryDialect) {
  World world;
  Connection client(world);
  client.say(chat_request({}));
  client.say(request("POST", "/v1/messages", {}, kMessage));
  client.say(request("GET", "/plain/x", {}));
  client.say(chat_request({}, kChat, "accept: application/problem+json\r\n"));
  const auto answers = client.answers();
  ASSERT_EQ(answers.size(), 4u);
  for (const Received& answer : answers) {
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(answer["www-authenticate"], "Bearer realm=\"weir\"");
    EXPECT_TRUE(answer["x-weir-request-id"].starts_with("req_"));
    EXPECT_TRUE(answer.keep_alive);
  }
  EXPECT_TRUE(has(answers[0].body, R"("code":"invalid_api_key")"));
  EXPECT_TRUE(has(answers[1].body, R"({"type":"error","error":{"type":"authentication_error")"));
  EXPECT_EQ(answers[2]["content-type"], "application/problem+json");
  EXPECT_EQ(answers[3]["content-type"], "application/problem+json");
  EXPECT_TRUE(has(answers[3].body, R"("status":401)"));
  EXPECT_EQ(world.book.auth_failures.value(), 0);  // no key is no wrong key
  world.expect_quiet();
}

TEST(ConnectionShapes, UnknownPathsSayHowToServeThem) {
  World world;
  Connection client(world);
  client.say(request("POST", "/v1/audio/speech", world.agent, "{}"));
  client.say(request("GET", "/else", world.agent));
  client.say(request("HEAD", "/else", world.agent));
  const auto answers = read_answers(client.port.sent.substr(0, client.port.sent.rfind("HTTP/1.1 404")), false);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].status, 404);
  EXPECT_TRUE(has(answers[0].body, R"({"error":{"message":"Nothing is served at /v1/audio/speech)"));
  EXPECT_TRUE(has(answers[0].body, "`kind: http`"));
  EXPECT_EQ(answers[1]["content-type"], "application/problem+json");
  EXPECT_TRUE(client.port.sent.ends_with("\r\n\r\n"));  // HEAD: no body
  world.expect_quiet();
}

TEST(ConnectionShapes, MethodsAreNamed) {
  World world;
  Connection client(world);
  client.say(request("GET", "/v1/messages", world.agent));
  client.say(request("DELETE", "/v1/models", world.agent));
  client.say("OPTIONS * HTTP/1.1\r\nhost: w\r\n\r\n");
  client.say(request("OPTIONS", "/v1/chat/completions", {}));
  const auto answers = client.answers();
  ASSERT_EQ(answers.size(), 4u);
  EXPECT_EQ(answers[0].status, 405);
  EXPECT_EQ(answers[0]["allow"], "POST, OPTIONS");
  EXPECT_TRUE(has(answers[0].body, R"("type":"error")"));
  EXPECT_EQ(answers[1].status, 405);
  EXPECT_EQ(answers[1]["allow"], "GET, HEAD, OPTIONS");
  EXPECT_EQ(answers[2].status, 204);
  EXPECT_EQ(answers[3].status, 204);
  EXPECT_EQ(answers[3]["allow"], "POST, OPTIONS");
  EXPECT_EQ(answers[3]["content-length"], "(absent)");
}

TEST(ConnectionShapes, OptionsOfAnUpstreamAreTheUpstreams) {
  World world;
  Connection client(world);
  client.say(request("OPTIONS", "/plain/x", world.agent));
  EXPECT_TRUE(world.upstream().sent.starts_with("OPTIONS /plain/x "));
  world.upstream().bytes("HTTP/1.1 204 No Content\r\nallow: GET\r\n\r\n");
  EXPECT_EQ(client.answer()["allow"], "GET");
  world.expect_quiet();
}

TEST(ConnectionShapes, BrokenHttpIsAnsweredOnceAndCloses) {
  struct Case {
    std::string bytes;
    int status;
  };
  for (const Case& one :
       {Case{"GET / HTTP/1.1\nhost: w\n\n", 400}, Case{"GET / HTTP/1.1\r\nhost: w\r\n folded\r\n\r\n", 400},
        Case{"POST / HTTP/1.1\r\nhost: w\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n", 400},
        Case{"GET / HTTP/1.1\r\nhost: w\r\nx: " + std::string(40'000, 'a') + "\r\n\r\n", 431},
        Case{"GET / HTTP/3.0\r\nhost: w\r\n\r\n", 505},
        Case{request("POST", "/v1/chat/completions", {}, {}, "content-length: 99999999999\r\n"), 413}}) {
    World world;
    Connection client(world);
    client.say(one.bytes);
    client.say("more");
    const Received answer = client.answer();
    EXPECT_EQ(answer.status, one.status) << one.bytes.substr(0, 60);
    EXPECT_EQ(answer["connection"], "close");
    EXPECT_TRUE(client.port.closing);
    EXPECT_FALSE(answer.body.empty());
    world.expect_quiet();
  }
}

TEST(ConnectionShapes, AChunkThatBreaksIsA400InTheRoutesShape) {
  World world;
  Connection client(world);
  client.say(request("POST", "/v1/messages", world.agent, {}, "transfer-encoding: chunked\r\n") +
             "5\r\n{\"mod\r\nxyz\r\n");
  EXPECT_EQ(client.answer().status, 400);
  EXPECT_TRUE(has(client.answer().body, R"("type":"error")"));
  EXPECT_TRUE(client.port.closing);
  EXPECT_TRUE(world.journal.opens.empty());
}

// --- order and bodies -----------------------------------------------------------------------------------------------

TEST(ConnectionOrder, PipelinedRequestsAreAnsweredInOrderAtEverySplit) {
  const std::string plain = request("GET", "/healthz", {});
  World probe;
  const std::string text = chat_request(probe.agent) + plain + chat_request(probe.agent) + plain;
  for (std::size_t at = 0; at < text.size(); at += 7) {
    World world;
    Connection client(world);
    client.say(text.substr(0, at));
    client.say(text.substr(at));
    ASSERT_EQ(world.dialed.size(), 1u);
    world.upstream().bytes(json_answer(kChatAnswer));
    ASSERT_EQ(world.dialed.size(), 2u) << at;
    world.upstream().bytes(json_answer(R"({"second":true})"));
    const auto answers = client.answers();
    ASSERT_EQ(answers.size(), 4u);
    ASSERT_EQ(answers[0].body, kChatAnswer);
    ASSERT_EQ(answers[1].body, "/healthz");
    ASSERT_EQ(answers[2].body, R"({"second":true})");
    ASSERT_EQ(answers[3].body, "/healthz");
    world.expect_quiet();
  }
}

TEST(ConnectionOrder, AClientThatPipelinesTooMuchIsNotReadFurther) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  std::string flood;
  std::size_t count = 0;
  for (; flood.size() <= Session::kMaxPipelined; ++count) flood += request("GET", "/healthz", {});
  client.say(flood);
  EXPECT_FALSE(client.port.reading);
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_TRUE(client.port.reading);
  EXPECT_EQ(client.answers().size(), count + 1);
  world.expect_quiet();
}

TEST(ConnectionOrder, ARefusedBodyIsReadAndDropped) {
  World world;
  Connection client(world);
  const std::string text = chat_request({}, std::string(5'000, 'x'));
  client.say(text.substr(0, 300));
  EXPECT_EQ(client.answer().status, 401);
  EXPECT_FALSE(client.port.closing);
  client.say(text.substr(300) + request("GET", "/healthz", {}));
  ASSERT_EQ(client.answers().size(), 2u);
  EXPECT_EQ(client.answers()[1].body, "/healthz");
  world.expect_quiet();
}

TEST(ConnectionOrder, ARefusedBodyOfUnknownOrGreatLengthEndsTheConnection) {
  for (const std::string_view field : {"transfer-encoding: chunked\r\n", "content-length: 2000000\r\n"}) {
    World world;
    Connection client(world);
    client.say(request("POST", "/v1/chat/completions", {}, {}, field));
    EXPECT_EQ(client.answer().status, 401);
    EXPECT_EQ(client.answer()["connection"], "close");
    EXPECT_TRUE(client.port.closing);
  }
}

TEST(ConnectionOrder, ContinueIsAskedForOnceAndNotOfTheRefused) {
  World world;
  Connection client(world);
  const std::string text = chat_request(world.agent, kChat, "expect: 100-continue\r\n");
  client.say(text.substr(0, text.size() - kChat.size()));
  EXPECT_EQ(client.port.sent, "HTTP/1.1 100 Continue\r\n\r\n");
  client.say(kChat);
  EXPECT_FALSE(has(world.upstream().sent, "expect"));
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(client.answer().status, 200);

  Connection stranger(world);
  stranger.say(request("POST", "/v1/chat/completions", {}, {}, "expect: 100-continue\r\ncontent-length: 10\r\n"));
  EXPECT_EQ(stranger.answer().status, 401);
  EXPECT_TRUE(stranger.port.closing);  // whether the body will come is unknowable

  Connection old(world);
  std::string ancient = text.substr(0, text.size() - kChat.size());
  ancient.replace(ancient.find("HTTP/1.1"), 8, "HTTP/1.0");
  old.say(ancient);
  EXPECT_EQ(old.port.sent, "");
  old.leave();
  world.expect_quiet();
}

TEST(ConnectionOrder, OldClientsCloseUnlessTheyAskToStay) {
  World world;
  Connection client(world);
  client.say("GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.answer()["connection"], "keep-alive");
  EXPECT_FALSE(client.port.closing);
  client.say("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.answers()[1]["connection"], "close");
  EXPECT_TRUE(client.port.closing);
}

TEST(ConnectionOrder, CloseIsHonouredAndTheRestIsNotAnswered) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, kChat, "connection: close\r\n") + request("GET", "/healthz", {}));
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(client.answer()["connection"], "close");
  EXPECT_TRUE(client.port.closing);
  world.expect_quiet();
}

// --- bounds, timeouts, ends -----------------------------------------------------------------------------------------

TEST(ConnectionBounds, TooManyBytesOfBodiesAre503) {
  World world;
  world.buffers.used = BufferBudget::kMaxBuffered;
  Connection client(world);
  client.say(chat_request(world.agent));
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_GE(std::stoi(answer["retry-after"]), 1);
  EXPECT_TRUE(client.port.closing);
  client.leave();
  EXPECT_EQ(world.buffers.used.load(), BufferBudget::kMaxBuffered);
  world.buffers.used = 0;
  world.expect_quiet();
}

TEST(ConnectionBounds, AnUnfinishedBodyIsCountedAndGivenBack) {
  World world;
  Connection client(world);
  const std::string text = chat_request(world.agent, std::string(100'000, 'x'));
  client.say(text.substr(0, 60'000));
  EXPECT_GT(world.buffers.used.load(), 50'000);
  client.leave();
  EXPECT_EQ(world.buffers.used.load(), 0);
  world.expect_quiet();
}

TEST(ConnectionBounds, SlowHeadsAndBodiesAreTold) {
  World world;
  Connection client(world);
  EXPECT_EQ(client.port.deadline, kNoon + 75 * kSecond);
  client.say("POST /v1/messages HTTP/1.1\r\n");
  EXPECT_EQ(client.port.deadline, kNoon + 10 * kSecond);
  world.pass(9 * kSecond);
  client.say("host: w\r\n");
  EXPECT_EQ(client.port.deadline, kNoon + 10 * kSecond);  // dribbling wins no time
  client.session->on_deadline();
  EXPECT_EQ(client.answer().status, 408);
  EXPECT_TRUE(client.port.closing);

  Connection other(world);
  const std::string text = request("POST", "/v1/messages", world.agent, std::string(100'000, ' '));
  const std::size_t head = text.find("\r\n\r\n") + 4;
  other.say(text.substr(0, head));
  const TimeNs begun = world.services.now;
  EXPECT_EQ(other.port.deadline, begun + 20 * kSecond);
  world.pass(5 * kSecond);
  other.say(text.substr(head, 1'000));
  EXPECT_EQ(other.port.deadline, begun + 20 * kSecond);
  world.pass(5 * kSecond);
  other.say(text.substr(head + 1'000, Session::kBodyProgress));
  EXPECT_EQ(other.port.deadline, begun + 30 * kSecond);
  other.session->on_deadline();
  EXPECT_EQ(other.answer().status, 408);
  EXPECT_TRUE(has(other.answer().body, R"("type":"error")"));  // the head was read: its dialect is known
  EXPECT_TRUE(world.journal.opens.empty());
}

TEST(ConnectionBounds, IdleConnectionsEndQuietly) {
  World world;
  Connection client(world);
  client.session->on_deadline();
  EXPECT_EQ(client.port.sent, "");
  EXPECT_TRUE(client.port.closing);
  Connection other(world);
  other.session->on_eof();
  EXPECT_EQ(other.port.sent, "");
  EXPECT_TRUE(other.port.closing);
}

TEST(ConnectionBounds, NoDeadlineWhileAnAnswerIsUnderWay) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  EXPECT_EQ(client.port.deadline, 0);
  client.session->on_deadline();
  EXPECT_EQ(client.port.sent, "");
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(client.port.deadline, kNoon + 75 * kSecond);
  world.expect_quiet();
}

TEST(ConnectionEnds, AnEndpointThatAnswersLaterIsForgotten) {
  World world;
  auto client = std::make_unique<Connection>(world);
  client->say(request("GET", "/weir/v1/me", world.agent));
  ASSERT_NE(world.endpoints.waiting, nullptr);
  client->leave();
  EXPECT_EQ(world.endpoints.waiting, nullptr);

  Connection other(world);
  other.say(request("GET", "/weir/v1/me", world.agent) + request("GET", "/healthz", {}));
  ASSERT_NE(world.endpoints.waiting, nullptr);
  ReplyEvents* events = std::exchange(world.endpoints.waiting, nullptr);
  events->on_reply({.status = 200, .content_type = "application/json", .headers = {}, .body = "{}"});
  ASSERT_EQ(other.answers().size(), 2u);
  EXPECT_EQ(other.answers()[0].body, "{}");
  EXPECT_TRUE(other.answers()[0]["x-weir-request-id"].starts_with("req_"));
}

TEST(ConnectionEnds, OwnEndpointsNeedAKeyWhereTheySayIt) {
  World world;
  Connection client(world);
  client.say(request("GET", "/v1/models", {}));
  client.say(request("GET", "/v1/models", world.agent));
  client.say(request("HEAD", "/healthz", {}));
  const auto answers = read_answers(client.port.sent, true, false);
  ASSERT_GE(answers.size(), 2u);
  EXPECT_EQ(answers[0].status, 401);
  EXPECT_EQ(answers[1].status, 200);
  EXPECT_TRUE(client.port.sent.ends_with("\r\n\r\n"));
}

TEST(ConnectionEnds, DrainingClosesAfterTheAnswerUnderWay) {
  World world;
  Connection busy(world);
  Connection idle(world);
  Connection halfway(world);
  busy.say(chat_request(world.agent));
  halfway.say("GET /hea");
  world.health.draining = true;
  for (Connection* each : {&busy, &idle, &halfway}) each->session->close_if_idle();
  EXPECT_TRUE(idle.port.closing);
  EXPECT_FALSE(busy.port.closing);
  EXPECT_FALSE(halfway.port.closing);
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(busy.answer()["connection"], "close");
  EXPECT_TRUE(busy.port.closing);
  halfway.say("lthz HTTP/1.1\r\nhost: w\r\n\r\n");
  EXPECT_EQ(halfway.answer().status, 200);
  EXPECT_TRUE(halfway.port.closing);
  world.expect_quiet();
}

TEST(ConnectionEnds, TheAdminListenerServesItsOwn) {
  World world;
  Connection client(world, "127.0.0.1", Session::Listener::kAdmin);
  client.say(chat_request(world.agent));
  client.say(request("GET", "/metrics", {}));
  ASSERT_EQ(client.answers().size(), 2u);
  EXPECT_EQ(client.answers()[0].status, 404);
  EXPECT_EQ(client.answers()[1].body, "/metrics");
  Connection data(world);
  data.say(request("GET", "/metrics", {}));
  EXPECT_EQ(data.answer().status, 404);
}

TEST(ConnectionEnds, OpenConnectionsAreCounted) {
  World world;
  {
    Connection one(world);
    Connection two(world);
    EXPECT_EQ(world.book.open_connections.value(), 2);
  }
  EXPECT_EQ(world.book.open_connections.value(), 0);
}

}  // namespace
}  // namespace weir
