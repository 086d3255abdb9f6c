// What one run may do, what is counted, and what is held.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "behavior/test_agent.h"

namespace weir {
namespace {

TEST(Bounds, ToolCallsBeyondTheMostAreCutAndThenTheRunIsOpen) {
  TestAgent agent;
  agent.rules.runs.burst = {};
  Entry entry = agent.admit(agent.model("r"));
  for (int i = 0; i < 200; ++i) ASSERT_FALSE(agent.call(entry, test_call("t", std::to_string(i))).trip) << i;
  Entry still = agent.admit(agent.model("r"));
  EXPECT_FALSE(still.trip) << "all that it may is not too much";
  const CallVerdict over = agent.call(entry, test_call("t", "one more"));
  ASSERT_TRUE(over.trip);
  EXPECT_EQ(over.trip->guard, "runs");
  EXPECT_EQ(over.trip->meter, "tool_calls");
  EXPECT_EQ(over.trip->allowed, 200);
  EXPECT_EQ(over.trip->used, 200);
  EXPECT_EQ(over.trip->retry_after, kNever);
  Entry next = agent.admit(agent.model("r"));
  ASSERT_TRUE(next.trip);
  EXPECT_EQ(next.trip->meter, "tool_calls");
  agent.rules.runs.max_tool_calls = 300;
  EXPECT_FALSE(agent.admit(agent.model("r")).trip) << "the policy was changed";
}

TEST(Bounds, ModelCallsInFlightCount) {
  TestAgent agent;
  agent.rules.runs.max_llm_calls = 3;
  Entry a = agent.admit(agent.model("r")), b = agent.admit(agent.model("r")), c = agent.admit(agent.model("r"));
  const auto trip = agent.pass(agent.model("r"));
  ASSERT_TRUE(trip);
  EXPECT_EQ(trip->meter, "llm_calls");
  EXPECT_EQ(trip->used, 3);
  Arrival other = agent.model("r");
  other.kind = Arrival::Kind::kOther;
  EXPECT_FALSE(agent.pass(other)) << "no call of a model";
}

TEST(Bounds, ARefusedModelCallWasNone) {
  TestAgent agent;
  agent.rules.runs.max_llm_calls = 3;
  agent.pass(agent.model("r"));
  for (int i = 0; i < 10; ++i) {
    Entry entry = agent.enter(agent.model("r"));
    ASSERT_FALSE(entry.trip);
    agent.guard.refused(entry, 0, agent.now);
  }
}

TEST(Bounds, TokensAndDollarsAreHeldSoThatAFanOutCannotOvershoot) {
  TestAgent agent;
  agent.rules.runs.max_tokens = 1000;
  Arrival arrival = agent.model("r");
  arrival.held = {.tokens = 400, .usd_micros = 10};
  Entry a = agent.admit(arrival), b = agent.admit(arrival);
  auto trip = agent.pass(arrival);
  ASSERT_TRUE(trip);
  EXPECT_EQ(trip->meter, "tokens");
  EXPECT_EQ(trip->allowed, 1000);
  EXPECT_EQ(trip->used, 800);
  agent.leave(a, {.used = {.tokens = 100}});
  EXPECT_FALSE(agent.pass(arrival, {.used = {.tokens = 350}}));
  trip = agent.pass(arrival);
  ASSERT_TRUE(trip);
  EXPECT_EQ(trip->used, 850);
  agent.leave(b);
  agent.rules.runs.max_usd_micros = 19;
  arrival.held = {.tokens = 1, .usd_micros = 20};
  trip = agent.pass(arrival);
  ASSERT_TRUE(trip);
  EXPECT_EQ(trip->meter, "usd");
}

TEST(Bounds, ABudgetOfTheRunBoundsItFromThenOn) {
  TestAgent agent;
  Entry first = agent.admit(agent.model("r"));
  EXPECT_TRUE(agent.guard.set_budget(first, 1000, std::nullopt));
  agent.leave(first, {.used = {.tokens = 600}});
  Arrival arrival = agent.model("r");
  arrival.held.tokens = 401;
  auto trip = agent.pass(arrival);
  ASSERT_TRUE(trip);
  EXPECT_EQ(trip->allowed, 1000);
  arrival.held.tokens = 400;
  EXPECT_FALSE(agent.pass(arrival));
  Entry late = agent.admit(agent.model("r"));
  EXPECT_FALSE(agent.guard.set_budget(late, 599, std::nullopt)) << "more is used already";
}

TEST(Bounds, OneRunHasOneBudget) {
  TestAgent agent;
  Entry a = agent.enter(agent.model("r")), b = agent.enter(agent.model("r"));
  EXPECT_TRUE(agent.guard.set_budget(a, 1000, std::nullopt, {1, 1}));
  EXPECT_FALSE(agent.guard.set_budget(b, 50, std::nullopt, {2, 2})) << "the other first one was faster";
  agent.guard.begin(b, agent.now);
  agent.guard.refused(a, 0, agent.now);
  EXPECT_TRUE(agent.guard.set_budget(b, 50, std::nullopt, {2, 2})) << "it gave its own back";
  agent.leave(b);
  agent.guard.end_all(agent.rules, agent.now);
  const auto ended = agent.guard.take_ended_budgets();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].tag, (Hash128{2, 2}));
}

