#include "alerts/rules.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "alerts/measures.h"
#include "alerts/words.h"

namespace weir {
namespace {

// As many digits as somebody reads: tenths of a percent, micro-dollars, whole tokens.
double shown(const AlertRule& rule, double value) {
  using When = AlertRule::When;
  const bool dollars = rule.when == When::kSpend || (rule.when == When::kSpike && rule.meter == AlertRule::Meter::kUsd);
  const double digits = dollars ? 1e6 : rule.when == When::kSpike ? 1 : 10;
  return std::round(value * digits) / digits;
}

// How long a subject of this alert can be used up without being spoken of after a start.
DurationNs lasts(const AlertRule& rule, const Alert& alert, const AlertRules::Windows& windows) {
  if (rule.when == AlertRule::When::kBreakerOpened) return kBreakLasts;
  if (rule.when != AlertRule::When::kUsage) return rule.within;
  const auto limit = windows.find(std::string_view(alert.subject).substr(0, alert.subject.find(" of ")));
  return limit == windows.end() ? 0 : limit->second;
}

// One rule and what is known for it.
class Watch {
 public:
  Watch(const AlertRule& rule, std::string_view zone, std::size_t most_tracked)
      : rule_(rule),
        measure_(make_measure(rule, zone, most_tracked)),
        evidence_(std::min(AlertRules::kMaxKeys, most_tracked), rule.within) {}

  const AlertRule& rule() const { return rule_; }
  Measure& measure() { return *measure_; }
  bool fresh() const { return fresh_; }  // has seen nothing yet

  void restore(const Alert& alert, const AlertRules::Windows& windows, TimeNs now) {
    if (unseen_.size() >= AlertRules::kMaxSubjects) return;
    unseen_.push_back({now + lasts(rule_, alert, windows) + quiet(), alert});
  }

  void step(const AlertInput& input, std::vector<AlertChange>& out) {
    fresh_ = false;
    judged_.clear();
    measure_->take(input);
    if (rule_.when == AlertRule::When::kSpike) evidence_.take(input);
    measure_->each(input, [&](const std::string& subject, const Reading& reading) {
      if (!unseen_.empty()) recognise(subject, reading);
      judge(subject, reading, input.now, out);
      if (reading.use != nullptr && subjects_.contains(subject)) {
        judged_.emplace_back(reading.use->limit, reading.use->id);
      }
    });
    for (Unseen& each : unseen_) {
      if (each.until <= input.now) end(each.alert, input.now, out);
    }
    std::erase_if(unseen_, [&](const Unseen& each) { return each.until <= input.now; });
    // Whoever is not spoken of any more is below.
    for (auto& [subject, state] : subjects_) {
      if (state.judged_at != input.now) silent_.push_back(subject);
    }
    for (const std::string& subject : silent_) judge(subject, Reading{}, input.now, out);
    silent_.clear();
  }

  void end_all(TimeNs now, std::vector<AlertChange>& out) {
    for (auto& [subject, state] : subjects_) {
      if (state.alert.since != 0) end(state.alert, now, out);
    }
    for (Unseen& each : unseen_) end(each.alert, now, out);
    subjects_.clear();
    unseen_.clear();
  }

  const AlertRules::Judged& judged() const { return judged_; }

  void firing(std::vector<Alert>& out) const {
    for (const auto& [subject, state] : subjects_) {
      if (state.alert.since != 0) out.push_back(state.alert);
    }
    for (const Unseen& each : unseen_) out.push_back(each.alert);
  }

 private:
  struct State {
    TimeNs holds_since = 0, below_since = 0, judged_at = 0;
    Alert alert;           // since 0: not firing
    std::string evidence;  // of its cause, as its sentence ends
  };
  struct Unseen {
    TimeNs until = 0;  // when it is over even if nobody speaks of it
    Alert alert;
  };

  DurationNs quiet() const { return std::max(rule_.hold, AlertRules::kQuiet); }

  // Is it one of those that were firing before the start?
  void recognise(const std::string& subject, const Reading& reading) {
    const auto found = std::find_if(unseen_.begin(), unseen_.end(), [&](const Unseen& each) {
      return each.alert.subject == (reading.words.empty() ? subject : reading.words) &&
             each.alert.id == alert_id(rule_.name, subject, each.alert.since);
    });
    if (found == unseen_.end()) return;
    subjects_[subject].alert = std::move(found->alert);
    unseen_.erase(found);
  }

  void judge(const std::string& subject, const Reading& reading, TimeNs now, std::vector<AlertChange>& out) {
    auto found = subjects_.find(subject);
    const bool holds = reading.value >= reading.threshold && reading.threshold > 0;
    if (found == subjects_.end()) {
      if (!holds || subjects_.size() + unseen_.size() >= AlertRules::kMaxSubjects) return;
      found = subjects_.emplace(subject, State{}).first;
    }
    State& state = found->second;
    state.judged_at = now;
    if (state.alert.since == 0) {
      if (!holds) {
        subjects_.erase(found);
        return;
      }
      if (state.holds_since == 0) state.holds_since = now;
      if (now - state.holds_since < rule_.hold) return;
      state.alert.id = alert_id(rule_.name, subject, now);
      state.alert.rule = rule_.name;
      state.alert.subject = reading.words.empty() ? subject : reading.words;
      state.alert.since = now;
      say(state, subject, AlertChange::What::kBegan, reading, now, out);
      return;
    }
    if (reading.threshold > 0) show(state, subject, reading, now);
    const bool below = reading.threshold <= 0 || reading.value * 100 < reading.threshold * AlertRules::kClearPercent;
    if (below) {
      if (state.below_since == 0) state.below_since = now;
      if (now - state.below_since < quiet()) return;
      end(state.alert, now, out);
      subjects_.erase(found);
      return;
    }
    state.below_since = 0;
    if (rule_.every > 0 && now - state.alert.told_at >= rule_.every && holds) {
      say(state, subject, AlertChange::What::kAgain, reading, now, out);
    }
  }

