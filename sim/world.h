// A world: a small YAML file that says who is there, what they do and what goes wrong. Seeds fill in the rest.
//
//   name: tight budgets
//   hours: 0.5                       # virtual, before everything is healed and drained; or [0.2, 2]: chance decides
//   start: [2026-11-21T12:00:00Z, 2026-03-29T00:30:00Z]   # one of them, by chance
//   weir: { workers: 2, counters: local }                  # or late: answers come after a while, or not at all
//   policy: | …weir.yaml; providers' and upstreams' urls are http://<place>/…
//   policies: [ | … ]                # what reloads switch to, besides the first; may be invalid
//   keys:
//     - { name: ann, tenant: acme, kind: agent, tier: pro }
//     - { name: crowd, count: 1000, tenant: crowd }        # crowd-0 … crowd-999
//   providers:                       # listen at the place of that name; see provider.h for the rest
//     openai: { output: [5, 400], status_429: 20, stall: 5, … }
//   clients:                         # see client.h
//     - { kind: conversational, count: 5, key: ann, every: [3s, 60s] }
//   links: { "clients weir": { latency: [1ms, 80ms], loss: 5, segment: 700 } }
//   faults: { crash: 2, pause: 3, partition: 4 }           # how often per virtual hour, see faults.h
//   checks: { without: [liveness] }  # names of checkers that do not hold here, with the reason as a comment
//
// Values. Unknown keys are errors: a world that says something which nobody reads proves nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/consumer.h"
#include "network.h"

namespace weir::sim {

using Range = std::pair<std::int64_t, std::int64_t>;  // both included

// Numbers, ranges, durations and words of one actor, read by whoever knows them; see Reader in world.cc. Each `take`
// marks its key as read; what nobody took is an error of the file.
class Settings {
 public:
  void set(std::string key, std::vector<std::string> words) { words_[std::move(key)] = {std::move(words), false}; }
  std::int64_t number(const std::string& key, std::int64_t otherwise) const;
  Range range(const std::string& key, Range otherwise) const;      // "5" or "[5, 400]"
  Range durations(const std::string& key, Range otherwise) const;  // "3s" or "[50ms, 3s]", in nanoseconds
  std::string word(const std::string& key, const std::string& otherwise) const;
  std::vector<std::string> words(const std::string& key) const;
  bool has(const std::string& key) const { return words_.contains(key); }
  std::vector<std::string> unread() const;

 private:
  struct Value {
    std::vector<std::string> words;
    mutable bool read = false;
  };
  std::map<std::string, Value> words_;
};

struct KeySpec {
  Consumer consumer;
  int count = 0;  // 0: one, of that very name
};

struct World {
  std::string name, file;
  Range hours_ns{kHour / 2, kHour / 2};
  std::vector<TimeNs> starts{1'795'262'400 * kSecond};
  int workers = 1;
  bool late_counters = false;
  std::string policy;
  std::vector<std::string> policies;
  std::vector<KeySpec> keys;
  std::map<std::string, Settings> providers;
  std::vector<Settings> clients;
  std::map<std::pair<std::string, std::string>, LinkOptions> links;
  std::map<std::string, std::int64_t> faults;  // per virtual hour, in thousandths
  std::vector<std::string> without;
  Settings weir;  // of the node, see node.h
};

Result<World> load_world(const std::string& file);

}  // namespace weir::sim
