// Whole answers of the dialects beside chat and messages.
#include <gtest/gtest.h>

#include "providers/dialect.h"

namespace weir {
namespace {

class Heard final : public GeneratedText {
 public:
  void on_text(std::string_view text) override { all.append(text).append("|"); }
  std::string all;
};

struct Read {
  AnswerFacts facts;
  std::string heard;
};

Read read(Operation operation, std::string_view body) {
  Heard heard;
  Read out{.facts = read_answer(operation, body, &heard), .heard = {}};
  out.heard = heard.all;
  return out;
}

TEST(ReadAnswerDialects, ChatTextIsHeardDecoded) {
  const Read answer =
      read(Operation::kChatCompletions,
           R"({"id":"c-1","model":"m","service_tier":"priority","choices":[{"message":{"role":"assistant",
      "reasoning":"h","reasoning_content":"hm","content":"H\u00e9"}},{"message":{"content":[{"text":"p"},{"refusal":"no"}],
      "tool_calls":[{"function":{"name":"pay","arguments":"{}"}},{"custom":{"name":"run","input":"x"}}]}}],
      "usage":{"prompt_tokens":1,"completion_tokens":2}})");
  EXPECT_EQ(answer.heard, "Hé|hm|p|no|pay|{}|run|x|");
  EXPECT_EQ(answer.facts.text_bytes, 3 + 2 + 1 + 2 + 3 + 2 + 3 + 1);
  EXPECT_EQ(answer.facts.id, "c-1");
  EXPECT_EQ(answer.facts.service_tier, ServiceTier::kPriority);
}

TEST(ReadAnswerDialects, UsageInTheWrongPlaceIsIgnoredAndTheLastOfTwoHolds) {
  EXPECT_FALSE(read_answer(Operation::kChatCompletions,
                           R"({"choices":[{"usage":{"prompt_tokens":1,"completion_tokens":2}}],"prompt_tokens":1})")
                   .usage.has_value());
  EXPECT_EQ(read_answer(Operation::kChatCompletions, R"({"usage":{"prompt_tokens":1,"completion_tokens":2},
      "usage":{"prompt_tokens":3,"completion_tokens":4}})")
                .usage,
            (Usage{.input_uncached = 3, .output_visible = 4}));
  EXPECT_FALSE(read_answer(Operation::kMessages, R"({"usage":{"input_tokens":1,"output_tokens":2},
      "usage":{"input_tokens":-1,"output_tokens":2}})")
                   .usage.has_value());
}

TEST(ReadAnswerDialects, Completions) {
  const Read answer = read(Operation::kCompletions, R"({"id":"cmpl-1","model":"m","choices":[{"text":"ab","index":0},
      {"text":"c"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"completion_tokens_details":
      {"rejected_prediction_tokens":2}}})");
  EXPECT_EQ(answer.heard, "ab|c|");
  EXPECT_EQ(answer.facts.usage, (Usage{.input_uncached = 5, .output_visible = 7}));
}

TEST(ReadAnswerDialects, Responses) {
  const Read answer =
      read(Operation::kResponses, R"({"id":"resp_1","object":"response","status":"completed","error":null,
      "model":"gpt-5","service_tier":"default","output":[{"type":"reasoning","summary":[{"text":"why"}]},
      {"type":"web_search_call","status":"completed"},{"type":"function_call","name":"pay","arguments":"{}"},
      {"type":"message","content":[{"type":"output_text","text":"Hi"},{"type":"refusal","refusal":"no"}]}],
      "usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":5},"output_tokens":9,
      "output_tokens_details":{"reasoning_tokens":4},"total_tokens":29}})");
  EXPECT_EQ(answer.heard, "why|pay|{}|Hi|no|");
  EXPECT_EQ(answer.facts.usage,
            (Usage{.input_uncached = 15, .cache_read = 5, .output_visible = 5, .reasoning = 4, .tool_units = 1}));
  EXPECT_EQ(answer.facts.id, "resp_1");
  EXPECT_FALSE(answer.facts.error);
  EXPECT_FALSE(read_answer(Operation::kResponses, R"({"status":"queued","usage":null})").usage.has_value());
  EXPECT_TRUE(read_answer(Operation::kResponses, R"({"status":"failed","error":{"code":"server_error"}})").error);
}

TEST(ReadAnswerDialects, MessagesWithTwoKindsOfCacheAndServerTools) {
  const Read answer = read(Operation::kMessages, R"({"id":"msg_1","type":"message","model":"claude","content":[
      {"type":"thinking","thinking":"hm"},{"type":"server_tool_use","name":"web_search","input":{"query": "x"}},
      {"type":"text","text":"Hi"}],"usage":{"input_tokens":1,"cache_creation_input_tokens":30,"cache_read_input_tokens":4,
      "cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":9,
      "output_tokens_details":{"thinking_tokens":2},"server_tool_use":{"web_search_requests":1},
      "service_tier":"priority"}})");
  EXPECT_EQ(answer.heard, "hm|web_search|{\"query\":\"x\"}|Hi|");
  EXPECT_EQ(answer.facts.usage, (Usage{.input_uncached = 1,
                                       .cache_read = 4,
                                       .cache_write = 10,
                                       .cache_write_1h = 20,
                                       .output_visible = 7,
                                       .reasoning = 2,
                                       .tool_units = 1}));
  EXPECT_EQ(answer.facts.service_tier, ServiceTier::kPriority);
  for (
      const char* contradiction :
      {R"("cache_creation_input_tokens":31,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20})",
       R"("server_tool_use":{"web_search_requests":-1})", R"("output_tokens_details":{"thinking_tokens":0.5})"}) {
    const std::string body = std::string(R"({"usage":{"input_tokens":1,"output_tokens":2,)") + contradiction + "}}";
    EXPECT_FALSE(read_answer(Operation::kMessages, body).usage.has_value()) << contradiction;
  }
}

