// The journal's disk with faults: full, broken, short writes, and a power loss that forgets what was not synced.
// Works on real files in memory. One thread.
#pragma once

#include <cerrno>
#include <map>
#include <string>

#include "journal/disk.h"
#include "random.h"

namespace weir::sim {

class SimDisk final : public Disk {
 public:
  explicit SimDisk(Random random) : random_(random) {}

  bool full = false;    // -ENOSPC for whatever needs room
  bool broken = false;  // -EIO for everything
  std::int64_t short_writes_permille = 0;

  int create(const std::string& path) override;
  ssize_t write_at(int fd, std::string_view bytes, std::uint64_t offset) override;
  int sync(int fd) override;
  int sync_directory(const std::string& path) override;
  int rename(const std::string& from, const std::string& to) override;
  int remove(const std::string& path) override;
  void close(int fd) override;

  // Every file keeps what was synced, and of the rest what chance leaves.
  void lose_power();

 private:
  struct File {
    std::uint64_t size = 0, synced = 0;
  };
  PosixDisk real_;
  Random random_;
  std::map<std::string, File> files_;
  std::map<int, std::string> open_;
};

}  // namespace weir::sim
