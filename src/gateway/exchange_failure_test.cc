// Providers that fail and clients that leave, in every phase: settled exactly once, nothing left behind.
#include <gtest/gtest.h>

#include "gateway/exchange.h"
#include "gateway/gateway_fixture.h"
#include "tokens/estimate.h"

namespace weir {
namespace {

using namespace stage;

std::int64_t held_tokens(World& world) {
  return world.journal.opens.back().row.reserved_tokens;
}

// --- the provider fails ---------------------------------------------------------------------------------------------

TEST(ExchangeFailure, ConnectErrorsAre502AndReleaseTheReservation) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().fail(UpstreamFailure::kConnect, "connection refused");
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 502);
  EXPECT_TRUE(has(answer.body, "Provider `openai`"));
  EXPECT_TRUE(has(answer.body, "connection refused"));
  EXPECT_TRUE(answer.keep_alive);
  EXPECT_EQ(world.row().settled, Settled::kNone);
  EXPECT_EQ(world.row().status, 502);
  EXPECT_EQ(world.used("tokens"), 0);
  EXPECT_EQ(world.used("requests"), 1);
  EXPECT_EQ(world.book.upstream_failures.value(), 1);
  world.expect_quiet();
}

TEST(ExchangeFailure, ConnectTimeoutIs504AndFree) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().fail(UpstreamFailure::kConnectTimeout);
  EXPECT_EQ(client.answer().status, 504);
  EXPECT_EQ(world.used("tokens"), 0);
  world.expect_quiet();
}

TEST(ExchangeFailure, AStalePooledConnectionIsRetriedOnceOnAFreshOne) {
  for (const bool by_eof : {false, true}) {
    World world;
    world.pool_has_one = true;
    Connection client(world);
    client.say(chat_request(world.agent));
    ASSERT_TRUE(world.upstream().was_reused);
    by_eof ? world.upstream().eof() : world.upstream().fail(UpstreamFailure::kReset);
    ASSERT_EQ(world.dialed.size(), 2u);
    EXPECT_TRUE(world.dialed[0]->released);
    EXPECT_FALSE(world.dialed[0]->reusable);
    EXPECT_FALSE(world.upstream().was_reused);
    EXPECT_EQ(world.upstream().sent, world.dialed[0]->sent);
    EXPECT_EQ(world.book.upstream_failures.value(), 0);  // the provider did nothing wrong
    world.upstream().bytes(json_answer(kChatAnswer));
    EXPECT_EQ(client.answer().status, 200);
    EXPECT_EQ(world.row().attempts, 2);
    EXPECT_EQ(world.used("requests"), 1);
    world.expect_quiet();
  }
}

TEST(ExchangeFailure, AFreshConnectionThatResetsIsNotRetried) {
  World world;
  world.pool_has_one = true;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().eof();
  world.upstream().eof();
  EXPECT_EQ(world.dialed.size(), 2u);
  EXPECT_EQ(client.answer().status, 502);
  EXPECT_EQ(world.row().settled, Settled::kCounted);  // it was sent: the provider may have worked
  EXPECT_EQ(world.used("tokens"), held_tokens(world));
  world.expect_quiet();
}

// Found by simulation (bad providers, seed 2): the work of a provider that was cut off after a minute was charged to
// nobody, because its connection had been used before.
TEST(ExchangeFailure, AReusedConnectionThatBreaksLaterWasAtWork) {
  World world;
  world.pool_has_one = true;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.pass(Exchange::kStaleWithin + 1);
  world.upstream().fail(UpstreamFailure::kReset);
  EXPECT_EQ(world.dialed.size(), 1u);
  EXPECT_EQ(client.answer().status, 502);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.used("tokens"), held_tokens(world));
  world.expect_quiet();
}

TEST(ExchangeFailure, AReusedConnectionThatBreaksAfterItsFirstByteIsNotRetried) {
  World world;
  world.pool_has_one = true;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes("HTTP/1.1 2");
  world.upstream().eof();
  EXPECT_EQ(world.dialed.size(), 1u);
  EXPECT_EQ(client.answer().status, 502);
  world.expect_quiet();
}

TEST(ExchangeFailure, EndInTheMiddleOfAWholeAnswerIs502AndCounted) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  const std::string answer = json_answer(kChatAnswer);
  world.upstream().bytes(std::string_view(answer).substr(0, answer.size() - 30));
  world.upstream().eof();
  EXPECT_EQ(client.answer().status, 502);
  EXPECT_FALSE(has(client.port.sent, "chat.completion"));
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_GE(world.row().usage.output_visible, 1);
  EXPECT_LE(world.row().usage.total(), held_tokens(world));
  EXPECT_EQ(world.used("tokens"), world.row().usage.total());
  world.expect_quiet();
}

