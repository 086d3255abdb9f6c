// CallFilter, dialect by dialect: what is asked, what leaves, and what malformed streams do.
#include <gtest/gtest.h>

#include "providers/call_filter_fixture.h"

namespace weir {
namespace {

std::string sse(const std::vector<std::string>& payloads) {
  std::string out;
  for (const std::string& payload : payloads) out += "data: " + payload + "\n\n";
  return out;
}

std::string delta(const std::string& fields, const std::string& finish = "null") {
  return R"({"id":"c","choices":[{"index":0,"delta":{)" + fields + R"(},"finish_reason":)" + finish + "}]}";
}

std::string start(int index, const std::string& name, const std::string& arguments = "") {
  return R"({"index":)" + std::to_string(index) + R"(,"id":"id)" + std::to_string(index) +
         R"(","type":"function","function":{"name":")" + name + R"(","arguments":")" + arguments + R"("}})";
}

std::string more(int index, const std::string& arguments) {
  return R"({"index":)" + std::to_string(index) + R"(,"function":{"arguments":")" + arguments + R"("}})";
}

std::string calls(const std::string& list) {
  return R"("tool_calls":[)" + list + "]";
}

Filtered chat(const std::vector<std::string>& payloads, const RulingsByName& rulings) {
  return filtered(Operation::kChatCompletions, Framing::kSse, sse(payloads), rulings);
}

const std::string kRole = delta(R"("role":"assistant","content":null)");
const std::string kUsage = R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}})";

// pay and run interleave, and share a chunk.
const std::vector<std::string> kTwo = {kRole,
                                       delta(calls(start(0, "pay"))),
                                       delta(calls(more(0, "{"))),
                                       delta(calls(start(1, "run"))),
                                       delta(calls(more(0, "}") + "," + more(1, "[1]"))),
                                       delta("", "\"tool_calls\""),
                                       kUsage,
                                       "[DONE]"};

TEST(ChatFilter, CallsAreAskedAboutTwiceAndPassUntouched) {
  const Filtered got = chat(kTwo, {});
  EXPECT_EQ(got.out, sse(kTwo));
  EXPECT_EQ(got.asked, (std::vector<std::string>{"name pay", "name run", "call pay {}", "call run [1]"}));
  EXPECT_FALSE(got.lagged);
  EXPECT_EQ(got.calls, 2u);
  EXPECT_EQ(got.cut, 0u);
}

TEST(ChatFilter, OneOfTwoParallelCallsIsCutAndTheOtherClosesUp) {
  const Filtered got = chat(kTwo, {{"pay", kCutByName}});
  EXPECT_EQ(got.out, sse({kRole,
                          delta(calls(R"({"index":0,"id":"id1","type":"function","function":{"name":"run",)"
                                      R"("arguments":""}})")),
                          delta(calls(more(0, "[1]"))), delta("", "\"tool_calls\""), kUsage, "[DONE]"}));
  EXPECT_EQ(got.asked, (std::vector<std::string>{"name pay", "name run", "call run [1]"}));
  EXPECT_EQ(got.cut, 1u);
}

TEST(ChatFilter, ATurnWhoseCallsAreAllCutStops) {
  const Filtered got = chat(kTwo, {{"pay", kCutByName}, {"run", kHeldThenCut}});
  EXPECT_EQ(got.out, sse({kRole, delta("", "\"stop\""), kUsage, "[DONE]"}));
  EXPECT_EQ(got.calls, 0u);
  EXPECT_EQ(got.cut, 2u);
}

TEST(ChatFilter, AHeldCallLeavesBeforeTheFinishReason) {
  const Filtered got = chat(kTwo, {{"pay", kHeldThenPassed}});
  EXPECT_EQ(
      got.out,
      sse({kRole,
           delta(calls(R"({"index":0,"id":"id1","type":"function","function":{"name":"run","arguments":)"
                       R"(""}})")),
           delta(calls(more(0, "[1]"))),
           delta(calls(R"({"index":1,"id":"id0","type":"function","function":{"name":"pay","arguments":""}})")),
           delta(calls(more(1, "{"))), delta(calls(more(1, "}"))), delta("", "\"tool_calls\""), kUsage, "[DONE]"}));
}

TEST(ChatFilter, HeldFragmentsAreDroppedWhenTheStreamEnds) {
  const Filtered got =
      chat({kRole, delta(calls(start(0, "pay"))), delta(R"("content":"Hi")")}, {{"pay", kHeldThenPassed}});
  EXPECT_EQ(got.out, sse({kRole, delta(R"("content":"Hi")")}));
  EXPECT_EQ(got.asked, std::vector<std::string>{"name pay"});
  EXPECT_EQ(got.calls + got.cut, 0u);
}

