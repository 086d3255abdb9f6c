#include "admin/live_series.h"

#include <algorithm>

namespace weir {
namespace {

bool is_larger(const LiveCounts& a, const LiveCounts& b) {
  return a.requests != b.requests ? a.requests > b.requests : a.refused > b.refused;
}

}  // namespace

LiveCounts& LiveCounts::operator+=(const LiveCounts& other) {
  requests += other.requests;
  refused += other.refused;
  tokens += other.tokens;
  usd_micros += other.usd_micros;
  return *this;
}

void LiveSeries::open(std::int64_t second) {
  if (second <= second_) return;
  const std::int64_t skipped = std::min<std::int64_t>(second - second_, kSeconds);
  for (std::int64_t at = second - skipped + 1; at <= second; ++at) {
    const std::size_t i = static_cast<std::size_t>(at) % kSeconds;
    total_[i] = {};
    for (auto& groups : groups_) {
      for (Group& group : groups) group.ring[i] = {};
    }
  }
  second_ = second;
}

void LiveSeries::add(Kind kind, std::string_view group, const LiveCounts& counts) {
  group_of(kind, group).ring[slot()] += counts;
}

LiveSeries::Group& LiveSeries::group_of(Kind kind, std::string_view name) {
  std::vector<Group>& groups = groups_[kind];
  for (Group& group : groups) {
    if (group.name == name) return group;
  }
  if (groups.size() + 1 < kMaxGroups || name == kOtherGroup) {
    return groups.emplace_back(Group{std::string(name), Ring(kSeconds)});
  }
  if (Group* silent = silent_group(kind)) {
    silent->name = name;
    return *silent;
  }
  return group_of(kind, kOtherGroup);
}

// At most once a second: many new names must not cost a walk each.
LiveSeries::Group* LiveSeries::silent_group(Kind kind) {
  if (std::exchange(looked_for_room_[kind], second_) == second_) return nullptr;
  for (Group& group : groups_[kind]) {
    if (group.name == kOtherGroup) continue;
    if (std::none_of(group.ring.begin(), group.ring.end(), [](const LiveCounts& c) { return c.any(); })) return &group;
  }
  return nullptr;
}

std::vector<NamedCounts> LiveSeries::groups(Kind kind) const {
  std::vector<NamedCounts> out;
  for (const Group& group : groups_[kind]) {
    if (group.ring[slot()].any()) out.emplace_back(group.name, group.ring[slot()]);
  }
  return out;
}

LiveWindow LiveSeries::window(std::size_t seconds) const {
  const std::size_t count = std::clamp<std::size_t>(seconds, 1, kSeconds);
  const auto column = [&](const Ring& ring) {
    LiveWindow::Column out(count);
    for (std::size_t i = 0; i < count; ++i) out[i] = ring[(slot() + kSeconds - count + 1 + i) % kSeconds];
    return out;
  };
  LiveWindow out{.first_second = second_ - static_cast<std::int64_t>(count) + 1, .total = column(total_), .by = {}};
  for (const Kind kind : kKinds) {
    std::vector<std::pair<LiveCounts, const Group*>> ranked;
    for (const Group& group : groups_[kind]) {
      LiveCounts sum;
      for (const LiveCounts& each : column(group.ring)) sum += each;
      if (sum.any()) ranked.emplace_back(sum, &group);
    }
    std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
      if (is_larger(a.first, b.first) || is_larger(b.first, a.first)) return is_larger(a.first, b.first);
      return a.second->name < b.second->name;
    });
    LiveWindow::Column other(count);
    bool any_other = false;
    for (const auto& [sum, group] : ranked) {
      LiveWindow::Column one = column(group->ring);
      if (out.by[kind].size() < kShownGroups && group->name != kOtherGroup) {
        out.by[kind].emplace_back(group->name, std::move(one));
        continue;
      }
      any_other = true;
      for (std::size_t i = 0; i < count; ++i) other[i] += one[i];
    }
    if (any_other) out.by[kind].emplace_back(kOtherGroup, std::move(other));
  }
  return out;
}

}  // namespace weir
