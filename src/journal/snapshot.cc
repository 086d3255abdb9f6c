#include "journal/snapshot.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/sites.h"
#include "base/strings.h"
#include "journal/segment.h"

namespace weir {
namespace {

constexpr std::string_view kMagic = "WEIRSNP1";
constexpr std::string_view kPrefix = "snapshot-";
constexpr std::size_t kWriteSize = std::size_t{1} << 20;

struct Head {
  char magic[8];
  std::uint32_t epoch = 0;
  std::uint32_t unused = 0;
  std::uint64_t boundary = 0;
  std::uint64_t next_sequence = 0;
  std::int64_t taken_at = 0;
};
struct Tail {
  std::uint64_t length = 0;    // of the body
  std::uint64_t checksum = 0;  // XXH3 over body, then head
};
static_assert(sizeof(Head) == 40 && sizeof(Tail) == 16);

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

class Checksum {
 public:
  Checksum() { XXH3_64bits_reset(&state_); }
  void add(std::string_view bytes) { XXH3_64bits_update(&state_, bytes.data(), bytes.size()); }
  std::uint64_t value() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_{};
};

// Writes a file front to back in large pieces; after the first error everything else is ignored.
class Output {
 public:
  Output(Disk& disk, int fd, std::uint64_t offset) : disk_(disk), fd_(fd), offset_(offset) {}
  void add(std::string_view bytes) {
    buffer_ += bytes;
    if (buffer_.size() >= kWriteSize) flush();
  }
  void flush() {
    write(buffer_, offset_);
    offset_ += buffer_.size();
    buffer_.clear();
  }
  void write(std::string_view bytes, std::uint64_t at) {
    while (!bytes.empty() && error_ == 0) {
      const ssize_t n = disk_.write_at(fd_, bytes, at);
      if (n <= 0) {
        error_ = n < 0 ? static_cast<int>(-n) : ENOSPC;
        return;
      }
      at += static_cast<std::uint64_t>(n);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  int error() const { return error_; }

 private:
  Disk& disk_;
  int fd_;
  std::uint64_t offset_;
  std::string buffer_;
  int error_ = 0;
};

std::string snapshot_path(const std::string& dir, std::uint32_t epoch) {
  return fmt::format("{}/{}{:010}", dir, kPrefix, epoch);
}

}  // namespace

Result<std::vector<std::pair<std::uint32_t, std::string>>> list_snapshots(const std::string& dir) {
  std::vector<std::pair<std::uint32_t, std::string>> found;
  DIR* handle = ::opendir(dir.c_str());
  if (handle == nullptr) {
    if (errno == ENOENT) return found;
    return fail(fmt::format("cannot read {}: {}", dir, std::strerror(errno)));
  }
  while (const dirent* entry = ::readdir(handle)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(kPrefix)) continue;
    const auto epoch = parse_decimal(name.substr(kPrefix.size()));
    if (epoch && *epoch <= 0xFFFFFFFFll) {
      found.emplace_back(static_cast<std::uint32_t>(*epoch), dir + "/" + entry->d_name);
    }
  }
  ::closedir(handle);
  std::sort(found.rbegin(), found.rend());
  return found;
}

Result<SnapshotFile> read_snapshot(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto damaged = [&] { return fail(path + " is damaged; move it away to start without the usage it counts"); };
  if (in.bad() || bytes.size() < sizeof(Head) + sizeof(Tail) || !bytes.starts_with(kMagic)) return damaged();
  Head head;
  Tail tail;
  std::memcpy(&head, bytes.data(), sizeof head);
  std::memcpy(&tail, bytes.data() + bytes.size() - sizeof tail, sizeof tail);
  if (tail.length != bytes.size() - sizeof head - sizeof tail) return damaged();
  Checksum checksum;
  checksum.add(std::string_view(bytes).substr(sizeof head, tail.length));
  checksum.add(std::string_view(bytes).substr(0, sizeof head));
  if (checksum.value() != tail.checksum) return damaged();
  bytes.erase(0, sizeof head);
  bytes.resize(tail.length);
  return SnapshotFile{.epoch = head.epoch,
                      .boundary = head.boundary,
                      .next_sequence = head.next_sequence,
                      .taken_at = head.taken_at,
                      .body = std::move(bytes)};
}

Snapshotter::Snapshotter(Limiter& limiter, std::vector<JournalWriter*> writers, SegmentSequence& sequence, Disk& disk,
                         SnapshotOptions options)
    : limiter_(limiter), writers_(std::move(writers)), sequence_(sequence), disk_(disk), options_(std::move(options)) {}

std::uint64_t Snapshotter::written() const {
  std::uint64_t sum = 0;
  for (const JournalWriter* writer : writers_) sum += writer->fresh_bytes();
  return sum;
}

std::uint64_t Snapshotter::carried() const {
  std::uint64_t sum = 0;
  for (const JournalWriter* writer : writers_) sum += writer->carried_bytes();
  return sum;
}

bool Snapshotter::step(TimeNs now) {
  if (!started_) {
    started_ = true;
    last_ = now;
  }
  if (!in_progress_) {
    const std::uint64_t fresh = written() - written_at_last_;
    const bool due = fresh >= std::max(options_.bytes, carried()) || (fresh > 0 && now - last_ >= options_.every);
    if (!requested_ && !due && !(fresh > 0 && maybe("snapshot.now"))) {
      delete_old();
      return true;
    }
    requested_ = false;
    in_progress_ = true;
    written_at_last_ += fresh;
    last_ = now;
    boundary_ = sequence_.peek();
    for (JournalWriter* writer : writers_) writer->rotate_to(boundary_);
  }
  for (const JournalWriter* writer : writers_) {
    if (writer->rotated_to(boundary_)) continue;
    reached("snapshot.waits-for-a-rotation");
    return false;
  }
  in_progress_ = false;
  const Result<void> result = write_snapshot(now);
  error_ = result ? std::string() : result.error().message;
  reached(result ? "snapshot.taken" : "snapshot.failed");
  if (result) {
    covered_below_ = boundary_;
    ++taken_;
  }
  delete_old();
  return true;
}

Result<void> Snapshotter::write_snapshot(TimeNs now) {
  const std::string temporary = options_.dir + "/snapshot.tmp";
  const auto failed = [&](int error) {
    disk_.remove(temporary);
    return fail(fmt::format("cannot write a snapshot in {}: {}", options_.dir, std::strerror(error)));
  };
  disk_.remove(temporary);
  const int fd = disk_.create(temporary);
  if (fd < 0) return failed(-fd);
  Output output(disk_, fd, sizeof(Head));
  Checksum checksum;
  Tail tail;
  Head head{};
  kMagic.copy(head.magic, sizeof head.magic);
  head.epoch = limiter_.snapshot([&](std::string_view chunk) {
    checksum.add(chunk);
    tail.length += chunk.size();
    output.add(chunk);
  });
  head.boundary = boundary_;
  head.next_sequence = sequence_.peek();
  head.taken_at = now;
  checksum.add(bytes_of(head));
  tail.checksum = checksum.value();
  output.add(bytes_of(tail));
  output.flush();
  output.write(bytes_of(head), 0);
  int error = output.error();
  if (error == 0) error = -disk_.sync(fd);
  disk_.close(fd);
  if (error != 0) return failed(error);

  // The open requests repeated in newer segments must survive whatever the snapshot survives.
  const auto segments = list_segments(options_.dir);
  if (!segments) return failed(EIO);
  for (const SegmentFile& segment : *segments) {
    if (segment.sequence < boundary_) continue;
    if (const int result = sync_file(disk_, segment.path); result < 0) return failed(-result);
  }
  const std::string path = snapshot_path(options_.dir, head.epoch);
  if (const int result = disk_.rename(temporary, path); result < 0) return failed(-result);
  if (const int result = disk_.sync_directory(options_.dir); result < 0) return failed(-result);
  if (const auto snapshots = list_snapshots(options_.dir)) {
    for (const auto& [epoch, old] : *snapshots) {
      if (epoch < head.epoch) disk_.remove(old);
    }
  }
  return {};
}

void Snapshotter::delete_old() {
  if (covered_below_ == 0 || !drained_) return;
  const auto segments = list_segments(options_.dir);
  if (!segments) return;
  for (const SegmentFile& segment : *segments) {
    if (segment.sequence >= covered_below_) break;
    if (!drained_(segment.sequence)) continue;
    reached("snapshot.segment-deleted");
    disk_.remove(segment.path);
  }
}

}  // namespace weir
