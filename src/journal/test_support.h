// For tests: a directory that goes away, a disk that fails on demand, rows and effects to write.
//
//   TempDir dir;
//   FaultyDisk disk;
//   disk.fail_write_after(100, ENOSPC);     // the 101st byte does not fit
#pragma once

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "journal/disk.h"
#include "journal/journal.h"
#include "journal/record.h"
#include "journal/segment.h"

namespace weir {

class TempDir {
 public:
  TempDir() : TempDir(std::filesystem::temp_directory_path()) {}
  explicit TempDir(const std::filesystem::path& parent) {
    std::string pattern = (parent / "weir-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Memory that looks like a disk, if there is any: for tests that sync thousands of times.
inline std::filesystem::path memory_directory() {
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path();
}

// The real disk, with faults in between. Syncs are only counted: the tests end processes, not machines.
class FaultyDisk : public Disk {
 public:
  // Lets `bytes` more bytes through, then every write fails with `error` until heal().
  void fail_write_after(std::size_t bytes, int error) {
    room_ = bytes;
    write_error_ = error;
  }
  void fail_sync(int error) { sync_error_ = error; }
  void fail_create(int error) { create_error_ = error; }
  void write_at_most(std::size_t bytes) { longest_ = bytes; }
  void heal() { write_error_ = sync_error_ = create_error_ = 0; }
  std::atomic<int> writes = 0, syncs = 0;  // tests count while another thread writes

  int create(const std::string& path) override { return create_error_ != 0 ? -create_error_ : real_.create(path); }
  ssize_t write_at(int fd, std::string_view bytes, std::uint64_t offset) override {
    ++writes;
    bytes = bytes.substr(0, longest_);
    if (write_error_ != 0) {
      if (room_ == 0) return -write_error_;
      bytes = bytes.substr(0, room_);
      room_ -= bytes.size();
    }
    return real_.write_at(fd, bytes, offset);
  }
  int sync(int fd) override {
    ++syncs;
    (void)fd;
    return -sync_error_;
  }
  int sync_directory(const std::string&) override { return -sync_error_; }
  int rename(const std::string& from, const std::string& to) override { return real_.rename(from, to); }
  int remove(const std::string& path) override { return real_.remove(path); }
  void close(int fd) override { real_.close(fd); }

 private:
  PosixDisk real_;
  std::size_t room_ = 0, longest_ = std::string::npos;
  int write_error_ = 0, sync_error_ = 0, create_error_ = 0;
};

inline Hash128 test_id(std::uint64_t n) {
  return {.high = n * 0x9E3779B97F4A7C15ull + 1, .low = n};
}

inline UsageRow test_row(std::uint64_t n) {
  UsageRow row;
  row.time = static_cast<TimeNs>(1'700'000'000'000'000'000 + n * 1'000'000);
  row.request_id = "req_" + std::to_string(n);
  row.key = "ann";
  row.tenant = "acme";
  row.model = "gpt-4o";
  row.provider = "openai";
  row.route = "/v1/chat/completions";
  row.status = 200;
  row.usage = {.input_uncached = 100 + static_cast<std::int64_t>(n % 7), .output_visible = 50};
  row.usd_micros = 1234;
  row.reserved_tokens = row.usage.total();
  row.attempts = 1;
  return row;
}

inline Effect test_effect(std::uint64_t subject, std::int64_t amount, TimeNs at, std::uint32_t epoch = 0) {
  return {.subject = {.high = 7, .low = subject},
          .counter = 11,
          .at = at,
          .amount = amount,
          .period_start = 0,
          .epoch = epoch};
}

// Every whole record of every segment, in order.
inline std::vector<Record> read_records(const std::string& dir) {
  std::vector<Record> records;
  const std::vector<SegmentFile> files = list_segments(dir).value();
  for (const SegmentFile& file : files) {
    SegmentReader reader;
    if (!reader.open(file.path)) continue;
    RecordView view;
    while (reader.next(view) == SegmentReader::kRecord) {
      Record record;
      if (decode_record(view.type, view.payload, record)) records.push_back(std::move(record));
    }
  }
  return records;
}

inline std::string file_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace weir
