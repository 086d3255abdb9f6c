#include "world.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace weir::sim {
namespace {

Result<World> read(const std::string& text) {
  const auto file = std::filesystem::temp_directory_path() / ("weir-world-" + std::to_string(getpid()) + ".yaml");
  std::ofstream(file) << text;
  Result<World> out = load_world(file.string());
  std::filesystem::remove(file);
  return out;
}

std::string error_of(const std::string& text) {
  const Result<World> world = read(text);
  return world ? "no error" : world.error().message;
}

TEST(World, ReadsEveryPart) {
  const Result<World> world = read(R"(
name: tight
hours: [0.5, 2]
start: [2026-11-21T12:00:00Z, 2026-03-29T00:30:00Z]
weir: { workers: 3, counters: late }
policy: |
  limits: []
policies: [ "a: 1", "b: 2" ]
keys:
  - { name: ann, tenant: acme, kind: service, tier: pro, metadata: '{"limits":{"requests":"5/1m"}}' }
  - { name: crowd, count: 10 }
providers:
  openai: { output: [5, 400], first_byte: [50ms, 3s], status_429: 20 }
clients:
  - { kind: human, key: ann, every: [3s, 60s], models: [a, b] }
links: { "clients weir": { latency: [1ms, 80ms], loss: 5, segment: 700 } }
faults: { crash: 2, partition: 0.5 }
checks: { without: [liveness] }
)");
  ASSERT_TRUE(world) << world.error().message;
  EXPECT_EQ(world->hours_ns, (Range{kHour / 2, 2 * kHour}));
  ASSERT_EQ(world->starts.size(), 2U);
  EXPECT_EQ(format_rfc3339(world->starts[1]), "2026-03-29T00:30:00Z");
  EXPECT_EQ(world->workers, 3);
  EXPECT_TRUE(world->late_counters);
  EXPECT_EQ(world->policies.size(), 2U);
  ASSERT_EQ(world->keys.size(), 2U);
  EXPECT_EQ(world->keys[0].consumer.kind, ConsumerKind::kService);
  EXPECT_EQ(world->keys[1].count, 10);
  EXPECT_EQ(world->providers.at("openai").range("output", {}), (Range{5, 400}));
  EXPECT_EQ(world->providers.at("openai").durations("first_byte", {}), (Range{50 * kMillisecond, 3 * kSecond}));
  EXPECT_EQ(world->clients.at(0).words("models").size(), 2U);
  EXPECT_EQ(world->clients.at(0).word("tenant", ""), "acme");
  EXPECT_EQ(world->clients.at(0).word("key_kind", ""), "service");
  EXPECT_EQ(world->links.at({"clients", "weir"}).latency_max, 80 * kMillisecond);
  EXPECT_EQ(world->links.at({"clients", "weir"}).segment, 700U);
  EXPECT_EQ(world->faults.at("crash"), 2000);
  EXPECT_EQ(world->faults.at("partition"), 500);
  EXPECT_EQ(world->without, std::vector<std::string>{"liveness"});
}

TEST(World, SaysWhatIsWrongAndWhere) {
  EXPECT_NE(error_of("name: a\nhorus: 1\n").find(":2: `horus` is no part of a world"), std::string::npos);
  EXPECT_NE(error_of("name: a\nhours: 0\n").find("`hours` must be"), std::string::npos);
  EXPECT_NE(error_of("name: a\nstart: 2026-13-01T00:00:00Z\n").find("is not an instant"), std::string::npos);
  EXPECT_NE(error_of("name: a\nkeys: [ { tier: pro } ]\n").find("needs a `name`"), std::string::npos);
  EXPECT_NE(error_of("name: a\nkeys: [ { name: x, kind: robot } ]\n").find("no such kind"), std::string::npos);
  EXPECT_NE(error_of("name: a\nlinks: { \"a b\": { los: 5 } }\n").find("`los` is no setting"), std::string::npos);
  EXPECT_NE(error_of("name: a\nlinks: { \"a b\": { latency: [1ms, fast] } }\n").find("`latency`"), std::string::npos);
  EXPECT_NE(error_of("name: a\nweir: { counters: slow }\n").find("local or late"), std::string::npos);
  EXPECT_NE(error_of("hours: 1\n").find("needs a `name`"), std::string::npos);
  EXPECT_NE(error_of("name: [\n").find("weir-world-"), std::string::npos);
}

TEST(Settings, WhatCannotBeReadCountsAsUnread) {
  Settings settings;
  settings.set("output", {"5", "many"});
  settings.set("every", {"3s", "1s"});
  settings.set("stall", {"7"});
  settings.set("typo", {"1"});
  EXPECT_EQ(settings.range("output", {1, 2}), (Range{1, 2}));
  EXPECT_EQ(settings.durations("every", {3, 4}), (Range{3, 4}));
  EXPECT_EQ(settings.number("stall", 0), 7);
  EXPECT_EQ(settings.number("absent", 9), 9);
  EXPECT_EQ(settings.unread(), (std::vector<std::string>{"every", "output", "typo"}));
}

}  // namespace
}  // namespace weir::sim
