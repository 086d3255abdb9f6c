// Preloaded into weir by powerloss.test.mjs: writes down everything that changes files below a folder, and every sync,
// so that the test can work out what a power loss would have left. Nothing is changed or delayed.
//
//   WEIR_POWERFAIL_ROOT=/tmp/x WEIR_POWERFAIL_LOG=/tmp/x.log LD_PRELOAD=powerfail.so weir serve …
//
// A record: type u8, inode u64, number u64, length of path u32, length of data u32, path, data (little-endian).
//   C path inode        a new file            W inode offset data   bytes, written down before they are written
//   M path inode        a new directory       T inode length        cut to a length
//   R path data=to      renamed               L path data=to        a second name
//   U path              removed               B, E path inode, number = thread: a sync begins, has worked
// SQLite's shared-memory file is left out: it is rebuilt after every crash.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FD 65536
static unsigned char tracked[MAX_FD];
static int log_fd = -1;
static const char *root;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static int ends_with(const char *text, const char *end) {
  const size_t a = strlen(text), b = strlen(end);
  return a >= b && strcmp(text + a - b, end) == 0;
}

static int inside(const char *path) {
  return log_fd >= 0 && path != NULL && strncmp(path, root, strlen(root)) == 0 && !ends_with(path, "-shm");
}

static void write_down(char type, uint64_t inode, uint64_t number, const char *path, const void *data, size_t size) {
  char head[25];
  const uint32_t path_size = (uint32_t)strlen(path), data_size = (uint32_t)size;
  head[0] = type;
  memcpy(head + 1, &inode, 8);
  memcpy(head + 9, &number, 8);
  memcpy(head + 17, &path_size, 4);
  memcpy(head + 21, &data_size, 4);
  struct iovec parts[3] = {{head, sizeof head}, {(void *)(uintptr_t)path, path_size}, {(void *)(uintptr_t)data, size}};
  pthread_mutex_lock(&lock);
  if (writev(log_fd, parts, 3) < 0) abort();
  pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void begin(void) {
  const char *log = getenv("WEIR_POWERFAIL_LOG");
  root = getenv("WEIR_POWERFAIL_ROOT");
  if (log == NULL || root == NULL) return;
  log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static uint64_t inode_of(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 ? (uint64_t)status.st_ino : 0;
}

static int is_tracked(int fd) { return fd >= 0 && fd < MAX_FD && tracked[fd]; }

static int opened(const char *path, int flags, int existed, int fd) {
  if (fd < 0 || fd >= MAX_FD) return fd;
  tracked[fd] = (unsigned char)inside(path);
  if (!tracked[fd]) return fd;
  if ((flags & O_CREAT) && !existed) write_down('C', inode_of(fd), 0, path, "", 0);
  if (existed && (flags & O_TRUNC)) write_down('T', inode_of(fd), 0, "", "", 0);
  return fd;
}

#define OPEN(name)                                                        \
  int name(const char *path, int flags, ...) {                            \
    va_list args;                                                         \
    va_start(args, flags);                                                \
    const mode_t mode = (flags & O_CREAT) ? (mode_t)va_arg(args, int) : 0; \
    va_end(args);                                                         \
    const int existed = access(path, F_OK) == 0;                          \
    int (*next)(const char *, int, ...) = real(#name);                    \
    return opened(path, flags, existed, next(path, flags, mode));         \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  if (fd >= 0 && fd < MAX_FD) tracked[fd] = 0;
  int (*next)(int) = real("close");
  return next(fd);
}

#define PWRITE(name)                                                                     \
  ssize_t name(int fd, const void *data, size_t size, off64_t offset) {                  \
    if (is_tracked(fd)) write_down('W', inode_of(fd), (uint64_t)offset, "", data, size); \
    ssize_t (*next)(int, const void *, size_t, off64_t) = real(#name);                   \
    return next(fd, data, size, offset);                                                 \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int fd, const void *data, size_t size) {
  if (is_tracked(fd)) write_down('W', inode_of(fd), (uint64_t)lseek(fd, 0, SEEK_CUR), "", data, size);
  ssize_t (*next)(int, const void *, size_t) = real("write");
  return next(fd, data, size);
}

#define TRUNCATE(name)                                                             \
  int name(int fd, off64_t length) {                                               \
    if (is_tracked(fd)) write_down('T', inode_of(fd), (uint64_t)length, "", "", 0); \
    int (*next)(int, off64_t) = real(#name);                                       \
    return next(fd, length);                                                       \
  }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

static int sync_with(const char *name, int fd) {
  int (*next)(int) = real(name);
  char link[64], path[4096] = "";
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  const int known = length > 0 && inside(path);
  const uint64_t thread = (uint64_t)syscall(SYS_gettid);
  if (known) write_down('B', inode_of(fd), thread, path, "", 0);
  const int result = next(fd);
  if (known && result == 0) write_down('E', inode_of(fd), thread, path, "", 0);
  return result;
}
int fsync(int fd) { return sync_with("fsync", fd); }
int fdatasync(int fd) { return sync_with("fdatasync", fd); }

int rename(const char *from, const char *to) {
  int (*next)(const char *, const char *) = real("rename");
  const int result = next(from, to);
  if (result == 0 && inside(from)) write_down('R', 0, 0, from, to, strlen(to));
  return result;
}

int link(const char *from, const char *to) {
  int (*next)(const char *, const char *) = real("link");
  const int result = next(from, to);
  if (result == 0 && inside(from)) write_down('L', 0, 0, from, to, strlen(to));
  return result;
}

int unlink(const char *path) {
  int (*next)(const char *) = real("unlink");
  const int result = next(path);
  if (result == 0 && inside(path)) write_down('U', 0, 0, path, "", 0);
  return result;
}

int mkdir(const char *path, mode_t mode) {
  int (*next)(const char *, mode_t) = real("mkdir");
  const int result = next(path, mode);
  struct stat status;
  if (result == 0 && inside(path) && stat(path, &status) == 0) write_down('M', status.st_ino, 0, path, "", 0);
  return result;
}
