// Alerts beside the running server: judges every second, keeps alerts and messages in the store, and sends them.
//
//   auto desk = AlertDesk::open(parts);
//   (*desk)->use(policy);                      // and again after every reload
//   (*desk)->watch(observer);                  // before the observer's first step
//   (*desk)->start();  …  (*desk)->stop();
//
// Rules are judged on the observer's thread and never wait; a thread of its own writes to the store, and one per target
// sends. The data plane knows nothing of it. Limits: kMaxUnwritten changes wait for a store that is busy, kMaxWaiting
// messages wait for their targets; further ones are dropped and said in the log.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "admin/observer.h"
#include "alerts/rules.h"
#include "alerts/tally.h"
#include "app/alert_sender.h"
#include "gateway/provider_health.h"
#include "policy/policy.h"
#include "records/store.h"

namespace weir {

class AlertDesk {
 public:
  static constexpr std::size_t kMaxUnwritten = 1'000;
  static constexpr std::size_t kMaxWaiting = 10'000;
  static constexpr std::int64_t kShownEvery = 10;  // seconds after which the store says what is so now
  static constexpr DurationNs kKept = 90 * kDay;   // alerts that are over

  // All of it outlives the desk and is thread-safe.
  struct Parts {
    const Clock& clock;
    std::string data;
    const ProviderHealth& providers;
    Metrics& metrics;
    // Limits that admitted requests without their counters, and how many since the start; null: there are none.
    std::function<std::vector<std::pair<std::string, std::int64_t>>()> fail_open = {};
  };
  static Result<std::unique_ptr<AlertDesk>> open(Parts parts);
  AlertDesk(Parts parts, Store store);
  ~AlertDesk();

  void use(const Policy& policy) WEIR_EXCLUDES(mutex_);  // any thread; in force within a second or two
  void watch(Observer& observer);
  void start();
  void stop();
  std::int64_t firing() const { return firing_.load(std::memory_order_relaxed); }

 private:
  struct Spent {
    std::string rule, name;
    std::int64_t usd_micros = 0;
  };
  struct Settings {
    AlertSettings alerts;
    std::string zone;
    std::vector<Spent> spent;
    AlertRules::Windows windows;  // the longest of each limit
    std::set<std::string, std::less<>> dollar_limits, shadow_limits;
  };
  using Targets = std::vector<AlertTarget>;

  Result<void> load();
  void second_over(const Second& second);
  void take_settings(TimeNs now);
  AlertInput input_of(const Second& second);
  void tell(const AlertChange& change);
  // the desk's own thread
  bool tick();
  void write_firing(std::vector<Alert> alerts);
  void prepare_settings(TimeNs now);
  void read_spent(const AlertRule& rule, Settings& settings, TimeNs now);
  bool write_changes(const AlertSettings& settings, TimeNs now);
  std::vector<AlertMessage> messages_of(const AlertChange& change, const AlertSettings& settings, TimeNs now) const;
  void take_results(TimeNs now);
  void send_due(const Targets& targets, TimeNs now);
  void finish(AlertMessage& message, TimeNs now, std::string result);
  void count(const AlertMessage& message, const char* result);

  const Parts parts_;
  Observer* observer_ = nullptr;

  // the observer's thread
  AlertRules rules_;
  AlertTally tally_;
  std::set<std::string, std::less<>> dollar_limits_, shadow_limits_;
  bool ready_ = false;     // settings were taken
  bool watching_ = false;  // there are rules
  std::vector<Alert> restored_;

  mutable Mutex mutex_;
  std::optional<Settings> wanted_ WEIR_GUARDED_BY(mutex_);  // what was spent is not read yet
  std::optional<Settings> fresh_ WEIR_GUARDED_BY(mutex_);   // not yet taken by the observer's thread
  AlertSettings settings_ WEIR_GUARDED_BY(mutex_);
  std::vector<AlertChange> changes_ WEIR_GUARDED_BY(mutex_);
  std::vector<Alert> firing_now_ WEIR_GUARDED_BY(mutex_);  // not yet in the store; none that is over
  std::vector<AlertSender::Done> results_ WEIR_GUARDED_BY(mutex_);

  // the desk's own thread
  Store store_;
  std::map<std::string, AlertMessage> waiting_;  // by id; the store has them all
  std::map<std::int64_t, std::string> shown_;    // sentences of firing alerts, as they were written last
  std::vector<AlertMessage> unsaved_;            // outcomes that the store could not take yet
  std::vector<AlertRule> prepared_;              // rules that were told what was spent
  std::uint64_t random_ = 0;
  TimeNs next_purge_ = 0;

  std::atomic<std::int64_t> firing_{0};
  std::unique_ptr<AlertSender> sender_;
  std::unique_ptr<Background> thread_;
};

}  // namespace weir
