#include "replay/agent_trace.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "replay/test_agents.h"

namespace weir {
namespace {

using Kind = AgentEvent::Kind;

TEST(AgentEvents, AreToldApartByContent) {
  EXPECT_TRUE(is_agent_trace(R"({"trace":"a","step":0,"kind":"llm_call"})"));
  EXPECT_TRUE(
      is_agent_trace("\xEF\xBB\xBF\n\r\n"
                     R"({"trace":"a","messages":[]})"));
  EXPECT_TRUE(is_agent_trace(R"({"trace":"a","step":0,"kind":"llm_call)")) << "its reader says what is damaged";
  EXPECT_FALSE(is_agent_trace("timestamp_s,tenant,session,turn,model,input_tokens,output_tokens\n"));
  EXPECT_FALSE(is_agent_trace(R"({"time":"2026-11-20T10:00:00Z","input_tokens":1,"output_tokens":1})"));
  EXPECT_FALSE(is_agent_trace(""));
}

TEST(AgentEvents, SayWhatHappenedInOrder) {
  const Read read =
      read_agents(R"({"trace":"a","step":0,"kind":"llm_call","t":2.5,"in_tok":146,"out_tok":3,"tool_calls":1}
{"trace":"a","step":1,"kind":"tool_call","t":2.5,"tool":"send","args_hash":"x","dest_new":1}

{"trace":"a","step":2,"kind":"tool_result","tool":"send","error":1,"result_hash":"r"}
{"trace":"b","step":0,"kind":"llm_call","in_tok":5,"out_tok":6,"tool_calls":0})");
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.events.size(), 4u);
  EXPECT_EQ(read.events[0].kind, Kind::kModelCall);
  EXPECT_TRUE(read.events[0].begins);
  EXPECT_FALSE(read.events[0].finished);
  EXPECT_EQ(read.events[0].time, 2'500 * kMillisecond);
  EXPECT_EQ(read.events[0].input_tokens, 146);
  EXPECT_EQ(read.events[0].output_tokens, 3);
  EXPECT_EQ(read.events[1].kind, Kind::kToolCall);
  EXPECT_FALSE(read.events[1].begins);
  EXPECT_EQ(read.events[1].call.name, "send");
  EXPECT_EQ(read.events[1].destination, Destination::kOutside);
  EXPECT_EQ(read.events[2].kind, Kind::kToolResult);
  EXPECT_TRUE(read.events[2].result.error);
  EXPECT_EQ(read.events[2].result.call_id, read.events[1].call.id);
  EXPECT_EQ(read.events[2].time, std::nullopt);
  EXPECT_EQ(read.events[2].line, 4u);
  EXPECT_TRUE(read.events[3].begins);
  EXPECT_TRUE(read.events[3].finished);
}

TEST(AgentEvents, CallsAreEqualByToolAndArguments) {
  const Read read = read_agents(R"({"trace":"a","step":0,"kind":"tool_call","tool":"f","args_hash":"x"}
{"trace":"a","step":1,"kind":"tool_call","tool":"f","args_hash":"x"}
{"trace":"a","step":2,"kind":"tool_call","tool":"g","args_hash":"x"}
{"trace":"a","step":3,"kind":"tool_call","tool":"f","args_hash":"y"}
{"trace":"a","step":4,"kind":"tool_call","tool":"f"}
{"trace":"a","step":5,"kind":"tool_call","tool":"f"})");
  ASSERT_EQ(read.events.size(), 6u);
  const auto signature = [&](std::size_t i) { return read.events[i].call.signature; };
  EXPECT_EQ(signature(0), signature(1));
  EXPECT_NE(signature(0), signature(2));
  EXPECT_NE(signature(0), signature(3));
  EXPECT_NE(signature(4), signature(5)) << "unknown arguments are never the same";
}

TEST(AgentEvents, DestinationsAreOutsideKnownOrNone) {
  const Read read = read_agents(R"({"trace":"a","step":0,"kind":"tool_call","tool":"f","dest_new":1}
{"trace":"a","step":1,"kind":"tool_call","tool":"f","dest_new":0}
{"trace":"a","step":2,"kind":"tool_call","tool":"f","dest_new":null}
{"trace":"a","step":3,"kind":"tool_call","tool":"f"})");
  ASSERT_EQ(read.events.size(), 4u);
  EXPECT_EQ(read.events[0].destination, Destination::kOutside);
  EXPECT_EQ(read.events[1].destination, Destination::kKnown);
  EXPECT_EQ(read.events[2].destination, Destination::kNone);
  EXPECT_EQ(read.events[3].destination, Destination::kNone);
}

TEST(AgentEvents, AResultAnswersTheOldestOpenCallOfItsTool) {
  const Read read = read_agents(R"({"trace":"a","step":0,"kind":"tool_call","tool":"f","args_hash":"1"}
{"trace":"a","step":1,"kind":"tool_call","tool":"g","args_hash":"2"}
{"trace":"a","step":2,"kind":"tool_call","tool":"f","args_hash":"3"}
{"trace":"a","step":3,"kind":"tool_result","tool":"g"}
{"trace":"a","step":4,"kind":"tool_result","tool":"f"}
{"trace":"a","step":5,"kind":"tool_result","tool":"f"}
{"trace":"a","step":6,"kind":"tool_result","tool":"f"})");
  ASSERT_EQ(read.events.size(), 7u);
  EXPECT_EQ(read.events[3].result.call_id, read.events[1].call.id);
  EXPECT_EQ(read.events[4].result.call_id, read.events[0].call.id);
  EXPECT_EQ(read.events[5].result.call_id, read.events[2].call.id);
  EXPECT_EQ(read.events[6].result.call_id, "") << "of a call that was not recorded";
  EXPECT_NE(read.events[5].result.content, read.events[6].result.content) << "unknown contents are never the same";
}

TEST(AgentEvents, OnlyTheNewestOpenCallsWaitForTheirResults) {
  std::string text;
  const auto line = [&](std::size_t step, std::string_view kind, std::string_view tool) {
    text += R"({"trace":"a","step":)" + std::to_string(step) + R"(,"kind":")" + std::string(kind) + R"(","tool":")" +
            std::string(tool) + "\"}\n";
  };
  line(0, "tool_call", "oldest");
  for (std::size_t i = 0; i < kMaxCallsInTurn; ++i) line(i + 1, "tool_call", "f");
  line(600, "tool_result", "oldest");
  line(601, "tool_result", "f");
  const Read read = read_agents(text);
  ASSERT_EQ(read.events.size(), kMaxCallsInTurn + 3);
  EXPECT_EQ(read.events[kMaxCallsInTurn + 1].result.call_id, "") << "forgotten";
  EXPECT_EQ(read.events[kMaxCallsInTurn + 2].result.call_id, read.events[1].call.id);
}

TEST(AgentEvents, TheFirstNameHoldsForTheWholeTrace) {
  const Read read = read_agents(R"({"trace":"a","step":0,"kind":"llm_call","model":"m1"}
{"trace":"a","step":1,"kind":"llm_call","agent":"bot","tenant":null,"model":"m2"}
{"trace":"a","step":2,"kind":"llm_call","agent":"other","task":"t","key":"k","tenant":"acme","conversation":"c"}
{"trace":"b","step":0,"kind":"llm_call"})");
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.names.size(), 4u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(read.names[i].agent, "bot");
    EXPECT_EQ(read.names[i].model, "m1");
    EXPECT_EQ(read.names[i].task, "t");
    EXPECT_EQ(read.names[i].key, "k");
    EXPECT_EQ(read.names[i].tenant, "acme");
    EXPECT_EQ(read.names[i].conversation, "c");
  }
  EXPECT_EQ(read.names[3].agent, "");
}

TEST(AgentEvents, WhatIsWrongIsSaidWithFileAndLine) {
  const auto error = [](std::string_view line) {
    const std::string first = R"({"trace":"a","step":0,"kind":"llm_call","t":5})"
                              "\n";
    return read_agents(first + std::string(line)).error;
  };
  EXPECT_EQ(error("{"), "a.jsonl:2: is not a JSON object");
  EXPECT_EQ(error("[]"), "a.jsonl:2: is not a JSON object");
  EXPECT_EQ(error("{} {}"), "a.jsonl:2: has more than one JSON value");
  EXPECT_EQ(error(R"({"step":1,"kind":"llm_call"})"), "a.jsonl:2: has no `trace`");
  EXPECT_EQ(error(R"({"trace":"a","kind":"llm_call"})"), "a.jsonl:2: has no `step`");
  EXPECT_EQ(error(R"({"trace":"a","step":1})"), "a.jsonl:2: has no `kind`");
  EXPECT_EQ(error(R"({"trace":"a","step":1,"kind":"think"})"),
            "a.jsonl:2: `kind` is `think`; expected llm_call, tool_call or tool_result");
  EXPECT_EQ(error(R"({"trace":"a","step":-1,"kind":"llm_call"})"), "a.jsonl:2: `step` is not a whole number from 0");
  EXPECT_EQ(error(R"({"trace":"a","step":1,"kind":"tool_call"})"), "a.jsonl:2: has no `tool`");
  EXPECT_EQ(error("{\"trace\":\"a\",\"step\":1,\"kind\":\"tool_call\",\"tool\":\"a\\u0007\"}"),
            "a.jsonl:2: `tool` is not usable as a name: control characters, or over 256 bytes");
  EXPECT_EQ(error(R"({"trace":"a","step":1,"kind":"llm_call","t":4})"),
            "a.jsonl:2: `t` is earlier than in an event before of the same trace");
  EXPECT_EQ(error(R"({"trace":"a","step":1,"kind":"llm_call","t":1e99})"),
            "a.jsonl:2: `t` is not seconds since the trace began, from 0 to ten years");
  EXPECT_EQ(error(R"({"trace":"a","step":1,"kind":"llm_call","in_tok":-1})"), "a.jsonl:2: in_tok is negative");
  EXPECT_EQ(error(R"({"trace":"a","step":1,"kind":"llm_call","in_tok":1.5})"),
            "a.jsonl:2: `in_tok` is not a whole number, or too large");
  EXPECT_EQ(error(R"({"trace":"a","step":1,"kind":"tool_result","tool":"f","error":2})"),
            "a.jsonl:2: `error` is neither 0 nor 1");
  EXPECT_EQ(error(R"({"trace":"a","step":1,"kind":"llm_call","agent":7})"), "a.jsonl:2: `agent` is not a string");
  EXPECT_EQ(error(R"({"trace":"a","step":1,"kind":"llm_call","agent":")" + std::string(257, 'x') + "\"}"),
            "a.jsonl:2: agent is longer than 256 bytes");
  EXPECT_EQ(error("{\"trace\":\"" + std::string(kMaxRowBytes, 'x') + "\"}"), "a.jsonl:2: is longer than 64 KiB");
}

