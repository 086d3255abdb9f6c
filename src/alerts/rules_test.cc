// Each kind of rule begins, repeats, ends, and does not flap.
#include "alerts/rules.h"

#include <gtest/gtest.h>

#include "alerts/measures.h"
#include "alerts/tally.h"

namespace weir {
namespace {

using What = AlertChange::What;
using When = AlertRule::When;

constexpr TimeNs kStart = 1'795'000'000 * kSecond;

AlertRule rule_of(When when) {
  AlertRule rule;
  rule.name = to_string(when);
  rule.when = when;
  rule.within = kMinute;
  return rule;
}

// Seconds that go by, and what was said.
struct Clockwork {
  explicit Clockwork(std::vector<AlertRule> of) : list(std::move(of)) { rules.use(list, "UTC"); }

  std::vector<AlertChange> second(AlertInput input = {}) {
    now += kSecond;
    input.now = now;
    for (const KeySecond& key : input.keys) {
      input.requests += key.requests;
      input.tokens += key.tokens;
      input.usd_micros += key.usd_micros;
    }
    std::vector<AlertChange> changes = rules.step(input);
    for (const AlertChange& change : changes) said.push_back(change);
    return changes;
  }
  void seconds(int count, const AlertInput& input = {}) {
    for (int i = 0; i < count; ++i) second(input);
  }

