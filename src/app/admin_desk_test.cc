#include "app/admin_desk.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <numeric>
#include <set>

#include "admin/openapi.h"
#include "base/strings.h"
#include "gateway/gateway_fixture.h"
#include "journal/test_support.h"
#include "records/queries.h"

namespace weir {
namespace {

constexpr const char* kServedOutsideTheRouter = "get /admin/v1/events viewer";

class AdminDeskTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Store::open(dir.path(), {.create = true}));
    auto opened = AdminDesk::open({.clock = clock,
                                   .counters = *world.services.counters,
                                   .guard = *world.services.guard,
                                   .subject_secret = *world.services.secret,
                                   .addresses = {"", "", dir.path(), ""},
                                   .rules = [&] { return world.services.rules; },
                                   .consumers = [&] { return world.services.consumers; },
                                   .reload = [](std::string_view) { return ReloadOutcome{}; },
                                   .records_changed = [] {},
                                   .policy_state = [] { return std::make_shared<const PolicyState>(); },
                                   .overrides_changed = [] { return ReloadOutcome{}; },
                                   .access = access,
                                   .key_secret = "secret",
                                   .demo_key = {},
                                   .health = [] { return ServerHealth{}; },
                                   .in_flight = [] { return std::int64_t{0}; },
                                   .metrics = world.metrics});
    ASSERT_TRUE(opened) << opened.error().message;
    desk = std::move(*opened);
  }

  stage::World world;
  TempDir dir;
  const Clock clock;
  AdminAccess access{Secret("token")};
  std::unique_ptr<AdminDesk> desk;
};

TEST_F(AdminDeskTest, WhatWasRefusedJustBeforeTheEndIsInTheStore) {
  EventFeed& feed = desk->observer().open_feed();
  desk->start();
  feed.publish([&](DecisionEvent& event) {
    event.what = DecisionEvent::What::kRefused;
    event.time = clock.now();
    event.key = "ann";
    event.limit = "tokens";
  });
  desk->stop();
  Store store = Store::open(dir.path(), {.read_only = true}).value();
  const UsageFilter around{.since = clock.now() - kDay, .until = clock.now() + kDay};
  const auto series = RecordQueries(store).usage_series(around, SumBy::kAll, 2 * kDay, 1);
  ASSERT_TRUE(series) << series.error().message;
  const std::vector<std::int64_t>& refused = series->groups.at(0).refused;
  EXPECT_EQ(std::accumulate(refused.begin(), refused.end(), std::int64_t{0}), 1);
}

// Each call of the OpenAPI document is a route too, except for the event stream, which has no end and is served by
// Api::watch.
TEST_F(AdminDeskTest, RoutesAreThoseOfTheDocumentAndNeedTheRoleThatItSays) {
  std::set<std::string> routes, documented;
  for (const AdminRoute& route : desk->router().routes()) {
    routes.insert(to_lower(route.method) + " " + route.path + " " + to_string(route.role));
  }
  simdjson::dom::parser parser;
  simdjson::dom::object paths;
  ASSERT_EQ(parser.parse(openapi_document().data(), openapi_document().size())["paths"].get(paths), simdjson::SUCCESS);
  for (const auto [path, item] : paths) {
    simdjson::dom::object methods;
    ASSERT_EQ(item.get(methods), simdjson::SUCCESS);
    for (const auto [method, operation] : methods) {
      std::string_view role;
      if (operation["x-weir-role"].get(role) != simdjson::SUCCESS) continue;  // what all methods have in common
      documented.insert(std::string(method) + " /admin/v1" + std::string(path) + " " + std::string(role));
    }
  }
  EXPECT_TRUE(routes.insert(kServedOutsideTheRouter).second) << "the router has it too; it would never be asked";
  EXPECT_EQ(routes, documented);
}

}  // namespace
}  // namespace weir
