// Moves rows from the journal into the ledger, each exactly once: rows and the journal position they came from are
// committed in one transaction.
//
//   Drain drain(store, disk, {.journal_dir = "weir-data/journal", .closed_below = recovered.next_sequence});
//   while (drain.step() > 0) {}
//
// Belongs to one thread with a Store of its own. One per process, made after recovery. After an error (database locked,
// disk full) the position stays and the next step tries again.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "journal/disk.h"
#include "journal/record.h"
#include "journal/segment.h"
#include "records/store.h"

namespace weir {

struct DrainOptions {
  std::string journal_dir;
  // Recovered::next_sequence: segments with smaller numbers belong to earlier processes, nobody writes to them.
  std::uint64_t closed_below = 1;
  // Rows per transaction, when so many wait: the more there are, the more of them share a sum by hour or a page.
  std::size_t batch = 10'000;
  // Segments are synced before their rows are booked: a row must not outlive the record that it was read from, or its
  // request would be found open after a power loss and be booked again as expired.
  bool strict = false;
};

// The ledger says from where on it has yet to read a segment. No other segment may get that one's number, or its first
// rows would be passed over: recover() must start with this one, also if the journal was taken away.
Result<std::uint64_t> first_unread_segment(Store& store);

class Drain {
 public:
  Drain(Store& store, Disk& disk, DrainOptions options);
  // One batch; rows booked. 0: nothing to do at the moment, or an error.
  std::size_t step();
  bool healthy() const { return reason_.empty(); }
  const std::string& reason() const { return reason_; }
  // True once every row of that segment is in the ledger and nobody writes to it any more.
  bool finished(std::uint64_t sequence) const { return finished_.contains(sequence); }

 private:
  struct Progress;
  bool load();
  bool read_segment(const SegmentFile& file, bool closed, Progress& progress);
  void forget_deleted(const std::vector<SegmentFile>& files);

  Store& store_;
  Disk& disk_;
  DrainOptions options_;
  std::size_t batch_ = 0;  // of this step
  bool loaded_ = false;
  std::map<std::uint64_t, std::uint64_t> offsets_;  // by segment: where to read on
  std::set<std::uint64_t> finished_;
  std::string reason_;
  Record record_;
};

}  // namespace weir
