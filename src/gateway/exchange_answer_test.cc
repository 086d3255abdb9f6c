// What a request costs and what its client sees when nothing goes wrong: whole answers, streams, limits, reloads.
#include <gtest/gtest.h>

#include "gateway/exchange.h"
#include "gateway/gateway_fixture.h"
#include "tokens/estimate.h"

namespace weir {
namespace {

using namespace stage;

TEST(ExchangeAnswer, JsonAnswerIsSettledOnceAndShowsItsCost) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  EXPECT_GT(world.reserved("tokens"), 100);
  EXPECT_EQ(world.reserved("in-flight") + world.used("in-flight"), 1);
  world.upstream().bytes(json_answer(kChatAnswer));
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, kChatAnswer);
  EXPECT_EQ(answer["x-weir-tokens"], "14");
  EXPECT_EQ(answer["x-weir-cost-usd"], "0.000058");  // 11 x 2.50 + 3 x 10.00 per million, rounded up
  EXPECT_EQ(answer["x-weir-request-id"].substr(0, 4), "req_");
  EXPECT_TRUE(has(answer["ratelimit-policy"], "\"in-flight\";q=4;qu=\"concurrent-requests\""));
  EXPECT_TRUE(has(answer["ratelimit"], "\"in-flight\";r=3"));
  EXPECT_EQ(answer["x-ratelimit-limit-requests"], "100");
  EXPECT_EQ(answer["x-ratelimit-remaining-requests"], "99");
  EXPECT_EQ(world.used("tokens"), 14);
  EXPECT_EQ(world.used("requests"), 1);
  EXPECT_EQ(world.used("spend"), 58);
  EXPECT_EQ(world.row().settled, Settled::kUsage);
  EXPECT_EQ(world.row().usage.input_uncached, 11);
  EXPECT_EQ(world.row().usage.output_visible, 3);
  EXPECT_EQ(world.row().usd_micros, 58);
  EXPECT_EQ(world.row().status, 200);
  EXPECT_EQ(world.row().attempts, 1);
  EXPECT_EQ(world.row().key, "agent-1");
  EXPECT_EQ(world.row().provider, "openai");
  EXPECT_TRUE(world.upstream().reusable);
  EXPECT_FALSE(client.port.closing);
  world.expect_quiet();
}

TEST(ExchangeAnswer, ReservationIsWrittenBeforeTheProviderIsAskedAndUsageBeforeTheAnswer) {
  World world;
  Connection client(world);
  client.session->on_bytes(chat_request(world.agent));
  EXPECT_EQ(world.journal.opens.size(), 1u);
  EXPECT_TRUE(world.dialed.empty());
  world.turn();
  ASSERT_EQ(world.dialed.size(), 1u);
  world.upstream().bytes_within_turn(json_answer(kChatAnswer));
  EXPECT_EQ(world.journal.settles.size(), 1u);
  EXPECT_EQ(client.port.sent, "");
  world.turn();
  EXPECT_EQ(client.answer().status, 200);
  const Trace wanted = {"open", "written", "dial", "upstream", "upstream", "settle", "written", "client"};
  EXPECT_EQ(world.trace, wanted);
  EXPECT_GT(world.journal.opens[0].effects, 0u);
  EXPECT_GT(world.journal.opens[0].row.usage.total(), 100);  // what a crash would charge
  EXPECT_EQ(world.journal.opens[0].row.reserved_tokens, world.journal.opens[0].row.usage.total());
}

TEST(ExchangeAnswer, TheProviderGetsItsOwnCredentialAndNotTheClients) {
  World world;
  Connection client(world);
  client.say(
      chat_request(world.agent, kChat,
                   "x-weir-user: bob\r\naccept-encoding: gzip\r\nx-own: 1\r\nconnection: x-hop\r\nx-hop: 1\r\n"));
  const std::string& sent = world.upstream().sent;
  EXPECT_TRUE(sent.starts_with("POST /v1/chat/completions HTTP/1.1\r\nhost: openai.test:8000\r\n")) << sent;
  EXPECT_TRUE(has(sent, "authorization: Bearer sk-provider-secret\r\n"));
  EXPECT_TRUE(has(sent, "accept-encoding: identity\r\n"));
  EXPECT_TRUE(has(sent, "x-own: 1\r\n"));
  EXPECT_TRUE(sent.ends_with("\r\n\r\n" + std::string(kChat)));
  for (const std::string_view gone : {std::string_view(world.agent), std::string_view("x-weir-"),
                                      std::string_view("gzip"), std::string_view("x-hop")}) {
    EXPECT_FALSE(has(sent, gone));
  }
  EXPECT_EQ(world.upstream().origin.host, "openai.test");
  EXPECT_EQ(world.upstream().origin.port, 8000);
}

