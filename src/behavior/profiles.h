// Behaviour profiles: which tools with side effects an agent's task uses in ordinary runs, and where they point. What
// was never seen there is an anomaly, decided before the call leaves.
//
//   Profiles profiles({.max_profiles = 20'000});
//   const ProfileKey key = Profiles::key(owner, "billing-bot", "t_0123");
//   if (auto anomaly = profiles.judge(key, "send_email", Destination::kOutside, rules, now)) …audit or refuse…
//   uses.note("send_email", Destination::kKnown);        // per run
//   profiles.learn(key, uses, now);                      // the run ended and was ordinary
//
// A profile judges once it has learned `rules.warmup` runs: a tool that none of them used is new; an outside
// destination is new where kFewestRuns of them or more used the tool and none with an outside destination. Whether a
// tool is sensitive at all is the caller's question (`rules.sensitive`).
//
// Thread-safe, shared by all workers; every call is O(1) (at most kMaxTools looks). Bounded: max_profiles over kStripes
// stripes, kMaxTools tools each, about 700 bytes at most; the least recently used profile goes. Those that learned
// fewer than kEstablished runs have a quarter of the room to themselves and only that: whoever invents tasks pushes out
// other beginners, not what was learned. A profile that would need more than kMaxTools takes no tool for new any
// longer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/agent.h"
#include "model/behavior_rules.h"
#include "weir/types.h"

namespace weir {

// A run's uses of one sensitive tool.
struct ToolUse {
  std::uint64_t tool = 0;         // hash64 of its canonical name
  std::uint8_t destinations = 0;  // bit 1 << Destination
};

// What one run did with sensitive tools.
class RunUses {
 public:
  void note(std::string_view tool, Destination destination);
  const std::vector<ToolUse>& tools() const { return tools_; }
  bool complete() const { return !overflow_; }  // false: used more than Profiles::kMaxTools, so it cannot teach

 private:
  std::vector<ToolUse> tools_;
  bool overflow_ = false;
};

struct ProfileKey {
  Hash128 owner;           // verified: what a caller asserts never reaches another owner's profile
  std::uint64_t task = 0;  // of agent and task
  auto operator<=>(const ProfileKey&) const = default;
};

class Profiles {
 public:
  static constexpr std::size_t kMaxTools = 32;
  static constexpr std::size_t kStripes = 16;
  static constexpr std::int64_t kFewestRuns = 4;
  static constexpr std::int64_t kEstablished = 8;
  static constexpr std::uint16_t kMaxRuns = 50'000;  // then all counts are halved, rounded up: nothing is unlearned

  struct Options {
    std::size_t max_profiles = 20'000;
  };
  explicit Profiles(Options options);
  ~Profiles();
  Profiles(const Profiles&) = delete;
  Profiles& operator=(const Profiles&) = delete;

  static ProfileKey key(Hash128 owner, std::string_view agent, std::string_view task);

  struct Anomaly {
    std::int64_t runs = 0;  // ordinary ones learned
    std::string sentence;   // "first use of send_email in 25 ordinary runs of this task"
  };
  std::optional<Anomaly> judge(const ProfileKey& key, std::string_view tool, Destination destination,
                               const ProfileRules& rules, TimeNs now);
  void learn(const ProfileKey& key, const RunUses& uses, TimeNs now);

  std::int64_t learned(const ProfileKey& key) const;  // ordinary runs
  std::size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