TEST(Bounds, AGrowingStreamIsHeldToWhatItsRunMayUse) {
  TestAgent agent;
  agent.rules.runs.max_tokens = 1000;
  agent.rules.runs.max_usd_micros = 50;
  Arrival arrival = agent.model("r");
  arrival.held = {.tokens = 400, .usd_micros = 10};
  Entry a = agent.admit(arrival), b = agent.admit(arrival);
  EXPECT_TRUE(agent.guard.extend(a, {.tokens = 200, .usd_micros = 5}, agent.now));
  EXPECT_FALSE(agent.guard.extend(b, {.tokens = 1, .usd_micros = 0}, agent.now));
  EXPECT_FALSE(agent.guard.extend(b, {.tokens = 0, .usd_micros = 26}, agent.now));
  EXPECT_TRUE(agent.guard.extend(b, {.tokens = 0, .usd_micros = 25}, agent.now)) << "nothing was added before";
  agent.leave(a);
  agent.leave(b);
  arrival.held = {.tokens = 1000, .usd_micros = 50};
  Entry all = agent.admit(arrival);
  EXPECT_FALSE(all.trip) << "all of it came back";
  EXPECT_TRUE(agent.guard.set_budget(all, 1100, std::nullopt, {1, 1}));
  agent.rules.runs.max_tokens = 0;
  EXPECT_FALSE(agent.guard.extend(all, {.tokens = 101}, agent.now)) << "the budget";
  EXPECT_TRUE(agent.guard.extend(all, {.tokens = 100}, agent.now));
  Entry blank;
  EXPECT_TRUE(agent.guard.extend(blank, {.tokens = 1}, agent.now));
}

TEST(Bounds, DepthIsBoundedWhateverHeadersSay) {
  TestAgent agent;
  std::string token;
  for (int depth = 0; depth <= 6; ++depth) {
    Arrival arrival = agent.model();
    arrival.lineage = token;
    Entry entry = agent.admit(arrival);
    EXPECT_EQ(entry.depth, depth);
    ASSERT_EQ(entry.trip.has_value(), depth == 6);
    if (entry.trip) {
      EXPECT_EQ(entry.trip->meter, "depth");
      EXPECT_EQ(entry.trip->allowed, 5);
      EXPECT_EQ(entry.trip->used, 6);
    }
    token = agent.guard.sign(entry, Guard::lineage_scope("acme", "key-a"));
  }
}

