#include "app/alert_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "alerts/messages.h"
#include "alerts/retries.h"
#include "app/policy_file.h"
#include "base/hash.h"
#include "policy/amounts.h"

namespace weir {
namespace {

constexpr int kBusyMs = 1'000;
constexpr std::size_t kMaxBreakers = 1'000;

std::string subject_words(const HotSubject& subject) {
  std::string out;
  for (const auto& [attribute, value] : subject.per) {
    out.append(out.empty() ? "" : ", ").append(attribute).append(" ").append(value);
  }
  return out.empty() ? "everybody" : out;
}

// After so long nothing of what was used is in it any more. Zones and clocks that are put back make an hour's
// difference.
DurationNs longest_window(const LimitRule& rule) {
  DurationNs longest = 0;
  for (const TierAllowance& tier : rule.allow) {
    for (const WindowRule& window : tier.windows) {
      DurationNs length = window.length + window.length / 16;  // the oldest part of a ring leaves late
      if (window.kind == WindowKind::kBucket) {
        const double units = std::max(static_cast<double>(window.rate.units), 1.0);
        length = static_cast<DurationNs>(std::min(static_cast<double>(window.amount) / units, 1e4) *
                                         static_cast<double>(window.rate.per));
      } else if (window.kind == WindowKind::kCalendar) {
        const std::int64_t days = window.calendar == "month" ? 31 : window.calendar == "week" ? 7 : 1;
        length = (window.calendar == "hour" ? 0 : days * kDay) + kHour;
      }
      longest = std::max(longest, window.kind == WindowKind::kConcurrency ? 0 : length);
    }
  }
  return longest;
}

bool in_dollars(const LimitRule& rule) {
  return !rule.meter.empty() && std::all_of(rule.meter.begin(), rule.meter.end(),
                                            [](const MeterTerm& term) { return term.kind == MeterKind::kUsd; });
}

}  // namespace

Result<std::unique_ptr<AlertDesk>> AlertDesk::open(Parts parts) {
  Result<Store> store = Store::open(parts.data, {.create = true, .busy_timeout_ms = kBusyMs});
  if (!store) return std::unexpected(store.error());
  auto desk = std::make_unique<AlertDesk>(std::move(parts), std::move(*store));
  if (auto loaded = desk->load(); !loaded) return std::unexpected(loaded.error());
  return desk;
}

AlertDesk::AlertDesk(Parts parts, Store store)
    : parts_(std::move(parts)), store_(std::move(store)), random_(static_cast<std::uint64_t>(parts_.clock.now())) {}

AlertDesk::~AlertDesk() {
  stop();
}

Result<void> AlertDesk::load() {
  auto firing = store_.alerts(AlertsOf::kFiring, AlertRules::kMaxSubjects);
  if (!firing) return std::unexpected(firing.error());
  for (StoredAlert& stored : *firing) restored_.push_back(std::move(stored.alert));
  firing_ = static_cast<std::int64_t>(restored_.size());
  auto waiting = store_.waiting_alert_messages(kMaxWaiting);
  if (!waiting) return std::unexpected(waiting.error());
  for (AlertMessage& message : *waiting) {
    std::string id = message.id;
    waiting_.emplace(std::move(id), std::move(message));
  }
  return {};
}

void AlertDesk::use(const Policy& policy) {
  Settings fresh;
  fresh.alerts = policy.alerts;
  fresh.zone = policy.zone;
  for (const LimitRule& rule : policy.limits) {
    fresh.windows[rule.name] = longest_window(rule);
    if (rule.shadow) fresh.shadow_limits.insert(rule.name);
    if (in_dollars(rule)) fresh.dollar_limits.insert(rule.name);
  }
  const MutexLock lock(mutex_);
  settings_ = policy.alerts;
  wanted_ = std::move(fresh);
}

void AlertDesk::watch(Observer& observer) {
  observer_ = &observer;
  observer.add_event_listener([this](Observer::Events events) {
    if (!watching_) return;
    for (const DecisionEvent* event : events) tally_.add(*event);
  });
  observer.add_listener([this](const Second& second) { second_over(second); });
}

void AlertDesk::start() {
  sender_ = std::make_unique<AlertSender>(parts_.clock, [this](AlertSender::Done done) {
    const MutexLock lock(mutex_);
    results_.push_back(std::move(done));
  });
  thread_ = std::make_unique<Background>("weir-alerts", std::chrono::milliseconds(200), [this] { return tick(); });
}

void AlertDesk::stop() {
  if (thread_ == nullptr) return;
  thread_->stop();
  sender_.reset();
  tick();  // what came last
  thread_.reset();
}

// --- the observer's thread
// --------------------------------------------------------------------------------------------

void AlertDesk::take_settings(TimeNs now) {
  std::optional<Settings> fresh;
  {
    const MutexLock lock(mutex_);
    fresh.swap(fresh_);
  }
  if (!fresh) return;
  rules_.use(fresh->alerts.rules, fresh->zone);
  for (const Spent& spent : fresh->spent) rules_.spent_before(spent.rule, spent.name, spent.usd_micros, now);
  rules_.restore(restored_, fresh->windows, now);
  restored_.clear();
  dollar_limits_ = std::move(fresh->dollar_limits);
  shadow_limits_ = std::move(fresh->shadow_limits);
  watching_ = !fresh->alerts.rules.empty();
  ready_ = true;
}

AlertInput AlertDesk::input_of(const Second& second) {
  AlertInput input;
  tally_.close((second.second + 1) * kSecond, input);
  for (const ProviderHealth::ModelState& model : parts_.providers.states(input.now, kMaxBreakers)) {
    if (model.opened_at != 0) input.open_breakers.push_back({model.provider, model.model});
  }
  for (const ProviderHealth::Answers& each : parts_.providers.answers()) {
    input.providers.push_back({each.provider, each.answered, each.failed});
  }
  if (parts_.fail_open) input.fail_open = parts_.fail_open();
  for (const HotSubject& hot : second.hot) {
    const bool dollars = dollar_limits_.contains(hot.limit);
    const auto shown = [&](std::int64_t amount) { return dollars ? "$" + format_usd(amount) : format_count(amount); };
    input.uses.push_back({.limit = hot.limit,
                          .subject = subject_words(hot),
                          .id = hot.id,
                          .ratio = hot.ratio,
                          .used = shown(hot.used - hot.held),
                          .held = hot.held > 0 ? shown(hot.held) : "",
                          .allowed = shown(hot.allowed),
                          .shadow = shadow_limits_.contains(hot.limit)});
  }
  return input;
}

void AlertDesk::second_over(const Second& second) {
  take_settings((second.second + 1) * kSecond);
  if (!ready_ || (!watching_ && firing_.load() == 0)) return;
  const std::vector<AlertChange> changes = rules_.step(input_of(second));
  observer_->keep_hot(rules_.judged());
  std::vector<Alert> firing = rules_.firing();
  firing_ = static_cast<std::int64_t>(firing.size());
  for (const AlertChange& change : changes) tell(change);
  const bool refresh = second.second % kShownEvery == 0;
  if (changes.empty() && !refresh) return;
  std::size_t dropped = 0;
  {
    const MutexLock lock(mutex_);
    if (refresh || !firing_now_.empty()) firing_now_ = std::move(firing);
    for (const AlertChange& change : changes) {
      changes_.size() < kMaxUnwritten ? changes_.push_back(change) : void(++dropped);
    }
  }
  if (dropped > 0) {
    log_event(LogLevel::kError, parts_.clock.now(), "alerts were dropped: the store cannot be written",
              {{"count", static_cast<std::int64_t>(dropped)}});
  }
  if (thread_) thread_->wake();
}

void AlertDesk::tell(const AlertChange& change) {
  const Alert& alert = change.alert;
  log_event(alert.firing() ? LogLevel::kWarn : LogLevel::kInfo, parts_.clock.now(),
            alert.firing() ? "alert" : "alert is over",
            {{"rule", alert.rule}, {"subject", alert.subject}, {"because", alert.sentence}});
  if (observer_ != nullptr) observer_->watchers().tell("alert", alert_json(alert));
}

// --- the desk's own thread
// --------------------------------------------------------------------------------------------

bool AlertDesk::tick() {
  const TimeNs now = parts_.clock.now();
  AlertSettings settings;
  {
    const MutexLock lock(mutex_);
    settings = settings_;
  }
  prepare_settings(now);
  take_results(now);
  if (!write_changes(settings, now)) return false;
  if (sender_ == nullptr) return false;
  send_due(settings.targets, now);
  if (now >= next_purge_) {
    const auto gone = store_.purge_alerts(now - kKept, 1'000);
    next_purge_ = gone.value_or(0) > 0 ? now : now + kHour;
  }
  return false;
}

// What the ledger knows is read here: it may take seconds, and nobody waits for it. A rule that cannot be told what was
// spent begins at zero, and learns.
void AlertDesk::prepare_settings(TimeNs now) {
  std::optional<Settings> wanted;
  {
    const MutexLock lock(mutex_);
    wanted.swap(wanted_);
  }
  if (!wanted) return;
  for (const AlertRule& rule : wanted->alerts.rules) {
    const bool known = std::find(prepared_.begin(), prepared_.end(), rule) != prepared_.end();
    if (rule.when == AlertRule::When::kSpend && !known) read_spent(rule, *wanted, now);
  }
  prepared_ = wanted->alerts.rules;
  const MutexLock lock(mutex_);
  fresh_ = std::move(wanted);
}

void AlertDesk::read_spent(const AlertRule& rule, Settings& settings, TimeNs now) {
  TimeNs since = now - rule.within;
  if (!rule.period.empty()) {
    const auto period = calendar_period(rule.period, settings.zone, now);
    if (!period) return;
    since = period->start;
  }
  const bool all = rule.per == AlertRule::Per::kGlobal;
  const auto sums = store_.usage_sums(since, rule.per == AlertRule::Per::kKey ? UsageBy::kKey : UsageBy::kTenant);
  if (!sums) return;
  for (const UsageSum& sum : *sums) {
    if (sum.usd_micros == 0 || (!all && sum.group.empty())) continue;
    settings.spent.push_back({rule.name, all ? std::string() : sum.group, sum.usd_micros});
  }
}

// What a busy store does not take comes again.
void AlertDesk::write_firing(std::vector<Alert> alerts) {
  if (alerts.empty()) return;
  std::map<std::int64_t, std::string> before = std::exchange(shown_, {});
  for (Alert& alert : alerts) {
    // Of one from before the start of which nothing was seen the store knows more.
    if (alert.sentence.empty()) continue;
    if (before[alert.id] != alert.sentence && !store_.put_alert(alert, alert_members(alert), {})) return;
    shown_[alert.id] = std::move(alert.sentence);
  }
}

// False: the store is busy; nothing is sent that it does not have.
bool AlertDesk::write_changes(const AlertSettings& settings, TimeNs now) {
  while (!unsaved_.empty()) {
    if (!store_.update_alert_message(unsaved_.back())) return false;
    unsaved_.pop_back();
  }
  std::vector<AlertChange> changes;
  std::vector<Alert> firing;  // none of them is over in `changes`
  {
    const MutexLock lock(mutex_);
    changes = changes_;
    firing.swap(firing_now_);
  }
  for (const AlertChange& change : changes) {
    std::vector<AlertMessage> messages = messages_of(change, settings, now);
    if (!store_.put_alert(change.alert, alert_members(change.alert), messages)) return false;
    for (AlertMessage& message : messages) {
      std::string id = message.id;
      waiting_.emplace(std::move(id), std::move(message));
    }
    shown_.erase(change.alert.id);
    const MutexLock lock(mutex_);
    changes_.erase(changes_.begin());
  }
  write_firing(std::move(firing));
  return true;
}

std::vector<AlertMessage> AlertDesk::messages_of(const AlertChange& change, const AlertSettings& settings,
                                                 TimeNs now) const {
  std::vector<AlertMessage> out;
  const auto rule = std::find_if(settings.rules.begin(), settings.rules.end(),
                                 [&](const AlertRule& each) { return each.name == change.alert.rule; });
  for (const AlertTarget& target : settings.targets) {
    const bool wanted = rule == settings.rules.end() || rule->to.empty() ||
                        std::find(rule->to.begin(), rule->to.end(), target.name) != rule->to.end();
    if (!wanted) continue;
    if (waiting_.size() + out.size() >= kMaxWaiting) {
      log_event(LogLevel::kError, now, "an alert is not sent: too many messages wait",
                {{"rule", change.alert.rule}, {"target", target.name}});
      continue;
    }
    AlertMessage message;
    message.id = message_id(change) + "@" + target.name;
    message.alert = change.alert.id;
    message.rule = change.alert.rule;
    message.target = target.name;
    message.body = message_body(target.kind, change);
    message.created_at = message.next_at = now;
    out.push_back(std::move(message));
  }
  return out;
}

void AlertDesk::send_due(const Targets& targets, TimeNs now) {
  std::set<std::string, std::less<>> names;
  for (const AlertTarget& target : targets) names.insert(target.name);
  sender_->keep_only(names);
  std::vector<std::string> orphans;
  for (const AlertTarget& target : targets) {
    if (sender_->is_busy(target.name)) continue;
    // In the order in which they came, among those whose time has come.
    AlertMessage* next = nullptr;
    for (auto& [id, message] : waiting_) {
      if (message.target != target.name || message.next_at > now) continue;
      if (next == nullptr || message.created_at < next->created_at) next = &message;
    }
    if (next == nullptr) continue;
    sender_->send(target, *next);
    next->next_at = std::numeric_limits<TimeNs>::max();  // until it is known what became of it
  }
  for (const auto& [id, message] : waiting_) {
    if (!names.contains(message.target)) orphans.push_back(id);
  }
  for (const std::string& id : orphans) finish(waiting_.at(id), now, "given up: the target is gone from weir.yaml");
}

void AlertDesk::take_results(TimeNs now) {
  std::vector<AlertSender::Done> results;
  {
    const MutexLock lock(mutex_);
    results.swap(results_);
  }
  for (AlertSender::Done& done : results) {
    const auto found = waiting_.find(done.message);
    if (found == waiting_.end()) continue;
    AlertMessage& message = found->second;
    ++message.tries;
    if (done.result.ok) {
      finish(message, now, std::to_string(done.result.status));
      continue;
    }
    random_ = hash_pair(random_ | 1, static_cast<std::uint64_t>(now));
    message.next_at = next_try(message.tries, message.created_at, now, random_);
    if (message.next_at == 0) {
      finish(message, now, "given up: " + done.result.detail);
      continue;
    }
    message.result = done.result.detail;
    count(message, "failed");
    log_event(LogLevel::kWarn, now, "an alert did not arrive; it is sent again",
              {{"target", message.target}, {"rule", message.rule}, {"because", message.result}});
    unsaved_.push_back(message);
  }
}

// `message` is one of waiting_, and gone afterwards.
void AlertDesk::finish(AlertMessage& message, TimeNs now, std::string result) {
  message.done_at = now;
  message.result = std::move(result);
  const bool sent = !message.result.starts_with("given up");
  count(message, sent ? "sent" : "gave_up");
  if (!sent) {
    log_event(LogLevel::kError, now, "an alert was not delivered",
              {{"target", message.target}, {"rule", message.rule}, {"because", message.result}});
  }
  unsaved_.push_back(message);
  const std::string id = message.id;
  waiting_.erase(id);
}

void AlertDesk::count(const AlertMessage& message, const char* result) {
  parts_.metrics
      .counter("weir_alerts_sent_total", "Tries to send alerts by result: sent, failed (tried again), gave_up.",
               {{"rule", message.rule}, {"result", result}})
      .add(1);
}

}  // namespace weir
