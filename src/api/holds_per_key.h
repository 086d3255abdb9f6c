// How many holds of the decision API each key has open, over all workers, so that one key cannot take the memory and
// the reservations of all.
//
//   HoldsPerKey holds;
//   if (!holds.take("agent-7")) …429…
//   holds.give_back("agent-7");     // settled, cancelled, expired, or not admitted after all
//
// Thread-safe. Limits: kMaxHoldsPerKey of one key; keys without holds take no memory.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/mutex.h"

namespace weir {

inline constexpr std::uint32_t kMaxHoldsPerKey = 10'000;

class HoldsPerKey {
 public:
  // False if the key has kMaxHoldsPerKey.
  bool take(const std::string& key);
  // What an earlier process left counts, however much it is.
  void adopt(const std::string& key);
  void give_back(const std::string& key);
  std::uint32_t open(const std::string& key) const;
  std::size_t keys() const;

 private:
  mutable Mutex mutex_;
  std::unordered_map<std::string, std::uint32_t> open_ WEIR_GUARDED_BY(mutex_);
};

}  // namespace weir
