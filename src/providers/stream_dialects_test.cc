// Streams of every dialect and framing: what is read of them, and that no split changes it.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "providers/call_filter_fixture.h"
#include "providers/dialect.h"

namespace weir {
namespace {

class Heard final : public GeneratedText {
 public:
  void on_text(std::string_view text) override { all += text; }
  std::string all;
};

struct Outcome {
  std::string out, heard;
  AnswerFacts facts;
  bool ended = false;
};

Outcome run(Operation operation, Framing framing, const std::vector<std::string_view>& pieces, bool hide = false) {
  Heard heard;
  StreamReader reader(operation, framing, hide, &heard);
  Outcome result;
  for (const std::string_view piece : pieces) reader.feed(piece, result.out);
  reader.finish(result.out);
  result.heard = heard.all;
  result.facts = reader.facts();
  result.ended = reader.ended();
  return result;
}

bool same(const Outcome& a, const Outcome& b) {
  return a.out == b.out && a.heard == b.heard && a.facts.usage == b.facts.usage && a.facts.so_far == b.facts.so_far &&
         a.facts.text_bytes == b.facts.text_bytes && a.facts.model == b.facts.model && a.facts.id == b.facts.id &&
         a.facts.error == b.facts.error && a.facts.service_tier == b.facts.service_tier && a.ended == b.ended;
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

struct Sample {
  const char* name;
  Operation operation;
  Framing framing;
  std::string stream;
  std::string heard, model, id;
  Usage usage;
  ServiceTier tier = ServiceTier::kStandard;
};

const std::string kResponsesStart =
    R"(event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress","model":"gpt-5","output":[],"usage":null}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":1,"item":{"type":"function_call","name":"pay","arguments":""}}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","sequence_number":2,"delta":"{\"a\":1}"}

event: response.function_call_arguments.done
data: {"type":"response.function_call_arguments.done","sequence_number":3,"name":"pay","arguments":"{\"a\":1}"}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":4,"delta":"hm"}

event: response.audio.delta
data: {"type":"response.audio.delta","sequence_number":5,"delta":"AAAA"}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":6,"delta":"Hé"}

)";
const std::string kResponsesUsage =
    R"("usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":5,"cache_write_tokens":2},"output_tokens":9,)"
    R"("output_tokens_details":{"reasoning_tokens":4},"total_tokens":29})";
const std::string kResponsesEnd =
    "event: response.completed\ndata: "
    "{\"type\":\"response.completed\",\"sequence_number\":7,\"response\":{\"id\":\"resp_1\","
    "\"model\":\"gpt-5-2025\",\"service_tier\":\"flex\",\"error\":null,\"output\":[{\"type\":\"web_search_call\"},{"
    "\"type\":"
    "\"message\",\"content\":[{\"text\":\"He\"}]}]," +
    kResponsesUsage + "}}\n\n";

const std::string kGemini1 =
    R"({"candidates":[{"content":{"parts":[{"text":"think","thought":true}],"role":"model"}}],)"
    R"("usageMetadata":{"promptTokenCount":10,"totalTokenCount":10},"modelVersion":"gemini-2.5-pro","responseId":"g1"})";
const std::string kGemini2 =
    "{\n  \"candidates\": [{\"content\": {\"parts\": [{\"text\": \"a]}\\\"[{\"},\n {\"functionCall\": {\"name\": "
    "\"pay\", "
    "\"args\": {\"x\": [1, \"}\"]}}}]}, \"index\": 0}]\n}";
const std::string kGemini3 =
    R"({"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP","index":0}],"usageMetadata":{)"
    R"("promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":6,"thoughtsTokenCount":3,)"
    R"("toolUsePromptTokenCount":2,"totalTokenCount":21,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9},)"
    R"({"modality":"AUDIO","tokenCount":1}],"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":2}]},)"
    R"("modelVersion":"gemini-2.5-pro","responseId":"g1"})";
const std::string kGeminiHeard = "thinka]}\"[{pay{\"x\":[1,\"}\"]}";
constexpr Usage kGeminiUsage{
    .input_uncached = 8, .cache_read = 4, .output_visible = 6, .reasoning = 3, .audio_in = 1, .audio_out = 2};

