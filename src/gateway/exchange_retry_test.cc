// Attempts before a byte went to the client: what is tried again, what each attempt costs, and what the client gets.
#include <gtest/gtest.h>

#include "gateway/exchange.h"
#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

// The same request is sent again and again here, and providers are watched, not callers.
std::string patient() {
  return policy_with("breaker: { unlinked: { failed: 1000 }, failed_prompts: { break: 1000 } }\n");
}

std::string retrying(
    std::string_view models = R"(  gpt-4o: { provider: openai, price: { input: 2.50, output: 10.00 } })") {
  std::string out = policy_with("retry: { attempts: 3, within: 10s }", "retry:");
  const std::size_t at = out.find("  gpt-4o:");
  return out.replace(at, out.find('\n', at) - at, models);
}

constexpr std::string_view kTwoModels =
    "  gpt-4o: { provider: openai, price: { input: 2.50, output: 10.00 }, fallback: [small] }\n"
    "  small: { provider: openai, price: { input: 1, output: 1 } }";

std::string error_answer(std::string_view status, std::string_view fields = {}) {
  return response(status, "application/json",
                  R"({"error":{"message":"busy","type":"server_error","code":null,"param":null}})", fields);
}

TEST(ExchangeRetry, AConnectionThatFailsIsTriedAgainAfterAPause) {
  World world(retrying());
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().fail(UpstreamFailure::kConnect);
  EXPECT_TRUE(client.answers().empty());
  EXPECT_EQ(world.dialed.size(), 1u);
  client.wake();
  ASSERT_EQ(world.dialed.size(), 2u);
  EXPECT_EQ(world.upstream().sent, world.dialed[0]->sent);
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(world.row().attempts, 2);
  EXPECT_EQ(world.row().usage.total(), 14);
  EXPECT_EQ(world.used("requests"), 1);  // one request, however often it was tried
  EXPECT_EQ(world.used("tokens"), 14);
  EXPECT_EQ(world.book.retries.value(), 1);
  EXPECT_EQ(world.book.fallbacks.value(), 0);
  EXPECT_EQ(world.journal.top_ups.size(), 0u);  // an attempt that used nothing lends its reservation to the next
  world.expect_quiet();
}

TEST(ExchangeRetry, TheProvidersWaitIsWaitedForWithinTheBound) {
  World world(retrying());
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(error_answer("429 Too Many Requests", "retry-after: 4\r\n"));
  EXPECT_TRUE(client.answers().empty());
  EXPECT_GE(client.port.deadline, world.services.now + 4 * kSecond);
  client.wake();
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(client.answer().status, 200);
  world.expect_quiet();
}

TEST(ExchangeRetry, ALongerWaitIsTheClientsToKeep) {
  World world(retrying());
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(error_answer("429 Too Many Requests", "retry-after: 11\r\n"));
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer["retry-after"], "11");
  EXPECT_EQ(world.dialed.size(), 1u);
  EXPECT_EQ(world.row().settled, Settled::kNone);
  EXPECT_EQ(world.used("tokens"), 0);
  world.expect_quiet();
}

TEST(ExchangeRetry, TheLastErrorIsTheClients) {
  World world(retrying());
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(error_answer("503 Service Unavailable"));
  client.wake();
  world.upstream().bytes(error_answer("502 Bad Gateway"));
  client.wake();
  world.upstream().bytes(error_answer("503 Service Unavailable", "x-last: yes\r\n"));
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer["x-last"], "yes");
  EXPECT_TRUE(has(answer.body, "busy"));
  EXPECT_EQ(world.row().attempts, 3);
  EXPECT_EQ(world.used("requests"), 1);
  EXPECT_EQ(world.used("tokens"), 0);
  world.expect_quiet();
}

TEST(ExchangeRetry, ErrorsThatThePolicyDoesNotNamePassAtOnce) {
  for (const char* status : {"500 Internal Server Error", "400 Bad Request", "401 Unauthorized"}) {
    World world(retrying());
    Connection client(world);
    client.say(chat_request(world.agent));
    world.upstream().bytes(error_answer(status));
    EXPECT_EQ(std::to_string(client.answer().status), std::string(status).substr(0, 3));
    EXPECT_EQ(world.dialed.size(), 1u);
    world.expect_quiet();
  }
}

