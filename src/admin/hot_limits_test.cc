// Who is near an amount, and what was refused: bounds and forgetting.
#include "admin/hot_limits.h"

#include <gtest/gtest.h>

#include "admin/observer.h"
#include "admin/refusal_book.h"
#include "gateway/gateway_fixture.h"
#include "journal/test_support.h"
#include "policy/test_ruleset.h"

namespace weir {
namespace {

class HotLimitsTest : public RulesetTest {
 protected:
  HotLimitsTest() {
    compile(R"(
limits:
  - { name: requests, per: caller, meter: requests, allow: [10/1m, 100/1h] }
  - { name: models, per: [tenant, model], meter: requests, allow: 100/1h }
)");
  }
  DecisionEvent event(std::string caller, std::uint16_t permille, std::uint16_t limit = 0) {
    DecisionEvent out;
    out.rules = rules_;
    out.caller = std::move(caller);
    out.tenant = "acme";
    out.model = "gpt-4o";
    out.tier = "pro";
    out.pressures[0] = {.limit = limit, .permille = permille, .allowed = 200};
    out.pressure_count = 1;
    return out;
  }
  HotLimits hot;
};

TEST_F(HotLimitsTest, UntilTheyAreAskedForSubjectsStandAsTheyWereDecidedAboutLast) {
  hot.add(event("ann", 900), kNow);
  hot.add(event("bob", 500), kNow);
  hot.add(event("ann", 250), kNow + kSecond);
  const std::vector<HotSubject> found = hot.of("requests", kNow + kSecond);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].per, (std::vector<std::pair<std::string, std::string>>{{"caller", "bob"}}));
  EXPECT_EQ(found[1].ratio, 0.25);
  EXPECT_EQ(found[1].used, 50);
  EXPECT_EQ(found[1].allowed, 200);
  EXPECT_EQ(found[1].tier, "pro");
  EXPECT_TRUE(hot.of("nothing", kNow).empty());
}

TEST_F(HotLimitsTest, OfSeveralWindowsTheFullestCounts) {
  DecisionEvent both = event("ann", 300);
  both.pressures[1] = {.limit = 0, .permille = 700, .allowed = 10};
  both.pressure_count = 2;
  hot.add(both, kNow);
  ASSERT_EQ(hot.of("requests", kNow).size(), 1u);
  EXPECT_EQ(hot.of("requests", kNow)[0].allowed, 10);
  hot.add(event("x", 100, 1), kNow);
  EXPECT_EQ(hot.of("models", kNow).at(0).per.size(), 2u);
  EXPECT_EQ(hot.all(kNow).size(), 2u);
}

TEST_F(HotLimitsTest, SubjectsAreToldApartByTheirCountersAndNameTheKeyWhoseBucketItIs) {
  compile(R"(
limits:
  - { name: tenants, per: tenant, meter: requests, allow: 100/1h }
  - { name: runs, per: run, meter: requests, allow: 100/1h }
  - { name: teams, per: metadata.team, meter: requests, allow: 100/1h }
)");
  const auto of = [&](std::string key, std::uint16_t limit, std::uint16_t permille, bool owned) {
    DecisionEvent one = event(key, permille, limit);
    one.tenant.clear();
    one.run = "nightly";
    one.subjects = {{.key = {limit, std::hash<std::string>()(key)}}};
    if (owned) one.subjects[0].owner = {1, 1};
    one.demands = {{.cost = 1}};
    one.key = std::move(key);
    hot.add(one, kNow);
  };
  using Per = std::vector<std::pair<std::string, std::string>>;
  const auto check = [&](const char* limit, const Per& first, const Per& second) {
    const std::vector<HotSubject> found = hot.of(limit, kNow);
    ASSERT_EQ(found.size(), 2u) << limit;
    EXPECT_EQ(found[0].per, first);
    EXPECT_EQ(found[0].ratio, 0.71);
    EXPECT_EQ(found[1].per, second);
    EXPECT_EQ(found[1].ratio, 0.01);
  };
  for (std::uint16_t limit = 0; limit < 3; ++limit) {
    of("heavy", limit, 710, limit == 1);
    of("light", limit, 10, limit == 1);
  }
  check("tenants", {{"key", "heavy"}}, {{"key", "light"}});
  check("runs", {{"run", "nightly"}, {"key", "heavy"}}, {{"run", "nightly"}, {"key", "light"}});
  check("teams", {{"metadata.team", "of key heavy"}}, {{"metadata.team", "of key light"}});
}

