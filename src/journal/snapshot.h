// Snapshots of the counters, so that old segments of the journal can be deleted.
//
//   Snapshotter snapshots(limiter, writers, sequence, disk, {.dir = "weir-data/journal"});
//   snapshots.set_drained([&](std::uint64_t s) { return drain.finished(s); });
//   … every 250 ms on the background thread: snapshots.step(now);
//
// How: all writers begin a new segment (numbers from `boundary` on) and repeat their open requests there; the counters
// are written to snapshot-<epoch>.tmp, synced and renamed; older snapshots are deleted, and older segments once the
// ledger has them. Recovery then reads this file and the segments from `boundary` on: effects whose epoch is below the
// snapshot's are in it already.
//
// Belongs to one thread; the writers may be working meanwhile. Never waits: step() comes back later.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "journal/writer.h"
#include "weir/limiter.h"

namespace weir {

struct SnapshotOptions {
  std::string dir;
  DurationNs every = kMinute;                     // if anything was appended since
  std::uint64_t bytes = std::uint64_t{64} << 20;  // or as soon as that much was, and as much as was repeated before
};

class Snapshotter {
 public:
  Snapshotter(Limiter& limiter, std::vector<JournalWriter*> writers, SegmentSequence& sequence, Disk& disk,
              SnapshotOptions options);
  // Says whether the ledger has everything of a segment; without it nothing is ever deleted.
  void set_drained(std::function<bool(std::uint64_t sequence)> drained) { drained_ = std::move(drained); }
  // Makes the next step begin a snapshot, due or not.
  void request() { requested_ = true; }
  // Does what can be done now. True: nothing is in progress; false: call again soon (the writers have to flush first).
  bool step(TimeNs now);
  std::uint64_t taken() const { return taken_; }       // snapshots completed
  const std::string& error() const { return error_; }  // of the last attempt; "" if it worked

 private:
  std::uint64_t written() const;  // without what the writers repeated
  std::uint64_t carried() const;
  Result<void> write_snapshot(TimeNs now);
  void delete_old();

  Limiter& limiter_;
  std::vector<JournalWriter*> writers_;
  SegmentSequence& sequence_;
  Disk& disk_;
  SnapshotOptions options_;
  std::function<bool(std::uint64_t)> drained_;
  bool requested_ = false;
  bool in_progress_ = false;
  bool started_ = false;
  std::uint64_t boundary_ = 0;       // of the snapshot in progress
  std::uint64_t covered_below_ = 0;  // segments below are in the last complete snapshot
  std::uint64_t written_at_last_ = 0;
  TimeNs last_ = 0;
  std::uint64_t taken_ = 0;
  std::string error_;
};

// One complete snapshot file.
struct SnapshotFile {
  std::uint32_t epoch = 0;
  std::uint64_t boundary = 0;  // first segment not covered
  std::uint64_t next_sequence = 0;
  TimeNs taken_at = 0;
  std::string body;  // for Limiter::restore
};

// Paths of complete snapshots with their epochs, newest first.
Result<std::vector<std::pair<std::uint32_t, std::string>>> list_snapshots(const std::string& dir);
Result<SnapshotFile> read_snapshot(const std::string& path);

}  // namespace weir
