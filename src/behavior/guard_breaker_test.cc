// Loops, errors in a row, and what a broken call or run does next.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>

#include "behavior/test_agent.h"

namespace weir {
namespace {

// An agent whose every call is announced in one request and answered in the next.
class Looping : public testing::Test {
 protected:
  // The call, and what came back of it.
  CallVerdict turn(std::string_view tool, std::string_view arguments, std::string_view content, bool error = false) {
    const std::string id = "call_" + std::to_string(++number);
    Entry entry = agent.admit(agent.model("nightly-42", &facts));
    facts = {};
    if (entry.trip) return {.trip = entry.trip};
    CallVerdict verdict = agent.call(entry, test_call(tool, arguments, id));
    agent.leave(entry);
    if (!verdict.trip) facts.results.push_back(test_result(id, content, error, tool));
    last = std::move(entry);
    return verdict;
  }
  // Different every time.
  std::string fresh() { return "result " + std::to_string(++number); }

  TestAgent agent;
  AgentFacts facts;
  Entry last;
  int number = 0;
};

TEST_F(Looping, TheFifthIdenticalCallBreaksAndTheThirdWarns) {
  for (int i = 1; i <= 4; ++i) {
    const CallVerdict verdict = turn("search", "{}", fresh());
    EXPECT_FALSE(verdict.trip) << i;
    EXPECT_EQ(verdict.warn.has_value(), i >= 3) << i;
    EXPECT_EQ(last.notes.size(), i == 3 ? 1u : 0u) << i;
  }
  const CallVerdict fifth = turn("search", "{}", fresh());
  ASSERT_TRUE(fifth.trip);
  EXPECT_EQ(fifth.trip->guard, "repeats");
  EXPECT_EQ(fifth.trip->meter, "calls");
  EXPECT_EQ(fifth.trip->allowed, 5);
  EXPECT_EQ(fifth.trip->used, 5);
  EXPECT_EQ(fifth.trip->retry_after, 30 * kSecond);
  EXPECT_EQ(fifth.trip->evidence,
            "`search` was called 5 times with the same arguments in run nightly-42 within 5 minutes");
}

TEST_F(Looping, OtherArgumentsAndOtherRunsDoNotCount) {
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(turn("search", std::to_string(i), fresh()).trip);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(turn("search", "same", fresh()).trip);
  EXPECT_FALSE(agent.step("another", test_call("search", "same")).trip);
}

TEST_F(Looping, AlternatingCallsAreALoopToo) {
  int broken = 0;
  for (int i = 0; i < 10; ++i) broken += turn("search", i % 2 == 0 ? "a" : "b", fresh()).trip ? 1 : 0;
  EXPECT_EQ(broken, 2);
}

TEST_F(Looping, RepetitionsOutsideOfTheWindowAreForgotten) {
  for (int i = 0; i < 40; ++i) {
    EXPECT_FALSE(turn("search", "{}", fresh()).trip) << i;
    agent.now += 76 * kSecond;
  }
}

TEST_F(Looping, ABrokenCallIsOpenAloneAndAProbeWithANewResultClosesIt) {
  for (int i = 0; i < 4; ++i) turn("search", "{}", "same");
  ASSERT_TRUE(turn("search", "{}", "same").trip);
  agent.now += 10 * kSecond;
  EXPECT_FALSE(turn("other", "{}", fresh()).trip);
  const CallVerdict open = turn("search", "{}", "same");
  ASSERT_TRUE(open.trip);
  EXPECT_EQ(open.trip->retry_after, 20 * kSecond);
  agent.now += 20 * kSecond;
  EXPECT_FALSE(turn("search", "{}", "something new").trip) << "the probe";
  EXPECT_TRUE(turn("unrelated", "{}", fresh()).trip == std::nullopt);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(turn("search", "{}", fresh()).trip) << i;
  EXPECT_TRUE(turn("search", "{}", fresh()).trip);
}

TEST_F(Looping, AProbeWithAnOldResultOpensAgainAndOnlyOneProbeAtATimePasses) {
  for (int i = 0; i < 5; ++i) turn("search", "{}", "same");
  agent.now += 30 * kSecond;
  EXPECT_FALSE(turn("search", "{}", "same").trip);
  const CallVerdict second = turn("search", "{}", "same");
  ASSERT_TRUE(second.trip);
  EXPECT_EQ(second.trip->retry_after, 30 * kSecond);
}

TEST_F(Looping, AProbeThatALimitRefusesLeavesTheNextOneToProbe) {
  for (int i = 0; i < 5; ++i) turn("search", "{}", "same");
  agent.now += 30 * kSecond;
  Entry entry = agent.admit(agent.model("nightly-42"));
  const ToolCall probe = test_call("search", "{}", "p1");
  EXPECT_FALSE(agent.call(entry, probe).trip);
  agent.guard.uncall(entry, probe, agent.now);
  EXPECT_FALSE(agent.call(entry, probe).trip);
  EXPECT_TRUE(agent.call(entry, probe).trip);
}

TEST_F(Looping, ACallThatALimitRefusedWasNotMade) {
  for (int i = 0; i < 4; ++i) turn("search", "{}", fresh());
  Entry entry = agent.admit(agent.model("other-run"));
  for (int i = 0; i < 50; ++i) {
    const ToolCall call = test_call("search", "{}", "u" + std::to_string(i));
    ASSERT_FALSE(agent.call(entry, call).trip) << i;
    agent.guard.uncall(entry, call, agent.now);
  }
  agent.guard.uncall(entry, test_call("never", "{}", "made"), agent.now);
}

TEST_F(Looping, ExemptToolsMayPoll) {
  agent.rules.breaker.exempt = {"get_*"};
  agent.rules.runs.burst = {};
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(turn("get_status", "{}", "pending").trip) << i;
  EXPECT_FALSE(turn("search", "{}", "pending").trip) << "their results are no lack of news for others";
}

TEST_F(Looping, FiveToolErrorsInARowBreakTheRunAtTheNextRequestAndCall) {
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(turn("search", std::to_string(i), fresh(), true).trip) << i;
  const CallVerdict next = turn("search", "x", fresh());
  ASSERT_TRUE(next.trip);
  EXPECT_EQ(next.trip->guard, "tool_errors");
  EXPECT_EQ(next.trip->meter, "errors");
  EXPECT_EQ(next.trip->used, 5);
  EXPECT_EQ(next.trip->retry_after, 30 * kSecond);
  EXPECT_EQ(next.trip->evidence, "the last 5 tool results in run nightly-42 were errors");
  EXPECT_FALSE(agent.pass(agent.model("another"))) << "another run goes on";
}

TEST_F(Looping, ASuccessBetweenErrorsIsNoRow) {
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(turn("search", std::to_string(i), fresh(), i % 5 != 4).trip) << i;
}

TEST_F(Looping, ErrorsOutsideOfTheirWindowAreNoBurst) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(turn("search", std::to_string(i), fresh(), true).trip) << i;
    agent.now += 16 * kSecond;
  }
}

