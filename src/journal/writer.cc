#include "journal/writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/sites.h"
#include "journal/record.h"

namespace weir {
namespace {
constexpr std::size_t kMaxRefusedIds = 1'000'000;
constexpr std::size_t kKeptBuffer = std::size_t{4} << 20;
}  // namespace

JournalWriter::JournalWriter(JournalWriterOptions options, SegmentSequence& sequence, Disk& disk)
    : options_(std::move(options)), sequence_(sequence), disk_(disk) {}

JournalWriter::~JournalWriter() {
  if (fd_ >= 0) disk_.close(fd_);
}

bool JournalWriter::has_room() const {
  return buffer_.size() < kMaxBuffered;
}

bool JournalWriter::may_open(Hash128 id) {
  if (has_room() && open_.size() < kMaxOpenRequests) return true;
  // Its later settlement must not give back what was never journalled.
  if (refused_ids_.size() < kMaxRefusedIds) refused_ids_.insert(id);
  reached("journal.open-refused");
  open_refused_ = true;
  refused_.fetch_add(1);
  return false;
}

void JournalWriter::open(Hash128 id, const UsageRow& row, std::span<const Effect> effects) {
  if (!may_open(id)) return;
  const RecordEncoder::RowPlace place = RecordEncoder(buffer_).open(id, row, effects);
  open_.insert(id, std::string_view(buffer_).substr(place.offset, place.length));
}

void JournalWriter::top_up(Hash128 id, std::span<const Effect> effects) {
  top_up_held(id, 0, 0, effects);
}

void JournalWriter::top_up_held(Hash128 id, std::int64_t extra_tokens, std::int64_t extra_usd_micros,
                                std::span<const Effect> effects) {
  if (!refused_ids_.empty() && refused_ids_.contains(id)) return;
  RecordEncoder(buffer_).top_up(id, extra_tokens, extra_usd_micros, effects);
  open_.raise(id, extra_tokens, extra_usd_micros);
}

void JournalWriter::settle(Hash128 id, const UsageRow& row, std::span<const Effect> effects) {
  if (!refused_ids_.empty() && refused_ids_.erase(id) > 0) {
    reached("journal.settles-what-it-refused");
    if (!has_room()) return;  // it was never opened and nothing went upstream: memory is better kept for those that did
    effects = {};
  }
  RecordEncoder(buffer_).settle(id, row, effects);
  open_.erase(id);
}

void JournalWriter::open_hold(Hash128 id, const UsageRow& row, std::string_view hold, std::span<const Effect> effects) {
  if (!may_open(id)) return;
  const RecordEncoder::RowPlace place = RecordEncoder(buffer_).open_hold(id, row, hold, effects);
  open_.insert(id, std::string_view(buffer_).substr(place.offset, place.length), true);
}

void JournalWriter::settle_hold(const UsageRow& row, const ClosedDecision& closed, std::span<const Effect> effects) {
  if (!refused_ids_.empty() && refused_ids_.erase(closed.id) > 0) {
    if (!has_room()) return;
    effects = {};
  }
  RecordEncoder(buffer_).settle_hold(row, closed, effects);
  open_.erase(closed.id);
}

void JournalWriter::adopt_hold(Hash128 id, const UsageRow& row, std::string_view hold) {
  std::string record;
  const RecordEncoder::RowPlace place = RecordEncoder(record).open_hold(id, row, hold, {});
  open_.insert(id, std::string_view(record).substr(place.offset, place.length), true);
}

void JournalWriter::audit(const AuditRow& row) {
  if (!has_room()) {
    refused_.fetch_add(1);
    return;
  }
  RecordEncoder(buffer_).audit(row);
}

void JournalWriter::when_written(JournalEvents& events) {
  waiting_.push_back(&events);
}

void JournalWriter::forget(JournalEvents& events) {
  std::erase(waiting_, &events);
  // notify() may be walking over this one: leave a gap.
  std::replace(notifying_.begin(), notifying_.end(), &events, static_cast<JournalEvents*>(nullptr));
}

bool JournalWriter::pending() const {
  return !buffer_.empty() || !waiting_.empty() || rotation_due();
}

bool JournalWriter::rotation_due() const {
  // Not by the size of the file: requests open for long may fill one alone, and a new segment would help nobody.
  return wanted_.load() > rotated_.load() ||
         (fd_ >= 0 && fresh_in_segment_ >= std::max(options_.segment_bytes, carried_bytes_.load()));
}

void JournalWriter::flush() {
  WEIR_CHECK(!flushing_);
  flushing_ = true;
  const bool written = write_out();
  if (written && (rotation_due() || (fd_ >= 0 && maybe("journal.rotate-now")))) rotate();
  const bool ok = written && !open_refused_;
  open_refused_ = false;
  notify(ok);
  flushing_ = false;
}

void JournalWriter::notify(bool ok) {
  std::swap(notifying_, waiting_);
  for (std::size_t i = 0; i < notifying_.size(); ++i) {
    if (notifying_[i] != nullptr) notifying_[i]->on_written(ok);
  }
  notifying_.clear();
}

bool JournalWriter::write_out() {
  if (buffer_.empty()) return true;
  if (!begin_segment()) return false;
  while (sent_ < buffer_.size()) {
    std::string_view rest = std::string_view(buffer_).substr(sent_);
    if (rest.size() > 1 && maybe("journal.short-write")) rest = rest.substr(0, rest.size() / 2);
    const ssize_t n = disk_.write_at(fd_, rest, offset_ + sent_);
    if (n <= 0) {
      reached(sent_ == 0 ? "journal.write-failed" : "journal.write-failed-midway");
      return report(n < 0 ? static_cast<int>(-n) : ENOSPC);
    }
    sent_ += static_cast<std::size_t>(n);
  }
  if (options_.strict) {
    if (const int result = disk_.sync(fd_); result < 0) {
      reached("journal.sync-failed");
      // After a failed sync the system may have dropped the pages: everything not yet synced is written again.
      sent_ = 0;
      return report(-result);
    }
  }
  const std::size_t fresh = buffer_.size() - std::exchange(carried_in_buffer_, 0);
  fresh_in_segment_ += fresh;
  fresh_bytes_.fetch_add(fresh);
  bytes_written_.fetch_add(buffer_.size());
  offset_ += buffer_.size();
  sent_ = 0;
  buffer_.clear();
  if (buffer_.capacity() > kKeptBuffer) buffer_ = std::string();
  report(0);
  if (rotating_to_ != 0) rotated_.store(std::max(rotated_.load(), std::exchange(rotating_to_, 0)));
  return true;
}

bool JournalWriter::begin_segment() {
  if (fd_ < 0) {
    int fd = -EEXIST;
    for (int attempt = 0; fd == -EEXIST && attempt < 100; ++attempt) {
      fd = disk_.create(segment_path(options_.dir, options_.worker, sequence_.take()));
    }
    if (fd < 0) return report(-fd);
    fd_ = fd;
    offset_ = 0;
    sent_ = 0;
  }
  if (offset_ > 0) return true;
  const ssize_t n = disk_.write_at(fd_, kSegmentMagic, 0);
  if (n != static_cast<ssize_t>(kSegmentMagic.size())) return report(n < 0 ? static_cast<int>(-n) : ENOSPC);
  if (options_.strict) {
    if (const int result = disk_.sync_directory(options_.dir); result < 0) return report(-result);
  }
  offset_ = kSegmentMagic.size();
  return true;
}

// Called with an empty buffer: all that was appended is in the segment that ends here.
void JournalWriter::rotate() {
  const std::uint64_t boundary = wanted_.load();
  if (fd_ >= 0) disk_.close(fd_);
  fd_ = -1;
  offset_ = 0;
  fresh_in_segment_ = 0;
  RecordEncoder encode(buffer_);
  open_.for_each([&](Hash128 id, std::string_view row, std::int64_t tokens, std::int64_t usd_micros, bool hold) {
    hold ? encode.carry_hold(id, row) : encode.carry(id, row, tokens, usd_micros);
  });
  carried_in_buffer_ = buffer_.size();
  carried_bytes_.store(carried_in_buffer_);
  if (buffer_.empty()) {
    // The next segment is created when there is something to write, with a number above the boundary.
    rotated_.store(std::max(rotated_.load(), boundary));
    return;
  }
  reached("journal.rotated-with-open-requests");
  rotating_to_ = boundary;
  write_out();
}

bool JournalWriter::report(int error) {
  error_.store(error);
  return false;
}

std::string JournalWriter::reason() const {
  const int error = error_.load();
  if (error == 0) return {};
  return "cannot write the journal in " + options_.dir + ": " + std::strerror(error);
}

void JournalWriter::rotate_to(std::uint64_t boundary) {
  std::uint64_t wanted = wanted_.load();
  while (wanted < boundary && !wanted_.compare_exchange_weak(wanted, boundary)) {
  }
}

}  // namespace weir