  void say(State& state, const std::string& subject, AlertChange::What what, const Reading& reading, TimeNs now,
           std::vector<AlertChange>& out) {
    state.alert.told_at = now;
    if (rule_.when == AlertRule::When::kSpike) {
      Cause cause = evidence_.cause(subject, rule_, now);
      state.alert.cause = std::move(cause.word);
      state.evidence = " Likely cause: " + state.alert.cause + "; " + cause.evidence + ".";
    }
    show(state, subject, reading, now);
    out.push_back({what, state.alert});
  }

  void show(State& state, const std::string& subject, const Reading& reading, TimeNs now) {
    // What was found before the start stays as it was said.
    if (rule_.when == AlertRule::When::kSpike && state.evidence.empty()) return;
    state.alert.value = shown(rule_, reading.value);
    state.alert.threshold = shown(rule_, reading.threshold);
    state.alert.sentence = measure_->sentence(subject, now) + state.evidence;
  }

  static void end(Alert& alert, TimeNs now, std::vector<AlertChange>& out) {
    alert.until = alert.told_at = now;
    alert.sentence = over_words(alert);
    out.push_back({AlertChange::What::kResolved, alert});
  }

  const AlertRule rule_;
  const std::unique_ptr<Measure> measure_;
  bool fresh_ = true;
  EvidenceBook evidence_;                  // of spikes
  std::map<std::string, State> subjects_;  // pending and firing
  std::vector<Unseen> unseen_;             // firing before the start, and not spoken of since
  std::vector<std::string> silent_;
  AlertRules::Judged judged_;  // in this step
};

}  // namespace

struct AlertRules::Impl {
  std::vector<std::unique_ptr<Watch>> watches;
  std::vector<std::unique_ptr<Watch>> gone;  // until the next step
  std::vector<Alert> orphans;                // restored, of rules that are not there any more
  std::string zone;
};

AlertRules::AlertRules() : impl_(std::make_unique<Impl>()) {}
AlertRules::~AlertRules() = default;

void AlertRules::use(std::span<const AlertRule> rules, std::string_view zone) {
  std::vector<std::unique_ptr<Watch>> before = std::exchange(impl_->watches, {});
  const std::size_t most_tracked = kMaxTracked / std::max<std::size_t>(rules.size(), 1);
  for (const AlertRule& rule : rules) {
    const auto known = std::find_if(before.begin(), before.end(), [&](const auto& watch) {
      return watch != nullptr && watch->rule() == rule && impl_->zone == zone;
    });
    impl_->watches.push_back(known != before.end() ? std::move(*known)
                                                   : std::make_unique<Watch>(rule, zone, most_tracked));
  }
  impl_->zone = zone;
  for (auto& watch : before) {
    if (watch != nullptr) impl_->gone.push_back(std::move(watch));
  }
}

void AlertRules::spent_before(std::string_view rule, std::string_view name, std::int64_t usd_micros, TimeNs at) {
  for (const auto& watch : impl_->watches) {
    if (watch->rule().name == rule && watch->fresh()) watch->measure().spent_before(name, usd_micros, at);
  }
}

void AlertRules::restore(std::span<const Alert> firing, const Windows& windows, TimeNs now) {
  for (const Alert& alert : firing) {
    const auto watch = std::find_if(impl_->watches.begin(), impl_->watches.end(),
                                    [&](const auto& each) { return each->rule().name == alert.rule; });
    if (watch != impl_->watches.end()) {
      (*watch)->restore(alert, windows, now);
    } else {
      impl_->orphans.push_back(alert);
    }
  }
}

std::vector<AlertChange> AlertRules::step(const AlertInput& input) {
  std::vector<AlertChange> out;
  for (auto& watch : impl_->gone) watch->end_all(input.now, out);
  impl_->gone.clear();
  for (Alert& alert : impl_->orphans) {
    alert.until = alert.told_at = input.now;
    alert.sentence = over_words(alert);
    out.push_back({AlertChange::What::kResolved, alert});
  }
  impl_->orphans.clear();
  for (auto& watch : impl_->watches) watch->step(input, out);
  return out;
}

AlertRules::Judged AlertRules::judged() const {
  Judged out;
  for (const auto& watch : impl_->watches) out.insert(out.end(), watch->judged().begin(), watch->judged().end());
  return out;
}

std::vector<Alert> AlertRules::firing() const {
  std::vector<Alert> out;
  for (const auto& watch : impl_->watches) watch->firing(out);
  return out;
}

}  // namespace weir
