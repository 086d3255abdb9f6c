#include "providers/errors.h"

#include <gtest/gtest.h>
#include <simdjson.h>

namespace weir {
namespace {

Refusal sample_refusal() {
  Refusal refusal;
  refusal.limit = "tokens";
  refusal.layer = "budget";
  refusal.per = {{"tenant", "acme"}};
  refusal.meter = "tokens";
  refusal.allowed = "50000";
  refusal.used = "48210";
  refusal.reserved = "1100";
  refusal.requested = "2600";
  refusal.window = "1m";
  refusal.retry_after_s = 31.2;
  refusal.also = {"spend"};
  return refusal;
}

ErrorFacts facts_for(ErrorKind kind, int status) {
  ErrorFacts facts;
  facts.kind = kind;
  facts.status = status;
  facts.message = "say \"why\"";
  facts.request_id = "req_1";
  return facts;
}

TEST(ErrorBody, OpenAi) {
  EXPECT_EQ(
      error_body(ErrorShape::kOpenAi, facts_for(ErrorKind::kUnauthorized, 401)),
      R"({"error":{"message":"say \"why\"","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})");
  ErrorFacts model = facts_for(ErrorKind::kUnknownModel, 404);
  model.param = "model";
  EXPECT_EQ(
      error_body(ErrorShape::kOpenAi, model),
      R"({"error":{"message":"say \"why\"","type":"invalid_request_error","param":"model","code":"model_not_found"}})");
  EXPECT_EQ(error_body(ErrorShape::kOpenAi, facts_for(ErrorKind::kInvalidRequest, 400)),
            R"({"error":{"message":"say \"why\"","type":"invalid_request_error","param":null,"code":null}})");
}

TEST(ErrorBody, WordsPerKind) {
  const struct {
    ErrorKind kind;
    int status;
    const char *openai_type, *openai_code, *anthropic_type, *problem_type;
  } cases[] = {
      {ErrorKind::kNotFound, 404, "invalid_request_error", "unknown_url", "not_found_error", "about:blank"},
      {ErrorKind::kUnauthorized, 401, "invalid_request_error", "invalid_api_key", "authentication_error",
       "about:blank"},
      {ErrorKind::kTooLarge, 413, "invalid_request_error", "request_too_large", "request_too_large", "about:blank"},
      {ErrorKind::kRateLimited, 429, "rate_limit_exceeded", "rate_limit_exceeded", "rate_limit_error",
       "#quota-exceeded"},
      {ErrorKind::kQuota, 429, "insufficient_quota", "insufficient_quota", "rate_limit_error", "#quota-exceeded"},
      {ErrorKind::kAbnormal, 429, "rate_limit_exceeded", "rate_limit_exceeded", "rate_limit_error",
       "#abnormal-usage-detected"},
      {ErrorKind::kOverloaded, 503, "service_unavailable_error", "server_is_overloaded", "overloaded_error",
       "#temporary-reduced-capacity"},
      {ErrorKind::kUpstream, 502, "server_error", "upstream_error", "api_error", "about:blank"},
      {ErrorKind::kUpstream, 504, "server_error", "upstream_timeout", "timeout_error", "about:blank"},
      {ErrorKind::kUnknownModel, 404, "invalid_request_error", "model_not_found", "not_found_error", "about:blank"},
  };
  const auto at = [](const std::string& body, const char* pointer) {
    simdjson::dom::parser parser;
    simdjson::dom::element document;
    std::string_view text;
    EXPECT_EQ(parser.parse(body).get(document), simdjson::SUCCESS) << body;
    EXPECT_EQ(document.at_pointer(pointer).get_string().get(text), simdjson::SUCCESS) << body << pointer;
    return std::string(text);
  };
  const Refusal refusal = sample_refusal();
  for (const auto& c : cases) {
    ErrorFacts facts = facts_for(c.kind, c.status);
    facts.refusal = &refusal;
    const std::string openai = error_body(ErrorShape::kOpenAi, facts);
    EXPECT_EQ(at(openai, "/error/type"), c.openai_type);
    EXPECT_EQ(at(openai, "/error/code"), c.openai_code);
    EXPECT_EQ(at(openai, "/error/weir/limit"), "tokens");
    const std::string anthropic = error_body(ErrorShape::kAnthropic, facts);
    EXPECT_EQ(at(anthropic, "/type"), "error");
    EXPECT_EQ(at(anthropic, "/error/type"), c.anthropic_type);
    EXPECT_EQ(at(anthropic, "/error/weir/limit"), "tokens");
    EXPECT_EQ(at(anthropic, "/request_id"), "req_1");
    const std::string problem = error_body(ErrorShape::kProblem, facts);
    EXPECT_TRUE(at(problem, "/type").ends_with(c.problem_type)) << problem;
    EXPECT_EQ(at(problem, "/weir/limit"), "tokens");
    EXPECT_EQ(at(problem, "/violated-policies/1"), "spend");
  }
}

