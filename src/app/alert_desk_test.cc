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

}  // namespace
}  // namespace weir
