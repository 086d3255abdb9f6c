#include "records/drain.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/sites.h"

namespace weir {

// What one step has read and not yet booked.
struct Drain::Progress {
  std::vector<UsageRow> usage;
  std::vector<AuditRow> audit;
  std::vector<ClosedDecision> closed;
  std::vector<DrainPosition> moved;
  std::vector<std::uint64_t> finished;
  std::size_t rows() const { return usage.size() + audit.size(); }
};

Result<std::uint64_t> first_unread_segment(Store& store) {
  const auto positions = store.positions();
  if (!positions) return std::unexpected(positions.error());
  return positions->empty() ? 1 : positions->back().sequence + 1;
}

Drain::Drain(Store& store, Disk& disk, DrainOptions options)
    : store_(store), disk_(disk), options_(std::move(options)) {}

bool Drain::load() {
  if (loaded_) return true;
  const auto positions = store_.positions();
  if (!positions) {
    reason_ = positions.error().message;
    return false;
  }
  for (const DrainPosition& position : *positions) offsets_[position.sequence] = position.offset;
  loaded_ = true;
  return true;
}

std::size_t Drain::step() {
  if (!load()) return 0;
  const auto files = list_segments(options_.journal_dir);
  if (!files) {
    reason_ = files.error().message;
    return 0;
  }
  Progress progress;
  batch_ = maybe("drain.one-row") ? 1 : options_.batch;
  for (std::size_t i = 0; i < files->size() && progress.rows() < batch_; ++i) {
    const SegmentFile& file = (*files)[i];
    if (finished_.contains(file.sequence)) continue;
    // The list is older than what is read next: a segment that has a successor in it gets no more records.
    const bool closed = file.sequence < options_.closed_below ||
                        std::any_of(
                            files->begin() + static_cast<std::ptrdiff_t>(i) + 1, files->end(),
                            [&](const SegmentFile& later) { return later.worker == file.worker; });
    if (!read_segment(file, closed, progress)) return 0;
  }
  if (progress.rows() > 0) {
    if (const auto booked = store_.book(progress.usage, progress.audit, progress.moved, progress.closed); !booked) {
      reached("drain.ledger-refused");
      reason_ = booked.error().message;
      return 0;
    }
  }
  for (const DrainPosition& position : progress.moved) offsets_[position.sequence] = position.offset;
  finished_.insert(progress.finished.begin(), progress.finished.end());
  reason_.clear();
  forget_deleted(*files);
  return progress.rows();
}

bool Drain::read_segment(const SegmentFile& file, bool closed, Progress& progress) {
  const auto known = offsets_.find(file.sequence);
  const std::uint64_t from = known == offsets_.end() ? 0 : known->second;
  SegmentReader reader;
  if (!reader.open(file.path, from)) {
    reason_ = reader.error();
    return false;
  }
  RecordView bytes;
  SegmentReader::Outcome outcome = SegmentReader::kEnd;
  while (progress.rows() < batch_ && (outcome = reader.next(bytes)) == SegmentReader::kRecord) {
    const auto type = static_cast<RecordType>(bytes.type);
    const bool hold = type == RecordType::kSettleHold;
    if (type != RecordType::kSettle && type != RecordType::kAudit && !hold) continue;
    if (!decode_record(bytes.type, bytes.payload, record_)) {
      reason_ = file.path + " holds a record this version does not know";
      return false;
    }
    if (hold) progress.closed.push_back(std::move(record_.closed));
    if (type != RecordType::kAudit) {
      progress.usage.push_back(std::move(record_.row));
    } else {
      progress.audit.push_back(std::move(record_.audit));
    }
  }
  if (outcome == SegmentReader::kError) {
    reason_ = "cannot read " + file.path + ": " + reader.error();
    return false;
  }
  if (options_.strict && reader.offset() != from) {
    if (const int result = sync_file(disk_, file.path); result < 0) {
      reason_ = "cannot sync " + file.path + ": " + std::strerror(-result);
      return false;
    }
  }
  if (reader.offset() != from) progress.moved.push_back({.sequence = file.sequence, .offset = reader.offset()});
  if (closed && outcome != SegmentReader::kRecord) {
    progress.finished.push_back(file.sequence);
    if (outcome == SegmentReader::kTorn) reached("drain.torn-segment");
  }
  return true;
}

// Positions of segments that the snapshotter has deleted serve nobody.
void Drain::forget_deleted(const std::vector<SegmentFile>& files) {
  std::vector<std::uint64_t> gone;
  for (const auto& [sequence, offset] : offsets_) {
    const bool there =
        std::any_of(files.begin(), files.end(), [s = sequence](const SegmentFile& file) { return file.sequence == s; });
    if (!there) gone.push_back(sequence);
  }
  if (gone.empty()) return;
  reached("drain.forgets-segments");
  // A segment whose deletion a power loss undoes must find its position again.
  if (disk_.sync_directory(options_.journal_dir) < 0 || !store_.forget_positions(gone)) return;
  for (const std::uint64_t sequence : gone) {
    offsets_.erase(sequence);
    finished_.erase(sequence);
  }
}

}  // namespace weir
