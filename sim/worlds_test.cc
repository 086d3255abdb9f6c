// The worlds themselves: each can be read, nothing in it is misspelt, and together they leave nothing out.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>

#include "faults.h"
#include "policy/policy.h"
#include "test_street.h"

namespace weir::sim {
namespace {

std::vector<World> all_worlds() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(WEIR_SIM_DIR) + "/worlds")) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<World> out;
  for (const std::string& file : files) {
    Result<World> world = load_world(file);
    EXPECT_TRUE(world) << world.error().message;
    if (world) out.push_back(std::move(*world));
  }
  return out;
}

TEST(Worlds, AreThere) {
  EXPECT_GE(all_worlds().size(), 8U);
}

TEST(Worlds, EveryPolicyIsValidAndEverySettingIsRead) {
  for (const World& world : all_worlds()) {
    const LoadedPolicy loaded = load_policy(world.policy, world.name, {});
    EXPECT_NE(loaded.policy, nullptr) << world.name;
    for (const Diagnostic& each : loaded.diagnostics) EXPECT_FALSE(each.error) << world.name << ": " << each.message;
    Street street(1);
    for (const KeySpec& spec : world.keys) {
      street.context.keys[spec.count > 0 ? spec.consumer.name + "-0" : spec.consumer.name] = "weir_x";
    }
    for (const auto& [place, settings] : world.providers) {
      const Provider provider(place, settings, street.context);
      EXPECT_TRUE(settings.unread().empty()) << world.name << " " << place << ": " << settings.unread().front();
    }
    for (const Settings& settings : world.clients) {
      const auto made = make_clients(settings, street.context);
      EXPECT_TRUE(made) << world.name << ": " << made.error().message;
    }
    for (const auto& [fault, rate] : world.faults) {
      EXPECT_NE(std::ranges::find(Faults::names(), fault), Faults::names().end()) << world.name << " " << fault;
    }
  }
}

TEST(Worlds, TogetherLeaveNothingOut) {
  std::set<std::string> kinds, settings, faults;
  std::string policies;
  bool late = false;
  for (const World& world : all_worlds()) {
    for (const Settings& each : world.clients) kinds.insert(each.word("kind", ""));
    for (const auto& [place, each] : world.providers) {
      for (const std::string& name : each.unread()) settings.insert(name);
    }
    for (const auto& [fault, rate] : world.faults) faults.insert(fault);
    policies += world.policy;
    for (const std::string& each : world.policies) policies += each;
    late |= world.late_counters;
  }
  EXPECT_TRUE(late);
  for (const char* kind :
       {"human", "conversational", "batch", "fan_out", "loop", "tool_spammer", "tenant", "disconnector", "slow_reader",
        "retrier", "prober", "deciders", "budgeter", "garbage", "operator", "mcp", "caller"}) {
    EXPECT_TRUE(kinds.contains(kind)) << kind;
  }
  for (const char* setting : {"status_429",   "status_500",  "status_503",  "stall",      "stall_midway", "truncate",
                              "reset_midway", "malformed",   "late_usage",  "no_usage",   "double_usage", "lie_usage",
                              "split",        "keep_open",   "close_after", "chatter",    "wrong_length", "tool_calls",
                              "down",         "until_close", "cached",      "tool_errors"}) {
    EXPECT_TRUE(settings.contains(setting)) << setting;
  }
  for (const std::string& fault : Faults::names()) EXPECT_TRUE(faults.contains(fault)) << fault;
  for (const char* word : {"burst",
                           "/hour",
                           "/day",
                           "/week",
                           "/month",
                           "anchor",
                           "zone:",
                           "meter: concurrency",
                           "meter: usd",
                           "meter: tokens",
                           "meter: tool_calls",
                           "meter: runs",
                           "meter: bytes_out",
                           "degrade:",
                           "queue:",
                           "mode: shadow",
                           "tiers:",
                           "per: conversation",
                           "per: global",
                           "strip_tool",
                           "contextual:",
                           "mode: reserve",
                           "fail: closed",
                           "fallback:",
                           "durability: strict"}) {
    EXPECT_NE(policies.find(word), std::string::npos) << word;
  }
}

}  // namespace
}  // namespace weir::sim