TEST(ErrorBody, Problem) {
  EXPECT_EQ(
      error_body(ErrorShape::kProblem, facts_for(ErrorKind::kInvalidRequest, 405)),
      R"({"type":"about:blank","title":"Method Not Allowed","status":405,"detail":"say \"why\"","instance":"req_1"})");
  EXPECT_EQ(content_type_of(ErrorShape::kProblem), "application/problem+json");
  EXPECT_EQ(content_type_of(ErrorShape::kAnthropic), "application/json");
}

TEST(ErrorBody, GeminiTellsTheWaitAsRetryInfo) {
  ErrorFacts facts = facts_for(ErrorKind::kRateLimited, 429);
  Refusal refusal = sample_refusal();
  facts.refusal = &refusal;
  EXPECT_EQ(error_body(ErrorShape::kGemini, facts),
            R"({"error":{"code":429,"message":"say \"why\"","status":"RESOURCE_EXHAUSTED","details":[{"@type":)"
            R"("type.googleapis.com/google.rpc.RetryInfo","retryDelay":"31.200s"}],"weir":)" +
                machine_json(refusal) + "}}");
  refusal.retry_after_s = 3;
  EXPECT_NE(error_body(ErrorShape::kGemini, facts).find(R"("retryDelay":"3s")"), std::string::npos);
  refusal.retry_after_s = 0.0001;
  EXPECT_NE(error_body(ErrorShape::kGemini, facts).find(R"("retryDelay":"0.001s")"), std::string::npos);
  refusal.retry_after_s = -1;
  EXPECT_EQ(error_body(ErrorShape::kGemini, facts).find("details"), std::string::npos) << "it can never fit";
}

TEST(ErrorBody, GeminiStatusWords) {
  const std::pair<int, const char*> cases[] = {
      {400, "INVALID_ARGUMENT"}, {401, "UNAUTHENTICATED"},  {403, "PERMISSION_DENIED"},
      {404, "NOT_FOUND"},        {413, "INVALID_ARGUMENT"}, {500, "INTERNAL"},
      {502, "UNAVAILABLE"},      {503, "UNAVAILABLE"},      {504, "DEADLINE_EXCEEDED"}};
  for (const auto& [status, word] : cases) {
    const std::string body = error_body(ErrorShape::kGemini, facts_for(ErrorKind::kInvalidRequest, status));
    EXPECT_EQ(body, R"({"error":{"code":)" + std::to_string(status) + R"(,"message":"say \"why\"","status":")" + word +
                        R"("}})");
  }
}

TEST(ErrorBody, OllamaSaysItInOneString) {
  ErrorFacts facts = facts_for(ErrorKind::kQuota, 429);
  EXPECT_EQ(error_body(ErrorShape::kOllama, facts), R"({"error":"say \"why\""})");
  const Refusal refusal = sample_refusal();
  facts.refusal = &refusal;
  EXPECT_EQ(error_body(ErrorShape::kOllama, facts), R"({"error":"say \"why\"","weir":)" + machine_json(refusal) + "}");
}

constexpr Usage kUsed{.input_uncached = 5, .cache_read = 2, .output_visible = 3, .reasoning = 1};

// Reads what the gateway wrote as a client would, after `before`.
AnswerFacts read_end(Operation operation, Framing framing, const std::string& before, const std::string& end,
                     bool& ended) {
  StreamReader reader(operation, framing, false);
  std::string out;
  reader.feed(before + end, out);
  reader.finish(out);
  EXPECT_EQ(out, before + end);
  ended = reader.ended();
  return reader.facts();
}