TEST(ExchangeFailure, AWholeAnswerThatCannotBeReadCountsNoMoreThanItsCap) {
  const char* capped = R"({"model":"gpt-4o","max_tokens":12,"messages":[{"role":"user","content":"Say hi."}]})";
  for (const bool broken : {false, true}) {
    World world;
    Connection client(world);
    client.say(chat_request(world.agent, capped));
    const std::int64_t held = held_tokens(world);
    const std::string answer = json_answer(std::string(4000, '['));
    world.upstream().bytes(std::string_view(answer).substr(0, answer.size() - (broken ? 30 : 0)));
    if (broken) world.upstream().eof();
    EXPECT_EQ(world.row().settled, Settled::kCounted);
    EXPECT_EQ(world.row().usage.output_visible, 12);
    EXPECT_EQ(world.row().usage.total(), held);
    world.expect_quiet();
  }
}

TEST(ExchangeFailure, AWholeAnswerWithoutABodyIsChargedInFull) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  const std::int64_t held = held_tokens(world);
  const std::string answer = json_answer(kChatAnswer);
  world.upstream().bytes(std::string_view(answer).substr(0, answer.find("\r\n\r\n") + 4));
  world.upstream().eof();
  EXPECT_EQ(client.answer().status, 502);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.row().usage.total(), held);
  world.expect_quiet();
}

TEST(ExchangeFailure, EndInTheMiddleOfAStreamBecomesTheDialectsErrorEvent) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  world.upstream().bytes(joined({kStreamHead, chunk(kDelta1), chunk(kDelta2.substr(0, 30))}));
  world.upstream().eof();
  const Received answer = client.answer();
  EXPECT_TRUE(answer.complete);
  EXPECT_TRUE(answer.body.starts_with(std::string(kDelta1) + "data: {\"error\":{")) << answer.body;
  EXPECT_TRUE(answer.body.ends_with("}\n\n"));
  EXPECT_FALSE(has(answer.body, kDone));
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.row().usage.output_visible, estimate_output_tokens(2));
  world.expect_quiet();
}

TEST(ExchangeFailure, AnthropicStreamErrorKeepsTheInputItWasTold) {
  World world;
  Connection client(world);
  client.say(request("POST", "/v1/messages", world.agent, kMessageStream));
  world.upstream().bytes(joined(
      {kStreamHead,
       chunk("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-x\",\"usage\":"
             "{\"input_tokens\":9,\"cache_read_input_tokens\":4,\"output_tokens\":1}}}\n\n")}));
  world.upstream().fail(UpstreamFailure::kReset);
  EXPECT_TRUE(has(client.answer().body, "event: error\ndata: {\"type\":\"error\""));
  EXPECT_EQ(world.row().usage.input_uncached, 9);
  EXPECT_EQ(world.row().usage.cache_read, 4);
  EXPECT_EQ(world.row().usage.output(), 0);
  world.expect_quiet();
}

TEST(ExchangeFailure, MalformedHeadIs502) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes("SMTP ready\r\n\r\n");
  EXPECT_EQ(client.answer().status, 502);
  EXPECT_TRUE(has(client.answer().body, "malformed"));
  EXPECT_FALSE(world.upstream().reusable);
  world.expect_quiet();
}

