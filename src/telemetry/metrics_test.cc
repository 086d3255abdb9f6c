#include "telemetry/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

namespace weir {
namespace {

std::string text_of(const Metrics& metrics) {
  std::string out;
  metrics.write_prometheus(out);
  return out;
}

TEST(Metrics, WritesCountersAndGauges) {
  Metrics metrics;
  metrics.counter("weir_b_total", "bees").add(3);
  metrics.counter("weir_a_total", "by decision", {{"decision", "allow"}}).add(1);
  metrics.counter("weir_a_total", "by decision", {{"decision", "refuse"}, {"limit", "tokens"}}).add(2);
  metrics.gauge("weir_open", "open connections").set(-7);
  EXPECT_EQ(text_of(metrics),
            "# HELP weir_a_total by decision\n# TYPE weir_a_total counter\n"
            "weir_a_total{decision=\"allow\"} 1\nweir_a_total{decision=\"refuse\",limit=\"tokens\"} 2\n"
            "# HELP weir_b_total bees\n# TYPE weir_b_total counter\nweir_b_total 3\n"
            "# HELP weir_open open connections\n# TYPE weir_open gauge\nweir_open -7\n");
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameCounter) {
  Metrics metrics;
  Counter& first = metrics.counter("weir_x_total", "x", {{"a", "1"}});
  EXPECT_EQ(&first, &metrics.counter("weir_x_total", "x", {{"a", "1"}}));
  EXPECT_NE(&first, &metrics.counter("weir_x_total", "x", {{"a", "2"}}));
  EXPECT_NE(&first, &metrics.counter("weir_x_total", "x"));
}

TEST(Metrics, ACounterMayBeShownInALargerUnit) {
  Metrics metrics;
  metrics.counter("weir_usd_total", "dollars", {}, 1'000'000).add(1'250'000);
  metrics.counter("weir_usd_total", "dollars", {}, 1'000'000).add(1);
  EXPECT_EQ(text_of(metrics),
            "# HELP weir_usd_total dollars\n# TYPE weir_usd_total counter\nweir_usd_total 1.250001\n");
}

TEST(Metrics, OfValuesFromOutsideOnlyTheFirstAreToldApart) {
  Metrics metrics;
  EXPECT_EQ(metrics.bounded("model", "a", 2), "a");
  EXPECT_EQ(metrics.bounded("model", "b", 2), "b");
  EXPECT_EQ(metrics.bounded("model", "c", 2), "other");
  EXPECT_EQ(metrics.bounded("model", "a", 2), "a");
  EXPECT_EQ(metrics.bounded("tool", "c", 2), "c");
}

TEST(Metrics, EscapesLabelsAndHelp) {
  Metrics metrics;
  metrics.counter("weir_x_total", "a\\b\n\"c\"", {{"v", "a\\b\n\"c\""}}).add(1);
  EXPECT_EQ(text_of(metrics),
            "# HELP weir_x_total a\\\\b\\n\"c\"\n# TYPE weir_x_total counter\n"
            "weir_x_total{v=\"a\\\\b\\n\\\"c\\\"\"} 1\n");
}

TEST(Metrics, HistogramBucketsAreCumulative) {
  Metrics metrics;
  constexpr double kBounds[] = {0.005, 0.1, 1};
  Histogram& seconds = metrics.histogram("weir_seconds", "latency", kBounds, {{"route", "chat"}});
  for (const double value : {0.001, 0.005, 0.05, 1.0, 2.5}) seconds.observe(value);
  EXPECT_EQ(text_of(metrics),
            "# HELP weir_seconds latency\n# TYPE weir_seconds histogram\n"
            "weir_seconds_bucket{route=\"chat\",le=\"0.005\"} 2\nweir_seconds_bucket{route=\"chat\",le=\"0.1\"} 3\n"
            "weir_seconds_bucket{route=\"chat\",le=\"1\"} 4\nweir_seconds_bucket{route=\"chat\",le=\"+Inf\"} 5\n"
            "weir_seconds_sum{route=\"chat\"} 3.556\nweir_seconds_count{route=\"chat\"} 5\n");
}

TEST(Metrics, HistogramSurvivesOddValues) {
  constexpr double kBounds[] = {1};
  Histogram histogram(kBounds);
  histogram.observe(std::nan(""));
  histogram.observe(std::numeric_limits<double>::infinity());
  histogram.observe(-std::numeric_limits<double>::infinity());
  std::string out;
  histogram.write(out, "h", "");
  EXPECT_EQ(out, "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 0\nh_count 3\n");
}

TEST(Metrics, BeyondTheMostSeriesAllShareOne) {
  Metrics metrics;
  for (std::size_t i = 0; i < Metrics::kMaxSeries; ++i)
    metrics.counter("weir_x_total", "x", {{"k", std::to_string(i)}});
  Counter& other = metrics.counter("weir_x_total", "x", {{"k", "one more"}});
  EXPECT_EQ(&other, &metrics.counter("weir_x_total", "x", {{"k", "and another"}}));
  other.add(5);
  EXPECT_NE(text_of(metrics).find("weir_x_total{k=\"other\"} 5\n"), std::string::npos);
  // Known ones are still found, and what has no labels is not a caller's doing.
  EXPECT_NE(&metrics.counter("weir_x_total", "x", {{"k", "17"}}), &other);
  metrics.counter("weir_y_total", "y").add(1);
  EXPECT_NE(text_of(metrics).find("weir_y_total 1\n"), std::string::npos);
}

TEST(Metrics, ThreadsLoseNothing) {
  Metrics metrics;
  constexpr double kBounds[] = {0.5};
  constexpr int kEach = 20'000;
  const auto work = [&] {
    for (int i = 0; i < kEach; ++i) {
      metrics.counter("weir_x_total", "x", {{"k", std::to_string(i % 3)}}).add(1);
      metrics.histogram("weir_h", "h", kBounds).observe(i % 2);
    }
  };
  std::thread other(work);
  work();
  other.join();
  std::int64_t sum = 0;
  for (int i = 0; i < 3; ++i) sum += metrics.counter("weir_x_total", "x", {{"k", std::to_string(i)}}).value();
  EXPECT_EQ(sum, 2 * kEach);
  EXPECT_NE(text_of(metrics).find("weir_h_bucket{le=\"0.5\"} 20000\n"), std::string::npos);
  EXPECT_NE(text_of(metrics).find("weir_h_count 40000\n"), std::string::npos);
}

TEST(MetricsDeathTest, OneNameHasOneType) {
  Metrics metrics;
  metrics.counter("weir_x_total", "x");
  EXPECT_DEATH(metrics.gauge("weir_x_total", "x"), "type");
}

}  // namespace
}  // namespace weir
