#include "admin/observer.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/json_writer.h"

namespace weir {
namespace {

using What = DecisionEvent::What;

LiveCounts counts_of(const DecisionEvent& event) {
  const bool refused = event.what == What::kRefused || event.what == What::kBroken;
  const bool decided = refused || event.what == What::kRejected || event.what == What::kAdmitted;
  return {.requests = decided && !event.of_call ? 1 : 0,
          .refused = refused ? 1 : 0,
          .tokens = event.what == What::kSettled ? event.input_tokens + event.output_tokens : 0,
          .usd_micros = event.what == What::kSettled ? event.usd_micros : 0};
}

}  // namespace

EventFeed& Observer::open_feed() {
  return feeds_.emplace_back(std::make_unique<Feed>())->feed;
}

void Observer::step(TimeNs now) {
  shown_.clear();
  std::uint64_t dropped = 0;
  for (const auto& each : feeds_) {
    dropped += each->feed.take(each->batch);
    for (const DecisionEvent& event : each->batch.events()) shown_.push_back(&event);
  }
  dropped_.fetch_add(dropped, std::memory_order_relaxed);
  const bool watched = watchers_.count() > 0;
  if (watched)
    std::stable_sort(shown_.begin(), shown_.end(), [](const auto* a, const auto* b) { return a->time < b->time; });
  // Before the lock: a reload keeps the rules for long.
  const std::shared_ptr<const Ruleset> rules = options_.rules ? options_.rules() : nullptr;
  std::optional<Second> over;
  {
    const MutexLock lock(mutex_);
    now_ = now;
    if (rules != nullptr) hot_.use(rules);
    if (series_.second() == 0) series_.open(now / kSecond);
    for (const DecisionEvent* event : shown_) count(*event, rules.get(), now);
    if (now / kSecond > series_.second()) over = close_second(now);
  }
  if (watched) watchers_.show(shown_, now);
  for (const auto& listener : event_listeners_) listener(shown_);
  if (over) {
    over->in_flight = options_.in_flight();
    per_second_.store(over->total.requests, std::memory_order_relaxed);
    watchers_.second_over(tick_json(*over), dropped_.load() - std::exchange(dropped_before_, dropped_.load()), now);
    for (const auto& listener : listeners_) listener(*over);
  }
  keep_refusals(now);
}

void Observer::count(const DecisionEvent& event, const Ruleset* rules, TimeNs now) {
  const LiveCounts counts = counts_of(event);
  if (counts.any()) {
    series_.add(counts);
    if (!event.tier.empty()) series_.add(LiveSeries::kTier, event.tier, counts);
    if (!event.model.empty()) series_.add(LiveSeries::kModel, event.model, counts);
    if (counts.refused > 0 && !event.layer.empty()) series_.add(LiveSeries::kLayer, event.layer, counts);
    // What had no key or made no sense is seen by its layer and is no refusal, as in the metrics.
    if (event.what == What::kRejected) series_.add(LiveSeries::kLayer, event.layer, {.refused = 1});
    keys_.add(event.key, counts);
  }
  if (event.what == What::kRefused || event.what == What::kBroken) {
    refusals_.add(now, event.limit, event.layer, event.key, false);
  }
  if (event.pressure_count == 0) return;
  // An exchange that began before a reload says how full its own limits were.
  if (rules == nullptr || event.rules.get() == rules) hot_.add(event, now);
  for (std::size_t i = 0; i < event.pressure_count && event.shadow_limits != 0; ++i) {
    if ((event.shadow_limits >> i & 1) == 0) continue;
    const LimitRule& rule = event.rules->policy().limits[event.pressures[i].limit];
    refusals_.add(now, rule.name, to_string(rule.layer), event.key, true);
  }
}

Second Observer::close_second(TimeNs now) {
  Second over{.second = series_.second(),
              .total = series_.total(),
              .by_tier = series_.groups(LiveSeries::kTier),
              .by_model = series_.groups(LiveSeries::kModel),
              .by_layer = series_.groups(LiveSeries::kLayer),
              .by_key = keys_.this_second(kKeysOfSecond),
              .hot = listeners_.empty() ? std::vector<HotSubject>() : hot_.all(now)};
  // Quiet seconds pass for the keys, too.
  const std::int64_t passed = std::min<std::int64_t>(now / kSecond - series_.second(), TopKeys::kSeconds);
  for (std::int64_t i = 0; i < passed; ++i) keys_.close();
  series_.open(now / kSecond);
  return over;
}

void Observer::keep_refusals(TimeNs now) {
  if (now < keep_at_) return;
  keep_at_ = now + kKeepEvery;
  std::vector<RefusalHour> rows = take_refusals();
  if (!rows.empty() && !options_.keep(rows)) give_back(std::move(rows));
}

std::vector<RefusalHour> Observer::take_refusals() {
  const MutexLock lock(mutex_);
  return refusals_.take();
}

void Observer::give_back(std::vector<RefusalHour> rows) {
  const MutexLock lock(mutex_);
  refusals_.give_back(std::move(rows));
}

std::vector<HotSubject> Observer::hot(std::string_view limit) {
  const MutexLock lock(mutex_);
  std::vector<HotSubject> out = hot_.of(limit, now_);
  if (out.size() > HotLimits::kMaxSubjects) out.resize(HotLimits::kMaxSubjects);
  return out;
}

void Observer::keep_hot(std::span<const std::pair<std::string, std::uint64_t>> names) {
  const MutexLock lock(mutex_);
  hot_.keep(names);
}

std::int64_t Observer::refused_last_hour(std::string_view limit) const {
  const MutexLock lock(mutex_);
  return refusals_.last_hour(limit, now_);
}

std::string Observer::live(std::size_t seconds, TimeNs now) const {
  LiveWindow window;
  std::vector<NamedCounts> top;
  {
    const MutexLock lock(mutex_);
    window = series_.window(seconds);
    top = keys_.last_minute(kTopKeys);
  }
  return live_json(window, top, options_.in_flight(), now);
}

void Observer::changed(std::string_view what, std::string_view version) {
  std::string json;
  JsonWriter(json).begin_object().key("what").string(what).key("version").string(version).end_object();
  watchers_.tell("changed", json);
}

// A pair that is not in use any more is 0, not gone: Prometheus would go on with its last value.
void Observer::write_gauges(Metrics& metrics, std::span<const HotSubject> hot) {
  metrics.counter("weir_events_dropped_total", "Decisions that the live view missed; their numbers are in the metrics.")
      .set(static_cast<std::int64_t>(dropped()));
  metrics.gauge("weir_events_watchers", "Readers of the event stream.")
      .set(static_cast<std::int64_t>(watchers_.count()));
  const MutexLock lock(mutex_);
  std::map<std::pair<std::string, std::string>, double> most;
  for (const auto& pair : utilisations_) most[pair] = 0;
  for (const HotSubject& subject : hot) {
    std::pair<std::string, std::string> pair(subject.limit, subject.tier);
    if (!most.contains(pair) && most.size() >= kMaxUtilisations) pair = {std::string(kOtherGroup), {}};
    double& ratio = most[std::move(pair)];
    ratio = std::max(ratio, subject.ratio);
  }
  for (const auto& [pair, ratio] : most) {
    utilisations_.insert(pair);
    metrics
        .ratio("weir_limit_utilisation_ratio", "Used and held of allowed, of the subject nearest to its amount now.",
               {{"limit", pair.first}, {"tier", pair.second}})
        .set(std::llround(ratio * 1000));
  }
}

}  // namespace weir
