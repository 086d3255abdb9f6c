// Ladders and exact counts: what a look at the counters changes before a request is admitted.
#include <gtest/gtest.h>

#include "gateway/exchange.h"
#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

constexpr std::string_view kLadder = R"(
providers:
  openai: { dialect: openai, url: "http://openai.test:8000/v1", key: sk-provider-secret }
models:
  big: { provider: openai, price: { input: 10, output: 100 } }
  small: { provider: openai, price: { input: 1, output: 10 } }
limits:
  - name: spend
    per: caller
    meter: usd
    allow: 1/day
    degrade:
      - { at: 50%, model: { big: small }, max_tokens: 200 }
      - { at: 80%, max_tokens: 100, keep_messages: 2 }
  - { name: tokens, per: caller, meter: tokens, allow: 100M/1m }
  - { name: in-flight, per: caller, meter: concurrency, allow: 4 }
)";

constexpr std::string_view kBig =
    R"({"model":"big","max_tokens":1000,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"One."},)"
    R"({"role":"assistant","content":"1"},{"role":"user","content":"Two."}]})";

std::string answer_of(const char* model, int input, int output) {
  return json_answer(std::string(R"({"id":"c","model":")") + model + R"(","choices":[],"usage":{"prompt_tokens":)" +
                     std::to_string(input) + R"(,"completion_tokens":)" + std::to_string(output) +
                     R"(,"total_tokens":0}})");
}

// Spends that many micro-dollars with one call.
void spend(World& world, int usd_micros) {
  Connection client(world);
  client.say(
      chat_request(world.agent, R"({"model":"small","max_tokens":1,"messages":[{"role":"user","content":"x"}]})"));
  world.upstream().bytes(answer_of("small", usd_micros, 0));
}

TEST(ExchangeDegrade, BelowTheFirstRungNothingChanges) {
  World world(kLadder);
  Connection client(world);
  client.say(chat_request(world.agent, kBig));
  EXPECT_TRUE(has(world.upstream().sent, kBig));
  world.upstream().bytes(answer_of("big", 20, 5));
  EXPECT_EQ(client.answer()["x-weir-degraded"], "(absent)");
  EXPECT_EQ(world.row().degraded, "");
  EXPECT_EQ(world.row().usd_micros, 700);
  world.expect_quiet();
}

TEST(ExchangeDegrade, ARungCallsAnotherModelWithItsPriceAndASmallerCap) {
  World world(kLadder);
  spend(world, 450'000);  // with this request's 100,000 the ratio is 55%
  Connection client(world);
  client.say(chat_request(world.agent, kBig));
  EXPECT_TRUE(has(world.upstream().sent, R"("model":"small")"));
  EXPECT_TRUE(has(world.upstream().sent, R"("max_tokens":200)"));
  EXPECT_LT(world.reserved("spend"), 3000);  // 200 tokens of the small model
  world.upstream().bytes(answer_of("small", 20, 5));
  EXPECT_EQ(client.answer()["x-weir-degraded"], "spend; model=small; max_tokens=200");
  EXPECT_EQ(world.row().degraded, "spend; model=small; max_tokens=200");
  EXPECT_EQ(world.row().model, "small");
  EXPECT_EQ(world.row().usd_micros, 70);
  ASSERT_FALSE(world.journal.audits.empty());
  EXPECT_EQ(world.journal.audits.back().event, AuditEvent::kDegraded);
  EXPECT_EQ(world.book.degraded.value(), 1);
  EXPECT_EQ(world.journal.audits.back().limit, "spend");
  EXPECT_EQ(world.journal.audits.back().used, "0.45") << "what the ladder saw";
  EXPECT_EQ(world.journal.audits.back().allowed, "1");
  EXPECT_EQ(world.journal.audits.back().run, world.row().run);
  world.expect_quiet();
}

TEST(ExchangeDegrade, ARungThatChangesNothingIsNotAnnounced) {
  World world(kLadder);
  spend(world, 600'000);
  constexpr std::string_view kModest =
      R"({"model":"small","max_tokens":100,"messages":[{"role":"user","content":"One."}]})";
  Connection client(world);
  client.say(chat_request(world.agent, kModest));
  EXPECT_TRUE(has(world.upstream().sent, kModest));
  world.upstream().bytes(answer_of("small", 20, 5));
  EXPECT_EQ(client.answer()["x-weir-degraded"], "(absent)");
  EXPECT_EQ(world.row().degraded, "");
  world.expect_quiet();
}

TEST(ExchangeDegrade, RungsAddUp) {
  World world(kLadder);
  spend(world, 850'000);
  Connection client(world);
  client.say(chat_request(world.agent, kBig));
  EXPECT_TRUE(has(world.upstream().sent, R"("model":"small")"));
  EXPECT_TRUE(has(world.upstream().sent, R"("max_tokens":100)"));
  EXPECT_TRUE(has(world.upstream().sent, "Be brief."));
  EXPECT_TRUE(has(world.upstream().sent, "Two."));
  EXPECT_FALSE(has(world.upstream().sent, "One."));
  world.upstream().bytes(answer_of("small", 20, 5));
  EXPECT_EQ(client.answer()["x-weir-degraded"], "spend; model=small; max_tokens=100; keep_messages=2");
  world.expect_quiet();
}

TEST(ExchangeDegrade, TheLadderSavesARequestThatTheBigModelCouldNotPay) {
  World world(kLadder);
  spend(world, 950'000);  // the big model's 100,000 would not fit
  Connection client(world);
  client.say(chat_request(world.agent, kBig));
  world.upstream().bytes(answer_of("small", 20, 5));
  EXPECT_EQ(client.answer().status, 200);
  world.expect_quiet();
}

TEST(ExchangeDegrade, OnExceedDegradeRefusesOnlyBeyondItsHardShare) {
  std::string yaml(kLadder);
  yaml.replace(yaml.find("    degrade:"), 0, "    on_exceed: degrade\n    hard: 120%\n");
  World world(yaml);
  spend(world, 1'100'000);
  Connection client(world);
  client.say(chat_request(world.agent, kBig));
  world.upstream().bytes(answer_of("small", 20, 5));
  EXPECT_EQ(client.answer().status, 200);
  spend(world, 99'500);
  Connection refused(world);
  refused.say(chat_request(world.agent, kBig));
  EXPECT_EQ(refused.answer().status, 429);
  world.expect_quiet();
}

TEST(ExchangeDegrade, ARefusedRequestLeavesNoRungBehind) {
  World world(kLadder);
  Connection client(world);
  client.say(chat_request(world.agent, R"({"model":"big","max_tokens":1,"messages":[{"role":"user","content":")" +
                                           std::string(4'000'000, 'x') + R"("}]})"));
  EXPECT_EQ(client.answer().status, 413);
  EXPECT_EQ(world.learned.ladders.size(), 0u);
  EXPECT_TRUE(world.dialed.empty());
  world.expect_quiet();
}

// --- exact counts ---------------------------------------------------------------------------------------------------

std::string tight(const char* amount) {
  return policy_with(std::string("  - { name: tokens, per: caller, meter: tokens, allow: ") + amount + "/1m }",
                     "  - { name: tokens");
}

std::string chat_with(const std::string& text) {
  return R"({"model":"gpt-4o","max_tokens":10,"messages":[{"role":"user","content":")" + text + R"("}]})";
}

TEST(ExchangeCount, ATextThatOnlyTheEstimateFindsTooLongIsCountedAndAdmitted) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += " international";  // one token each, estimated as more than four
  World world(tight("300"));
  Connection client(world);
  client.say(chat_request(world.agent, chat_with(text)));
  ASSERT_EQ(world.dialed.size(), 1u);
  EXPECT_LE(world.reserved("tokens"), 220);
  EXPECT_GE(world.reserved("tokens"), 210);
  world.upstream().bytes(json_answer(kChatAnswer));
  world.expect_quiet();
}

TEST(ExchangeCount, PicturesAreHeldBesideTheCountedText) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += " international";
  World world(tight("3000"));
  Connection client(world);
  client.say(chat_request(world.agent, R"({"model":"gpt-4o","max_tokens":10,"messages":[{"role":"user","content":[)"
                                       R"({"type":"image_url","image_url":{"url":"https://x.test/a.png"}},)"
                                       R"({"type":"text","text":")" +
                                           text + R"("}]}]})"));
  ASSERT_EQ(world.dialed.size(), 1u);
  EXPECT_GT(world.reserved("tokens"), 220 + 500);
  world.upstream().bytes(json_answer(kChatAnswer));
  world.expect_quiet();
}

