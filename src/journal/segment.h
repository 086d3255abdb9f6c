// Segment files of the journal: their names, their numbering, and a reader that stops at a torn end.
//
//   const std::vector<SegmentFile> files = list_segments(dir).value();
//   for (const SegmentFile& file : files) {
//     SegmentReader reader;
//     if (!reader.open(file.path)) continue;
//     RecordView record;
//     while (reader.next(record) == SegmentReader::kRecord) use(record.type, record.payload);
//   }
//
// Sequence numbers are unique in a directory over all workers and processes and only grow, so one number divides
// "before this instant" from "after". A SegmentReader belongs to one thread; SegmentSequence is thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weir {

inline constexpr std::string_view kSegmentMagic = "WEIRJNL1";
inline constexpr std::size_t kRecordHeader = 8;                  // length u32, checksum u32
inline constexpr std::size_t kMaxRecord = std::size_t{1} << 20;  // type and payload

// Hands out segment numbers.
class SegmentSequence {
 public:
  explicit SegmentSequence(std::uint64_t next = 1) : next_(next) {}
  std::uint64_t take() { return next_.fetch_add(1); }
  std::uint64_t peek() const { return next_.load(); }

 private:
  std::atomic<std::uint64_t> next_;
};

struct SegmentFile {
  std::uint64_t sequence = 0;
  std::uint32_t worker = 0;
  std::string path;
};

std::string segment_path(const std::string& dir, std::uint32_t worker, std::uint64_t sequence);
// Ascending by sequence; other files are ignored. A missing directory has no segments.
Result<std::vector<SegmentFile>> list_segments(const std::string& dir);

struct RecordView {
  std::uint8_t type = 0;
  std::string_view payload;  // valid until the next call of the reader
};

// Low half of XXH3 over type and payload.
std::uint32_t record_checksum(std::string_view type_and_payload);

class SegmentReader {
 public:
  enum Outcome {
    kRecord,
    kEnd,    // nothing more at the moment
    kTorn,   // bytes follow that are no whole record: the writer died here, or is just writing
    kError,  // the disk refused; error() says why
  };

  SegmentReader() = default;
  ~SegmentReader();
  SegmentReader(const SegmentReader&) = delete;
  SegmentReader& operator=(const SegmentReader&) = delete;
  SegmentReader(SegmentReader&& other) noexcept;

  // False if the file cannot be opened. `offset`: where an earlier reader stopped.
  bool open(const std::string& path, std::uint64_t offset = 0);
  void close();
  // After kEnd and kTorn it can be called again: a live writer may have appended.
  Outcome next(RecordView& record);
  // End of the last whole record: where to continue.
  std::uint64_t offset() const { return offset_; }
  const std::string& error() const { return error_; }

 private:
  bool fill(std::size_t need);  // at least `need` bytes from offset_ in the buffer, if the file has them

  int fd_ = -1;
  std::uint64_t offset_ = 0;  // of buffer_[start_]
  std::size_t start_ = 0;
  std::string buffer_;
  std::string error_;
  bool failed_ = false;
};

}  // namespace weir
