#include "journal/recovery.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/sites.h"
#include "journal/record.h"
#include "journal/segment.h"
#include "journal/snapshot.h"
#include "journal/writer.h"

namespace weir {
namespace {

constexpr int kViewAttempts = 20;
constexpr std::size_t kFlushEvery = 1000;  // records

struct HashOfId {
  std::size_t operator()(const Hash128& id) const { return static_cast<std::size_t>(id.low ^ (id.high << 1)); }
};

struct OpenRequest {
  UsageRow row;
  std::int64_t extra_tokens = 0, extra_usd_micros = 0;
  bool is_hold = false;
  std::string hold;
};

// One consistent sight of a directory that a live process may be changing: the newest snapshot and every segment from
// its boundary on, all opened, so that later deletions do not matter.
struct View {
  SnapshotFile snapshot;
  bool has_snapshot = false;
  std::uint64_t next_sequence = 1;
  std::vector<SegmentReader> readers;
};

Result<std::string> newest_snapshot(const std::string& dir) {
  auto snapshots = list_snapshots(dir);
  if (!snapshots) return std::unexpected(snapshots.error());
  return snapshots->empty() ? std::string() : snapshots->front().second;
}

Result<View> open_view(const std::string& dir) {
  for (int attempt = 0; attempt < kViewAttempts; ++attempt) {
    View view;
    const auto newest = newest_snapshot(dir);
    if (!newest) return std::unexpected(newest.error());
    if (!newest->empty()) {
      auto snapshot = read_snapshot(*newest);
      if (!snapshot) {
        if (::access(newest->c_str(), F_OK) != 0) continue;  // replaced by a newer one meanwhile
        return std::unexpected(snapshot.error());
      }
      view.snapshot = std::move(*snapshot);
      view.has_snapshot = true;
      view.next_sequence = std::max(view.snapshot.next_sequence, view.snapshot.boundary);
    }
    const auto segments = list_segments(dir);
    if (!segments) return std::unexpected(segments.error());
    bool complete = true;
    std::string error;
    for (const SegmentFile& file : *segments) {
      view.next_sequence = std::max(view.next_sequence, file.sequence + 1);
      if (file.sequence < view.snapshot.boundary) continue;
      SegmentReader reader;
      if (!reader.open(file.path)) {
        complete = false;
        error = reader.error();
        break;
      }
      view.readers.push_back(std::move(reader));
    }
    const auto still = newest_snapshot(dir);
    if (!still) return std::unexpected(still.error());
    if (complete && *still == *newest) return view;
    if (!complete && *still == *newest && attempt + 1 == kViewAttempts) return fail(error);
  }
  return fail("the journal in " + dir + " is changing too fast to be read; try again");
}

class Replay {
 public:
  Replay(Limiter& limiter, Recovered& recovered) : limiter_(limiter), recovered_(recovered) {}

  void apply(const Record& record) {
    ++recovered_.records;
    switch (record.type) {
      case RecordType::kOpen:
      case RecordType::kCarry:
        see(record.row.time);
        if (!settled_early_.contains(record.id)) {
          open_[record.id] = {.row = record.row,
                              .extra_tokens = record.extra_tokens,
                              .extra_usd_micros = record.extra_usd_micros,
                              .hold = {}};
        }
        break;
      case RecordType::kHold:
      case RecordType::kCarryHold:
        see(record.row.time);
        // Ids of holds are chosen by clients and come again. All of one id is by one worker of each process, and its
        // segments are read in the order written: what was settled before this is another hold's.
        settled_early_.erase(record.id);
        open_[record.id] = {.row = record.row, .is_hold = true, .hold = record.hold};
        break;
      case RecordType::kSettleHold:
        see(record.closed.at);
        if (open_.erase(record.id) == 0) settled_early_.insert(record.id);
        recovered_.closed.push_back(record.closed);
        break;
      case RecordType::kTopUp:
        if (const auto found = open_.find(record.id); found != open_.end()) {
          found->second.extra_tokens += record.extra_tokens;
          found->second.extra_usd_micros += record.extra_usd_micros;
        }
        break;
      case RecordType::kSettle:
        see(record.row.time);
        if (open_.erase(record.id) == 0) settled_early_.insert(record.id);
        break;
      case RecordType::kAudit:
        see(record.audit.time);
        break;
    }
    for (const Effect& effect : record.effects) {
      see(effect.at);
      limiter_.replay(effect);
      ++recovered_.effects;
    }
  }

