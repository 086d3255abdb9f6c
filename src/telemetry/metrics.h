// Counters and gauges that workers bump without locks and /metrics adds up. Knows no domain.
//
//   Metrics metrics;
//   Counter& hits = metrics.counter("weir_requests_total", "requests by decision", {{"decision", "allow"}});
//   hits.add(1);
//   metrics.write_prometheus(out);
//
// Registration takes a lock and the references stay valid as long as Metrics; add() may be called from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace weir {

class Counter {
 public:
  void add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  void set(std::int64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Upper bounds in ascending order; observe() is a short linear search.
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds);
  void observe(double value);
  void write(std::string& out, std::string_view name, std::string_view labels) const;

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;  // one per bound and one above
  std::atomic<std::int64_t> sum_micros_{0};
};

using Labels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
 public:
  static constexpr std::size_t kMaxSeries = 10'000;  // beyond it further label sets share one series "other"

  // Of a counter that is shown in another unit than it counts in, `per_unit` make one: micro-dollars as dollars.
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {}, std::int64_t per_unit = 1);
  Counter& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  // A gauge that is given in thousandths and shown as a fraction.
  Counter& ratio(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                       const Labels& labels = {});
  // A label's value that comes from outside: the first `most` of a set are themselves, further ones `other`.
  std::string bounded(std::string_view set, std::string_view value, std::size_t most);
  void write_prometheus(std::string& out) const;

 private:
  struct Family {
    std::string help, type;
    std::int64_t per_unit = 1;
    std::map<std::string, std::unique_ptr<Counter>> counters;  // by rendered labels
    std::map<std::string, std::unique_ptr<Histogram>> histograms;
  };
  Family& family(std::string_view name, std::string_view help, std::string_view type) WEIR_REQUIRES(mutex_);
  std::string admitted_labels(const Labels& labels, bool known) WEIR_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, Family, std::less<>> families_ WEIR_GUARDED_BY(mutex_);
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> values_ WEIR_GUARDED_BY(mutex_);
  std::size_t series_ WEIR_GUARDED_BY(mutex_) = 0;
};

}  // namespace weir
