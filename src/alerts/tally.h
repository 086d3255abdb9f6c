// From the events of the workers to what happened in a second.
//
//   AlertTally tally;
//   tally.add(event);                       // of all workers, one thread
//   AlertInput input;
//   tally.close(now, input);                // once a second: fills in the keys and the sums
//
// Limit: kMaxKeys keys a second, further ones of that second count in the sums only.
#pragma once

#include <string>
#include <unordered_map>

#include "alerts/input.h"
#include "gateway/event_feed.h"

namespace weir {

class AlertTally {
 public:
  static constexpr std::size_t kMaxKeys = 1'024;

  void add(const DecisionEvent& event);
  void close(TimeNs now, AlertInput& input);

 private:
  void add_to(KeySecond& key, const DecisionEvent& event);

  std::unordered_map<std::string, KeySecond> keys_;
  AlertInput all_;
};

}  // namespace weir
