#include "records/drain.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <set>

#include "journal/test_support.h"
#include "journal/writer.h"
#include "records/sqlite.h"

namespace weir {
namespace {

struct Data {
  TempDir dir;
  FaultyDisk disk;
  SegmentSequence sequence;
  Store store = Store::open(dir.path(), {.create = true, .busy_timeout_ms = 20}).value();

  std::unique_ptr<JournalWriter> writer(std::uint32_t worker = 0, std::uint64_t segment_bytes = 1 << 26) {
    return std::make_unique<JournalWriter>(
        JournalWriterOptions{.dir = dir.path(), .worker = worker, .segment_bytes = segment_bytes}, sequence, disk);
  }
  DrainOptions options(std::size_t batch = 2000) const {
    return {.journal_dir = dir.path(), .closed_below = 1, .batch = batch};
  }
  // As a process that starts now would have it.
  DrainOptions restarted(std::size_t batch = 2000) const {
    return {.journal_dir = dir.path(), .closed_below = sequence.peek(), .batch = batch};
  }
  std::map<std::string, int> booked() {
    std::map<std::string, int> ids;
    EXPECT_TRUE(store.usage(0, [&](const UsageRow& row) {
      ++ids[row.request_id];
      return true;
    }));
    return ids;
  }
};

std::map<std::string, int> once_each(std::uint64_t count) {
  std::map<std::string, int> ids;
  for (std::uint64_t i = 0; i < count; ++i) ids["req_" + std::to_string(i)] = 1;
  return ids;
}

TEST(Drain, MovesSettlementsAndAuditAndNothingElse) {
  Data data;
  auto writer = data.writer();
  writer->open(test_id(0), test_row(0), {});
  writer->top_up(test_id(0), {});
  writer->settle(test_id(0), test_row(0), {});
  AuditRow audit;
  audit.time = 5;
  audit.count = 80;
  writer->audit(audit);
  writer->open(test_id(1), test_row(1), {});
  writer->flush();
  Drain drain(data.store, data.disk, data.options());
  EXPECT_EQ(drain.step(), 2u);
  EXPECT_EQ(drain.step(), 0u);
  EXPECT_TRUE(drain.healthy());
  EXPECT_EQ(data.booked(), once_each(1));
  std::int64_t count = 0;
  ASSERT_TRUE(data.store.audit(0, [&](const AuditRow& row) {
    count += row.count;
    return true;
  }));
  EXPECT_EQ(count, 80);
  writer->settle(test_id(1), test_row(1), {});
  writer->flush();
  EXPECT_EQ(drain.step(), 1u);
  EXPECT_EQ(data.booked(), once_each(2));
}

TEST(Drain, ASegmentIsFinishedOnlyWhenNobodyWritesToItAnyMore) {
  Data data;
  auto writer = data.writer();
  writer->settle(test_id(0), test_row(0), {});
  writer->flush();
  const std::uint64_t first = list_segments(data.dir.path())->front().sequence;
  Drain drain(data.store, data.disk, data.options());
  drain.step();
  drain.step();
  EXPECT_FALSE(drain.finished(first));
  writer->rotate_to(data.sequence.peek());
  writer->flush();
  writer->settle(test_id(1), test_row(1), {});
  writer->flush();
  drain.step();
  EXPECT_TRUE(drain.finished(first));
  EXPECT_FALSE(drain.finished(first + 1));
  // A later process knows that segments of earlier ones are closed, also the last of each worker.
  writer.reset();
  Drain later(data.store, data.disk, data.restarted());
  later.step();
  EXPECT_TRUE(later.finished(first + 1));
  EXPECT_EQ(data.booked(), once_each(2));
}

TEST(Drain, ForgetsPositionsOfDeletedSegments) {
  Data data;
  auto writer = data.writer();
  writer->settle(test_id(0), test_row(0), {});
  writer->flush();
  Drain drain(data.store, data.disk, data.options());
  EXPECT_EQ(drain.step(), 1u);
  EXPECT_EQ(data.store.positions()->size(), 1u);
  std::filesystem::remove(list_segments(data.dir.path())->front().path);
  drain.step();
  EXPECT_TRUE(data.store.positions()->empty());
}

TEST(Drain, ALockedDatabaseDelaysButLosesNothing) {
  Data data;
  auto writer = data.writer();
  writer->settle(test_id(0), test_row(0), {});
  writer->flush();
  Drain drain(data.store, data.disk, data.options());
  Database other;
  ASSERT_TRUE(other.open(data.dir / "weir.db", SQLITE_OPEN_READWRITE, 20));
  ASSERT_TRUE(other.execute("BEGIN IMMEDIATE"));
  EXPECT_EQ(drain.step(), 0u);
  EXPECT_FALSE(drain.healthy());
  EXPECT_NE(drain.reason().find("locked"), std::string::npos);
  ASSERT_TRUE(other.execute("ROLLBACK"));
  EXPECT_EQ(drain.step(), 1u);
  EXPECT_TRUE(drain.healthy());
  EXPECT_EQ(data.booked(), once_each(1));
}

TEST(Drain, AFullDatabaseDelaysButLosesNothing) {
  Data data;
  auto writer = data.writer();
  for (std::uint64_t i = 0; i < 2000; ++i) writer->settle(test_id(i), test_row(i), {});
  writer->flush();
  Drain drain(data.store, data.disk, data.options(500));
  EXPECT_EQ(drain.step(), 500u);
  ASSERT_TRUE(data.store.limit_pages_for_test(1));
  EXPECT_EQ(drain.step(), 0u);
  EXPECT_NE(drain.reason().find("full"), std::string::npos);
  EXPECT_EQ(drain.step(), 0u);
  EXPECT_EQ(data.booked().size(), 500u);
  ASSERT_TRUE(data.store.limit_pages_for_test(1'000'000));
  while (drain.step() > 0) {
  }
  EXPECT_TRUE(drain.healthy());
  EXPECT_EQ(data.booked(), once_each(2000));
}

TEST(Drain, KilledAtAnyMomentBooksEveryRowOnce) {
  Data data;
  constexpr std::uint64_t kRows = 1500;
  auto writer = data.writer(0, 20'000);
  for (std::uint64_t i = 0; i < kRows; ++i) {
    writer->open(test_id(i), test_row(i), {});
    writer->settle(test_id(i), test_row(i), {});
    if (i % 10 == 0) writer->flush();
  }
  writer->flush();
  writer.reset();
  // The kernel ends each child somewhere in its work, after a little more of its time in each round.
  for (int round = 0; round < 15; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      const itimerval deadline{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = 300 + round * 400}};
      ::setitimer(ITIMER_PROF, &deadline, nullptr);
      auto store = Store::open(data.dir.path());
      Drain drain(*store, data.disk, data.restarted(37));
      for (;;) drain.step();
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    for (const auto& [id, count] : data.booked()) ASSERT_EQ(count, 1) << id;
  }
  Drain drain(data.store, data.disk, data.restarted());
  while (drain.step() > 0) {
  }
  EXPECT_EQ(data.booked(), once_each(kRows));
}

RC_GTEST_PROP(Drain, BooksEveryWholeRecordOnceWhateverIsTornAndRestarted, ()) {
  Data data;
  std::uint64_t next = 0;
  std::uint64_t seed = *rc::gen::arbitrary<std::uint64_t>();
  const auto below = [&seed](std::uint64_t n) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (seed >> 33) % n;
  };
  for (int life = 0; life < 3; ++life) {
    Drain drain(data.store, data.disk, data.restarted(1 + below(5)));
    std::vector<std::unique_ptr<JournalWriter>> writers;
    for (std::uint32_t w = 0; w < 2; ++w) writers.push_back(data.writer(w, 600));
    for (std::uint64_t i = below(40); i > 0; --i) {
      JournalWriter& writer = *writers[below(2)];
      writer.settle(test_id(next), test_row(next), {});
      ++next;
      if (below(3) == 0) writer.flush();
      if (below(4) == 0) drain.step();
    }
    for (auto& writer : writers) writer->flush();
    const auto files = list_segments(data.dir.path()).value();
    // The last write of the process is cut short, unless the drain has seen it already.
    if (!files.empty() && below(2) == 0) {
      std::ofstream(files.back().path, std::ios::binary | std::ios::app) << std::string(below(30) + 1, '\x07');
    }
  }
  Drain drain(data.store, data.disk, data.restarted());
  while (drain.step() > 0) {
  }
  RC_ASSERT(data.booked() == once_each(next));
  const auto files = list_segments(data.dir.path()).value();
  for (const SegmentFile& file : files) RC_ASSERT(drain.finished(file.sequence));
}

}  // namespace
}  // namespace weir
