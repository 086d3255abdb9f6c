#include "replay/recommend_use.h"

#include <algorithm>
#include <numeric>

#include "base/hash.h"

namespace weir {
namespace {

constexpr std::array kAllWindows = {UseWindow::kPerMinute, UseWindow::kPerHour, UseWindow::kPerDay};

// Who the limits per caller count a row for, as RowRequest has it.
std::string_view caller_of(const TraceRow& row) {
  if (!row.user.empty()) return row.user;
  if (!row.key.empty()) return row.key;
  return row.tenant.empty() ? std::string_view("trace") : row.tenant;
}

// A key and a user of one name are two callers.
std::uint64_t hash_of(const TraceRow& row) {
  return hash64(caller_of(row), hash64(row.tenant, row.user.empty() ? 1 : 2));
}

std::string_view tier_of(const TraceRow& row, const Policy& policy) {
  return row.tier.empty() ? std::string_view(policy.default_tier) : row.tier;
}

// RowRequest takes every other word for an agent.
std::string_view kind_of(const TraceRow& row) {
  return row.kind == "service" || row.kind == "human" ? row.kind : std::string_view("agent");
}

double median(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

const char* to_string(UseWindow window) {
  static constexpr std::array<const char*, kUseWindows> kNames = {"minute", "hour", "day"};
  return kNames[static_cast<std::size_t>(window)];
}
const char* to_string(UseMeter meter) {
  static constexpr std::array<const char*, kUseMeters> kNames = {"requests", "tokens", "usd", "runs"};
  return kNames[static_cast<std::size_t>(meter)];
}
DurationNs length_of(UseWindow window) {
  static constexpr std::array<DurationNs, kUseWindows> kLengths = {kMinute, kHour, kDay};
  return kLengths[static_cast<std::size_t>(window)];
}

UseBook::UseBook(const Policy& policy, ServiceTime service)
    : policy_(policy), service_(service), request_(policy), runs_(policy.behavior) {}

std::size_t UseBook::group_of(std::string_view tier, std::string_view kind) {
  std::size_t at = 0;
  while (at < groups_.size() && (groups_[at].tier != tier || groups_[at].kind != kind)) ++at;
  if (at == groups_.size() && at < kMaxGroups) {
    groups_.emplace_back();
    groups_.back().tier = tier;
    groups_.back().kind = kind;
  }
  return at;
}

std::size_t UseBook::find(const TraceRow& row) const {
  const auto found = index_.find(hash_of(row));
  if (found == index_.end()) return consumers_.size();
  const std::string_view tier = tier_of(row, policy_), kind = kind_of(row);
  for (std::uint32_t at = found->second + 1; at != 0; at = consumers_[at - 1].next) {
    const GroupUse& group = groups_[consumers_[at - 1].group];
    if (group.tier == tier && group.kind == kind) return at - 1;
  }
  return consumers_.size();
}

ConsumerUse* UseBook::consumer_of(const TraceRow& row) {
  if (const std::size_t at = find(row); at < consumers_.size()) return &consumers_[at];
  if (consumers_.size() >= kMaxConsumers) return nullptr;
  const std::size_t group = group_of(tier_of(row, policy_), kind_of(row));
  if (group >= groups_.size()) return nullptr;
  const auto [entry, fresh] = index_.try_emplace(hash_of(row), static_cast<std::uint32_t>(consumers_.size()));
  ConsumerUse& consumer = consumers_.emplace_back();
  consumer.name = caller_of(row);
  consumer.group = static_cast<std::uint32_t>(group);
  ++groups_[group].consumers;
  if (!fresh) {
    ConsumerUse* known = &consumers_[entry->second];
    consumer.several = known->several = true;
    while (known->next != 0) known = &consumers_[known->next - 1];
    known->next = static_cast<std::uint32_t>(consumers_.size());
  }
  return &consumer;
}

void UseBook::close(const ConsumerUse& consumer, UseWindow window) {
  const auto at = static_cast<std::size_t>(window);
  GroupUse& group = groups_[consumer.group];
  for (std::size_t meter = 0; meter < kUseMeters; ++meter) {
    const std::int64_t used = consumer.windows[at].now[meter];
    if (used <= 0) continue;
    group.use[at][meter].add(used);
    for (const std::uint16_t limit : consumer.own_limits) group.own[limit][at][meter].add(used);
  }
}

// Keys keep such amounts under every policy that has a limit of the name.
void UseBook::note_own_amounts(const TraceRow& row, ConsumerUse& consumer) const {
  if (consumer.own || row.metadata == nullptr) return;
  const auto any_below = [&](const std::string& path) {
    const auto entry = row.metadata->lower_bound(path);
    return entry != row.metadata->end() && entry->first.starts_with(path);
  };
  consumer.own = any_below("limits.");
  if (!consumer.own) return;
  for (std::size_t i = 0; i < policy_.limits.size(); ++i) {
    const std::string path = "limits." + policy_.limits[i].name;
    if (row.metadata->contains(path) || any_below(path + ".")) {
      consumer.own_limits.push_back(static_cast<std::uint16_t>(i));
    }
  }
}

Result<void> UseBook::add(const TraceRow& row) {
  if (requests_ > 0 && row.time < last_) {
    return fail("the rows are out of order: " + format_rfc3339(row.time) + " follows " + format_rfc3339(last_) +
                "; sort them by time");
  }
  if (requests_++ == 0) first_ = row.time;
  last_ = row.time;
  ConsumerUse* consumer = consumer_of(row);
  if (consumer == nullptr) {
    ++uncounted_;
    return {};
  }
  GroupUse& group = groups_[consumer->group];
  note_own_amounts(row, *consumer);
  request_.read(row);
  const Costs& costs = request_.used(row.output_tokens);
  Amounts amounts{1, costs.held[static_cast<std::size_t>(MeterKind::kTokens)],
                  costs.held[static_cast<std::size_t>(MeterKind::kUsd)], 0};
  const DurationNs answer = service_.of(row.output_tokens);
  if (!row.run.empty()) {
    amounts[static_cast<std::size_t>(UseMeter::kRuns)] = runs_.enter(request_.key(), row.run, row.time) ? 1 : 0;
    runs_.admit(row.time, row.time + answer);
  }
  consumer->rhythm.add(row.time, answer);
  consumer->longest = std::max(consumer->longest, answer);
  ++consumer->requests;
  ++group.requests;
  group.answer_seconds += static_cast<double>(answer) / 1e9;
  for (const UseWindow window : kAllWindows) {
    ConsumerUse::Window& use = consumer->windows[static_cast<std::size_t>(window)];
    const std::int64_t number = row.time / length_of(window);
    if (number != use.number) {
      close(*consumer, window);
      const std::int64_t passed = number - use.number;
      use.earlier = passed == 1 ? use.before : passed == 2 ? use.now : Amounts{};
      use.before = passed == 1 ? use.now : Amounts{};
      use.now = {};
      use.number = number;
    }
    for (std::size_t meter = 0; meter < kUseMeters; ++meter) {
      use.now[meter] = std::min(use.now[meter] + amounts[meter], kMaxAmount);
      const std::int64_t third = meter == static_cast<std::size_t>(UseMeter::kUsd) ? use.earlier[meter] : 0;
      use.most[meter] = std::max(use.most[meter], third + use.before[meter] + use.now[meter]);
    }
  }
  return {};
}

void UseBook::sort_groups() {
  std::vector<std::uint32_t> order(groups_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tie(groups_[a].tier, groups_[a].kind) < std::tie(groups_[b].tier, groups_[b].kind);
  });
  std::vector<GroupUse> sorted;
  std::vector<std::uint32_t> place(groups_.size());
  for (const std::uint32_t old : order) {
    place[old] = static_cast<std::uint32_t>(sorted.size());
    sorted.push_back(std::move(groups_[old]));
  }
  groups_ = std::move(sorted);
  for (ConsumerUse& consumer : consumers_) consumer.group = place[consumer.group];
}

void UseBook::judge_shapes() {
  for (std::uint32_t at = 0; at < groups_.size(); ++at) {
    GroupUse& group = groups_[at];
    std::array<std::vector<double>, 6> values;
    for (const ConsumerUse& consumer : consumers_) {
      if (consumer.group != at) continue;
      const Rhythm& rhythm = consumer.rhythm;
      const Shape shape = rhythm.shape();
      ++group.shapes[static_cast<std::size_t>(shape)];
      if (shape == Shape::kUnknown) continue;
      group.crowds += rhythm.crowd() ? 1 : 0;
      const std::array<double, 6> measures = {rhythm.burstiness(), rhythm.quick(),        rhythm.overlap(),
                                              rhythm.night(),      rhythm.busiest_hour(), double(rhythm.hours())};
      for (std::size_t i = 0; i < measures.size(); ++i) values[i].push_back(measures[i]);
    }
    const auto most = std::max_element(group.shapes.begin() + 1, group.shapes.end());
    if (*most > 0) group.shape = static_cast<Shape>(most - group.shapes.begin());
    double* const medians[] = {&group.burstiness, &group.quick,        &group.overlap,
                               &group.night,      &group.busiest_hour, &group.hours};
    for (std::size_t i = 0; i < values.size(); ++i) *medians[i] = median(values[i]);
  }
}

void UseBook::finish() {
  for (const ConsumerUse& consumer : consumers_) {
    for (const UseWindow window : kAllWindows) {
      close(consumer, window);
    }
  }
  for (const UseWindow window : kAllWindows) {
    if (last_ - first_ < length_of(window)) continue;
    for (GroupUse& group : groups_) group.longest = window;
  }
  sort_groups();
  judge_shapes();
}

}  // namespace weir
