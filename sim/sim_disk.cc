#include "sim_disk.h"

#include <algorithm>
#include <filesystem>

namespace weir::sim {

int SimDisk::create(const std::string& path) {
  if (broken) return -EIO;
  if (full) return -ENOSPC;
  const int fd = real_.create(path);
  if (fd >= 0) {
    files_[path] = {};
    open_[fd] = path;
  }
  return fd;
}

ssize_t SimDisk::write_at(int fd, std::string_view bytes, std::uint64_t offset) {
  if (broken) return -EIO;
  if (full) {  // what fits is written, then nothing
    if (bytes.size() < 2 || random_.permille(700)) return -ENOSPC;
    bytes = bytes.substr(0, bytes.size() / 2);
  } else if (bytes.size() > 1 && random_.permille(short_writes_permille)) {
    bytes = bytes.substr(0, random_.below(bytes.size() - 1) + 1);
  }
  const ssize_t written = real_.write_at(fd, bytes, offset);
  if (written > 0) {
    File& file = files_[open_[fd]];
    file.size = std::max(file.size, offset + static_cast<std::uint64_t>(written));
  }
  return written;
}

int SimDisk::sync(int fd) {
  if (broken) return -EIO;
  File& file = files_[open_[fd]];
  file.synced = file.size;
  return 0;  // memory needs none
}

int SimDisk::sync_directory(const std::string&) {
  return broken ? -EIO : 0;
}

int SimDisk::rename(const std::string& from, const std::string& to) {
  if (broken) return -EIO;
  const int result = real_.rename(from, to);
  if (result >= 0) {
    files_[to] = files_[from];
    files_.erase(from);
  }
  return result;
}

int SimDisk::remove(const std::string& path) {
  if (broken) return -EIO;
  files_.erase(path);
  return real_.remove(path);
}

void SimDisk::close(int fd) {
  open_.erase(fd);
  real_.close(fd);
}

void SimDisk::lose_power() {
  for (auto& [path, file] : files_) {
    if (file.size <= file.synced) continue;
    const std::uint64_t left = file.synced + random_.below(file.size - file.synced + 1);
    std::error_code ignored;
    std::filesystem::resize_file(path, left, ignored);
    file.size = file.synced = left;
  }
}

}  // namespace weir::sim
