// Which run a request belongs to.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "behavior/test_agent.h"

namespace weir {
namespace {

AgentFacts returning(std::string_view id, std::string_view content = "ok") {
  AgentFacts facts;
  facts.results.push_back(test_result(id, content));
  return facts;
}

// A request that announces one call; its run.
std::string announce(TestAgent& agent, const Arrival& arrival, const ToolCall& call) {
  Entry entry = agent.admit(arrival);
  agent.call(entry, call);
  agent.leave(entry);
  return entry.run;
}

TEST(Joining, ARequestWithoutAnythingBeginsARunOfItsOwn) {
  TestAgent agent;
  Entry first = agent.admit(agent.model());
  EXPECT_TRUE(first.begins);
  EXPECT_TRUE(agent.began);
  EXPECT_EQ(first.depth, 0);
  Entry second = agent.admit(agent.model());
  EXPECT_NE(first.run, second.run);
  EXPECT_TRUE(first.run.starts_with("run_"));
  EXPECT_EQ(first.run.size(), 36u);
  EXPECT_EQ(agent.guard.stats().runs, 2u);
}

TEST(Joining, ANamedRunIsOnePerOwner) {
  TestAgent agent;
  EXPECT_EQ(agent.admit(agent.model("nightly")).run, "nightly");
  EXPECT_TRUE(agent.began);
  EXPECT_FALSE(agent.admit(agent.model("nightly")).begins);
  EXPECT_FALSE(agent.began);
  agent.owner = {33, 44};
  EXPECT_TRUE(agent.admit(agent.model("nightly")).begins);
  EXPECT_TRUE(agent.began);
  EXPECT_EQ(agent.guard.stats().runs, 2u);
}

TEST(Joining, TheNameThatWeirGaveIsUnderstoodOnlyFromItsOwner) {
  TestAgent agent;
  const std::string name = agent.admit(agent.model()).run;
  EXPECT_FALSE(agent.admit(agent.model(name)).begins);
  agent.owner = {33, 44};
  EXPECT_TRUE(agent.admit(agent.model(name)).begins);
}

TEST(Joining, ResultsJoinTheRunOfTheirCall) {
  TestAgent agent;
  const std::string run = announce(agent, agent.model(), test_call("search", "{}", "call_1"));
  const AgentFacts facts = returning("call_1");
  Entry next = agent.admit(agent.model("", &facts));
  EXPECT_EQ(next.run, run);
  EXPECT_FALSE(next.begins);
  EXPECT_TRUE(next.unseen.empty());
}

TEST(Joining, IdsThatEveryRunUsesAgainAreToldApartByTheirTurn) {
  TestAgent agent;
  AgentFacts first, second;
  first.turn = 1;
  second.turn = 2;
  const std::string a = announce(agent, agent.model("", &first), test_call("search", "{}", "call_0"));
  const std::string b = announce(agent, agent.model("", &second), test_call("search", "{}", "call_0"));
  AgentFacts facts = returning("call_0");
  facts.turn = 1;
  EXPECT_EQ(agent.admit(agent.model("", &facts)).run, a);
  facts.turn = 2;
  EXPECT_EQ(agent.admit(agent.model("", &facts)).run, b);
  facts.turn = 3;
  EXPECT_EQ(agent.admit(agent.model("", &facts)).run, b) << "the user said more: by the id alone";
}

TEST(Joining, AnotherOwnersIdsLeadNowhere) {
  TestAgent agent;
  const std::string run = announce(agent, agent.model(), test_call("search", "{}", "call_1"));
  agent.owner = {33, 44};
  const AgentFacts facts = returning("call_1");
  Entry next = agent.admit(agent.model("", &facts));
  EXPECT_NE(next.run, run);
  EXPECT_TRUE(next.begins);
  EXPECT_EQ(next.unseen.size(), 1u);
}

TEST(Joining, AnAnswersIdIsFollowed) {
  TestAgent agent;
  Entry first = agent.admit(agent.model());
  agent.leave(first, {.answer_id = "resp_1"});
  AgentFacts facts;
  facts.previous = "resp_1";
  EXPECT_EQ(agent.admit(agent.model("", &facts)).run, first.run);
  facts.previous = "resp_2";
  EXPECT_NE(agent.admit(agent.model("", &facts)).run, first.run);
}

TEST(Joining, ResultsWithoutIdsJoinByTheirTurn) {
  TestAgent agent;
  AgentFacts first;
  first.turn = 77;
  const std::string run = announce(agent, agent.model("", &first), test_call("search", "{}"));
  AgentFacts next = returning("");
  next.turn = 77;
  Entry entry = agent.admit(agent.model("", &next));
  EXPECT_EQ(entry.run, run);
  EXPECT_TRUE(entry.unseen.empty());
  next.turn = 78;
  EXPECT_NE(agent.admit(agent.model("", &next)).run, run);
}

TEST(Joining, AnExecutedCallJoinsTheRunInWhichItWasAnnounced) {
  TestAgent agent;
  const ToolCall call = test_call("search", "{\"q\":1}", "call_1");
  const std::string run = announce(agent, agent.model(), call);
  EXPECT_EQ(agent.admit(agent.tool(call)).run, run);
  const ToolCall other = test_call("search", "{\"q\":2}");
  EXPECT_NE(agent.admit(agent.tool(other)).run, run);
  agent.owner = {33, 44};
  EXPECT_NE(agent.admit(agent.tool(call)).run, run);
}

TEST(Joining, RunsThatAnnouncedTheSameCallExecuteItEachInItsOwn) {
  TestAgent agent;
  const ToolCall call = test_call("search", "{}", "x");
  std::set<std::string> announced, executed;
  for (int i = 0; i < 6; ++i) announced.insert(announce(agent, agent.model(), call));
  std::vector<Entry> running;
  for (int i = 0; i < 6; ++i) running.push_back(agent.admit(agent.tool(call)));
  for (const Entry& entry : running) executed.insert(entry.run);
  EXPECT_EQ(executed, announced);
  EXPECT_EQ(announced.size(), 6u);
  EXPECT_TRUE(announced.contains(agent.admit(agent.tool(call)).run)) << "executed once more, as a retry does";
}

TEST(Joining, AnExecutionThatWasRefusedOrAnAnnouncementThatWasCutLeavesTheOthersTheirs) {
  TestAgent agent;
  const ToolCall call = test_call("search", "{}", "x");
  const std::string first = announce(agent, agent.model(), call);
  Entry cut = agent.admit(agent.model());
  agent.call(cut, call);
  agent.guard.uncall(cut, call, agent.now);
  const std::string last = announce(agent, agent.model(), call);
  Entry refused = agent.enter(agent.tool(call));
  EXPECT_EQ(refused.run, first);
  agent.guard.refused(refused, 0, agent.now);
  EXPECT_EQ(agent.admit(agent.tool(call)).run, first);
  EXPECT_EQ(agent.admit(agent.tool(call)).run, last);
}

TEST(Joining, AnExecutionThatNamesItsRunTakesItsOwnAnnouncement) {
  TestAgent agent;
  const ToolCall call = test_call("search", "{}", "x");
  announce(agent, agent.model("a"), call);
  announce(agent, agent.model("b"), call);
  EXPECT_EQ(agent.admit(agent.tool(call, "a")).run, "a");
  EXPECT_EQ(agent.admit(agent.tool(call)).run, "b");
}

TEST(Joining, WhatNeedsNoIdLeadsOnlyWithinOneCaller) {
  TestAgent agent;
  AgentFacts facts;
  facts.turn = 7;
  const ToolCall call = test_call("search", "{}");
  Arrival arrival = agent.model("", &facts);
  arrival.caller = {1, 1};
  const std::string run = announce(agent, arrival, call);
  Arrival executes = agent.tool(call);
  executes.caller = {2, 2};
  EXPECT_NE(agent.admit(executes).run, run);
  facts.results.push_back(test_result("", "found"));
  arrival.caller = {2, 2};
  EXPECT_NE(agent.admit(arrival).run, run);
  arrival.caller = executes.caller = {1, 1};
  EXPECT_EQ(agent.admit(executes).run, run);
  EXPECT_EQ(agent.admit(arrival).run, run);
}

TEST(Joining, OfRunsWithTheSameTurnTheOneThatWaitsForTheResultHasIt) {
  TestAgent agent;
  AgentFacts first;
  first.turn = 77;
  const ToolCall a = test_call("search", "a"), b = test_call("search", "b");
  const std::string run_a = announce(agent, agent.model("", &first), a);
  const std::string run_b = announce(agent, agent.model("", &first), b);
  AgentFacts next = returning("");
  next.turn = 77;
  next.calls = {a};
  EXPECT_EQ(agent.admit(agent.model("", &next)).run, run_a);
  next.calls = {};
  EXPECT_EQ(agent.admit(agent.model("", &next)).run, run_b) << "the other has its result";
}

TEST(Joining, ALineageTokenLeadsToItsRunOneLevelDeeperAlsoFromAnotherKeyOfTheTenant) {
  TestAgent agent;
  Entry parent = agent.admit(agent.model());
  const std::string token = agent.guard.sign(parent, Guard::lineage_scope("acme", "key-a"));
  agent.owner = {33, 44};
  Arrival arrival = agent.model();
  arrival.key = "key-b";
  arrival.lineage = token;
  arrival.run = "something-else";
  Entry child = agent.admit(arrival);
  EXPECT_EQ(child.run, parent.run) << "lineage decides, not the name";
  EXPECT_EQ(child.depth, 1);
  EXPECT_EQ(child.token.depth, 1u);
  arrival.tenant = "other";
  Entry foreign = agent.enter(arrival);
  EXPECT_TRUE(foreign.bad_lineage);
  agent.guard.refused(foreign, 0, agent.now);
}

TEST(Joining, ASubAgentsResultsComeBackToTheSharedRunAndKeepTheirDepth) {
  TestAgent agent;
  Entry parent = agent.admit(agent.model());
  const std::string token = agent.guard.sign(parent, Guard::lineage_scope("acme", ""));
  agent.owner = {33, 44};
  Arrival arrival = agent.model();
  arrival.lineage = token;
  const std::string run = announce(agent, arrival, test_call("search", "{}", "sub_1"));
  EXPECT_EQ(run, parent.run);
  const AgentFacts facts = returning("sub_1");
  Entry next = agent.admit(agent.model("", &facts));
  EXPECT_EQ(next.run, parent.run);
  EXPECT_EQ(next.depth, 1);
  EXPECT_TRUE(next.unseen.empty());
}

TEST(Joining, ForgedAndAbsurdTokensAreBadLineageAndTouchNothing) {
  TestAgent agent;
  LineageSigner thief("guess");
  for (const std::string& token :
       {std::string("v1.x.y"), std::string(100'000, 'A'), thief.sign({{1, 2}, 3, 1u << 31}, "tenant:acme")}) {
    Arrival arrival = agent.model();
    arrival.lineage = token;
    Entry entry = agent.enter(arrival);
    EXPECT_TRUE(entry.bad_lineage);
    EXPECT_FALSE(entry.trip);
    agent.guard.refused(entry, 0, agent.now);
  }
  EXPECT_EQ(agent.guard.stats().runs, 0u);
}

TEST(Joining, AValidTokenOfAnAbsurdDepthIsStoppedByTheBound) {
  TestAgent agent;
  LineageSigner own("not secret");
  Arrival arrival = agent.model();
  const std::string token = own.sign({{1, 2}, 3, 0xffffffff}, Guard::lineage_scope("acme", "key-a"));
  arrival.lineage = token;
  Entry entry = agent.enter(arrival);
  ASSERT_TRUE(entry.trip);
  EXPECT_EQ(entry.trip->meter, "depth");
  EXPECT_GT(entry.depth, 0);
  agent.guard.refused(entry, 0, agent.now);
  EXPECT_EQ(agent.guard.stats().runs, 0u);
}

TEST(Joining, ATokenOfARunThatIsGoneBeginsItAnew) {
  TestAgent agent;
  Entry parent = agent.admit(agent.model());
  const std::string token = agent.guard.sign(parent, Guard::lineage_scope("acme", "key-a"));
  agent.leave(parent);
  agent.now += agent.rules.runs.idle + 1;
  EXPECT_TRUE(agent.guard.sweep(agent.rules, agent.now, 100));
  EXPECT_EQ(agent.guard.stats().runs, 0u);
  Arrival arrival = agent.model();
  arrival.lineage = token;
  Entry child = agent.admit(arrival);
  EXPECT_EQ(child.run, parent.run);
  EXPECT_TRUE(child.begins);
}

TEST(Joining, HandshakesBeginNoRunButJoinOneThatTheyName) {
  TestAgent agent;
  Arrival arrival = agent.model();
  arrival.kind = Arrival::Kind::kOther;
  arrival.starts_run = false;
  Entry entry = agent.admit(arrival);
  EXPECT_TRUE(entry.run.empty());
  EXPECT_FALSE(agent.began);
  EXPECT_FALSE(agent.call(entry, test_call("search", "{}")).trip);
  agent.leave(entry);
  arrival.run = "named";
  EXPECT_TRUE(agent.admit(arrival).run.empty());
  EXPECT_EQ(agent.guard.stats().runs, 0u);
  agent.admit(agent.model("named"));
  EXPECT_EQ(agent.admit(arrival).run, "named");
}

TEST(Joining, AnIdleRunThatGoesOnIsANewOne) {
  TestAgent agent;
  for (int i = 0; i < 3; ++i) agent.pass(agent.model("nightly"));
  agent.now += agent.rules.runs.idle;
  EXPECT_FALSE(agent.admit(agent.model("nightly")).begins) << "not yet over";
  TestAgent again;
  again.pass(again.model("nightly"));
  again.now += again.rules.runs.idle + 1;
  Entry entry = again.admit(again.model("nightly"));
  EXPECT_TRUE(entry.begins);
  EXPECT_TRUE(again.began);
}

TEST(Joining, ARequestInFlightKeepsItsRunFromBeingIdle) {
  TestAgent agent;
  Entry slow = agent.admit(agent.model("nightly"));
  agent.now += 10 * agent.rules.runs.idle;
  EXPECT_TRUE(agent.guard.sweep(agent.rules, agent.now, 100));
  EXPECT_FALSE(agent.admit(agent.model("nightly")).begins);
  agent.leave(slow);
}

TEST(Joining, ARefusedRequestBeginsNoRun) {
  TestAgent agent;
  Entry entry = agent.enter(agent.model("nightly"));
  EXPECT_TRUE(entry.begins);
  agent.guard.refused(entry, agent.now + kSecond, agent.now);
  EXPECT_EQ(agent.guard.stats().runs, 0u);
  EXPECT_TRUE(agent.enter(agent.model("nightly")).begins);
}

TEST(Joining, OfSeveralFirstRequestsExactlyOneIsTheRuns) {
  TestAgent agent;
  std::vector<Entry> entries;
  for (int i = 0; i < 5; ++i) entries.push_back(agent.enter(agent.model("nightly")));
  for (const Entry& entry : entries) EXPECT_TRUE(entry.begins);
  agent.guard.refused(entries[0], 0, agent.now);
  int begun = 0;
  for (int i = 1; i < 5; ++i) begun += agent.guard.begin(entries[static_cast<std::size_t>(i)], agent.now) ? 1 : 0;
  EXPECT_EQ(begun, 1);
}

TEST(Joining, TasksAreAssertedOrDerived) {
  TestAgent agent;
  AgentFacts facts;
  facts.task = 0xabc;
  EXPECT_EQ(agent.admit(agent.model("", &facts)).task, "t_0000000000000abc");
  Arrival arrival = agent.model("", &facts);
  arrival.task = "billing";
  EXPECT_EQ(agent.admit(arrival).task, "billing");
  EXPECT_EQ(agent.admit(agent.model()).task, "");
}

TEST(Joining, WhatTheLedgerKnowsOfARunIsCountedOn) {
  TestAgent agent;
  agent.guard.restore(agent.owner, "nightly", {.tokens = 9'999'000, .usd_micros = 5}, 3, 4, agent.now - kMinute);
  Arrival arrival = agent.model("nightly");
  arrival.held.tokens = 1001;
  Entry entry = agent.admit(arrival);
  EXPECT_FALSE(entry.begins);
  ASSERT_TRUE(entry.trip);
  EXPECT_EQ(entry.trip->meter, "tokens");
  arrival.held.tokens = 1000;
  EXPECT_FALSE(agent.admit(arrival).trip);
  const std::string unnamed = agent.admit(agent.model()).run;
  TestAgent later;
  later.guard.restore(later.owner, unnamed, {}, 300, 0, later.now);
  EXPECT_TRUE(later.admit(later.model(unnamed)).trip);
}

TEST(Joining, WhatTheLedgerKnowsOfOneOwnersRunIsNotCountedToAnothers) {
  const std::string name = "run_00000000000000000000000000000001";
  TestAgent agent;
  agent.guard.restore({1, 1}, name, {.tokens = 10}, 1, 0, agent.now);
  agent.guard.restore({2, 2}, name, {.tokens = 20'000'000}, 1, 0, agent.now);
  agent.owner = {1, 1};
  EXPECT_FALSE(agent.pass(agent.model(name)));
  agent.owner = {2, 2};
  EXPECT_TRUE(agent.pass(agent.model(name))) << "each has its own";
}

// However requests of several owners mix names, ids and tokens: two of one run have one owner, or a token between them.
RC_GTEST_PROP(Joining, IdsAndNamesNeverCrossOwners, ()) {
  TestAgent agent;
  agent.rules.runs = {.max_tool_calls = 0, .max_llm_calls = 0, .max_fanout = 0, .burst = {}};
  agent.rules.breaker.repeats.count = 0;
  std::map<std::string, std::set<std::uint64_t>> owners_of;
  const auto steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    const auto owner = *rc::gen::inRange<std::uint64_t>(1, 4);
    const auto word = std::to_string(*rc::gen::inRange(0, 4));
    agent.owner = {owner, owner};
    AgentFacts facts;
    const auto how = *rc::gen::inRange(0, 5);
    if (how == 1) facts.results.push_back(test_result("id" + word, "x"));
    if (how == 2) facts.previous = "answer" + word;
    if (how == 3) {
      facts.results.push_back(test_result("", "x"));
    }
    facts.turn = how == 3 || how == 4 ? hash64(word) : 0;
    Entry entry = agent.admit(agent.model("", &facts));
    owners_of[entry.run].insert(owner);
    agent.call(entry, test_call("t", word, "id" + word));
    agent.leave(entry, {.answer_id = "answer" + word});
  }
  for (const auto& [run, owners] : owners_of) RC_ASSERT(owners.size() == 1u);
}

TEST(Joining, ARunIsLiveWhileItCouldGoOnAndOnlyToItsOwner) {
  TestAgent agent;
  Entry named = agent.admit(agent.model("nightly"));
  Entry own = agent.admit(agent.model());
  agent.leave(own);
  const auto live = [&](std::string_view run) { return agent.guard.is_live(agent.owner, run, agent.rules, agent.now); };
  EXPECT_TRUE(live("nightly"));
  EXPECT_TRUE(live(own.run));
  EXPECT_FALSE(live("other"));
  EXPECT_FALSE(agent.guard.is_live({1, 2}, own.run, agent.rules, agent.now));
  agent.now += agent.rules.runs.idle + 1;
  EXPECT_TRUE(live("nightly")) << "a request is in flight";
  EXPECT_FALSE(live(own.run));
  agent.leave(named);
}

TEST(Joining, AChildKnowsTheNodeThatItCameFrom) {
  TestAgent agent;
  Entry root = agent.admit(agent.model());
  EXPECT_EQ(root.parent, 0u);
  const std::string token = agent.guard.sign(root, Guard::lineage_scope("acme", "key-a"));
  Arrival arrival = agent.model();
  arrival.lineage = token;
  Entry child = agent.admit(arrival);
  EXPECT_EQ(child.run, root.run);
  EXPECT_EQ(child.parent, root.token.node);
  EXPECT_EQ(child.depth, 1);
}

}  // namespace
}  // namespace weir
