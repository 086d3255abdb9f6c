#include "tokens/output_history.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

namespace weir {
namespace {

std::int64_t exact_quantile(std::vector<std::int64_t> values, double quantile) {
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(quantile * static_cast<double>(values.size()) - 1e-9);
  return values[static_cast<std::size_t>(std::max(1.0, rank)) - 1];
}

TEST(OutputHistory, KnowsNothingBeforeTheWarmupIsOver) {
  OutputHistory history({.quantile = 0.5, .warmup = 20});
  for (int i = 0; i < 19; ++i) history.learn(7, 100);
  EXPECT_EQ(history.learned(7), std::nullopt);
  history.learn(7, 100);
  EXPECT_EQ(history.learned(7), 100);
  EXPECT_EQ(history.learned(8), std::nullopt);
}

TEST(OutputHistory, WithoutAWarmupNeedsOneAnswerAllTheSame) {
  OutputHistory history({.quantile = 0.97, .warmup = 0});
  EXPECT_EQ(history.learned(1), std::nullopt);
  history.learn(1, 3);
  EXPECT_EQ(history.learned(1), 3);
}

TEST(OutputHistory, SmallOutputsAreExactAndNothingIsOutOfRange) {
  OutputHistory history({.quantile = 1, .warmup = 1});
  for (const std::int64_t tokens : {0, 1, 2, 10, 19}) {
    const auto key = static_cast<std::uint64_t>(tokens) + 100;
    history.learn(key, tokens);
    EXPECT_EQ(history.learned(key), tokens);
  }
  history.learn(1, -5);
  EXPECT_EQ(history.learned(1), 0);
  history.learn(2, INT64_MAX);
  EXPECT_GT(history.learned(2).value_or(0), 10'000'000);
}

RC_GTEST_PROP(OutputHistoryProperties, IsNeverBelowTheTrueQuantileAndAtMostFivePercentAbove, ()) {
  const auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::int64_t>>(
      rc::gen::oneOf(rc::gen::inRange<std::int64_t>(0, 50), rc::gen::inRange<std::int64_t>(0, 200'000))));
  const double quantile = *rc::gen::elementOf(std::vector<double>{0.0, 0.1, 0.5, 0.9, 0.97, 1.0});
  OutputHistory history({.quantile = quantile, .warmup = 1});
  for (const std::int64_t value : values) history.learn(1, value);
  const std::int64_t exact = exact_quantile(values, quantile);
  const std::int64_t learned = history.learned(1).value();
  RC_ASSERT(learned >= exact);
  RC_ASSERT(static_cast<double>(learned) <= static_cast<double>(exact) * 1.05);
}

TEST(OutputHistory, AdaptsWhenAnswersBecomeShorterOrLonger) {
  OutputHistory history({.quantile = 0.97, .warmup = 20});
  for (int i = 0; i < 20'000; ++i) history.learn(1, 2000);
  for (int i = 0; i < 20'000; ++i) history.learn(1, 50);
  EXPECT_LE(history.learned(1).value(), 53);
  for (int i = 0; i < 4'000; ++i) history.learn(1, 2000);
  EXPECT_GE(history.learned(1).value(), 2000);
}

// Where every answer has another length, each bin holds few: forgetting must not take the rare long ones first.
TEST(OutputHistory, KeepsTheTailWhileItForgets) {
  OutputHistory history({.quantile = 0.97, .warmup = 20});
  std::uint64_t state = 1;
  std::vector<std::int64_t> last;
  for (int i = 0; i < 60'000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double chance = static_cast<double>(state >> 11) / 9007199254740992.0;
    const auto tokens = static_cast<std::int64_t>(20 * std::pow(1 - chance, -0.8));  // heavy tail
    history.learn(1, tokens);
    if (i >= 50'000) last.push_back(tokens);
  }
  const double exact = static_cast<double>(exact_quantile(last, 0.97));
  EXPECT_NEAR(static_cast<double>(history.learned(1).value()) / exact, 1.0, 0.15);
}

TEST(OutputHistory, TakesNewOptionsForWhatItAlreadyKnows) {
  OutputHistory history({.quantile = 0.97, .warmup = 1});
  for (std::int64_t tokens = 1; tokens <= 10; ++tokens) history.learn(1, tokens);
  EXPECT_EQ(history.learned(1), 10);
  history.set_options({.quantile = 0.5, .warmup = 1});
  EXPECT_EQ(history.learned(1), 5);
  history.set_options({.quantile = 0.5, .warmup = 11});
  EXPECT_EQ(history.learned(1), std::nullopt);
}

TEST(OutputHistory, ForgetsWhatWasUsedLeastRecentlyAtItsBound) {
  OutputHistory history({.quantile = 0.97, .warmup = 1});
  const auto key = [](std::size_t i) { return OutputHistory::key("tenant" + std::to_string(i), "model"); };
  const std::size_t all = OutputHistory::kMaxKeys * 2;
  for (std::size_t i = 0; i < all; ++i) {
    history.learn(key(i), 9);
    ASSERT_EQ(history.learned(key(0)), 9) << "used all the time, after " << i;
  }
  std::size_t known = 0;
  for (std::size_t i = all; i-- > 0;) known += history.learned(key(i)).has_value() ? 1 : 0;
  EXPECT_LE(known, OutputHistory::kMaxKeys);
  EXPECT_GE(known, OutputHistory::kMaxKeys * 9 / 10);
  EXPECT_EQ(history.learned(key(1)), std::nullopt);
  EXPECT_TRUE(history.learned(key(all - 1)).has_value());
}

TEST(OutputHistory, KeysTellTenantsAndModelsApart) {
  EXPECT_NE(OutputHistory::key("a", "bc"), OutputHistory::key("ab", "c"));
  EXPECT_NE(OutputHistory::key("a", "b"), OutputHistory::key("b", "a"));
  EXPECT_NE(OutputHistory::key("", "m"), OutputHistory::key("m", ""));
  EXPECT_NE(OutputHistory::key("m", "m"), OutputHistory::key("", ""));
  EXPECT_EQ(OutputHistory::key("acme", "gpt-4o"), OutputHistory::key("acme", "gpt-4o"));
}

TEST(OutputHistory, ThreadsLearnAndAskAtOnce) {
  OutputHistory history({.quantile = 0.97, .warmup = 20});
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&history] {
      for (int i = 0; i < 2000; ++i) {
        history.learn(static_cast<std::uint64_t>(i % 10), 100);
        history.learned(static_cast<std::uint64_t>(i % 7));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::uint64_t key = 0; key < 10; ++key) EXPECT_EQ(history.learned(key), 100 + 0) << key;
}

}  // namespace
}  // namespace weir
