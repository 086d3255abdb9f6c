// Breakers, limits that fail open, drift of settlements, errors of providers.
#include <fmt/format.h>

#include <map>

#include "alerts/measures.h"
#include "alerts/words.h"
#include "policy/amounts.h"

namespace weir {
namespace {

constexpr std::size_t kMaxNames = 1'000;  // providers, limits, keys with breaks; further ones are not watched

// What holds or does not, for a while after it was last seen.
class LastingFaults {
 public:
  explicit LastingFaults(DurationNs lasts) : lasts_(lasts) {}

  void seen(const std::string& subject, std::string sentence, TimeNs now) {
    if (faults_.size() >= kMaxNames && !faults_.contains(subject)) return;
    faults_[subject] = {now, std::move(sentence)};
  }
  void each(TimeNs now, const EachReading& reading) {
    std::erase_if(faults_, [&](const auto& fault) { return now - fault.second.at > lasts_; });
    for (const auto& [subject, fault] : faults_) reading(subject, {.value = 1, .threshold = 1});
  }
  std::string sentence(const std::string& subject) const {
    const auto found = faults_.find(subject);
    return found == faults_.end() ? subject : found->second.sentence;
  }

 private:
  struct Fault {
    TimeNs at = 0;
    std::string sentence;
  };
  DurationNs lasts_;
  std::map<std::string, Fault> faults_;
};

class BreakerMeasure final : public Measure {
 public:
  void take(const AlertInput& input) override {
    for (const AlertInput::Breaker& open : input.open_breakers) {
      providers_.seen(
          "provider " + open.provider + ", model " + open.model,
          fmt::format("The breaker of provider {} is open for model {}: at least half of its latest answers "
                      "failed. Fallbacks are used where there are any.",
                      open.provider, open.model),
          input.now);
    }
    for (const KeySecond& key : input.keys) {
      if (key.breaks == 0) continue;
      keys_.seen("key " + key.key, fmt::format("A breaker stopped key {}: {}", key.key, key.break_evidence), input.now);
    }
  }
  void each(const AlertInput& input, const EachReading& reading) override {
    providers_.each(input.now, reading);
    keys_.each(input.now, reading);
  }
  std::string sentence(const std::string& subject, TimeNs) override {
    return subject.starts_with("key ") ? keys_.sentence(subject) : providers_.sentence(subject);
  }

 private:
  LastingFaults providers_{0}, keys_{kBreakLasts};
};

class FailOpenMeasure final : public Measure {
 public:
  void take(const AlertInput& input) override {
    for (const auto& [limit, total] : input.fail_open) {
      if (totals_.size() >= kMaxNames && !totals_.contains(limit)) continue;
      const std::int64_t before = std::exchange(totals_[limit], total);
      if (total <= before) continue;
      open_.seen("limit " + limit,
                 fmt::format("Limit {} cannot reach its counters and admits everything ({} requests so far).", limit,
                             format_count(total)),
                 input.now);
    }
  }
  void each(const AlertInput& input, const EachReading& reading) override { open_.each(input.now, reading); }
  std::string sentence(const std::string& subject, TimeNs) override { return open_.sentence(subject); }

 private:
  std::map<std::string, std::int64_t> totals_;
  LastingFaults open_{kFailOpenLasts};
};

// Answers that use more than was held for them: limits learn of it too late.
class DriftMeasure final : public Measure {
 public:
  explicit DriftMeasure(const AlertRule& rule)
      : rule_(rule), settled_(rule.within), reserved_(rule.within), used_(rule.within) {}

  void take(const AlertInput& input) override {
    settled_.add(input.settled, input.now);
    reserved_.add(input.settled_reserved, input.now);
    used_.add(input.settled_used, input.now);
  }
  void each(const AlertInput& input, const EachReading& reading) override {
    if (settled_.of(input.now) < kLeastSettled || reserved_.of(input.now) <= 0) return;
    reading("all traffic", {.value = drift(input.now), .threshold = static_cast<double>(rule_.above_percent)});
  }
  std::string sentence(const std::string&, TimeNs now) override {
    return fmt::format(
        "{} answers of the last {} used {} tokens where {} were held for them, {:.0f}% more; the rule says "
        "{}%. Limits learn of it too late: raise `reservation`.",
        format_count(settled_.of(now)), duration_words(rule_.within), format_count(used_.of(now)),
        format_count(reserved_.of(now)), drift(now), rule_.above_percent);
  }

 private:
  double drift(TimeNs now) {
    const auto reserved = static_cast<double>(reserved_.of(now)), used = static_cast<double>(used_.of(now));
    return reserved <= 0 ? 0 : std::max(0.0, (used - reserved) / reserved * 100);
  }

  const AlertRule rule_;
  RollingSum settled_, reserved_, used_;
};

class ProviderMeasure final : public Measure {
 public:
  explicit ProviderMeasure(const AlertRule& rule) : rule_(rule) {}

  void take(const AlertInput& input) override {
    for (const AlertInput::Provider& now : input.providers) {
      auto known = providers_.find(now.provider);
      if (known == providers_.end()) {
        if (providers_.size() >= kMaxNames) continue;
        known = providers_.emplace(now.provider, State{rule_.within}).first;
      }
      State& state = known->second;
      state.answered.add(std::max<std::int64_t>(now.answered - std::exchange(state.answered_before, now.answered), 0),
                         input.now);
      state.failed.add(std::max<std::int64_t>(now.failed - std::exchange(state.failed_before, now.failed), 0),
                       input.now);
    }
  }
  void each(const AlertInput& input, const EachReading& reading) override {
    for (auto& [provider, state] : providers_) {
      const std::int64_t answered = state.answered.of(input.now), failed = state.failed.of(input.now);
      if (answered < kLeastCalls && failed < kLeastFailures) continue;
      reading("provider " + provider, {.value = static_cast<double>(failed) * 100 / static_cast<double>(answered),
                                       .threshold = static_cast<double>(rule_.above_percent)});
    }
  }
  std::string sentence(const std::string& subject, TimeNs now) override {
    const auto known = providers_.find(subject.substr(std::string_view("provider ").size()));
    if (known == providers_.end()) return subject + " fails.";
    const std::int64_t answered = known->second.answered.of(now), failed = known->second.failed.of(now);
    return fmt::format("{} of {} calls to {} failed within {} ({}%); the rule says {}%.", format_count(failed),
                       format_count(answered), subject, duration_words(rule_.within),
                       answered == 0 ? 0 : failed * 100 / answered, rule_.above_percent);
  }

 private:
  struct State {
    explicit State(DurationNs within) : answered(within), failed(within) {}
    RollingSum answered, failed;
    std::int64_t answered_before = 0, failed_before = 0;
  };
  const AlertRule rule_;
  std::map<std::string, State> providers_;
};

}  // namespace

std::unique_ptr<Measure> make_fault_measure(const AlertRule& rule) {
  switch (rule.when) {
    case AlertRule::When::kBreakerOpened:
      return std::make_unique<BreakerMeasure>();
    case AlertRule::When::kFailOpen:
      return std::make_unique<FailOpenMeasure>();
    case AlertRule::When::kSettlementDrift:
      return std::make_unique<DriftMeasure>(rule);
    case AlertRule::When::kUsage:
    case AlertRule::When::kSpend:
    case AlertRule::When::kSpike:
    case AlertRule::When::kProviderErrors:
      break;
  }
  return std::make_unique<ProviderMeasure>(rule);
}

}  // namespace weir
