#include <gtest/gtest.h>

#include "providers/dialect.h"

namespace weir {
namespace {

constexpr auto kChat = Operation::kChatCompletions;
constexpr auto kEmbed = Operation::kEmbeddings;
constexpr auto kMsg = Operation::kMessages;

TEST(ReadAnswer, ChatCompletion) {
  const AnswerFacts facts = read_answer(kChat, R"({"id":"chatcmpl-1","object":"chat.completion","created":1741570283,
    "model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null,
    "annotations":[]},"finish_reason":"stop"},{"index":1,"message":{"content":null,"tool_calls":[{"id":"call_1",
    "type":"function","function":{"name":"pay","arguments":"{\"a\":1}"}}]}}],"usage":{"prompt_tokens":1117,
    "completion_tokens":46,"total_tokens":1163,"prompt_tokens_details":{"cached_tokens":1000,"audio_tokens":0,
    "cache_write_tokens":17},"completion_tokens_details":{"reasoning_tokens":6,"audio_tokens":0,
    "accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default"})");
  EXPECT_EQ(facts.model, "gpt-4o-2024-08-06");
  EXPECT_EQ(facts.text_bytes, 5 + 3 + 7);
  EXPECT_EQ(
      facts.usage,
      (Usage{.input_uncached = 100, .cache_read = 1000, .cache_write = 17, .output_visible = 40, .reasoning = 6}));
  EXPECT_EQ(facts.usage->total(), 1163);
  EXPECT_FALSE(facts.error);
}

TEST(ReadAnswer, Messages) {
  const AnswerFacts facts =
      read_answer(kMsg, R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-5",
    "content":[{"type":"thinking","thinking":"hmm","signature":"zzzzzzzz"},{"type":"text","text":"Hello"},
    {"type":"tool_use","id":"toolu_1","name":"pay","input":{"a": 1}}],"stop_reason":"tool_use",
    "usage":{"input_tokens":10,"cache_creation_input_tokens":20,"cache_read_input_tokens":30,"output_tokens":40,
    "service_tier":"standard"}})");
  EXPECT_EQ(facts.text_bytes, 3 + 5 + 3 + 7);
  EXPECT_EQ(facts.usage, (Usage{.input_uncached = 10, .cache_read = 30, .cache_write = 20, .output_visible = 40}));
  EXPECT_EQ(facts.usage->input(), 60);
}

TEST(ReadAnswer, Embeddings) {
  const AnswerFacts facts =
      read_answer(kEmbed, R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-0.2]}],
    "model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}})");
  EXPECT_EQ(facts.usage, (Usage{.input_uncached = 8}));
  EXPECT_EQ(facts.text_bytes, 0);
}

TEST(ReadAnswer, DamagedUsageIsNoUsage) {
  for (const char* usage :
       {"null", "[]", "{}", R"({"prompt_tokens":5})", R"({"prompt_tokens":-5,"completion_tokens":1})",
        R"({"prompt_tokens":5,"completion_tokens":-1})", R"({"prompt_tokens":5.0,"completion_tokens":1})",
        R"({"prompt_tokens":"5","completion_tokens":1})", R"({"prompt_tokens":1099511627777,"completion_tokens":1})",
        R"({"prompt_tokens":5,"completion_tokens":18446744073709551615})",
        R"({"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":-1}})",
        R"({"prompt_tokens":5,"completion_tokens":1,"completion_tokens_details":{"audio_tokens":2}})"}) {
    const std::string body = std::string(R"({"choices":[{"message":{"content":"abc"}}],"usage":)") + usage + "}";
    EXPECT_FALSE(read_answer(kChat, body).usage.has_value()) << usage;
    EXPECT_EQ(read_answer(kChat, body).text_bytes, 3);
  }
  for (const char* usage :
       {"{}", R"({"input_tokens":5})", R"({"output_tokens":5})", R"({"input_tokens":-1,"output_tokens":5})",
        R"({"input_tokens":1,"output_tokens":5,"cache_read_input_tokens":"x"})",
        R"({"input_tokens":1,"output_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":-1}})"}) {
    EXPECT_FALSE(read_answer(kMsg, std::string(R"({"content":[],"usage":)") + usage + "}").usage.has_value()) << usage;
  }
}

