// Use that limits should not be made for: runs and hours in which a breaker broke or warned, or a profile saw an
// anomaly.
//
//   Exclusions excluded;
//   store.audit(…, [&](const AuditRow& row) { return excluded.note(row), true; });
//   if (excluded.has(trace_row)) …not legitimate…
//
// An audit row that names a run excludes the run's rows; one that names none excludes what its key and user did in that
// hour of UTC. Belongs to one thread. Limit: kMaxExclusions marks, 16 MB or so; the oldest are kept, `full()` says so.
#pragma once

#include <cstdint>
#include <unordered_set>

#include "base/hash.h"
#include "model/usage.h"
#include "replay/trace.h"

namespace weir {

class Exclusions {
 public:
  static constexpr std::size_t kMaxExclusions = 500'000;

  void note(const AuditRow& row) {
    if (row.event == AuditEvent::kRefused) refused_ += row.count;
    if (row.event != AuditEvent::kBroken && row.event != AuditEvent::kWarned) return;
    const std::uint64_t mark = row.run.empty() ? of_hour(row.key, row.user, row.time) : of_run(row.key, row.run);
    if (marks_.size() < kMaxExclusions) {
      marks_.insert(mark);
    } else {
      full_ = full_ || !marks_.contains(mark);
    }
  }

  bool has(const TraceRow& row) const {
    if (marks_.empty()) return false;
    if (!row.run.empty() && marks_.contains(of_run(row.key, row.run))) return true;
    return marks_.contains(of_hour(row.key, row.user, row.time));
  }

  std::int64_t refused() const { return refused_; }  // requests that the audit has as refused
  bool full() const { return full_; }

 private:
  static std::uint64_t of_run(std::string_view key, std::string_view run) { return hash64(run, hash64(key, 1)); }
  static std::uint64_t of_hour(std::string_view key, std::string_view user, TimeNs at) {
    return hash_pair(hash64(user, hash64(key, 2)), static_cast<std::uint64_t>(at / kHour));
  }

  std::unordered_set<std::uint64_t> marks_;
  std::int64_t refused_ = 0;
  bool full_ = false;
};

}  // namespace weir
