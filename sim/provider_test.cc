#include "provider.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "providers/conduct.h"
#include "providers/tools.h"
#include "test_street.h"

namespace weir::sim {
namespace {

Settings good(const std::string& dialect, const std::string& misbehaviour = {}, const std::string& chance = "1000") {
  Settings out = settings_of({{"dialect", {dialect}}, {"output", {"5", "120"}}, {"first_byte", {"5ms", "300ms"}}});
  if (!misbehaviour.empty()) out.set(misbehaviour, {chance});
  return out;
}

Settings human(const std::vector<std::string>& dialects, const std::string& stream) {
  return settings_of({{"kind", {"human"}},
                      {"key", {"ann"}},
                      {"every", {"1s", "5s"}},
                      {"dialects", dialects},
                      {"stream", {stream}},
                      {"max_tokens", {"20", "200"}},
                      {"no_include_usage", {"0"}}});
}

struct Case {
  std::string dialect, operation, stream;
};

class Dialects : public testing::TestWithParam<Case> {};

TEST_P(Dialects, AnswersParseAndTheBookEqualsWhatWasReceived) {
  Street street(11);
  Settings settings = good(GetParam().dialect, "cached", "300");
  street.provider(settings);
  EXPECT_TRUE(settings.unread().empty()) << settings.unread().front();
  street.client(human({GetParam().operation}, GetParam().stream));
  street.run(5 * kMinute);
  street.finish();
  ASSERT_GT(street.truth.asks().size(), 30U);
  EXPECT_EQ(street.truth.open_asks(), 0U);
  for (const Ask& ask : street.truth.asks()) {
    EXPECT_EQ(ask.end, AskEnd::kAnswered) << ask.number;
    ASSERT_EQ(ask.calls.size(), 1U);
    const Call& call = street.truth.calls()[ask.calls.front()];
    EXPECT_TRUE(call.complete && call.over);
    EXPECT_EQ(call.status, 200);
    EXPECT_EQ(call.produced.input(), ask.prompt_tokens);
    EXPECT_EQ(call.produced.output(), ask.tokens_received);
    EXPECT_EQ(call.streamed, call.produced.output());
    EXPECT_EQ(call.told, call.produced);
    EXPECT_FALSE(call.lied);
    EXPECT_LE(call.produced.output(), ask.cap > 0 ? ask.cap : 120);
    EXPECT_LE(call.ended, ask.ended);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Dialects,
                         testing::Values(Case{"openai", "chat", "0"}, Case{"openai", "chat", "1000"},
                                         Case{"openai", "responses", "0"}, Case{"openai", "responses", "1000"},
                                         Case{"openai", "completions", "0"}, Case{"openai", "completions", "1000"},
                                         Case{"openai", "embeddings", "0"}, Case{"anthropic", "messages", "0"},
                                         Case{"anthropic", "messages", "1000"}, Case{"gemini", "gemini", "0"},
                                         Case{"gemini", "gemini", "1000"}, Case{"ollama", "ollama", "0"},
                                         Case{"ollama", "ollama", "1000"}, Case{"ollama", "generate", "1000"},
                                         Case{"ollama", "ollama_embed", "0"}),
                         [](const auto& each) { return each.param.operation + "_" + each.param.stream; });

// One misbehaviour, always; what the client makes of it, and what the book says.
struct Wrong {
  std::string setting;
  AskEnd whole, stream;
  bool complete;
};

class Misbehaviour : public testing::TestWithParam<Wrong> {};

TEST_P(Misbehaviour, EndsAsItShouldAndTheBookSaysSo) {
  for (const std::string stream : {"0", "1000"}) {
    Street street(5);
    street.provider(good("anthropic", GetParam().setting));
    street.client(human({"messages"}, stream));
    street.run(20 * kMinute);
    street.finish();
    ASSERT_GT(street.truth.asks().size(), 3U);
    EXPECT_EQ(street.truth.open_asks(), 0U);
    for (const Ask& ask : street.truth.asks()) {
      EXPECT_EQ(ask.end, stream == "0" ? GetParam().whole : GetParam().stream) << stream << " ask " << ask.number;
    }
    for (const Call& call : street.truth.calls()) {
      EXPECT_TRUE(call.over);
      EXPECT_EQ(call.complete, GetParam().complete) << stream << " ask " << call.ask;
      EXPECT_LE(call.streamed, call.produced.output());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Misbehaviour,
                         testing::Values(Wrong{"status_429", AskEnd::kFailed, AskEnd::kFailed, true},
                                         Wrong{"status_500", AskEnd::kFailed, AskEnd::kFailed, true},
                                         Wrong{"status_503", AskEnd::kFailed, AskEnd::kFailed, true},
                                         Wrong{"stall", AskEnd::kLeft, AskEnd::kLeft, false},
                                         Wrong{"stall_midway", AskEnd::kLeft, AskEnd::kLeft, false},
                                         Wrong{"truncate", AskEnd::kBroken, AskEnd::kBroken, false},
                                         Wrong{"reset_midway", AskEnd::kBroken, AskEnd::kBroken, false},
                                         Wrong{"split", AskEnd::kAnswered, AskEnd::kAnswered, true},
                                         Wrong{"keep_open", AskEnd::kAnswered, AskEnd::kAnswered, true},
                                         Wrong{"close_after", AskEnd::kAnswered, AskEnd::kAnswered, true},
                                         Wrong{"until_close", AskEnd::kAnswered, AskEnd::kAnswered, true},
                                         Wrong{"late_usage", AskEnd::kAnswered, AskEnd::kAnswered, true},
                                         Wrong{"no_usage", AskEnd::kAnswered, AskEnd::kAnswered, true},
                                         Wrong{"double_usage", AskEnd::kAnswered, AskEnd::kAnswered, true},
                                         Wrong{"lie_usage", AskEnd::kAnswered, AskEnd::kAnswered, true}),
                         [](const auto& each) { return each.param.setting; });

TEST(Provider, ErrorsProduceNothingAndMayTellAWait) {
  Street street(6);
  street.provider(good("openai", "status_429"));
  street.client(human({"chat"}, "500"));
  street.run(20 * kMinute);
  ASSERT_GT(street.truth.calls().size(), 5U);
  for (const Call& call : street.truth.calls()) EXPECT_EQ(call.produced, Usage{});
  for (const Ask& ask : street.truth.asks()) EXPECT_FALSE(ask.refusal.has_value());
}

TEST(Provider, LiesAreMarkedAndNeverInTheBill) {
  Street street(6);
  street.provider(good("openai", "lie_usage"));
  street.client(human({"chat"}, "500"));
  street.run(20 * kMinute);
  street.finish();
  std::size_t differ = 0;
  for (const Call& call : street.truth.calls()) {
    EXPECT_TRUE(call.lied);
    EXPECT_EQ(call.produced.output(), street.truth.asks()[call.ask - 1].tokens_received);
    differ += call.told && *call.told != call.produced ? 1U : 0U;
  }
  EXPECT_GT(differ, street.truth.calls().size() / 2);
}

TEST(Provider, WrongLengthsAndMalformedAnswersAreNotComplete) {
  for (const std::string setting : {"wrong_length", "malformed"}) {
    Street street(8);
    street.provider(good("openai", setting));
    street.client(human({"chat"}, "0"));
    street.run(10 * kMinute);
    street.finish();
    ASSERT_GT(street.truth.calls().size(), 5U);
    std::size_t complete = 0;
    for (const Call& call : street.truth.calls()) complete += call.complete ? 1U : 0U;
    // A whole answer has no chunks to break: a third of the malformed ones are good.
    EXPECT_LT(complete, setting == "malformed" ? street.truth.calls().size() * 2 / 3 : 1U) << setting;
  }
}

TEST(Provider, StopsProducingWhenItsClientLeaves) {
  Street street(9);
  Settings settings =
      settings_of({{"output", {"300", "300"}}, {"first_byte", {"5ms", "5ms"}}, {"tokens_per_second", {"20"}}});
  street.provider(settings);
  Settings leaver = human({"chat"}, "1000");
  leaver.set("timeout", {"3s", "6s"});
  leaver.set("uncapped", {"1000"});
  street.client(leaver);
  street.run(10 * kMinute);
  street.finish();
  ASSERT_GT(street.truth.asks().size(), 10U);
  for (const Ask& ask : street.truth.asks()) {
    EXPECT_EQ(ask.end, AskEnd::kLeft);
    const Call& call = street.truth.calls()[ask.calls.front()];
    EXPECT_TRUE(call.over);
    EXPECT_FALSE(call.complete);
    EXPECT_LT(call.produced.output(), 300);
    EXPECT_GE(call.streamed, ask.tokens_received);
    EXPECT_LE(call.ended, ask.ended + kSecond);
  }
}

TEST(Provider, HealedItAnswersAndWhatIsStalledGoesOn) {
  Street street(10);
  Provider& provider = street.provider(good("gemini", "stall_midway"));
  Settings settings = human({"gemini"}, "1000");
  settings.set("timeout", {"10m", "10m"});
  street.client(settings);
  street.run(kMinute);
  EXPECT_EQ(provider.open_calls(), 1U);
  provider.heal();
  street.run(5 * kMinute);
  street.finish();
  EXPECT_EQ(provider.open_calls(), 0U);
  ASSERT_GT(street.truth.asks().size(), 10U);
  for (const Ask& ask : street.truth.asks()) {
    EXPECT_EQ(ask.end, AskEnd::kAnswered) << ask.number;
    EXPECT_TRUE(street.truth.calls()[ask.calls.front()].complete);
  }
}

TEST(Provider, DownItRefusesConnectionsAndComesBack) {
  Street street(12);
  Settings settings = good("openai");
  settings.set("down", {"1m", "2m"});
  street.provider(settings);
  street.client(human({"chat"}, "500"));
  street.run(20 * kMinute);
  std::size_t answered_late = 0, gaps = 0;
  TimeNs last = Street::kStart;
  for (const Ask& ask : street.truth.asks()) {
    answered_late += ask.end == AskEnd::kAnswered && ask.sent > Street::kStart + 10 * kMinute ? 1U : 0U;
    gaps += ask.sent - last > 9 * kSecond ? 1U : 0U;
    last = ask.sent;
  }
  EXPECT_GT(answered_late, 20U);
  EXPECT_GT(gaps, 3U);
}

TEST(Provider, OneSeedOneStory) {
  const auto story = [](std::uint64_t seed) {
    Street street(seed);
    Settings settings = good("openai", "truncate", "100");
    settings.set("tool_calls", {"200"});
    street.provider(settings);
    street.client(human({"chat", "responses", "embeddings"}, "500"));
    street.run(10 * kMinute);
    return street.trace.hash();
  };
  EXPECT_EQ(story(3), story(3));
  EXPECT_NE(story(3), story(4));
}

TEST(ToolServer, RemembersSoManySessionsAndNoMore) {
  provider::ToolServer server(Random(1), {kMillisecond, kMillisecond}, {"search"}, 0);
  provider::Question hello{.operation = provider::Operation::kMcp, .method = "POST", .rpc_method = "initialize"};
  hello.rpc_id = "1";
  std::string first;
  for (std::size_t i = 0; i <= provider::ToolServer::kMaxSessions; ++i) {
    const provider::Script script = server.answer(hello, true);
    ASSERT_EQ(script.headers.size(), 1U);
    if (i == 0) first = script.headers.front().second;
    if (i + 1 == provider::ToolServer::kMaxSessions) {
      provider::Question list = hello;
      list.rpc_method = "tools/list";
      list.session = first;
      EXPECT_EQ(server.answer(list, true).status, 200);
    }
  }
  provider::Question list = hello;
  list.rpc_method = "tools/list";
  list.session = first;
  EXPECT_EQ(server.answer(list, true).status, 404);
}

}  // namespace
}  // namespace weir::sim