std::string gemini_events() {
  std::string out;
  // The second one spans lines: each gets a field of its own.
  for (const std::string& json : {kGemini1, kGemini2, kGemini3}) {
    out += "data: " + replace_all(json, "\n", "\ndata: ") + "\n\n";
  }
  return out;
}

std::string gemini_array() {
  return "[" + kGemini1 + "\n,\r\n" + kGemini2 + ",\n" + kGemini3 + "\n]\n";
}

const std::string kOllamaChat =
    R"({"model":"llama3","created_at":"x","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}
{"model":"llama3","message":{"role":"assistant","content":"H\u00e9\n"},"done":false,"prompt_eval_count":99}

{"model":"llama3","message":{"content":"","tool_calls":[{"function":{"name":"pay","arguments":{"a":1}}}]},"done":false}
{"model":"llama3","message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":26,"eval_count":5}
)";

std::vector<Sample> openai_and_anthropic() {
  const auto tagged = ServiceTier::kFlex;
  return {
      {"completions",
       Operation::kCompletions,
       Framing::kSse,
       "data: "
       "{\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"model\":\"m\",\"choices\":[{\"index\":0,\"text\":\"Hé\"}]}"
       "\n\n"
       "data: "
       "{\"id\":\"cmpl-1\",\"choices\":[],\"service_tier\":\"flex\",\"usage\":{\"prompt_tokens\":5,\"completion_"
       "tokens\":2,"
       "\"completion_tokens_details\":{\"rejected_prediction_tokens\":1}}}\n\ndata: [DONE]\n\n",
       "Hé",
       "m",
       "cmpl-1",
       {.input_uncached = 5, .output_visible = 2},
       tagged},
      {"responses",
       Operation::kResponses,
       Framing::kSse,
       kResponsesStart + kResponsesEnd,
       "pay{\"a\":1}hmHé",
       "gpt-5-2025",
       "resp_1",
       {.input_uncached = 13, .cache_read = 5, .cache_write = 2, .output_visible = 5, .reasoning = 4, .tool_units = 1},
       tagged},
      {"messages",
       Operation::kMessages,
       Framing::kSse,
       "event: message_start\ndata: "
       "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude\",\"usage\":{"
       "\"input_tokens\":5,\"cache_creation_input_tokens\":10,\"cache_creation\":{\"ephemeral_5m_input_tokens\":7,"
       "\"ephemeral_1h_input_tokens\":3},\"output_tokens\":1,\"service_tier\":\"batch\"}}}\n\n"
       "event: content_block_delta\ndata: "
       "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
       "\"text\":\"Hé\"}}\n\n"
       "event: message_delta\ndata: "
       "{\"type\":\"message_delta\",\"usage\":{\"output_tokens\":4,\"output_tokens_details\":"
       "{\"thinking_tokens\":1},\"server_tool_use\":{\"web_search_requests\":2,\"web_fetch_requests\":1}}}\n\n"
       "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
       "Hé",
       "claude",
       "msg_1",
       {.input_uncached = 5,
        .cache_write = 7,
        .cache_write_1h = 3,
        .output_visible = 3,
        .reasoning = 1,
        .tool_units = 3},
       ServiceTier::kBatch},
  };
}

std::vector<Sample> gemini_and_ollama() {
  return {
      {"gemini events", Operation::kStreamGenerate, Framing::kSse, gemini_events(), kGeminiHeard, "gemini-2.5-pro",
       "g1", kGeminiUsage},
      {"gemini array", Operation::kStreamGenerate, Framing::kJsonArray, gemini_array(), kGeminiHeard, "gemini-2.5-pro",
       "g1", kGeminiUsage},
      {"ollama chat",
       Operation::kOllamaChat,
       Framing::kNdjson,
       kOllamaChat,
       "hmHé\npay{\"a\":1}",
       "llama3",
       "",
       {.input_uncached = 26, .output_visible = 5}},
      {"ollama generate",
       Operation::kOllamaGenerate,
       Framing::kNdjson,
       "{\"model\":\"l\",\"response\":\"a\",\"done\":false}\r\n\r\n{\"model\":\"l\",\"response\":\"b\",\"done\":true,"
       "\"eval_count\":2}\r\n",
       "ab",
       "l",
       "",
       {.output_visible = 2}},
  };
}

