#include "alerts/causes.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir {
namespace {

constexpr std::int64_t kLeastRequests = 20;  // before the share of one run, or of failures, says anything
constexpr std::int64_t kOneRunPercent = 80;
constexpr std::int64_t kFailedPercent = 30;
constexpr std::size_t kManyThreads = 5;

std::string with(const std::string& evidence) {
  std::string text = evidence.substr(0, 300);
  while (text.ends_with('.')) text.pop_back();
  return text.empty() ? text : ": " + text;
}

}  // namespace

void KeyEvidence::add(const KeySecond& second, TimeNs now) {
  tenant = second.tenant;
  tier = second.tier;
  requests.add(second.requests, now);
  tokens.add(second.tokens, now);
  usd_micros.add(second.usd_micros, now);
  refused.add(second.refused, now);
  failed.add(second.failed, now);
  breaks.add(second.breaks, now);
  anomalies.add(second.anomalies, now);
  if (!second.break_evidence.empty()) break_evidence = second.break_evidence;
  if (!second.anomaly_evidence.empty()) anomaly_evidence = second.anomaly_evidence;
  if (!second.refused_limit.empty()) refused_limit = second.refused_limit;
  if (now >= threads_since_ + kLookBack) {
    older_ = now < threads_since_ + 2 * kLookBack ? std::move(threads_) : decltype(threads_)();
    threads_.clear();
    threads_since_ = now;
  }
  for (const auto& [thread, count] : second.threads) {
    const auto known = threads_.find(thread);
    if (known != threads_.end()) {
      known->second += count;
    } else if (threads_.size() < kMaxThreads) {
      threads_.emplace(thread, count);
    }
  }
}

std::size_t KeyEvidence::threads() const {
  std::size_t count = threads_.size();
  for (const auto& [thread, requests_of] : older_) count += threads_.contains(thread) ? 0 : 1;
  return count;
}

std::int64_t KeyEvidence::busiest_thread() const {
  std::int64_t most = 0;
  for (const auto& [thread, count] : threads_) {
    const auto before = older_.find(thread);
    most = std::max(most, count + (before == older_.end() ? 0 : before->second));
  }
  return most;
}

Cause cause_of(KeyEvidence& evidence, TimeNs now) {
  const std::int64_t requests = evidence.requests.of(now), failed = evidence.failed.of(now);
  const std::int64_t breaks = evidence.breaks.of(now), anomalies = evidence.anomalies.of(now);
  if (anomalies > 0 && anomalies >= breaks) {
    return {"injection", fmt::format("the agent did {} things that its task never did{}", anomalies,
                                     with(evidence.anomaly_evidence))};
  }
  if (breaks > 0) {
    return {"loop", fmt::format("breakers noticed it {} times within 5m{}", breaks, with(evidence.break_evidence))};
  }
  if (requests >= kLeastRequests && failed * 100 >= requests * kFailedPercent) {
    return {"provider",
            fmt::format("{} of {} requests within 5m failed at the provider and come again", failed, requests)};
  }
  const std::int64_t busiest = evidence.busiest_thread();
  const std::size_t threads = evidence.threads();
  if (requests >= kLeastRequests && busiest * 100 >= requests * kOneRunPercent) {
    return {"loop", fmt::format("one run made {} of its {} requests within 5m", std::min(busiest, requests), requests)};
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
