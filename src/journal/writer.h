// The journal of one worker: records are buffered and written once per turn of the worker's loop.
//
//   SegmentSequence sequence(recovered.next_sequence);
//   JournalWriter journal({.dir = "weir-data/journal", .worker = 0}, sequence, disk);
//   journal.open(id, row, effects);
//   journal.when_written(request);
//   if (journal.pending()) journal.flush();      // at the end of every turn of the loop
//
// Belongs to one thread, except for the members under "any thread".
//
// What stands in the file is always a prefix of what was appended: after an error the same bytes are tried again at the
// same place at the next flush, whether they were refused, written in part, or not synced. Listeners hear false at
// once; what was appended for them may still reach the file later, so they must settle what they opened as usual.
//
// A request must be settled in the journal that opened it, also after its deadline (with Settled::kExpired).
// Limits: kMaxBuffered bytes wait while the disk refuses; beyond, opens and audit rows are refused (their listeners
// hear false) while top-ups and settlements of open requests are still kept. kMaxOpenRequests per writer.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "journal/disk.h"
#include "journal/journal.h"
#include "journal/open_requests.h"
#include "journal/segment.h"

namespace weir {

inline constexpr std::size_t kMaxBuffered = std::size_t{32} << 20;

struct JournalWriterOptions {
  std::string dir;  // must exist
  std::uint32_t worker = 0;
  bool strict = false;  // sync before listeners are told
  // A segment ends when that much was appended to it, and at least as much as it began with: what is repeated at a
  // rotation never outweighs what was appended before it.
  std::uint64_t segment_bytes = std::uint64_t{64} << 20;
};

class JournalWriter : public Journal {
 public:
  JournalWriter(JournalWriterOptions options, SegmentSequence& sequence, Disk& disk);
  ~JournalWriter() override;
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  void open(Hash128 id, const UsageRow& row, std::span<const Effect> effects) override;
  void top_up(Hash128 id, std::span<const Effect> effects) override;
  void top_up_held(Hash128 id, std::int64_t extra_tokens, std::int64_t extra_usd_micros,
                   std::span<const Effect> effects) override;
  void settle(Hash128 id, const UsageRow& row, std::span<const Effect> effects) override;
  void open_hold(Hash128 id, const UsageRow& row, std::string_view hold, std::span<const Effect> effects) override;
  void settle_hold(const UsageRow& row, const ClosedDecision& closed, std::span<const Effect> effects) override;
  // A hold of an earlier process, still in the segments that recovery read: from the next segment on it is repeated
  // here. Before the first flush, or between turns.
  void adopt_hold(Hash128 id, const UsageRow& row, std::string_view hold);
  void audit(const AuditRow& row) override;
  void when_written(JournalEvents& events) override;
  void forget(JournalEvents& events) override;

  // True if flush() has something to do, also when only a rotation was asked for.
  bool pending() const;
  // Writes what was appended and tells the listeners. Never call it from on_written().
  void flush();

  std::size_t open_requests() const { return open_.size(); }

  // --- any thread -----------------------------------------------------------------------------------------------
  // False since the last flush met an error; reason() says which.
  bool healthy() const { return error_.load() == 0; }
  std::string reason() const;  // "" when healthy
  // Asks for a segment with a number of at least `boundary`, begun at the next flush with the requests still open.
  void rotate_to(std::uint64_t boundary);
  // True once everything appended before the rotation is in older segments and the open requests in newer ones.
  bool rotated_to(std::uint64_t boundary) const { return rotated_.load() >= boundary; }
  std::uint64_t bytes_written() const { return bytes_written_.load(); }
  // Of them, what was appended; the rest repeats open requests.
  std::uint64_t fresh_bytes() const { return fresh_bytes_.load(); }
  // Open requests repeated at the head of the present segment.
  std::uint64_t carried_bytes() const { return carried_bytes_.load(); }
  std::uint64_t refused_records() const { return refused_.load(); }

 private:
  bool write_out();        // the whole buffer; false on an error
  bool begin_segment();    // a file with its first bytes; nothing to do for one already begun
  bool report(int error);  // returns false
  void rotate();
  bool rotation_due() const;
  void notify(bool ok);
  bool has_room() const;
  bool may_open(Hash128 id);

  JournalWriterOptions options_;
  SegmentSequence& sequence_;
  Disk& disk_;
  int fd_ = -1;
  std::uint64_t offset_ = 0;  // in the file, of buffer_[0]; 0: its first bytes are not written yet
  std::size_t sent_ = 0;      // bytes of buffer_ already handed to the disk
  std::string buffer_;
  OpenRequests open_;
  std::set<Hash128> refused_ids_;  // their open was refused
  std::vector<JournalEvents*> waiting_;
  std::vector<JournalEvents*> notifying_;
  bool open_refused_ = false;
  bool flushing_ = false;
  std::uint64_t rotating_to_ = 0;  // carried over, not written yet
  std::size_t carried_in_buffer_ = 0;
  std::uint64_t fresh_in_segment_ = 0;

  std::atomic<int> error_{0};
  std::atomic<std::uint64_t> wanted_{0};
  std::atomic<std::uint64_t> rotated_{0};
  std::atomic<std::uint64_t> bytes_written_{0};
  std::atomic<std::uint64_t> fresh_bytes_{0};
  std::atomic<std::uint64_t> carried_bytes_{0};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace weir