class Spawning : public testing::Test {
 protected:
  Spawning() {
    parent = agent.admit(agent.model("r"));
    agent.call(parent, test_call("plan", "{}", "p"));
    token = agent.guard.sign(parent, Guard::lineage_scope("acme", "key-a"));
  }
  Entry spawn() {
    Arrival arrival = agent.model();
    arrival.lineage = token;
    return agent.admit(arrival);
  }
  TestAgent agent;
  Entry parent;
  std::string token;
};

TEST_F(Spawning, MoreThanTwentyChildrenWithoutProgressTrip) {
  for (int i = 0; i < 20; ++i) ASSERT_FALSE(spawn().trip) << i;
  Entry over = spawn();
  ASSERT_TRUE(over.trip);
  EXPECT_EQ(over.trip->guard, "runs");
  EXPECT_EQ(over.trip->meter, "fanout");
  EXPECT_EQ(over.trip->allowed, 20);
  EXPECT_EQ(over.trip->used, 20);
}

TEST_F(Spawning, AnAnsweredChildOrANewResultIsProgress) {
  for (int i = 0; i < 19; ++i) spawn();
  Entry child = spawn();
  agent.leave(child, {.finished = true});
  for (int i = 0; i < 20; ++i) ASSERT_FALSE(spawn().trip) << i;
  ASSERT_TRUE(spawn().trip);
  ASSERT_FALSE(agent.answer("r", test_result("p", "a new result")));
  EXPECT_FALSE(spawn().trip);
}

TEST_F(Spawning, AChildThatReturnsItsOwnResultsIsNotAnotherChild) {
  Entry child = spawn();
  AgentFacts facts;
  for (int i = 0; i < 40; ++i) {
    agent.now += kSecond;
    const std::string id = "c" + std::to_string(i);
    agent.call(child, test_call("t", id, id));
    agent.leave(child);
    facts.results = {test_result(id, "old news", false, "t")};
    agent.rules.breaker.repeats.count = 0;
    Arrival arrival = agent.model("", &facts);
    arrival.lineage = token;
    child = agent.admit(arrival);
    ASSERT_FALSE(child.trip) << i;
  }
}

TEST_F(Spawning, ARefusedChildIsNone) {
  for (int i = 0; i < 50; ++i) {
    Arrival arrival = agent.model();
    arrival.lineage = token;
    Entry entry = agent.enter(arrival);
    ASSERT_FALSE(entry.trip);
    agent.guard.refused(entry, 0, agent.now);
  }
}

TEST(Bounds, ABurstOfToolCallsWaitsUntilTheWindowHasRoom) {
  TestAgent agent;
  Entry entry = agent.admit(agent.model("r"));
  for (int i = 0; i < 60; ++i) {
    ASSERT_FALSE(agent.call(entry, test_call("t", std::to_string(i))).trip) << i;
    agent.now += 100 * kMillisecond;
  }
  const CallVerdict over = agent.call(entry, test_call("t", "x"));
  ASSERT_TRUE(over.trip);
  EXPECT_EQ(over.trip->guard, "runs");
  EXPECT_EQ(over.trip->retry_after, 4 * kSecond);
  agent.now += over.trip->retry_after;
  EXPECT_FALSE(agent.call(entry, test_call("t", "y")).trip);
  EXPECT_TRUE(agent.call(entry, test_call("t", "z")).trip);
  EXPECT_FALSE(agent.admit(agent.model("r")).trip) << "a burst does not open the run";
}

TEST(Bounds, ShadowNotesAndRefusesNothing) {
  TestAgent agent;
  agent.rules.runs.shadow = true;
  agent.rules.runs.max_llm_calls = 1;
  agent.pass(agent.model("r"));
  Entry entry = agent.admit(agent.model("r"));
  EXPECT_FALSE(entry.trip);
  ASSERT_EQ(entry.notes.size(), 1u);
  EXPECT_EQ(entry.notes[0].event, AuditEvent::kBroken);
  EXPECT_EQ(entry.notes[0].trip.meter, "llm_calls");
}