TEST(ExchangeAnswer, AnthropicUsesItsOwnHeadersAndPath) {
  World world;
  Connection client(world);
  client.say(request("POST", "/v1/messages", {}, kMessage,
                     "x-api-key: " + world.agent + "\r\nanthropic-version: 2023-06-01\r\n"));
  const std::string& sent = world.upstream().sent;
  EXPECT_TRUE(sent.starts_with("POST /v1/messages HTTP/1.1\r\nhost: claude.test\r\n")) << sent;
  EXPECT_TRUE(has(sent, "\r\nx-api-key: sk-provider-secret\r\n"));
  EXPECT_TRUE(has(sent, "anthropic-version: 2023-06-01"));
  EXPECT_FALSE(has(sent, world.agent));
  world.upstream().bytes(json_answer(
      R"({"type":"message","model":"claude-x","content":[{"type":"text","text":"Hi."}],"usage":{"input_tokens":9,"cache_read_input_tokens":5,"output_tokens":2}})"));
  const Received answer = client.answer();
  EXPECT_EQ(answer["x-weir-tokens"], "16");
  EXPECT_EQ(answer["anthropic-ratelimit-requests-limit"], "100");
  EXPECT_EQ(answer["x-ratelimit-limit-requests"], "(absent)");
  EXPECT_EQ(world.used("tokens"), 16);
  EXPECT_EQ(world.row().usage.cache_read, 5);
  world.expect_quiet();
}

TEST(ExchangeAnswer, ProvidersLimitHeadersAndHopByHopFieldsStayBehind) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(
      json_answer(kChatAnswer,
                  "x-ratelimit-limit-requests: 9999\r\nx-request-id: up-1\r\nkeep-alive: timeout=5\r\n"
                  "ratelimit: \"x\";r=1\r\nx-weir-cost-usd: 0\r\nset-echo: sk-provider-secret\r\n"));
  const Received answer = client.answer();
  EXPECT_EQ(answer["x-ratelimit-limit-requests"], "100");
  EXPECT_EQ(answer["x-request-id"], "up-1");
  EXPECT_EQ(answer["keep-alive"], "(absent)");
  EXPECT_EQ(answer["x-weir-cost-usd"], "0.000058");
  EXPECT_FALSE(has(answer["ratelimit"], "\"x\""));
  EXPECT_FALSE(has(client.port.sent, kProviderKey));
}

TEST(ExchangeAnswer, EmbeddingsHoldTheirInputOnly) {
  World world;
  Connection client(world);
  client.say(request("POST", "/v1/embeddings", world.agent, R"({"model":"embed","input":[1,2,3,4,5]})"));
  EXPECT_TRUE(world.upstream().sent.starts_with("POST /v1/embeddings "));
  const std::int64_t held = world.reserved("tokens");
  EXPECT_GE(held, 5);
  EXPECT_LT(held, 50);
  world.upstream().bytes(
      json_answer(R"({"object":"list","data":[],"model":"embed","usage":{"prompt_tokens":5,"total_tokens":5}})"));
  EXPECT_EQ(world.used("tokens"), 5);
  EXPECT_EQ(client.answer()["x-weir-cost-usd"], "0.000005");
  world.expect_quiet();
}

TEST(ExchangeAnswer, AnAnswerWithoutUsageIsCounted) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  const std::int64_t input = world.journal.opens[0].row.usage.input_uncached;
  world.upstream().bytes(
      json_answer(R"({"model":"gpt-4o","choices":[{"index":0,"message":{"content":"0123456789abcdef"}}]})"));
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.row().usage.input_uncached, input);
  EXPECT_EQ(world.row().usage.output_visible, estimate_output_tokens(16));
  EXPECT_EQ(world.used("tokens"), input + 5);
  world.expect_quiet();
}