TEST(ExchangeRetry, ATimeoutIsChargedAndTheNextAttemptAdmittedAnew) {
  World world(retrying(R"(  gpt-4o: { provider: openai, price: { input: 2.50, output: 10.00 } })"));
  world.use_policy(policy_with("retry: { attempts: 2, within: 100s }", "retry:"));
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  const std::int64_t held = world.reserved("tokens");
  world.pass(5 * kSecond);
  world.upstream().expire();
  EXPECT_EQ(world.reserved("tokens"), held);  // until the next attempt
  client.wake();
  ASSERT_EQ(world.dialed.size(), 2u);
  EXPECT_EQ(world.used("tokens"), held);  // the first may have produced all that it held
  EXPECT_EQ(world.reserved("tokens"), held);
  world.upstream().bytes(joined({kStreamHead, chunk(joined({kDelta1, kUsageEvent, kDone})), kLastChunk}));
  EXPECT_TRUE(client.answer().complete);
  EXPECT_EQ(world.used("tokens"), held + 15);
  EXPECT_EQ(world.row().usage.total(), held + 15);
  EXPECT_EQ(world.row().settled, Settled::kUsage);
  EXPECT_EQ(world.row().attempts, 2);
  EXPECT_EQ(world.used("requests"), 1);
  world.expect_quiet();
}

TEST(ExchangeRetry, AnAttemptThatIsRefusedReturnsTheLastError) {
  World world(policy_with("  - { name: tokens, per: caller, meter: tokens, allow: 150/1m }", "  - { name: tokens"));
  world.use_policy([] {
    std::string yaml = policy_with("retry: { attempts: 2, within: 100s }", "retry:");
    const std::size_t at = yaml.find("  - { name: tokens");
    return yaml.replace(at, yaml.find('\n', at) - at,
                        "  - { name: tokens, per: caller, meter: tokens, allow: 150/1m }");
  }());
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));  // holds 100 of output and the input
  world.upstream().expire();
  client.wake();
  EXPECT_EQ(world.dialed.size(), 1u);  // a second one does not fit beside what the first may have used
  EXPECT_EQ(client.answer().status, 504);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_EQ(world.used("tokens"), world.row().usage.total());
  EXPECT_GT(world.used("tokens"), 100);
  world.expect_quiet();
}

TEST(ExchangeRetry, AFallbackIsCalledWithItsOwnNameAndPrice) {
  World world(retrying(kTwoModels));
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(error_answer("503 Service Unavailable"));
  client.wake();  // attempts: twice the first model, then the fallback
  world.upstream().bytes(error_answer("503 Service Unavailable"));
  ASSERT_EQ(world.dialed.size(), 3u);
  EXPECT_TRUE(has(world.upstream().sent, R"("model":"small")"));
  EXPECT_TRUE(has(world.dialed[0]->sent, R"("model":"gpt-4o")"));
  world.upstream().bytes(json_answer(
      R"({"id":"c","model":"small","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}})"));
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(world.row().model, "small");
  EXPECT_EQ(world.row().usd_micros, 1500);
  EXPECT_EQ(world.row().attempts, 3);
  EXPECT_EQ(world.book.retries.value(), 1);
  EXPECT_EQ(world.book.fallbacks.value(), 1);
  EXPECT_EQ(world.used("spend"), 1500);
  world.expect_quiet();
}

TEST(ExchangeRetry, AnOpenBreakerSendsNothingAndFallsBack) {
  World world(retrying(kTwoModels));
  for (int i = 0; i < 30; ++i) {
    world.learned.providers.sent("openai", "gpt-4o", 10, false, world.services.now);
    world.learned.providers.answered("openai", "gpt-4o", ProviderHealth::Answer::kFailed, world.services.now);
  }
  Connection client(world);
  client.say(chat_request(world.agent));
  ASSERT_EQ(world.dialed.size(), 1u);
  EXPECT_TRUE(has(world.upstream().sent, R"("model":"small")"));
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(world.row().attempts, 1);
  world.expect_quiet();
}