TEST_F(Looping, AfterErrorsOneProbePassesAndItsResultDecides) {
  for (int i = 0; i < 5; ++i) turn("search", std::to_string(i), fresh(), true);
  ASSERT_TRUE(turn("search", "x", fresh()).trip);
  agent.now += 30 * kSecond;
  EXPECT_FALSE(turn("search", "y", fresh(), true).trip) << "the probe";
  EXPECT_TRUE(agent.pass(agent.model("nightly-42"))) << "while it is out";
  EXPECT_TRUE(turn("search", "z", fresh()).trip) << "it failed";
  agent.now += 30 * kSecond;
  EXPECT_FALSE(turn("search", "w", fresh()).trip) << "the next probe";
  EXPECT_FALSE(turn("search", "v", fresh()).trip) << "it succeeded";
  EXPECT_FALSE(agent.pass(agent.model("nightly-42")));
}

TEST_F(Looping, AProbeThatIsRefusedByALimitOrCallsNothingLeavesTheNextOneToProbe) {
  for (int i = 0; i < 5; ++i) turn("search", std::to_string(i), fresh(), true);
  ASSERT_TRUE(turn("search", "x", fresh()).trip);
  agent.now += 30 * kSecond;
  Entry probe = agent.enter(agent.model("nightly-42"));
  ASSERT_FALSE(probe.trip);
  agent.guard.refused(probe, 0, agent.now);
  EXPECT_FALSE(agent.pass(agent.model("nightly-42")));
  EXPECT_FALSE(agent.pass(agent.model("nightly-42")));
}

TEST_F(Looping, AfterSixResultsWithoutNewsTheNextCallBreaks) {
  const auto look = [this](int i) { return turn("look", std::to_string(i % 3), "seen " + std::to_string(i % 3)); };
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(look(i).trip) << i << ": at most the sixth was seen before";
  const CallVerdict next = look(9);
  ASSERT_TRUE(next.trip);
  EXPECT_EQ(next.trip->guard, "repeats");
  EXPECT_EQ(next.trip->used, 6);
  EXPECT_TRUE(turn("other", "8", "nothing").trip);
  agent.now += 30 * kSecond;
  EXPECT_FALSE(turn("look", "9", "news").trip) << "the probe";
  EXPECT_FALSE(turn("look", "10", "nothing").trip);
}

