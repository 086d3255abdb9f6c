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

// What version 3 has at its end: no names for the one demand, no run, no tools.
constexpr std::size_t kEndOfVersion3 = 3;

TEST(DecisionHold, OfTheVersionsBeforeIsRead) {
  const DecisionHold hold = some_hold();
  std::string bytes = encode_hold(hold);
  bytes.resize(bytes.size() - kEndOfVersion3);
  bytes.front() = 2;
  DecisionHold read;
  ASSERT_TRUE(decode_hold(bytes, read));
  EXPECT_EQ(read.price, hold.price);
  EXPECT_EQ(read.tools.size(), 1u);
  // In the first one the answer followed four prices: five prices of 0 and the percents 50, 200 and 50 lie between.
  const std::size_t answer = bytes.size() - hold.admitted.size() - 1;
  bytes.erase(answer - 9, 9);
  bytes.front() = 1;
  ASSERT_TRUE(decode_hold(bytes, read));
  EXPECT_EQ(read.price, hold.price);
  EXPECT_EQ(read.admitted, hold.admitted);
  for (const char unknown : {'\0', '\4'}) {
    bytes.front() = unknown;
    EXPECT_FALSE(decode_hold(bytes, read));
  }
}

// Custom meters had the number that runs have now.
TEST(DecisionHold, CustomMetersOfTheVersionBeforeStayCustom) {
  DecisionHold hold = some_hold();
  hold.meters = {{MeterTerm{.kind = MeterKind::kCustom, .custom = "units", .weight = 2}}};
  std::string bytes = encode_hold(hold);
  bytes.resize(bytes.size() - kEndOfVersion3);
  const std::size_t kind = bytes.find("\x0b\x02\x05units");
  ASSERT_NE(kind, std::string::npos);
  bytes[kind] = 9;
  bytes.front() = 2;
  DecisionHold read;
  ASSERT_TRUE(decode_hold(bytes, read));
  EXPECT_EQ(read.meters[0][0].kind, MeterKind::kCustom);
  EXPECT_EQ(read.meters[0][0].custom, "units");
  EXPECT_EQ(read.meters[0][0].weight, 2);
}

TEST(DecisionHold, CallsAreCountedByTheDemandsOfTheirTools) {
  const MeterTerm calls{.kind = MeterKind::kToolCalls};
  const MeterTerm runs{.kind = MeterKind::kRuns};
  DecisionHold hold = some_hold();
  hold.meters = {{calls}, {calls}, {calls}, {runs}};
  hold.tools = {{}, {"mail"}, {"mail", "pay"}, {}};
  hold.estimate.tools = {{"mail", 2}, {"pay", 1}};
  hold.estimate.tool_calls = 3;
  hold.estimate.runs = 1;
  DecisionHold read;
  ASSERT_TRUE(decode_hold(encode_hold(hold), read));
  using Units = std::vector<std::int64_t>;
  const auto settled = [&](std::optional<std::vector<std::string>> named, std::optional<std::int64_t> number = {}) {
    MeterAmounts used;
    used.tool_calls = number;
    use_tools(read.estimate, named, used);
    return actual_units(read, used);
  };
  EXPECT_EQ(settled({}), (Units{3, 2, 3, 1})) << "as admitted";
  EXPECT_EQ(settled({{"mail"}}), (Units{1, 1, 1, 1}));
  EXPECT_EQ(settled({{"pay", "search"}}), (Units{2, 0, 1, 1}));
  EXPECT_EQ(settled({std::vector<std::string>{}}), (Units{0, 0, 0, 1}));
  EXPECT_EQ(settled({}, 0), (Units{0, 0, 0, 1}));
}

TEST(DecisionHold, CutAnywhereIsNotRead) {
  const std::string bytes = encode_hold(some_hold());
  DecisionHold read;
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_hold(bytes.substr(0, size), read)) << size;
}

}  // namespace
}  // namespace weir
