// One second as the alert rules see it. Plain values, made by tally.h and whoever knows the rest.
//
//   AlertInput input{.now = now};
//   input.keys.push_back({.key = "agent-1", .tenant = "acme", .requests = 3, .tokens = 900});
//   for (const AlertChange& change : rules.step(input)) …
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"

namespace weir {

// What a key did in this second.
struct KeySecond {
  static constexpr std::size_t kMaxThreads = 16;

  std::string key, tenant, tier;
  std::int64_t requests = 0, tokens = 0, usd_micros = 0;
  std::int64_t refused = 0;                                     // by limits
  std::int64_t failed = 0;                                      // ended with a 5xx of the provider's
  std::int64_t breaks = 0;                                      // loops and bursts that were stopped
  std::int64_t warnings = 0;                                    // … and that were only warned of
  std::int64_t anomalies = 0;                                   // calls that the agent's profile does not know
  std::string break_evidence, anomaly_evidence, refused_limit;  // of the last one
  // Runs (else conversations) by a hash of their name, and requests of each; of a second with more, the first.
  std::vector<std::pair<std::uint64_t, std::int64_t>> threads;
};

struct AlertInput {
  TimeNs now = 0;
  std::vector<KeySecond> keys;
  std::int64_t requests = 0, tokens = 0, usd_micros = 0;             // of everybody
  std::int64_t settled = 0, settled_reserved = 0, settled_used = 0;  // answers that were settled, and their tokens

  struct Use {                   // of a limit, by a subject near its amount
    std::string limit, subject;  // "key ann"
    std::uint64_t id = 0;        // of the subject: two of the same words are two; 0: the words tell them apart
    double ratio = 0;
    std::string used, held, allowed;  // as shown; `held`, which is not in `used`, is empty for nothing
    bool shadow = false;              // the limit refuses nothing
  };
  std::vector<Use> uses;
  struct Breaker {
    std::string provider, model;
  };
  std::vector<Breaker> open_breakers;
  struct Provider {  // since the start
    std::string provider;
    std::int64_t answered = 0, failed = 0;
  };
  std::vector<Provider> providers;
  std::vector<std::pair<std::string, std::int64_t>> fail_open;  // limit, admitted without counters since the start
};

}  // namespace weir
