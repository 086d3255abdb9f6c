// Transcripts and the events that were recorded of the same runs: both readers must tell the same story.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "replay/test_agents.h"

namespace weir {
namespace {

using Kind = AgentEvent::Kind;

std::string recorded(const std::string& name) {
  std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/../shared/data/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Seen {
  Kind kind;
  std::string tool;
  std::uint64_t signature = 0;
  Destination destination = Destination::kNone;
  bool operator==(const Seen& other) const { return kind == other.kind && tool == other.tool; }
};

std::map<std::string, std::vector<Seen>> runs_of(std::string_view text, bool results) {
  std::map<std::string, std::vector<Seen>> out;
  auto trace = open_agent_trace(text, "a.jsonl");
  EXPECT_TRUE(trace);
  AgentEvent event;
  while (true) {
    const auto more = (*trace)->next(event);
    EXPECT_TRUE(more) << more.error().message;
    if (!more || !*more) return out;
    if (event.kind == Kind::kToolResult && !results) continue;
    out[std::string(event.trace)].push_back({event.kind, event.call.name, event.call.signature, event.destination});
  }
}

TEST(RecordedAgents, TranscriptsTellWhatTheirEventsTell) {
  const std::string transcripts = recorded("transcripts_agentdojo.jsonl");
  const std::string events = recorded("traj_agentdojo_events.jsonl");
  if (transcripts.empty() || events.empty()) GTEST_SKIP() << "the recorded runs are not beside this repository";
  const auto told = runs_of(events, false);
  // The recording has destinations for tools with side effects only; Weir finds those of reading tools as well.
  std::set<std::string> sends;
  for (const auto& [trace, seen] : told) {
    for (const Seen& one : seen) {
      if (one.destination != Destination::kNone) sends.insert(one.tool);
    }
  }
  std::size_t runs = 0, calls = 0, equal_calls = 0, sent = 0, agreed = 0;
  std::map<std::string, std::size_t> disagreed;
  for (const auto& [trace, seen] : runs_of(transcripts, false)) {
    const auto& expected = told.at(trace);
    EXPECT_EQ(seen == expected, true) << trace;
    if (seen != expected) continue;
    ++runs;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (seen[i].kind != Kind::kToolCall) continue;
      ++calls;
      if (sends.contains(seen[i].tool)) {
        ++sent;
        agreed += seen[i].destination == expected[i].destination ? 1 : 0;
      }
      if (sends.contains(seen[i].tool) && seen[i].destination != expected[i].destination) {
        ++disagreed[seen[i].tool + ": " + to_string(seen[i].destination) + ", recorded " +
                    to_string(expected[i].destination)];
      }
      // Calls are identical here exactly where they are there.
      bool same = true;
      for (std::size_t k = 0; k < i; ++k) {
        same &= (seen[k].signature == seen[i].signature) == (expected[k].signature == expected[i].signature);
      }
      equal_calls += same ? 1 : 0;
    }
  }
  EXPECT_GT(runs, 400u);
  EXPECT_EQ(equal_calls, calls);
  std::string list;
  for (const auto& [what, count] : disagreed) list += std::to_string(count) + "  " + what + "\n";
  EXPECT_GE(static_cast<double>(agreed), 0.95 * static_cast<double>(sent)) << agreed << " of " << sent << "\n" << list;
}

}  // namespace
}  // namespace weir