TEST(ChatFilter, TextOfAChunkGoesOnWithoutItsCalls) {
  const std::string both = delta(R"("content":"Hi",)" + calls(start(0, "pay")));
  EXPECT_EQ(chat({both}, {{"pay", kCutByName}}).out, sse({delta(R"("content":"Hi")")}));
  const Filtered held = chat({both, "[DONE]"}, {{"pay", kHeldThenPassed}});
  EXPECT_EQ(held.out, sse({delta(R"("content":"Hi")"), delta(calls(start(0, "pay"))), "[DONE]"}));
}

TEST(ChatFilter, AChunkThatIsAWholeTurnKeepsItsFinishReason) {
  const std::string whole = delta(calls(start(0, "pay", "{}")), "\"tool_calls\"");
  EXPECT_EQ(chat({whole}, {}).out, sse({whole}));
  EXPECT_EQ(chat({whole}, {{"pay", kHeldThenPassed}}).out, sse({whole}));
  EXPECT_EQ(chat({whole}, {{"pay", kHeldThenCut}}).out, sse({delta("", "\"stop\"")}));
}

TEST(ChatFilter, ChoicesAreTurnsOfTheirOwn) {
  const auto of = [](int choice, const std::string& fields, const std::string& finish) {
    return R"({"index":)" + std::to_string(choice) + R"(,"delta":{)" + fields + R"(},"finish_reason":)" + finish + "}";
  };
  const auto chunk = [](const std::string& choices) { return R"({"choices":[)" + choices + "]}"; };
  const Filtered got = chat({chunk(of(0, calls(start(0, "pay")), "null") + "," + of(1, calls(start(0, "run")), "null")),
                             chunk(of(1, "", "\"tool_calls\"") + "," + of(0, "", "\"tool_calls\""))},
                            {{"pay", kCutByName}});
  EXPECT_EQ(got.out, sse({chunk(of(0, "", "null") + "," + of(1, calls(start(0, "run")), "null")),
                          chunk(of(1, "", "\"tool_calls\"") + "," + of(0, "", "\"stop\""))}));
}

TEST(ChatFilter, TheOlderFunctionCallIsACallToo) {
  const std::vector<std::string> stream = {delta(R"("content":null,"function_call":{"name":"pay","arguments":""})"),
                                           delta(R"("function_call":{"arguments":"{}"})"),
                                           delta("", "\"function_call\"")};
  EXPECT_EQ(chat(stream, {}).asked, (std::vector<std::string>{"name pay", "call pay {}"}));
  EXPECT_EQ(chat(stream, {}).out, sse(stream));
  EXPECT_EQ(chat(stream, {{"pay", kCutByName}}).out, sse({delta("", "\"stop\"")}));
  const Filtered held = chat(stream, {{"pay", kHeldThenPassed}});
  EXPECT_EQ(held.out, sse(stream));
  EXPECT_TRUE(held.lagged);
}

TEST(ChatFilter, ANameThatComesLateIsAwaited) {
  const std::vector<std::string> stream = {delta(calls(more(0, "{"))), delta(R"("content":"Hi")"),
                                           delta(calls(start(0, "pay", "}"))), delta("", "\"tool_calls\"")};
  const Filtered passed = chat(stream, {});
  EXPECT_EQ(passed.out, sse({stream[1], stream[0], stream[2], stream[3]}));
  EXPECT_EQ(passed.asked, (std::vector<std::string>{"name pay", "call pay {}"}));
  EXPECT_EQ(chat(stream, {{"pay", kCutByName}}).out, sse({stream[1], delta("", "\"stop\"")}));
  // Never named at all: it is asked about when the turn ends.
  EXPECT_EQ(chat({stream[0], stream[3]}, {}).asked, (std::vector<std::string>{"name ", "call  {"}));
  EXPECT_EQ(chat({stream[0], stream[3]}, {{"", kCutByName}}).out, sse({delta("", "\"stop\"")}));
}

TEST(ChatFilter, FragmentsWithoutAnIndexFollowTheirIdOrTheCallBefore) {
  const std::vector<std::string> stream = {delta(calls(R"({"id":"a","function":{"name":"pay","arguments":"1"}})")),
                                           delta(calls(R"({"id":"b","function":{"name":"run","arguments":"2"}})")),
                                           delta(calls(R"({"function":{"arguments":"3"}})")),
                                           delta(calls(R"({"id":"a","function":{"arguments":"4"}})")),
                                           delta("", "\"tool_calls\"")};
  const Filtered got = chat(stream, {{"pay", kCutByName}});
  EXPECT_EQ(got.asked, (std::vector<std::string>{"name pay", "name run", "call run 23"}));
  EXPECT_EQ(got.out, sse({stream[1], stream[2], stream[4]}));
}

