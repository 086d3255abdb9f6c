// Bounded tables, fairness between owners, ends of runs, and many threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "behavior/activity.h"
#include "behavior/links.h"
#include "behavior/runs.h"
#include "behavior/test_agent.h"

namespace weir {
namespace {

TEST(Tables, AMillionRunNamesOfOneOwnerTakeNoRoomFromAnother) {
  TestAgent agent({.max_runs = 50'000, .max_runs_per_owner = 1000});
  agent.owner = {7, 7};
  for (int i = 0; i < 4; ++i) agent.pass(agent.model("theirs"));
  agent.owner = {8, 8};
  for (int i = 0; i < 1'000'000; ++i) {
    ASSERT_FALSE(agent.pass(agent.model("run-" + std::to_string(i)))) << i;
  }
  EXPECT_LE(agent.guard.stats().runs, 1001u);
  agent.owner = {7, 7};
  EXPECT_FALSE(agent.admit(agent.model("theirs")).begins);
}

TEST(Tables, BeyondItsCapAnOwnersFurtherRunsAreOne) {
  TestAgent agent({.max_runs_per_owner = 100});
  std::vector<Entry> open;
  for (int i = 0; i < 100; ++i) open.push_back(agent.admit(agent.model("r" + std::to_string(i))));
  EXPECT_EQ(agent.guard.stats().runs, 100u);
  agent.rules.runs.max_llm_calls = 3;
  for (int i = 100; i < 103; ++i) {
    Entry entry = agent.admit(agent.model("r" + std::to_string(i)));
    EXPECT_FALSE(entry.trip) << i;
    EXPECT_EQ(entry.run, "r" + std::to_string(i)) << "as asserted";
    open.push_back(std::move(entry));
  }
  EXPECT_EQ(agent.guard.stats().runs, 101u);
  Entry shared = agent.admit(agent.model("r103"));
  EXPECT_FALSE(shared.trip) << "it stands for many: no bound of one run is its";
  EXPECT_TRUE(shared.begins && agent.began) << "and each of its requests counts as a run";
  EXPECT_FALSE(agent.guard.set_budget(shared, 1, std::nullopt, {1, 1}));
  for (int i = 0; i < 300; ++i) ASSERT_FALSE(agent.call(shared, test_call("t", std::to_string(i))).trip) << i;
  open.push_back(std::move(shared));
  const Hash128 owner = agent.owner;
  agent.owner = {9, 9};
  EXPECT_FALSE(agent.admit(agent.model("r103")).trip);
  agent.owner = owner;
  for (Entry& entry : open) agent.leave(entry);
  Entry again = agent.admit(agent.model("r200"));
  EXPECT_FALSE(again.trip) << "idle runs of a single call made room";
  EXPECT_TRUE(again.begins);
}

TEST(Tables, RunsThatDidMoreAreNotTakenForNewOnesOfTheirOwner) {
  TestAgent agent({.max_runs_per_owner = 10});
  for (int i = 0; i < 10; ++i) agent.step("r" + std::to_string(i), test_call("t", std::to_string(i)));
  for (int i = 0; i < 50; ++i) agent.pass(agent.model());
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(agent.admit(agent.model("r" + std::to_string(i))).begins) << i;
}

TEST(Tables, OfAFullTableTheLeastRecentlyUsedPlainRunGoesFirst) {
  TestAgent agent({.max_runs = 100});
  agent.step("busy", test_call("t", "1"));
  for (int i = 0; i < 500; ++i) {
    agent.owner = {static_cast<std::uint64_t>(i + 100), 1};
    agent.pass(agent.model());
  }
  EXPECT_EQ(agent.guard.stats().runs, 100u);
  agent.owner = {11, 22};
  EXPECT_FALSE(agent.admit(agent.model("busy")).begins);
}

TEST(Tables, RequestsInFlightAreNeverEvicted) {
  TestAgent agent({.max_runs = 10});
  std::vector<Entry> open;
  for (int i = 0; i < 50; ++i) open.push_back(agent.admit(agent.model()));
  EXPECT_EQ(agent.guard.stats().runs, 50u) << "more than the most only while requests hold them";
  for (Entry& entry : open) agent.leave(entry);
  for (int i = 0; i < 100; ++i) agent.pass(agent.model());
  EXPECT_LE(agent.guard.stats().runs, 50u);
}

TEST(Tables, TheOldestLinksGoFirst) {
  Links links(100);
  for (std::uint32_t i = 1; i <= 250; ++i) links.put(i * 64, {{i, i, 0}, 0}, 1);
  EXPECT_EQ(links.size(), 100u);
  for (std::uint32_t i = 1; i <= 250; ++i) {
    const auto link = links.find(i * 64);
    ASSERT_EQ(link.has_value(), i > 150) << i;
    EXPECT_EQ(link ? link->run.slot : i, i);
  }
  links.put(200 * 64, {{7, 7, 0}, 3}, 1);
  EXPECT_EQ(links.size(), 100u) << "put again is the same link";
  EXPECT_EQ(links.find(200 * 64)->depth, 3);
}

TEST(Tables, OfFullLinksTheOwnerThatHasMostGivesUpItsOldest) {
  Links links(1000);
  for (std::uint64_t i = 0; i < 20; ++i) links.put(i, {{1, 1, 0}, 0}, 7);
  for (std::uint64_t i = 100; i < 50'000; ++i) links.put(i, {{2, 2, 0}, 0}, 8);
  for (std::uint64_t i = 0; i < 20; ++i) EXPECT_TRUE(links.find(i)) << i;
  EXPECT_FALSE(links.find(100));
  EXPECT_TRUE(links.find(49'999));
  EXPECT_EQ(links.size(), 1000u);
}

TEST(Tables, LinksOfOneKeyAreTakenInTurnAndBounded) {
  Links links(100);
  const auto to = [](std::uint32_t run) { return Link{{run, run, 0}, 1}; };
  for (std::uint32_t run = 1; run <= Links::kMaxSame + 2; ++run) links.push(5, to(run), 1, true);
  links.push(5, to(7), 1, true);
  EXPECT_EQ(links.size(), Links::kMaxSame);
  EXPECT_EQ(links.all(5).front().run.slot, Links::kMaxSame + 2) << "it had one to run 7";
  for (std::uint32_t run = 3; run <= Links::kMaxSame + 2; ++run) EXPECT_EQ(links.take(5)->run.slot, run);
  EXPECT_FALSE(links.take(5));
  links.give_back(5, to(4).run);
  EXPECT_EQ(links.take(5)->run.slot, 4u);
  links.push(5, to(4), 1, false);
  EXPECT_TRUE(links.take_of(5, to(4).run));
  EXPECT_FALSE(links.take_of(5, to(4).run));
  EXPECT_FALSE(links.take(6));
}

TEST(Tables, OneOwnersRefusedRequestsDoNotPushOutAnothersLinks) {
  TestAgent agent({.max_links = 64 * 64});
  Entry entry = agent.admit(agent.model());
  agent.call(entry, test_call("search", "{}", "call_b"));
  agent.leave(entry);
  const Hash128 other = std::exchange(agent.owner, {99, 98});
  const std::size_t before = agent.guard.stats().links;
  for (int i = 0; i < 40; ++i) {
    AgentFacts facts;
    facts.turn = static_cast<std::uint64_t>(i) + 1;
    for (int k = 0; k < 512; ++k) facts.results.push_back(test_result("x" + std::to_string(i * 512 + k), "r"));
    Entry flood = agent.enter(agent.model("", &facts));
    if (i < 20) {
      agent.guard.refused(flood, agent.now + kMinute, agent.now);
      ASSERT_EQ(agent.guard.stats().links, before) << "what is not admitted makes none";
    } else {
      agent.guard.begin(flood, agent.now);
      agent.leave(flood);
    }
  }
  EXPECT_GT(agent.guard.stats().links, before);
  agent.owner = other;
  AgentFacts facts;
  facts.results.push_back(test_result("call_b", "r"));
  Entry next = agent.enter(agent.model("", &facts));
  EXPECT_EQ(next.run, entry.run);
  EXPECT_TRUE(next.unseen.empty());
}

TEST(Tables, WhatARunRemembersIsBounded) {
  Activity activity;
  BreakerRules rules;
  rules.tool_errors.count = 1'000'000;
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    activity.add_call({.signature = i, .id = i, .at = static_cast<TimeNs>(i)});
    activity.take_result(*activity.find_call(i), i);
    activity.take_errors(true, static_cast<TimeNs>(i), rules, static_cast<TimeNs>(i));
    activity.open(i, 1, 1);
    ++activity.children(i);
    activity.prompts.add(i, 1);
  }
  EXPECT_LE(activity.errors_in_row(), static_cast<std::int64_t>(Activity::kMaxErrors));
  EXPECT_EQ(activity.find_call(1), nullptr);
  EXPECT_NE(activity.find_call(5000), nullptr);
  EXPECT_LT(activity.bytes(), 80'000u);
}

TEST(Tables, ServedToolsOfAnOwnerAreBounded) {
  TestAgent agent;
  std::vector<std::string> tools;
  for (int i = 0; i < 5000; ++i) tools.push_back("tool" + std::to_string(i));
  agent.guard.serves(agent.owner, tools);
  const auto known = std::count_if(tools.begin(), tools.end(),
                                   [&](const std::string& tool) { return agent.guard.is_served(agent.owner, tool); });
  EXPECT_EQ(known, 1024);
}

TEST(Tables, OneCallRunsAndToolRunsStayWithinTheirMemory) {
  TestAgent plain;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    plain.owner = {i / 100, 5};
    plain.pass(plain.model());
  }
  const auto bytes_of_one = plain.guard.stats().bytes / plain.guard.stats().runs;
  TestAgent tools;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    tools.owner = {i / 100, 5};
    AgentFacts facts;
    for (std::uint64_t call = 0; call < 4; ++call) {
      facts.turn = i + 1;
      Entry entry = tools.admit(tools.model("", &facts));
      const std::string id = std::to_string(i * 8 + call);
      if (call < 3) tools.call(entry, test_call("t", id, id));
      tools.leave(entry);
      facts.results = {test_result(id, id)};
    }
  }
  EXPECT_EQ(tools.guard.stats().runs, 20'000u);
  const auto bytes_with_tools = tools.guard.stats().bytes / tools.guard.stats().runs;
  RecordProperty("bytes_of_one", static_cast<int>(bytes_of_one));
  RecordProperty("bytes_with_tools", static_cast<int>(bytes_with_tools));
  EXPECT_LT(bytes_of_one, 1000u) << "rates of its caller included";
  EXPECT_LT(bytes_with_tools, 1073u) << "a million of them in 1 GiB";
}

TEST(Runs, AreFoundAndForgottenWhateverTheOrder) {
  Runs runs(0, 1'000'000);
  std::uint64_t random = 1;
  std::vector<bool> open(500, false);
  for (int i = 0; i < 20'000; ++i) {
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    const std::uint64_t which = (random >> 33) % open.size();
    const Hash128 id{0, which % 16 == 0 ? which : which * 0x9e3779b97f4a7c15ULL};
    weir::Run* run = runs.find(id);
    ASSERT_EQ(run != nullptr, open[which]);
    if (run != nullptr) {
      runs.erase(*run);
    } else {
      runs.make(id, {1, which % 7}, "", i, false);
    }
    open[which] = !open[which];
    ASSERT_EQ(runs.size(), static_cast<std::size_t>(std::count(open.begin(), open.end(), true)));
  }
}

TEST(Runs, ANameIsReadBackOnlyInItsOneSpelling) {
  const Hash128 id{0x0123456789abcdef, 0xfedcba9876543210};
  EXPECT_EQ(run_name(id), "run_0123456789abcdeffedcba9876543210");
  EXPECT_EQ(run_id_from(run_name(id)), id);
  EXPECT_FALSE(run_id_from("run_0123456789ABCDEFfedcba9876543210"));
  EXPECT_FALSE(run_id_from("run_0"));
  EXPECT_FALSE(run_id_from(""));
}

TEST(Ends, SweepDoesAtMostWhatItIsTold) {
  TestAgent agent({.max_runs = 1'000'000});
  for (int i = 0; i < 100; ++i) {
    agent.owner = {static_cast<std::uint64_t>(i), 1};
    agent.pass(agent.model());
  }
  EXPECT_TRUE(agent.guard.sweep(agent.rules, agent.now, 1000));
  EXPECT_EQ(agent.guard.stats().runs, 100u) << "none is idle yet";
  agent.now += agent.rules.runs.idle + 1;
  EXPECT_FALSE(agent.guard.sweep(agent.rules, agent.now, 30));
  EXPECT_EQ(agent.guard.stats().runs, 70u);
  EXPECT_TRUE(agent.guard.sweep(agent.rules, agent.now, 1000));
  EXPECT_EQ(agent.guard.stats().runs, 0u);
}

TEST(Ends, WhatIsRefusedKeepsNoRunFromBeingOver) {
  TestAgent agent;
  agent.rules.runs.max_llm_calls = 3;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(agent.pass(agent.model("daily"), {.finished = true}));
  for (int minute = 1; minute <= 10; ++minute) {
    agent.now += kMinute;
    EXPECT_TRUE(agent.pass(agent.model("daily"))) << minute;
  }
  agent.now += kMinute;
  EXPECT_FALSE(agent.pass(agent.model("daily")));
}

TEST(Ends, ABudgetOfAnEvictedOrRestartedRunIsGivenBack) {
  TestAgent agent({.max_runs = 2});
  for (std::uint64_t i = 1; i <= 5; ++i) {
    Entry entry = agent.admit(agent.model("x" + std::to_string(i)));
    EXPECT_TRUE(agent.guard.set_budget(entry, 10, std::nullopt, {5, i}));
    agent.leave(entry, {.used = {.tokens = 3}});
  }
  const auto ended = agent.guard.take_ended_budgets();
  ASSERT_EQ(ended.size(), 3u);
  EXPECT_EQ(ended[0].tag, (Hash128{5, 1}));
  EXPECT_EQ(ended[0].used.tokens, 3);
  agent.now += agent.rules.runs.idle + 1;
  EXPECT_TRUE(agent.admit(agent.model("x5")).begins);
  EXPECT_EQ(agent.guard.take_ended_budgets().size(), 1u);
}

TEST(Ends, EndAllEndsEverythingAndLateLeavesAreHarmless) {
  TestAgent agent;
  Entry open = agent.admit(agent.model("r"));
  agent.guard.end_all(agent.rules, agent.now);
  EXPECT_EQ(agent.guard.stats().runs, 0u);
  agent.call(open, test_call("t", "1"));
  agent.leave(open);
  agent.guard.refused(open, 0, agent.now);
  EXPECT_TRUE(agent.admit(agent.model("r")).begins);
}

TEST(Threads, NothingLeaksWhereManyEnterAndLeaveTheSameAndDifferentRuns) {
  constexpr int kThreads = 4, kRounds = 3000;
  Guard guard({.max_runs = 20'000, .max_runs_per_owner = 5000});
  BehaviorRules rules;
  rules.runs = {.max_tool_calls = 0, .max_llm_calls = 0, .max_fanout = 0, .max_tokens = 500'000, .burst = {}};
  rules.breaker.repeats.count = 0;
  KillSwitches none;
  constexpr TimeNs kNow = 1'000'000 * kSecond;
  std::atomic<int> began{0}, refused{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      std::string token;
      for (int i = 0; i < kRounds; ++i) {
        Arrival arrival;
        arrival.owner = arrival.caller = {static_cast<std::uint64_t>(i % 3), 1};
        arrival.tenant = "acme";
        arrival.kind = Arrival::Kind::kModel;
        arrival.held = {.tokens = 100, .usd_micros = 1};
        const std::string name = i % 4 == 0 ? "shared" : "own-" + std::to_string(thread) + "-" + std::to_string(i / 8);
        if (i % 4 != 3) arrival.run = name;
        if (i % 8 == 7) arrival.lineage = token;
        AgentFacts facts;
        const std::string id = std::to_string(i % 50);
        if (i % 5 == 0) facts.results.push_back(test_result(id, id, i % 2 == 0));
        arrival.facts = &facts;
        Entry entry = guard.enter(arrival, rules, none, kNow + i * kMillisecond);
        if (entry.trip || i % 7 == 0) {
          guard.refused(entry, 0, kNow);
          ++refused;
          continue;
        }
        began += guard.begin(entry, kNow) ? 1 : 0;
        const ToolCall call = test_call("t", id, id);
        guard.call(entry, call, Destination::kNone, kNow);
        if (i % 3 == 0) guard.uncall(entry, call, kNow);
        if (i % 16 == 0) token = guard.sign(entry, Guard::lineage_scope("acme", ""));
        if (i % 11 == 0) guard.sweep(rules, kNow, 10);
        guard.leave(entry, {.finished = true}, kNow);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(began, 0);
  EXPECT_GT(refused, 0);
  // All holds are back: the whole bound is free again in the run that all shared.
  Arrival arrival;
  arrival.owner = arrival.caller = {0, 1};
  arrival.kind = Arrival::Kind::kModel;
  arrival.run = "shared";
  arrival.held.tokens = 500'000;
  rules.breaker.tool_errors.count = 0;
  Entry entry = guard.enter(arrival, rules, none, kNow + kHour / 10);
  EXPECT_FALSE(entry.trip) << entry.trip->evidence;
  guard.refused(entry, 0, kNow);
  guard.end_all(rules, kNow);
  EXPECT_EQ(guard.stats().runs, 0u);
}

}  // namespace
}  // namespace weir