TEST(ExchangeFailure, SwitchingProtocolsIsRefused) {
  World world;
  Connection client(world);
  client.say(request("GET", "/plain/x", world.agent));
  world.upstream().bytes("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
  EXPECT_EQ(client.answer().status, 502);
  world.expect_quiet();
}

TEST(ExchangeFailure, SilenceBeforeTheHeadIs504AndChargedInFull) {
  for (const bool stream : {false, true}) {
    World world;
    Connection client(world);
    client.say(chat_request(world.agent, stream ? kChatStream : kChat));
    EXPECT_EQ(world.upstream().deadline, kNoon + (stream ? 5 : 60) * kSecond);
    world.upstream().expire();
    EXPECT_EQ(client.answer().status, 504);
    EXPECT_EQ(client.answer()["content-type"], "application/json");
    EXPECT_EQ(world.row().settled, Settled::kCounted);
    EXPECT_EQ(world.row().usage.total(), held_tokens(world));
    EXPECT_EQ(world.used("tokens"), held_tokens(world));
    world.expect_quiet();
  }
}

TEST(ExchangeFailure, AStreamThatStallsIsEndedAndCounted) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  world.pass(3 * kSecond);
  world.upstream().bytes(joined({kStreamHead, chunk(kDelta1)}));
  EXPECT_EQ(world.upstream().deadline, kNoon + 9 * kSecond);
  world.pass(55 * kSecond);
  world.upstream().bytes(chunk(kDelta2));
  EXPECT_EQ(world.upstream().deadline, kNoon + 60 * kSecond);  // the whole answer has a deadline too
  world.upstream().expire();
  EXPECT_TRUE(has(client.answer().body, "stopped sending"));
  EXPECT_TRUE(client.answer().complete);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.row().usage.output_visible, estimate_output_tokens(9));
  world.expect_quiet();
}

TEST(ExchangeFailure, AfterTheEndMarkerAFailureIsNotTheClients) {
  for (int how = 0; how < 4; ++how) {
    World world;
    Connection client(world);
    client.say(chat_request(world.agent, kChatStream));
    const std::string events = joined({kStreamHead, chunk(joined({kDelta1, kUsageEvent, kDone}))});
    if (how == 0) {  // before the journal has the usage
      world.upstream().bytes_within_turn(events);
      world.upstream().eof_within_turn();
      EXPECT_FALSE(has(client.port.sent, "[DONE]"));
      EXPECT_FALSE(client.answer().complete);
      world.turn();
    } else {
      world.upstream().bytes(events);
      if (how == 1) world.upstream().eof();
      if (how == 2) world.upstream().expire();
      if (how == 3) world.upstream().bytes("this is no chunk\r\n");
    }
    EXPECT_EQ(client.answer().body, joined({kDelta1, kDone})) << how;
    EXPECT_TRUE(client.answer().complete);
    EXPECT_EQ(world.row().settled, Settled::kUsage);
    EXPECT_FALSE(world.upstream().reusable);
    world.expect_quiet();
  }
}

TEST(ExchangeFailure, AfterTheEndMarkerAFailureWaitsForLateCounters) {
  World world;
  world.counters.deferred = true;
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  world.counters.answer();
  world.turn();
  world.upstream().bytes(joined({kStreamHead, chunk(joined({kDelta1, kUsageEvent, kDone}))}));
  world.upstream().eof();
  EXPECT_FALSE(has(client.port.sent, "[DONE]"));
  EXPECT_TRUE(world.journal.settles.empty());
  world.counters.answer();
  world.turn();
  EXPECT_EQ(client.answer().body, joined({kDelta1, kDone}));
  EXPECT_TRUE(client.answer().complete);
  world.expect_quiet();
}

TEST(ExchangeFailure, ProvidersOwnErrorsPassAndReleaseTheTokens) {
  for (const std::string_view status : {"400 Bad Request", "401 Unauthorized", "429 Too Many Requests",
                                        "500 Internal Server Error", "529 Overloaded"}) {
    World world;
    Connection client(world);
    client.say(chat_request(world.agent, kChatStream));
    const std::string body = R"({"error":{"message":"Incorrect API key provided: sk-provider-secret."}})";
    world.upstream().bytes(
        response(status, "application/json", body, "retry-after: 7\r\nx-debug: sk-provider-secret\r\n"));
    const Received answer = client.answer();
    EXPECT_EQ(answer.status, std::stoi(std::string(status)));
    EXPECT_EQ(answer["retry-after"], "7");
    EXPECT_EQ(answer.body, R"({"error":{"message":"Incorrect API key provided: ******************."}})");
    EXPECT_FALSE(has(client.port.sent, kProviderKey));
    EXPECT_EQ(world.used("requests"), 1);
    EXPECT_EQ(world.used("tokens"), 0);
    EXPECT_EQ(world.row().settled, Settled::kNone);
    EXPECT_EQ(world.row().status, answer.status);
    EXPECT_TRUE(world.upstream().reusable);
    world.expect_quiet();
  }
}

