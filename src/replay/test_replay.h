// What the tests of this folder share: rows without a file, a policy from text, everything a replay says.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"
#include "replay/replay.h"
#include "replay/report.h"

namespace weir {

struct Call {
  double at = 0;  // seconds
  std::string tenant{};
  std::int64_t input = 10, output = 10;
  std::string model = "m";
};

inline std::shared_ptr<const Policy> policy_from(std::string_view text) {
  const LoadedPolicy loaded = load_policy(text, "weir.yaml", [](std::string_view) { return std::nullopt; });
  for (const Diagnostic& diagnostic : loaded.diagnostics) {
    EXPECT_FALSE(diagnostic.error) << to_string(diagnostic);
  }
  return loaded.policy ? loaded.policy : std::make_shared<const Policy>();
}

// A trace whose rows come from the test.
class FakeTrace final : public TraceReader {
 public:
  explicit FakeTrace(bool absolute = false) : absolute_(absolute) {}
  Result<bool> next(TraceRow&) override { return false; }
  bool absolute() const override { return absolute_; }

 private:
  bool absolute_;
};

struct Told {
  std::vector<std::string> lines;  // as --decisions writes them
  std::vector<ReplayDecision> decisions;
  std::vector<TimeNs> times;
  std::vector<std::int64_t> reserved;
  std::vector<ReplayedCharge> charges;
  ReplaySummary summary;
};

// Views of `call`, valid while it lives.
inline TraceRow row_of(const Call& call) {
  TraceRow row;
  row.time = static_cast<TimeNs>(call.at * 1e9);
  row.tenant = call.tenant;
  row.model = call.model;
  row.input_tokens = call.input;
  row.output_tokens = call.output;
  return row;
}

inline Told replay_calls(const std::shared_ptr<const Policy>& policy, const std::vector<Call>& calls,
                         ReplayOptions options = {}) {
  Told told;
  options.charged = [&](const ReplayedCharge& charge) { told.charges.push_back(charge); };
  Replay replay(policy, options, [&](const ReplayedRow& row) {
    append_decision(told.lines.emplace_back(), row);
    told.decisions.push_back(row.decision);
    told.times.push_back(row.time);
    told.reserved.push_back(row.reserved);
  });
  replay.begin_trace(FakeTrace());
  for (const Call& call : calls) {
    const auto added = replay.add(row_of(call));
    EXPECT_TRUE(added) << (added ? "" : added.error().message);
  }
  replay.finish();
  told.summary = replay.summary();
  return told;
}

}  // namespace weir
