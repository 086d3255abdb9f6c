// What a start does with the journal of the process before: counters as they were, vanished requests charged.
//
//   DirectoryLock lock = lock_directory("weir-data").value();
//   Limiter limiter;
//   Result<Recovered> recovered = recover("weir-data/journal", limiter, disk, *first_unread_segment(store));
//   SegmentSequence sequence(recovered->next_sequence);
//
// Reads the newest snapshot and the segments after it. Requests that were open get a complete row marked `expired`,
// appended as a settlement in a new segment, so that the ledger books them exactly once however often a start is
// interrupted. Runs before any other thread of this process touches the directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "journal/disk.h"
#include "model/decision.h"
#include "model/usage.h"
#include "weir/limiter.h"

namespace weir {

struct Recovered {
  std::uint64_t next_sequence = 1;  // first free segment number; all below belong to earlier processes
  std::uint32_t epoch = 0;          // of the snapshot; 0 without one
  TimeNs last_time = 0;             // newest instant in the journal: the new process's time must not start before it
  std::size_t segments = 0;
  std::size_t records = 0;
  std::size_t effects = 0;    // handed to the limiter
  std::size_t in_flight = 0;  // requests that were open: charged and marked expired
  // Holds of the decision API that are still open: their counters are charged as used, and nothing was written for
  // them. They stay in the old segments until a writer has adopted and repeated them.
  struct Hold {
    Hash128 id;
    UsageRow row;
    std::string hold;
  };
  std::vector<Hold> holds;             // oldest first
  std::vector<ClosedDecision> closed;  // of the segments read, in the order read
};

// `limiter` must be empty. The directory is created if it is missing. No new segment gets a number below
// `first_sequence`, also if the segments that had them are gone.
Result<Recovered> recover(const std::string& dir, Limiter& limiter, Disk& disk, std::uint64_t first_sequence = 1);

// The same for looking only (`weir explain` beside a running server): writes nothing, and leaves open requests open.
Result<Recovered> inspect(const std::string& dir, Limiter& limiter);

// Held by the process that writes a data directory; released by the system when it ends.
class DirectoryLock {
 public:
  DirectoryLock() = default;
  explicit DirectoryLock(int fd) : fd_(fd) {}
  ~DirectoryLock();
  DirectoryLock(DirectoryLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;

 private:
  int fd_ = -1;
};
// Fails at once if another process holds it. Creates the directory (0700) if it is missing.
Result<DirectoryLock> lock_directory(const std::string& dir);

}  // namespace weir