TEST(ExchangeFailure, AnErrorThatBreaksOffIsStillAnErrorAndFree) {
  for (const bool client_leaves : {false, true}) {
    World world;
    Connection client(world);
    client.say(chat_request(world.agent));
    world.upstream().bytes("HTTP/1.1 500 Oops\r\ncontent-length: 100\r\n\r\n{\"err");
    client_leaves ? client.leave() : world.upstream().eof();
    EXPECT_EQ(world.row().settled, Settled::kNone);
    EXPECT_EQ(world.used("tokens"), 0);
    if (!client_leaves) {
      EXPECT_EQ(client.answer().status, 502);
    }
    world.expect_quiet();
  }
}

TEST(ExchangeFailure, BytesAfterAnAnswerSpoilTheConnection) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(json_answer(kChatAnswer) + "HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_FALSE(world.upstream().reusable);
  world.expect_quiet();
}

// --- the client leaves ----------------------------------------------------------------------------------------------

TEST(ExchangeLeaving, BeforeTheJournalIsWrittenNothingIsForwardedOrCharged) {
  World world;
  Connection client(world);
  client.session->on_bytes(chat_request(world.agent));
  client.leave();
  EXPECT_TRUE(world.dialed.empty());
  EXPECT_EQ(world.row().settled, Settled::kNone);
  EXPECT_EQ(world.row().status, 499);
  EXPECT_EQ(world.used("tokens"), 0);
  world.expect_quiet();
}

TEST(ExchangeLeaving, BeforeTheConnectionStandsNothingIsCharged) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().is_connected = false;
  client.leave();
  EXPECT_EQ(world.row().settled, Settled::kNone);
  EXPECT_EQ(world.row().status, 499);
  EXPECT_EQ(world.used("tokens"), 0);
  world.expect_quiet();
}

TEST(ExchangeLeaving, BeforeTheFirstByteTheReservationIsCharged) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  client.leave();
  EXPECT_TRUE(world.upstream().released);
  EXPECT_FALSE(world.upstream().reusable);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.row().usage.total(), held_tokens(world));
  world.expect_quiet();
}

TEST(ExchangeLeaving, InAStreamWhatWasProducedIsCharged) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  world.upstream().bytes(joined({kStreamHead, chunk(kDelta1), chunk(kDelta2)}));
  client.leave();
  EXPECT_TRUE(world.upstream().released);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.row().status, 499);
  EXPECT_EQ(world.row().usage.output_visible, estimate_output_tokens(9));
  EXPECT_LT(world.used("tokens"), held_tokens(world));
  world.expect_quiet();
}

TEST(ExchangeLeaving, AfterTheEndMarkerItsUsageStands) {
  for (const bool written : {false, true}) {
    World world;
    Connection client(world);
    client.say(chat_request(world.agent, kChatStream));
    world.upstream().bytes_within_turn(joined({kStreamHead, chunk(joined({kDelta1, kUsageEvent, kDone}))}));
    if (written) world.turn();
    client.leave();
    EXPECT_TRUE(world.upstream().released);
    EXPECT_EQ(world.row().settled, Settled::kUsage);
    EXPECT_EQ(world.used("tokens"), 15);
    world.expect_quiet();
  }
}

TEST(ExchangeLeaving, WhileAWholeAnswerWaitsForTheJournal) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes_within_turn(json_answer(kChatAnswer));
  client.leave();
  EXPECT_EQ(world.row().settled, Settled::kUsage);
  EXPECT_EQ(world.used("tokens"), 14);
  EXPECT_EQ(client.port.sent, "");
  world.expect_quiet();
}

TEST(ExchangeLeaving, AHalfClosedClientIsGone) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  client.session->on_eof();
  world.turn();
  EXPECT_TRUE(client.port.aborted);
  EXPECT_TRUE(world.upstream().released);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  world.expect_quiet();
}

TEST(ExchangeLeaving, ThenTheProviderMayStillSpeak) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  world.upstream().bytes_within_turn(joined({kStreamHead, chunk(kDelta1)}));
  client.leave();
  world.upstream().bytes(chunk(kDelta2));  // released: goes nowhere
  EXPECT_EQ(world.journal.settles.size(), 1u);
  world.expect_quiet();
}

// --- counters that answer later, a disk that fails ------------------------------------------------------------------

TEST(ExchangeLate, ClientGoneBeforeTheAdmission) {
  World world;
  world.counters.deferred = true;
  Connection client(world);
  client.say(chat_request(world.agent));
  EXPECT_TRUE(world.journal.opens.empty());
  client.leave();
  world.counters.answer();  // admitted: must be given back
  ASSERT_EQ(world.counters.waiting(), 1u);
  world.counters.answer();
  EXPECT_TRUE(world.dialed.empty());
  EXPECT_EQ(world.row().settled, Settled::kNone);
  EXPECT_EQ(world.row().status, 499);
  EXPECT_EQ(world.used("tokens"), 0);
  world.expect_quiet();
}