TEST_F(HotLimitsTest, TheFiftyNearestStayAndOldOnesMakeRoom) {
  for (int i = 0; i < 100; ++i) hot.add(event("c" + std::to_string(i), static_cast<std::uint16_t>(i)), kNow);
  std::vector<HotSubject> found = hot.of("requests", kNow);
  ASSERT_EQ(found.size(), HotLimits::kMaxSubjects);
  EXPECT_EQ(found.back().per[0].second, "c50");
  EXPECT_TRUE(hot.of("requests", kNow + HotLimits::kKept).empty());
  hot.add(event("late", 1), kNow + HotLimits::kKept);
  found = hot.of("requests", kNow + HotLimits::kKept);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].per[0].second, "late");
}

TEST_F(HotLimitsTest, EachSubjectOfALimitIsAskedForOnceAndWhoDoesNotAnswerStaysForTenMinutes) {
  std::size_t asked = 0;
  bool answers = true;
  HotLimits asking([&](std::span<const Subject> subjects, std::span<const Demand> demands, TimeNs) -> Result<Decision> {
    ++asked;
    EXPECT_EQ(subjects.size(), 1u);
    EXPECT_EQ(demands.front().cost, 0);
    if (!answers) return fail("the counter store is away");
    Decision full{.admitted = true, .count = 1};
    full.verdicts[0].used = 150;
    return full;
  });
  for (int i = 0; i < 100; ++i) {
    DecisionEvent one = event("c" + std::to_string(i), static_cast<std::uint16_t>(i));
    one.subjects = {{.key = {1, static_cast<std::uint64_t>(i)}}};
    one.demands = {{.cost = 1}};
    asking.add(one, kNow);
  }
  EXPECT_EQ(asked, 0u) << "deciding asks nobody";
  const std::vector<HotSubject> found = asking.of("requests", kNow + kSecond);
  EXPECT_EQ(asked, HotLimits::kMaxSubjects);
  ASSERT_EQ(found.size(), HotLimits::kMaxSubjects);
  EXPECT_EQ(found[0].used, 150);
  EXPECT_EQ(found[0].ratio, 0.75);
  EXPECT_EQ(found[0].at, kNow) << "when it was decided about, not when it was asked for";
  answers = false;
  EXPECT_EQ(asking.of("requests", kNow + HotLimits::kKept).size(), HotLimits::kMaxSubjects);
  EXPECT_TRUE(asking.of("requests", kNow + kSecond + HotLimits::kKept).empty());
}

// Requests through the gateway, watched as the server does it.
class HotNow : public testing::Test {
 protected:
  HotNow() {
    world.services.events = &observer.open_feed();
    observer.add_listener([this](const Second& second) { over = second; });
    observer.step(world.services.now);
  }
  void request(const std::string& key) {
    stage::Connection client(world);
    client.say(stage::chat_request(key));
    observer.step(world.services.now);
    world.upstream().bytes(stage::json_answer(stage::kChatAnswer));
  }
  void pass(DurationNs time) {
    world.pass(time);
    observer.step(world.services.now);
  }
  // "used of allowed" of the fullest.
  std::string fullest(std::string_view limit) {
    const std::vector<HotSubject> hot = observer.hot(limit);
    return hot.empty() ? "none" : std::to_string(hot[0].used) + " of " + std::to_string(hot[0].allowed);
  }
  bool is_told(std::string_view limit) const {
    return std::any_of(over.hot.begin(), over.hot.end(), [&](const HotSubject& each) { return each.limit == limit; });
  }
  stage::World world{
      stage::policy_with("  - { name: requests, per: caller, meter: requests, allow: 2/1m }", "  - { name: requests,")};
  Second over;
  Observer observer{{.peek = [this](auto subjects, auto demands, TimeNs now) -> Result<Decision> {
                       Decision decision;
                       world.limiter.peek({.subjects = subjects, .demands = demands, .now = now}, decision);
                       return decision;
                     },
                     .rules = [this] { return world.services.rules; }}};
};

TEST_F(HotNow, AWindowThatEmptiedIsGoneAndADayThatIsNotOverStays) {
  request(world.agent);
  request(world.agent);
  pass(kSecond);
  EXPECT_EQ(fullest("requests"), "2 of 2");
  EXPECT_TRUE(is_told("requests"));
  Metrics metrics;
  observer.write_gauges(metrics, over.hot);
  pass(2 * kMinute);
  EXPECT_EQ(fullest("requests"), "none");
  EXPECT_FALSE(is_told("requests"));
  observer.write_gauges(metrics, over.hot);
  std::string out;
  metrics.write_prometheus(out);
  EXPECT_NE(out.find("weir_limit_utilisation_ratio{limit=\"requests\",tier=\"free\"} 0\n"), std::string::npos) << out;
  pass(kHour);
  EXPECT_EQ(fullest("spend"), std::to_string(2 * world.row().usd_micros) + " of 10000000");
  EXPECT_TRUE(is_told("spend"));
  pass(kDay);
  EXPECT_EQ(fullest("spend"), "none");
}

