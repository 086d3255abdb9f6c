// Keeps a flood of events from becoming a flood of audit rows: the first 20 per second, event, key, limit and tool pass
// as single rows, the rest of that second becomes one row with `count` for each end user, so that nobody is blamed for
// another's flood. Agents and runs are not told apart, nor users beyond kMaxSummedUsers: whoever is refused could name
// a new one each time.
//
//   AuditSum audit;
//   std::vector<AuditRow> rows;
//   audit.add(row, now, rows);        // appends what is to be written now
//   audit.flush(now, rows);           // every second, so that the last sums come out too
//
// Thread-safe; share one between the workers. Limits: kMaxAuditPairs combinations per second; events of further
// ones are summed together in one row with an empty key, limit and tool. Beyond twice as many sums, users are not told
// apart any more.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "model/usage.h"

namespace weir {

inline constexpr std::size_t kMaxAuditPairs = 10'000;
inline constexpr std::size_t kMaxSummedUsers = 32;  // of a combination; further ones share a row that names no user

class AuditSum {
 public:
  explicit AuditSum(std::int64_t singles_per_second = 20) : singles_per_second_(singles_per_second) {}
  // What an operator changed always passes.
  void add(AuditRow row, TimeNs now, std::vector<AuditRow>& out);
  // Appends the sums of seconds that are over. `all`: also of the current one (at shutdown).
  void flush(TimeNs now, std::vector<AuditRow>& out, bool all = false);

 private:
  struct Pair {
    std::int64_t passed = 0;
    std::vector<AuditRow> sums;  // of each user: the first one summed, with the count of all
  };
  void sum(Pair& pair, AuditRow row) WEIR_REQUIRES(mutex_);
  bool another_second(TimeNs now) const WEIR_REQUIRES(mutex_);
  void close_second(std::vector<AuditRow>& out) WEIR_REQUIRES(mutex_);

  const std::int64_t singles_per_second_;
  Mutex mutex_;
  std::int64_t second_ WEIR_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, Pair> pairs_ WEIR_GUARDED_BY(mutex_);
  std::size_t sums_ WEIR_GUARDED_BY(mutex_) = 0;  // of all pairs
  Pair others_ WEIR_GUARDED_BY(mutex_);           // of the pairs beyond kMaxAuditPairs
};

}  // namespace weir