  std::vector<AlertRule> list;
  AlertRules rules;
  TimeNs now = kStart;
  std::vector<AlertChange> said;
};

AlertInput usage(double ratio, const std::string& limit = "spend", const std::string& subject = "key ann") {
  AlertInput input;
  input.uses.push_back(
      {.limit = limit, .subject = subject, .ratio = ratio, .used = "$8.50", .held = {}, .allowed = "$10"});
  return input;
}

AlertInput tokens(std::int64_t count, const std::string& key = "ann", const std::string& tenant = "acme") {
  AlertInput input;
  KeySecond second;
  second.key = key;
  second.tenant = tenant;
  second.requests = 1;
  second.tokens = count;
  second.usd_micros = count;
  input.keys.push_back(second);
  return input;
}

TEST(AlertRulesTest, UsageBeginsOnceAndEndsOnceItIsWellBelow) {
  Clockwork time({rule_of(When::kUsage)});
  time.seconds(5, usage(0.79));
  EXPECT_TRUE(time.said.empty());
  time.seconds(100, usage(0.85));
  ASSERT_EQ(time.said.size(), 1u);
  const Alert alert = time.said[0].alert;
  EXPECT_EQ(time.said[0].what, What::kBegan);
  EXPECT_EQ(alert.subject, "spend of key ann");
  EXPECT_EQ(alert.sentence, "Limit spend of key ann is used to 85% ($8.50 of $10); the rule says 80%.");
  EXPECT_EQ(time.rules.firing().size(), 1u);
  time.seconds(100, usage(0.75));  // not low enough to be over: it would flap
  EXPECT_EQ(time.said.size(), 1u);
  time.seconds(12, usage(0.5));
  ASSERT_EQ(time.said.size(), 2u);
  EXPECT_EQ(time.said[1].what, What::kResolved);
  EXPECT_EQ(time.said[1].alert.id, alert.id);
  EXPECT_FALSE(time.said[1].alert.firing());
  EXPECT_TRUE(time.rules.firing().empty());
}

TEST(AlertRulesTest, WhatSwingsAroundTheThresholdIsSaidOnce) {
  Clockwork time({rule_of(When::kUsage)});
  for (int i = 0; i < 300; ++i) time.second(usage(i % 7 == 0 ? 0.6 : 0.81));
  EXPECT_EQ(time.said.size(), 1u);
}

TEST(AlertRulesTest, ForWaitsAndEveryRepeats) {
  AlertRule rule = rule_of(When::kUsage);
  rule.hold = 30 * kSecond;
  rule.every = kMinute;
  Clockwork time({rule});
  time.seconds(29, usage(0.9));
  time.second(usage(0.1));
  time.seconds(29, usage(0.9));
  EXPECT_TRUE(time.said.empty());
  time.seconds(130, usage(0.9));
  ASSERT_EQ(time.said.size(), 3u);
  EXPECT_EQ(time.said[0].what, What::kBegan);
  EXPECT_EQ(time.said[1].what, What::kAgain);
  EXPECT_EQ(time.said[2].alert.told_at - time.said[1].alert.told_at, kMinute);
}

TEST(AlertRulesTest, UsageOfOneLimitOrOfEvery) {
  AlertRule one = rule_of(When::kUsage), every = rule_of(When::kUsage);
  one.limit = "spend";
  every.name = "any";
  Clockwork time({one, every});
  time.second(usage(0.9, "tokens"));
  ASSERT_EQ(time.said.size(), 1u);
  EXPECT_EQ(time.said[0].alert.rule, "any");
}

TEST(AlertRulesTest, SpendIsSummedUpPerTenant) {
  AlertRule rule = rule_of(When::kSpend);
  rule.per = AlertRule::Per::kTenant;
  rule.amount_micros = 5'000'000;
  Clockwork time({rule});
  for (int i = 0; i < 4; ++i) {
    time.second(tokens(1'000'000, i % 2 == 0 ? "ann" : "bob"));
    time.second(tokens(900'000, "eve", "other"));
  }
  EXPECT_TRUE(time.said.empty());
  time.second(tokens(1'000'000));
  ASSERT_EQ(time.said.size(), 1u);
  EXPECT_EQ(time.said[0].alert.sentence, "Tenant acme spent $5.00 within 1m; the rule says $5.00.");
  time.seconds(75);
  ASSERT_EQ(time.said.size(), 2u);
  EXPECT_EQ(time.said[1].what, What::kResolved);
}

TEST(AlertRulesTest, SpendOfTheProcessBeforeCounts) {
  AlertRule rule = rule_of(When::kSpend);
  rule.amount_micros = 5'000'000;
  Clockwork time({rule});
  time.rules.spent_before("spend", "", 4'900'000, kStart);
  time.second(tokens(200'000));
  ASSERT_EQ(time.said.size(), 1u);
  EXPECT_EQ(time.said[0].alert.subject, "all traffic");
  time.rules.spent_before("spend", "", 90'000'000, kStart);  // it has seen seconds: it knows better
  EXPECT_TRUE(time.second(tokens(1)).empty());
}

TEST(AlertRulesTest, AForecastIsMadeAtThePaceSoFarAndEndsWithThePeriod) {
  AlertRule rule = rule_of(When::kSpend);
  rule.period = "day";
  rule.amount_micros = 24'000'000;  // a dollar an hour
  Clockwork time({rule});
  time.now = kStart / kDay * kDay + 10 * kMinute - kSecond;
  time.second(tokens(900'000));
  EXPECT_TRUE(time.said.empty()) << "less than 5% of the day says nothing";
  time.now += 2 * kHour;
  time.second(tokens(900'000));
  EXPECT_TRUE(time.said.empty());
  time.second(tokens(500'000));
  ASSERT_EQ(time.said.size(), 1u);
  EXPECT_EQ(time.said[0].alert.sentence,
            "All traffic spent $2.30 so far this day and will come to $25.47 at that pace; the rule says $24.00.");
  time.now += kDay;
  time.seconds(12);
  EXPECT_EQ(time.said.back().what, What::kResolved);
}

AlertRule spike() {
  AlertRule rule = rule_of(When::kSpike);
  rule.per = AlertRule::Per::kKey;
  rule.least = 1'000;
  return rule;
}

TEST(AlertRulesTest, ASpikeIsManyTimesTheOwnBaseline) {
  Clockwork time({spike()});
  for (int minute = 0; minute < 90; ++minute) {
    time.second(tokens(2'000, "ann"));
    time.second(tokens(200, "bob"));
    time.seconds(58);
  }
  EXPECT_TRUE(time.said.empty());
  time.second(tokens(9'000, "ann"));
  EXPECT_TRUE(time.said.empty()) << "less than five times as much";
  time.seconds(60);
  time.second(tokens(1'900, "bob"));
  ASSERT_EQ(time.said.size(), 1u);
  EXPECT_EQ(time.said[0].alert.subject, "key bob");
  EXPECT_EQ(time.said[0].alert.cause, "unknown");
  EXPECT_NE(time.said[0].alert.sentence.find("10 times its own baseline of 19"), std::string::npos)
      << time.said[0].alert.sentence;
  time.seconds(80);
  ASSERT_EQ(time.said.size(), 2u);
  EXPECT_EQ(time.said[1].what, What::kResolved);
}

TEST(AlertRulesTest, NobodyIsJudgedBeforeTheWarmupNorBelowTheLeast) {
  Clockwork time({spike()});
  for (int minute = 0; minute < 50; ++minute) {
    time.second(tokens(10));
    time.seconds(59);
  }
  time.second(tokens(1'000'000));
  EXPECT_TRUE(time.said.empty()) << "50 minutes are less than an hour";
  Clockwork later({spike()});
  for (int minute = 0; minute < 70; ++minute) {
    later.second(tokens(10));
    later.seconds(59);
  }
  later.second(tokens(900));
  EXPECT_TRUE(later.said.empty()) << "90 times as much, but little";
}

TEST(AlertRulesTest, ALevelThatStaysBecomesUsual) {
  Clockwork time({spike()});
  const auto minutes = [&](int count, std::int64_t amount) {
    for (int minute = 0; minute < count; ++minute) {
      time.second(tokens(amount));
      time.seconds(59);
    }
  };
  minutes(120, 1'000);
  minutes(5, 20'000);
  ASSERT_EQ(time.said.size(), 1u);
  minutes(115, 20'000);
  ASSERT_EQ(time.said.size(), 2u) << "two hours later it is what this key does";
  EXPECT_EQ(time.said[1].what, What::kResolved);
}

// Half an hour of ordinary use, then `hot` for some seconds.
Alert spike_with(KeySecond hot) {
  AlertRule rule = spike();
  rule.warmup = 10 * kMinute;
  Clockwork time({rule});
  for (int minute = 0; minute < 30; ++minute) {
    time.second(tokens(1'000));
    time.seconds(59);
  }
  hot.key = "ann";
  hot.tier = "free";
  hot.requests = 10;
  hot.tokens = 4'000;
  for (std::uint64_t i = 0; i < 8 && time.said.empty(); ++i) {
    AlertInput input;
    if (hot.threads.empty()) hot.threads = {{i * 2, 5}, {i * 2 + 1, 5}};
    input.keys.push_back(hot);
    time.second(input);
  }
  return time.said.empty() ? Alert() : time.said[0].alert;
}

TEST(AlertRulesTest, ASpikeNamesItsCauseWithTheEvidence) {
  KeySecond loop;
  loop.breaks = 2;
  loop.break_evidence = "search was called 5 times with the same arguments.";
  Alert alert = spike_with(loop);
  EXPECT_EQ(alert.cause, "loop");
  EXPECT_NE(alert.sentence.find("Likely cause: loop; breakers noticed it"), std::string::npos) << alert.sentence;
  EXPECT_NE(alert.sentence.find("search was called 5 times with the same arguments."), std::string::npos);

  KeySecond injected;
  injected.anomalies = 1;
  injected.anomaly_evidence = "send_email was never used in 40 ordinary runs of this task";
  alert = spike_with(injected);
  EXPECT_EQ(alert.cause, "injection");
  EXPECT_NE(alert.sentence.find("send_email was never used"), std::string::npos) << alert.sentence;

  KeySecond failing;
  failing.failed = 6;
  EXPECT_EQ(spike_with(failing).cause, "provider");
}

TEST(AlertRulesTest, TheCauseOfASpikeIsSoughtInItsOwnWindow) {
  AlertRule rule = spike();
  rule.meter = AlertRule::Meter::kRequests;
  rule.least = 20;
  rule.within = 10 * kSecond;
  rule.warmup = kMinute;
  Clockwork time({rule});
  const auto ask = [&](std::int64_t requests, std::uint64_t run) {
    AlertInput input = tokens(1);
    input.keys[0].requests = requests;
    input.keys[0].threads = {{run, requests}};
    time.second(input);
  };
  for (std::uint64_t i = 0; i < 300; ++i) ask(1, i);
  EXPECT_TRUE(time.said.empty());
  for (int i = 0; i < 5 && time.said.empty(); ++i) ask(50, 1'000);
  ASSERT_EQ(time.said.size(), 1u);
  EXPECT_EQ(time.said[0].alert.cause, "loop") << time.said[0].alert.sentence;
}

TEST(AlertRulesTest, AWarningStopsNobodyAndTheBreakAfterItIsSaid) {
  Clockwork time({rule_of(When::kBreakerOpened)});
  const auto event = [&](DecisionEvent::What what, const char* evidence) {
    AlertTally tally;
    DecisionEvent out;
    out.what = what;
    out.key = "bob";
    out.layer = "breaker";
    out.limit = "loops";
    out.evidence = evidence;
    tally.add(out);
    AlertInput input;
    tally.close(time.now, input);
    return time.second(input);
  };
  EXPECT_TRUE(event(DecisionEvent::What::kWarned, "search was called 3 times").empty());
  const auto changes = event(DecisionEvent::What::kBroken, "search was called 5 times");
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].alert.sentence, "A breaker stopped key bob: search was called 5 times");
}

TEST(AlertRulesTest, OneRunThatDoesNearlyAllIsALoopManyAtTheirLimitAreATierOutgrown) {
  KeyEvidence one, many, failing;
  KeySecond second;
  second.requests = 10;
  second.threads = {{7, 10}};
  for (int i = 0; i < 5; ++i) one.add(second, kStart + i * kSecond);
  EXPECT_EQ(cause_of(one, kStart + 5 * kSecond).word, "loop");
  second.tier = "free";
  second.refused = 1;
  second.refused_limit = "tokens";
  for (std::uint64_t i = 0; i < 6; ++i) {
    second.threads = {{i, 10}};
    many.add(second, kStart + static_cast<TimeNs>(i) * kSecond);
  }
  const Cause grown = cause_of(many, kStart + 6 * kSecond);
  EXPECT_EQ(grown.word, "outgrown_tier");
  EXPECT_NE(grown.evidence.find("6 times by limit tokens of tier free"), std::string::npos) << grown.evidence;
  second.failed = 5;
  failing.add(second, kStart);
  failing.add(second, kStart + kSecond);
  EXPECT_EQ(cause_of(failing, kStart + kSecond).word, "provider");
}

TEST(AlertRulesTest, OfMoreRunsThanAreToldApartTheOneThatMadeLeastMakesRoom) {
  KeyEvidence evidence;
  KeySecond second;
  second.requests = 1;
  for (std::uint64_t run = 0; run < 2 * KeyEvidence::kMaxThreads; ++run) {
    second.threads = {{run, 1}};
    evidence.add(second, kStart);
  }
  EXPECT_EQ(evidence.threads(kStart), KeyEvidence::kMaxThreads);
  second.threads = {{1'000, 2}};
  evidence.add(second, kStart);
  for (std::uint64_t run = 0; run < KeyEvidence::kMaxThreads; ++run) {
    second.threads = {{2'000 + run, 1}};
    evidence.add(second, kStart);
  }
  EXPECT_EQ(evidence.busiest_thread(kStart), 2);
  EXPECT_EQ(evidence.threads(kStart + 2 * kMinute), 0u);
}

TEST(AlertRulesTest, BreakersFireWhileTheyAreOpen) {
  Clockwork time({rule_of(When::kBreakerOpened)});
  AlertInput open;
  open.open_breakers.push_back({"openai", "gpt-4o"});
  time.seconds(20, open);
  ASSERT_EQ(time.said.size(), 1u);
  EXPECT_EQ(time.said[0].alert.subject, "provider openai, model gpt-4o");
  time.seconds(12);
  ASSERT_EQ(time.said.size(), 2u);
  EXPECT_EQ(time.said[1].what, What::kResolved);
  AlertInput looping = tokens(1, "bob");
  looping.keys[0].breaks = 1;
  looping.keys[0].break_evidence = "search was called 5 times.";
  time.second(looping);
  ASSERT_EQ(time.said.size(), 3u);
  EXPECT_EQ(time.said[2].alert.sentence, "A breaker stopped key bob: search was called 5 times.");
}

TEST(AlertRulesTest, FailOpenLastsAsLongAsRequestsPass) {
  AlertRule rule = rule_of(When::kFailOpen);
  rule.hold = 10 * kSecond;
  Clockwork time({rule});
  AlertInput input;
  for (int i = 0; i < 15; ++i) {
    input.fail_open = {{"spend", i}};
    time.second(input);
  }
  ASSERT_EQ(time.said.size(), 1u);
  EXPECT_EQ(time.said[0].alert.subject, "limit spend");
  time.seconds(30, input);
  ASSERT_EQ(time.said.size(), 2u);
  EXPECT_EQ(time.said[1].what, What::kResolved);
}

TEST(AlertRulesTest, DriftIsWhatAnswersUseBeyondWhatWasHeld) {
  AlertRule rule = rule_of(When::kSettlementDrift);
  rule.above_percent = 10;
  Clockwork time({rule});
  AlertInput input;
  input.settled = kLeastSettled - 1;
  input.settled_reserved = 1'000;
  input.settled_used = 2'000;
  time.second(input);
  EXPECT_TRUE(time.said.empty()) << "too few answers";
  time.second(input);
  ASSERT_EQ(time.said.size(), 1u);
  EXPECT_EQ(time.said[0].alert.value, 100);
  Clockwork less({rule});
  input.settled = 1'000;
  input.settled_used = 100;  // less than was held is as it should be
  less.seconds(5, input);
  EXPECT_TRUE(less.said.empty());
}

TEST(AlertRulesTest, ProviderErrorsAreAShareOfCalls) {
  AlertRule rule = rule_of(When::kProviderErrors);
  rule.above_percent = 20;
  Clockwork time({rule});
  AlertInput input;
  input.providers = {{"openai", 19, 4}};
  time.second(input);
  EXPECT_TRUE(time.said.empty()) << "too few calls";
  Clockwork down({rule});
  input.providers = {{"openai", 5, 5}};
  down.second(input);
  EXPECT_EQ(down.said.size(), 1u) << "breakers of callers may stop the sixth: it is not the caller that fails";
  input.providers = {{"openai", 100, 19}, {"claude", 300, 76}};
  time.second(input);
  ASSERT_EQ(time.said.size(), 1u);
  EXPECT_EQ(time.said[0].alert.sentence,
            "76 of 300 calls to provider claude failed within 1m (25%); the rule says 20%.");
  EXPECT_EQ(time.said[0].alert.value, 25.3) << "no more digits than anybody reads";
  time.seconds(75, input);
  EXPECT_EQ(time.said.back().what, What::kResolved);
}

TEST(AlertRulesTest, ARestartSaysNothingTwiceAndEndsWhatIsOver) {
  Clockwork before({rule_of(When::kUsage)});
  before.second(usage(0.9));
  const std::vector<Alert> firing = before.rules.firing();
  Clockwork after({rule_of(When::kUsage)});
  after.now = before.now + kMinute;
  after.rules.restore(firing, {}, after.now);
  after.seconds(20, usage(0.9));
  EXPECT_TRUE(after.said.empty());
  after.seconds(12);
  ASSERT_EQ(after.said.size(), 1u);
  EXPECT_EQ(after.said[0].what, What::kResolved);
  EXPECT_EQ(after.said[0].alert.id, firing[0].id);
  Clockwork gone({rule_of(When::kBreakerOpened)});
  gone.rules.restore(firing, {}, gone.now);
  ASSERT_EQ(gone.second().size(), 1u) << "its rule is not there any more";
}

TEST(AlertRulesTest, AfterARestartASubjectOfWhichNothingIsKnownIsNotOver) {
  Clockwork before({rule_of(When::kUsage)});
  before.second(usage(0.9));
  const std::vector<Alert> firing = before.rules.firing();
  Clockwork after({rule_of(When::kUsage)});
  after.now = before.now + kMinute;
  after.rules.restore(firing, {{"spend", kHour}}, after.now);
  after.seconds(600, usage(0.2, "spend", "key bob"));
  EXPECT_TRUE(after.said.empty());
  EXPECT_EQ(after.rules.firing().size(), 1u);
  after.seconds(100, usage(0.9));
  EXPECT_TRUE(after.said.empty()) << "it is said already";
  after.seconds(12, usage(0.2));
  ASSERT_EQ(after.said.size(), 1u);
  EXPECT_EQ(after.said[0].what, What::kResolved);
  EXPECT_EQ(after.said[0].alert.id, firing[0].id);
  Clockwork silent({rule_of(When::kUsage)});
  silent.rules.restore(firing, {{"spend", kHour}}, silent.now);
  silent.seconds(3'600);
  EXPECT_TRUE(silent.said.empty());
  silent.seconds(12);
  EXPECT_EQ(silent.said.size(), 1u) << "whatever was used before the start has left the window";
}

TEST(AlertRulesTest, SubjectsOfTheSameNameAreToldApartAlsoAfterARestart) {
  AlertInput both = usage(0.9, "spend", "run nightly");
  both.uses.push_back(both.uses[0]);
  both.uses[0].id = 1;
  both.uses[1].id = 2;
  both.uses[1].ratio = 0.1;
  Clockwork before({rule_of(When::kUsage)});
  before.seconds(100, both);
  ASSERT_EQ(before.said.size(), 1u) << "what the other one uses says nothing of it";
  EXPECT_EQ(before.said[0].alert.subject, "spend of run nightly");
  Clockwork after({rule_of(When::kUsage)});
  after.now = before.now;
  after.rules.restore(before.rules.firing(), {{"spend", kHour}}, after.now);
  std::swap(both.uses[0].ratio, both.uses[1].ratio);
  after.seconds(12, both);
  ASSERT_EQ(after.said.size(), 2u);
  EXPECT_EQ(after.said[0].what, What::kBegan);
  EXPECT_EQ(after.said[1].what, What::kResolved);
  EXPECT_NE(after.said[0].alert.id, after.said[1].alert.id);
}

TEST(AlertRulesTest, UsageSaysWhatIsHeldAndThatAShadowLimitRefusesNothing) {
  Clockwork time({rule_of(When::kUsage)});
  AlertInput input = usage(0.933);
  input.uses[0].used = "27";
  input.uses[0].held = "1";
  input.uses[0].allowed = "30";
  input.uses[0].shadow = true;
  time.second(input);
  ASSERT_EQ(time.said.size(), 1u);
  EXPECT_EQ(time.said[0].alert.sentence,
            "Limit spend of key ann is used to 93% (27 of 30 used, 1 held); the rule says 80%. The limit is in shadow "
            "mode and refuses nothing.");
  EXPECT_EQ(time.said[0].alert.value, 93.3);
}

TEST(AlertRulesTest, WhatFiresIsShownAsItIsNowAndNobodyIsTold) {
  Clockwork time({rule_of(When::kSpend)});
  time.list[0].amount_micros = 100;
  time.rules.use(time.list, "UTC");
  time.second(tokens(200));
  ASSERT_EQ(time.said.size(), 1u);
  time.second(tokens(970'000));
  ASSERT_EQ(time.rules.firing().size(), 1u);
  EXPECT_EQ(time.rules.firing()[0].value, 0.9702);
  EXPECT_EQ(time.rules.firing()[0].sentence, "All traffic spent $0.97 within 1m; the rule says $0.00.");
  EXPECT_EQ(time.said.size(), 1u);
}

TEST(AlertRulesTest, UsesThatAreJudgedAreNamedUntilTheirAlertIsOver) {
  Clockwork time({rule_of(When::kUsage)});
  time.list[0].hold = 5 * kSecond;
  time.rules.use(time.list, "UTC");
  AlertInput near = usage(0.85), far = usage(0.1);
  near.uses[0].id = far.uses[0].id = 7;
  time.second(far);
  EXPECT_TRUE(time.rules.judged().empty());
  const AlertRules::Judged expected{{"spend", 7}};
  time.second(near);
  EXPECT_EQ(time.rules.judged(), expected) << "it waits for `for`";
  time.seconds(10, near);
  time.seconds(9, far);
  EXPECT_EQ(time.rules.judged(), expected) << "below, and not yet over";
  time.seconds(5, far);
  EXPECT_TRUE(time.rules.judged().empty());
}

TEST(AlertRulesTest, AReloadKeepsWhatStaysAndEndsWhatIsGone) {
  Clockwork time({rule_of(When::kUsage), rule_of(When::kBreakerOpened)});
  AlertInput both = usage(0.9);
  both.open_breakers.push_back({"openai", "gpt-4o"});
  time.second(both);
  ASSERT_EQ(time.said.size(), 2u);
  const std::vector<AlertRule> fewer = {rule_of(When::kUsage)};
  time.rules.use(fewer, "UTC");
  const auto changes = time.second(both);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].what, What::kResolved);
  EXPECT_EQ(changes[0].alert.rule, "breaker_opened");
}

TEST(AlertRulesTest, MoreSubjectsThanFitAreNotSaid) {
  Clockwork time({rule_of(When::kUsage)});
  AlertInput input;
  for (std::size_t i = 0; i < AlertRules::kMaxSubjects + 10; ++i) {
    input.uses.push_back(
        {.limit = "spend", .subject = "key " + std::to_string(i), .ratio = 1, .used = {}, .held = {}, .allowed = {}});
  }
  EXPECT_EQ(time.second(input).size(), AlertRules::kMaxSubjects);
  EXPECT_TRUE(time.second(input).empty());
}

TEST(AlertRulesTest, SubjectsWithSumsAreBounded) {
  AlertRule rule = rule_of(When::kSpend);
  rule.per = AlertRule::Per::kKey;
  rule.amount_micros = 2'000'000;
  Clockwork time({rule});
  AlertInput input = tokens(1'900'000, "first");
  time.second(input);
  for (std::size_t i = 0; i < AlertRules::kMaxTracked; i += 1'000) {
    AlertInput many;
    for (std::size_t j = 0; j < 1'000; ++j) many.keys.push_back(tokens(1, "k" + std::to_string(i + j)).keys[0]);
    many.now = time.now;
    time.rules.step(many);
  }
  EXPECT_TRUE(time.second(tokens(1'000'000, "first")).empty()) << "forgotten: it was used least recently";
  EXPECT_EQ(time.second(tokens(1'000'000, "first")).size(), 1u);
}

}  // namespace
}  // namespace weir
