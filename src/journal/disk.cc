#include "journal/disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace weir {
namespace {

// Each new name is synced in the directory above it: what is in a directory that vanishes vanishes with it.
Result<void> make_directory(std::filesystem::path path, mode_t mode) {
  if (!path.has_filename()) path = path.parent_path();  // "weir-data/"
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  std::filesystem::path parent = path.parent_path();
  if (parent.empty()) parent = ".";
  if (parent != path) {
    if (auto made = make_directory(parent, 0777); !made) return made;
  }
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return fail("cannot make the directory " + path.string() + ": " + std::strerror(errno));
  }
  // Some systems cannot sync directories of others' making (EACCES, EINVAL): then there is nothing more to do.
  PosixDisk().sync_directory(parent.string());
  return {};
}

}  // namespace

int PosixDisk::create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  return fd < 0 ? -errno : fd;
}

ssize_t PosixDisk::write_at(int fd, std::string_view bytes, std::uint64_t offset) {
  for (;;) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

int PosixDisk::sync(int fd) {
  return ::fdatasync(fd) == 0 ? 0 : -errno;
}

int PosixDisk::sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  const int result = ::fsync(fd) == 0 ? 0 : -errno;
  ::close(fd);
  return result;
}

int PosixDisk::rename(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : -errno;
}

int PosixDisk::remove(const std::string& path) {
  return ::unlink(path.c_str()) == 0 ? 0 : -errno;
}

void PosixDisk::close(int fd) {
  ::close(fd);
}

int sync_file(Disk& disk, const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  const int result = disk.sync(fd);
  ::close(fd);
  return result;
}

Result<void> make_private_directory(const std::string& path) {
  return make_directory(std::filesystem::path(path), 0700);
}

}  // namespace weir
