#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "providers/dialect.h"

namespace weir {
namespace {

constexpr auto kChat = Operation::kChatCompletions;
constexpr auto kMsg = Operation::kMessages;

struct Outcome {
  std::string out;
  AnswerFacts facts;
  bool ended = false;
};

Outcome run(Operation operation, bool hide, const std::vector<std::string_view>& pieces) {
  StreamReader reader(operation, Framing::kSse, hide);
  Outcome result;
  for (const std::string_view piece : pieces) reader.feed(piece, result.out);
  reader.finish(result.out);
  result.facts = reader.facts();
  result.ended = reader.ended();
  return result;
}

void expect_same(const Outcome& a, const Outcome& b, const std::string& where) {
  EXPECT_EQ(a.out, b.out) << where;
  EXPECT_EQ(a.facts.usage, b.facts.usage) << where;
  EXPECT_EQ(a.facts.so_far, b.facts.so_far) << where;
  EXPECT_EQ(a.facts.text_bytes, b.facts.text_bytes) << where;
  EXPECT_EQ(a.facts.model, b.facts.model) << where;
  EXPECT_EQ(a.facts.error, b.facts.error) << where;
  EXPECT_EQ(a.ended, b.ended) << where;
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

const std::string kUsageChunk =
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[],\"usage\":"
    "{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29,\"prompt_tokens_details\":{\"cached_tokens\":4,"
    "\"audio_tokens\":1},\"completion_tokens_details\":{\"reasoning_tokens\":3,\"audio_tokens\":0}}}\n\n";

const std::string kChatHead =
    ": OPENROUTER PROCESSING\n\n"
    "data: "
    "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,"
    "\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"finish_reason\":null}],\"usage\":null}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"H\\u00e9llo\"}}],\"obfuscation\":\"abcdefgh\"}\n\n"
    "data:{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"function\":{\"name\":"
    "\"pay\","
    "\"arguments\":\"\"}}]}}]}\n\n"
    "data: "
    "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":1}\"}}"
    "]}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\n"
    "data: "
    "\"delta\":{\"reasoning_content\":\"mm\",\"reasoning\":\"mm\",\"refusal\":\"no\"},\"finish_reason\":\"stop\"}]}"
    "\n\n";
constexpr std::int64_t kChatText = 6 + 3 + 7 + 2 + 2;

const std::string kMessages =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\","
    "\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5-20250929\",\"content\":[],\"stop_reason\":null,\"usage\":"
    "{\"input_tokens\":25,\"cache_creation_input_tokens\":null,\"cache_read_input_tokens\":100,\"cache_creation\":"
    "{\"ephemeral_5m_input_tokens\":7,\"ephemeral_1h_input_tokens\":3},\"output_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
    "event: ping\ndata: {\"type\": \"ping\"}\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"ab\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\","
    "\"id\":\"toolu_1\",\"name\":\"pay\",\"input\":{}}}\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\","
    "\"partial_json\":\"{\\\"a\\\":\"}}\n\n";
const std::string kMessageDelta =
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":"
    "{\"output_tokens\":15,\"output_tokens_details\":{\"thinking_tokens\":6}}}\n\n";
const std::string kMessageStop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

TEST(StreamReader, ChatFactsAndHiddenUsage) {
  const std::string done = "data: [DONE]\n\n";
  const Outcome hidden = run(kChat, true, {kChatHead + kUsageChunk + done});
  EXPECT_EQ(hidden.out, kChatHead + done);
  EXPECT_EQ(hidden.facts.text_bytes, kChatText);
  EXPECT_EQ(hidden.facts.model, "gpt-4o-2024-08-06");
  EXPECT_TRUE(hidden.ended);
  EXPECT_FALSE(hidden.facts.error);
  ASSERT_TRUE(hidden.facts.usage.has_value());
  EXPECT_EQ(*hidden.facts.usage,
            (Usage{.input_uncached = 15, .cache_read = 4, .output_visible = 7, .reasoning = 3, .audio_in = 1}));
  const Outcome shown = run(kChat, false, {kChatHead + kUsageChunk + done});
  EXPECT_EQ(shown.out, kChatHead + kUsageChunk + done);
  EXPECT_EQ(shown.facts.usage, hidden.facts.usage);
}

TEST(StreamReader, CutChatStreamHasTextButNoUsage) {
  const Outcome cut = run(kChat, true, {kChatHead});
  EXPECT_FALSE(cut.facts.usage.has_value());
  EXPECT_EQ(cut.facts.text_bytes, kChatText);
  EXPECT_FALSE(cut.ended);
}

TEST(StreamReader, MessagesFacts) {
  const Outcome whole = run(kMsg, true, {kMessages + kMessageDelta + kMessageStop});
  EXPECT_EQ(whole.out, kMessages + kMessageDelta + kMessageStop);
  EXPECT_EQ(whole.facts.text_bytes, 5 + 2 + 3 + 5);
  EXPECT_EQ(whole.facts.model, "claude-sonnet-4-5-20250929");
  EXPECT_TRUE(whole.ended);
  EXPECT_EQ(whole.facts.usage, (Usage{.input_uncached = 25,
                                      .cache_read = 100,
                                      .cache_write = 7,
                                      .cache_write_1h = 3,
                                      .output_visible = 9,
                                      .reasoning = 6}));
}

TEST(StreamReader, CutMessagesStreamKnowsItsInputOnly) {
  const Outcome cut = run(kMsg, true, {kMessages});
  EXPECT_FALSE(cut.facts.usage.has_value()) << "the output in message_start is provisional";
  ASSERT_TRUE(cut.facts.so_far.has_value());
  EXPECT_EQ(cut.facts.so_far->input(), 135);
  EXPECT_FALSE(cut.ended);
}

TEST(StreamReader, MessageDeltasOverwriteAndNeverAdd) {
  const auto delta = [](const char* usage) {
    return "data: {\"type\":\"message_delta\",\"usage\":" + std::string(usage) + "}\n\n";
  };
  const Outcome twice = run(kMsg, true,
                            {kMessages + delta(R"({"output_tokens":5})") +
                             delta(R"({"output_tokens":9,"input_tokens":30,"cache_read_input_tokens":null})")});
  EXPECT_EQ(
      twice.facts.usage,
      (Usage{.input_uncached = 30, .cache_read = 100, .cache_write = 7, .cache_write_1h = 3, .output_visible = 9}));
  for (const char* bad : {R"({"output_tokens":-1})", R"({"output_tokens":1.5})", R"({"output_tokens":"7"})",
                          R"({"output_tokens":1099511627777})", R"({"output_tokens":5,"input_tokens":-2})"}) {
    EXPECT_FALSE(run(kMsg, true, {kMessages + delta(bad)}).facts.usage.has_value()) << bad;
    EXPECT_FALSE(run(kMsg, true, {kMessages + delta(bad) + delta(R"({"output_tokens":5})")}).facts.usage.has_value())
        << bad;
  }
}

TEST(StreamReader, EverySplitGivesTheSame) {
  for (const char* end : {"\n", "\r\n", "\r"}) {
    for (const bool bom : {false, true}) {
      const std::string prefix = bom ? "\xEF\xBB\xBF" : "";
      const struct {
        Operation operation;
        std::string stream, shown;
      } cases[] = {{kChat, prefix + replace_all(kChatHead + kUsageChunk + "data: [DONE]\n\n", "\n", end),
                    prefix + replace_all(kChatHead + "data: [DONE]\n\n", "\n", end)},
                   {kMsg, prefix + replace_all(kMessages + kMessageDelta + kMessageStop, "\n", end),
                    prefix + replace_all(kMessages + kMessageDelta + kMessageStop, "\n", end)}};
      for (const auto& c : cases) {
        const std::string_view stream = c.stream;
        const Outcome whole = run(c.operation, true, {stream});
        EXPECT_EQ(whole.out, c.shown);
        EXPECT_TRUE(whole.facts.usage.has_value());
        EXPECT_TRUE(whole.ended);
        for (std::size_t i = 0; i <= stream.size(); ++i) {
          expect_same(run(c.operation, true, {stream.substr(0, i), stream.substr(i)}), whole,
                      "split at " + std::to_string(i));
        }
        std::vector<std::string_view> bytes;
        for (std::size_t i = 0; i < stream.size(); ++i) bytes.push_back(stream.substr(i, 1));
        expect_same(run(c.operation, true, bytes), whole, "byte by byte");
      }
    }
  }
}

TEST(StreamReader, AnEventLeavesWithItsLastByte) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    StreamReader reader(kChat, Framing::kSse, false);
    std::string out;
    reader.feed("data: {\"choices\":[]}" + end, out);
    EXPECT_EQ(out, "");
    reader.feed(end.substr(0, 1), out);
    EXPECT_EQ(out, "data: {\"choices\":[]}" + end + end.substr(0, 1))
        << "complete at the first byte of the blank line's end";
    reader.feed(end.substr(1), out);
    EXPECT_EQ(out, "data: {\"choices\":[]}" + end + end);
  }
}