TEST(ExchangeRetry, AnOpenBreakerWithoutFallbackIs503AndFree) {
  World world(retrying());
  for (int i = 0; i < 30; ++i) {
    world.learned.providers.sent("openai", "gpt-4o", 10, false, world.services.now);
    world.learned.providers.answered("openai", "gpt-4o", ProviderHealth::Answer::kFailed, world.services.now);
  }
  Connection client(world);
  client.say(chat_request(world.agent));
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer["retry-after"], "(absent)");
  EXPECT_TRUE(world.dialed.empty());
  EXPECT_EQ(world.used("requests"), 0);
  world.expect_quiet();
}

TEST(ExchangeRetry, ARunIsCountedOnceHoweverOftenItsRequestIsTried) {
  std::string yaml = retrying(kTwoModels);
  yaml.insert(yaml.find("  - { name: tokens"), "  - { name: runs, per: caller, meter: runs, allow: 10/1m }\n");
  World world(yaml);
  Connection client(world);
  client.say(chat_request(world.agent));
  for (int i = 0; i < 3 && client.answers().empty(); ++i) {
    world.upstream().bytes(error_answer("503 Service Unavailable"));
    if (client.answers().empty() && world.upstream().released) client.wake();
  }
  if (client.answers().empty()) world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_GT(world.row().attempts, 1);
  EXPECT_EQ(world.used("runs"), 1);
  EXPECT_EQ(world.used("requests"), 1);
  world.expect_quiet();
}

TEST(ExchangeRetry, TwentyFailuresOpenTheBreaker) {
  World world(patient());  // one attempt each
  for (int i = 0; i < 20; ++i) {
    Connection client(world);
    client.say(chat_request(world.agent));
    world.upstream().fail(UpstreamFailure::kConnect);
    EXPECT_EQ(client.answer().status, 502);
  }
  Connection client(world);
  client.say(chat_request(world.agent));
  EXPECT_EQ(client.answer().status, 503);
  world.pass(ProviderHealth::kOpenFor);
  Connection probe(world);
  probe.say(chat_request(world.agent));
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(probe.answer().status, 200);
  Connection after(world);
  after.say(chat_request(world.agent));
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(after.answer().status, 200);
}

TEST(ExchangeRetry, RefusalsOfTheProviderOpenNoBreaker) {
  World world(patient());  // one attempt each
  for (int i = 0; i < 40; ++i) {
    Connection client(world);
    client.say(chat_request(world.agent));
    world.upstream().bytes(error_answer("429 Too Many Requests"));
    EXPECT_EQ(client.answer().status, 429);
  }
  EXPECT_EQ(world.dialed.size(), 40u);
  EXPECT_EQ(world.learned.providers.open_breakers(world.services.now), 0u);
}

TEST(ExchangeRetry, WhatTheProviderSaysOfItsLimitHoldsForTheNextCall) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(
      json_answer(kChatAnswer, "x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 20s\r\n"));
  EXPECT_EQ(client.answer().status, 200);
  Connection next(world);
  next.say(chat_request(world.agent));
  const Received answer = next.answer();
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer["retry-after"], "21");
  EXPECT_EQ(world.dialed.size(), 1u);
  world.pass(21 * kSecond);
  Connection later(world);
  later.say(chat_request(world.agent));
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(later.answer().status, 200);
}

TEST(ExchangeRetry, AClientThatLeavesDuringThePauseEndsIt) {
  World world(retrying());
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().fail(UpstreamFailure::kConnect);
  client.leave();
  EXPECT_EQ(world.row().status, 499);
  EXPECT_EQ(world.row().settled, Settled::kNone);
  EXPECT_EQ(world.dialed.size(), 1u);
  world.expect_quiet();
}

TEST(ExchangeRetry, NothingIsTriedAgainOnceTheClientHasABit) {
  World world(retrying());
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  world.upstream().bytes(joined({kStreamHead, chunk(kDelta1)}));
  world.upstream().eof();
  EXPECT_EQ(world.dialed.size(), 1u);
  EXPECT_TRUE(has(client.answer().body, R"("error")"));
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  world.expect_quiet();
}

