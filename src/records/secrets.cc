#include "records/secrets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "journal/disk.h"

namespace weir {
namespace {

constexpr std::size_t kKeyHashSecret = 32;
constexpr std::size_t kFileSize = std::tuple_size_v<SubjectSecret> + kKeyHashSecret;
using Bytes = std::array<unsigned char, kFileSize>;

std::string secret_path(const std::string& dir) {
  return dir + "/secret";
}

// nullopt: there is no such file.
Result<std::optional<Secrets>> read_secrets(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::nullopt;
  if (fd < 0) return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  std::array<unsigned char, kFileSize + 1> bytes;
  std::size_t have = 0;
  ssize_t n = 0;
  while (have < bytes.size() && (n = ::read(fd, bytes.data() + have, bytes.size() - have)) > 0) {
    have += static_cast<std::size_t>(n);
  }
  ::close(fd);
  if (n < 0) return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  if (have != kFileSize) return fail(path + " is damaged; restore it from a backup, or all keys have to be made anew");
  Secrets secrets;
  std::memcpy(secrets.subjects.data(), bytes.data(), secrets.subjects.size());
  secrets.key_hash.assign(reinterpret_cast<const char*>(bytes.data()) + secrets.subjects.size(), kKeyHashSecret);
  return secrets;
}

// Writes a file of its own and links it to the final name, which fails if somebody else was first.
Result<void> create_secrets(const std::string& dir, const Entropy& entropy) {
  Bytes bytes;
  std::array<unsigned char, 8> suffix;
  if (!entropy(bytes) || !entropy(suffix)) return fail("the system gives no random bytes");
  std::string temporary = secret_path(dir) + ".";
  for (const unsigned char c : suffix) temporary += fmt::format("{:02x}", c);
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return fail(fmt::format("cannot write {}: {}", temporary, std::strerror(errno)));
  errno = ENOSPC;
  bool ok = ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fsync(fd) == 0;
  ::close(fd);
  ok = ok && (::link(temporary.c_str(), secret_path(dir).c_str()) == 0 || errno == EEXIST);
  int error = errno;
  ::unlink(temporary.c_str());
  // Keys are worth nothing without the secret: it must be there for good before the first of them is made.
  if (ok) {
    error = -PosixDisk().sync_directory(dir);
    ok = error == 0;
  }
  if (!ok) return fail(fmt::format("cannot write {}: {}", secret_path(dir), std::strerror(error)));
  return {};
}

}  // namespace

std::unexpected<Error> no_store(const std::string& dir) {
  const std::filesystem::path given(dir);
  return fail(fmt::format(
      "no store at {}{}; -c weir.yaml or --data DIR says where it is, `weir serve` or `weir keys create` makes one",
      std::filesystem::absolute(given).lexically_normal().string(),
      given.is_relative() ? " (a relative `data` begins in the current folder)" : ""));
}

Result<Secrets> load_secrets(const std::string& dir) {
  auto found = read_secrets(secret_path(dir));
  if (!found) return std::unexpected(found.error());
  if (!*found) return no_store(dir);
  return std::move(**found);
}

Result<Secrets> load_or_create_secrets(const std::string& dir, const Entropy& entropy) {
  if (auto made = make_private_directory(dir); !made) return std::unexpected(made.error());
  auto found = read_secrets(secret_path(dir));
  if (!found) return std::unexpected(found.error());
  if (!*found) {
    if (auto created = create_secrets(dir, entropy); !created) return std::unexpected(created.error());
  }
  return load_secrets(dir);
}

}  // namespace weir