// Each as it stands, and its events with other line ends, a byte order mark, and no space after the colon.
std::vector<Sample> samples() {
  std::vector<Sample> all = openai_and_anthropic();
  for (Sample& sample : gemini_and_ollama()) all.push_back(std::move(sample));
  const std::size_t count = all.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (all[i].framing != Framing::kSse) continue;
    for (const char* end : {"\r\n", "\r"}) {
      all.push_back(all[i]);
      all.back().stream = "\xEF\xBB\xBF: comment" + std::string(end) + replace_all(all[i].stream, "\n", end);
    }
    all.push_back(all[i]);
    all.back().stream = replace_all(all[i].stream, "data: ", "data:");
  }
  return all;
}

TEST(StreamDialects, FactsOfWholeStreams) {
  for (const Sample& sample : samples()) {
    const Outcome whole = run(sample.operation, sample.framing, {sample.stream});
    EXPECT_EQ(whole.out, sample.stream) << sample.name;
    EXPECT_EQ(whole.heard, sample.heard) << sample.name;
    EXPECT_EQ(whole.facts.text_bytes, static_cast<std::int64_t>(sample.heard.size())) << sample.name;
    EXPECT_EQ(whole.facts.model, sample.model) << sample.name;
    EXPECT_EQ(whole.facts.id, sample.id) << sample.name;
    EXPECT_TRUE(whole.facts.usage == sample.usage) << sample.name;
    EXPECT_EQ(whole.facts.service_tier.value_or(ServiceTier::kStandard), sample.tier) << sample.name;
    EXPECT_FALSE(whole.facts.error) << sample.name;
    EXPECT_TRUE(whole.ended) << sample.name;
  }
}

TEST(StreamDialects, AFilterThatPassesEveryCallChangesNoByte) {
  for (const Sample& sample : samples()) {
    const Filtered passed = filtered(sample.operation, sample.framing, sample.stream, {});
    EXPECT_EQ(passed.out, sample.stream) << sample.name;
    EXPECT_FALSE(passed.lagged) << sample.name;
    EXPECT_EQ(passed.calls, sample.heard.find("pay") == std::string::npos ? 0u : 1u) << sample.name;
    const Filtered cut = filtered(sample.operation, sample.framing, sample.stream, {{"pay", kHeldThenCut}});
    EXPECT_EQ(cut.out.find("pay"), std::string::npos) << sample.name;
    const Outcome read = run(sample.operation, sample.framing, {cut.out});
    EXPECT_TRUE(read.ended) << sample.name;
    EXPECT_TRUE(read.facts.usage == sample.usage) << sample.name;
  }
}

TEST(StreamDialects, EverySplitGivesTheSameFactsAndBytes) {
  for (const Sample& sample : samples()) {
    const std::string_view stream = sample.stream;
    const Outcome whole = run(sample.operation, sample.framing, {stream});
    for (std::size_t i = 0; i <= stream.size(); ++i) {
      ASSERT_TRUE(same(run(sample.operation, sample.framing, {stream.substr(0, i), stream.substr(i)}), whole))
          << sample.name << " split at " << i;
    }
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < stream.size(); ++i) bytes.push_back(stream.substr(i, 1));
    EXPECT_TRUE(same(run(sample.operation, sample.framing, bytes), whole)) << sample.name << " byte by byte";
  }
}

// Whatever was cut off, what went before counts, and the stream is not taken for whole.
TEST(StreamDialects, AnEarlyEndIsNeverWhole) {
  for (const Sample& sample : samples()) {
    const Outcome whole = run(sample.operation, sample.framing, {sample.stream});
    const std::size_t body = sample.stream.find_last_not_of("\r\n ");
    for (std::size_t i = 0; i < body; ++i) {
      const std::string_view cut = std::string_view(sample.stream).substr(0, i);
      const Outcome early = run(sample.operation, sample.framing, {cut});
      ASSERT_FALSE(early.ended) << sample.name << " cut at " << i;
      ASSERT_EQ(early.out, cut);
      ASSERT_TRUE(whole.heard.starts_with(early.heard)) << sample.name << " cut at " << i;
    }
  }
}