TEST_F(Looping, OneNewResultAmongOldOnesIsProgress) {
  for (int i = 0; i < 60; ++i) {
    agent.now += 30 * kSecond;
    EXPECT_FALSE(turn("look", std::to_string(i % 6), i % 6 == 5 ? fresh() : "nothing").trip) << i;
  }
}

TEST_F(Looping, DistinctCallsThatAreAcknowledgedWithTheSameWordAreNoLoop) {
  for (int i = 0; i < 30; ++i) {
    EXPECT_FALSE(turn("insert_row", std::to_string(i), "ok").trip) << i;
    agent.now += kSecond;
  }
}

TEST_F(Looping, ParallelErrorsOfOneTurnAreOneStep) {
  for (int turn_number = 0; turn_number < 5; ++turn_number) {
    Entry entry = agent.admit(agent.model("r", &facts));
    ASSERT_FALSE(entry.trip) << turn_number;
    facts = {};
    for (int i = 0; i < 5; ++i) {
      const std::string id = std::to_string(turn_number * 5 + i);
      agent.call(entry, test_call("read_file", id, id));
      facts.results.push_back(test_result(id, "no such file " + id, true));
    }
    agent.leave(entry);
  }
  const auto trip = agent.pass(agent.model("r", &facts));
  ASSERT_TRUE(trip) << "the fifth turn in a row";
  EXPECT_EQ(trip->guard, "tool_errors");
  EXPECT_EQ(trip->used, 5);
}

TEST_F(Looping, ATurnOfWhichSomethingSucceededIsNoErrorWhateverTheOrder) {
  for (int i = 0; i < 20; ++i) {
    facts = {};
    facts.results = {test_result("a" + std::to_string(i), fresh(), i % 2 == 0),
                     test_result("b" + std::to_string(i), fresh(), i % 2 != 0)};
    EXPECT_FALSE(agent.pass(agent.model("r", &facts))) << i;
  }
}

TEST_F(Looping, CallsExecutedHereInParallelThatAllFailAreOneStep) {
  std::vector<Entry> running;
  for (int i = 0; i < 8; ++i) {
    const ToolCall call = test_call("read_file", std::to_string(i));
    running.push_back(agent.admit(agent.tool(call, "r")));
    ASSERT_FALSE(agent.call(running.back(), call).trip);
  }
  for (Entry& entry : running) {
    agent.now += kMillisecond;
    agent.guard.result(entry, test_result("", fresh(), true), agent.now);
    agent.leave(entry);
  }
  EXPECT_FALSE(agent.pass(agent.model("r")));
}

TEST_F(Looping, InShadowNothingIsRefusedAndEverythingIsNoted) {
  agent.rules.breaker.shadow = true;
  int noted = 0;
  for (int i = 0; i < 8; ++i) {
    EXPECT_FALSE(turn("search", "{}", "same", true).trip) << i;
    for (const Note& note : last.notes) noted += note.event == AuditEvent::kBroken ? 1 : 0;
  }
  EXPECT_GE(noted, 4);
}

TEST_F(Looping, OrdinaryTrafficIsNeverJudged) {
  for (int i = 0; i < 400; ++i) {
    Arrival arrival = agent.model("nightly-42");
    arrival.ordinary = true;
    Entry entry = agent.admit(arrival);
    ASSERT_FALSE(entry.trip);
    const CallVerdict verdict = agent.call(entry, test_call("search", "{}"));
    ASSERT_FALSE(verdict.trip);
    ASSERT_FALSE(verdict.warn);
    ASSERT_TRUE(entry.notes.empty());
    agent.leave(entry);
  }
}

TEST_F(Looping, LeavingTheIdOutChangesNothing) {
  std::deque<std::optional<Trip>> with, without;
  for (auto* trips : {&with, &without}) {
    TestAgent fresh_agent;
    AgentFacts told;
    for (int i = 0; i < 8; ++i) {
      const std::string id = trips == &with ? "id" + std::to_string(i) : "";
      told.turn = 5;
      Entry entry = fresh_agent.admit(fresh_agent.model("", &told));
      trips->push_back(entry.trip);
      EXPECT_TRUE(entry.unseen.empty());
      told = {};
      if (entry.trip) continue;
      trips->push_back(fresh_agent.call(entry, test_call("search", std::to_string(i), "id" + std::to_string(i))).trip);
      fresh_agent.leave(entry);
      told.results.push_back(test_result(id, "error", true));
    }
  }
  ASSERT_EQ(with.size(), without.size());
  for (std::size_t i = 0; i < with.size(); ++i) EXPECT_EQ(with[i].has_value(), without[i].has_value()) << i;
  EXPECT_TRUE(std::any_of(with.begin(), with.end(), [](const auto& trip) { return trip.has_value(); }));
}

