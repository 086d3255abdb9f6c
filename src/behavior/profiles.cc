#include "behavior/profiles.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "base/lru_map.h"
#include "behavior/striped.h"

namespace weir {
namespace {

constexpr std::uint8_t bit(Destination destination) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(destination));
}

struct KeyHash {
  std::size_t operator()(const ProfileKey& key) const { return Hash128Hash{}(key.owner) ^ key.task; }
};

// How many ordinary runs used a tool, and in how many of those it pointed outside.
struct Habit {
  std::uint64_t tool = 0;
  std::uint16_t runs = 0, none = 0, known = 0, outside = 0;
};

struct Profile {
  std::uint16_t runs = 0;
  bool overfull = false;
  std::vector<Habit> habits;

  const Habit* habit(std::uint64_t tool) const {
    const auto found = std::ranges::find(habits, tool, &Habit::tool);
    return found == habits.end() ? nullptr : &*found;
  }

  void learn(const RunUses& uses) {
    if (runs >= Profiles::kMaxRuns) halve();
    ++runs;
    for (const ToolUse& use : uses.tools()) {
      Habit* known = const_cast<Habit*>(habit(use.tool));
      if (known == nullptr) {
        if (habits.size() >= Profiles::kMaxTools) {
          overfull = true;
          continue;
        }
        known = &habits.emplace_back();
        known->tool = use.tool;
      }
      ++known->runs;
      if ((use.destinations & bit(Destination::kNone)) != 0) ++known->none;
      if ((use.destinations & bit(Destination::kKnown)) != 0) ++known->known;
      if ((use.destinations & bit(Destination::kOutside)) != 0) ++known->outside;
    }
  }

  // Rounded up, so that what was rare stays known: a run with an anomaly does not teach, and could never mend it.
  void halve() {
    const auto half = [](std::uint16_t& count) { count = static_cast<std::uint16_t>((count + 1) / 2); };
    half(runs);
    for (Habit& habit : habits) {
      half(habit.runs);
      half(habit.none);
      half(habit.known);
      half(habit.outside);
    }
  }
};

struct Part {
  using Table = LruMap<ProfileKey, Profile, KeyHash>;
  Part(std::size_t beginners_most, std::size_t established_most)
      : beginners(beginners_most), established(established_most) {}
  Table beginners, established;

  Profile* use(const ProfileKey& key) {
    Profile* profile = established.use(key);
    return profile != nullptr ? profile : beginners.use(key);
  }
};

}  // namespace

struct Profiles::Impl {
  explicit Impl(std::size_t most)
      : parts([share = share_of(most, kStripes)] {
          const std::size_t beginners = std::max<std::size_t>(share / 4, 1);
          return std::make_unique<Part>(beginners, std::max<std::size_t>(share - beginners, 1));
        }) {}
  Striped<Part, kStripes> parts;

  auto lock(const ProfileKey& key) const { return parts.lock_at(KeyHash{}(key) >> 32U); }
};

void RunUses::note(std::string_view tool, Destination destination) {
  const std::uint64_t hash = hash64(tool);
  auto found = std::ranges::find(tools_, hash, &ToolUse::tool);
  if (found == tools_.end()) {
    if (tools_.size() >= Profiles::kMaxTools) {
      overflow_ = true;
      return;
    }
    tools_.push_back({.tool = hash});
    found = std::prev(tools_.end());
  }
  found->destinations |= bit(destination);
}

Profiles::Profiles(Options options) : impl_(std::make_unique<Impl>(options.max_profiles)) {}
Profiles::~Profiles() = default;

ProfileKey Profiles::key(Hash128 owner, std::string_view agent, std::string_view task) {
  return {.owner = owner, .task = hash64(task, hash64(agent))};
}

std::optional<Profiles::Anomaly> Profiles::judge(const ProfileKey& key, std::string_view tool, Destination destination,
                                                 const ProfileRules& rules, TimeNs /*now*/) {
  const auto part = impl_->lock(key);
  const Profile* profile = part->use(key);
  if (profile == nullptr || profile->runs < std::min<std::int64_t>(rules.warmup, kMaxRuns)) return std::nullopt;
  const Habit* habit = profile->habit(hash64(tool));
  if (habit == nullptr) {
    if (profile->overfull) return std::nullopt;
    return Anomaly{.runs = profile->runs,
                   .sentence = fmt::format("{} was never used in {} ordinary runs of this task", tool, profile->runs)};
  }
  if (destination != Destination::kOutside || habit->outside > 0 || habit->runs < kFewestRuns) return std::nullopt;
  return Anomaly{.runs = profile->runs,
                 .sentence = fmt::format("{} was used in {} of {} ordinary runs of this task, never towards a "
                                         "destination from outside the prompt",
                                         tool, habit->runs, profile->runs)};
}

void Profiles::learn(const ProfileKey& key, const RunUses& uses, TimeNs /*now*/) {
  if (!uses.complete()) return;
  const auto part = impl_->lock(key);
  Profile* profile = part->use(key);
  if (profile == nullptr) profile = &part->beginners.touch(key);
  profile->learn(uses);
  if (profile->runs != kEstablished || part->established.find(key) != nullptr) return;
  Profile moved = std::move(*profile);
  part->beginners.erase(key);
  part->established.touch(key) = std::move(moved);
}

std::int64_t Profiles::learned(const ProfileKey& key) const {
  const auto part = impl_->lock(key);
  const Profile* profile = part->established.find(key);
  if (profile == nullptr) profile = part->beginners.find(key);
  return profile == nullptr ? 0 : profile->runs;
}

std::size_t Profiles::size() const {
  return impl_->parts.sum([](const Part& part) { return part.beginners.size() + part.established.size(); });
}

}  // namespace weir