TEST(StreamDialects, EventsComeOneAtATimeWithExactlyTheirFacts) {
  for (const Sample& sample : samples()) {
    Heard heard;
    StreamReader reader(sample.operation, sample.framing, false, &heard);
    std::string_view bytes = sample.stream;
    std::string relayed;
    std::string event;
    std::string taken;
    int events = 0;
    for (; reader.next(bytes, event); event.clear(), ++events) {
      relayed += event;
      EXPECT_EQ(relayed + std::string(bytes), sample.stream) << sample.name;
      const Outcome so_far = run(sample.operation, sample.framing, {relayed});
      EXPECT_EQ(so_far.heard, heard.all) << sample.name;
      EXPECT_EQ(so_far.facts.text_bytes, reader.facts().text_bytes) << sample.name;
      EXPECT_EQ(so_far.facts.usage, reader.facts().usage) << sample.name;
    }
    EXPECT_TRUE(event.empty());
    EXPECT_TRUE(bytes.empty());
    EXPECT_GE(events, 2) << sample.name;
  }
}

TEST(StreamDialects, AnEventLeavesWithItsLastByte) {
  const struct {
    Operation operation;
    Framing framing;
    std::string before, last;
  } cases[] = {{Operation::kOllamaChat, Framing::kNdjson, "{\"done\":false}\r", "\n"},
               {Operation::kStreamGenerate, Framing::kJsonArray, "[{\"a\":\"}\"", "}"},
               {Operation::kStreamGenerate, Framing::kJsonArray, "[{},\n{\"a\":[{}]", "}"},
               {Operation::kStreamGenerate, Framing::kJsonArray, "[{}\n", "]"},
               {Operation::kResponses, Framing::kSse, "data: {}\n", "\n"}};
  for (const auto& c : cases) {
    StreamReader reader(c.operation, c.framing, false);
    std::string out;
    reader.feed(c.before, out);
    EXPECT_LT(out.size(), c.before.size()) << c.before;
    reader.feed(c.last, out);
    EXPECT_EQ(out, c.before + c.last);
  }
}

TEST(StreamDialects, ErrorsInsideAStreamKeepWhatWasUsedBefore) {
  const struct {
    Operation operation;
    Framing framing;
    std::string stream;
    bool has_usage;
  } cases[] = {
      {Operation::kCompletions, Framing::kSse, "data: {\"error\":{\"message\":\"x\"}}\n\n", false},
      {Operation::kResponses, Framing::kSse,
       kResponsesStart + "event: error\ndata: {\"type\":\"error\",\"code\":\"x\",\"message\":\"y\"}\n\n", false},
      {Operation::kResponses, Framing::kSse,
       "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\"}," + kResponsesUsage +
           "}}\n\n",
       true},
      {Operation::kStreamGenerate, Framing::kSse, "data: " + kGemini3 + "\n\ndata: {\"error\":{\"code\":503}}\n\n",
       true},
      {Operation::kStreamGenerate, Framing::kJsonArray, "[" + kGemini3 + ",{\"error\":{\"code\":503}}]", true},
      {Operation::kStreamGenerate, Framing::kJsonArray, "[{\"error\":{\"code\":429}}]", false},
      {Operation::kStreamGenerate, Framing::kJsonArray, "{\"error\":{\"code\":429}}", false},
      {Operation::kOllamaChat, Framing::kNdjson, "{\"message\":{\"content\":\"a\"}}\n{\"error\":\"out of memory\"}\n",
       false},
      {Operation::kOllamaGenerate, Framing::kNdjson, "{\"error\":\"out of memory\"}", false},
  };
  for (const auto& c : cases) {
    const Outcome outcome = run(c.operation, c.framing, {c.stream});
    EXPECT_TRUE(outcome.facts.error) << c.stream;
    EXPECT_EQ(outcome.facts.usage.has_value(), c.has_usage) << c.stream;
    EXPECT_EQ(outcome.out, c.stream);
  }
}

std::string gemini_chunk(const std::string& usage, const std::string& more = {}) {
  return "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]" + more + ",\"usageMetadata\":" + usage + "}\n\n";
}