TEST(ChatFilter, CallsThatShareAnIndexAreToldApartByTheirIds) {
  const std::vector<std::string> stream = {
      delta(calls(R"({"index":0,"id":"a","function":{"name":"pay","arguments":"{}"}})")),
      delta(calls(R"({"index":0,"id":"b","function":{"name":"run","arguments":"{}"}})")), delta("", "\"tool_calls\"")};
  EXPECT_EQ(chat(stream, {}).out, sse(stream));
  EXPECT_EQ(chat(stream, {{"run", kCutByName}}).out, sse({stream[0], stream[2]}));
  EXPECT_EQ(chat(stream, {{"pay", kCutByName}}).out, sse({stream[1], stream[2]}));
}

TEST(ChatFilter, DuplicateIdsUnderDifferentIndexesAreDifferentCalls) {
  const std::vector<std::string> stream = {
      delta(calls(R"({"index":0,"id":"a","function":{"name":"pay","arguments":"{}"}})")),
      delta(calls(R"({"index":1,"id":"a","function":{"name":"run","arguments":"{}"}})")), delta("", "\"tool_calls\"")};
  EXPECT_EQ(chat(stream, {{"run", kCutByName}}).out, sse({stream[0], stream[2]}));
}

TEST(ChatFilter, AbsurdIndexesCostNothing) {
  for (const char* index : {"2147483648", "-7", "9223372036854775807", "1e99", "\"0\"", "null", "0.5"}) {
    const std::vector<std::string> stream = {
        delta(calls(R"({"index":)" + std::string(index) + R"(,"id":"a","function":{"name":"pay","arguments":"{}"}})")),
        delta(calls(R"({"index":1,"id":"b","function":{"name":"run","arguments":"{}"}})")),
        delta("", "\"tool_calls\"")};
    EXPECT_EQ(chat(stream, {}).out, sse(stream)) << index;
    EXPECT_EQ(chat(stream, {{"pay", kCutByName}, {"run", kCutByName}}).out, sse({delta("", "\"stop\"")})) << index;
    EXPECT_EQ(chat(stream, {{"pay", kHeldThenCut}}).calls, 1u) << index;
  }
}

TEST(ChatFilter, ArgumentsMayBeAValue) {
  const std::string whole =
      delta(R"("tool_calls":[{"index":0,"id":"a","function":{"name":"pay","arguments":{"a":1}}}])", "\"tool_calls\"");
  EXPECT_EQ(chat({whole}, {}).asked, (std::vector<std::string>{"name pay", "call pay {\"a\":1}"}));
}

TEST(ChatFilter, UnicodeNamesAreCanonicalAndBytesStay) {
  const std::string cyrillic = delta(calls(start(0, "p\xD0\xB0y")), "\"tool_calls\"");
  const std::string escaped = delta(calls(start(0, "p\\u0430y")), "\"tool_calls\"");
  const std::string hidden = delta(R"("tool\u005fcalls":[)" + start(0, "pay") + "]", "\"stop\"");
  for (const std::string& stream : {cyrillic, escaped, hidden}) {
    EXPECT_EQ(chat({stream}, {}).out, sse({stream}));
    EXPECT_EQ(chat({stream}, {}).asked, (std::vector<std::string>{"name pay", "call pay "}));
    EXPECT_EQ(chat({stream}, {{"pay", kCutByName}}).out, sse({delta("", "\"stop\"")}));
  }
}