TEST(StreamReader, OnlyTheExtraChunkIsHidden) {
  const std::string kept[] = {
      "data: {\"choices\":[],\"usage\":null}\n\n",
      "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n",
      "data: {\"choices\":[{\"index\":0,\"delta\":{}}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n",
      "data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n",
      "data: "
      "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2},\"error\":{\"message\":\"x\"}}\n\n",
      "data: {\"choices\":[],\"usage\":{}\n\n",
      ": comment\n\n",
      "\n",
      "event: x\n\n",
      "database: {}\n\n",
      "data\n\n"};
  for (const std::string& event : kept) EXPECT_EQ(run(kChat, true, {event}).out, event);
  EXPECT_EQ(run(kChat, true, {"id: 1\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":-1}}\n\n"}).out, "");
  EXPECT_EQ(run(kChat, true, {kUsageChunk.substr(0, kUsageChunk.size() - 2)}).out, "") << "without its blank line";
  EXPECT_EQ(run(kMsg, true, {kUsageChunk}).out, kUsageChunk) << "Anthropic has no such chunk";
}

TEST(StreamReader, UsageOnChunksWithChoicesIsReadAndTheLastHolds) {
  const auto chunk = [](int prompt, int completion) {
    return "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":" +
           std::to_string(prompt) + ",\"completion_tokens\":" + std::to_string(completion) + "}}\n\n";
  };
  EXPECT_EQ(run(kChat, true, {chunk(5, 1) + chunk(5, 2)}).facts.usage,
            (Usage{.input_uncached = 5, .output_visible = 2}));
  EXPECT_FALSE(run(kChat, true, {chunk(5, 1) + chunk(5, -2)}).facts.usage.has_value());
}

TEST(StreamReader, ErrorsInsideAStream) {
  EXPECT_TRUE(run(kChat, true, {"data: {\"error\":{\"message\":\"overloaded\"}}\n\n"}).facts.error);
  EXPECT_FALSE(run(kChat, true, {"data: {\"error\":null,\"choices\":[]}\n\n"}).facts.error);
  EXPECT_TRUE(
      run(kMsg, true, {"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n"})
          .facts.error);
}

TEST(StreamReader, WhatCannotBeReadCountsAsText) {
  for (const std::string& payload :
       {std::string(R"({"choices":[{"delta":{"content":"abc"}}])"),
        std::string(R"({"choices":[{"delta":{"content":"abc",}}]})"),
        std::string("{\"choices\":[{\"delta\":{\"content\":\"\xFF\"}}]}"), std::string("{'a':1}"), std::string("abc"),
        std::string(R"("abc")"), std::string(R"(["abc"])"), std::string("[DONE"),
        std::string(R"({"type":"content_block_stop","choices":[{"delta":{"content":"abc"}}])")}) {
    const std::string stream = "data: " + payload + "\n\n";
    for (const Operation operation : {kChat, Operation::kCompletions, Operation::kResponses}) {
      const Outcome outcome = run(operation, true, {stream});
      EXPECT_EQ(outcome.out, stream);
      EXPECT_EQ(outcome.facts.text_bytes, static_cast<std::int64_t>(payload.size())) << payload;
    }
  }
  const std::string text = R"({"type":"content_block_delta","delta":{"type":"text_delta","text":"ab)";
  EXPECT_EQ(run(kMsg, true, {"data: " + text + "\n\n"}).facts.text_bytes, static_cast<std::int64_t>(text.size()));
}