class Prompting : public testing::Test {
 protected:
  Prompting() {
    facts.prompt = 7;
    facts.turn = 70;
  }
  TestAgent agent;
  AgentFacts facts;
};

TEST_F(Prompting, TheFifthIdenticalPromptOfANamedRunBreaksIt) {
  for (int i = 1; i <= 4; ++i) EXPECT_FALSE(agent.pass(agent.model("r", &facts))) << i;
  const auto trip = agent.pass(agent.model("r", &facts));
  ASSERT_TRUE(trip);
  EXPECT_EQ(trip->guard, "repeats");
  EXPECT_EQ(trip->meter, "prompts");
  EXPECT_EQ(trip->used, 5);
  EXPECT_EQ(trip->evidence, "the same prompt was sent 5 times in run r within 5 minutes");
  facts.prompt = 8;
  EXPECT_FALSE(agent.pass(agent.model("r", &facts)));
}

TEST_F(Prompting, RetriesOfWhatFailedAreNoRepetition) {
  for (int i = 0; i < 6; ++i) {  // twice an SDK's one try and two retries
    EXPECT_FALSE(agent.pass(agent.model("r", &facts), {.failed = true})) << i;
    agent.now += kSecond;
  }
  Arrival arrival = agent.model("", &facts);
  arrival.conversation = "chat-1";
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(agent.pass(arrival, {.failed = true})) << i;
}

TEST_F(Prompting, OneProbePassesEachCooldownUntilTheWindowIsOver) {
  for (int i = 0; i < 5; ++i) agent.pass(agent.model("r", &facts));
  agent.now += 30 * kSecond;
  EXPECT_FALSE(agent.pass(agent.model("r", &facts)));
  EXPECT_TRUE(agent.pass(agent.model("r", &facts)));
  agent.now += 6 * kMinute;
  for (int i = 1; i <= 4; ++i) EXPECT_FALSE(agent.pass(agent.model("r", &facts))) << i;
}

TEST_F(Prompting, WithoutARunOnlyAConversationTellsThatItIsTheSame) {
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(agent.pass(agent.model("", &facts))) << i;
  Arrival arrival = agent.model("", &facts);
  arrival.conversation = "chat-1";
  for (int i = 1; i <= 4; ++i) EXPECT_FALSE(agent.pass(arrival)) << i;
  const auto trip = agent.pass(arrival);
  ASSERT_TRUE(trip);
  EXPECT_EQ(trip->evidence, "the same prompt was sent 5 times in conversation chat-1 within 5 minutes");
  arrival.conversation = "chat-2";
  EXPECT_FALSE(agent.pass(arrival));
  arrival.conversation = "chat-1";
  arrival.owner = {5, 6};
  EXPECT_FALSE(agent.pass(arrival)) << "another owner's conversation of that name";
}

TEST_F(Prompting, ALongRunWithResultsIsNoRepetition) {
  agent.rules.runs.burst = {};
  for (int i = 0; i < 50; ++i) {
    Entry entry = agent.admit(agent.model("r", &facts));
    ASSERT_FALSE(entry.trip) << i;
    agent.call(entry, test_call("search", std::to_string(i), "id" + std::to_string(i)));
    agent.leave(entry);
    facts.results = {test_result("id" + std::to_string(i), std::to_string(i))};
  }
}

TEST_F(Prompting, IdsThatEveryTurnUsesAgainAreNoRepetition) {
  for (int i = 0; i < 20; ++i) {
    agent.now += kSecond;
    Entry entry = agent.admit(agent.model("r", &facts));
    ASSERT_FALSE(entry.trip) << i;
    ASSERT_TRUE(entry.unseen.empty()) << i;
    const ToolCall call = test_call("search", std::to_string(i), "call_0");
    agent.call(entry, call);
    agent.leave(entry);
    facts.calls = {call};
    facts.results = {test_result("call_0", std::to_string(i / 5))};
  }
}

TEST_F(Prompting, APromptThatALimitRefusedWasNotSent) {
  for (int i = 0; i < 20; ++i) {
    Entry entry = agent.enter(agent.model("r", &facts));
    ASSERT_FALSE(entry.trip) << i;
    agent.guard.refused(entry, agent.now + kSecond, agent.now);
    agent.pass(agent.model("r"));
  }
}

}  // namespace
}  // namespace weir