TEST_F(HotNow, WhatARequestHoldsIsShownWhileItHoldsIt) {
  stage::Connection client(world);
  client.say(stage::chat_request(world.agent));
  pass(kMillisecond);
  EXPECT_EQ(fullest("in-flight"), "1 of 4");
  EXPECT_NE(fullest("tokens"), "14 of 50000");
  world.upstream().bytes(stage::json_answer(stage::kChatAnswer));
  EXPECT_EQ(fullest("in-flight"), "none");
  EXPECT_EQ(fullest("tokens"), "14 of 50000");
}

TEST_F(HotNow, OfSeveralWindowsTheFullestOfThisMomentCounts) {
  world.use_policy(stage::policy_with("  - { name: requests, per: caller, meter: requests, allow: [2/1m, 10/1h] }",
                                      "  - { name: requests,"));
  request(world.agent);
  request(world.agent);
  request(world.human);
  EXPECT_EQ(observer.hot("requests").size(), 2u);
  EXPECT_EQ(fullest("requests"), "2 of 2");
  pass(2 * kMinute);
  EXPECT_EQ(observer.hot("requests").size(), 2u);
  EXPECT_EQ(fullest("requests"), "2 of 10");
}

TEST_F(HotNow, AChangedLimitForgetsWhatItsOldAmountsSaidAndNoOther) {
  request(world.agent);
  EXPECT_EQ(fullest("requests"), "1 of 2");
  world.use_policy(stage::policy_with("  - { name: requests, per: caller, meter: requests, allow: 50/1m }",
                                      "  - { name: requests,"));
  pass(kMillisecond);
  EXPECT_EQ(fullest("requests"), "none");
  EXPECT_EQ(fullest("tokens"), "14 of 50000");
  request(world.agent);
  EXPECT_EQ(fullest("requests"), "2 of 50");
}

TEST_F(HotNow, WhatAnOlderPolicySawAfterAReloadForgetsNothing) {
  const std::shared_ptr<const Ruleset> before = world.services.rules;
  world.use_policy(stage::policy_with("  - { name: requests, per: caller, meter: requests, allow: 50/1m }",
                                      "  - { name: requests,"));
  request(world.agent);
  EXPECT_EQ(fullest("requests"), "1 of 50");
  DecisionEvent late;
  late.rules = before;
  late.caller = "ann";
  late.pressures[0] = {.limit = 0, .permille = 900, .allowed = 2};
  late.pressure_count = 1;
  world.services.events->publish([&](DecisionEvent& event) { event = late; });
  pass(kMillisecond);
  EXPECT_EQ(fullest("requests"), "1 of 50");
  EXPECT_EQ(observer.hot("requests").size(), 1u);
}

TEST_F(HotNow, NobodyWaitsForTheRulesBehindTheObserversLock) {
  Observer* asked = nullptr;
  Observer waiting({.rules = [&] {
    EXPECT_FALSE(asked->live(1, kSecond).empty()) << "would never return under the lock";
    return world.services.rules;
  }});
  asked = &waiting;
  waiting.step(world.services.now);
  EXPECT_TRUE(waiting.hot("requests").empty());
}

TEST_F(HotLimitsTest, WhoeverIsKeptStaysBesideTheFiftyNearestUntilNothingIsInUse) {
  for (int i = 0; i < 50; ++i) hot.add(event("c" + std::to_string(i), 800), kNow);
  std::vector<std::pair<std::string, std::uint64_t>> names;
  for (const HotSubject& each : hot.of("requests", kNow)) names.emplace_back(each.limit, each.id);
  names.emplace_back("nothing", 1);
  hot.keep(names);
  for (int i = 0; i < 70; ++i) hot.add(event("d" + std::to_string(i), 900), kNow);
  EXPECT_EQ(hot.of("requests", kNow).size(), 100u);
  hot.add(event("e", 950), kNow);
  EXPECT_EQ(hot.of("requests", kNow).size(), 100u) << "the others are fifty";
  EXPECT_EQ(hot.of("requests", kNow).back().ratio, 0.8);
  hot.keep({});
  hot.add(event("f", 950), kNow);
  const std::vector<HotSubject> left = hot.of("requests", kNow);
  EXPECT_EQ(std::count_if(left.begin(), left.end(), [](const HotSubject& each) { return each.ratio < 0.9; }), 49);
  EXPECT_TRUE(hot.of("requests", kNow + HotLimits::kKept).empty());
}