TEST(ExchangeRetry, AnswersOfAStoreFarAwayMayComeLate) {
  World world(retrying(kTwoModels));
  Connection client(world);
  world.counters.deferred = world.counters.peeks_deferred = true;
  client.say(chat_request(world.agent, kChatStream));
  while (world.counters.waiting() > 0) world.counters.answer(), world.turn();
  world.upstream().expire();
  while (client.port.deadline > world.services.now) client.wake();
  while (world.counters.waiting() > 0) world.counters.answer(), world.turn();
  ASSERT_EQ(world.dialed.size(), 2u);
  world.upstream().bytes(joined({kStreamHead, chunk(joined({kDelta1, kUsageEvent, kDone})), kLastChunk}));
  while (world.counters.waiting() > 0) world.counters.answer(), world.turn();
  EXPECT_TRUE(client.answer().complete);
  EXPECT_EQ(world.row().attempts, 2);
  world.expect_quiet();
}

TEST(ExchangeRetry, WhatAnAttemptUsedIsPricedForTheModelThatItCalled) {
  std::string yaml = retrying(kTwoModels);
  yaml.replace(yaml.find("attempts: 3, within: 10s"), 24, "attempts: 2, within: 100s");
  World world(yaml);
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  const std::int64_t held = world.journal.opens.back().row.usd_micros;
  world.upstream().expire();  // gpt-4o may have produced all that it held
  ASSERT_EQ(world.dialed.size(), 2u);
  EXPECT_EQ(world.used("spend"), held);
  world.upstream().bytes(joined({kStreamHead, chunk(joined({kDelta1, kUsageEvent, kDone})), kLastChunk}));
  EXPECT_EQ(world.row().usd_micros, held + 15);  // the small model costs a micro-dollar a token
  EXPECT_EQ(world.used("spend"), held + 15);
  world.expect_quiet();
}

TEST(ExchangeRetry, AFallbackThatMayNotBeCalledChangesNothing) {
  std::string yaml = retrying(kTwoModels);
  yaml.replace(yaml.find("attempts: 3, within: 10s"), 24, "attempts: 2, within: 100s");
  World world(yaml);
  for (int i = 0; i < 30; ++i) {
    world.learned.providers.answered("openai", "small", ProviderHealth::Answer::kFailed, world.services.now);
  }
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  const auto row = world.journal.opens.back().row;
  world.upstream().expire();
  EXPECT_EQ(client.answer().status, 504);
  EXPECT_EQ(world.row().usage.total(), row.reserved_tokens);
  EXPECT_EQ(world.row().usd_micros, row.usd_micros);
  EXPECT_EQ(world.used("spend"), row.usd_micros);
  world.expect_quiet();
}

TEST(ExchangeRetry, BytesOfAFailedAttemptAreNotTheAnswers) {
  World world(retrying());
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(response("503 Service Unavailable", "text/plain", std::string(1'000'000, 'x')));
  client.wake();
  world.upstream().bytes(response("200 OK", "application/json", std::string(320, 'z'), "content-encoding: br\r\n"));
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  EXPECT_LE(world.row().usage.output(), 320);
  world.expect_quiet();
}

TEST(ExchangeRetry, AClientThatLeavesBeforeTheNextAdmissionIsDecidedEndsIt) {
  std::string yaml = retrying(kTwoModels);
  yaml.replace(yaml.find("attempts: 3, within: 10s"), 24, "attempts: 2, within: 100s");
  World world(yaml);
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  world.counters.deferred = true;
  world.upstream().expire();
  world.counters.answer();  // the first attempt is settled; the next one's admission is under way
  client.leave();
  while (world.counters.waiting() > 0) world.counters.answer(), world.turn();
  EXPECT_EQ(world.dialed.size(), 1u);
  EXPECT_EQ(world.row().settled, Settled::kCounted);
  world.expect_quiet();
}