TEST(AgentEvents, ATraceThatComesBackIsAnError) {
  EXPECT_EQ(read_agents(R"({"trace":"a","step":0,"kind":"llm_call"}
{"trace":"b","step":0,"kind":"llm_call"}
{"trace":"a","step":1,"kind":"llm_call"})")
                .error,
            "a.jsonl:3: trace `a` comes back after it had ended; put the events of a trace together");
}

TEST(AgentEvents, AFileHoldsAtMostAMillionTraces) {
  std::string text;
  for (std::size_t i = 0; i <= kMaxTraces; ++i) {
    text += R"({"trace":")" + std::to_string(i) +
            R"(","step":0,"kind":"llm_call"})"
            "\n";
  }
  auto trace = open_agent_trace(text, "a.jsonl");
  ASSERT_TRUE(trace);
  AgentEvent event;
  Result<bool> more = true;
  while ((more = (*trace)->next(event)) && *more) {
  }
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().message, "a.jsonl:1000001: is the 1000001th trace of the file; cut it in parts");
}

constexpr std::string_view kRun =
    R"({"trace":"x","label":"benign","model":"gpt-4o","messages":[{"role":"system","content":"You pay bills."},)"
    R"({"role":"user","content":"Pay bob@corp.com"},)"
    R"({"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"a\": 1}"}},)"
    R"({"id":"c2","type":"function","function":{"name":"pay","arguments":"{\"to\":\"bob@corp.com\"}"}}]},)"
    R"({"role":"tool","tool_call_id":"c1","name":"look","content":"ok","is_error":false},)"
    R"({"role":"tool","tool_call_id":"c2","name":"pay","content":"done","is_error":true},)"
    R"({"role":"assistant","content":"","tool_calls":[{"id":"c3","type":"function","function":{"name":"pay","arguments":"{\"to\":\"eve@evil.com\"}"}}]},)"
    R"({"role":"tool","tool_call_id":"c3","name":"pay","content":"done","is_error":false},)"
    R"({"role":"assistant","content":"Done."}]})";