TEST(ChatFilter, FiveMegabytesOfArgumentsAreJudgedAsAWhole) {
  std::vector<std::string> stream = {delta(calls(start(0, "pay", "\\\"")))};
  const std::string piece(50'000, 'x');
  for (int i = 0; i < 100; ++i) stream.push_back(delta(calls(more(0, piece))));
  stream.push_back(delta(calls(more(0, "\\\""))));
  stream.push_back(delta("", "\"tool_calls\""));
  const Filtered got = chat(stream, {{"pay", kHeldThenPassed}});
  EXPECT_TRUE(got.out == sse(stream));
  ASSERT_EQ(got.asked.size(), 2u);
  EXPECT_EQ(got.asked[1].size(), std::string("call pay ").size() + 100 * piece.size() + 2);
  EXPECT_EQ(chat(stream, {{"pay", kHeldThenCut}}).out, sse({delta("", "\"stop\"")}));
}

TEST(ChatFilter, WhatIsHeldBeyondTheBoundIsCut) {
  std::vector<std::string> stream = {delta(calls(start(0, "pay"))), delta(calls(start(1, "run")))};
  const std::string piece(1 << 20, 'x');
  for (std::size_t held = 0; held <= CallFilter::kMaxHeld; held += piece.size()) {
    stream.push_back(delta(calls(more(0, piece))));
  }
  stream.push_back(delta("", "\"tool_calls\""));
  const Filtered got = chat(stream, {{"pay", kHeldThenPassed}});
  EXPECT_EQ(got.cut, 1u);
  EXPECT_EQ(got.calls, 1u);
  EXPECT_LT(got.out.size(), 1000u);
  EXPECT_EQ(got.asked, (std::vector<std::string>{"name pay", "name run", "call run "}));
  // What passes is not bounded.
  EXPECT_TRUE(chat(stream, {}).out == sse(stream));
}

TEST(ChatFilter, CallsBeyondTheBoundOfATurnAreCutUnasked) {
  std::vector<std::string> stream;
  for (std::size_t i = 0; i < kMaxCallsInTurn + 3; ++i)
    stream.push_back(delta(calls(start(static_cast<int>(i), "pay"))));
  const Filtered got = chat(stream, {});
  EXPECT_EQ(got.calls, kMaxCallsInTurn);
  EXPECT_EQ(got.cut, 3u);
  EXPECT_EQ(got.asked.size(), kMaxCallsInTurn);
  stream.resize(kMaxCallsInTurn);
  EXPECT_EQ(got.out, sse(stream));
}

TEST(ChatFilter, WhatCannotBeReadPasses) {
  for (const char* event : {"data: {\"tool_calls\":\n\n", "data: tool_calls\n\n", ": tool_calls\n\n", "\n",
                            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[null,7]}}]}\n\n",
                            "data: {\"choices\":7,\"x\":\"tool_calls\"}\n\n"}) {
    EXPECT_EQ(filtered(Operation::kChatCompletions, Framing::kSse, event, {}).out, event);
  }
}

TEST(ChatFilter, DataThatSpansLinesIsSplitAgain) {
  const std::string stream =
      "\xEF\xBB\xBFid: 7\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\",\r\ndata: \"tool_calls\":[" +
      start(0, "pay") + "]}\r\ndata:}]}\r\n\r\n";
  EXPECT_EQ(filtered(Operation::kChatCompletions, Framing::kSse, stream, {}).out, stream);
  EXPECT_EQ(filtered(Operation::kChatCompletions, Framing::kSse, stream, {{"pay", kCutByName}}).out,
            "\xEF\xBB\xBFid: 7\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}\ndata: }]}\n\n");
}

TEST(CallFilter, OperationsWithoutCallsPassEverything) {
  for (const Operation operation : {Operation::kCompletions, Operation::kOllamaGenerate, Operation::kEmbeddings}) {
    const std::string stream = sse(kTwo);
    const Filtered got = filtered(operation, Framing::kSse, stream, {{"pay", kCutByName}});
    EXPECT_EQ(got.out, stream);
    EXPECT_TRUE(got.asked.empty());
  }
}

TEST(CallFilter, ALineFeedThatComesLateIsDroppedWithItsEvent) {
  for (const bool cut : {true, false}) {
    CallFilter filter(Operation::kChatCompletions, Framing::kSse);
    std::string out;
    const std::string event = "data: " + delta(calls(start(0, "pay"))) + "\r\n\r";
    ASSERT_EQ(filter.take(event, out), CallFilter::Asks::kName);
    filter.rule(cut ? Ruling::kCut : Ruling::kPass, out);
    filter.take("\n", out);
    EXPECT_EQ(out, cut ? "" : event + "\n");
  }
}

TEST(CallFilter, ARulingThatNobodyAskedForChangesNothing) {
  CallFilter filter(Operation::kChatCompletions, Framing::kSse);
  std::string out;
  EXPECT_EQ(filter.rule(Ruling::kCut, out), CallFilter::Asks::kNothing);
  EXPECT_EQ(filter.take(sse({kRole}), out), CallFilter::Asks::kNothing);
  EXPECT_EQ(filter.rule(Ruling::kPass, out), CallFilter::Asks::kNothing);
  EXPECT_EQ(out, sse({kRole}));
}

}  // namespace
}  // namespace weir
