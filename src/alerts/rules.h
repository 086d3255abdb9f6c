// The alert rules of weir.yaml over the seconds: begins, repeats and ends alerts.
//
//   AlertRules rules;
//   rules.use(policy.alerts.rules, policy.zone, now);
//   for (const AlertChange& change : rules.step(input)) tell(change);      // once a second
//
// There is one alert per rule and subject: of usage the subject that is counted, whatever it is called, and its id is
// made from it, so that it is known again after a restart. It begins when the rule has held for `for`, and ends when
// its value was below kClearPercent of the threshold for as long, at least kQuiet. Pure and of one thread. Limits:
// kMaxSubjects alerts of a rule at once, kMaxTracked subjects with sums or baselines over all rules, kMaxKeys keys with
// evidence; of sums and evidence what was used least recently makes room.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alerts/input.h"
#include "model/alert.h"
#include "model/alert_rules.h"

namespace weir {

class AlertRules {
 public:
  static constexpr std::size_t kMaxSubjects = 1'000;
  static constexpr std::size_t kMaxTracked = 20'000;
  static constexpr std::size_t kMaxKeys = 2'000;
  static constexpr DurationNs kQuiet = 10 * kSecond;
  static constexpr std::int64_t kClearPercent = 90;

  AlertRules();
  ~AlertRules();
  AlertRules(const AlertRules&) = delete;
  AlertRules& operator=(const AlertRules&) = delete;

  // Rules that say what they said before keep what they know; alerts of those that are gone end with the next step.
  void use(std::span<const AlertRule> rules, std::string_view zone);
  // What the ledger says was spent already, for a rule with `when: spend` that is new: of a key, a tenant or, without
  // name, everybody. Before the next step.
  void spent_before(std::string_view rule, std::string_view name, std::int64_t usd_micros, TimeNs at);
  // Alerts that were firing when the process before ended. Of such a subject nothing is known at first, which does not
  // mean that it is over: that it is once it was seen below, or once the time has passed over which its rule looks. Of
  // usage that is the limit's longest window.
  using Windows = std::map<std::string, DurationNs, std::less<>>;
  void restore(std::span<const Alert> firing, const Windows& windows, TimeNs now);

  std::vector<AlertChange> step(const AlertInput& input);

  // As it is now, though it was said before.
  std::vector<Alert> firing() const;
  // Limits and subjects that the last step judged and has not done with: not to be told of them would end their alerts.
  using Judged = std::vector<std::pair<std::string, std::uint64_t>>;
  Judged judged() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