std::optional<Usage> chat_usage(std::int64_t in, std::int64_t out, std::int64_t cached, std::int64_t written,
                                std::int64_t reasoning, std::string_view total) {
  return read_answer(kChat, R"({"choices":[],"usage":{"prompt_tokens":)" + std::to_string(in) +
                                R"(,"completion_tokens":)" + std::to_string(out) +
                                R"(,"prompt_tokens_details":{"cached_tokens":)" + std::to_string(cached) +
                                R"(,"cache_write_tokens":)" + std::to_string(written) +
                                R"(},"completion_tokens_details":{"reasoning_tokens":)" + std::to_string(reasoning) +
                                R"(},"total_tokens":)" + std::string(total) + "}}")
      .usage;
}

TEST(ReadAnswer, ReasoningBesideTheOutputIsAddedWhenTheTotalSaysSo) {
  const Usage beside{.input_uncached = 32, .output_visible = 9, .reasoning = 270};
  EXPECT_EQ(chat_usage(32, 9, 0, 0, 270, "311"), beside);
  const Usage fewer{.input_uncached = 32, .output_visible = 90, .reasoning = 27};
  EXPECT_EQ(chat_usage(32, 90, 0, 0, 27, "149"), fewer) << "even where it could be within";
  const Usage within{.input_uncached = 32, .output_visible = 63, .reasoning = 27};
  EXPECT_EQ(chat_usage(32, 90, 0, 0, 27, "122"), within);
  for (const char* total : {"null", "0", "7", "-1", "\"149\"", "1e99"}) {
    EXPECT_EQ(chat_usage(32, 90, 0, 0, 27, total), within) << total;
  }
}

TEST(ReadAnswer, ReasoningThatCannotBeWithinIsAllTheOutput) {
  const Usage all{.input_uncached = 5, .output_visible = 0, .reasoning = 1};
  for (const char* total : {"null", "6", "0", "9"}) EXPECT_EQ(chat_usage(5, 1, 0, 0, 2, total), all) << total;
}

TEST(ReadAnswer, CacheThatCannotBeWithinTheInputMakesNothingFree) {
  const Usage beside{.input_uncached = 5, .cache_read = 90, .cache_write = 10, .output_visible = 2};
  EXPECT_EQ(chat_usage(5, 2, 90, 10, 0, "107"), beside);
  const Usage both{.input_uncached = 5, .cache_read = 90, .cache_write = 10, .output_visible = 2, .reasoning = 7};
  EXPECT_EQ(chat_usage(5, 2, 90, 10, 7, "114"), both);
  // Said by nothing but itself: no discount, and as much written as there can be.
  for (const char* total : {"null", "7", "0", "1000"}) {
    EXPECT_EQ(chat_usage(5, 2, 6, 0, 0, total), (Usage{.input_uncached = 5, .output_visible = 2})) << total;
    EXPECT_EQ(chat_usage(5, 2, 4, 2, 0, total), (Usage{.input_uncached = 3, .cache_write = 2, .output_visible = 2}));
    EXPECT_EQ(chat_usage(5, 2, 0, 9, 0, total), (Usage{.cache_write = 5, .output_visible = 2})) << total;
  }
}

TEST(ReadAnswer, NullDetailsAreFine) {
  EXPECT_EQ(read_answer(kChat, R"({"usage":{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":null,
    "completion_tokens_details":{"reasoning_tokens":null}}})")
                .usage,
            (Usage{.input_uncached = 5, .output_visible = 1}));
}

TEST(ReadAnswer, ErrorsAndGarbage) {
  EXPECT_TRUE(read_answer(kChat, R"({"error":{"message":"no","type":"server_error","param":null,"code":null}})").error);
  EXPECT_TRUE(read_answer(kMsg, R"({"type":"error","error":{"type":"overloaded_error","message":"x"}})").error);
  EXPECT_FALSE(read_answer(kChat, R"({"error":null,"choices":[]})").error);
  for (const char* garbage :
       {"", "x", "[]", "null", "{", "{\"choices\":[1,{\"message\":2}],\"usage\":3,\"model\":4}"}) {
    for (const Operation operation : {kChat, kEmbed, kMsg}) {
      const AnswerFacts facts = read_answer(operation, garbage);
      EXPECT_FALSE(facts.usage.has_value());
      EXPECT_EQ(facts.text_bytes, 0);
      EXPECT_EQ(facts.model, "");
    }
  }
}

}  // namespace
}  // namespace weir