TEST(Transcripts, AreReadAsTheGatewayWouldSeeThem) {
  const Read read = read_agents(kRun);
  ASSERT_EQ(read.error, "");
  std::vector<Kind> kinds;
  for (const AgentEvent& event : read.events) kinds.push_back(event.kind);
  ASSERT_EQ(kinds,
            (std::vector{Kind::kModelCall, Kind::kToolCall, Kind::kToolCall, Kind::kToolResult, Kind::kToolResult,
                         Kind::kModelCall, Kind::kToolCall, Kind::kToolResult, Kind::kModelCall}));
  for (std::size_t i = 0; i < read.events.size(); ++i) EXPECT_EQ(read.events[i].step, static_cast<std::int64_t>(i));
  EXPECT_EQ(read.events[1].call.name, "look");
  EXPECT_EQ(read.events[1].call.id, "c1");
  EXPECT_EQ(read.events[1].destination, Destination::kNone);
  EXPECT_EQ(read.events[2].destination, Destination::kKnown);
  EXPECT_EQ(read.events[6].destination, Destination::kOutside);
  EXPECT_FALSE(read.events[5].finished);
  EXPECT_TRUE(read.events[8].finished);
  EXPECT_GT(read.events[5].input_tokens, read.events[0].input_tokens);
  EXPECT_GT(read.events[0].output_tokens, 0);
  ASSERT_EQ(read.facts.size(), 9u);
  EXPECT_EQ(read.facts[0].tools, (std::vector<std::string>{"look", "pay"}));
  EXPECT_EQ(read.facts[0].results.size(), 0u);
  ASSERT_EQ(read.facts[5].results.size(), 2u);
  EXPECT_EQ(read.facts[5].results[1].call_id, "c2");
  ASSERT_EQ(read.facts[8].results.size(), 1u);
  EXPECT_EQ(read.names[0].model, "gpt-4o");
}