TEST(StreamDialects, DamagedUsageIsNoUsage) {
  for (const char* usage :
       {R"({"promptTokenCount":-1})", R"({"promptTokenCount":1.5})", R"({"promptTokenCount":"1"})",
        R"({"promptTokenCount":1099511627777})", R"({"candidatesTokenCount":1})",
        R"({"promptTokenCount":1,"candidatesTokenCount":-1})", R"({"promptTokenCount":1,"thoughtsTokenCount":"x"})",
        R"({"promptTokenCount":1,"cachedContentTokenCount":2})",
        R"({"promptTokenCount":1,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":2}]})",
        R"({"promptTokenCount":1,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":-2}]})"}) {
    EXPECT_FALSE(run(Operation::kStreamGenerate, Framing::kSse, {gemini_chunk(usage)}).facts.usage.has_value())
        << usage;
  }
  for (const char* counts :
       {R"("eval_count":-1)", R"("eval_count":1.0)", R"("eval_count":"1")", R"("prompt_eval_count":1099511627777)"}) {
    const std::string line = std::string("{\"done\":true,") + counts + "}\n";
    EXPECT_FALSE(run(Operation::kOllamaChat, Framing::kNdjson, {line}).facts.usage.has_value()) << counts;
  }
  for (const char* usage :
       {R"({"input_tokens":-1,"output_tokens":1})", R"({"input_tokens":1})",
        R"({"input_tokens":1,"output_tokens":1,"input_tokens_details":{"cached_tokens":-2}})",
        R"({"input_tokens":1,"output_tokens":1,"output_tokens_details":{"reasoning_tokens":"x"}})"}) {
    const std::string event =
        std::string("data: {\"type\":\"response.completed\",\"response\":{\"usage\":") + usage + "}}\n\n";
    const Outcome outcome = run(Operation::kResponses, Framing::kSse, {event});
    EXPECT_FALSE(outcome.facts.usage.has_value()) << usage;
    EXPECT_TRUE(outcome.ended);
  }
}

TEST(StreamDialects, UsageThatLeavesOutTheTextIsNotWhole) {
  const Outcome gemini =
      run(Operation::kStreamGenerate, Framing::kSse,
          {"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]},\"finishReason\":\"STOP\"}],"
           "\"usageMetadata\":{\"promptTokenCount\":5,\"totalTokenCount\":7}}\n\n"});
  EXPECT_TRUE(gemini.ended);
  EXPECT_FALSE(gemini.facts.usage.has_value());
  EXPECT_EQ(gemini.facts.so_far, (Usage{.input_uncached = 5}));
  const Outcome ollama = run(Operation::kOllamaChat, Framing::kNdjson,
                             {"{\"message\":{\"content\":\"Hi\"}}\n{\"done\":true,\"prompt_eval_count\":5}\n"});
  EXPECT_TRUE(ollama.ended);
  EXPECT_FALSE(ollama.facts.usage.has_value());
  const Outcome messages =
      run(Operation::kMessages, Framing::kSse,
          {"data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n"
           "data: {\"type\":\"message_delta\",\"usage\":{}}\n\ndata: {\"type\":\"message_stop\"}\n\n"});
  EXPECT_TRUE(messages.ended);
  EXPECT_FALSE(messages.facts.usage.has_value()) << "the output in message_start is provisional";
  EXPECT_EQ(messages.facts.so_far->input(), 5);
}

TEST(StreamDialects, WhatCannotBeReadCountsAsTextInEveryFraming) {
  const std::string line = R"({"message":{"content":"abc",}})";
  EXPECT_EQ(run(Operation::kOllamaChat, Framing::kNdjson, {line + "\n\n" + line + "\n"}).facts.text_bytes,
            static_cast<std::int64_t>(2 * line.size()));
  const std::string chunk = R"({"candidates":[{"content":{"parts":[{"text":"abc"}]},}]})";
  EXPECT_EQ(run(Operation::kStreamGenerate, Framing::kJsonArray, {"[" + chunk + "\n,\r\n" + chunk + "\n]\n"})
                .facts.text_bytes,
            static_cast<std::int64_t>(2 * chunk.size()));
  EXPECT_EQ(run(Operation::kStreamGenerate, Framing::kJsonArray, {"[\n{}\n, {}\n]\n"}).facts.text_bytes, 0);
  EXPECT_EQ(run(Operation::kStreamGenerate, Framing::kJsonArray, {"[]\n"}).facts.text_bytes, 0);
  EXPECT_EQ(run(Operation::kStreamGenerate, Framing::kSse, {"data: " + chunk + "\n\n"}).facts.text_bytes,
            static_cast<std::int64_t>(chunk.size()));
}

