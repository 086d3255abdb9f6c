#include "journal/segment.h"

#include <gtest/gtest.h>

#include "journal/record.h"
#include "journal/test_support.h"

namespace weir {
namespace {

std::string segment_with(std::size_t records) {
  std::string bytes(kSegmentMagic);
  for (std::size_t i = 0; i < records; ++i) RecordEncoder(bytes).settle(test_id(i), test_row(i), {});
  return bytes;
}

void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

TEST(Segment, ListsBySequenceAndIgnoresOtherFiles) {
  TempDir dir;
  write_file(segment_path(dir.path(), 1, 7), "");
  write_file(segment_path(dir.path(), 0, 12), "");
  write_file(segment_path(dir.path(), 0, 3), "");
  for (const char* name : {"snapshot-1", "w00-x.log", "w-1.log", "w00-1.txt", "w00-0.log"}) {
    write_file(dir / name, "");
  }
  const auto files = list_segments(dir.path()).value();
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].sequence, 3u);
  EXPECT_EQ(files[1].sequence, 7u);
  EXPECT_EQ(files[1].worker, 1u);
  EXPECT_EQ(files[2].sequence, 12u);
  EXPECT_TRUE(list_segments(dir / "missing")->empty());
}

TEST(Segment, WhatCannotBeReadIsAnErrorThatSaysWhy) {
  TempDir dir;
  write_file(dir / "file", "");
  const auto listed = list_segments(dir / "file");
  ASSERT_FALSE(listed);
  EXPECT_NE(listed.error().message.find("cannot read"), std::string::npos);
  SegmentReader reader;
  EXPECT_FALSE(reader.open(dir / "missing"));
  EXPECT_NE(reader.error().find("cannot open"), std::string::npos) << reader.error();
  // A directory opens, and refuses every read.
  ASSERT_TRUE(reader.open(dir.path()));
  RecordView view;
  EXPECT_EQ(reader.next(view), SegmentReader::kError);
  EXPECT_NE(reader.error(), "");
}

TEST(Segment, EveryCutIsATornEndAfterTheWholeRecords) {
  TempDir dir;
  const std::string bytes = segment_with(3);
  const std::string path = segment_path(dir.path(), 0, 1);
  std::vector<std::size_t> ends = {kSegmentMagic.size()};
  for (std::size_t n = 1; n <= 3; ++n) ends.push_back(segment_with(n).size());
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    write_file(path, std::string_view(bytes).substr(0, cut));
    SegmentReader reader;
    ASSERT_TRUE(reader.open(path));
    RecordView view;
    std::size_t records = 0;
    SegmentReader::Outcome outcome;
    while ((outcome = reader.next(view)) == SegmentReader::kRecord) ++records;
    const auto whole = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), cut) - ends.begin());
    EXPECT_EQ(records, whole == 0 ? 0 : whole - 1);
    const bool clean = cut == 0 || std::find(ends.begin(), ends.end(), cut) != ends.end();
    EXPECT_EQ(outcome, clean ? SegmentReader::kEnd : SegmentReader::kTorn) << cut;
  }
}

TEST(Segment, EveryFlippedBitIsNoticed) {
  TempDir dir;
  const std::string bytes = segment_with(1);
  const std::string path = segment_path(dir.path(), 0, 1);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    write_file(path, damaged);
    SegmentReader reader;
    ASSERT_TRUE(reader.open(path));
    RecordView view;
    EXPECT_EQ(reader.next(view), SegmentReader::kTorn) << at;
  }
}

TEST(Segment, GoesOnWhereAWriterAppends) {
  TempDir dir;
  const std::string path = segment_path(dir.path(), 0, 1);
  const std::string bytes = segment_with(2);
  const std::size_t first = segment_with(1).size();
  write_file(path, std::string_view(bytes).substr(0, first + 5));
  SegmentReader reader;
  ASSERT_TRUE(reader.open(path));
  RecordView view;
  EXPECT_EQ(reader.next(view), SegmentReader::kRecord);
  EXPECT_EQ(reader.next(view), SegmentReader::kTorn);
  EXPECT_EQ(reader.offset(), first);
  write_file(path, bytes);
  EXPECT_EQ(reader.next(view), SegmentReader::kRecord);
  EXPECT_EQ(reader.next(view), SegmentReader::kEnd);

  SegmentReader second;
  ASSERT_TRUE(second.open(path, first));
  EXPECT_EQ(second.next(view), SegmentReader::kRecord);
  EXPECT_EQ(second.offset(), bytes.size());
}

TEST(Segment, ReadsRecordsLargerThanItsBuffer) {
  TempDir dir;
  const std::string path = segment_path(dir.path(), 0, 1);
  std::string bytes(kSegmentMagic);
  const std::vector<Effect> effects(kMaxEffects, test_effect(1, 1'000'000, 1'700'000'000'000'000'000));
  for (int i = 0; i < 20; ++i) RecordEncoder(bytes).open(test_id(1), test_row(1), effects);
  write_file(path, bytes);
  EXPECT_EQ(read_records(dir.path()).size(), 20u);
}

TEST(Segment, ALengthBeyondTheMaximumIsNotBelieved) {
  TempDir dir;
  const std::string path = segment_path(dir.path(), 0, 1);
  std::string bytes(kSegmentMagic);
  bytes += std::string("\xFF\xFF\xFF\x7F", 4) + std::string(2 << 20, 'x');
  write_file(path, bytes);
  SegmentReader reader;
  ASSERT_TRUE(reader.open(path));
  RecordView view;
  EXPECT_EQ(reader.next(view), SegmentReader::kTorn);
}

}  // namespace
}  // namespace weir