TEST(ExchangeCount, ATextWithMoreTokensThanEstimatedIsCountedWhenTheLimitIsNear) {
  std::string text;
  for (int i = 0; i < 150; ++i) text += " q7";  // two or three tokens for three bytes
  World world(tight("300"));
  Connection client(world);
  client.say(chat_request(world.agent, chat_with(text)));
  EXPECT_TRUE(world.dialed.empty());
  EXPECT_EQ(client.answer().status, 413);  // its input alone exceeds the amount
  EXPECT_EQ(world.used("requests"), 0);
  world.expect_quiet();
}

TEST(ExchangeCount, FarFromTheLimitNothingIsCounted) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, chat_with(" international international international")));
  EXPECT_GT(world.reserved("tokens"), 22);  // the estimate from bytes, an upper bound
  world.upstream().bytes(json_answer(kChatAnswer));
  world.expect_quiet();
}

TEST(ExchangeCount, AttachmentsCountBesideTheExactText) {
  std::string parts = R"({"type":"text","text":"hi"})";
  for (int i = 0; i < 100; ++i) {
    parts += R"(,{"type":"image_url","image_url":{"url":"https://example.test/a.png","detail":"high"}})";
  }
  World world;
  Connection client(world);
  client.say(chat_request(
      world.agent, R"({"model":"gpt-4o","max_tokens":10,"messages":[{"role":"user","content":[)" + parts + "]}]}"));
  EXPECT_EQ(client.answer().status, 413);  // 100 images are more than 50,000 tokens
  EXPECT_TRUE(world.dialed.empty());
  world.expect_quiet();
}