TEST(StreamDialects, TheLastUsageHoldsAndEmptyOnesDoNotCount) {
  const std::string first = gemini_chunk(R"({"promptTokenCount":1,"candidatesTokenCount":1})");
  const std::string second = gemini_chunk(R"({"promptTokenCount":1,"candidatesTokenCount":2})");
  const std::string empty = gemini_chunk("{}") + gemini_chunk(R"({"trafficType":"ON_DEMAND"})");
  EXPECT_EQ(run(Operation::kStreamGenerate, Framing::kSse, {first + second + empty}).facts.usage,
            (Usage{.input_uncached = 1, .output_visible = 2}));
}

TEST(StreamDialects, UsageInTheWrongPlaceIsIgnored) {
  EXPECT_FALSE(run(Operation::kResponses, Framing::kSse,
                   {"data: {\"type\":\"response.in_progress\",\"response\":{" + kResponsesUsage + "}}\n\n"})
                   .facts.usage.has_value());
  EXPECT_FALSE(
      run(Operation::kResponses, Framing::kSse, {"data: {\"type\":\"response.completed\"," + kResponsesUsage + "}\n\n"})
          .facts.usage.has_value());
  EXPECT_FALSE(
      run(Operation::kOllamaChat, Framing::kNdjson, {"{\"eval_count\":5,\"done\":false}\n"}).facts.usage.has_value());
  EXPECT_FALSE(
      run(Operation::kStreamGenerate, Framing::kSse, {"data: {\"promptTokenCount\":5}\n\n"}).facts.usage.has_value());
}

TEST(StreamDialects, GeminiIsWholeOnceEveryCandidateFinishedAndUsageCame) {
  const auto candidate = [](int index, bool finished) {
    return "{\"candidates\":[{\"index\":" + std::to_string(index) + (finished ? ",\"finishReason\":\"STOP\"" : "") +
           "}]" + (finished ? R"(,"usageMetadata":{"promptTokenCount":1})" : "") + "}";
  };
  const auto ended = [](std::vector<std::string> chunks) {
    std::string stream;
    for (const std::string& chunk : chunks) stream += "data: " + chunk + "\n\n";
    return run(Operation::kStreamGenerate, Framing::kSse, {stream}).ended;
  };
  EXPECT_TRUE(ended({candidate(0, true)}));
  EXPECT_FALSE(ended({candidate(0, false), candidate(1, false), candidate(0, true)}));
  EXPECT_TRUE(ended({candidate(0, false), candidate(1, false), candidate(0, true), candidate(1, true)}));
  EXPECT_FALSE(ended({R"({"candidates":[{"finishReason":"STOP"}]})"})) << "no usage";
  EXPECT_TRUE(ended({R"({"candidates":[{"finishReason":"STOP"}]})", R"({"usageMetadata":{"promptTokenCount":1}})"}));
  EXPECT_FALSE(ended({R"({"usageMetadata":{"promptTokenCount":1}})", R"({"candidates":[{"finishReason":"STOP"}]})"}));
  EXPECT_TRUE(ended({R"({"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":1}})"}));
  EXPECT_FALSE(run(Operation::kStreamGenerate, Framing::kJsonArray, {"[" + candidate(0, true)}).ended);
  EXPECT_TRUE(run(Operation::kStreamGenerate, Framing::kJsonArray, {"[" + candidate(0, true) + "]"}).ended);
}

TEST(StreamDialects, WhatFollowsAClosedArrayPassesUnread) {
  const std::string stream = "[" + kGemini3 + "]\n" + R"({"error":{"code":1}})";
  const Outcome outcome = run(Operation::kStreamGenerate, Framing::kJsonArray, {stream});
  EXPECT_EQ(outcome.out, stream);
  EXPECT_FALSE(outcome.facts.error);
}

TEST(StreamDialects, CompletionsHideTheUsageChunkToo) {
  const std::string first = "data: {\"choices\":[{\"text\":\"a\"}]}\r\n\r\n";
  const std::string usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\r\n\r\n";
  const Outcome hidden = run(Operation::kCompletions, Framing::kSse, {first + usage + "data: [DONE]\r\n\r\n"}, true);
  EXPECT_EQ(hidden.out, first + "data: [DONE]\r\n\r\n");
  EXPECT_EQ(hidden.facts.usage, (Usage{.input_uncached = 1, .output_visible = 2}));
}

