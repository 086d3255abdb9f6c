#include "journal/writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <utility>

#include "journal/test_support.h"

namespace weir {
namespace {

struct Listener : JournalEvents {
  void on_written(bool ok) override {
    (ok ? good : bad)++;
    if (then) std::exchange(then, nullptr)();
  }
  int good = 0, bad = 0;
  std::function<void()> then;
};

struct Fixture {
  TempDir dir;
  FaultyDisk disk;
  SegmentSequence sequence;
  JournalWriter writer;
  explicit Fixture(bool strict = false, std::uint64_t segment_bytes = 1 << 26)
      : writer({.dir = dir.path(), .strict = strict, .segment_bytes = segment_bytes}, sequence, disk) {}
  std::vector<Record> records() const { return read_records(dir.path()); }
  std::size_t segments() const { return list_segments(dir.path())->size(); }
};

TEST(JournalWriter, OneWritePerTurnAndListenersAfterIt) {
  Fixture s;
  Listener first, second;
  EXPECT_FALSE(s.writer.pending());
  const Effect effect = test_effect(1, 5, 10);
  s.writer.open(test_id(1), test_row(1), {&effect, 1});
  s.writer.when_written(first);
  s.writer.settle(test_id(1), test_row(1), {});
  s.writer.audit({});
  s.writer.when_written(second);
  EXPECT_TRUE(s.writer.pending());
  EXPECT_TRUE(s.records().empty());
  s.writer.flush();
  EXPECT_EQ(s.disk.writes, 2) << "the segment's first bytes, and everything";
  EXPECT_EQ(s.records().size(), 3u);
  EXPECT_EQ(first.good + second.good, 2);
  EXPECT_FALSE(s.writer.pending());
  s.writer.audit({});
  s.writer.flush();
  EXPECT_EQ(s.disk.writes, 3);
  EXPECT_EQ(s.disk.syncs, 0);
  EXPECT_EQ(first.good + second.good, 2) << "told once";
}

TEST(JournalWriter, WhatACallbackAppendsNeedsTheNextFlush) {
  Fixture s;
  Listener first, second;
  first.then = [&] {
    s.writer.audit({});
    s.writer.when_written(second);
  };
  s.writer.audit({});
  s.writer.when_written(first);
  s.writer.flush();
  EXPECT_EQ(s.records().size(), 1u);
  EXPECT_EQ(second.good, 0);
  EXPECT_TRUE(s.writer.pending());
  s.writer.flush();
  EXPECT_EQ(s.records().size(), 2u);
  EXPECT_EQ(second.good, 1);
}

TEST(JournalWriter, ForgottenListenersAreNotCalledNotEvenDuringTheRound) {
  Fixture s;
  Listener first, second, third;
  first.then = [&] { s.writer.forget(second); };
  s.writer.audit({});
  s.writer.when_written(first);
  s.writer.when_written(second);
  s.writer.when_written(third);
  s.writer.forget(third);
  s.writer.flush();
  EXPECT_EQ(first.good, 1);
  EXPECT_EQ(second.good, 0);
  EXPECT_EQ(third.good, 0);
}

TEST(JournalWriter, AFullDiskAtEveryByteLosesNothing) {
  std::size_t size = 0;
  {
    Fixture s;
    s.writer.settle(test_id(1), test_row(1), {});
    s.writer.settle(test_id(2), test_row(2), {});
    s.writer.flush();
    size = file_bytes(list_segments(s.dir.path())->front().path).size();
  }
  for (std::size_t room = 0; room < size; room += 7) {
    Fixture s;
    Listener before, after;
    s.disk.fail_write_after(room, ENOSPC);
    s.writer.settle(test_id(1), test_row(1), {});
    s.writer.settle(test_id(2), test_row(2), {});
    s.writer.when_written(before);
    s.writer.flush();
    EXPECT_EQ(before.bad, 1);
    EXPECT_FALSE(s.writer.healthy());
    EXPECT_NE(s.writer.reason().find("No space left"), std::string::npos);
    EXPECT_TRUE(s.writer.pending());
    s.writer.settle(test_id(3), test_row(3), {});
    s.writer.flush();
    s.disk.heal();
    s.disk.write_at_most(11);
    s.writer.when_written(after);
    s.writer.flush();
    EXPECT_EQ(after.good, 1);
    EXPECT_EQ(before.bad, 1);
    EXPECT_TRUE(s.writer.healthy());
    const auto records = s.records();
    ASSERT_EQ(records.size(), 3u) << room;
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(records[i].row, test_row(i + 1));
    EXPECT_EQ(s.segments(), 1u);
  }
}

TEST(JournalWriter, NoFilesPileUpWhileTheDiskRefuses) {
  Fixture s;
  s.disk.fail_create(EACCES);
  s.writer.audit({});
  for (int i = 0; i < 10; ++i) s.writer.flush();
  EXPECT_EQ(s.segments(), 0u);
  s.disk.heal();
  s.disk.fail_write_after(3, ENOSPC);
  for (int i = 0; i < 10; ++i) s.writer.flush();
  EXPECT_EQ(s.segments(), 1u);
  s.disk.heal();
  s.writer.flush();
  EXPECT_EQ(s.records().size(), 1u);
}

TEST(JournalWriter, StrictSyncsBeforeTellingAndWritesAgainAfterAFailedSync) {
  Fixture s(true);
  Listener listener;
  s.disk.fail_sync(EIO);
  s.writer.settle(test_id(1), test_row(1), {});
  s.writer.when_written(listener);
  s.writer.flush();
  EXPECT_EQ(listener.bad, 1);
  // The system dropped the pages that it could not sync.
  std::filesystem::resize_file(list_segments(s.dir.path())->front().path, kSegmentMagic.size());
  s.disk.heal();
  s.writer.when_written(listener);
  s.writer.flush();
  EXPECT_EQ(listener.good, 1);
  ASSERT_EQ(s.records().size(), 1u);
  EXPECT_EQ(s.records()[0].row, test_row(1));
}

TEST(JournalWriter, AFailedSyncOfASegmentThatIsThereWritesItsRecordsAgain) {
  Fixture s(true);
  Listener listener;
  s.writer.settle(test_id(1), test_row(1), {});
  s.writer.flush();
  const std::string path = list_segments(s.dir.path())->front().path;
  const std::size_t synced = file_bytes(path).size();
  s.disk.fail_sync(EIO);
  s.writer.settle(test_id(2), test_row(2), {});
  s.writer.when_written(listener);
  s.writer.flush();
  EXPECT_EQ(listener.bad, 1);
  EXPECT_FALSE(s.writer.healthy());
  EXPECT_NE(s.writer.reason().find("cannot write the journal"), std::string::npos);
  std::filesystem::resize_file(path, synced);  // the system dropped the pages
  s.disk.heal();
  s.writer.when_written(listener);
  s.writer.flush();
  EXPECT_EQ(listener.good, 1);
  ASSERT_EQ(s.records().size(), 2u);
  EXPECT_EQ(s.records()[1].row, test_row(2));
}

TEST(JournalWriter, RotatesBySizeAndCarriesOpenRequests) {
  Fixture s(false, 2000);
  s.writer.open(test_id(1000), test_row(1000), {});
  s.writer.top_up_held(test_id(1000), 64, 9, {});
  for (std::uint64_t i = 0; i < 40; ++i) {
    s.writer.open(test_id(i), test_row(i), {});
    s.writer.settle(test_id(i), test_row(i), {});
    s.writer.flush();
  }
  EXPECT_GT(s.segments(), 3u);
  EXPECT_EQ(s.writer.open_requests(), 1u);
  const auto files = list_segments(s.dir.path()).value();
  for (std::size_t i = 1; i < files.size(); ++i) {
    SegmentReader reader;
    ASSERT_TRUE(reader.open(files[i].path));
    RecordView view;
    ASSERT_EQ(reader.next(view), SegmentReader::kRecord);
    Record record;
    ASSERT_TRUE(decode_record(view.type, view.payload, record));
    EXPECT_EQ(record.type, RecordType::kCarry);
    EXPECT_EQ(record.id, test_id(1000));
    EXPECT_EQ(record.row, test_row(1000));
    EXPECT_EQ(record.extra_tokens, 64);
    EXPECT_EQ(record.extra_usd_micros, 9);
  }
}

// Bytes in all segments, and in the largest.
std::pair<std::uint64_t, std::uint64_t> segment_sizes(const std::string& dir) {
  std::uint64_t sum = 0, largest = 0;
  const std::vector<SegmentFile> files = list_segments(dir).value();
  for (const SegmentFile& file : files) {
    const std::uint64_t size = std::filesystem::file_size(file.path);
    sum += size;
    largest = std::max(largest, size);
  }
  return {sum, largest};
}

TEST(JournalWriter, OpenRequestsLargerThanASegmentAreNotCarriedForEver) {
  for (const bool holds : {false, true}) {
    Fixture s(false, 2000);
    for (std::uint64_t i = 0; i < 500; ++i) {
      if (holds) {
        s.writer.open_hold(test_id(i), test_row(i), std::string(200, 'h'), {});
      } else {
        s.writer.open(test_id(i), test_row(i), {});
      }
    }
    for (int turn = 0; turn < 50 && s.writer.pending(); ++turn) s.writer.flush();
    EXPECT_FALSE(s.writer.pending()) << "nothing was appended since";
    EXPECT_EQ(s.segments(), 2u) << "the opens filled one segment; they stand once more in the next";
    EXPECT_EQ(s.writer.open_requests(), 500u);

    const std::uint64_t before = s.writer.fresh_bytes();
    for (std::uint64_t i = 1000; i < 6000; ++i) {
      s.writer.settle(test_id(i), test_row(i), {});
      s.writer.flush();
    }
    const std::uint64_t fresh = s.writer.fresh_bytes() - before;
    const auto [written, largest] = segment_sizes(s.dir.path());
    EXPECT_GT(s.segments(), 2u) << "it still rotates";
    EXPECT_EQ(written, s.writer.bytes_written() + s.segments() * kSegmentMagic.size());
    EXPECT_LE(written, 3 * (before + fresh)) << "what is repeated is never more than what was appended in between";
    EXPECT_LE(largest, 3 * before);
  }
}

TEST(JournalWriter, CarriesAreNotFreshAlsoWhenTheDiskRefusesThemAtFirst) {
  Fixture s(false, 2000);
  for (std::uint64_t i = 0; i < 100; ++i) s.writer.open(test_id(i), test_row(i), {});
  s.disk.fail_create(ENOSPC);
  s.writer.flush();
  s.disk.heal();
  s.writer.flush();
  const std::uint64_t fresh = s.writer.fresh_bytes();
  EXPECT_GT(fresh, 2000u);
  EXPECT_EQ(s.segments(), 2u);
  s.writer.rotate_to(s.sequence.peek());
  s.disk.fail_create(ENOSPC);
  s.writer.flush();
  s.writer.settle(test_id(7), test_row(7), {});
  s.writer.flush();
  EXPECT_EQ(s.writer.fresh_bytes(), fresh) << "nothing of it is on file yet";
  s.disk.heal();
  s.writer.flush();
  EXPECT_GT(s.writer.fresh_bytes(), fresh);
  EXPECT_LT(s.writer.fresh_bytes(), fresh + 1000) << "one settlement";
  EXPECT_EQ(s.segments(), 3u);
  EXPECT_FALSE(s.writer.pending());
}

TEST(JournalWriter, RotatesOnRequestOnlyOnceItsCarriesAreWritten) {
  Fixture s;
  s.writer.open(test_id(1), test_row(1), {});
  s.writer.flush();
  const std::uint64_t boundary = s.sequence.peek();
  s.writer.rotate_to(boundary);
  EXPECT_TRUE(s.writer.pending());
  EXPECT_FALSE(s.writer.rotated_to(boundary));
  s.disk.fail_create(ENOSPC);
  Listener listener;
  s.writer.when_written(listener);
  s.writer.flush();
  EXPECT_EQ(listener.good, 1) << "what was appended before is on file";
  EXPECT_FALSE(s.writer.rotated_to(boundary));
  s.disk.heal();
  s.writer.flush();
  EXPECT_TRUE(s.writer.rotated_to(boundary));
  EXPECT_FALSE(s.writer.pending());
  const auto files = list_segments(s.dir.path()).value();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_GE(files[1].sequence, boundary);
  EXPECT_EQ(s.records().back().type, RecordType::kCarry);
}

TEST(JournalWriter, AnIdleWriterRotatesWithoutAFile) {
  Fixture s;
  s.writer.rotate_to(5);
  s.writer.flush();
  EXPECT_TRUE(s.writer.rotated_to(5));
  EXPECT_EQ(s.segments(), 0u);
}

TEST(JournalWriter, BoundedWhileTheDiskRefusesButSettlementsAreKept) {
  Fixture s;
  s.writer.open(test_id(1), test_row(1), {});
  s.writer.flush();
  s.disk.fail_write_after(0, EIO);
  AuditRow big;
  big.evidence = std::string(kMaxText, 'e');
  while (s.writer.refused_records() == 0) s.writer.audit(big);
  const Effect effect = test_effect(1, 5, 10), give_back = test_effect(1, -5, 10);
  Listener listener;
  s.writer.open(test_id(2), test_row(2), {&effect, 1});
  s.writer.top_up(test_id(2), {&effect, 1});
  s.writer.when_written(listener);
  s.disk.heal();
  s.writer.flush();
  EXPECT_EQ(listener.bad, 1) << "its open was refused, although the disk works again";
  EXPECT_TRUE(s.writer.healthy());
  s.writer.settle(test_id(2), test_row(2), {&give_back, 1});
  s.writer.settle(test_id(1), test_row(1), {&give_back, 1});
  s.writer.when_written(listener);
  s.writer.flush();
  EXPECT_EQ(listener.good, 1);
  const auto records = s.records();
  const Record& refused = records[records.size() - 2];
  EXPECT_EQ(refused.id, test_id(2));
  EXPECT_TRUE(refused.effects.empty()) << "nothing may be given back that was never journalled";
  EXPECT_EQ(records.back().effects.size(), 1u);
  EXPECT_EQ(s.writer.refused_records(), 2u);
}

TEST(JournalWriter, ARefusedHoldGivesNothingBackAndNeedsNoRoom) {
  Fixture s;
  s.disk.fail_write_after(0, EIO);
  AuditRow big;
  big.evidence = std::string(kMaxText, 'e');
  while (s.writer.refused_records() == 0) s.writer.audit(big);
  const Effect effect = test_effect(1, 5, 10), give_back = test_effect(1, -5, 10);
  for (const std::uint64_t n : {1u, 2u}) s.writer.open_hold(test_id(n), test_row(n), "held", {&effect, 1});
  EXPECT_EQ(s.writer.refused_records(), 3u);
  const auto close = [&](std::uint64_t n) {
    s.writer.settle_hold(test_row(n), {.id = test_id(n), .at = 7, .admitted = "a", .answer = "b"}, {&give_back, 1});
  };
  close(1);  // no room: nothing went out for it, so nothing is lost
  s.disk.heal();
  s.writer.flush();
  close(2);
  s.writer.flush();
  const auto records = s.records();
  const auto closed = [&](std::uint64_t n) {
    return std::count_if(records.begin(), records.end(), [&](const Record& record) {
      return record.type == RecordType::kSettleHold && record.id == test_id(n);
    });
  };
  EXPECT_EQ(closed(1), 0);
  EXPECT_EQ(closed(2), 1);
  EXPECT_TRUE(records.back().effects.empty()) << "nothing may be given back that was never journalled";
}

}  // namespace
}  // namespace weir
