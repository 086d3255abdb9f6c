// Holds of the decision API in the journal: open across a crash, carried into new segments, closed with their answers.
#include <gtest/gtest.h>

#include "journal/test_process.h"

namespace weir {
namespace {

ClosedDecision closed_of(std::uint64_t n, TimeNs at, ClosedHow how = ClosedHow::kSettled) {
  return {.id = test_id(n), .at = at, .how = how, .admitted = "{\"id\":\"a\"}", .answer = "{\"settled\":\"usage\"}"};
}

TEST(Hold, StaysOpenOverAnyNumberOfCrashes) {
  Data data;
  {
    Process process(data.journal(), data.disk);
    process.writer->open_hold(test_id(1), test_row(1), "what it holds", {});
    process.writer->open(test_id(2), test_row(2), {});
    process.writer->flush();
  }
  for (int restart = 0; restart < 3; ++restart) {
    const Process process(data.journal(), data.disk);
    ASSERT_EQ(process.recovered.holds.size(), 1u);
    EXPECT_EQ(process.recovered.holds[0].id, test_id(1));
    EXPECT_EQ(process.recovered.holds[0].row, test_row(1));
    EXPECT_EQ(process.recovered.holds[0].hold, "what it holds");
    EXPECT_EQ(process.recovered.in_flight, restart == 0 ? 1u : 0u) << "an ordinary request is charged as expired";
  }
}

TEST(Hold, IsCarriedOverWhenItsSegmentGoes) {
  Data data;
  {
    Process process(data.journal(), data.disk);
    process.writer->open_hold(test_id(1), test_row(1), "first", {});
    process.writer->flush();
  }
  {
    Process process(data.journal(), data.disk);
    process.writer->adopt_hold(test_id(1), process.recovered.holds.at(0).row, process.recovered.holds.at(0).hold);
    process.writer->open_hold(test_id(2), test_row(2), "second", {});
    process.writer->flush();
    process.snapshot(kStart + kHour);
    process.writer->flush();
  }
  std::size_t carried = 0;
  for (const Record& record : read_records(data.journal())) carried += record.type == RecordType::kCarryHold;
  EXPECT_GE(carried, 2u);
  const Process process(data.journal(), data.disk);
  ASSERT_EQ(process.recovered.holds.size(), 2u);
}

TEST(Hold, IsClosedOnceWithItsAnswers) {
  Data data;
  {
    Process process(data.journal(), data.disk);
    process.writer->open_hold(test_id(1), test_row(1), "hold", {});
    process.writer->settle_hold(test_row(1), closed_of(1, kStart + 5), {});
    process.writer->open_hold(test_id(2), test_row(2), "hold", {});
    process.writer->settle_hold(test_row(2), closed_of(2, kStart + 6, ClosedHow::kExpired), {});
    process.writer->settle_hold(test_row(2), closed_of(2, kStart + 7), {});  // settled late
    process.writer->flush();
    EXPECT_EQ(process.writer->open_requests(), 0u);
  }
  const Process process(data.journal(), data.disk);
  EXPECT_TRUE(process.recovered.holds.empty());
  EXPECT_EQ(process.recovered.in_flight, 0u);
  EXPECT_EQ(process.recovered.last_time, std::max(test_row(2).time, kStart + 7));
  EXPECT_EQ(
      process.recovered.closed,
      (std::vector{closed_of(1, kStart + 5), closed_of(2, kStart + 6, ClosedHow::kExpired), closed_of(2, kStart + 7)}));
}

// The snapshot took the first hold's opening away, its late settlement came after it.
TEST(Hold, AnIdThatWasSettledAndTakenAgainIsOpen) {
  for (const bool repeated : {false, true}) {
    Data data;
    {
      Process process(data.journal(), data.disk);
      process.snapshots->set_drained([](std::uint64_t) { return true; });
      process.writer->open_hold(test_id(1), test_row(1), "first", {});
      process.writer->settle_hold(test_row(1), closed_of(1, kStart + 5, ClosedHow::kExpired), {});
      process.writer->flush();
      process.snapshot(kStart + kMinute);
      process.writer->settle_hold(test_row(1), closed_of(1, kStart + kMinute + 1), {});
      process.writer->flush();
      process.writer->open_hold(test_id(1), test_row(2), "second", {});
      process.writer->flush();
      if (repeated) {
        process.writer->rotate_to(process.sequence->peek());
        process.writer->flush();
      }
    }
    for (int restart = 0; restart < 2; ++restart) {
      const Process process(data.journal(), data.disk);
      ASSERT_EQ(process.recovered.holds.size(), 1u) << repeated;
      EXPECT_EQ(process.recovered.holds[0].hold, "second");
      EXPECT_EQ(process.recovered.holds[0].row, test_row(2));
    }
  }
}

TEST(Hold, AnAdmissionThatWasTakenBackMayBeAskedAgain) {
  Data data;
  {
    Process process(data.journal(), data.disk);
    process.writer->settle(test_id(1), test_row(1), {});  // its opening was refused
    process.writer->open_hold(test_id(1), test_row(2), "second", {});
    process.writer->flush();
  }
  const Process process(data.journal(), data.disk);
  ASSERT_EQ(process.recovered.holds.size(), 1u);
  EXPECT_EQ(process.recovered.holds[0].hold, "second");
}

TEST(Hold, AnIdIsTakenAgainAndAgainByWorkersOfThisProcessAndTheNext) {
  Data data;
  const auto worker = [&](SegmentSequence& sequence, std::uint32_t index) {
    return JournalWriter({.dir = data.journal(), .worker = index}, sequence, data.disk);
  };
  {
    const Process process(data.journal(), data.disk);
    SegmentSequence& sequence = *process.sequence;
    JournalWriter idle = worker(sequence, 0), busy = worker(sequence, 1);
    idle.audit({});
    idle.flush();
    for (std::uint64_t n = 1; n <= 3; ++n) {
      busy.open_hold(test_id(1), test_row(n), "hold " + std::to_string(n), {});
      busy.flush();
      if (n < 3) busy.settle_hold(test_row(n), closed_of(1, kStart + static_cast<TimeNs>(n)), {});
      busy.flush();
    }
  }
  {
    // Started with another number of workers, so the id belongs to another one.
    const Process process(data.journal(), data.disk);
    ASSERT_EQ(process.recovered.holds.size(), 1u);
    EXPECT_EQ(process.recovered.holds[0].hold, "hold 3");
    JournalWriter other = worker(*process.sequence, 0);
    other.adopt_hold(test_id(1), process.recovered.holds[0].row, process.recovered.holds[0].hold);
    other.settle_hold(test_row(3), closed_of(1, kStart + 3, ClosedHow::kCancelled), {});
    other.open_hold(test_id(1), test_row(4), "hold 4", {});
    other.flush();
  }
  {
    const Process process(data.journal(), data.disk);
    ASSERT_EQ(process.recovered.holds.size(), 1u);
    EXPECT_EQ(process.recovered.holds[0].hold, "hold 4");
    JournalWriter other = worker(*process.sequence, 2);
    other.adopt_hold(test_id(1), process.recovered.holds[0].row, process.recovered.holds[0].hold);
    other.settle_hold(test_row(4), closed_of(1, kStart + 4), {});
    other.flush();
  }
  const Process process(data.journal(), data.disk);
  EXPECT_TRUE(process.recovered.holds.empty());
  ASSERT_EQ(process.recovered.closed.size(), 4u);
  EXPECT_EQ(process.recovered.closed.back().at, kStart + 4);
}

TEST(Hold, DamagedRecordsAreNotRead) {
  std::string bytes;
  RecordEncoder encode(bytes);
  encode.open_hold(test_id(1), test_row(1), "hold", {});
  const std::size_t first = bytes.size();
  encode.settle_hold(test_row(1), closed_of(1, 5), {});
  Record record;
  const auto payload = [&](std::size_t begin, std::size_t end) {
    return std::string_view(bytes).substr(begin + kRecordHeader + 1, end - begin - kRecordHeader - 1);
  };
  const auto hold = payload(0, first), closed = payload(first, bytes.size());
  EXPECT_TRUE(decode_record(static_cast<std::uint8_t>(RecordType::kHold), hold, record));
  EXPECT_TRUE(decode_record(static_cast<std::uint8_t>(RecordType::kSettleHold), closed, record));
  for (std::size_t i = 0; i < hold.size(); ++i) {
    EXPECT_FALSE(decode_record(static_cast<std::uint8_t>(RecordType::kHold), hold.substr(0, i), record)) << i;
  }
  for (std::size_t i = 0; i < closed.size(); ++i) {
    EXPECT_FALSE(decode_record(static_cast<std::uint8_t>(RecordType::kSettleHold), closed.substr(0, i), record)) << i;
  }
}

}  // namespace
}  // namespace weir
