#include "journal/recovery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <thread>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "journal/test_process.h"

namespace weir {
namespace {

std::map<Hash128, int> settlements(const std::string& dir) {
  std::map<Hash128, int> count;
  for (const Record& record : read_records(dir)) {
    if (record.type == RecordType::kSettle) ++count[record.id];
  }
  return count;
}

TEST(Recovery, AnEmptyDirectoryIsAFreshStart) {
  Data data;
  const Process process(data.journal(), data.disk);
  EXPECT_EQ(process.recovered.next_sequence, 1u);
  EXPECT_EQ(process.recovered.last_time, 0);
  EXPECT_TRUE(list_segments(data.journal())->empty());
}

TEST(Recovery, BudgetsAreWhatTheyWereAndVanishedRequestsAreChargedOnce) {
  Data data;
  {
    Process process(data.journal(), data.disk);
    process.admit(1, 0, 1000, kStart);
    process.settle(1, 600, kStart + 1);
    process.admit(2, 0, 500, kStart + 2);
    process.top_up(2, 64, kStart + 3);
    process.admit(3, 1, 70, kStart + 4);
    process.writer->flush();
    process.admit(4, 1, 7000, kStart + 5);  // never flushed, so never acted on
  }
  for (int restart = 0; restart < 3; ++restart) {
    const Process process(data.journal(), data.disk);
    EXPECT_EQ(process.usage(0, kStart + 10), 600 + 564);
    EXPECT_EQ(process.usage(1, kStart + 10), 70);
    EXPECT_EQ(process.usage(0, process.in_flight, kStart + 10), 0) << "nobody is in flight after a restart";
    EXPECT_EQ(process.recovered.in_flight, restart == 0 ? 2u : 0u);
    EXPECT_EQ(process.recovered.last_time, kStart + 4);
    const auto settled = settlements(data.journal());
    EXPECT_EQ(settled.size(), 3u);
    for (const auto& [id, count] : settled) EXPECT_EQ(count, 1);
  }
  const auto records = read_records(data.journal());
  const auto expired = std::find_if(records.begin(), records.end(), [](const Record& record) {
    return record.type == RecordType::kSettle && record.id == test_id(2);
  });
  ASSERT_NE(expired, records.end());
  EXPECT_EQ(expired->row.settled, Settled::kExpired);
  EXPECT_EQ(expired->row.usage.total(), 564);
  EXPECT_EQ(expired->row.request_id, "req_2");
}

TEST(Recovery, InspectChangesNothingAndLeavesOpenRequestsOpen) {
  Data data;
  Process process(data.journal(), data.disk);
  process.admit(1, 0, 1000, kStart);
  process.writer->flush();
  const std::string before = file_bytes(list_segments(data.journal())->front().path);
  Limiter limiter;
  const auto seen = inspect(data.journal(), limiter);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->in_flight, 1u);
  EXPECT_EQ(list_segments(data.journal())->size(), 1u);
  EXPECT_EQ(file_bytes(list_segments(data.journal())->front().path), before);
  Limiter nothing;
  EXPECT_TRUE(inspect(data.dir / "missing", nothing));
  EXPECT_FALSE(std::filesystem::exists(data.dir / "missing"));
}

TEST(Recovery, ARequestOpenOverASnapshotIsStillChargedAndOldSegmentsGo) {
  Data data;
  {
    Process process(data.journal(), data.disk);
    process.snapshots->set_drained([](std::uint64_t) { return true; });
    process.admit(1, 0, 1000, kStart);
    process.admit(2, 0, 10, kStart);
    process.settle(2, 10, kStart);
    process.writer->flush();
    process.snapshot(kStart + kSecond);
    const auto files = list_segments(data.journal()).value();
    ASSERT_EQ(files.size(), 1u) << "the first segment is covered and drained";
    process.admit(3, 0, 5, kStart + 2 * kSecond);
    process.settle(3, 5, kStart + 2 * kSecond);
    process.writer->flush();
  }
  const Process process(data.journal(), data.disk);
  EXPECT_EQ(process.usage(0, kStart + 3 * kSecond), 1015);
  EXPECT_EQ(process.recovered.in_flight, 1u);
  EXPECT_GE(process.recovered.epoch, 1u);
  const auto settled = settlements(data.journal());
  EXPECT_EQ(settled.at(test_id(1)), 1);
}

TEST(Recovery, SegmentsStayUntilTheLedgerHasThem) {
  Data data;
  Process process(data.journal(), data.disk);
  bool drained = false;
  process.snapshots->set_drained([&](std::uint64_t) { return drained; });
  process.admit(1, 0, 1000, kStart);
  process.settle(1, 1000, kStart);
  process.writer->flush();
  process.snapshot(kStart);
  EXPECT_EQ(list_segments(data.journal())->size(), 1u);
  drained = true;
  EXPECT_TRUE(process.snapshots->step(kStart + 1));
  EXPECT_EQ(list_segments(data.journal())->size(), 0u);
}

TEST(Recovery, OpenRequestsAreNoReasonForSnapshots) {
  Data data;
  Process process(data.journal(), data.disk);
  Snapshotter snapshots(process.limiter, {process.writer.get()}, *process.sequence, data.disk,
                        {.dir = data.journal(), .bytes = 8000});
  snapshots.step(kStart);
  for (std::uint64_t n = 0; n < 200; ++n) process.admit(n, 0, 10, kStart);
  process.writer->flush();
  TimeNs now = kStart;
  for (int turn = 0; turn < 200; ++turn) {
    now += kMinute;
    snapshots.step(now);
    if (process.writer->pending()) process.writer->flush();
  }
  EXPECT_EQ(snapshots.taken(), 1u) << "nothing was written after the first";
  process.admit(1000, 0, 10, now);
  process.writer->flush();
  for (int turn = 0; turn < 20; ++turn) {
    snapshots.step(now + kSecond);
    if (process.writer->pending()) process.writer->flush();
  }
  EXPECT_EQ(snapshots.taken(), 2u) << "one record, one more";
}

TEST(Recovery, AFailedSnapshotCostsNothing) {
  Data data;
  {
    Process process(data.journal(), data.disk);
    process.snapshots->set_drained([](std::uint64_t) { return true; });
    process.admit(1, 0, 1000, kStart);
    process.writer->flush();
    process.snapshots->request();
    EXPECT_FALSE(process.snapshots->step(kStart));
    process.writer->flush();
    data.disk.fail_sync(EIO);
    EXPECT_TRUE(process.snapshots->step(kStart));
    EXPECT_NE(process.snapshots->error(), "");
    data.disk.heal();
    EXPECT_TRUE(list_snapshots(data.journal())->empty());
    process.admit(2, 0, 50, kStart + 1);
    process.settle(2, 40, kStart + 2);
    process.writer->flush();
  }
  {
    Process process(data.journal(), data.disk);
    EXPECT_EQ(process.usage(0, kStart + 3), 1040);
    // The new process counts epochs from the old snapshot again; its own snapshot must not count the old tail twice.
    process.snapshot(kStart + 4);
  }
  const Process process(data.journal(), data.disk);
  EXPECT_EQ(process.usage(0, kStart + 5), 1040);
}

TEST(Recovery, ADamagedSnapshotIsAnErrorThatSaysWhatToDo) {
  Data data;
  {
    Process process(data.journal(), data.disk);
    process.admit(1, 0, 1000, kStart);
    process.writer->flush();
    process.snapshot(kStart);
  }
  const std::string path = list_snapshots(data.journal())->front().second;
  std::string bytes = file_bytes(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  Limiter limiter;
  const auto result = recover(data.journal(), limiter, data.disk);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("damaged"), std::string::npos);
}

TEST(Recovery, ASnapshotThatCannotBeWrittenIsTriedAgainAndNothingIsLeftOfIt) {
  Data data;
  Process process(data.journal(), data.disk);
  for (std::uint64_t n = 1; n < 40; ++n) process.admit(n, n, 1000, kStart);
  process.writer->flush();
  process.snapshots->request();
  EXPECT_FALSE(process.snapshots->step(kStart));
  process.writer->flush();
  data.disk.fail_write_after(50, ENOSPC);
  EXPECT_TRUE(process.snapshots->step(kStart));
  EXPECT_NE(process.snapshots->error().find("cannot write a snapshot"), std::string::npos);
  data.disk.heal();
  EXPECT_TRUE(list_snapshots(data.journal())->empty());
  EXPECT_FALSE(std::filesystem::exists(data.journal() + "/snapshot.tmp"));
  process.snapshot(kStart + 1);
  EXPECT_EQ(list_snapshots(data.journal())->size(), 1u);
}

// What is there and cannot be used is an error, never a start without what it counts.
TEST(Recovery, WhatCannotBeReadStopsTheStartAndSaysWhatToDo) {
  const auto error_with = [](const auto& damage) {
    Data data;
    {
      Process process(data.journal(), data.disk);
      process.admit(1, 0, 1000, kStart);
      process.writer->flush();
    }
    damage(data.journal());
    Limiter limiter;
    const auto result = recover(data.journal(), limiter, data.disk);
    EXPECT_FALSE(result);
    return result ? std::string() : result.error().message;
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  const std::string newer = error_with([](const std::string& dir) {
    const std::string body = std::string(1, 99) + "of a later version";
    const auto length = static_cast<std::uint32_t>(body.size());
    const std::uint32_t checksum = record_checksum(body);
    std::ofstream out(segment_path(dir, 0, 900), std::ios::binary);
    out << kSegmentMagic;
    out.write(reinterpret_cast<const char*>(&length), 4).write(reinterpret_cast<const char*>(&checksum), 4) << body;
  });
  EXPECT_TRUE(has(newer, "start the version that wrote it")) << newer;
  const std::string gone = error_with(
      [](const std::string& dir) { std::filesystem::create_symlink("/nowhere", segment_path(dir, 0, 900)); });
  EXPECT_TRUE(has(gone, "cannot open")) << gone;
  const std::string unreadable =
      error_with([](const std::string& dir) { std::filesystem::create_directory(segment_path(dir, 0, 900)); });
  EXPECT_TRUE(has(unreadable, "cannot read the journal")) << unreadable;
  const std::string no_directory = error_with([](const std::string& dir) {
    std::filesystem::remove_all(dir);
    std::ofstream(dir) << "a file";
  });
  EXPECT_TRUE(has(no_directory, "Not a directory")) << no_directory;
}

// Its checksum fits, so it is what was written; but not by this version.
TEST(Recovery, ASnapshotThatTheCountersDoNotUnderstandStopsTheStart) {
  Data data;
  {
    Process process(data.journal(), data.disk);
    process.admit(1, 0, 1000, kStart);
    process.writer->flush();
    process.snapshot(kStart);
  }
  constexpr std::size_t kHead = 40, kTail = 16;
  const std::string path = list_snapshots(data.journal())->front().second;
  std::string bytes = file_bytes(path);
  bytes[kHead] = static_cast<char>(bytes[kHead] ^ 1);
  const std::string summed = bytes.substr(kHead, bytes.size() - kHead - kTail) + bytes.substr(0, kHead);
  const std::uint64_t checksum = XXH3_64bits(summed.data(), summed.size());
  std::memcpy(bytes.data() + bytes.size() - sizeof checksum, &checksum, sizeof checksum);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  Limiter limiter;
  const auto result = recover(data.journal(), limiter, data.disk);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("move it away to start without"), std::string::npos) << result.error().message;
}

TEST(Recovery, AFullDiskIsAnErrorAndTheNextStartChargesOnce) {
  Data data;
  {
    Process process(data.journal(), data.disk);
    for (std::uint64_t n = 0; n < 50; ++n) process.admit(n, 0, 10, kStart);
    process.writer->flush();
  }
  for (std::size_t room = 0; room < 2000; room += 500) {
    Limiter limiter;
    data.disk.fail_write_after(room, ENOSPC);
    EXPECT_FALSE(recover(data.journal(), limiter, data.disk));
  }
  data.disk.heal();
  const Process process(data.journal(), data.disk);
  EXPECT_EQ(process.usage(0, kStart), 500);
  const auto settled = settlements(data.journal());
  EXPECT_EQ(settled.size(), 50u);
  for (const auto& [id, count] : settled) EXPECT_EQ(count, 1);
}

TEST(Recovery, OnlyOneProcessWritesADirectory) {
  Data data;
  {
    const auto first = lock_directory(data.dir.path());
    ASSERT_TRUE(first);
    const auto second = lock_directory(data.dir.path());
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message.find("in use"), std::string::npos);
  }
  EXPECT_TRUE(lock_directory(data.dir.path()));
  DirectoryLock kept;
  kept = std::move(*lock_directory(data.dir.path()));
  EXPECT_FALSE(lock_directory(data.dir.path())) << "the lock went along";
  kept = DirectoryLock();
  EXPECT_TRUE(lock_directory(data.dir.path()));
}

