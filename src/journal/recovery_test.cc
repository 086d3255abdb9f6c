#include "journal/recovery.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "base/time.h"
#include "journal/snapshot.h"
#include "journal/test_support.h"
#include "journal/writer.h"

namespace weir {
namespace {

constexpr TimeNs kStart = 1'700'000'000 * kSecond;
constexpr TimeNs kForever = kStart + 300 * kDay;
constexpr std::int64_t kPlenty = std::int64_t{1} << 40;

Subject subject_of(std::uint64_t n) {
  Subject subject;
  subject.key = {.high = 99, .low = n + 1};
  return subject;
}

// A process: limiter, one worker's journal, snapshots; its death is its destructor.
struct Process {
  FaultyDisk& disk;
  std::string dir;
  Limiter limiter;
  Recovered recovered;
  CounterId tokens = 0, in_flight = 0;
  std::unique_ptr<SegmentSequence> sequence;
  std::unique_ptr<JournalWriter> writer;
  std::unique_ptr<Snapshotter> snapshots;

  Process(const std::string& data, FaultyDisk& d) : disk(d), dir(data) {
    const auto result = recover(dir, limiter, disk);
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    if (result) recovered = *result;
    tokens = limiter.define({.identity = "tokens", .kind = WindowKind::kCalendar});
    in_flight = limiter.define({.identity = "in-flight", .kind = WindowKind::kConcurrency});
    sequence = std::make_unique<SegmentSequence>(recovered.next_sequence);
    writer = std::make_unique<JournalWriter>(JournalWriterOptions{.dir = dir, .segment_bytes = 4000}, *sequence, disk);
    snapshots = std::make_unique<Snapshotter>(limiter, std::vector{writer.get()}, *sequence, disk,
                                              SnapshotOptions{.dir = dir});
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
    process.admit(4, 1, 7000, kStart + 5);   // never flushed, so never acted on
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
}

// What a request may count for: its amount when last acknowledged, and at the instant of death.
struct Charge {
  std::uint64_t who = 0;
  std::int64_t acknowledged = 0, last = 0;
  bool known = false;     // acknowledged at all
  bool open = true;
};

struct Rng {
  std::uint64_t state;
  std::uint64_t below(std::uint64_t n) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 33) % n;
  }
};

// One life of a process: random work, snapshots and acknowledgements, then death within a write.
void live_and_die(const std::string& dir, FaultyDisk& disk, Rng& rng, std::map<std::uint64_t, Charge>& charges,
                  std::uint64_t& next, TimeNs& now, std::set<std::uint64_t>& collected,
                  std::map<Hash128, int>& booked) {
  Process process(dir, disk);
  // Stands for the drain: the rows of a segment are kept before it is deleted.
  process.snapshots->set_drained([&](std::uint64_t sequence) {
    if (!collected.insert(sequence).second) return true;
    const auto files = list_segments(dir).value();
    for (const SegmentFile& file : files) {
      if (file.sequence != sequence) continue;
      SegmentReader reader;
      EXPECT_TRUE(reader.open(file.path));
      RecordView view;
      Record record;
      while (reader.next(view) == SegmentReader::kRecord) {
        if (decode_record(view.type, view.payload, record) && record.type == RecordType::kSettle) ++booked[record.id];
      }
    }
    return true;
  });
  std::vector<std::uint64_t> open;
  const auto acknowledge = [&] {
    process.writer->flush();
    for (auto& [n, charge] : charges) {
      charge.acknowledged = charge.last;
      charge.known = true;
    }
  };
  const auto work = [&] {
    now += static_cast<TimeNs>(rng.below(kSecond));
    const std::uint64_t choice = rng.below(10);
    if (choice < 4 || open.empty()) {
      const std::uint64_t n = next++;
      Charge& charge = charges[n];
      charge.who = rng.below(3);
      charge.last = static_cast<std::int64_t>(rng.below(1000)) + 1;
      process.admit(n, charge.who, charge.last, now);
      open.push_back(n);
      return;
    }
    const std::size_t at = rng.below(open.size());
    const std::uint64_t n = open[at];
    if (choice < 6) {
      process.top_up(n, 64, now);
      charges[n].last += 64;
      return;
    }
    charges[n].last = static_cast<std::int64_t>(rng.below(1500));
    charges[n].open = false;
    process.settle(n, charges[n].last, now);
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
  };
  const std::uint64_t steps = rng.below(120);
  for (std::uint64_t i = 0; i < steps; ++i) {
    work();
    if (rng.below(4) == 0) acknowledge();
    if (rng.below(25) == 0) {
      acknowledge();
      process.snapshot(now);
    }
  }
  acknowledge();
  const auto before = list_segments(dir).value();
  const std::size_t size_before = before.empty() ? 0 : std::filesystem::file_size(before.back().path);
  const std::uint64_t unacknowledged = rng.below(6);
  for (std::uint64_t i = 0; i < unacknowledged; ++i) work();
  process.writer->flush();
  const auto after = list_segments(dir).value();
  if (after.empty() || (before.size() != after.size() && !before.empty())) {
    for (auto& [n, charge] : charges) charge.known = true, charge.acknowledged = charge.last;
    return;   // rotated within the last flush: everything stays
  }
  const std::size_t size_after = std::filesystem::file_size(after.back().path);
  const std::size_t from = before.empty() ? 0 : size_before;
  std::filesystem::resize_file(after.back().path, from + rng.below(size_after - from + 1));
}

RC_GTEST_PROP(Recovery, WhateverWasAcknowledgedIsChargedAfterEveryCrash, ()) {
  Data data;
  Rng rng{*rc::gen::arbitrary<std::uint64_t>()};
  std::map<std::uint64_t, Charge> charges;
  std::map<std::uint64_t, std::pair<std::int64_t, std::int64_t>> bounds;   // by subject: least and most
  std::map<std::uint64_t, std::int64_t> settled_before;                    // exact usage found after each recovery
  std::set<std::uint64_t> collected;
  std::map<Hash128, int> booked;
  std::set<std::uint64_t> must_be_booked;
  std::uint64_t next = 1;
  TimeNs now = kStart;
  for (int life = 0; life < 4; ++life) {
    charges.clear();
    live_and_die(data.journal(), data.disk, rng, charges, next, now, collected, booked);
    std::map<std::uint64_t, std::int64_t> least = settled_before, most = settled_before;
    for (const auto& [n, charge] : charges) {
      least[charge.who] += charge.known ? std::min(charge.acknowledged, charge.last) : 0;
      most[charge.who] += std::max(charge.known ? charge.acknowledged : charge.last + 64 * 120, charge.last + 64 * 120);
      if (charge.known) must_be_booked.insert(n);
    }
    const Process process(data.journal(), data.disk);
    for (std::uint64_t who = 0; who < 3; ++who) {
      const std::int64_t usage = process.usage(who, now);
      RC_ASSERT(usage >= least[who]);
      RC_ASSERT(usage <= most[who]);
      settled_before[who] = usage;
    }
  }
  std::map<Hash128, int> all = booked;
  const auto files = list_segments(data.journal()).value();
  for (const SegmentFile& file : files) {
    if (collected.contains(file.sequence)) continue;
    SegmentReader reader;
    RC_ASSERT(reader.open(file.path));
    RecordView view;
    Record record;
    while (reader.next(view) == SegmentReader::kRecord) {
      if (decode_record(view.type, view.payload, record) && record.type == RecordType::kSettle) ++all[record.id];
    }
  }
  for (const std::uint64_t n : must_be_booked) RC_ASSERT(all[test_id(n)] == 1);
  for (const auto& [id, count] : all) RC_ASSERT(count == 1);
}

}  // namespace
}  // namespace weir
