#include "faults.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace weir::sim {

const std::vector<std::string>& Faults::names() {
  static const std::vector<std::string> kNames = {
      "crash",          "crash_in_turn",
      "power_loss",     "restart",
      "pause",          "partition_clients",
      "clog_clients",   "reset_clients",
      "reload",         "partition_providers",
      "clog_providers", "reset_providers",
      "clock_step",     "drift",
      "disk_full",      "disk_error",
      "short_writes",   "ledger_locked",
      "counters_away",
  };
  return kNames;
}

Faults::Faults(const World& world, Context& context, Node& node)
    : world_(world), context_(context), node_(node), random_(context.random.fork("faults")) {}

void Faults::start() {
  for (const auto& [name, rate] : world_.faults) {
    WEIR_CHECK(std::find(names().begin(), names().end(), name) != names().end());
    if (rate > 0) plan(name);
  }
}

void Faults::plan(const std::string& name) {
  auto& timer = next_[name];
  if (!timer) {
    timer = std::make_unique<Timer>(context_.schedule, [this, name] {
      if (context_.healing) return;
      happen(name);
      plan(name);
    });
  }
  // Rates are in thousandths per hour.
  timer->set(context_.schedule.now() + random_.gap(kHour / world_.faults.at(name) * 1000) + kMillisecond);
}

void Faults::later(DurationNs wait, std::function<void()> work) {
  context_.schedule.after(wait, [this, held = std::move(work)] {
    if (!context_.healing) held();
  });
}

void Faults::happen(const std::string& name) {
  ++done_[name];
  context_.note("fault", name);
  if (name == "crash" || name == "crash_in_turn" || name == "power_loss" || name == "restart" || name == "clock_step") {
    down(name);
  } else if (name == "pause") {
    node_.pause(context_.schedule.now() + some(20 * kMillisecond, 20 * kSecond));
  } else if (name == "reload") {
    reload();
  } else if (name == "drift") {
    node_.drift(random_.between(-200, 200));  // of the next start
  } else if (name.ends_with("_clients") || name.ends_with("_providers")) {
    network(name);
  } else {
    disk(name);
  }
}

void Faults::down(const std::string& how) {
  if (!node_.running()) return;
  const DurationNs away = random_.permille(300) ? some(kMillisecond, 100 * kMillisecond) : some(kSecond, 15 * kSecond);
  const auto again = [this, away] { context_.schedule.after(away, [this] { node_.start(); }); };
  if (how == "crash_in_turn") {
    node_.crash_in_turn(random_.permille(500), again);
    return;
  }
  if (how == "restart") {
    node_.stop(again);
    return;
  }
  if (how == "clock_step")
    node_.step_clock(random_.permille(500) ? some(-2 * kHour, -kSecond) : some(kSecond, 2 * kHour));
  if (how == "power_loss") {
    node_.lose_power();
  } else {
    node_.crash();
  }
  again();
}

void Faults::network(const std::string& name) {
  const bool clients = name.ends_with("_clients");
  // Providers by name: one of them, or all.
  std::string other = clients ? "clients" : "*";
  if (!clients && !world_.providers.empty() && random_.permille(700)) {
    auto at = world_.providers.begin();
    std::advance(at, random_.below(world_.providers.size()));
    other = at->first;
  }
  const TimeNs until = context_.schedule.now() + some(100 * kMillisecond, 20 * kSecond);
  if (name.starts_with("partition")) {
    context_.network.partition("weir", other, until);
  } else if (name.starts_with("clog")) {
    if (random_.permille(500)) {
      context_.network.clog("weir", other, until);
    } else {
      context_.network.clog(other, "weir", until);
    }
  } else {
    const std::size_t count = context_.network.reset_all("weir", other);
    context_.note("fault", fmt::format("{} connections reset", count));
  }
}

void Faults::disk(const std::string& name) {
  const DurationNs lasts = some(50 * kMillisecond, 15 * kSecond);
  if (name == "disk_full") {
    node_.fill_disk(true);
    context_.schedule.after(lasts, [this] { node_.fill_disk(false); });
  } else if (name == "disk_error") {
    node_.break_disk(true);
    context_.schedule.after(lasts, [this] { node_.break_disk(false); });
  } else if (name == "short_writes") {
    node_.short_writes(random_.between(50, 700));
    context_.schedule.after(lasts * 10, [this] { node_.short_writes(0); });
  } else if (name == "ledger_locked") {
    node_.lock_ledger(true);
    context_.schedule.after(lasts, [this] { node_.lock_ledger(false); });
  } else if (name == "counters_away") {
    node_.counters_away(true);
    context_.schedule.after(lasts, [this] { node_.counters_away(false); });
  }
}

void Faults::reload() {
  if (world_.policies.empty()) return;
  policy_ = (policy_ + 1 + random_.below(world_.policies.size())) % (world_.policies.size() + 1);
  node_.reload(policy_ == 0 ? world_.policy : world_.policies[policy_ - 1]);
}

void Faults::heal() {
  for (auto& [name, timer] : next_) timer->set(0);
  node_.fill_disk(false);
  node_.break_disk(false);
  node_.short_writes(0);
  node_.lock_ledger(false);
  node_.counters_away(false);
  node_.resume();
  node_.reload(world_.policy);  // an invalid file may be what a start would find
  node_.start();
  context_.schedule.after(kSecond, [this] { node_.start(); });  // a crash may have been under way
}

}  // namespace weir::sim
