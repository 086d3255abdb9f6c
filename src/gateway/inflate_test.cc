#include "gateway/inflate.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "gateway/test_compressed.h"

namespace weir {
namespace {

using State = Inflate::State;
using stage::compressed;
using stage::kDeflate;
using stage::kGzip;
using stage::kRawDeflate;

constexpr std::string_view kText =
    R"({"usage":{"prompt_tokens":11,"completion_tokens":3},"text":"Hi, hi, hi, hi, hi."})";

struct Coding {
  const char* name;
  int window_bits;
};

class InflateTest : public testing::TestWithParam<Coding> {
 protected:
  std::string packed() const { return compressed(kText, GetParam().window_bits); }
  std::unique_ptr<Inflate> inflate() const { return Inflate::of(GetParam().name); }
};

INSTANTIATE_TEST_SUITE_P(Codings, InflateTest,
                         testing::Values(Coding{"gzip", kGzip}, Coding{" X-GZIP ", kGzip}, Coding{"deflate", kDeflate},
                                         Coding{"deflate", kRawDeflate}));

TEST_P(InflateTest, ReadsTheSameSplitAtEveryByte) {
  const std::string bytes = packed();
  for (std::size_t at = 0; at <= bytes.size(); ++at) {
    const auto reader = inflate();
    std::string text;
    reader->feed(std::string_view(bytes).substr(0, at), text);
    EXPECT_EQ(reader->state(), at == bytes.size() ? State::kEnd : State::kMore) << at;
    EXPECT_EQ(reader->feed(std::string_view(bytes).substr(at), text), State::kEnd) << at;
    EXPECT_EQ(text, kText) << at;
  }
}

TEST_P(InflateTest, ReadsByteByByte) {
  const auto reader = inflate();
  std::string text;
  for (const char byte : packed()) reader->feed({&byte, 1}, text);
  EXPECT_EQ(reader->state(), State::kEnd);
  EXPECT_EQ(text, kText);
  EXPECT_EQ(reader->feed("more", text), State::kEnd);
  EXPECT_EQ(text, kText) << "what follows the end is ignored";
}

TEST_P(InflateTest, CutAnywhereIsNeverTheEndAndGivesABeginning) {
  const std::string bytes = packed();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const auto reader = inflate();
    std::string text;
    EXPECT_EQ(reader->feed(std::string_view(bytes).substr(0, at), text), State::kMore) << at;
    EXPECT_TRUE(kText.starts_with(text)) << at;
  }
}

TEST_P(InflateTest, StopsAtItsMostOfABomb) {
  const auto reader = inflate();
  const std::string bomb = compressed(std::string(Inflate::kMax + 1, 'x'), GetParam().window_bits);
  EXPECT_LT(bomb.size(), 100'000u);
  std::string text;
  EXPECT_EQ(reader->feed(bomb, text), State::kTooLong);
  EXPECT_EQ(text.size(), Inflate::kMax);
  EXPECT_EQ(reader->feed(bomb, text), State::kTooLong);
  EXPECT_EQ(text.size(), Inflate::kMax);
}

TEST_P(InflateTest, ReadsExactlyItsMost) {
  const auto reader = inflate();
  std::string text;
  EXPECT_EQ(reader->feed(compressed(std::string(Inflate::kMax, 'x'), GetParam().window_bits), text), State::kEnd);
  EXPECT_EQ(text.size(), Inflate::kMax);
}

TEST(Inflate, ADamagedByteIsNeverTakenForTheEnd) {
  const std::string good = compressed(kText, kGzip);
  for (std::size_t at = 10; at < good.size(); ++at) {  // after the header, some of whose fields may be anything
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    const auto reader = Inflate::of("gzip");
    std::string text;
    EXPECT_NE(reader->feed(bytes, text), State::kEnd) << at;
  }
}

TEST(Inflate, WhatIsNotTheCodingIsCorrupt) {
  std::string text;
  EXPECT_EQ(Inflate::of("gzip")->feed(kText, text), State::kCorrupt);
  EXPECT_EQ(Inflate::of("deflate")->feed("\xFF\xFF\xFF\xFF", text), State::kCorrupt);
  EXPECT_EQ(text, "");
}

TEST(Inflate, ReadsGzipMembersOneAfterTheOther) {
  const std::string bytes = compressed("one ", kGzip) + compressed("two", kGzip);
  for (std::size_t at = 0; at <= bytes.size(); ++at) {
    const auto reader = Inflate::of("gzip");
    std::string text;
    reader->feed(std::string_view(bytes).substr(0, at), text);
    EXPECT_EQ(reader->feed(std::string_view(bytes).substr(at), text), State::kEnd) << at;
    EXPECT_EQ(text, "one two") << at;
  }
}

// Found by fuzzing: a member after something else was read where a piece happened to begin with it.
TEST(Inflate, WhatFollowsTheEndIsIgnoredHoweverItIsCut) {
  const std::string bytes = compressed("one", kGzip) + "x" + compressed("two", kGzip);
  for (const std::size_t piece : {bytes.size(), std::size_t{1}}) {
    const auto inflate = Inflate::of("gzip");
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      inflate->feed(std::string_view(bytes).substr(at, piece), text);
    EXPECT_EQ(text, "one");
    EXPECT_EQ(inflate->state(), State::kEnd);
  }
}

TEST(Inflate, OtherCodingsAreNotRead) {
  for (const char* coding : {"br", "zstd", "identity", "", "gzip, br"})
    EXPECT_EQ(Inflate::of(coding), nullptr) << coding;
}

}  // namespace
}  // namespace weir
