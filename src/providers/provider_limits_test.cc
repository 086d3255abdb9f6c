#include "providers/provider_limits.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

namespace weir {
namespace {

constexpr TimeNs kNow = 1'772'049'727 * kSecond;  // 2026-02-25T20:02:07Z

using Headers = std::map<std::string, std::string, std::less<>>;

ProviderLimits read(Dialect dialect, const Headers& headers, std::string_view body = {}) {
  return read_provider_limits(
      dialect,
      [&](std::string_view name) {
        const auto at = headers.find(name);
        return at == headers.end() ? std::string_view{} : std::string_view(at->second);
      },
      body, kNow);
}

TEST(ProviderLimits, NothingSaidIsNothingKnown) {
  for (const Dialect dialect : {Dialect::kOpenAi, Dialect::kAnthropic, Dialect::kGemini, Dialect::kOllama}) {
    EXPECT_FALSE(read(dialect, {}).any());
  }
}

TEST(ProviderLimits, OpenAiWithGoDurations) {
  const ProviderLimits limits = read(Dialect::kOpenAi, {{"x-ratelimit-remaining-requests", "59"},
                                                        {"x-ratelimit-reset-requests", "12ms"},
                                                        {"x-ratelimit-remaining-tokens", "149984"},
                                                        {"x-ratelimit-reset-tokens", "6m0s"}});
  EXPECT_EQ(limits.remaining_requests, 59);
  EXPECT_EQ(limits.reset_requests, 12 * kMillisecond);
  EXPECT_EQ(limits.remaining_tokens, 149984);
  EXPECT_EQ(limits.reset_tokens, 6 * kMinute);
  const std::pair<const char*, DurationNs> cases[] = {{"1s", kSecond},
                                                      {"1h0m0.5s", kHour + kSecond / 2},
                                                      {"1.5s", 3 * kSecond / 2},
                                                      {"250us", 250 * kMicrosecond},
                                                      {"250\xC2\xB5s", 250 * kMicrosecond},
                                                      {"7ns", 7},
                                                      {"-1", 0},
                                                      {"-1s", 0},
                                                      {"1", 0},
                                                      {"s", 0},
                                                      {"1.s", 0},
                                                      {"1x", 0},
                                                      {"", 0},
                                                      {"99999999999999999999h", 0},
                                                      {"1e9s", 0}};
  for (const auto& [text, span] : cases) {
    EXPECT_EQ(read(Dialect::kOpenAi, {{"x-ratelimit-remaining-tokens", "1"}, {"x-ratelimit-reset-tokens", text}})
                  .reset_tokens,
              span)
        << text;
  }
}

TEST(ProviderLimits, AbsurdRemainsCountAsAbsent) {
  for (const char* text : {"-1", "", " ", "1.5", "x", "0x10", "99999999999999999999", "1099511627777"}) {
    EXPECT_FALSE(read(Dialect::kOpenAi, {{"x-ratelimit-remaining-tokens", text}}).any()) << text;
    EXPECT_FALSE(read(Dialect::kAnthropic, {{"anthropic-ratelimit-tokens-remaining", text}}).any()) << text;
  }
  EXPECT_EQ(read(Dialect::kOpenAi, {{"x-ratelimit-remaining-tokens", "0"}}).remaining_tokens, 0);
}

TEST(ProviderLimits, TheProjectsTokensLowerTheOthers) {
  const ProviderLimits limits = read(Dialect::kOpenAi, {{"x-ratelimit-remaining-tokens", "100"},
                                                        {"x-ratelimit-remaining-project-tokens", "7"},
                                                        {"x-ratelimit-reset-project-tokens", "3s"}});
  EXPECT_EQ(limits.remaining_tokens, 7);
  EXPECT_EQ(limits.reset_tokens, 3 * kSecond);
}

TEST(ProviderLimits, AnthropicWithInstants) {
  const ProviderLimits limits =
      read(Dialect::kAnthropic, {{"anthropic-ratelimit-requests-remaining", "49"},
                                 {"anthropic-ratelimit-requests-reset", "2026-02-25T20:02:08Z"},
                                 {"anthropic-ratelimit-tokens-remaining", "36000"},
                                 {"anthropic-ratelimit-tokens-reset", "2026-02-25T20:02:37Z"},
                                 {"anthropic-ratelimit-input-tokens-remaining", "1"}});
  EXPECT_EQ(limits.remaining_requests, 49);
  EXPECT_EQ(limits.reset_requests, kSecond);
  EXPECT_EQ(limits.remaining_tokens, 36000);
  EXPECT_EQ(limits.reset_tokens, 30 * kSecond);
  const std::pair<const char*, DurationNs> cases[] = {{"2026-02-25T20:02:07.25Z", kSecond / 4},
                                                      {"2026-02-25T21:02:09+01:00", 2 * kSecond},
                                                      {"2026-02-25T15:02:09-05:00", 2 * kSecond},
                                                      {"2026-02-25T20:00:00Z", 0},
                                                      {"2026-02-31T20:02:37Z", 0},
                                                      {"2026-02-25 20:02:37Z", 0},
                                                      {"2026-02-25T20:02:37", 0},
                                                      {"2199-02-25T20:02:37Z", 0},
                                                      {"tomorrow", 0}};
  for (const auto& [text, span] : cases) {
    EXPECT_EQ(read(Dialect::kAnthropic,
                   {{"anthropic-ratelimit-tokens-remaining", "1"}, {"anthropic-ratelimit-tokens-reset", text}})
                  .reset_tokens,
              span)
        << text;
  }
  EXPECT_EQ(read(Dialect::kAnthropic, {{"anthropic-ratelimit-input-tokens-remaining", "9"},
                                       {"anthropic-ratelimit-output-tokens-remaining", "4"}})
                .remaining_tokens,
            4);
}

TEST(ProviderLimits, RetryAfterInItsThreeForms) {
  for (const Dialect dialect : {Dialect::kOpenAi, Dialect::kAnthropic, Dialect::kGemini, Dialect::kOllama}) {
    EXPECT_EQ(read(dialect, {{"retry-after", "56"}}).retry_after, 56 * kSecond);
    EXPECT_EQ(read(dialect, {{"retry-after", "0.5"}}).retry_after, kSecond / 2);
    EXPECT_EQ(read(dialect, {{"retry-after", "2"}, {"retry-after-ms", "1500"}}).retry_after, 1500 * kMillisecond);
    EXPECT_EQ(read(dialect, {{"retry-after", "Wed, 25 Feb 2026 20:02:37 GMT"}}).retry_after, 30 * kSecond);
    EXPECT_EQ(read(dialect, {{"retry-after", "Wed, 25 Feb 2026 20:00:00 GMT"}}).retry_after, 0);
    for (const char* text : {"-1", "", "soon", "Wed, 31 Feb 2026 20:02:37 GMT", "Wed, 25 Fev 2026 20:02:37 GMT",
                             "99999999999999999999", "1e3", "Wed, 25 Feb 2026 20:02:37 PST"}) {
      EXPECT_EQ(read(dialect, {{"retry-after", text}}).retry_after, std::nullopt) << text;
    }
  }
}

TEST(ProviderLimits, GeminiSaysTheWaitInTheErrorsBody) {
  const std::string body =
      R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.Help"},)"
      R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}})";
  EXPECT_EQ(read(Dialect::kGemini, {}, body).retry_after, 34 * kSecond + 70 * kMillisecond);
  EXPECT_EQ(read(Dialect::kGemini, {}, "[" + body + "]").retry_after, 34 * kSecond + 70 * kMillisecond);
  EXPECT_EQ(read(Dialect::kGemini, {{"retry-after", "1"}}, body).retry_after, kSecond);
  EXPECT_FALSE(read(Dialect::kOpenAi, {}, body).any());
  for (const char* bad :
       {"", "{", "[]", "3", R"({"error":"x"})", R"({"error":{"details":{}}})", R"({"error":{"details":[1,{}]}})",
        R"({"error":{"details":[{"@type":"google.rpc.RetryInfo","retryDelay":"-3s"}]}})",
        R"({"error":{"details":[{"@type":"google.rpc.RetryInfo","retryDelay":3}]}})",
        R"({"error":{"details":[{"@type":"google.rpc.RetryInfo","retryDelay":"3"}]}})"}) {
    EXPECT_FALSE(read(Dialect::kGemini, {}, bad).any()) << bad;
  }
}

RC_GTEST_PROP(ProviderLimitsProperty, AnyTextGivesNothingNegative, ()) {
  const std::string text =
      *rc::gen::container<std::string>(rc::gen::elementOf(std::string("0123456789.hmsn-:TZ,+ GMT")));
  for (const Dialect dialect : {Dialect::kOpenAi, Dialect::kAnthropic, Dialect::kGemini}) {
    const ProviderLimits limits =
        read_provider_limits(dialect, [&](std::string_view) { return std::string_view(text); }, text, kNow);
    RC_ASSERT(limits.remaining_tokens.value_or(0) >= 0);
    RC_ASSERT(limits.reset_tokens >= 0 && limits.reset_requests >= 0);
    RC_ASSERT(limits.retry_after.value_or(0) >= 0);
  }
}

}  // namespace
}  // namespace weir
