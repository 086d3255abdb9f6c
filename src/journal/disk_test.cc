// The real disk: what the system refuses comes back as its error, and directories are made with their parents.
#include "journal/disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "journal/snapshot.h"
#include "journal/test_support.h"

namespace weir {
namespace {

TEST(PosixDisk, WritesAtTheirOffsetsAndSyncs) {
  TempDir dir;
  PosixDisk disk;
  const int fd = disk.create(dir / "file");
  ASSERT_GE(fd, 0);
  EXPECT_EQ(disk.write_at(fd, "world", 6), 5);
  EXPECT_EQ(disk.write_at(fd, "hello ", 0), 6);
  EXPECT_EQ(disk.sync(fd), 0);
  disk.close(fd);
  EXPECT_EQ(file_bytes(dir / "file"), "hello world");
  EXPECT_EQ(disk.create(dir / "file"), -EEXIST) << "nothing is written over";
  EXPECT_EQ(disk.rename(dir / "file", dir / "other"), 0);
  EXPECT_EQ(disk.sync_directory(dir.path()), 0);
  EXPECT_EQ(sync_file(disk, dir / "other"), 0);
  EXPECT_EQ(disk.remove(dir / "other"), 0);
}

TEST(PosixDisk, WhatTheSystemRefusesIsItsError) {
  TempDir dir;
  PosixDisk disk;
  EXPECT_EQ(disk.create(dir / "missing/file"), -ENOENT);
  EXPECT_EQ(disk.rename(dir / "missing", dir / "other"), -ENOENT);
  EXPECT_EQ(disk.remove(dir / "missing"), -ENOENT);
  EXPECT_EQ(disk.sync_directory(dir / "missing"), -ENOENT);
  EXPECT_EQ(sync_file(disk, dir / "missing"), -ENOENT);
  EXPECT_EQ(disk.sync(-1), -EBADF);
  EXPECT_EQ(disk.write_at(-1, "x", 0), -EBADF);
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  EXPECT_EQ(disk.write_at(full, "x", 0), -ENOSPC);
  ::close(full);
}

TEST(PosixDisk, PrivateDirectoriesAreMadeWithTheirParentsAndNotInsideFiles) {
  TempDir dir;
  ASSERT_TRUE(make_private_directory(dir / "a/b/c/"));
  const auto mode = std::filesystem::status(dir / "a/b/c").permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_all) << "for us only";
  EXPECT_TRUE(make_private_directory(dir / "a/b/c")) << "it is there";
  std::ofstream(dir / "file") << "x";
  const auto made = make_private_directory(dir / "file/inside");
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("cannot make the directory"), std::string::npos);
  const auto listed = list_snapshots(dir / "file");
  ASSERT_FALSE(listed);
  EXPECT_NE(listed.error().message.find("cannot read"), std::string::npos);
}

}  // namespace
}  // namespace weir
