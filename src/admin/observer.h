// Sees what all workers decide and settle: the last minutes second by second, who is near an amount, what each limit
// refused, and who watches the event stream.
//
//   Observer observer({.in_flight = [&] { return gauge.value(); }, .keep = store_refusals});
//   services.events = &observer.open_feed();     // one per worker, before they start
//   observer.step(now);                          // ten times a second, on a thread of its own
//   observer.hot("tokens");                      // any thread
//
// Thread-safe but for step(), which has one thread, and what must come before it. Outlives the workers. All memory is
// bounded; see the parts.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/event_json.h"
#include "admin/hot_limits.h"
#include "admin/live_series.h"
#include "admin/refusal_book.h"
#include "admin/top_keys.h"
#include "admin/watchers.h"
#include "base/mutex.h"
#include "gateway/event_feed.h"
#include "telemetry/metrics.h"

namespace weir {

class Observer {
 public:
  static constexpr std::size_t kKeysOfSecond = 50;  // that a listener is told
  static constexpr std::size_t kTopKeys = 20;       // of the last minute
  static constexpr DurationNs kKeepEvery = 10 * kSecond;
  static constexpr std::size_t kMaxUtilisations = 256;  // pairs of limit and tier in the metrics

  struct Options {
    std::function<std::int64_t()> in_flight = [] { return std::int64_t{0}; };
    // Takes refusal counts to the record store. False: not now; they are given again.
    std::function<bool(const std::vector<RefusalHour>&)> keep = [](const auto&) { return true; };
    HotLimits::Peek peek = {};                                   // null: hot limits stay as they were decided about
    std::function<std::shared_ptr<const Ruleset>()> rules = {};  // in force; null: those of the last decision
  };
  explicit Observer(Options options) : options_(std::move(options)) {}
  Observer() : Observer(Options{}) {}
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  // --- before the first step
  // ------------------------------------------------------------------------------------------
  EventFeed& open_feed();
  // Called once for every second that is over, on the thread of step().
  void add_listener(std::function<void(const Second&)> listener) { listeners_.push_back(std::move(listener)); }

  // Called with everything that was taken, ten times a second, on the same thread and before add_listener()'s.
  using Events = std::span<const DecisionEvent* const>;
  void add_event_listener(std::function<void(Events)> listener) { event_listeners_.push_back(std::move(listener)); }

  void step(TimeNs now) WEIR_EXCLUDES(mutex_);

  // --- any thread
  // -----------------------------------------------------------------------------------------------------
  // As it is now: asks the counters of the limit's subjects. The kMaxSubjects nearest.
  std::vector<HotSubject> hot(std::string_view limit) WEIR_EXCLUDES(mutex_);
  void keep_hot(std::span<const std::pair<std::string, std::uint64_t>> names) WEIR_EXCLUDES(mutex_);
  std::int64_t refused_last_hour(std::string_view limit) const WEIR_EXCLUDES(mutex_);
  std::string live(std::size_t seconds, TimeNs now) const WEIR_EXCLUDES(mutex_);
  // Decisions of the last whole second; events that found no room since the start.
  std::int64_t requests_per_second() const { return per_second_.load(std::memory_order_relaxed); }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  Watchers& watchers() { return watchers_; }
  // "keys", "policy" or "breakers" are others now.
  void changed(std::string_view what, std::string_view version);
  // `hot` is that of the last second.
  void write_gauges(Metrics& metrics, std::span<const HotSubject> hot) WEIR_EXCLUDES(mutex_);
  // What the store does not have yet, and what it could not take after all.
  std::vector<RefusalHour> take_refusals() WEIR_EXCLUDES(mutex_);
  void give_back(std::vector<RefusalHour> rows) WEIR_EXCLUDES(mutex_);

 private:
  struct Feed {
    EventFeed feed;
    EventBatch batch;
  };
  // `rules`: in force, if that is known.
  void count(const DecisionEvent& event, const Ruleset* rules, TimeNs now) WEIR_REQUIRES(mutex_);
  Second close_second(TimeNs now) WEIR_REQUIRES(mutex_);
  void keep_refusals(TimeNs now);

  const Options options_;
  std::vector<std::unique_ptr<Feed>> feeds_;
  std::vector<std::function<void(const Second&)>> listeners_;
  std::vector<std::function<void(Events)>> event_listeners_;
  Watchers watchers_;
  TimeNs keep_at_ = 0;
  std::uint64_t dropped_before_ = 0;
  std::vector<const DecisionEvent*> shown_;
  std::atomic<std::int64_t> per_second_{0};
  std::atomic<std::uint64_t> dropped_{0};

  mutable Mutex mutex_;
  TimeNs now_ WEIR_GUARDED_BY(mutex_) = 0;  // of the last step
  LiveSeries series_ WEIR_GUARDED_BY(mutex_);
  TopKeys keys_ WEIR_GUARDED_BY(mutex_);
  HotLimits hot_ WEIR_GUARDED_BY(mutex_){options_.peek};
  RefusalBook refusals_ WEIR_GUARDED_BY(mutex_);
  std::set<std::pair<std::string, std::string>> utilisations_ WEIR_GUARDED_BY(mutex_);  // in the metrics
};

}  // namespace weir
