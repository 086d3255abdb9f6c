#include "replay/recommend_histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace weir {
namespace {

std::int64_t exact(std::vector<std::int64_t> values, double share) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::max<std::size_t>(rank, 1) - 1];
}

TEST(AmountHistogram, OfNothingEveryQuantileIsZero) {
  EXPECT_EQ(AmountHistogram().quantile(0.95), 0);
}

TEST(AmountHistogram, OfOneValueEveryQuantileIsThatValue) {
  AmountHistogram use;
  use.add(77);
  for (const double share : {0.0, 0.5, 0.95, 1.0}) EXPECT_EQ(use.quantile(share), 77);
}

TEST(AmountHistogram, SmallValuesAreExact) {
  AmountHistogram use;
  for (std::int64_t i = 1; i <= 100; ++i) use.add(i);
  EXPECT_EQ(use.quantile(0.50), 50);
  EXPECT_EQ(use.quantile(0.95), 95);
  EXPECT_EQ(use.quantile(0.99), 99);
}

TEST(AmountHistogram, IsWithinOnePercentOfTheExactQuantileForEveryScaleAndSpread) {
  std::mt19937_64 random(7);
  for (const double spread : {0.1, 1.0, 3.0}) {
    for (const double scale : {3.0, 8.0, 14.0, 25.0}) {
      std::lognormal_distribution<double> amounts(scale, spread);
      AmountHistogram use;
      std::vector<std::int64_t> values;
      for (int i = 0; i < 20'000; ++i) {
        values.push_back(std::llround(std::min(9e15, amounts(random))));
        use.add(values.back());
      }
      for (const double share : {0.01, 0.5, 0.95, 0.99, 1.0}) {
        const auto truth = static_cast<double>(exact(values, share));
        EXPECT_NEAR(static_cast<double>(use.quantile(share)), truth, 0.01 * truth) << scale << " " << spread;
      }
    }
  }
}

TEST(AmountHistogram, TakesTheLargestNumberThereIs) {
  AmountHistogram use;
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  use.add(most);
  EXPECT_NEAR(static_cast<double>(use.quantile(0.5)), static_cast<double>(most), 0.01 * static_cast<double>(most));
}

}  // namespace
}  // namespace weir
