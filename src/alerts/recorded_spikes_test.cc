// Spikes in an hour of recorded traffic: what is ordinary alerts nobody, ten times as much is found within a minute.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "alerts/rules.h"

namespace weir {
namespace {

struct Request {
  std::int64_t second = 0;
  std::string key;
  std::int64_t tokens = 0;
};

std::vector<Request> recorded(const std::string& name) {
  std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/../shared/data/load_" + name + ".csv");
  std::vector<Request> out;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::vector<std::string> cells;
    std::istringstream text(line);
    for (std::string cell; std::getline(text, cell, ',');) cells.push_back(cell);
    if (cells.size() < 7) continue;
    out.push_back({std::atoll(cells[0].c_str()), cells[1].empty() ? "all" : cells[1],
                   std::atoll(cells[5].c_str()) + std::atoll(cells[6].c_str())});
  }
  return out;
}

class RecordedSpikes : public testing::TestWithParam<const char*> {
 protected:
  // Alerts by key. From `hot` on, `times` as much of everything.
  static std::map<std::string, TimeNs> play(const std::vector<Request>& requests, std::int64_t hot,
                                            std::int64_t times) {
    constexpr TimeNs kStart = 1'795'000'000 * kSecond;
    AlertRule rule;
    rule.name = "spike";
    rule.when = AlertRule::When::kSpike;
    rule.per = AlertRule::Per::kKey;
    rule.within = kMinute;
    rule.least = 100'000;
    rule.warmup = 20 * kMinute;
    AlertRules rules;
    rules.use(std::vector<AlertRule>{rule}, "UTC");
    std::map<std::string, TimeNs> out;
    std::size_t at = 0;
    for (std::int64_t second = 0; second < 3'600; ++second) {
      AlertInput input;
      input.now = kStart + (second + 1) * kSecond;
      std::map<std::string, KeySecond> keys;
      for (; at < requests.size() && requests[at].second <= second; ++at) {
        KeySecond& key = keys[requests[at].key];
        key.key = requests[at].key;
        ++key.requests;
        key.tokens += requests[at].tokens * (second >= hot ? times : 1);
      }
      for (auto& [name, key] : keys) input.keys.push_back(std::move(key));
      for (const AlertChange& change : rules.step(input)) {
        if (change.what == AlertChange::What::kBegan)
          out.try_emplace(change.alert.subject, change.alert.since - kStart);
      }
    }
    return out;
  }
};

TEST_P(RecordedSpikes, OrdinaryTrafficIsQuietAndTenTimesAsMuchIsFound) {
  const std::vector<Request> requests = recorded(GetParam());
  if (requests.empty()) GTEST_SKIP() << "no recorded traffic beside the repository";
  const auto quiet = play(requests, 3'600, 1);
  std::int64_t keys = 0;
  std::map<std::string, int> seen;
  for (const Request& request : requests) keys += seen[request.key]++ == 0 ? 1 : 0;
  // Sources that send in bursts of their own are spikes in truth: few of all.
  EXPECT_LE(static_cast<std::int64_t>(quiet.size()), keys / 20) << GetParam();
  const auto found = play(requests, 2'400, 10);
  std::size_t within_a_minute = 0;
  for (const auto& [subject, after] : found)
    within_a_minute += after <= 2'460 * kSecond && after > 2'400 * kSecond ? 1 : 0;
  EXPECT_GE(within_a_minute, 1u) << GetParam();
  std::printf("%s: %zu of %lld keys alert in ordinary traffic; ten times as much: %zu, %zu of them within a minute\n",
              GetParam(), quiet.size(), static_cast<long long>(keys), found.size(), within_a_minute);
}

INSTANTIATE_TEST_SUITE_P(Traces, RecordedSpikes,
                         testing::Values("azure2023_conv", "servegen_mlarge_diverse1h", "servegen_mlarge_peak1h"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace weir