TEST(Recovery, SnapshotsAndInspectionsWhileAWriterWorks) {
  Data data;
  std::int64_t total = 0;
  {
    Process process(data.journal(), data.disk);
    process.snapshots->set_drained([](std::uint64_t) { return true; });
    std::thread worker([&] {
      for (std::uint64_t n = 1; n <= 3000 || process.snapshots_wanted.load() > 0; ++n) {
        const TimeNs now = kStart + static_cast<TimeNs>(n);
        process.admit(n, n % 5, 100, now);
        if (n % 3 == 0) process.top_up(n, 64, now);
        process.settle(n, 70, now);
        total += 70;
        process.writer->flush();
      }
    });
    TimeNs now = kStart;
    while (process.snapshots_wanted.load() > 0) {
      process.snapshots->request();
      while (!process.snapshots->step(++now)) std::this_thread::yield();
      EXPECT_EQ(process.snapshots->error(), "");
      process.snapshots_wanted.fetch_sub(1);
      Limiter other;
      const auto seen = inspect(data.journal(), other);
      EXPECT_TRUE(seen) << (seen ? "" : seen.error().message);
    }
    worker.join();
    EXPECT_GE(process.snapshots->taken(), 10u);
  }
  const Process process(data.journal(), data.disk);
  std::int64_t usage = 0;
  for (std::uint64_t who = 0; who < 5; ++who) usage += process.usage(who, kStart + kSecond);
  EXPECT_EQ(usage, total);
}

}  // namespace
}  // namespace weir
