// Recorded runs, translated into every dialect: nothing of what agents do gets lost on the way.
#include "providers/transcript_dialects.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "providers/tool_calls.h"

namespace weir {
namespace {

const std::string kData = WEIR_SOURCE_DIR "/../shared/data/";

struct Seen {
  std::int64_t announced = 0, returned = 0, errors = 0;
};

// As a gateway sees the run: request k is what stands before the k-th answer.
Seen seen_in(Operation operation, const std::vector<ChatMessage>& run) {
  Seen seen;
  for (std::size_t i = 0; i < run.size(); ++i) {
    if (run[i].role != "assistant") continue;
    const auto history = std::span(run).first(i);
    const auto facts =
        read_request(operation, request_in(operation, history), {}, operation == Operation::kGenerate ? "g" : "");
    if (!facts) {
      ADD_FAILURE() << facts.error().message;
      return seen;
    }
    for (const ToolResult& result : facts->agent.results) {
      ++seen.returned;
      seen.errors += result.error ? 1 : 0;
      EXPECT_FALSE(result.name.empty());
    }
    const std::vector<ToolCall> calls = announced_calls(operation, answer_in(operation, run[i]));
    EXPECT_EQ(calls.size(), run[i].calls.size());
    for (std::size_t c = 0; c < std::min(calls.size(), run[i].calls.size()); ++c) {
      EXPECT_EQ(calls[c].name, canonical_tool_name(run[i].calls[c].name));
      EXPECT_EQ(calls[c].signature, call_signature(calls[c].name, run[i].calls[c].arguments));
    }
    seen.announced += static_cast<std::int64_t>(calls.size());
  }
  return seen;
}

// trace → n_tool_calls
std::map<std::string, std::int64_t> counts_of(const std::string& path, const std::string& key) {
  std::map<std::string, std::int64_t> counts;
  std::ifstream file(path);
  std::vector<std::string> names;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells;
    std::size_t begin = 0;
    for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
      end = line.find(',', begin);
      cells.push_back(line.substr(begin, end - begin));
    }
    if (names.empty()) {
      names = cells;
      continue;
    }
    const auto cell = [&](const std::string& name) {
      const auto at = static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
      return at < cells.size() ? cells[at] : std::string{};
    };
    counts[cell(key)] = std::stoll(cell("n_tool_calls"));
  }
  return counts;
}

void check_runs(const std::string& name, const std::string& key) {
  std::ifstream file(kData + "transcripts_" + name + ".jsonl");
  if (!file) GTEST_SKIP() << "no transcripts in " << kData;
  const auto counts = counts_of(kData + "traj_" + name + "_runs.csv", key);
  std::int64_t runs = 0, calls = 0;
  simdjson::dom::parser parser;
  for (std::string line; std::getline(file, line); ++runs) {
    simdjson::dom::element run;
    ASSERT_EQ(parser.parse(line).get(run), simdjson::SUCCESS);
    const std::string trace(run["trace"].get_string().value());
    const auto messages = messages_of(run);
    ASSERT_TRUE(counts.contains(trace)) << trace;
    const Seen chat = seen_in(Operation::kChatCompletions, messages);
    calls += chat.announced;
    for (const Operation operation : kTranscriptOperations) {
      const Seen seen = seen_in(operation, messages);
      ASSERT_EQ(seen.announced, counts.at(trace)) << trace << " " << route_of(operation);
      ASSERT_EQ(seen.returned, chat.returned) << trace << " " << route_of(operation);
      ASSERT_EQ(seen.errors, chat.errors) << trace << " " << route_of(operation);
    }
  }
  EXPECT_GT(runs, 10);
  std::printf("%s: %lld runs, %lld tool calls in each of %zu dialects\n", name.c_str(), static_cast<long long>(runs),
              static_cast<long long>(calls), std::size(kTranscriptOperations));
}

TEST(TranscriptsInEveryDialect, OfAgentDojoHaveAllTheirToolCalls) {
  check_runs("agentdojo", "trace");
}

TEST(TranscriptsInEveryDialect, OfTauBenchHaveAllTheirToolCalls) {
  check_runs("taubench", "source_ref");
}

TEST(TranscriptStreams, AreWholeStreamsOfTheirDialect) {
  const ChatMessage message{.role = "assistant",
                            .content = "I pay.",
                            .call_id = {},
                            .name = {},
                            .calls = {{"c1", "pay", R"({"to":"x"})"}, {"c2", "look", "{}"}},
                            .error = false};
  for (Operation operation : kTranscriptOperations) {
    if (operation == Operation::kGenerate) operation = Operation::kStreamGenerate;
    const Framing framing = operation == Operation::kOllamaChat ? Framing::kNdjson : Framing::kSse;
    StreamReader reader(operation, framing, /*hide_usage=*/false);
    std::string out;
    const std::string stream = stream_in(operation, message);
    reader.feed(stream, out);
    reader.finish(out);
    EXPECT_EQ(out, stream) << route_of(operation);
    EXPECT_TRUE(reader.ended()) << route_of(operation);
    EXPECT_FALSE(reader.facts().error) << route_of(operation);
    EXPECT_FALSE(reader.facts().unread) << route_of(operation);
    EXPECT_GT(reader.facts().text_bytes, 10) << route_of(operation);
  }
}

}  // namespace
}  // namespace weir
