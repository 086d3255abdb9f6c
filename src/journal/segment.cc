#include "journal/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/strings.h"

namespace weir {
namespace {

constexpr std::size_t kReadSize = 256 << 10;

// "w03-0000000012.log"
std::optional<SegmentFile> parse_name(std::string_view name) {
  constexpr std::string_view kSuffix = ".log";
  if (!name.starts_with('w') || !name.ends_with(kSuffix)) return std::nullopt;
  name.remove_prefix(1);
  name.remove_suffix(kSuffix.size());
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto worker = parse_decimal(name.substr(0, dash));
  const auto sequence = parse_decimal(name.substr(dash + 1));
  if (!worker || !sequence || *worker > 0xFFFF || *sequence == 0) return std::nullopt;
  return SegmentFile{
      .sequence = static_cast<std::uint64_t>(*sequence), .worker = static_cast<std::uint32_t>(*worker), .path = {}};
}

std::uint32_t read_u32(const char* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

std::string segment_path(const std::string& dir, std::uint32_t worker, std::uint64_t sequence) {
  return fmt::format("{}/w{:02}-{:010}.log", dir, worker, sequence);
}

Result<std::vector<SegmentFile>> list_segments(const std::string& dir) {
  std::vector<SegmentFile> files;
  DIR* handle = ::opendir(dir.c_str());
  if (handle == nullptr) {
    if (errno == ENOENT) return files;
    return fail(fmt::format("cannot read {}: {}", dir, std::strerror(errno)));
  }
  while (const dirent* entry = ::readdir(handle)) {
    if (auto file = parse_name(entry->d_name)) {
      file->path = dir + "/" + entry->d_name;
      files.push_back(std::move(*file));
    }
  }
  ::closedir(handle);
  std::sort(files.begin(), files.end(),
            [](const SegmentFile& a, const SegmentFile& b) { return a.sequence < b.sequence; });
  return files;
}

std::uint32_t record_checksum(std::string_view type_and_payload) {
  return static_cast<std::uint32_t>(XXH3_64bits(type_and_payload.data(), type_and_payload.size()));
}

SegmentReader::~SegmentReader() {
  close();
}

SegmentReader::SegmentReader(SegmentReader&& other) noexcept
    : fd_(other.fd_),
      offset_(other.offset_),
      start_(other.start_),
      buffer_(std::move(other.buffer_)),
      error_(std::move(other.error_)),
      failed_(other.failed_) {
  other.fd_ = -1;
}

bool SegmentReader::open(const std::string& path, std::uint64_t offset) {
  close();
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) {
    error_ = fmt::format("cannot open {}: {}", path, std::strerror(errno));
    return false;
  }
  offset_ = offset;
  start_ = 0;
  buffer_.clear();
  failed_ = false;
  return true;
}

void SegmentReader::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool SegmentReader::fill(std::size_t need) {
  if (buffer_.size() - start_ >= need) return true;
  buffer_.erase(0, start_);
  start_ = 0;
  const std::size_t want = std::max(need, kReadSize);
  while (buffer_.size() < need) {
    const std::size_t have = buffer_.size();
    ssize_t n = 0;
    buffer_.resize_and_overwrite(want, [&](char* bytes, std::size_t) {
      n = ::pread(fd_, bytes + have, want - have, static_cast<off_t>(offset_ + have));
      return have + static_cast<std::size_t>(std::max<ssize_t>(n, 0));
    });
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      error_ = std::strerror(errno);
      failed_ = true;
    }
    if (n <= 0) return false;
  }
  return true;
}

SegmentReader::Outcome SegmentReader::next(RecordView& record) {
  // What was read of an unfinished record may be stale when the writer goes on: it is read again.
  const auto stop = [this](bool nothing_left) {
    buffer_.clear();
    start_ = 0;
    if (failed_) return kError;
    return nothing_left ? kEnd : kTorn;
  };
  failed_ = false;
  if (offset_ == 0) {
    if (!fill(kSegmentMagic.size())) return stop(buffer_.size() == start_);
    if (!std::string_view(buffer_).starts_with(kSegmentMagic)) return stop(false);
    start_ = kSegmentMagic.size();
    offset_ = kSegmentMagic.size();
  }
  if (!fill(kRecordHeader)) return stop(buffer_.size() == start_);
  const std::uint32_t length = read_u32(buffer_.data() + start_);
  const std::uint32_t checksum = read_u32(buffer_.data() + start_ + 4);
  if (length == 0 || length > kMaxRecord || !fill(kRecordHeader + length)) return stop(false);
  const std::string_view body = std::string_view(buffer_).substr(start_ + kRecordHeader, length);
  if (record_checksum(body) != checksum) return stop(false);
  record.type = static_cast<std::uint8_t>(body[0]);
  record.payload = body.substr(1);
  start_ += kRecordHeader + length;
  offset_ += kRecordHeader + length;
  return kRecord;
}

}  // namespace weir
