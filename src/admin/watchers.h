// Who watches the event stream, and what each is shown.
//
//   Watchers watchers;
//   std::uint64_t id = watchers.add({.key = "agent-1"}, load, [](Watchers::Text text, std::size_t decisions) { … });
//   watchers.show(events, now);                  // ten times a second
//   watchers.second_over(tick, 0, now);
//
// Thread-safe; `send` is called on the thread that shows. Nobody is waited for. Limits: kMaxWatchers; as many decisions
// a second as each asks for, at most kMaxWatchedPerSecond (twice that in the first second of a burst), of more a sample
// in which every event has the same chance; kMaxPosted pieces on their way to one watcher, further ones are missed.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "gateway/event_feed.h"

namespace weir {

inline constexpr std::int64_t kMaxWatchedPerSecond = 10'000;  // 5,000 requests, admitted and settled

struct WatchFilter {
  std::int64_t most = kMaxWatchedPerSecond;    // decisions a second
  std::uint32_t only = ~0u;                    // bits by DecisionEvent::What
  std::string key, tier, model, layer, limit;  // empty: any
  bool takes(const DecisionEvent& event) const;
  bool takes_all() const;
};

// Between those who show and the worker that writes.
struct WatchLoad {
  std::atomic<std::int64_t> posted{0};  // pieces that the worker has not seen yet
  std::atomic<std::int64_t> missed{0};  // decisions that the client was too slow for, since the last second
};

class Watchers {
 public:
  static constexpr std::size_t kMaxWatchers = 64;
  static constexpr std::int64_t kMaxPosted = 64;
  static constexpr DurationNs kHeartbeat = 15 * kSecond;

  using Text = std::shared_ptr<const std::string>;
  // `decisions` in the text; 0: a tick or the like. Takes one off `posted` of its load once it is written.
  using Send = std::function<void(Text text, std::size_t decisions)>;

  // 0: there are kMaxWatchers.
  std::uint64_t add(WatchFilter filter, std::shared_ptr<WatchLoad> load, Send send) WEIR_EXCLUDES(mutex_);
  void remove(std::uint64_t id) WEIR_EXCLUDES(mutex_);
  std::size_t count() const WEIR_EXCLUDES(mutex_);

  // --- one thread
  // -----------------------------------------------------------------------------------------------------
  void show(std::span<const DecisionEvent* const> events, TimeNs now) WEIR_EXCLUDES(mutex_);
  // `dropped`: events of the last second that nobody saw.
  void second_over(const std::string& tick_json, std::uint64_t dropped, TimeNs now) WEIR_EXCLUDES(mutex_);

  // Any thread: another event to everybody.
  void tell(std::string_view event, std::string_view json) WEIR_EXCLUDES(mutex_);

 private:
  struct Watcher {
    WatchFilter filter;
    std::shared_ptr<WatchLoad> load;
    Send send;
    // of the thread that shows
    std::int64_t credit = 0;  // decisions that may be shown, times a second
    TimeNs credited_at = 0, heartbeat_at = 0;
    std::uint64_t random = 0;
    std::int64_t shown = 0, of = 0;  // in this second
  };
  std::vector<std::shared_ptr<Watcher>> all() const WEIR_EXCLUDES(mutex_);
  static void sample(Watcher& watcher, std::vector<std::size_t>& matches, TimeNs now);
  static bool post(Watcher& watcher, Text text, std::size_t decisions);

  mutable Mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Watcher>> watchers_ WEIR_GUARDED_BY(mutex_);
  std::uint64_t next_id_ WEIR_GUARDED_BY(mutex_) = 0;
};

}  // namespace weir