TEST(StreamError, EveryDialectReadsItsOwnEndAsAnError) {
  const ErrorFacts facts = facts_for(ErrorKind::kQuota, 429);
  const struct {
    Operation operation;
    Framing framing;
    std::string before;
    bool has_usage, ended;
  } cases[] = {
      {Operation::kChatCompletions, Framing::kSse, "", true, false},
      {Operation::kCompletions, Framing::kSse, "", true, false},
      {Operation::kResponses, Framing::kSse, "", true, true},
      {Operation::kMessages, Framing::kSse,
       "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n", true,
       false},
      {Operation::kStreamGenerate, Framing::kSse, "", true, false},
      {Operation::kStreamGenerate, Framing::kJsonArray, "", true, false},
      {Operation::kOllamaChat, Framing::kNdjson, "", false, false},
      {Operation::kOllamaGenerate, Framing::kNdjson, "{\"response\":\"a\"}\n", false, false},
  };
  for (const auto& c : cases) {
    const std::string route(route_of(c.operation));
    for (const bool told : {false, true}) {
      bool ended = false;
      const std::string end = stream_error_end(c.operation, c.framing, facts, &kUsed, told);
      const AnswerFacts read = read_end(c.operation, c.framing, c.before, end, ended);
      EXPECT_TRUE(read.error) << route;
      EXPECT_EQ(ended, c.ended) << route;
      EXPECT_EQ(read.usage.has_value(), told && c.has_usage) << route << end;
      EXPECT_EQ(read.usage.value_or(kUsed), kUsed) << route;
    }
    bool ended = false;
    const std::string bare = stream_error_end(c.operation, c.framing, facts, nullptr, true);
    EXPECT_FALSE(read_end(c.operation, c.framing, c.before, bare, ended).usage.has_value()) << route;
  }
}

TEST(StreamError, ChatBytes) {
  const ErrorFacts facts = facts_for(ErrorKind::kQuota, 429);
  const std::string error = "data: " + error_body(ErrorShape::kOpenAi, facts) + "\n\n";
  EXPECT_EQ(stream_error_end(Operation::kChatCompletions, Framing::kSse, facts, &kUsed, false), error);
  AnswerFacts known;
  known.id = "c-1";
  known.model = "m";
  EXPECT_EQ(stream_error_end(Operation::kChatCompletions, Framing::kSse, facts, &kUsed, true, &known),
            "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"m\",\"choices\":[],"
            "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":4,\"total_tokens\":11,\"prompt_tokens_details\":"
            "{\"cached_tokens\":2,\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":1,"
            "\"audio_tokens\":0}}}\n\n" +
                error);
}

