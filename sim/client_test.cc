#include "client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "clients/channel.h"
#include "clients/hearing.h"
#include "test_street.h"

namespace weir::sim {
namespace {

using client::Channel;
using client::Heard;
using client::Hearing;
using client::Operation;
using client::Outgoing;

std::string why_not(Words words) {
  Street street(1);
  const auto made = make_clients(settings_of(words), street.context);
  return made ? "made" : made.error().message;
}

TEST(MakeClients, SaysWhatIsWrongWithTheSettings) {
  EXPECT_EQ(why_not({{"kind", {"human"}}, {"key", {"ann"}}}), "made");
  EXPECT_EQ(why_not({{"kind", {"robot"}}, {"key", {"ann"}}}), "no client of the kind `robot`");
  EXPECT_NE(why_not({{"kind", {"human"}}, {"key", {"nobody"}}}).find("no key `nobody`"), std::string::npos);
  EXPECT_NE(why_not({{"kind", {"human"}}, {"dialect", {"latin"}}}).find("no dialect `latin`"), std::string::npos);
  EXPECT_NE(why_not({{"kind", {"human"}}, {"evry", {"1s"}}}).find("`evry` is no setting"), std::string::npos);
  EXPECT_NE(why_not({{"kind", {"human"}}, {"every", {"soon"}}}).find("`every`"), std::string::npos);
}

Heard hear(Operation operation, int status, const std::string& type, const std::string& body, HeaderList more = {}) {
  HttpHead head{.status = status, .headers = {{"content-type", type}}};
  for (auto& header : more) head.headers.push_back(header);
  Hearing hearing(operation);
  hearing.begin(head);
  for (const char c : body) hearing.take(std::string_view(&c, 1));
  return hearing.conclude(true);
}

const char* const kPart =
    R"({"limit":"spend","layer":"budget","per":{"key":"a"},"meter":"usd","allowed":10,"window":"1h","used":9.5,)"
    R"("reserved":0.25,"requested":0.300001,"retry_after":31.2,"reset_at":null,"also":["tokens"]})";

TEST(Hearing, ReadsTheMachinePartOfRefusalsInEveryShape) {
  const std::string part = kPart;
  const std::pair<Operation, std::string> shapes[] = {
      {Operation::kChat, R"({"error":{"message":"x","weir":)" + part + "}}"},
      {Operation::kMessages, R"({"type":"error","error":{"type":"rate_limit_error","weir":)" + part + "}}"},
      {Operation::kGenerateContent, R"({"error":{"code":429,"weir":)" + part + "}}"},
      {Operation::kOllamaChat, R"({"error":"x","weir":)" + part + "}"},
      {Operation::kHttp, R"({"type":"t","weir":)" + part + "}"},
      {Operation::kMcp, R"({"jsonrpc":"2.0","id":1,"error":{"code":42900,"data":{"weir":)" + part + "}}}"}};
  for (const auto& [operation, body] : shapes) {
    const Heard heard = hear(operation, 429, "application/json", body, {{"retry-after-ms", "31200"}});
    EXPECT_EQ(heard.end, AskEnd::kRefused) << body;
    ASSERT_TRUE(heard.refusal) << body;
    EXPECT_EQ(heard.refusal->limit, "spend");
    EXPECT_EQ(heard.refusal->allowed, 10'000'000);
    EXPECT_EQ(heard.refusal->requested, 300'001);
    EXPECT_EQ(heard.refusal->window, "1h");
    EXPECT_EQ(heard.refusal->retry_after_ms, 31'200);
    EXPECT_EQ(heard.refusal->also, std::vector<std::string>{"tokens"});
    EXPECT_EQ(heard.wait, 31'200 * kMillisecond);
  }
}

TEST(Hearing, AToolResultWithARefusalIsOne) {
  const std::string result = std::string(R"({"jsonrpc":"2.0","id":1,"result":{"isError":true,"content":[],)") +
                             R"("structuredContent":{"weir":)" + kPart + "}}}";
  EXPECT_EQ(hear(Operation::kMcp, 200, "application/json", result).end, AskEnd::kRefused);
  const Heard event = hear(Operation::kMcp, 200, "text/event-stream", "event: message\ndata: " + result + "\n\n");
  EXPECT_EQ(event.end, AskEnd::kRefused);
  EXPECT_EQ(event.refusal->retry_after_ms, 31'200);
}

TEST(Hearing, WithoutAMachinePartItIsAFailure) {
  const Heard heard =
      hear(Operation::kChat, 429, "application/json", R"({"error":{"message":"x"}})", {{"retry-after", "7"}});
  EXPECT_EQ(heard.end, AskEnd::kFailed);
  EXPECT_EQ(heard.wait, 7 * kSecond);
}

TEST(Hearing, StreamsEndByTheirOwnMarkOrTheyAreBroken) {
  const std::string chunk = "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" the and\"}}]}\n\n";
  EXPECT_EQ(hear(Operation::kChat, 200, "text/event-stream", chunk + "data: [DONE]\n\n").end, AskEnd::kAnswered);
  const Heard cut = hear(Operation::kChat, 200, "text/event-stream", chunk);
  EXPECT_EQ(cut.end, AskEnd::kBroken);
  EXPECT_EQ(cut.tokens, 2);
  const Heard error =
      hear(Operation::kChat, 200, "text/event-stream", chunk + "data: {\"error\":{\"message\":\"x\"}}\n\n");
  EXPECT_EQ(error.end, AskEnd::kFailed);
  EXPECT_EQ(
      hear(Operation::kGenerateContent, 200, "application/json",
           R"([{"candidates":[{"content":{"parts":[{"text":" the"}]}}]},{"candidates":[{"finishReason":"STOP"}]}])")
          .tokens,
      1);
}

TEST(Hearing, CountsTextThatItDoesNotKeep) {
  const std::string words(Hearing::kMaxKept, 'x');
  const std::string line = R"({"message":{"content":")" + words +
                           R"("},"done":false})"
                           "\n";
  const Heard heard = hear(Operation::kOllamaChat, 200, "application/x-ndjson", line + line + R"({"done":true})");
  EXPECT_EQ(heard.text.size(), Hearing::kMaxKept);
  EXPECT_EQ(heard.tokens, static_cast<std::int64_t>(2 * Hearing::kMaxKept / 4));
}

TEST(Channel, KeepsSoManyWaitingAndNoMore) {
  Street street(1);
  Channel channel(street.context, Random(1), {});
  for (std::size_t i = 0; i <= Channel::kMaxWaiting; ++i) channel.submit([](std::uint64_t) { return std::nullopt; });
  EXPECT_EQ(channel.waiting(), Channel::kMaxWaiting);
  channel.drop_waiting();
  EXPECT_EQ(channel.waiting(), 0U);
}

Settings of_kind(const std::string& kind, Words more = {}) {
  Settings out =
      settings_of({{"kind", {kind}}, {"key", {"ann"}}, {"every", {"500ms", "4s"}}, {"prompt", {"10", "60"}}});
  for (const auto& [key, values] : more) out.set(key, values);
  return out;
}

std::size_t ended(const Truth& truth, AskEnd how) {
  return static_cast<std::size_t>(
      std::count_if(truth.asks().begin(), truth.asks().end(), [&](const Ask& ask) { return ask.end == how; }));
}

TEST(Clients, EveryKindAsksAndEndsWhatItBegan) {
  for (const std::string kind : {"human", "tenant", "slow_reader", "conversational", "batch", "disconnector", "retrier",
                                 "prober", "fan_out", "loop", "tool_spammer", "budgeter"}) {
    Street street(21);
    street.provider(settings_of({{"output", {"5", "60"}}, {"first_byte", {"5ms", "300ms"}}}));
    Settings settings = of_kind(kind, {{"connections", {"2"}}, {"pipeline", {"2"}}});
    if (kind == "slow_reader") settings.set("pause", {"5ms", "50ms"});
    street.client(settings);
    street.run(5 * kMinute);
    street.finish();
    EXPECT_GT(street.truth.asks().size(), 20U) << kind;
    EXPECT_EQ(street.truth.open_asks(), 0U) << kind;
    EXPECT_EQ(street.clients.back()->open_asks(), 0U) << kind;
    EXPECT_GT(ended(street.truth, AskEnd::kAnswered), street.truth.asks().size() / 4) << kind;
  }
}

TEST(Clients, ADisconnectorLeaves) {
  Street street(22);
  street.provider(settings_of({{"output", {"50", "200"}}}));
  street.client(of_kind("disconnector"));
  street.run(5 * kMinute);
  street.finish();
  EXPECT_GT(ended(street.truth, AskEnd::kLeft), 5U);
}

TEST(Clients, TheyComeBackWhenWeirDoes) {
  Street street(23);
  street.client(of_kind("human", {{"count", {"3"}}}));
  street.run(2 * kMinute);
  EXPECT_TRUE(street.truth.asks().empty());  // nothing was sent to nobody
  street.provider(settings_of({{"output", {"5", "60"}}}));
  street.run(2 * kMinute);
  EXPECT_GT(ended(street.truth, AskEnd::kAnswered), 10U);
  street.network.reset_all("clients", "weir");
  street.providers.clear();
  street.run(2 * kMinute);
  street.provider(settings_of({{"output", {"5", "60"}}}));
  const std::size_t before = ended(street.truth, AskEnd::kAnswered);
  street.run(2 * kMinute);
  street.finish();
  EXPECT_GT(ended(street.truth, AskEnd::kAnswered), before + 10);
  EXPECT_EQ(street.truth.open_asks(), 0U);
}

TEST(Clients, ATalkGrows) {
  Street street(24);
  street.provider(settings_of({{"output", {"20", "60"}}}));
  street.client(of_kind("conversational", {{"turns", {"6", "6"}}, {"dialects", {"chat"}}}));
  street.run(2 * kMinute);
  const auto& asks = street.truth.asks();
  ASSERT_GT(asks.size(), 5U);
  for (std::size_t i = 1; i < 6; ++i) EXPECT_GT(asks[i].prompt_tokens, asks[i - 1].prompt_tokens);
}

TEST(Clients, AnAgentSendsResultsBackInEveryDialect) {
  for (const std::string dialect : {"chat", "responses", "anthropic", "gemini", "ollama"}) {
    Street street(25);
    const std::string serves = dialect == "chat" || dialect == "responses" ? "openai" : dialect;
    street.provider(settings_of({{"dialect", {serves}}, {"output", {"5", "30"}}, {"first_byte", {"5ms", "50ms"}}}));
    street.client(of_kind("loop", {{"dialects", {dialect}}, {"turns", {"6", "6"}}, {"max_tokens", {"100", "200"}}}));
    street.run(2 * kMinute);
    street.finish();
    const auto& asks = street.truth.asks();
    ASSERT_GT(asks.size(), 6U);
    // Six steps of one run: the history grows by the call and its result; then another run begins.
    for (std::size_t i = 1; i < 6; ++i) EXPECT_GT(asks[i].prompt_tokens, asks[i - 1].prompt_tokens) << dialect << i;
    EXPECT_LT(asks[6].prompt_tokens, asks[5].prompt_tokens) << dialect;
    EXPECT_EQ(ended(street.truth, AskEnd::kAnswered), asks.size()) << dialect;
  }
}

TEST(Clients, ARetrierSendsTheSameBodyUnderNewNumbers) {
  Street street(26);
  street.provider(settings_of({{"status_500", {"1000"}}}));
  street.client(of_kind("retrier", {{"burst", {"5", "5"}}}));
  street.run(kMinute);
  street.finish();
  const auto& asks = street.truth.asks();
  ASSERT_GT(asks.size(), 4U);
  EXPECT_TRUE(asks[0].ordinary);
  for (std::size_t i = 1; i < 5; ++i) {
    EXPECT_FALSE(asks[i].ordinary);
    EXPECT_EQ(asks[i].prompt_tokens, asks[0].prompt_tokens);
    EXPECT_EQ(asks[i].calls.size(), 1U);
  }
}

TEST(Clients, McpSessionsAreBegunAgainWhenTheServerForgets) {
  Street street(27);
  street.provider(settings_of({{"dialect", {"mcp"}}, {"first_byte", {"5ms", "100ms"}}, {"down", {"30s", "1m"}}}));
  street.client(of_kind("mcp", {{"count", {"3"}}, {"turns", {"3", "9"}}}));
  street.run(15 * kMinute);
  street.finish();
  std::size_t forgotten = 0;
  for (const Ask& ask : street.truth.asks()) forgotten += ask.status == 404 ? 1U : 0U;
  EXPECT_GT(forgotten, 0U);
  EXPECT_GT(ended(street.truth, AskEnd::kAnswered), 100U);
  for (const Call& call : street.truth.calls()) EXPECT_EQ(call.produced, Usage{});
}

TEST(Clients, HttpCallersGetTheirRows) {
  Street street(28);
  street.provider(settings_of({{"dialect", {"http"}}, {"first_byte", {"5ms", "100ms"}}}));
  street.client(of_kind("caller", {{"path", {"/api"}}, {"pipeline", {"3"}}}));
  street.run(2 * kMinute);
  street.finish();
  EXPECT_GT(street.truth.asks().size(), 30U);
  EXPECT_EQ(ended(street.truth, AskEnd::kAnswered), street.truth.asks().size());
}

}  // namespace
}  // namespace weir::sim