TEST(ExchangeCount, TheWholeCapIsHeldBesideAnExactCount) {
  std::string text;
  for (int i = 0; i < 1700; ++i) text += " international";
  World world(tight("3000"));
  Connection client(world);
  client.say(chat_request(
      world.agent, R"({"model":"gpt-4o","max_tokens":900,"messages":[{"role":"user","content":")" + text + R"("}]})"));
  EXPECT_GE(world.reserved("tokens"), 1700 + 900);
  client.leave();
  world.expect_quiet();
}

// One request a minute is allowed and was used, with 20,000 tokens of 50,000; then one with `words` tokens of text
// comes.
Received after_one_of_20k(World& world, int words) {
  world.use_policy(
      policy_with("  - { name: requests, per: caller, meter: requests, allow: 1/1m }", "  - { name: requests"));
  Connection first(world);
  first.say(chat_request(world.agent));
  world.upstream().bytes(json_answer(
      R"({"id":"c","model":"gpt-4o","choices":[],"usage":{"prompt_tokens":20000,"completion_tokens":0,"total_tokens":20000}})"));
  std::string text;
  for (int i = 0; i < words; ++i) text += " international";
  Connection client(world);
  client.say(chat_request(world.agent, chat_with(text)));
  return client.answer();
}

TEST(ExchangeCount, ARequestThatIsRefusedAnywayIsNotCounted) {
  World world;
  const Received answer = after_one_of_20k(world, 9'200);  // estimated at 40,250: counted, it would fit
  EXPECT_EQ(answer.status, 429);
  EXPECT_TRUE(has(answer.body, R"("also":["tokens"])") || has(answer.body, R"("also":["requests"])"));
  world.expect_quiet();
}

TEST(ExchangeCount, NobodyIsToldThatARequestCanNeverFitBecauseOfAnEstimate) {
  World world;
  const Received answer = after_one_of_20k(world, 12'000);  // estimated at 52,500 of 50,000
  EXPECT_EQ(answer.status, 429);
  EXPECT_TRUE(has(answer.body, R"("limit":"requests")"));
  EXPECT_TRUE(has(answer.body, R"("also":[])"));
  world.expect_quiet();
}

}  // namespace
}  // namespace weir
