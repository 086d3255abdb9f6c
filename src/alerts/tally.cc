#include "alerts/tally.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace weir {
namespace {

using What = DecisionEvent::What;

bool is_decided(const DecisionEvent& event) {
  return event.what == What::kAdmitted || event.what == What::kRefused || event.what == What::kBroken ||
         event.what == What::kRejected;
}

// Guards that stop loops and bursts. A kill switch is no news to whoever threw it.
bool is_break(const DecisionEvent& event) {
  return event.layer == "breaker" && event.limit != "killed" && event.limit != "profile";
}

// Of what an agent does in its task. That a caller does more than usual is noted under the same name, and is what a
// spike says already.
bool is_anomaly(const DecisionEvent& event) {
  return event.limit == "profile" && event.evidence.find("of this task") != std::string::npos;
}

}  // namespace

void AlertTally::add(const DecisionEvent& event) {
  const std::int64_t tokens = event.input_tokens + event.output_tokens;
  if (is_decided(event)) ++all_.requests;
  if (event.what == What::kSettled) {
    all_.tokens += tokens;
    all_.usd_micros += event.usd_micros;
    if (event.reserved_tokens > 0 && tokens > 0) {
      ++all_.settled;
      all_.settled_reserved += event.reserved_tokens;
      all_.settled_used += tokens;
    }
  }
  if (event.key.empty()) return;
  auto found = keys_.find(event.key);
  if (found == keys_.end()) {
    if (keys_.size() >= kMaxKeys) return;
    found = keys_.try_emplace(event.key).first;
    found->second.key = event.key;
  }
  add_to(found->second, event);
}

void AlertTally::add_to(KeySecond& key, const DecisionEvent& event) {
  key.tenant = event.tenant;
  key.tier = event.tier;
  if (is_decided(event)) {
    ++key.requests;
    const std::string& thread = event.run.empty() ? event.conversation : event.run;
    if (!thread.empty()) {
      const std::uint64_t hash = hash64(thread);
      const auto known =
          std::find_if(key.threads.begin(), key.threads.end(), [&](const auto& each) { return each.first == hash; });
      if (known != key.threads.end()) {
        ++known->second;
      } else if (key.threads.size() < KeySecond::kMaxThreads) {
        key.threads.emplace_back(hash, 1);
      }
    }
  }
  if (event.what == What::kSettled) {
    key.tokens += event.input_tokens + event.output_tokens;
    key.usd_micros += event.usd_micros;
    if (event.status >= 500 && !event.provider.empty()) ++key.failed;
  }
  if (event.what == What::kRefused && !event.limit.empty()) {
    ++key.refused;
    key.refused_limit = event.limit;
  }
  if (event.what != What::kBroken && event.what != What::kWarned) return;
  if (is_break(event)) {
    ++(event.what == What::kBroken ? key.breaks : key.warnings);
    if (event.what == What::kBroken || key.breaks == 0) key.break_evidence = event.evidence;
  } else if (is_anomaly(event)) {
    ++key.anomalies;
    key.anomaly_evidence = event.evidence;
  }
}

void AlertTally::close(TimeNs now, AlertInput& input) {
  input.now = now;
  input.requests = all_.requests;
  input.tokens = all_.tokens;
  input.usd_micros = all_.usd_micros;
  input.settled = all_.settled;
  input.settled_reserved = all_.settled_reserved;
  input.settled_used = all_.settled_used;
  for (auto& [name, key] : keys_) input.keys.push_back(std::move(key));
  keys_.clear();
  all_ = {};
}

}  // namespace weir
