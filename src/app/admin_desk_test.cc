#include "app/admin_desk.h"

#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "journal/test_support.h"
#include "records/queries.h"

namespace weir {
namespace {

TEST(AdminDesk, WhatWasRefusedJustBeforeTheEndIsInTheStore) {
  stage::World world;
  TempDir dir;
  ASSERT_TRUE(Store::open(dir.path(), {.create = true}));
  const Clock clock;
  AdminAccess access{Secret("token")};
  auto desk = AdminDesk::open({.clock = clock,
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
  ASSERT_TRUE(desk) << desk.error().message;
  EventFeed& feed = (*desk)->observer().open_feed();
  (*desk)->start();
  feed.publish([&](DecisionEvent& event) {
    event.what = DecisionEvent::What::kRefused;
    event.time = clock.now();
    event.key = "ann";
    event.limit = "tokens";
  });
  (*desk)->stop();
  Store store = Store::open(dir.path(), {.read_only = true}).value();
  const auto use = RecordQueries(store).use_by_key(0);
  ASSERT_TRUE(use);
  ASSERT_EQ(use->size(), 1u);
  EXPECT_EQ(use->front().refused, 1);
}

}  // namespace
}  // namespace weir
