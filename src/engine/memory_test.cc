// Memory of the table: blocks of every size, records too large for a span, indexes that shrink and that are full.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "engine/counter_defs.h"
#include "engine/span_pool.h"
#include "engine/table.h"
#include "engine/test_support.h"

namespace weir::engine {
namespace {

TEST(Arithmetic, SumsThatDoNotFitStopAtTheEnds) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(add_saturating(kMost, 1), kMost);
  EXPECT_EQ(add_saturating(kLeast, -1), kLeast);
  EXPECT_EQ(add_saturating(kMost, kLeast), -1);
}

TEST(SpanPool, BlocksOfEverySizeAreApartAndTheirMemoryComesBack) {
  SpanPool pool(std::size_t{64} << 20);
  std::mt19937 random(7);
  struct Block {
    char* memory;
    std::size_t bytes;
    char mark;
  };
  std::vector<Block> blocks;
  const auto check = [](const Block& block) {
    return std::all_of(block.memory, block.memory + block.bytes, [&](char c) { return c == block.mark; });
  };
  for (int i = 0; i < 2'000; ++i) {
    const std::size_t bytes = i % 10 == 0 ? 30'000 + random() % 70'000 : 16 + random() % 3'000;
    auto* memory = static_cast<char*>(pool.allocate(bytes));
    ASSERT_NE(memory, nullptr);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 16, 0u);
    const char mark = static_cast<char>(i);
    std::memset(memory, mark, bytes);
    blocks.push_back({memory, bytes, mark});
    if (blocks.size() < 300) continue;
    const std::size_t gone = random() % blocks.size();
    ASSERT_TRUE(check(blocks[gone])) << "another block was written over it";
    pool.release(blocks[gone].memory, blocks[gone].bytes);
    blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(gone));
  }
  for (const Block& block : blocks) {
    ASSERT_TRUE(check(block));
    pool.release(block.memory, block.bytes);
  }
  EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(SpanPool, TheLimitHoldsForLargeBlocksAndIsIgnoredWhenForced) {
  SpanPool pool(200'000);
  void* first = pool.allocate(100'000);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(pool.allocate(150'000), nullptr);
  EXPECT_EQ(pool.used_bytes(), SpanPool::block_bytes(100'000)) << "what was not given is not counted";
  void* forced = pool.allocate(150'000, true);
  ASSERT_NE(forced, nullptr);
  pool.release(forced, 150'000);
  pool.release(first, 100'000);
  EXPECT_EQ(pool.used_bytes(), 0u);
}

// Eight fine rings of large amounts are more than the 32 KiB that a span serves.
TEST(Memory, ARecordMayBeLargerThanASpanServes) {
  Limiter limiter;
  std::array<CounterId, 8> counters;
  for (std::size_t i = 0; i < counters.size(); ++i) {
    counters[i] = sliding(limiter, std::array{"a", "b", "c", "d", "e", "f", "g", "h"}[i], 60 * kSecond, 1000);
    for (int n = 0; n < 40; ++n) {
      const Ask ask{.counter = counters[i], .amount = kMaxAmount, .cost = static_cast<std::int64_t>(i) + 1};
      ASSERT_TRUE(admit(limiter, ask, at(n)).admitted);
    }
  }
  EXPECT_GT(limiter.stats().bytes, 64'000u);
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const Ask look{.counter = counters[i], .amount = kMaxAmount, .cost = 0};
    EXPECT_EQ(peek(limiter, look, at(40)).verdicts[0].used, 40 * (static_cast<std::int64_t>(i) + 1));
  }
  for (int i = 0; i < 4; ++i) limiter.sweep(at(1000), 1'000'000);
  EXPECT_EQ(limiter.stats().subjects, 0u);
}

TEST(Memory, AnIndexThatIsMostlyEmptyShrinksAndKeepsWhatLives) {
  Limiter limiter({.stripes = 1});
  const CounterId brief = sliding(limiter, "brief", kSecond), lasting = sliding(limiter, "lasting", 3600 * kSecond);
  for (std::uint64_t i = 0; i < 4'000; ++i) {
    admit(limiter, {.counter = i % 400 == 0 ? lasting : brief, .amount = 50, .cost = 7, .key = {i + 1, i * 77 + 1}},
          at(0));
  }
  const std::size_t before = limiter.stats().bytes;
  for (int i = 0; i < 100; ++i) limiter.sweep(at(10), 1'000'000);
  EXPECT_EQ(limiter.stats().subjects, 10u);
  EXPECT_LT(limiter.stats().bytes, before / 2);
  for (std::uint64_t i = 0; i < 4'000; i += 400) {
    const Ask look{.counter = lasting, .amount = 50, .cost = 0, .key = {i + 1, i * 77 + 1}};
    EXPECT_EQ(peek(limiter, look, at(10)).verdicts[0].used, 7) << i;
  }
}

TEST(Memory, AStripeTakesAsManyRecordsAsItsIndexHasSlots) {
  const CounterDefs defs;
  Table table(std::size_t{1} << 30, 1, defs);
  Stripe& stripe = table.stripe(0);
  const SpinGuard guard(stripe.lock);
  std::uint64_t count = 0;
  while (table.insert(stripe, {count + 1, (count + 1) * 0x9E3779B97F4A7C15ull}, Owners::kNoOwner, false) != nullptr) {
    ++count;
    ASSERT_LE(count, IndexMemory::kMostSlots);
  }
  EXPECT_EQ(count, IndexMemory::kMostSlots - 1) << "one slot stays free: it ends every search";
  EXPECT_NE(table.find(stripe, {count, count * 0x9E3779B97F4A7C15ull}), nullptr);
  EXPECT_EQ(table.find(stripe, {count + 1, (count + 1) * 0x9E3779B97F4A7C15ull}), nullptr);
}

// A table that is full takes no place of the owner either: later, when there is room, all its places are free.
TEST(Memory, WhatFoundNoRoomTakesNoPlaceOfItsOwner) {
  Limiter limiter({.max_bytes = 200'000, .stripes = 1});
  const CounterId counter = sliding(limiter, "c", 60 * kSecond);
  std::uint64_t id = 0;
  while (admit(limiter, {.counter = counter, .amount = 100, .key = {1, ++id}}, at(0)).admitted) ASSERT_LT(id, 100'000u);
  for (std::uint64_t i = 0; i < kMaxChildren + 10; ++i) {
    const Ask ask{.counter = counter, .amount = 100, .key = {2, i + 1}, .owner = {7, 7}, .overflow = {8, 8}};
    ASSERT_TRUE(admit(limiter, ask, at(0)).table_full);
  }
  for (int i = 0; i < 20; ++i) limiter.sweep(at(100), 1'000'000);
  Ask mine{.counter = counter, .amount = 100, .cost = 9, .key = {3, 1}, .owner = {7, 7}, .overflow = {8, 8}};
  ASSERT_TRUE(admit(limiter, mine, at(100)).admitted);
  EXPECT_EQ(peek(limiter, {.counter = counter, .amount = 100, .key = {8, 8}}, at(100)).verdicts[0].used, 0);
  EXPECT_EQ(peek(limiter, {.counter = counter, .amount = 100, .key = {3, 1}}, at(100)).verdicts[0].used, 9);
}

}  // namespace
}  // namespace weir::engine