TEST(StreamDialects, LongLinesAndElementsPassUnreadAndCountAsText) {
  const std::string text(StreamReader::kMaxEvent, 'x');
  const struct {
    Operation operation;
    Framing framing;
    std::string stream;
  } cases[] = {{Operation::kOllamaGenerate, Framing::kNdjson,
                "{\"response\":\"" + text + "\"}\n{\"done\":true,\"eval_count\":1}\n"},
               {Operation::kStreamGenerate, Framing::kJsonArray, "[{\"x\":\"" + text + "\"},\n" + kGemini3 + "]"}};
  for (const auto& c : cases) {
    const std::string_view view = c.stream;
    const Outcome whole = run(c.operation, c.framing, {view});
    EXPECT_EQ(whole.out, c.stream);
    EXPECT_GE(whole.facts.text_bytes, static_cast<std::int64_t>(text.size()));
    EXPECT_EQ(static_cast<std::int64_t>(whole.heard.size()), whole.facts.text_bytes);
    EXPECT_TRUE(whole.facts.usage.has_value());
    EXPECT_TRUE(whole.ended);
    for (const std::size_t at : {std::size_t{9}, StreamReader::kMaxEvent, StreamReader::kMaxEvent + 1}) {
      EXPECT_TRUE(same(run(c.operation, c.framing, {view.substr(0, at), view.substr(at)}), whole)) << at;
    }
  }
}

RC_GTEST_PROP(StreamDialectsProperty, AnyBytesAnySplit, ()) {
  const auto token =
      rc::gen::elementOf(std::vector<std::string>{"\n",
                                                  "\r",
                                                  "\r\n",
                                                  "\n\n",
                                                  "data: ",
                                                  "[",
                                                  "]",
                                                  ",",
                                                  "{",
                                                  "}",
                                                  "\"",
                                                  "\\",
                                                  " ",
                                                  "x",
                                                  "{}",
                                                  "data: [DONE]",
                                                  "{\"error\":1}",
                                                  kGemini3,
                                                  "{\"done\":true}",
                                                  "{\"response\":\"ab\"}",
                                                  "\xEF\xBB\xBF",
                                                  "data: {\"type\":\"response.completed\",\"response\":{}}",
                                                  "data: {\"type\":\"x.delta\",\"delta\":\"y\"}"});
  std::string stream;
  for (const std::string& part : *rc::gen::container<std::vector<std::string>>(token)) stream += part;
  const std::size_t cut = *rc::gen::inRange<std::size_t>(0, stream.size() + 1);
  const std::string_view view = stream;
  for (std::size_t i = 0; i < kOperationCount; ++i) {
    for (const Framing framing : {Framing::kSse, Framing::kNdjson, Framing::kJsonArray}) {
      const auto operation = static_cast<Operation>(i);
      const Outcome whole = run(operation, framing, {view});
      RC_ASSERT(whole.out == stream);
      RC_ASSERT(same(run(operation, framing, {view.substr(0, cut), view.substr(cut)}), whole));
    }
  }
}

TEST(FramingOf, ByOperationAndContentType) {
  EXPECT_EQ(framing_of(Operation::kChatCompletions, "text/event-stream; charset=utf-8"), Framing::kSse);
  EXPECT_EQ(framing_of(Operation::kMessages, " Text/Event-Stream "), Framing::kSse);
  EXPECT_EQ(framing_of(Operation::kStreamGenerate, "text/event-stream"), Framing::kSse);
  EXPECT_EQ(framing_of(Operation::kStreamGenerate, "application/json; charset=UTF-8"), Framing::kJsonArray);
  EXPECT_EQ(framing_of(Operation::kOllamaChat, "application/x-ndjson"), Framing::kNdjson);
  for (const Operation operation : {Operation::kGenerate, Operation::kResponses, Operation::kOllamaGenerate}) {
    EXPECT_EQ(framing_of(operation, "application/json"), std::nullopt);
  }
  EXPECT_EQ(framing_of(Operation::kChatCompletions, "application/x-ndjson"), std::nullopt);
  EXPECT_EQ(framing_of(Operation::kOllamaEmbed, "application/x-ndjson"), std::nullopt);
  EXPECT_EQ(framing_of(Operation::kCountTokens, "text/event-stream"), std::nullopt);
  EXPECT_EQ(framing_of(Operation::kChatCompletions, ""), std::nullopt);
}

}  // namespace
}  // namespace weir