TEST(StreamError, ResponsesGoOnCountingAndCarryTheObjectThatSdksRaise) {
  const ErrorFacts facts = facts_for(ErrorKind::kRateLimited, 429);
  const std::string end =
      stream_error_end(Operation::kResponses, Framing::kSse, facts, nullptr, true, nullptr, {.sequence = 7});
  EXPECT_TRUE(end.starts_with("event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":7,"));
  EXPECT_NE(end.find("\n\nevent: error\ndata: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"say "
                     "\\\"why\\\"\",\"param\":null,\"sequence_number\":8,\"error\":{\"message\":"),
            std::string::npos)
      << end;
}

TEST(StreamError, AnArrayIsClosedValidlyWhereverItStands) {
  const ErrorFacts facts = facts_for(ErrorKind::kQuota, 429);
  for (const std::string stream :
       {"", "[", "[{\"candidates\":[]}", "[{\"candidates\":[]}\n,\r\n{\"candidates\":[]}\n,\n{\"can"}) {
    StreamReader reader(Operation::kStreamGenerate, Framing::kJsonArray, false);
    std::string out;
    reader.feed(stream, out);  // what is not complete is not relayed
    const std::string end = stream_error_end(Operation::kStreamGenerate, Framing::kJsonArray, facts, &kUsed, true,
                                             &reader.facts(), reader.position());
    simdjson::dom::parser parser;
    simdjson::dom::element document;
    ASSERT_EQ(parser.parse(out + end).get(document), simdjson::SUCCESS) << out + end;
    simdjson::dom::array list;
    ASSERT_EQ(document.get_array().get(list), simdjson::SUCCESS);
    simdjson::dom::element last;
    for (const simdjson::dom::element element : list) last = element;
    EXPECT_EQ(last["error"]["code"].get_int64().value_unsafe(), 429);
  }
}

TEST(StreamError, GeminiEventsEndInBareJsonForGooglesSdk) {
  const ErrorFacts facts = facts_for(ErrorKind::kQuota, 429);
  const std::string error = error_body(ErrorShape::kGemini, facts);
  EXPECT_EQ(stream_error_end(Operation::kStreamGenerate, Framing::kSse, facts, nullptr, true),
            "data: " + error + "\n\n" + error + "\n");
}

std::string headers(ErrorShape shape, std::vector<LimitShare> shares, TimeNs now = 0) {
  std::string out;
  append_limit_headers(shape, shares, now, out);
  return out;
}

TEST(LimitHeaders, OpenAiShowsTheTightestPerMeter) {
  EXPECT_EQ(headers(ErrorShape::kOpenAi, {{"requests", 60, 59, kSecond},
                                          {"tokens", 150'000, 149'984, 6 * kMinute},
                                          {"tokens", 10, 9, 12 * kMillisecond},
                                          {"usd", 10, 0, kSecond},
                                          {"input_tokens", 10, 0, kSecond}}),
            "x-ratelimit-limit-requests: 60\r\nx-ratelimit-remaining-requests: 59\r\nx-ratelimit-reset-requests: 1s\r\n"
            "x-ratelimit-limit-tokens: 10\r\nx-ratelimit-remaining-tokens: 9\r\nx-ratelimit-reset-tokens: 12ms\r\n");
  EXPECT_EQ(headers(ErrorShape::kOpenAi, {}), "");
  for (const ErrorShape shape : {ErrorShape::kProblem, ErrorShape::kGemini, ErrorShape::kOllama}) {
    EXPECT_EQ(headers(shape, {{"requests", 60, 59, kSecond}}), "");
  }
}

TEST(LimitHeaders, GoDurations) {
  const struct {
    DurationNs span;
    const char* text;
  } cases[] = {{0, "0s"},
               {-5, "0s"},
               {1, "1ms"},
               {999 * kMillisecond, "999ms"},
               {kSecond, "1s"},
               {1'500 * kMillisecond, "1.5s"},
               {59'999 * kMillisecond + 1, "1m0s"},
               {6 * kMinute, "6m0s"},
               {kHour, "1h0m0s"},
               {25 * kHour + 61 * kSecond, "25h1m1s"},
               {kNever, "87840h0m0s"}};
  for (const auto& c : cases) {
    EXPECT_NE(headers(ErrorShape::kOpenAi, {{"requests", 1, 1, c.span}})
                  .find(std::string("-reset-requests: ") + c.text + "\r\n"),
              std::string::npos)
        << c.text;
  }
}

TEST(LimitHeaders, AnthropicResetsAreInstantsRoundedUp) {
  const TimeNs now = 1'790'000'000 * kSecond + 1;
  EXPECT_EQ(headers(ErrorShape::kAnthropic, {{"output_tokens", 8000, -3, 10 * kSecond}}, now),
            "anthropic-ratelimit-output-tokens-limit: 8000\r\nanthropic-ratelimit-output-tokens-remaining: 0\r\n"
            "anthropic-ratelimit-output-tokens-reset: " +
                format_rfc3339(1'790'000'011 * kSecond) + "\r\n");
  const std::string all =
      headers(ErrorShape::kAnthropic, {{"requests", 1, 1, 0}, {"tokens", 1, 1, 0}, {"input_tokens", 1, 1, 0}});
  for (const char* name : {"ratelimit-requests-limit", "ratelimit-tokens-remaining", "ratelimit-input-tokens-reset"}) {
    EXPECT_NE(all.find(name), std::string::npos) << name;
  }
}

TEST(LimitHeaders, WhichAreTheGatewaysOwn) {
  for (const char* name :
       {"x-ratelimit-limit-requests", "x-ratelimit-reset-project-tokens", "anthropic-ratelimit-tokens-reset",
        "ratelimit", "ratelimit-policy", "anthropic-priority-input-tokens-limit"}) {
    EXPECT_TRUE(is_dialect_limit_header(name)) << name;
  }
  for (const char* name :
       {"", "retry-after", "x-request-id", "x-ratelimit", "ratelimit-x", "anthropic-organization-id"}) {
    EXPECT_FALSE(is_dialect_limit_header(name)) << name;
  }
}

}  // namespace
}  // namespace weir