TEST(ExchangeAnswer, ASlowReaderStopsTheProvider) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  client.port.unsent_bytes = Exchange::kHighWater + 1;
  world.pass(kSecond);
  world.upstream().bytes(joined({kStreamHead, chunk(kDelta1)}));
  EXPECT_FALSE(world.upstream().reading);
  // While Weir does not read, silence is not the provider's: only the whole answer has a deadline.
  EXPECT_EQ(world.upstream().deadline, kNoon + 60 * kSecond);
  client.port.unsent_bytes = 0;
  world.pass(kSecond);
  client.session->on_drained();
  EXPECT_TRUE(world.upstream().reading);
  EXPECT_EQ(world.upstream().deadline, kNoon + 2 * kSecond + 6 * kSecond);
  world.upstream().bytes(joined({chunk(joined({kUsageEvent, kDone})), kLastChunk}));
  EXPECT_TRUE(client.answer().complete);
  world.expect_quiet();
}

TEST(ExchangeAnswer, AWholeAnswerTooLongToHoldPassesAndIsCounted) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  const std::string body = "{\"x\":\"" + std::string(Exchange::kMaxBuffered + 5'000'000, 'a') + "\"}";
  const std::string answer = json_answer(body);
  world.upstream().bytes(std::string_view(answer).substr(0, answer.size() - 1));
  const Received early = client.answer();
  EXPECT_GT(early.body.size(), Exchange::kMaxBuffered);
  EXPECT_EQ(early["x-weir-tokens"], "(absent)");
  world.upstream().bytes(std::string_view(answer).substr(answer.size() - 1));
  EXPECT_EQ(client.answer().body, body);
  EXPECT_TRUE(client.answer().complete);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.row().usage.output_visible, 100);  // its cap: a provider bills no more
  world.expect_quiet();
}

TEST(ExchangeAnswer, RefusalNamesTheLimitAndLeavesNoTrace) {
  World world;
  std::vector<std::unique_ptr<Connection>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<Connection>(world));
    clients.back()->say(chat_request(world.agent));
  }
  EXPECT_EQ(world.dialed.size(), 4u);
  Connection fifth(world);
  fifth.say(chat_request(world.agent));
  EXPECT_EQ(world.dialed.size(), 4u);
  const Received answer = fifth.answer();
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer["content-type"], "application/json");
  EXPECT_EQ(answer["retry-after"], "1");
  EXPECT_TRUE(has(answer.body, R"("code":"rate_limit_exceeded")"));
  EXPECT_TRUE(has(answer.body, R"("limit":"in-flight")"));
  EXPECT_TRUE(has(answer.body, R"("window":null)"));
  EXPECT_TRUE(answer.keep_alive);
  EXPECT_EQ(world.used("requests"), 4);
  ASSERT_EQ(world.journal.audits.size(), 1u);
  EXPECT_EQ(world.journal.audits[0].limit, "in-flight");
  EXPECT_EQ(world.journal.audits[0].key, "agent-1");
  EXPECT_EQ(world.journal.opens.size(), 4u);
  for (auto& call : world.dialed) call->bytes(json_answer(kChatAnswer));
  fifth.say(chat_request(world.agent));
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(fifth.answers().back().status, 200);
  world.expect_quiet();
}

TEST(ExchangeAnswer, InputThatCanNeverFitIs413) {
  World world;
  Connection client(world);
  std::string text;
  for (int i = 0; i < 60'000; ++i) text += " x";
  client.say(
      chat_request(world.agent, R"({"model":"gpt-4o","messages":[{"role":"user","content":")" + text + R"("}]})"));
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer["retry-after"], "(absent)");
  EXPECT_EQ(answer["x-should-retry"], "false");
  EXPECT_TRUE(has(answer.body, R"("code":"request_too_large")"));
  EXPECT_TRUE(has(answer.body, R"("retry_after":null)"));
  EXPECT_EQ(world.used("requests"), 0);
  world.expect_quiet();
}

