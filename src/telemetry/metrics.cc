#include "telemetry/metrics.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "base/check.h"

namespace weir {
namespace {

constexpr double kMicros = 1e6;
constexpr double kMaxObserved = 1e12;  // keeps the sum of millions of observations inside 64 bit

// The text format escapes backslash, line feed and, in label values only, the quote.
void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

std::string render(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name;
    out += "=\"";
    append_escaped(out, value, true);
    out += '"';
  }
  return out;
}

void append_bucket(std::string& out, std::string_view name, std::string_view labels, std::string_view bound,
                   std::uint64_t count) {
  const std::string_view comma = labels.empty() ? "" : ",";
  fmt::format_to(std::back_inserter(out), "{}_bucket{{{}{}le=\"{}\"}} {}\n", name, labels, comma, bound, count);
}

std::string braced(std::string_view labels) {
  return labels.empty() ? std::string() : fmt::format("{{{}}}", labels);
}

}  // namespace

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()),
      counts_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds.size() + 1)) {
  for (std::size_t i = 1; i < bounds_.size(); ++i) WEIR_CHECK(bounds_[i - 1] < bounds_[i]);
}

void Histogram::observe(double value) {
  std::size_t bucket = 0;
  while (bucket < bounds_.size() && !(value <= bounds_[bucket])) ++bucket;  // NaN goes above every bound
  counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  if (std::isnan(value)) return;
  const double bounded = std::fmin(std::fmax(value, -kMaxObserved), kMaxObserved);
  sum_micros_.fetch_add(std::llround(bounded * kMicros), std::memory_order_relaxed);
}

void Histogram::write(std::string& out, std::string_view name, std::string_view labels) const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    total += counts_[i].load(std::memory_order_relaxed);
    append_bucket(out, name, labels, fmt::format("{}", bounds_[i]), total);
  }
  total += counts_[bounds_.size()].load(std::memory_order_relaxed);
  append_bucket(out, name, labels, "+Inf", total);
  const double sum = static_cast<double>(sum_micros_.load(std::memory_order_relaxed)) / kMicros;
  fmt::format_to(std::back_inserter(out), "{0}_sum{1} {2}\n{0}_count{1} {3}\n", name, braced(labels), sum, total);
}

Metrics::Family& Metrics::family(std::string_view name, std::string_view help, std::string_view type) {
  auto found = families_.find(name);
  if (found == families_.end()) {
    found = families_
                .emplace(std::string(name),
                         Family{.help = std::string(help), .type = std::string(type), .counters = {}, .histograms = {}})
                .first;
  }
  WEIR_CHECK(found->second.type == type);  // one name, one type: anything else is a mistake of ours
  return found->second;
}

std::string Metrics::admitted_labels(const Labels& labels, bool known) {
  if (known || labels.empty()) return render(labels);
  if (series_ < kMaxSeries) {
    ++series_;
    return render(labels);
  }
  Labels other = labels;
  for (auto& label : other) label.second = "other";
  return render(other);
}

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels, std::int64_t per_unit) {
  const MutexLock lock(mutex_);
  Family& of = family(name, help, "counter");
  of.per_unit = per_unit;
  auto& slot = of.counters[admitted_labels(labels, of.counters.contains(render(labels)))];
  if (!slot) slot = std::make_unique<Counter>();
  return *slot;
}

Counter& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  const MutexLock lock(mutex_);
  Family& of = family(name, help, "gauge");
  auto& slot = of.counters[admitted_labels(labels, of.counters.contains(render(labels)))];
  if (!slot) slot = std::make_unique<Counter>();
  return *slot;
}

Counter& Metrics::ratio(std::string_view name, std::string_view help, const Labels& labels) {
  Counter& out = gauge(name, help, labels);
  const MutexLock lock(mutex_);
  family(name, help, "gauge").per_unit = 1000;
  return out;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                              const Labels& labels) {
  const MutexLock lock(mutex_);
  Family& of = family(name, help, "histogram");
  auto& slot = of.histograms[admitted_labels(labels, of.histograms.contains(render(labels)))];
  if (!slot) slot = std::make_unique<Histogram>(bounds);
  return *slot;
}

std::string Metrics::bounded(std::string_view set, std::string_view value, std::size_t most) {
  const MutexLock lock(mutex_);
  auto values = values_.find(set);
  if (values == values_.end()) values = values_.emplace(std::string(set), std::set<std::string, std::less<>>()).first;
  if (values->second.contains(value)) return std::string(value);
  if (values->second.size() >= most) return "other";
  return *values->second.emplace(value).first;
}

void Metrics::write_prometheus(std::string& out) const {
  const MutexLock lock(mutex_);
  for (const auto& [name, family] : families_) {
    fmt::format_to(std::back_inserter(out), "# HELP {} ", name);
    append_escaped(out, family.help, false);
    fmt::format_to(std::back_inserter(out), "\n# TYPE {} {}\n", name, family.type);
    for (const auto& [labels, counter] : family.counters) {
      fmt::format_to(std::back_inserter(out), "{}{} ", name, braced(labels));
      if (family.per_unit == 1) {
        fmt::format_to(std::back_inserter(out), "{}\n", counter->value());
      } else {
        fmt::format_to(std::back_inserter(out), "{}\n",
                       static_cast<double>(counter->value()) / static_cast<double>(family.per_unit));
      }
    }
    for (const auto& [labels, histogram] : family.histograms) histogram->write(out, name, labels);
  }
}

}  // namespace weir
