// Alerts of a subject that falls silent, from the decision to the store.
#include "app/alert_desk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "gateway/gateway_fixture.h"
#include "journal/test_support.h"

namespace weir {
namespace {

TEST(AlertDesk, AnAlertOfASilentSubjectIsOverOnceItsWindowIsEmptyAndOneOfADayIsNot) {
  stage::World world(stage::policy_with("  - { name: requests, per: caller, meter: requests, allow: [2/1m, 4/day] }\n"
                                        "  - { name: minute, per: caller, meter: requests, allow: 2/1m }",
                                        "  - { name: requests,") +
                     "alerts: { rules: [{ name: near, when: usage, above: 50% }] }\n");
  Observer observer({.peek = [&](auto subjects, auto demands, TimeNs now) -> Result<Decision> {
                       Decision decision;
                       world.limiter.peek({.subjects = subjects, .demands = demands, .now = now}, decision);
                       return decision;
                     },
                     .rules = [&] { return world.services.rules; }});
  TempDir dir;
  const Clock clock;
  ProviderHealth providers;
  auto desk = AlertDesk::open({.clock = clock, .data = dir.path(), .providers = providers, .metrics = world.metrics});
  ASSERT_TRUE(desk) << desk.error().message;
  world.services.events = &observer.open_feed();
  const auto settle_desk = [&] {  // its own thread does what waits
    (*desk)->start();
    (*desk)->stop();
  };
  const auto subjects = [&](AlertsOf which) {
    settle_desk();
    std::vector<std::string> out;
    Store store = Store::open(dir.path(), {.read_only = true}).value();
    const std::vector<StoredAlert> found = store.alerts(which, 10).value();
    for (const StoredAlert& each : found) out.push_back(each.alert.subject);
    std::sort(out.begin(), out.end());
    return out;
  };
  const auto pass = [&](DurationNs time) {  // second by second, as the server does
    for (DurationNs gone = 0; gone < time; gone += kSecond) {
      world.pass(kSecond);
      observer.step(world.services.now);
    }
  };
  using Names = std::vector<std::string>;

  (*desk)->use(world.services.rules->policy());
  settle_desk();
  (*desk)->watch(observer);
  observer.step(world.services.now);
  for (int i = 0; i < 2; ++i) {
    stage::Connection client(world);
    client.say(stage::chat_request(world.agent));
    world.upstream().bytes(stage::json_answer(stage::kChatAnswer));
  }
  pass(2 * kSecond);
  EXPECT_EQ(subjects(AlertsOf::kFiring), (Names{"minute of caller agent-1", "requests of caller agent-1"}));
  pass(50 * kSecond);
  EXPECT_EQ((*desk)->firing(), 2);
  pass(kMinute - 52 * kSecond + kSecond + AlertRules::kQuiet + 2 * kSecond);  // a ring's bucket, then it is quiet
  EXPECT_EQ(subjects(AlertsOf::kResolved), Names{"minute of caller agent-1"});
  EXPECT_EQ(subjects(AlertsOf::kFiring), Names{"requests of caller agent-1"});
}

// A race, which ThreadSanitizer sees: the file watch starts before the desk and ends after it.
TEST(AlertDesk, APolicyMayBeReloadedWhileTheDeskStartsAndStops) {
  const stage::World world;
  TempDir dir;
  const Clock clock;
  ProviderHealth providers;
  Metrics metrics;
  auto desk = AlertDesk::open({.clock = clock, .data = dir.path(), .providers = providers, .metrics = metrics});
  ASSERT_TRUE(desk) << desk.error().message;
  std::atomic<bool> over{false};
  std::thread reloading([&] {
    while (!over) (*desk)->use(world.services.rules->policy());
  });
  for (int i = 0; i < 20; ++i) {
    (*desk)->start();
    (*desk)->stop();
  }
  over = true;
  reloading.join();
}

TEST(AlertDesk, WhoeverIsPushedOutByOthersStillFiresAndWhatIsShownIsSoNow) {
  stage::World world(stage::policy_with("  - { name: requests, per: caller, meter: requests, allow: 10/day }",
                                        "  - { name: requests,") +
                     "alerts: { rules: [{ name: near, when: usage, above: 80% }] }\n");
  int used = 8;
  Observer observer({.peek = [&](auto, auto demands, TimeNs) -> Result<Decision> {
                       Decision decision;
                       decision.count = static_cast<std::uint8_t>(demands.size());
                       for (auto& verdict : decision.verdicts) verdict.used = used;
                       return decision;
                     },
                     .rules = [&] { return world.services.rules; }});
  TempDir dir;
  const Clock clock;
  ProviderHealth providers;
  auto desk = AlertDesk::open({.clock = clock, .data = dir.path(), .providers = providers, .metrics = world.metrics});
  ASSERT_TRUE(desk) << desk.error().message;
  EventFeed& feed = observer.open_feed();
  (*desk)->use(world.services.rules->policy());
  (*desk)->start();
  (*desk)->stop();
  (*desk)->watch(observer);
  observer.step(world.services.now);
  const auto decide = [&](char group, std::uint64_t callers, std::uint16_t permille) {
    for (std::uint64_t i = 0; i < callers; ++i) {
      feed.publish([&](DecisionEvent& event) {
        event = {};
        event.rules = world.services.rules;
        event.caller = group + std::to_string(i);
        event.subjects = {{.key = {static_cast<std::uint64_t>(group) << 32, i}}};
        event.demands = {{.cost = 1}};
        event.pressures[0] = {.limit = 0, .permille = permille, .allowed = 10};
        event.pressure_count = 1;
      });
    }
  };
  const auto pass = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      world.pass(kSecond);
      observer.step(world.services.now);
    }
  };
  decide('a', 50, 800);
  pass(2);
  EXPECT_EQ((*desk)->firing(), 50);
  used = 9;
  decide('b', 20, 900);
  pass(30);
  EXPECT_EQ((*desk)->firing(), 70);
  (*desk)->start();
  (*desk)->stop();
  Store store = Store::open(dir.path(), {.read_only = true}).value();
  const std::vector<StoredAlert> found = store.alerts(AlertsOf::kAll, 100).value();
  ASSERT_EQ(found.size(), 70u);
  for (const StoredAlert& each : found) {
    EXPECT_TRUE(each.alert.firing());
    EXPECT_EQ(each.alert.value, 90) << each.members;
    EXPECT_NE(each.members.find("is used to 90%"), std::string::npos) << each.members;
  }
}

}  // namespace
}  // namespace weir
