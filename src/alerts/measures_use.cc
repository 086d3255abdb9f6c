// Spend and spikes.
#include <fmt/format.h>

#include <algorithm>

#include "alerts/baseline.h"
#include "alerts/measures.h"
#include "alerts/words.h"
#include "policy/amounts.h"
#include "policy/policy.h"

namespace weir {
namespace {

std::string capitalised(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string usd(double dollars) {
  return fmt::format("${:.2f}", dollars);
}

// Adds up what each subject of a rule did in a second.
template <class Amount>
void add_up(const AlertInput& input, AlertRule::Per per, std::int64_t all, Amount amount,
            const std::function<void(const std::string&, std::int64_t)>& add) {
  if (per == AlertRule::Per::kGlobal) {
    if (all > 0) add(subject_of(per, {}, {}), all);
    return;
  }
  for (const KeySecond& key : input.keys) {
    const std::string_view name = per == AlertRule::Per::kKey ? key.key : key.tenant;
    if (!name.empty() && amount(key) > 0) add(subject_of(per, key.key, key.tenant), amount(key));
  }
}

// Dollars of the last so many minutes.
class SpendMeasure final : public Measure {
 public:
  SpendMeasure(const AlertRule& rule, std::size_t most) : rule_(rule), sums_(most) {}

  void take(const AlertInput& input) override {
    add_up(
        input, rule_.per, input.usd_micros, [](const KeySecond& key) { return key.usd_micros; },
        [&](const std::string& subject, std::int64_t micros) { add(subject, micros, input.now); });
  }
  void each(const AlertInput& input, const EachReading& reading) override {
    for (const auto& [subject, unused] : sums_) {
      RollingSum copy = unused;
      reading(subject, {.value = static_cast<double>(copy.of(input.now)) / 1e6, .threshold = threshold()});
    }
  }
  std::string sentence(const std::string& subject, TimeNs now) override {
    RollingSum* sum = sums_.use(subject);
    return fmt::format("{} spent {} within {}; the rule says {}.", capitalised(subject),
                       usd(sum == nullptr ? 0 : static_cast<double>(sum->of(now)) / 1e6), duration_words(rule_.within),
                       usd(threshold()));
  }
  void spent_before(std::string_view name, std::int64_t micros, TimeNs at) override {
    add(subject_of(rule_.per, name, name), micros, at);
  }

 private:
  double threshold() const { return static_cast<double>(rule_.amount_micros) / 1e6; }
  void add(const std::string& subject, std::int64_t micros, TimeNs now) {
    RollingSum* sum = sums_.use(subject);
    if (sum == nullptr) {
      sum = &sums_.touch(subject);
      *sum = RollingSum(rule_.within);
    }
    sum->add(micros, now);
  }

  const AlertRule rule_;
  LruMap<std::string, RollingSum, TextHash> sums_;
};

// What a calendar period will come to: spent so far, and the pace so far for the rest of it.
class ForecastMeasure final : public Measure {
 public:
  ForecastMeasure(const AlertRule& rule, std::string_view zone, std::size_t most)
      : rule_(rule), zone_(zone), most_(most), spent_(most) {}

  void take(const AlertInput& input) override {
    enter_period(input.now);
    add_up(
        input, rule_.per, input.usd_micros, [](const KeySecond& key) { return key.usd_micros; },
        [&](const std::string& subject, std::int64_t micros) { spent_.touch(subject) += micros; });
  }
  void each(const AlertInput& input, const EachReading& reading) override {
    const DurationNs over = input.now - period_.start, all = period_.end - period_.start;
    if (all <= 0 || over * 100 < all * kForecastPercent) return;
    for (const auto& [subject, micros] : spent_) {
      reading(subject, {.value = forecast(micros, input.now), .threshold = threshold()});
    }
  }
  std::string sentence(const std::string& subject, TimeNs now) override {
    const std::int64_t* micros = spent_.find(subject);
    const std::int64_t spent = micros == nullptr ? 0 : *micros;
    return fmt::format("{} spent {} so far this {} and will come to {} at that pace; the rule says {}.",
                       capitalised(subject), usd(static_cast<double>(spent) / 1e6), rule_.period,
                       usd(forecast(spent, now)), usd(threshold()));
  }
  void spent_before(std::string_view name, std::int64_t micros, TimeNs at) override {
    enter_period(at);
    spent_.touch(subject_of(rule_.per, name, name)) += micros;
  }

 private:
  double threshold() const { return static_cast<double>(rule_.amount_micros) / 1e6; }
  double forecast(std::int64_t micros, TimeNs now) const {
    const auto over = static_cast<double>(now - period_.start), all = static_cast<double>(period_.end - period_.start);
    return static_cast<double>(micros) / 1e6 * (over > 0 ? all / over : 1);
  }
  void enter_period(TimeNs now) {
    if (now < period_.end) return;
    period_ = calendar_period(rule_.period, zone_, now).value_or(Period{.start = now, .end = now + kDay});
    spent_ = LruMap<std::string, std::int64_t, TextHash>(most_);
  }

  const AlertRule rule_;
  const std::string zone_;
  const std::size_t most_;
  Period period_;
  LruMap<std::string, std::int64_t, TextHash> spent_;
};

// Far more than is usual for the subject.
class SpikeMeasure final : public Measure {
 public:
  SpikeMeasure(const AlertRule& rule, std::size_t most) : rule_(rule), subjects_(most) {}

  void take(const AlertInput& input) override {
    const std::int64_t all = rule_.meter == AlertRule::Meter::kUsd      ? input.usd_micros
                             : rule_.meter == AlertRule::Meter::kTokens ? input.tokens
                                                                        : input.requests;
    add_up(
        input, rule_.per, all, [this](const KeySecond& key) { return amount_of(key); },
        [&](const std::string& subject, std::int64_t amount) { add(subject, amount, input.now); });
  }
  void each(const AlertInput& input, const EachReading& reading) override {
    recent_.clear();
    for (const auto& [subject, known] : subjects_) {  // the ones used last come first
      if (input.now - known.at > rule_.within) break;
      recent_.push_back(subject);
    }
    for (const std::string& subject : recent_) {
      Subject* known = subjects_.use(subject);
      known->usual.close_spans(input.now, cut(*known, input.now));
      if (known->usual.age(input.now) < rule_.warmup) continue;
      const double unit = rule_.meter == AlertRule::Meter::kUsd ? 1e6 : 1;
      reading(subject, {.value = static_cast<double>(known->sum.of(input.now)) / unit,
                        .threshold = threshold(*known, input.now) / unit});
    }
  }
  std::string sentence(const std::string& subject, TimeNs now) override {
    Subject* known = subjects_.use(subject);
    if (known == nullptr) return capitalised(subject) + " uses far more than usual.";
    const std::int64_t used = known->sum.of(now);
    const double usual = known->usual.of(now);
    std::string out = fmt::format("{} used {} within {}", capitalised(subject), amount_words(rule_.meter, used),
                                  duration_words(rule_.within));
    if (usual < 1) return out + ", where it usually uses next to nothing.";
    return out + fmt::format(", {:.0f} times its own baseline of {}.", static_cast<double>(used) / usual,
                             amount_words(rule_.meter, static_cast<std::int64_t>(usual)));
  }

 private:
  struct Subject {
    RollingSum sum;
    Baseline usual;
    TimeNs at = 0;  // when it last did something
  };

  std::int64_t amount_of(const KeySecond& key) const {
    return rule_.meter == AlertRule::Meter::kUsd      ? key.usd_micros
           : rule_.meter == AlertRule::Meter::kTokens ? key.tokens
                                                      : key.requests;
  }
  double threshold(const Subject& subject, TimeNs now) const {
    return std::max(subject.usual.of(now) * rule_.factor, static_cast<double>(rule_.least));
  }
  // Until the subject is judged, everything teaches.
  double cut(const Subject& subject, TimeNs now) const {
    constexpr double kNoCut = 1e18;
    return subject.usual.age(now) < rule_.warmup ? kNoCut : threshold(subject, now);
  }
  void add(const std::string& subject, std::int64_t amount, TimeNs now) {
    Subject* known = subjects_.use(subject);
    if (known == nullptr) {
      known = &subjects_.touch(subject);
      known->sum = RollingSum(rule_.within);
      known->usual = Baseline(rule_.within);
    }
    known->usual.close_spans(now, cut(*known, now));
    known->usual.add(amount, now);
    known->sum.add(amount, now);
    known->at = now;
  }

  const AlertRule rule_;
  LruMap<std::string, Subject, TextHash> subjects_;
  std::vector<std::string> recent_;  // within `within`, of this step
};

}  // namespace

std::unique_ptr<Measure> make_spend_measure(const AlertRule& rule, std::string_view zone, std::size_t most_tracked) {
  if (!rule.period.empty()) return std::make_unique<ForecastMeasure>(rule, zone, most_tracked);
  return std::make_unique<SpendMeasure>(rule, most_tracked);
}

std::unique_ptr<Measure> make_spike_measure(const AlertRule& rule, std::size_t most_tracked) {
  return std::make_unique<SpikeMeasure>(rule, most_tracked);
}

}  // namespace weir
