// What a body of 4 MB may cost at most, whatever its shape. Processor time, so that a busy machine changes nothing; the
// bounds are far above what a linear reader takes and far below what a quadratic one does.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <string>

#include "providers/dialect.h"
#include "providers/prompt_count.h"

namespace weir {
namespace {

constexpr std::size_t kBody = 4 << 20;
constexpr double kMaxSeconds = 3;

double seconds_of(const std::function<void()>& work) {
  const std::clock_t begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

// "{0}" in `item` becomes the number of the item; about `bytes` of them, with commas between.
std::string repeated(std::string_view item, std::size_t bytes) {
  std::string out;
  for (std::size_t i = 0; out.size() < bytes; ++i) {
    if (i > 0) out += ',';
    for (std::size_t at = 0; at < item.size();) {
      const std::size_t hole = std::min(item.find("{0}", at), item.size());
      out += item.substr(at, hole - at);
      if (hole == item.size()) break;
      out += std::to_string(i);
      at = hole + 3;
    }
  }
  return out;
}

std::string with_head(std::string_view member, std::string_view item, std::string_view tail, std::size_t bytes) {
  return std::string(member) + repeated(item, bytes) + std::string(tail);
}

void expect_cheap(Operation operation, const std::string& body, const std::string& what) {
  const std::string_view path_model = dialect_of(operation) == Dialect::kGemini ? "m" : "";
  const BodyBounds bounds;
  RequestFacts facts;
  EXPECT_LT(seconds_of([&] { facts = read_request(operation, body, bounds, path_model).value_or(RequestFacts{}); }),
            kMaxSeconds)
      << what << ": reading";
  facts.stream = true;
  const BodyEdits edits{.model = "other", .max_output = 100, .keep_messages = 3};
  EXPECT_LT(seconds_of([&] { (void)upstream_body(operation, facts, edits, body); }), kMaxSeconds)
      << what << ": editing";
  const TokenCount count = [](std::string_view text) { return static_cast<std::int64_t>(text.size()); };
  EXPECT_LT(seconds_of([&] { (void)count_prompt_with(operation, body, "gpt-4o", count); }), kMaxSeconds)
      << what << ": counting";
}

TEST(HostileCost, ManyMembersTimesManyImages) {
  const std::string keys = repeated(R"("k{0}":1)", kBody / 2);
  const std::string images =
      with_head(R"("messages":[{"role":"user","content":[)", R"({"type":"image_url"})", "]}]", kBody / 2);
  expect_cheap(Operation::kChatCompletions, "{" + keys + "," + images + "}", "no model");
  expect_cheap(Operation::kChatCompletions, "{" + images + "," + keys + R"(,"model":"m"})", "model last");
  const std::string generated = with_head(R"("input":[)", R"({"type":"image_generation_call"})", "]", 256 << 10);
  expect_cheap(Operation::kResponses, "{" + generated + "," + keys + "}", "responses");
  expect_cheap(Operation::kOllamaGenerate,
               "{" + with_head(R"("images":[)", R"("")", "]", kBody / 2) + "," + keys + R"(,"prompt":"x"})", "ollama");
}

TEST(HostileCost, ManyMembersWrittenWithEscapes) {
  // Short ones, and some as long as the names that are looked for.
  const std::string keys =
      repeated(R"("\n{0}":1)", kBody / 8 * 7) + "," + repeated(R"("\u006d\u006f\u0064\u0065\u006c{0}":1)", kBody / 8);
  expect_cheap(Operation::kChatCompletions,
               R"({"messages":[{"role":"user","content":"x"}],)" + keys + R"(,"mod\u0065l":"m"})", "at the root");
  expect_cheap(Operation::kGenerate, R"({"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{)" + keys + "}}",
               "nested");
}

TEST(HostileCost, ManyMessagesAndCalls) {
  const std::string_view chat_item =
      R"({"role":"assistant","tool_calls":[{"id":"c{0}"},{"id":"d{0}"}]},{"role":"tool","tool_call_id":"c{0}"})";
  expect_cheap(Operation::kChatCompletions, with_head(R"({"model":"m","messages":[)", chat_item, "]}", 500'000),
               "messages up to their bound");
  expect_cheap(Operation::kMessages,
               with_head(R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant",)"
                         R"("content":[)",
                         R"({"type":"tool_use","id":"c{0}"})", R"(]},{"role":"user","content":[)", kBody / 2) +
                   repeated(R"({"type":"tool_result","tool_use_id":"c{0}"})", kBody / 2) +
                   R"(]},{"role":"user","content":"y"},{"role":"assistant","content":"z"}]})",
               "calls of one message");
  expect_cheap(
      Operation::kGenerate,
      with_head(R"({"contents":[{"parts":[)", R"({"functionResponse":{"id":"{0}","parts":[{}]}})", "]}]}", kBody),
      "parts of one content");
}

TEST(HostileCost, ManyToolsAndProperties) {
  const std::string_view property = R"("p{0}":{"type":"string","enum":["a{0}"],"anyOf":[{}]})";
  expect_cheap(Operation::kChatCompletions,
               with_head(R"({"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"function":{"name":"f",)"
                         R"("parameters":{"properties":{)",
                         property, "}}}}]}", kBody),
               "properties");
  expect_cheap(Operation::kChatCompletions,
               with_head(R"({"model":"m","messages":[{"role":"user","content":"x"}],"tools":[)", R"({"type":"x{0}"})",
                         "]}", kBody),
               "tools beyond their bound");
}

TEST(HostileCost, ManyNamesAndQuotesOfOneKind) {
  const std::string long_name(1'000, 'a');
  expect_cheap(Operation::kChatCompletions,
               "{" + repeated("\"" + long_name + "{0}\":{\"a{0}\":1}", kBody) + R"(,"model":"m"})", "equal beginnings");
  std::string quotes;
  while (quotes.size() < kBody) quotes += R"(\\\")";
  expect_cheap(Operation::kChatCompletions,
               R"({"messages":[{"role":"user","content":")" + quotes + R"("}],"model":"m"})", "escaped quotes");
  expect_cheap(Operation::kEmbeddings, R"({"model":"m","input":[)" + repeated("[{0}]", kBody) + "]}", "token ids");
}

TEST(HostileCost, ManyAttachmentsThatNeverTellTheirSize) {
  const std::string_view jpeg = R"({"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/////////////"}})";
  expect_cheap(Operation::kChatCompletions,
               with_head(R"({"model":"m","messages":[{"role":"user","content":[)", jpeg, "]}]}", kBody), "images");
  const std::string_view pdf = R"({"type":"file","file":{"file_data":"JVBERi0xLjcgL1R5cGUgL1BhZ2Ug"}})";
  expect_cheap(Operation::kChatCompletions,
               with_head(R"({"model":"m","messages":[{"role":"user","content":[)", pdf, "]}]}", kBody), "documents");
  std::string types;
  while (types.size() < kBody / 4 * 3) types += "L1R5cGUg";  // "/Type " again and again
  expect_cheap(Operation::kChatCompletions,
               R"({"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"JVBERi0x)" +
                   types + R"("}}]}]})",
               "one document");
}

TEST(HostileCost, AStreamInPiecesOfOneByte) {
  const std::string event = "data: {\"choices\":[{\"delta\":{\"content\":\"" + std::string(900'000, 'x') + "\"}}]}\n\n";
  std::string lines = "data: {\n";
  while (lines.size() < 900'000) lines += "data:\n";
  for (const std::string& stream : {event, lines + "\n"}) {
    StreamReader reader(Operation::kChatCompletions, Framing::kSse, true);
    std::string out;
    EXPECT_LT(seconds_of([&] {
                for (const char& byte : stream) reader.feed(std::string_view(&byte, 1), out);
              }),
              kMaxSeconds);
    EXPECT_EQ(out, stream);
  }
}

}  // namespace
}  // namespace weir