TEST_F(HotLimitsTest, AtMostSoManyAreKept) {
  std::vector<std::pair<std::string, std::uint64_t>> names;
  for (std::size_t i = 0; i < HotLimits::kMaxKept + 100; i += HotLimits::kMaxSubjects) {
    for (std::size_t k = 0; k < HotLimits::kMaxSubjects; ++k) hot.add(event("c" + std::to_string(i + k), 800), kNow);
    names.clear();
    for (const HotSubject& each : hot.of("requests", kNow)) names.emplace_back(each.limit, each.id);
    hot.keep(names);
  }
  EXPECT_EQ(names.size(), HotLimits::kMaxKept + HotLimits::kMaxSubjects);
}

TEST_F(HotLimitsTest, LimitsBeyondTheBoundHaveNoTable) {
  std::string yaml = "limits:\n";
  for (std::size_t i = 0; i < HotLimits::kMaxLimits + 2; ++i) {
    yaml += "  - { name: l" + std::to_string(i) + ", per: caller, meter: requests, allow: 1/1m }\n";
  }
  compile(yaml);
  hot.add(event("ann", 10, HotLimits::kMaxLimits - 1), kNow);
  hot.add(event("ann", 10, HotLimits::kMaxLimits), kNow);
  EXPECT_EQ(hot.of("l" + std::to_string(HotLimits::kMaxLimits - 1), kNow).size(), 1u);
  EXPECT_TRUE(hot.of("l" + std::to_string(HotLimits::kMaxLimits), kNow).empty());
}

TEST(RefusalBook, CountsByTheHourForTheStoreAndOfTheLastHour) {
  RefusalBook book;
  book.add(kNow, "tokens", "rate", "ann", false);
  book.add(kNow, "tokens", "rate", "ann", false);
  book.add(kNow, "tokens", "rate", "ann", true);
  EXPECT_EQ(book.last_hour("tokens", kNow), 2);
  EXPECT_EQ(book.last_hour("tokens", kNow + kHour - kMinute), 2);
  book.add(kNow + kHour, "tokens", "rate", "ann", false);
  EXPECT_EQ(book.last_hour("tokens", kNow + kHour), 1);
  EXPECT_EQ(book.last_hour("tokens", kNow + 3 * kHour), 0);
  EXPECT_EQ(book.last_hour("spend", kNow), 0);
  const std::vector<RefusalHour> rows = book.take();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0], (RefusalHour{.hour = kNow / kHour, .limit = "tokens", .layer = "rate", .key = "ann", .count = 2}));
  EXPECT_TRUE(rows[1].shadow);
  EXPECT_TRUE(book.take().empty());
  book.give_back(rows);
  book.add(kNow, "tokens", "rate", "ann", false);
  EXPECT_EQ(book.take()[0].count, 3);
}

TEST(RefusalBook, BeyondItsBoundRefusalsAreCountedWithoutTheirKey) {
  RefusalBook book;
  for (std::size_t i = 0; i < RefusalBook::kMaxWaiting + 50; ++i) {
    book.add(kNow, "tokens", "rate", "k" + std::to_string(i), false);
  }
  const std::vector<RefusalHour> rows = book.take();
  ASSERT_EQ(rows.size(), RefusalBook::kMaxWaiting + 1);
  EXPECT_EQ(rows[0].key, "");
  EXPECT_EQ(rows[0].count, 50);
  for (std::size_t i = 0; i < 3 * RefusalBook::kMaxWaiting; ++i) {
    book.add(kNow, "l" + std::to_string(i), "rate", "ann", false);
  }
  EXPECT_LE(book.take().size(), RefusalBook::kMaxWaiting * 9 / 8);
  EXPECT_EQ(book.last_hour("l" + std::to_string(RefusalBook::kMaxLimits + 1), kNow), 0);
}

TEST(RefusalBook, TheStoreAddsToWhatItHas) {
  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
  const std::vector<RefusalHour> rows = {
      {.hour = 7, .limit = "tokens", .layer = "rate", .key = "ann", .shadow = true, .count = 2}};
  EXPECT_TRUE(store.add_refusal_hours(rows));
  EXPECT_TRUE(store.add_refusal_hours(rows));
  EXPECT_TRUE(store.add_refusal_hours({}));
}

}  // namespace
}  // namespace weir
