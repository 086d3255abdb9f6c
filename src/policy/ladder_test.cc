// What Ladders remembers and forgets, and how a degradation is shown.
#include "policy/ladder.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace weir {
namespace {

Hash128 subject(std::uint64_t n) {
  return {n * 0x9E3779B97F4A7C15ull, (n + 1) * 0xC2B2AE3D27D4EB4Full};
}

TEST(LaddersTest, RemembersPerSubjectAndCounter) {
  Ladders ladders;
  EXPECT_EQ(ladders.last(subject(1), 0), 0);
  ladders.remember(subject(1), 0, 50);
  ladders.remember(subject(1), 1, 80);
  ladders.remember(subject(2), 0, 20);
  EXPECT_EQ(ladders.last(subject(1), 0), 50);
  EXPECT_EQ(ladders.last(subject(1), 1), 80);
  EXPECT_EQ(ladders.last(subject(2), 0), 20);
  EXPECT_EQ(ladders.last(subject(2), 1), 0);
  ladders.remember(subject(1), 0, 0);
  EXPECT_EQ(ladders.last(subject(1), 0), 0);
  EXPECT_EQ(ladders.size(), 2u);
}

TEST(LaddersTest, WhatStoodOnNoRungTakesNoRoom) {
  Ladders ladders;
  for (std::uint64_t i = 0; i < 1'000; ++i) ladders.remember(subject(i), 0, 0);
  EXPECT_EQ(ladders.size(), 0u);
}

TEST(LaddersTest, AreBoundedAndForgetWhatWasUsedLeastRecently) {
  Ladders ladders;
  const std::uint64_t many = 2 * Ladders::kMaxEntries;
  for (std::uint64_t i = 0; i < many; ++i) {
    ladders.remember(subject(i), 0, 50);
    if (i % 64 == 0) ladders.remember(subject(0), 0, 50);  // this one stays in use
  }
  EXPECT_LE(ladders.size(), Ladders::kMaxEntries);
  EXPECT_GT(ladders.size(), Ladders::kMaxEntries / 2);
  EXPECT_EQ(ladders.last(subject(0), 0), 50);
  EXPECT_EQ(ladders.last(subject(1), 0), 0);
  EXPECT_EQ(ladders.last(subject(many - 1), 0), 50);
}

TEST(LaddersTest, ReadingDoesNotChangeWhatIsForgottenNext) {
  Ladders read, unread;
  for (std::uint64_t i = 0; i < 2 * Ladders::kMaxEntries; ++i) {
    for (Ladders* ladders : {&read, &unread}) ladders->remember(subject(i), 0, 50);
    read.last(subject(i / 2), 0);
  }
  for (std::uint64_t i = 0; i < 2 * Ladders::kMaxEntries; i += 97) {
    ASSERT_EQ(read.last(subject(i), 0), unread.last(subject(i), 0)) << i;
  }
}

TEST(LaddersTest, CanBeSharedBetweenThreads) {
  Ladders ladders;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&ladders, t] {
      for (std::uint64_t i = 0; i < 5'000; ++i) {
        ladders.remember(subject(i % 512), 0, static_cast<int>(i % 3) * 40);
        const int last = ladders.last(subject((i + t) % 512), 0);
        if (last != 0 && last != 40 && last != 80) std::abort();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(ladders.size(), 512u);
}

TEST(DegradationTest, IsShownAsInTheHeader) {
  EXPECT_EQ(Degradation{}.header(), "");
  EXPECT_EQ((Degradation{"", {}, {}, "spend"}).header(), "");
  EXPECT_EQ((Degradation{"gpt-4o-mini", {}, {}, "spend"}).header(), "spend; model=gpt-4o-mini");
  EXPECT_EQ((Degradation{"gpt-4o-mini", 2048, 20, "spend, tokens"}).header(),
            "spend, tokens; model=gpt-4o-mini; max_tokens=2048; keep_messages=20");
  EXPECT_EQ((Degradation{"", 1024, {}, "spend"}).header(), "spend; max_tokens=1024");
}

}  // namespace
}  // namespace weir