TEST(ExchangeLate, ClientGoneBeforeARefusalStillLeavesEvidence) {
  World world(std::string(kTestPolicy) + R"(
anonymous: refuse
)");
  world.use_policy(R"(
providers: { openai: { dialect: openai, url: "http://openai.test", key: k } }
models: { "*": { provider: openai } }
limits:
  - { name: tiny, per: [header.x-team, method], meter: requests, allow: 1/1m }
)");
  const std::string fields = "x-team: a-team-with-a-long-name-so-that-it-lives-on-the-heap\r\n";
  Connection first(world);
  first.say(chat_request(world.agent, kChat, fields));
  first.leave();
  world.counters.deferred = true;
  auto second = std::make_unique<Connection>(world);
  second->say(chat_request(world.agent, kChat, fields));
  second->leave();
  second.reset();  // the request's head is gone with its connection
  world.counters.answer();
  world.turn();
  ASSERT_EQ(world.journal.audits.size(), 1u);
  EXPECT_TRUE(has(world.journal.audits[0].per_json, "a-team-with-a-long-name-so-that-it-lives-on-the-heap"));
  EXPECT_TRUE(has(world.journal.audits[0].per_json, "POST"));
  EXPECT_EQ(world.limiter.stats().open_reservations, 0u);
}

TEST(ExchangeLate, EveryStepWaits) {
  World world;
  world.counters.deferred = true;
  Connection client(world);
  client.say(chat_request(world.agent));
  EXPECT_TRUE(world.dialed.empty());
  world.counters.answer();
  EXPECT_TRUE(world.dialed.empty());
  world.turn();
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(client.port.sent, "");
  EXPECT_TRUE(world.journal.settles.empty());
  world.counters.answer();
  EXPECT_EQ(client.port.sent, "");
  world.turn();
  EXPECT_EQ(client.answer().status, 200);
  world.expect_quiet();
}

TEST(ExchangeLate, TheLastByteOfAKnownLengthWaitsToo) {
  World world;
  world.counters.deferred = true;
  Connection client(world);
  client.say(request("GET", "/plain/x", world.agent));
  world.counters.answer();
  world.turn();
  world.upstream().bytes(response("200 OK", "text/plain", "0123456789"));
  EXPECT_FALSE(client.answer().complete);
  world.counters.answer();
  EXPECT_FALSE(client.answer().complete);
  world.turn();
  EXPECT_TRUE(client.answer().complete);
  EXPECT_EQ(client.answer().body, "0123456789");
  world.expect_quiet();
}

TEST(ExchangeLate, ClientGoneWhileSettling) {
  World world;
  world.counters.deferred = true;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.counters.answer();
  world.turn();
  world.upstream().bytes(json_answer(kChatAnswer));
  client.leave();
  EXPECT_EQ(world.services.live.size(), 1u);
  world.counters.answer();
  EXPECT_EQ(world.row().settled, Settled::kUsage);
  world.expect_quiet();
}

TEST(ExchangeLate, CountersThatCannotBeReachedAre503) {
  World world;
  world.counters.status = CountersStatus::kUnavailable;
  Connection client(world);
  client.say(chat_request(world.agent));
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_GE(std::stoi(answer["retry-after"]), 1);
  EXPECT_EQ(answer["x-should-retry"], "(absent)");
  EXPECT_TRUE(world.dialed.empty());
  EXPECT_TRUE(world.journal.opens.empty());
  world.expect_quiet();
}

TEST(ExchangeLate, AJournalThatCannotBeWrittenForwardsNothing) {
  World world;
  world.disk_ok = false;
  Connection client(world);
  client.say(chat_request(world.agent));
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_GE(std::stoi(answer["retry-after"]), 1);
  EXPECT_TRUE(world.dialed.empty());
  EXPECT_EQ(world.row().settled, Settled::kNone);
  EXPECT_EQ(world.row().status, 503);
  EXPECT_EQ(world.used("tokens"), 0);
  EXPECT_EQ(world.book.journal_failures.value(), 1);
  world.expect_quiet();
}

TEST(ExchangeLate, AJournalThatFailsLaterHoldsBackNoAnswer) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.disk_ok = false;
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(client.answer().status, 200);
  world.expect_quiet();
}

}  // namespace
}  // namespace weir
