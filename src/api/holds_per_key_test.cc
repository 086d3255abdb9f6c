#include "api/holds_per_key.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace weir {
namespace {

TEST(HoldsPerKey, OneKeyIsBoundedAndOthersAreNot) {
  HoldsPerKey holds;
  for (std::uint32_t i = 0; i < kMaxHoldsPerKey; ++i) ASSERT_TRUE(holds.take("greedy")) << i;
  EXPECT_FALSE(holds.take("greedy"));
  EXPECT_TRUE(holds.take("modest"));
  holds.give_back("greedy");
  EXPECT_TRUE(holds.take("greedy"));
  EXPECT_FALSE(holds.take("greedy"));
}

TEST(HoldsPerKey, AdoptedHoldsCountBeyondTheBoundToo) {
  HoldsPerKey holds;
  for (std::uint32_t i = 0; i < kMaxHoldsPerKey + 2; ++i) holds.adopt("ann");
  holds.give_back("ann");
  holds.give_back("ann");
  EXPECT_FALSE(holds.take("ann"));
  holds.give_back("ann");
  EXPECT_TRUE(holds.take("ann"));
}

TEST(HoldsPerKey, KeysWithoutHoldsAreForgotten) {
  HoldsPerKey holds;
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "key-" + std::to_string(i);
    EXPECT_TRUE(holds.take(key));
    holds.give_back(key);
    holds.give_back(key);
  }
  EXPECT_EQ(holds.keys(), 0u);
}

TEST(HoldsPerKey, WorkersShareTheBound) {
  HoldsPerKey holds;
  std::vector<std::uint32_t> taken(4);
  std::vector<std::thread> workers;
  for (std::uint32_t& count : taken) {
    workers.emplace_back([&] {
      for (std::uint32_t i = 0; i < kMaxHoldsPerKey; ++i) count += holds.take("ann") ? 1 : 0;
    });
  }
  for (std::thread& worker : workers) worker.join();
  std::uint32_t sum = 0;
  for (const std::uint32_t count : taken) sum += count;
  EXPECT_EQ(sum, kMaxHoldsPerKey);
  EXPECT_EQ(holds.open("ann"), kMaxHoldsPerKey);
}

}  // namespace
}  // namespace weir