TEST(Transcripts, WhatIsWrongIsSaidWithFileAndLine) {
  const auto error = [](std::string_view line) {
    return read_agents(std::string(R"({"trace":"a","messages":[]})") + "\n" + std::string(line)).error;
  };
  EXPECT_EQ(error(R"({"messages":[]})"), "a.jsonl:2: has no `trace`");
  EXPECT_EQ(error(R"({"trace":"b"})"), "a.jsonl:2: has no `messages`");
  EXPECT_EQ(error(R"({"trace":"b","messages":3})"), "a.jsonl:2: `messages` is not a list");
  EXPECT_EQ(error(R"({"trace":"b","messages":[3]})"), "a.jsonl:2: `messages` holds what is not a JSON object");
  EXPECT_EQ(error(R"({"trace":"b","messages":[{"content":"x"}]})"), "a.jsonl:2: message 1 has no `role`");
  EXPECT_EQ(error(R"({"trace":"a","messages":[]})"),
            "a.jsonl:2: trace `a` comes back after it had ended; put the events of a trace together");
  EXPECT_TRUE(error(R"({"trace":"b","messages":[{"role":"user","content":"x","content":"y"},{"role":"assistant"}]})")
                  .starts_with("a.jsonl:2: the request before message 2 is none: "));
  EXPECT_EQ(error(std::string(kMaxTranscriptBytes + 1, 'x')), "a.jsonl:2: is longer than 4096 KiB");
  std::string turns = R"({"trace":"b","messages":[{"role":"user","content":"x"})";
  for (std::size_t i = 0; i <= kMaxTranscriptTurns; ++i) turns += R"(,{"role":"assistant","content":"x"})";
  EXPECT_EQ(error(turns + "]}"), "a.jsonl:2: has 1001 answers of the model; at most 1000 are replayed");
}

// Damaged traces end in an error with a line that exists, or are read; nothing else.
RC_GTEST_PROP(AgentTraces, DamageIsFoundAndPlaced, ()) {
  std::string text = *rc::gen::arbitrary<bool>()
                         ? std::string(kRun)
                         : std::string(R"({"trace":"a","step":0,"kind":"tool_call","tool":"f","t":1,"dest_new":1})");
  text += "\n" + text;
  const int damages = *rc::gen::inRange(1, 4);
  for (int i = 0; i < damages; ++i) {
    const auto at = *rc::gen::inRange<std::size_t>(40, text.size());
    const auto piece = *rc::gen::element<std::string>("", "\"", "{", "}", "[", "]", ",", ":", "\n", "null", "-1", "1e9",
                                                      "\\", "\xC3", std::string(1, '\0'), "\"role\":\"assistant\",");
    text.replace(at, *rc::gen::inRange<std::size_t>(0, 9), piece);
  }
  const Read read = read_agents(text);
  if (read.error.empty()) return;
  RC_ASSERT(read.error.starts_with("a.jsonl:"));
  const std::int64_t line = std::stoll(read.error.substr(8));
  RC_ASSERT(line >= 1);
  RC_ASSERT(line <= 1 + std::count(text.begin(), text.end(), '\n'));
}

}  // namespace
}  // namespace weir