  // Oldest first, so that repeated recoveries of the same bytes write the same segment.
  std::vector<std::pair<Hash128, OpenRequest>> open() {
    std::vector<std::pair<Hash128, OpenRequest>> all(open_.begin(), open_.end());
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second.row.time, a.first) < std::pair(b.second.row.time, b.first);
    });
    return all;
  }

 private:
  void see(TimeNs at) { recovered_.last_time = std::max(recovered_.last_time, at); }

  Limiter& limiter_;
  Recovered& recovered_;
  std::unordered_map<Hash128, OpenRequest, HashOfId> open_;
  std::unordered_set<Hash128, HashOfId> settled_early_;  // never opened, or opened in a segment read later
};

Result<void> read_all(View& view, Replay& replay, Recovered& recovered) {
  RecordView bytes;
  Record record;
  for (SegmentReader& reader : view.readers) {
    ++recovered.segments;
    SegmentReader::Outcome outcome = SegmentReader::kEnd;
    while ((outcome = reader.next(bytes)) == SegmentReader::kRecord) {
      // A checksum that fits over a payload that does not is a newer format, not an accident of the disk.
      if (!decode_record(bytes.type, bytes.payload, record)) {
        return fail("the journal holds records this version does not know; start the version that wrote it");
      }
      replay.apply(record);
    }
    if (outcome == SegmentReader::kError) return fail("cannot read the journal: " + reader.error());
    if (outcome == SegmentReader::kTorn) reached("recovery.torn-segment");
  }
  return {};
}

Result<std::vector<std::pair<Hash128, OpenRequest>>> replay_directory(const std::string& dir, Limiter& limiter,
                                                                      Recovered& recovered) {
  auto view = open_view(dir);
  if (!view) return std::unexpected(view.error());
  recovered.next_sequence = view->next_sequence;
  if (view->has_snapshot) {
    reached("recovery.from-a-snapshot");
    recovered.epoch = view->snapshot.epoch;
    recovered.last_time = view->snapshot.taken_at;
    if (!limiter.restore(view->snapshot.body, view->snapshot.epoch)) {
      return fail("the snapshot in " + dir + " cannot be used; move it away to start without the usage it counts");
    }
    view->snapshot.body = std::string();
  }
  Replay replay(limiter, recovered);
  if (const auto read = read_all(*view, replay, recovered); !read) return std::unexpected(read.error());
  auto open = replay.open();
  for (auto& [id, request] : open) {
    if (!request.is_hold) continue;
    reached("recovery.hold");
    recovered.holds.push_back({.id = id, .row = std::move(request.row), .hold = std::move(request.hold)});
  }
  std::erase_if(open, [](const auto& each) { return each.second.is_hold; });
  if (!open.empty()) reached("recovery.in-flight");
  recovered.in_flight = open.size();
  return open;
}

}  // namespace

Result<Recovered> recover(const std::string& dir, Limiter& limiter, Disk& disk, std::uint64_t first_sequence) {
  if (const auto made = make_private_directory(dir); !made) return std::unexpected(made.error());
  Recovered recovered;
  auto open = replay_directory(dir, limiter, recovered);
  if (!open) return std::unexpected(open.error());
  SegmentSequence sequence(std::max(recovered.next_sequence, first_sequence));
  {
    JournalWriter writer({.dir = dir, .strict = true}, sequence, disk);
    std::size_t count = 0;
    for (auto& [id, request] : *open) {
      const UsageRow row = expired_row(std::move(request.row), request.extra_tokens, request.extra_usd_micros);
      writer.settle(id, row, {});
      if (++count % kFlushEvery == 0) writer.flush();
    }
    writer.flush();
    if (!writer.healthy()) return fail(writer.reason());
  }
  recovered.next_sequence = sequence.peek();
  return recovered;
}

Result<Recovered> inspect(const std::string& dir, Limiter& limiter) {
  Recovered recovered;
  auto open = replay_directory(dir, limiter, recovered);
  if (!open) return std::unexpected(open.error());
  return recovered;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Result<DirectoryLock> lock_directory(const std::string& dir) {
  if (const auto made = make_private_directory(dir); !made) return std::unexpected(made.error());
  const std::string path = dir + "/lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return fail(fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(fd);
    if (error == EWOULDBLOCK) {
      return fail(dir + " is in use by another weir; stop it, or choose another folder with `data:`");
    }
    return fail(fmt::format("cannot lock {}: {}", path, std::strerror(error)));
  }
  return DirectoryLock(fd);
}

}  // namespace weir