TEST(Bounds, ZeroIsNoBound) {
  TestAgent agent;
  agent.rules.runs = {.max_tool_calls = 0,
                      .max_llm_calls = 0,
                      .max_depth = 0,
                      .max_fanout = 0,
                      .max_tokens = 0,
                      .max_usd_micros = 0,
                      .burst = {}};
  agent.rules.breaker.repeats.count = 0;
  Entry entry = agent.admit(agent.model("r"));
  for (int i = 0; i < 3000; ++i) ASSERT_FALSE(agent.call(entry, test_call("t", "same")).trip);
  for (int i = 0; i < 1000; ++i) ASSERT_FALSE(agent.pass(agent.model("r"), {.used = {.tokens = 1'000'000'000}}));
}

TEST(KillSwitch, StopsKeysAgentsRunsAndTools) {
  TestAgent agent;
  agent.switches.add({KillSwitch::Kind::kRun, "r", "looks wrong", "cli", 0});
  agent.switches.add({KillSwitch::Kind::kAgent, "bot", "", "cli", 0});
  agent.switches.add({KillSwitch::Kind::kTool, "send_email", "incident 7", "cli", 0});
  auto trip = agent.pass(agent.model("r"));
  ASSERT_TRUE(trip);
  EXPECT_EQ(trip->guard, "killed");
  EXPECT_EQ(trip->retry_after, kNever);
  EXPECT_EQ(trip->evidence, "run r was stopped by an operator: looks wrong");
  Arrival arrival = agent.model("ok");
  arrival.agent = "bot";
  EXPECT_TRUE(agent.pass(arrival));
  Entry entry = agent.admit(agent.model("ok"));
  ASSERT_FALSE(entry.trip);
  EXPECT_TRUE(agent.call(entry, test_call("send_email", "{}")).trip);
  EXPECT_FALSE(agent.call(entry, test_call("search", "{}")).trip);
  EXPECT_TRUE(agent.pass(agent.tool(test_call("send_email", "{}"))));
  agent.switches.add({KillSwitch::Kind::kKey, "key-a", "", "escalation", 0});
  trip = agent.pass(agent.model("ok"));
  ASSERT_TRUE(trip);
  EXPECT_EQ(trip->evidence, "key key-a was stopped after anomalies");
  // An unnamed run, by the name that Weir gave it.
  TestAgent other;
  AgentFacts facts;
  Entry first = other.admit(other.model());
  other.call(first, test_call("t", "{}", "c1"));
  other.switches.add({KillSwitch::Kind::kRun, first.run, "", "cli", 0});
  facts.results = {test_result("c1", "x")};
  EXPECT_TRUE(other.pass(other.model("", &facts)));
}

TEST(Counting, AServedToolCountsWhereItIsExecuted) {
  TestAgent agent;
  agent.guard.serves(agent.owner, {"search"});
  EXPECT_TRUE(agent.guard.is_served(agent.owner, "search"));
  EXPECT_FALSE(agent.guard.is_served({1, 1}, "search"));
  agent.rules.runs.max_tool_calls = 1;
  Entry entry = agent.admit(agent.model());
  const ToolCall call = test_call("search", "{}", "c1");
  EXPECT_FALSE(agent.call(entry, call).counted);
  EXPECT_FALSE(agent.call(entry, test_call("search", "2", "c2")).trip) << "announcements are only remembered";
  agent.leave(entry);
  Entry executed = agent.admit(agent.tool(call));
  EXPECT_EQ(executed.run, entry.run);
  const CallVerdict verdict = agent.call(executed, call);
  EXPECT_TRUE(verdict.counted);
  EXPECT_FALSE(verdict.trip);
  agent.guard.result(executed, test_result("", "found"), agent.now);
  agent.leave(executed);
  AgentFacts facts;
  facts.results = {test_result("c1", "found", false, "search")};
  EXPECT_TRUE(agent.admit(agent.model("", &facts)).unseen.empty());
  EXPECT_TRUE(agent.call(executed, test_call("other", "{}")).trip == std::nullopt) << "it left: nothing is judged";
  Entry again = agent.admit(agent.tool(test_call("search", "2")));
  EXPECT_TRUE(agent.call(again, test_call("search", "2")).trip);
}

TEST(Counting, TheFifthIdenticalExecutedCallBreaks) {
  TestAgent agent;
  agent.guard.serves(agent.owner, {"search"});
  for (int i = 1; i <= 5; ++i) {
    Entry entry = agent.admit(agent.model("r"));
    EXPECT_FALSE(agent.call(entry, test_call("search", "{}", "c" + std::to_string(i))).trip) << i;
    agent.leave(entry);
    const ToolCall call = test_call("search", "{}");
    Entry executed = agent.admit(agent.tool(call));
    EXPECT_EQ(executed.run, "r");
    const CallVerdict verdict = agent.call(executed, call);
    EXPECT_EQ(verdict.trip.has_value(), i == 5) << i;
    if (!verdict.trip) agent.guard.result(executed, test_result("", std::to_string(i)), agent.now);
    agent.leave(executed);
  }
}

TEST(Counting, AServedToolThatThisWeirNeverExecutedCountsWithItsResult) {
  TestAgent agent;
  agent.guard.serves(agent.owner, {"search"});
  Entry entry = agent.admit(agent.model("r"));
  EXPECT_FALSE(agent.call(entry, test_call("search", "{}", "c1")).counted);
  agent.leave(entry);
  AgentFacts facts;
  facts.results = {test_result("c1", "found", false, "search")};
  Entry refused = agent.enter(agent.model("r", &facts));
  EXPECT_EQ(refused.unseen, std::vector<std::string>{"search"});
  agent.guard.refused(refused, 0, agent.now);
  EXPECT_EQ(agent.admit(agent.model("r", &facts)).unseen.size(), 1u) << "again: the first was not admitted";
  EXPECT_TRUE(agent.admit(agent.model("r", &facts)).unseen.empty());
}

TEST(Counting, AResultThatComesAfterItsRunWasOverIsNotCountedTwice) {
  for (const bool swept : {true, false}) {
    for (const std::string_view name : {"", "r"}) {
      TestAgent agent;
      AgentFacts facts;
      facts.turn = 5;
      Entry entry = agent.admit(agent.model(name, &facts));
      EXPECT_TRUE(agent.call(entry, test_call("send_money", "{}", "call_1")).counted);
      agent.leave(entry);
      agent.now += agent.rules.runs.idle + 1;
      if (swept) agent.guard.sweep(agent.rules, agent.now, 100);
      facts.results.push_back(test_result("call_1", "paid", false, "send_money"));
      Entry next = agent.admit(agent.model(name, &facts));
      EXPECT_TRUE(next.unseen.empty());
      EXPECT_TRUE(next.begins) << "a new run all the same";
      agent.leave(next);
      Entry again = agent.admit(agent.model("another", &facts));
      EXPECT_EQ(again.unseen.size(), 1u) << "one announcement is one call";
    }
  }
}

TEST(Counting, ResultsWhoseCallWasNeverSeenCountOnce) {
  TestAgent agent;
  AgentFacts facts;
  facts.results = {test_result("x1", "1", false, "search"), test_result("x1", "1", false, "search"),
                   test_result("", "2", false, "fetch"), test_result("x3", "3")};
  facts.turn = 9;
  Entry first = agent.admit(agent.model("r", &facts));
  EXPECT_EQ(first.unseen, (std::vector<std::string>{"search", "fetch", "unknown_tool"}));
  EXPECT_TRUE(agent.admit(agent.model("r", &facts)).unseen.empty());
}

TEST(Counting, WhatARefusedRequestWouldHaveCountedCountsWhenItComesAgain) {
  TestAgent agent;
  agent.pass(agent.model("r"));
  AgentFacts facts;
  facts.results = {test_result("x1", "1", true, "search")};
  for (int i = 0; i < 10; ++i) {
    Entry entry = agent.enter(agent.model("r", &facts));
    EXPECT_EQ(entry.unseen.size(), 1u) << i;
    EXPECT_FALSE(entry.trip) << "one error, however often it is told";
    agent.guard.refused(entry, 0, agent.now);
  }
  EXPECT_EQ(agent.admit(agent.model("r", &facts)).unseen.size(), 1u);
  EXPECT_EQ(agent.admit(agent.model("r", &facts)).unseen.size(), 0u);
}

TEST(Counting, AnAnnouncedCallsResultIsNotUnseenAlsoWhereIdsComeTwice) {
  TestAgent agent;
  Entry entry = agent.admit(agent.model("r"));
  agent.call(entry, test_call("a", "1", "same-id"));
  agent.call(entry, test_call("b", "2", "same-id"));
  agent.leave(entry);
  AgentFacts facts;
  facts.results = {test_result("same-id", "1"), test_result("same-id", "2"), test_result("same-id", "3")};
  EXPECT_TRUE(agent.admit(agent.model("r", &facts)).unseen.empty());
}

TEST(Counting, ArgumentsMatterOnlyWhereARepetitionCouldBreak) {
  TestAgent agent;
  Entry entry = agent.admit(agent.model("r"));
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(agent.guard.hangs_on_arguments(entry, "search")) << i;
    agent.call(entry, test_call("search", std::to_string(i)));
  }
  EXPECT_TRUE(agent.guard.hangs_on_arguments(entry, "search"));
  EXPECT_FALSE(agent.guard.hangs_on_arguments(entry, "fetch"));
  agent.rules.breaker.exempt = {"search"};
  EXPECT_FALSE(agent.guard.hangs_on_arguments(entry, "search"));
}

TEST(Counting, OddInputIsHarmless) {
  TestAgent agent;
  AgentFacts facts;
  for (int i = 0; i < 2000; ++i) facts.results.push_back(test_result("", "", false, ""));
  facts.previous = std::string(100'000, 'x');
  Arrival arrival = agent.model(std::string_view("a\0b\x01\xff", 5), &facts);
  arrival.conversation = arrival.task = arrival.agent = std::string_view("\xff\xfe");
  Entry entry = agent.admit(arrival);
  EXPECT_FALSE(agent.call(entry, {}).trip);
  agent.guard.uncall(entry, {}, agent.now);
  agent.guard.result(entry, {}, agent.now);
  agent.leave(entry, {.answer_id = ""});
  Entry blank;
  agent.guard.refused(blank, 0, agent.now);
  agent.guard.leave(blank, {}, agent.now);
  EXPECT_FALSE(agent.guard.begin(blank, agent.now));
  EXPECT_FALSE(agent.guard.call(blank, {}, Destination::kNone, agent.now).trip);
  EXPECT_EQ(agent.guard.sign(blank, "x"), "");
  const std::string name(10'000, 'n');
  EXPECT_LE(agent.admit(agent.model(name)).run.size(), 256u);
}

// Whatever is announced, taken back and refused: a run's tool calls are those that were let through.
RC_GTEST_PROP(Counting, ToolCallsAreExactlyThoseThatPassed, ()) {
  TestAgent agent;
  const auto most = *rc::gen::inRange<std::int64_t>(1, 20);
  agent.rules.runs.max_tool_calls = most;
  agent.rules.runs.burst = {};
  agent.rules.breaker.repeats.count = 0;
  Entry entry = agent.admit(agent.model("r"));
  std::int64_t passed = 0;
  const auto steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    const ToolCall call = test_call("t", std::to_string(i), std::to_string(i));
    const CallVerdict verdict = agent.call(entry, call);
    RC_ASSERT(verdict.trip.has_value() == (passed >= most));
    if (verdict.trip) continue;
    ++passed;
    if (*rc::gen::arbitrary<bool>()) {
      agent.guard.uncall(entry, call, agent.now);
      --passed;
    }
  }
}

}  // namespace
}  // namespace weir
