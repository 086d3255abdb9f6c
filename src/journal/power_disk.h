// For tests: a disk whose machine, or process, ends at a chosen operation. After a power loss only what was synced is
// sure to be there; of the rest, chance decides.
//
//   PowerDisk disk(seed);
//   disk.end_after(17, PowerDisk::End::kPower);   // the 18th operation fails, and all after it
//   … work until disk.ended() …
//   disk.restart();                               // the directory is as the next process finds it
//
// Works on real files in one directory, so that readers need no seam. One thread.
#pragma once

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "journal/disk.h"
#include "journal/test_support.h"

namespace weir {

struct Chance {
  std::uint64_t state;
  std::uint64_t below(std::uint64_t n) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 33) % n;
  }
};

class PowerDisk : public Disk {
 public:
  enum class End { kKill, kPower };
  explicit PowerDisk(std::uint64_t seed) : chance_{seed} {}

  void end_after(std::uint64_t operations, End how) {
    left_ = operations;
    how_ = how;
    armed_ = true;
  }
  bool ended() const { return ended_; }
  std::uint64_t operations() const { return operations_; }
  // Nothing is armed afterwards.
  void restart() {
    if (ended_ && how_ == End::kPower) lose();
    armed_ = ended_ = false;
  }

  int create(const std::string& path) override {
    if (!go_on()) return -EIO;
    const int fd = real_.create(path);
    if (fd >= 0) {
      names_[path] = next_file_;
      synced_[next_file_++] = {};
    }
    return fd;
  }
  ssize_t write_at(int fd, std::string_view bytes, std::uint64_t offset) override {
    if (go_on()) return real_.write_at(fd, bytes, offset);
    // The operation at which it ends may have got half of its way.
    if (std::exchange(last_, false)) real_.write_at(fd, bytes.substr(0, chance_.below(bytes.size() + 1)), offset);
    return -EIO;
  }
  // What another thread does while a sync is under way: it sees what was written and is not synced yet.
  std::function<void()> meanwhile;

  int sync(int fd) override {
    if (meanwhile && !ended_) {
      const std::function<void()> now = std::exchange(meanwhile, nullptr);
      now();
      meanwhile = now;
    }
    if (!go_on()) return -EIO;
    const std::string path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd)).string();
    synced_[names_.at(path)] = file_bytes(path);
    return 0;
  }
  int sync_directory(const std::string&) override {
    if (!go_on()) return -EIO;
    synced_names_ = names_;
    return 0;
  }
  int rename(const std::string& from, const std::string& to) override {
    if (!go_on()) return -EIO;
    if (const int result = real_.rename(from, to); result < 0) return result;
    names_[to] = names_.at(from);
    names_.erase(from);
    return 0;
  }
  int remove(const std::string& path) override {
    if (!go_on()) return -EIO;
    const auto found = names_.find(path);
    if (found == names_.end()) return -ENOENT;
    removed_[found->second] = file_bytes(path);
    names_.erase(found);
    return real_.remove(path);
  }
  void close(int fd) override { real_.close(fd); }

 private:
  bool go_on() {
    if (ended_) {
      last_ = false;
      return false;
    }
    ++operations_;
    if (!armed_ || left_-- > 0) return true;
    ended_ = last_ = true;
    return false;
  }

  // Each name is as it was synced or as it was last; each file has what was synced and some of what was not.
  void lose() {
    std::map<std::string, int> names;
    std::map<std::string, int> all = synced_names_;
    all.insert(names_.begin(), names_.end());
    std::map<int, std::string> contents;
    for (const auto& [path, ignored] : all) {
      const auto synced = synced_names_.find(path), last = names_.find(path);
      const bool as_synced = chance_.below(2) == 0;
      const auto& chosen = as_synced ? synced : last;
      if (chosen == (as_synced ? synced_names_.end() : names_.end())) continue;
      names[path] = chosen->second;
    }
    for (const auto& [path, file] : names_) contents[file] = file_bytes(path);
    contents.insert(removed_.begin(), removed_.end());
    for (const auto& [path, file] : names_) real_.remove(path);
    for (const auto& [path, file] : names) {
      const std::string& synced = synced_[file];
      std::string bytes = contents[file];
      if (bytes.starts_with(synced)) {
        bytes.resize(synced.size() + chance_.below(bytes.size() - synced.size() + 1));
      } else if (chance_.below(2) == 0) {
        bytes = synced;
      }
      std::ofstream(path, std::ios::binary) << bytes;
      synced_[file] = bytes;
    }
    names_ = synced_names_ = names;
    removed_.clear();
  }

  PosixDisk real_;
  Chance chance_;
  std::map<std::string, int> names_, synced_names_;  // path -> file
  std::map<int, std::string> synced_, removed_;      // contents by file
  int next_file_ = 1;
  std::uint64_t left_ = 0, operations_ = 0;
  End how_ = End::kKill;
  bool armed_ = false, ended_ = false, last_ = false;
};

}  // namespace weir