TEST(StreamReader, EndsAndFillersAreNoText) {
  for (const char* stream : {"data: [DONE]\n\n", "data:\n\n", "data\n\n", "data:  \n\n", ": ping\n\n",
                             "event: ping\n\n", "data: null\n\n", "\n\n"}) {
    for (const Operation operation : {kChat, Operation::kCompletions, Operation::kResponses, kMsg}) {
      EXPECT_EQ(run(operation, true, {stream}).facts.text_bytes, 0) << stream;
    }
  }
  EXPECT_EQ(run(kMsg, true, {"data: {\"type\":\"content_block_stop\",\"index\":0}\n\n"}).facts.text_bytes, 0);
}

TEST(StreamReader, TheTorsoOfACutStreamIsNoTextButAnUnendedEventIs) {
  EXPECT_EQ(run(kChat, true, {R"(data: {"choices":[{"delta":{"cont)"}).facts.text_bytes, 0);
  EXPECT_EQ(run(kChat, true, {R"(data: {"choices":[{"delta":{"content":"abc"}}]})"}).facts.text_bytes, 3);
}

TEST(StreamReader, AChatEventIsReadWhateverItsFirstMember) {
  const std::string event = R"(data: {"type":"content_block_stop","choices":[{"delta":{"content":"abc"}}]})";
  EXPECT_EQ(run(kChat, true, {event + "\n\n"}).facts.text_bytes, 3);
}

TEST(StreamReader, LongEventsPassUnreadWhateverTheSplit) {
  const std::string text(StreamReader::kMaxEvent, 'x');
  const std::string stream = "data: {\"choices\":[{\"delta\":{\"content\":\"" + text + "\"}}]}\r\n\r\n" + kUsageChunk;
  const Outcome whole = run(kChat, true, {stream});
  EXPECT_EQ(whole.out.size(), stream.size() - kUsageChunk.size());
  EXPECT_GE(whole.facts.text_bytes, static_cast<std::int64_t>(StreamReader::kMaxEvent));
  EXPECT_TRUE(whole.facts.usage.has_value());
  const std::string_view view = stream;
  for (const std::size_t at :
       {std::size_t{1}, std::size_t{1000}, StreamReader::kMaxEvent - 1, StreamReader::kMaxEvent,
        StreamReader::kMaxEvent + 1, StreamReader::kMaxEvent + 40, view.size() - kUsageChunk.size() - 1}) {
    expect_same(run(kChat, true, {view.substr(0, at), view.substr(at)}), whole, "split at " + std::to_string(at));
  }
}

TEST(StreamReader, AlmostTooLongIsRead) {
  const std::string frame = "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n";
  const std::string text(StreamReader::kMaxEvent - frame.size() + 1, 'x');  // the end's second byte does not count
  for (const std::size_t size : {text.size() - 1, text.size()}) {
    std::string stream = frame;
    stream.insert(frame.find("\"\"") + 1, text.substr(0, size));
    const Outcome outcome = run(kChat, true, {stream});
    EXPECT_EQ(outcome.out, stream);
    EXPECT_EQ(outcome.facts.text_bytes,
              static_cast<std::int64_t>(stream.size() > StreamReader::kMaxEvent ? stream.size() : size));
  }
}

RC_GTEST_PROP(StreamReaderProperty, AnyBytesAnySplit, ()) {
  const auto token = rc::gen::elementOf(std::vector<std::string>{
      "\n", "\r", "\r\n", "\n\n", "data", ":", " ", "data: ", "data: [DONE]", kUsageChunk, "{", "\"", "\xEF\xBB\xBF",
      "x", "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}", ": c", "\\",
      "data: {\"type\":\"message_stop\"}", "data: {\"choices\":[{\"delta\":{\"content\":\"ab\"}}]}"});
  std::string stream;
  for (const std::string& part : *rc::gen::container<std::vector<std::string>>(token)) stream += part;
  const auto cuts = *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, stream.size() + 1));
  std::vector<std::size_t> sorted(cuts);
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string_view> pieces;
  std::size_t from = 0;
  for (const std::size_t cut : sorted) {
    pieces.push_back(std::string_view(stream).substr(from, cut - from));
    from = cut;
  }
  pieces.push_back(std::string_view(stream).substr(from));
  for (const Operation operation : {kChat, kMsg}) {
    const Outcome shown = run(operation, false, pieces);
    RC_ASSERT(shown.out == stream);
    const Outcome split = run(operation, true, pieces);
    const Outcome whole = run(operation, true, {stream});
    RC_ASSERT(split.out == whole.out);
    RC_ASSERT(split.facts.text_bytes == whole.facts.text_bytes);
    RC_ASSERT(split.facts.usage == whole.facts.usage);
    RC_ASSERT(split.ended == whole.ended);
    RC_ASSERT(whole.out.size() <= stream.size());
  }
}

}  // namespace
}  // namespace weir