TEST(ExchangeRetry, AProbeWhoseClientLeftIsGivenBack) {
  World world(retrying());
  for (int i = 0; i < 30; ++i) {
    world.learned.providers.answered("openai", "gpt-4o", ProviderHealth::Answer::kFailed, world.services.now);
  }
  world.pass(ProviderHealth::kOpenFor);
  world.counters.deferred = true;
  Connection client(world);
  client.say(chat_request(world.agent));
  client.leave();
  while (world.counters.waiting() > 0) world.counters.answer(), world.turn();
  EXPECT_TRUE(world.learned.providers.gate("openai", "gpt-4o", 1, world.services.now).probe);
  world.expect_quiet();
}

std::string with_limit(const char* limit, std::string_view retry = "attempts: 2, within: 100s") {
  std::string yaml = retrying(kTwoModels);
  yaml.replace(yaml.find("attempts: 3, within: 10s"), 24, retry);
  return yaml.insert(yaml.find("  - { name: requests"), limit);
}

TEST(ExchangeRetry, AFallbacksOwnRequestsAreCountedOnceAndHeld) {
  World world(
      with_limit("  - { name: small-rpm, match: { model: small }, per: caller, meter: requests, allow: 1/1m }\n"));
  for (int i = 0; i < 2; ++i) {
    Connection client(world);
    client.say(chat_request(world.agent));
    world.upstream().bytes(error_answer("503 Service Unavailable"));
    if (i == 0) world.upstream().bytes(json_answer(kChatAnswer));
    EXPECT_EQ(client.answer().status, i == 0 ? 200 : 503);
  }
  EXPECT_EQ(world.used("requests"), 2);
  world.expect_quiet();
}

TEST(ExchangeRetry, AnAttemptThatUsedNothingLeavesTheBytesToTheNext) {
  World world(with_limit("  - { name: bytes-in, per: caller, meter: bytes_in, allow: 1M/1h }\n"));
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(error_answer("503 Service Unavailable"));
  world.upstream().bytes(json_answer(kChatAnswer));
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(world.used("bytes-in"), static_cast<std::int64_t>(kChat.size()));
  world.expect_quiet();
}

TEST(ExchangeRetry, AnAttemptSettlesNoMoreThanItHeld) {
  World world(
      with_limit("  - { name: weighted, per: caller, meter: { input_tokens: 1, output_tokens: 4 }, allow: 300/1m }\n"));
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));  // 100 of output are worth 400: the amount is held
  EXPECT_EQ(world.reserved("weighted"), 300);
  world.upstream().expire();
  EXPECT_EQ(world.used("weighted"), 300);
  EXPECT_EQ(client.answer().status, 504);  // nothing is left for the fallback
  world.expect_quiet();
}

TEST(ExchangeRetry, AnAnswerThatBreaksOffWasMadeWhole) {
  World world;
  Connection client(world);
  client.say(
      chat_request(world.agent, R"({"model":"gpt-4o","max_tokens":4000,"messages":[{"role":"user","content":"x"}]})"));
  const std::int64_t held = world.reserved("tokens");
  world.upstream().bytes(
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16000\r\n\r\n{\"id\":\"c1\",");
  world.upstream().eof();
  EXPECT_EQ(client.answer().status, 502);
  EXPECT_EQ(world.used("tokens"), held);
  world.expect_quiet();
}

TEST(ExchangeRetry, ADearerTierIsPaidUntilTheAnswerNamesAnother) {
  for (const bool named : {false, true}) {
    World world;
    Connection client(world);
    client.say(chat_request(
        world.agent,
        R"({"model":"gpt-4o","service_tier":"priority","max_tokens":100,"messages":[{"role":"user","content":"x"}]})"));
    std::string answer(kChatAnswer);
    if (named) answer.insert(1, R"("service_tier":"default",)");
    world.upstream().bytes(json_answer(answer));
    EXPECT_EQ(world.row().usd_micros, named ? 58 : 98);  // 11 x 2.50 + 3 x 10; the book has priority at 170%
    world.expect_quiet();
  }
}

}  // namespace
}  // namespace weir
