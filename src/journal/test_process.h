// For tests: a whole process in small (limiter, one journal, snapshots) that can be ended at any moment.
//
//   Data data;
//   { Process process(data.journal(), data.disk); process.admit(1, 0, 1000, kStart); process.writer->flush(); }
//   Process next(data.journal(), data.disk);   // recovers
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "journal/recovery.h"
#include "journal/snapshot.h"
#include "journal/test_support.h"
#include "journal/writer.h"

namespace weir {

inline constexpr TimeNs kStart = 1'700'000'000 * kSecond;
inline constexpr TimeNs kForever = kStart + 300 * kDay;
inline constexpr std::int64_t kPlenty = std::int64_t{1} << 40;

inline Subject subject_of(std::uint64_t n) {
  Subject subject;
  subject.key = {.high = 99, .low = n + 1};
  return subject;
}

// A process: limiter, one worker's journal, snapshots; its death is its destructor.
struct Process {
  Disk& disk;
  std::string dir;
  Limiter limiter;
  Recovered recovered;
  CounterId tokens = 0, in_flight = 0;
  std::unique_ptr<SegmentSequence> sequence;
  std::unique_ptr<JournalWriter> writer;
  std::unique_ptr<Snapshotter> snapshots;
  std::atomic<int> snapshots_wanted{10};

  Process(const std::string& data, Disk& d, bool strict = false, std::uint64_t first_sequence = 1)
      : disk(d), dir(data) {
    const auto result = recover(dir, limiter, disk, first_sequence);
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    if (result) recovered = *result;
    tokens = limiter.define({.identity = "tokens", .kind = WindowKind::kCalendar});
    in_flight = limiter.define({.identity = "in-flight", .kind = WindowKind::kConcurrency});
    sequence = std::make_unique<SegmentSequence>(recovered.next_sequence);
    writer = std::make_unique<JournalWriter>(JournalWriterOptions{.dir = dir, .strict = strict, .segment_bytes = 4000},
                                             *sequence, disk);
    snapshots =
        std::make_unique<Snapshotter>(limiter, std::vector{writer.get()}, *sequence, disk, SnapshotOptions{.dir = dir});
  }

  void admit(std::uint64_t n, std::uint64_t who, std::int64_t cost, TimeNs now) {
    const Subject subject = subject_of(who);
    Demand demands[2];
    demands[0] = {.counter = tokens, .hold = true, .cost = cost, .quota = quota()};
    demands[1] = {.counter = in_flight, .hold = true, .cost = 1, .quota = quota()};
    std::vector<Effect> effects;
    AdmitRequest request;
    request.subjects = {&subject, 1};
    request.demands = demands;
    request.now = now;
    request.id = test_id(n);
    request.deadline = now + kHour;
    request.effects = &effects;
    Decision decision;
    limiter.admit(request, decision);
    EXPECT_TRUE(decision.admitted);
    UsageRow row = test_row(n);
    row.time = now;
    row.usage = {.input_uncached = cost};
    row.reserved_tokens = cost;
    writer->open(test_id(n), row, effects);
  }

  void top_up(std::uint64_t n, std::int64_t extra, TimeNs now) {
    const std::int64_t extras[] = {extra, 0};
    std::vector<Effect> effects;
    Decision decision;
    limiter.top_up(test_id(n), extras, now, decision, &effects);
    EXPECT_TRUE(decision.admitted);
    writer->top_up_held(test_id(n), extra, 0, effects);
  }

  void settle(std::uint64_t n, std::int64_t used, TimeNs now) {
    const std::int64_t actual[] = {used, 0};
    std::vector<Effect> effects;
    EXPECT_EQ(limiter.settle(test_id(n), actual, now, &effects).outcome, Outcome::kDone);
    UsageRow row = test_row(n);
    row.time = now;
    row.usage = {.input_uncached = used};
    writer->settle(test_id(n), row, effects);
  }

  std::int64_t usage(std::uint64_t who, CounterId counter, TimeNs now) const {
    const Subject subject = subject_of(who);
    Demand demand{.counter = counter, .quota = quota()};
    AdmitRequest request;
    request.subjects = {&subject, 1};
    request.demands = {&demand, 1};
    request.now = now;
    Decision decision;
    limiter.peek(request, decision);
    return decision.verdicts[0].used + decision.verdicts[0].reserved;
  }
  std::int64_t usage(std::uint64_t who, TimeNs now) const { return usage(who, tokens, now); }

  void snapshot(TimeNs now) {
    snapshots->request();
    while (!snapshots->step(now)) writer->flush();
    EXPECT_EQ(snapshots->error(), "");
  }

  static Quota quota() { return {.amount = kPlenty, .rate = {}, .period_start = kStart, .period_end = kForever}; }
};

struct Data {
  TempDir dir;
  FaultyDisk disk;
  std::string journal() const { return dir / "journal"; }
};

}  // namespace weir
