#include "alerts/causes.h"

#include <fmt/format.h>

#include <algorithm>

#include "alerts/words.h"

namespace weir {
namespace {

constexpr std::int64_t kLeastRequests = 10;  // before the share of one run, or of failures, says anything
constexpr std::int64_t kOneRunPercent = 80;
constexpr std::int64_t kFailedPercent = 30;
constexpr std::size_t kManyThreads = 5;

std::string with(const std::string& evidence) {
  std::string text = evidence.substr(0, 300);
  while (text.ends_with('.')) text.pop_back();
  return text.empty() ? text : ": " + text;
}

}  // namespace

KeyEvidence::KeyEvidence(DurationNs time)
    : within(time),
      requests(time),
      tokens(time),
      usd_micros(time),
      refused(time),
      failed(time),
      breaks(time),
      anomalies(time) {}

void KeyEvidence::add(const KeySecond& second, TimeNs now) {
  tenant = second.tenant;
  tier = second.tier;
  requests.add(second.requests, now);
  tokens.add(second.tokens, now);
  usd_micros.add(second.usd_micros, now);
  refused.add(second.refused, now);
  failed.add(second.failed, now);
  breaks.add(second.breaks + second.warnings, now);
  anomalies.add(second.anomalies, now);
  if (!second.break_evidence.empty()) break_evidence = second.break_evidence;
  if (!second.anomaly_evidence.empty()) anomaly_evidence = second.anomaly_evidence;
  if (!second.refused_limit.empty()) refused_limit = second.refused_limit;
  for (const auto& [thread, count] : second.threads) {
    if (threads_.size() >= kMaxThreads && !threads_.contains(thread)) {
      auto least = threads_.begin();
      for (auto each = threads_.begin(); each != threads_.end(); ++each) {
        if (each->second.of(now) < least->second.of(now)) least = each;
      }
      threads_.erase(least);
    }
    threads_.try_emplace(thread, within).first->second.add(count, now);
  }
}

std::size_t KeyEvidence::threads(TimeNs now) {
  return static_cast<std::size_t>(
      std::count_if(threads_.begin(), threads_.end(), [&](auto& each) { return each.second.of(now) > 0; }));
}

std::int64_t KeyEvidence::busiest_thread(TimeNs now) {
  std::int64_t most = 0;
  for (auto& [thread, sum] : threads_) most = std::max(most, sum.of(now));
  return most;
}

Cause cause_of(KeyEvidence& evidence, TimeNs now) {
  const std::int64_t requests = evidence.requests.of(now), failed = evidence.failed.of(now);
  const std::string within = duration_words(evidence.within);
  const std::int64_t breaks = evidence.breaks.of(now), anomalies = evidence.anomalies.of(now);
  if (anomalies > 0 && anomalies >= breaks) {
    return {"injection", fmt::format("the agent did {} things that its task never did{}", anomalies,
                                     with(evidence.anomaly_evidence))};
  }
  if (breaks > 0) {
    return {"loop",
            fmt::format("breakers noticed it {} times within {}{}", breaks, within, with(evidence.break_evidence))};
  }
  if (requests >= kLeastRequests && failed * 100 >= requests * kFailedPercent) {
    return {"provider",
            fmt::format("{} of {} requests within {} failed at the provider and come again", failed, requests, within)};
  }
  const std::int64_t busiest = evidence.busiest_thread(now);
  const std::size_t threads = evidence.threads(now);
  if (requests >= kLeastRequests && busiest * 100 >= requests * kOneRunPercent) {
    return {"loop",
            fmt::format("one run made {} of its {} requests within {}", std::min(busiest, requests), requests, within)};
  }
  if (evidence.refused.of(now) > 0 && threads >= kManyThreads) {
    return {"outgrown_tier",
            fmt::format("{}{} runs and conversations, none of them in a loop, were refused {} times by limit {}",
                        threads, threads >= KeyEvidence::kMaxThreads ? " or more" : "", evidence.refused.of(now),
                        evidence.refused_limit) +
                (evidence.tier.empty() ? "" : fmt::format(" of tier {}", evidence.tier))};
  }
  return {"unknown", "no loop, anomaly, failing provider or exhausted limit was seen"};
}

}  // namespace weir
