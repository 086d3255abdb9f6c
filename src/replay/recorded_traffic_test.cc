// The promises about reservations, on recorded traffic: what `./dev bench replay` reports, as a test.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "replay/test_replay.h"

namespace weir {
namespace {

struct Use {
  TimeNs time;
  std::int64_t tokens;
};

std::int64_t peak_of(const std::vector<Use>& uses) {
  std::int64_t sum = 0, most = 0;
  std::size_t oldest = 0;
  for (const Use& use : uses) {
    sum += use.tokens;
    while (uses[oldest].time <= use.time - kMinute) sum -= uses[oldest++].tokens;
    most = std::max(most, sum);
  }
  return most;
}

// What an exact log admits that knows each answer's length beforehand.
std::int64_t admitted_with_foreknowledge(const std::vector<Use>& rows, std::int64_t limit) {
  std::deque<Use> log;
  std::int64_t sum = 0, admitted = 0;
  for (const Use& row : rows) {
    for (; !log.empty() && log.front().time <= row.time - kMinute; log.pop_front()) sum -= log.front().tokens;
    if (sum + row.tokens > limit) continue;
    log.push_back(row);
    sum += row.tokens;
    admitted += row.tokens;
  }
  return admitted;
}

class RecordedTraffic : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string path = std::string(WEIR_SOURCE_DIR) + "/../shared/data/load_" + GetParam() + ".csv";
    std::ifstream file(path, std::ios::binary);
    if (!file) GTEST_SKIP() << path << " is absent";
    text_.assign(std::istreambuf_iterator<char>(file), {});
    replay_rows(policy_from("limits: []"), {});
    std::string text = "limits:\n";
    for (const auto& [tenant, uses] : used_) {
      std::int64_t& limit = limits_[tenant];
      for (const Use& use : uses) limit = std::max(limit, use.tokens);
      limit = std::max(limit, peak_of(uses) / 2);
      ideal_ += admitted_with_foreknowledge(uses, limit);
      text += "  - { name: l" + std::to_string(limits_.size()) + ", meter: tokens, allow: " + std::to_string(limit) +
              "/1m, " + (tenant.empty() ? "per: global }\n" : "per: tenant, match: { tenant: " + tenant + " } }\n");
    }
    policy_ = policy_from(text);
  }

  void replay_rows(const std::shared_ptr<const Policy>& policy, ReplayOptions options) {
    used_.clear();
    Replay replay(policy, options, [&](const ReplayedRow& row) {
      if (row.settled) used_[std::string(row.tenant)].push_back({row.time, *row.settled});
    });
    auto trace = open_trace(text_, GetParam());
    ASSERT_TRUE(trace);
    replay.begin_trace(**trace);
    TraceRow row;
    while ((*trace)->next(row).value()) ASSERT_TRUE(replay.add(row));
    replay.finish();
    EXPECT_EQ(replay.summary().open_reservations, 0);
    admitted_ = replay.summary().tokens_used;
  }

  std::string text_;
  std::map<std::string, std::vector<Use>> used_;
  std::map<std::string, std::int64_t> limits_;
  std::int64_t ideal_ = 0, admitted_ = 0;
  std::shared_ptr<const Policy> policy_;
};

TEST_P(RecordedTraffic, NeverGoesOverALimitInModeReserve) {
  replay_rows(policy_, {.whole_cap = true});
  for (const auto& [tenant, uses] : used_) EXPECT_LE(peak_of(uses), limits_[tenant]) << tenant;
}

TEST_P(RecordedTraffic, GoesOverByAtMostATenthInModeEstimateAndAdmitsNearlyAll) {
  replay_rows(policy_, {});
  for (const auto& [tenant, uses] : used_) EXPECT_LE(peak_of(uses), limits_[tenant] * 110 / 100) << tenant;
  EXPECT_GE(static_cast<double>(admitted_), 0.97 * static_cast<double>(ideal_));
}

INSTANTIATE_TEST_SUITE_P(Traces, RecordedTraffic,
                         testing::Values("servegen_mlarge_diverse1h", "servegen_mlarge_peak1h", "azure2023_conv"));

}  // namespace
}  // namespace weir
