#include "api/decision_hold.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

DecisionHold some_hold() {
  DecisionHold hold;
  hold.held.id = {1, 2};
  hold.held.deadline = 77;
  hold.meters = {{MeterTerm{.kind = MeterKind::kTokens}}};
  hold.estimate.input_tokens = 900;
  hold.estimate.usd_micros = 12;
  hold.estimate.tool_calls = 1;
  hold.price = {.input = 1, .cached_input = 2, .cache_write = 3, .output = 4};
  hold.admitted = R"({"id":"a"})";
  return hold;
}

TEST(DecisionHold, KeepsEveryPrice) {
  DecisionHold hold = some_hold();
  hold.price = {.input = 1,
                .cached_input = 2,
                .cache_write = 3,
                .output = 4,
                .audio_in = 5,
                .audio_out = 6,
                .cache_write_1h = 7,
                .reasoning = 8,
                .tool_unit = 9,
                .flex_percent = 10,
                .priority_percent = 11,
                .batch_percent = 12};
  DecisionHold read;
  ASSERT_TRUE(decode_hold(encode_hold(hold), read));
  EXPECT_EQ(read.price, hold.price);
  EXPECT_EQ(read.admitted, hold.admitted);
  EXPECT_EQ(read.held.deadline, 77);
}

TEST(DecisionHold, OfTheVersionBeforeIsRead) {
  // Then the answer followed the first four prices: here five prices of 0 and the percents 50, 200 and 50 lie between.
  const DecisionHold hold = some_hold();
  std::string bytes = encode_hold(hold);
  const std::size_t answer = bytes.size() - hold.admitted.size() - 1;
  bytes.erase(answer - 9, 9);
  bytes.front() = 1;
  DecisionHold read;
  ASSERT_TRUE(decode_hold(bytes, read));
  EXPECT_EQ(read.price, hold.price);
  EXPECT_EQ(read.admitted, hold.admitted);
  bytes.front() = 3;
  EXPECT_FALSE(decode_hold(bytes, read));
}

TEST(DecisionHold, CutAnywhereIsNotRead) {
  const std::string bytes = encode_hold(some_hold());
  DecisionHold read;
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_hold(bytes.substr(0, size), read)) << size;
}

}  // namespace
}  // namespace weir