TEST(ReadAnswerDialects, Gemini) {
  const Read answer = read(Operation::kGenerate, R"({"candidates":[{"content":{"parts":[{"text":"hm","thought":true},
      {"text":"Hi"},{"functionCall":{"name":"pay","args":{"a": 1}}},{"inlineData":{"data":"AAAA"}}]},"finishReason":"STOP"}],
      "usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":6,"thoughtsTokenCount":3,
      "toolUsePromptTokenCount":2,"totalTokenCount":21,"trafficType":"ON_DEMAND_FLEX"},"modelVersion":"gemini-2.5-pro",
      "responseId":"g1"})");
  EXPECT_EQ(answer.heard, "hm|Hi|pay|{\"a\":1}|");
  EXPECT_EQ(answer.facts.usage, (Usage{.input_uncached = 8, .cache_read = 4, .output_visible = 6, .reasoning = 3}));
  EXPECT_EQ(answer.facts.usage->total(), 21);
  EXPECT_EQ(answer.facts.model, "gemini-2.5-pro");
  EXPECT_EQ(answer.facts.id, "g1");
  EXPECT_EQ(answer.facts.service_tier, ServiceTier::kFlex);
  EXPECT_TRUE(read_answer(Operation::kGenerate, R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}})").error);
}

TEST(ReadAnswerDialects, Ollama) {
  const Read chat = read(Operation::kOllamaChat, R"({"model":"llama3","message":{"role":"assistant","content":"Hi",
      "thinking":"hm","tool_calls":[{"function":{"name":"pay","arguments":{"a": 1}}}]},"done":true,
      "prompt_eval_count":26,"eval_count":5})");
  EXPECT_EQ(chat.heard, "Hi|hm|pay|{\"a\":1}|");
  EXPECT_EQ(chat.facts.usage, (Usage{.input_uncached = 26, .output_visible = 5}));
  const Read generate = read(Operation::kOllamaGenerate, R"({"model":"l","response":"Hi","done":true,"eval_count":5})");
  EXPECT_EQ(generate.heard, "Hi|");
  EXPECT_EQ(generate.facts.usage, (Usage{.output_visible = 5}));
  EXPECT_FALSE(read_answer(Operation::kOllamaChat, R"({"done":false,"eval_count":5})").usage.has_value());
  EXPECT_FALSE(read_answer(Operation::kOllamaChat, R"({"eval_count":5})").usage.has_value());
  EXPECT_EQ(read_answer(Operation::kOllamaEmbed, R"({"embeddings":[[0.1]],"prompt_eval_count":3})").usage,
            (Usage{.input_uncached = 3}));
  // Zero counts are left out, but an answer without any, or text without a count, is not free.
  EXPECT_EQ(read_answer(Operation::kOllamaChat, R"({"done":true,"prompt_eval_count":3})").usage,
            (Usage{.input_uncached = 3}));
  EXPECT_FALSE(read_answer(Operation::kOllamaEmbed, R"({"embeddings":[[0.1]]})").usage.has_value());
  EXPECT_FALSE(read_answer(Operation::kOllamaChat, R"({"done":true})").usage.has_value());
  EXPECT_FALSE(read_answer(Operation::kOllamaGenerate, R"({"response":"Hi","done":true,"prompt_eval_count":3})")
                   .usage.has_value());
  const AnswerFacts failed = read_answer(Operation::kOllamaChat, R"({"error":"model not found"})");
  EXPECT_TRUE(failed.error);
  EXPECT_FALSE(failed.usage.has_value());
}

TEST(ReadAnswerDialects, CountingUsesNothing) {
  EXPECT_EQ(read_answer(Operation::kCountTokens, R"({"input_tokens":2095})").usage, Usage{});
  EXPECT_EQ(read_answer(Operation::kGeminiCountTokens, R"({"totalTokens":31})").usage, Usage{});
  const AnswerFacts failed = read_answer(Operation::kCountTokens, R"({"type":"error","error":{"type":"api_error"}})");
  EXPECT_TRUE(failed.error);
  EXPECT_FALSE(failed.usage.has_value());
}

TEST(ReadAnswerDialects, GarbageHasNoUsageInAnyDialect) {
  for (std::size_t i = 0; i < kOperationCount; ++i) {
    const auto operation = static_cast<Operation>(i);
    for (const char* garbage : {"", "x", "[]", "null", "{", "{\"usage\":", "\xFF"}) {
      const Read answer = read(operation, garbage);
      EXPECT_FALSE(answer.facts.usage.has_value()) << route_of(operation) << garbage;
      EXPECT_EQ(answer.heard, "");
    }
    if (only_counts(operation)) continue;
    const AnswerFacts odd =
        read_answer(operation, R"({"usage":3,"usageMetadata":[],"choices":{},"candidates":[1,{"content":
        {"parts":[1,{"text":2}]}}],"output":[1],"content":7,"message":[],"model":4,"id":{},"done":"true","embeddings":0})");
    EXPECT_FALSE(odd.usage.has_value()) << route_of(operation);
    EXPECT_EQ(odd.text_bytes, 0) << route_of(operation);
    EXPECT_EQ(odd.model, "");
  }
}

}  // namespace
}  // namespace weir
