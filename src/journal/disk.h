// The journal's seam to the disk: the calls it changes something by, so that tests can make each of them fail, and can
// lose what was not synced.
//
//   PosixDisk disk;
//   int fd = disk.create("w00-0000000001.log");
//   disk.write_at(fd, bytes, 0);
//
// Thread-safe (no state). Results below zero are -errno.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir {

class Disk {
 public:
  virtual ~Disk() = default;
  // A new file for writing, mode 0600; -EEXIST if there is one of that name.
  virtual int create(const std::string& path) = 0;
  // Bytes written (possibly fewer than asked) or -errno.
  virtual ssize_t write_at(int fd, std::string_view bytes, std::uint64_t offset) = 0;
  virtual int sync(int fd) = 0;                             // contents on stable storage
  virtual int sync_directory(const std::string& path) = 0;  // names on stable storage
  virtual int rename(const std::string& from, const std::string& to) = 0;
  virtual int remove(const std::string& path) = 0;
  virtual void close(int fd) = 0;
};

class PosixDisk : public Disk {
 public:
  int create(const std::string& path) override;
  ssize_t write_at(int fd, std::string_view bytes, std::uint64_t offset) override;
  int sync(int fd) override;
  int sync_directory(const std::string& path) override;
  int rename(const std::string& from, const std::string& to) override;
  int remove(const std::string& path) override;
  void close(int fd) override;
};

// Syncs the contents of a file whoever wrote them; below zero: -errno.
int sync_file(Disk& disk, const std::string& path);

// Makes the directory (mode 0700, with its parents) unless it is there, for good.
Result<void> make_private_directory(const std::string& path);

}  // namespace weir
