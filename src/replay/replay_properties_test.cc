// What holds for every trace.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "replay/test_replay.h"

namespace weir {
namespace {

constexpr std::int64_t kAmount = 4000;

// Bursts and pauses, few tenants, answers of up to the cap.
std::vector<Call> any_calls() {
  const auto count = *rc::gen::inRange<std::size_t>(1, 120);
  std::vector<Call> calls;
  double at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    at += *rc::gen::element(0.0, 0.0, 0.25, 0.5, 3.0, 20.0);
    calls.push_back({at, *rc::gen::element<std::string>("", "a", "b"), *rc::gen::inRange<std::int64_t>(0, 900),
                     *rc::gen::element<std::int64_t>(0, 1, 20, 21, 40, 300, 1000)});
  }
  return calls;
}

std::string policy_text(std::string_view per, int precision) {
  return "reservation: { warmup: 3, quantile: 0.5, top_up: 16 }\nlimits: [{ name: a, per: " + std::string(per) +
         ", meter: tokens, allow: " + std::to_string(kAmount) + "/10s, precision: " + std::to_string(precision) + " }]";
}

// Exactly: the most of these in any window (t - 10 s, t].
std::int64_t most_in_a_window(const std::vector<std::pair<TimeNs, std::int64_t>>& uses) {
  std::int64_t most = 0;
  for (const auto& last : uses) {
    std::int64_t sum = 0;
    for (const auto& use : uses)
      sum += use.first <= last.first && use.first > last.first - 10 * kSecond ? use.second : 0;
    most = std::max(most, sum);
  }
  return most;
}

std::vector<std::pair<TimeNs, std::int64_t>> uses_of(const std::vector<Call>& calls, const Told& told,
                                                     const std::string& tenant, bool at_charge) {
  std::vector<std::pair<TimeNs, std::int64_t>> uses;
  for (std::size_t i = 0; !at_charge && i < calls.size(); ++i) {
    if (calls[i].tenant != tenant || told.decisions[i] == ReplayDecision::kRefuse) continue;
    uses.emplace_back(told.times[i], calls[i].input + calls[i].output);
  }
  for (std::size_t i = 0; at_charge && i < told.charges.size(); ++i) {
    const ReplayedCharge& charge = told.charges[i];
    if (calls[static_cast<std::size_t>(charge.row) - 1].tenant == tenant) uses.emplace_back(charge.time, charge.tokens);
  }
  return uses;
}

RC_GTEST_PROP(ReplayProperties, ModeReserveNeverHasMoreThanTheAmountInAnyWindow, ()) {
  const auto calls = any_calls();
  const auto precision = *rc::gen::element(1, 7, 60);
  const auto cap = *rc::gen::element<std::int64_t>(0, 1000, 5000);
  const Told told =
      replay_calls(policy_from(policy_text("tenant", precision)), calls, {.whole_cap = true, .max_tokens = cap});
  for (const std::string tenant : {"", "a", "b"}) {
    RC_ASSERT(most_in_a_window(uses_of(calls, told, tenant, false)) <= kAmount);
    RC_ASSERT(most_in_a_window(uses_of(calls, told, tenant, true)) <= kAmount);
  }
  RC_ASSERT(told.summary.debts == 0);
}

RC_GTEST_PROP(ReplayProperties, NothingIsLostInEitherMode, (bool whole_cap)) {
  const auto calls = any_calls();
  const Told told = replay_calls(policy_from(policy_text("tenant", 60)), calls, {.whole_cap = whole_cap});
  std::int64_t used = 0, charged = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    used += told.decisions[i] == ReplayDecision::kRefuse ? 0 : calls[i].input + calls[i].output;
  }
  for (const ReplayedCharge& charge : told.charges) charged += charge.tokens;
  RC_ASSERT(used == told.summary.tokens_used);
  RC_ASSERT(charged == used);
  RC_ASSERT(told.summary.open_reservations == 0);
  RC_ASSERT(told.summary.allowed + told.summary.refused == static_cast<std::int64_t>(calls.size()));
}

RC_GTEST_PROP(ReplayProperties, TheSameRowsGiveTheSameLines, (bool whole_cap)) {
  const auto calls = any_calls();
  const auto policy = policy_from(policy_text("global", 60));
  RC_ASSERT(replay_calls(policy, calls, {.whole_cap = whole_cap}).lines ==
            replay_calls(policy, calls, {.whole_cap = whole_cap}).lines);
}

// Another output of one row changes nothing that is decided before the earlier of its two ends.
RC_GTEST_PROP(ReplayProperties, NothingIsDecidedByWhatIsYetToCome, (bool whole_cap)) {
  const auto calls = any_calls();
  auto other = calls;
  const auto changed = *rc::gen::inRange<std::size_t>(0, calls.size());
  other[changed].output = *rc::gen::inRange<std::int64_t>(0, 1000);
  const auto policy = policy_from(policy_text("global", 60));
  const Told told = replay_calls(policy, calls, {.whole_cap = whole_cap});
  const Told otherwise = replay_calls(policy, other, {.whole_cap = whole_cap});
  const TimeNs end = static_cast<TimeNs>(calls[changed].at * 1e9) +
                     ServiceTime{}.of(std::min(calls[changed].output, other[changed].output));
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (static_cast<TimeNs>(calls[i].at * 1e9) >= end) break;
    RC_ASSERT(told.decisions[i] == otherwise.decisions[i]);
    RC_ASSERT(told.reserved[i] == otherwise.reserved[i]);
    if (i != changed) RC_ASSERT(told.lines[i] == otherwise.lines[i]);
  }
}

}  // namespace
}  // namespace weir