TEST(ExchangeAnswer, ACapBeyondTheAmountHoldsTheAmount) {
  World world;
  Connection client(world);
  client.say(chat_request(
      world.agent, R"({"model":"gpt-4o","max_tokens":1000000000000,"messages":[{"role":"user","content":"x"}]})"));
  ASSERT_EQ(client.port.sent, "");
  EXPECT_EQ(world.reserved("tokens"), 50'000);
  EXPECT_EQ(world.reserved("spend"), world.journal.opens[0].row.usd_micros);
  EXPECT_LT(world.reserved("spend"), 500'001);
  EXPECT_EQ(world.journal.opens[0].row.reserved_tokens, 50'000);
  world.upstream().expire();
  EXPECT_EQ(client.answer().status, 504);
  EXPECT_EQ(world.used("tokens"), 50'000);  // what was held, not what was dreamt of
  EXPECT_EQ(world.used("spend"), world.row().usd_micros);
  EXPECT_EQ(world.row().usage.total(), 50'000);
  world.expect_quiet();
}

TEST(ExchangeAnswer, UnknownModelAndForeignDialectAre404) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, R"({"model":"nope","messages":[{"role":"user","content":"x"}]})"));
  client.say(request("POST", "/v1/messages", world.agent,
                     R"({"model":"gpt-4o","max_tokens":5,"messages":[{"role":"user","content":"x"}]})"));
  const auto answers = client.answers();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].status, 404);
  EXPECT_TRUE(has(answers[0].body, R"("code":"model_not_found")"));
  EXPECT_TRUE(has(answers[0].body, "nope"));
  EXPECT_EQ(answers[1].status, 404);
  EXPECT_TRUE(has(answers[1].body, R"("type":"not_found_error")"));
  EXPECT_TRUE(has(answers[1].body, "openai dialect"));
  EXPECT_EQ(world.used("requests"), 0);
  world.expect_quiet();
}

TEST(ExchangeAnswer, BadBodiesAre400AndChargeNothing) {
  for (const std::string_view body :
       {"{", "[]", R"({"model":7,"messages":[{"role":"user","content":"x"}]})",
        R"({"model":"gpt-4o","model":"x","messages":[{"role":"user","content":"x"}]})",
        R"({"model":"gpt-4o","messages":[{"role":"user","content":"x"}],"max_tokens":-1})", "{\"model\":\"\xff\"}"}) {
    World world;
    Connection client(world);
    client.say(chat_request(world.agent, body));
    EXPECT_EQ(client.answer().status, 400) << body;
    EXPECT_TRUE(has(client.answer().body, R"("type":"invalid_request_error")"));
    EXPECT_TRUE(client.answer().keep_alive);
    EXPECT_EQ(world.used("requests"), 0);
    world.expect_quiet();
  }
}

TEST(ExchangeAnswer, ARequestKeepsItsRulesetAcrossAReload) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  const std::weak_ptr<const Ruleset> old = world.services.rules;
  world.use_policy("limits: []");
  EXPECT_FALSE(old.expired());
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(client.answer()["x-weir-cost-usd"], "0.000058");
  EXPECT_TRUE(has(client.answer()["ratelimit-policy"], "in-flight"));
  world.turn();
  EXPECT_TRUE(old.expired());
  EXPECT_EQ(world.limiter.stats().open_reservations, 0u);
}

TEST(ExchangeAnswer, ReloadBetweenHeadAndBodyIsNotSeenEither) {
  World world;
  Connection client(world);
  const std::string text = request("POST", "/plain/x", world.agent, "0123456789");
  client.say(text.substr(0, text.size() - 5));
  const std::weak_ptr<const Ruleset> old = world.services.rules;
  world.use_policy("limits: []");  // knows no upstreams
  EXPECT_FALSE(old.expired());
  client.say(text.substr(text.size() - 5));
  ASSERT_EQ(world.dialed.size(), 1u);
  EXPECT_EQ(world.upstream().origin.host, "plain.test");
  world.upstream().bytes(response("200 OK", "text/plain", "ok"));
  EXPECT_EQ(client.answer().body, "ok");
  world.turn();
  EXPECT_TRUE(old.expired());  // an idle connection holds no ruleset
}

TEST(ExchangeAnswer, ACapBeyondTheMoneyHoldsTheMoney) {
  World world;
  world.use_policy(R"(
providers: { openai: { dialect: openai, url: "http://openai.test" } }
models: { gpt-4o: { provider: openai, price: { input: 2.50, output: 10.00 } } }
limits: [{ name: spend, per: caller, meter: usd, allow: 1/day }]
)");
  Connection client(world);
  client.say(chat_request(
      world.agent, R"({"model":"gpt-4o","max_tokens":1000000000000,"messages":[{"role":"user","content":"x"}]})"));
  const UsageRow& held = world.journal.opens[0].row;
  EXPECT_LE(held.usd_micros, 1'000'000);
  EXPECT_GT(held.usd_micros, 999'900);
  EXPECT_LT(held.reserved_tokens, 100'100);
  client.leave();
  EXPECT_EQ(world.used("spend"), held.usd_micros);
  EXPECT_EQ(world.row().usd_micros, held.usd_micros);
}

}  // namespace
}  // namespace weir
