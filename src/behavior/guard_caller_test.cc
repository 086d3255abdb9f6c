// What concerns a caller across its runs: profiles, trust, failing prompts, requests without a run.
#include <gtest/gtest.h>

#include "behavior/test_agent.h"

namespace weir {
namespace {

class Calling : public testing::Test {
 protected:
  Calling() { agent.rules.profiles = {.sensitive = {"send_*"}, .warmup = 5}; }
  // A run of one task that makes these calls; the last verdict.
  CallVerdict run(std::initializer_list<std::pair<std::string_view, Destination>> calls, bool ordinary = false) {
    Arrival arrival = agent.model();
    arrival.agent = "bot";
    arrival.task = "billing";
    arrival.ordinary = ordinary;
    last = agent.admit(arrival);
    CallVerdict verdict;
    for (const auto& [tool, destination] : calls) {
      verdict = agent.guard.call(last, test_call(tool, "{}"), destination, agent.now);
    }
    agent.leave(last, {.finished = true});
    agent.now += agent.rules.runs.idle + 1;
    agent.guard.sweep(agent.rules, agent.now, 100);
    return verdict;
  }
  TestAgent agent;
  Entry last;
};

TEST_F(Calling, AfterWarmUpAToolThatWasNeverUsedIsAnAnomalyAndCostsTrust) {
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(run({{"search", Destination::kNone}}).warn) << i;
  EXPECT_EQ(agent.guard.trust_permille(agent.owner, agent.rules.trust, agent.now), 1000);
  const CallVerdict verdict = run({{"search", Destination::kNone}, {"send_email", Destination::kKnown}});
  EXPECT_FALSE(verdict.trip) << "audit only";
  ASSERT_TRUE(verdict.warn);
  EXPECT_EQ(verdict.warn->guard, "profile");
  EXPECT_EQ(verdict.warn->meter, "anomalies");
  ASSERT_GE(last.notes.size(), 2u);
  EXPECT_EQ(last.notes[0].event, AuditEvent::kTrust);
  EXPECT_EQ(last.notes[1].event, AuditEvent::kWarned);
  agent.now -= agent.rules.runs.idle;
  EXPECT_LT(agent.guard.trust_permille(agent.owner, agent.rules.trust, agent.now), 1000);
  EXPECT_LT(agent.enter(agent.model()).trust_permille, 1000);
}

TEST_F(Calling, ARunWithAnAnomalyTeachesNothingButAnOrdinaryOneAlways) {
  agent.rules.profiles.refuse = true;
  for (int i = 0; i < 5; ++i) run({{"search", Destination::kNone}});
  EXPECT_TRUE(run({{"send_email", Destination::kNone}}).trip);
  EXPECT_TRUE(run({{"send_email", Destination::kNone}}).trip) << "it was not learned";
  EXPECT_FALSE(run({{"send_email", Destination::kNone}}, true).trip);
  EXPECT_FALSE(run({{"send_email", Destination::kNone}}).trip);
}

TEST_F(Calling, ARunThatWasRefusedOrBrokenTeachesNothing) {
  for (int i = 0; i < 8; ++i) {
    Arrival arrival = agent.model("r");
    arrival.agent = "bot";
    arrival.task = "billing";
    Entry entry = agent.admit(arrival);
    agent.call(entry, test_call("search", "{}"));
    Entry refused = agent.enter(arrival);
    agent.guard.refused(refused, 0, agent.now);
    agent.leave(entry);
    agent.guard.end_all(agent.rules, agent.now);
  }
  EXPECT_FALSE(run({{"send_email", Destination::kNone}}).warn) << "still warming up";
}

TEST_F(Calling, ArgumentsOfSensitiveToolsAreWaitedForWhereTheyCouldBeRefused) {
  Entry entry = agent.admit(agent.model());
  EXPECT_FALSE(agent.guard.hangs_on_arguments(entry, "send_email"));
  agent.rules.profiles.refuse = true;
  EXPECT_TRUE(agent.guard.hangs_on_arguments(entry, "send_email"));
  EXPECT_FALSE(agent.guard.hangs_on_arguments(entry, "search"));
}

TEST_F(Calling, ThrottlesEscalateToTheAccountOnce) {
  agent.rules.profiles.refuse = true;
  agent.rules.trust.escalate = {1, kDay};
  agent.rules.trust.action = TrustAction::kSuspend;
  for (int i = 0; i < 5; ++i) run({{"search", Destination::kNone}});
  run({{"send_email", Destination::kNone}});
  const auto escalations = agent.guard.take_escalations();
  ASSERT_EQ(escalations.size(), 1u);
  EXPECT_EQ(escalations[0].key, "key-a");
  EXPECT_EQ(escalations[0].action, TrustAction::kSuspend);
  EXPECT_TRUE(agent.guard.take_escalations().empty());
}

TEST_F(Calling, AnEndUserGetsTheKeyFlaggedNotSuspended) {
  agent.rules.profiles.refuse = true;
  agent.rules.trust.escalate = {1, kDay};
  agent.rules.trust.action = TrustAction::kSuspend;
  for (int i = 0; i < 5; ++i) run({{"search", Destination::kNone}});
  Arrival arrival = agent.model();
  arrival.agent = "bot";
  arrival.task = "billing";
  arrival.caller = {7, 7};
  arrival.caller_name = "mallory";
  arrival.caller_is_key = false;
  Entry entry = agent.admit(arrival);
  agent.call(entry, test_call("send_email", "{}"));
  const auto escalations = agent.guard.take_escalations();
  ASSERT_EQ(escalations.size(), 1u);
  EXPECT_EQ(escalations[0].key, "key-a");
  EXPECT_EQ(escalations[0].action, TrustAction::kFlag);
  EXPECT_TRUE(escalations[0].evidence.starts_with("end user mallory: ")) << escalations[0].evidence;
}

TEST(Callers, TenRunsWhoseLastAnswerFailedRefuseTheNext) {
  TestAgent agent;
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(agent.pass(agent.model(), {.failed = true})) << i;
  const auto trip = agent.pass(agent.model());
  ASSERT_TRUE(trip);
  EXPECT_EQ(trip->guard, "failed_prompts");
  EXPECT_EQ(trip->meter, "prompts");
  EXPECT_EQ(agent.guard.stats().runs, 10u) << "the refused one began none";
  agent.now += agent.rules.breaker.cooldown;
  EXPECT_FALSE(agent.pass(agent.model())) << "the probe";
  EXPECT_FALSE(agent.pass(agent.model()));
}

TEST(Callers, AFailingRequestThatIsRepeatedSeesTheUpstreamFiveTimes) {
  TestAgent agent;
  int seen = 0;
  for (int i = 0; i < 500; ++i) {
    Arrival arrival = agent.model();
    arrival.kind = Arrival::Kind::kOther;
    arrival.fingerprint = 99;
    Entry entry = agent.admit(arrival);
    if (entry.trip) {
      EXPECT_EQ(entry.trip->guard, "unlinked");
      continue;
    }
    ++seen;
    agent.leave(entry, {.failed = true});
  }
  EXPECT_EQ(seen, 5);
  Arrival named = agent.model("r");
  named.kind = Arrival::Kind::kOther;
  named.fingerprint = 99;
  EXPECT_TRUE(agent.pass(named)) << "a name that is new does not help";
  agent.pass(agent.model("r"));
  EXPECT_FALSE(agent.pass(named)) << "an earlier run is watched by its own breakers";
}

TEST(Callers, ComingBackBeforeTheWaitThatWasToldCountsAsAFailure) {
  TestAgent agent;
  std::optional<Trip> trip;
  for (int i = 0; i < 10 && !trip; ++i) {
    Arrival arrival = agent.model();
    arrival.fingerprint = 77;
    Entry entry = agent.enter(arrival);
    trip = entry.trip;
    agent.guard.refused(entry, agent.now + kMinute, agent.now);
    agent.now += kMillisecond;
  }
  ASSERT_TRUE(trip);
  EXPECT_EQ(trip->guard, "unlinked");
  EXPECT_EQ(agent.guard.stats().runs, 0u);
}

// A breaker that says half a minute to who was told days makes the caller come back for nothing.
TEST(Callers, ABreakerNamesNoShorterWaitThanALimitToldTheSameRequest) {
  TestAgent agent;
  Arrival arrival = agent.model();
  arrival.fingerprint = 77;
  const TimeNs room = agent.now + 4 * kDay;
  int refused = 0, tripped = 0;
  // Breakers tell their waits to the guard too: those must not prolong themselves.
  for (int i = 0; i < 20; ++i) {
    Entry entry = agent.enter(arrival);
    if (entry.trip) {
      EXPECT_EQ(entry.trip->guard, "unlinked");
      EXPECT_EQ(entry.trip->retry_after, room - agent.now) << i;
    }
    ++(entry.trip ? tripped : refused);
    agent.guard.refused(entry, entry.trip ? agent.now + entry.trip->retry_after : room, agent.now);
    agent.now += kSecond;
  }
  EXPECT_EQ(refused, 5);
  EXPECT_EQ(tripped, 15);
  arrival.fingerprint = 78;
  EXPECT_FALSE(agent.pass(arrival)) << "another request";
}

TEST(Callers, AWaitThatIsOverIsTheLimitsNoMore) {
  TestAgent agent;
  Arrival arrival = agent.model();
  arrival.fingerprint = 77;
  Entry told = agent.enter(arrival);
  agent.guard.refused(told, agent.now + kHour, agent.now);
  agent.pass(arrival, {.failed = true});  // let in: there is room again, whatever became of it
  std::optional<Trip> trip;
  for (int i = 0; i < 10 && !trip; ++i) trip = agent.pass(arrival, {.failed = true});
  ASSERT_TRUE(trip);
  EXPECT_EQ(trip->retry_after, agent.rules.breaker.cooldown);
}

TEST(Callers, ABreakerOfFailedPromptsKnowsTheWaitThatThisRequestWasTold) {
  TestAgent agent;
  Arrival arrival = agent.model();
  arrival.fingerprint = 77;
  Entry told = agent.enter(arrival);
  agent.guard.refused(told, agent.now + kHour, agent.now);
  std::optional<Trip> other;
  for (int i = 0; i < 50 && !other; ++i) other = agent.pass(agent.model(), {.failed = true});
  ASSERT_TRUE(other);
  ASSERT_EQ(other->guard, "failed_prompts");
  EXPECT_EQ(other->retry_after, agent.rules.breaker.cooldown) << "nobody told this one anything";
  const std::optional<Trip> again = agent.pass(arrival);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->guard, "failed_prompts");
  EXPECT_EQ(again->retry_after, kHour);
}

TEST(Callers, ABusyCallerWithFewErrorsIsNotShut) {
  TestAgent agent;
  for (int i = 0; i < 3000; ++i) {
    ASSERT_FALSE(agent.pass(agent.model(), {.failed = i % 50 == 0, .finished = true})) << i;
    agent.now += 50 * kMillisecond;  // 20 a second, 2% fail
  }
}

TEST(Callers, TheSamePromptAnsweredByALaterRunMakesUpForTheFailedOne) {
  TestAgent agent;
  AgentFacts facts;
  for (std::uint64_t prompt = 1; prompt <= 50; ++prompt) {
    facts.prompt = facts.turn = prompt;
    ASSERT_FALSE(agent.pass(agent.model("", &facts), {.failed = true})) << prompt;
    ASSERT_FALSE(agent.pass(agent.model("", &facts), {.failed = true})) << prompt;
    ASSERT_FALSE(agent.pass(agent.model("", &facts), {.finished = true})) << prompt;
  }
}

TEST(Callers, AProbeWhoseClientLeftNeitherClosesNorOpensTheBreaker) {
  TestAgent agent;
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(agent.pass(agent.model(), {.failed = true}));
  EXPECT_TRUE(agent.pass(agent.model()));
  agent.now += agent.rules.breaker.cooldown;
  EXPECT_FALSE(agent.pass(agent.model(), {.unknown = true})) << "the probe";
  Entry probe = agent.admit(agent.model());
  EXPECT_FALSE(probe.trip) << "another";
  EXPECT_TRUE(agent.pass(agent.model())) << "still open";
  agent.leave(probe, {.failed = true});
  EXPECT_TRUE(agent.pass(agent.model()));
}

TEST(Callers, ClientsThatLeaveAreNoFailures) {
  TestAgent agent;
  for (int i = 0; i < 100; ++i) {
    Arrival arrival = agent.model();
    arrival.fingerprint = 5;
    ASSERT_FALSE(agent.pass(arrival, {.failed = true, .unknown = true})) << i;
  }
}

TEST(Callers, ManyNewToolsCostTrust) {
  TestAgent agent;
  agent.rules.runs.burst = {};
  for (int i = 0; i < 24 * 12 * 2; ++i) {  // two quiet days, one tool
    Entry entry = agent.admit(agent.model());
    agent.call(entry, test_call("search", std::to_string(i)));
    agent.leave(entry, {.finished = true});
    agent.now += 5 * kMinute;
  }
  Entry entry = agent.admit(agent.model());
  for (int i = 0; i < 40; ++i) agent.call(entry, test_call("tool" + std::to_string(i), "{}"));
  EXPECT_FALSE(entry.notes.empty());
  agent.leave(entry, {.finished = true});
  EXPECT_LT(agent.guard.trust_permille(agent.owner, agent.rules.trust, agent.now), 1000);
}

TEST(Callers, InShadowTheyAreNoted) {
  TestAgent agent;
  agent.rules.breaker.shadow = true;
  for (int i = 0; i < 10; ++i) agent.pass(agent.model(), {.failed = true});
  Entry entry = agent.admit(agent.model());
  EXPECT_FALSE(entry.trip);
  ASSERT_EQ(entry.notes.size(), 1u);
  EXPECT_EQ(entry.notes[0].event, AuditEvent::kBroken);
}

}  // namespace
}  // namespace weir
