#include "admin/watchers.h"

#include <algorithm>
#include <utility>

#include "admin/event_json.h"

namespace weir {
namespace {

Watchers::Text text_of(std::string_view event, std::string_view json) {
  std::string out;
  append_event(out, event, json);
  return std::make_shared<const std::string>(std::move(out));
}

std::uint64_t next_random(std::uint64_t& state) {  // xorshift64
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

}  // namespace

bool WatchFilter::takes(const DecisionEvent& event) const {
  const auto fits = [](const std::string& wanted, const std::string& value) {
    return wanted.empty() || wanted == value;
  };
  return (only >> static_cast<unsigned>(event.what) & 1) != 0 && fits(key, event.key) && fits(tier, event.tier) &&
         fits(model, event.model) && fits(layer, event.layer) && fits(limit, event.limit);
}

bool WatchFilter::takes_all() const {
  return only == ~0u && key.empty() && tier.empty() && model.empty() && layer.empty() && limit.empty();
}

std::uint64_t Watchers::add(WatchFilter filter, std::shared_ptr<WatchLoad> load, Send send) {
  const MutexLock lock(mutex_);
  if (watchers_.size() >= kMaxWatchers) return 0;
  auto watcher = std::make_shared<Watcher>();
  watcher->filter = std::move(filter);
  watcher->credit = watcher->filter.most * kSecond;
  watcher->load = std::move(load);
  watcher->send = std::move(send);
  watcher->random = ++next_id_ * 0x9e3779b97f4a7c15;
  watchers_.emplace(next_id_, std::move(watcher));
  return next_id_;
}

void Watchers::remove(std::uint64_t id) {
  const MutexLock lock(mutex_);
  watchers_.erase(id);
}

std::size_t Watchers::count() const {
  const MutexLock lock(mutex_);
  return watchers_.size();
}

std::vector<std::shared_ptr<Watchers::Watcher>> Watchers::all() const {
  std::vector<std::shared_ptr<Watcher>> out;
  const MutexLock lock(mutex_);
  for (const auto& [id, watcher] : watchers_) out.push_back(watcher);
  return out;
}

bool Watchers::post(Watcher& watcher, Text text, std::size_t decisions) {
  if (watcher.load->posted.fetch_add(1) >= kMaxPosted) {
    watcher.load->posted.fetch_sub(1);
    watcher.load->missed.fetch_add(static_cast<std::int64_t>(decisions));
    return false;
  }
  watcher.send(std::move(text), decisions);
  return true;
}

// Leaves of `matches` what may be shown: all, or as many as there is credit for, each with the same chance.
void Watchers::sample(Watcher& watcher, std::vector<std::size_t>& matches, TimeNs now) {
  const std::int64_t full = watcher.filter.most * kSecond;
  if (watcher.credited_at != 0) {
    const DurationNs passed = std::clamp<DurationNs>(now - watcher.credited_at, 0, kSecond);
    watcher.credit = std::min(full, watcher.credit + passed * watcher.filter.most);
  }
  watcher.credited_at = now;
  const auto found = static_cast<std::int64_t>(matches.size());
  watcher.of += found;
  const std::int64_t room = watcher.credit / kSecond;
  if (found > room) {
    std::size_t kept = 0;
    std::int64_t wanted = room;
    for (std::size_t i = 0; i < matches.size(); ++i) {
      const auto left = static_cast<std::uint64_t>(found) - i;
      if (next_random(watcher.random) % left < static_cast<std::uint64_t>(wanted)) {
        matches[kept++] = matches[i];
        --wanted;
      }
    }
    matches.resize(kept);
  }
  watcher.credit -= static_cast<std::int64_t>(matches.size()) * kSecond;
  watcher.shown += static_cast<std::int64_t>(matches.size());
}

void Watchers::show(std::span<const DecisionEvent* const> events, TimeNs now) {
  if (events.empty()) return;
  std::vector<std::string> written(events.size());  // each event once, whoever sees it
  std::vector<std::size_t> matches;
  for (const auto& watcher : all()) {
    matches.clear();
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (watcher->filter.takes(*events[i])) matches.push_back(i);
    }
    sample(*watcher, matches, now);
    if (matches.empty()) continue;
    std::string out;
    for (const std::size_t i : matches) {
      if (written[i].empty()) append_event(written[i], "decision", event_json(*events[i]));
      out += written[i];
    }
    post(*watcher, std::make_shared<const std::string>(std::move(out)), matches.size());
  }
}

void Watchers::second_over(const std::string& tick_json, std::uint64_t dropped, TimeNs now) {
  const Text tick = text_of("tick", tick_json);
  for (const auto& watcher : all()) {
    const std::int64_t missed = watcher->load->missed.exchange(0);
    std::int64_t of = std::exchange(watcher->of, 0);
    if (watcher->filter.takes_all()) of += static_cast<std::int64_t>(dropped);
    const std::int64_t shown = std::max<std::int64_t>(0, std::exchange(watcher->shown, 0) - missed);
    post(*watcher, tick, 0);
    if (shown < of) post(*watcher, text_of("sampled", sampled_json(shown, of)), 0);
    if (now >= watcher->heartbeat_at) {
      if (watcher->heartbeat_at != 0) post(*watcher, std::make_shared<const std::string>(": still here\n\n"), 0);
      watcher->heartbeat_at = now + kHeartbeat;
    }
  }
}

void Watchers::tell(std::string_view event, std::string_view json) {
  const Text text = text_of(event, json);
  for (const auto& watcher : all()) post(*watcher, text, 0);
}

}  // namespace weir
