// What /admin/v1/health is told of the running server.
#include <fmt/format.h>

#include "app/server.h"

namespace weir {
namespace {

constexpr std::size_t kMaxProvidersShown = 200;
constexpr std::uintmax_t kLittleSpace = std::uintmax_t{1} << 30;

}  // namespace

ServerHealth Server::health() {
  const TimeNs now = clock_->now();
  ServerHealth out{.version = WEIR_VERSION, .started_at = started_at_, .draining = health_.draining.load()};
  const LimiterStats stats = limiter_->stats();
  out.subjects = static_cast<std::int64_t>(stats.subjects);
  out.counter_bytes = static_cast<std::int64_t>(stats.bytes);
  out.open_reservations = static_cast<std::int64_t>(stats.open_reservations);
  out.workers = static_cast<int>(workers_.size());
  for (const auto& worker : workers_) {
    out.journal_healthy = out.journal_healthy && worker->journal().healthy();
    out.journal_bytes += static_cast<std::int64_t>(worker->journal().bytes_written());
  }
  out.open_connections = static_cast<std::int64_t>(decisions_.connections.load());
  out.requests_in_flight = metrics_.gauge("weir_requests_in_flight", "Requests between entry and settlement.").value();
  if (alerts_) out.alerts_firing = alerts_->firing();
  using State = ServerHealth::Provider::State;
  for (const ProviderHealth::ModelState& model : learned_.providers.states(now, kMaxProvidersShown)) {
    const State state = model.opened_at == 0 ? State::kClosed : model.asked_from > 0 ? State::kOpen : State::kHalfOpen;
    out.providers.push_back(
        {.provider = model.provider, .model = model.model, .state = state, .until = model.asked_from});
  }
  Observer& observer = admin_->observer();
  out.events_per_second = static_cast<double>(observer.requests_per_second());
  out.events_dropped = static_cast<std::int64_t>(observer.dropped());
  out.watchers = static_cast<std::int64_t>(observer.watchers().count());
  add_overrides(out);
  add_problems(out);
  for (const ServerHealth::Provider& each : out.providers) {
    if (each.state == State::kClosed) continue;
    out.problems.push_back({.what = "provider " + each.provider,
                            .since = 0,
                            .detail = fmt::format("At least half of the latest requests for {} failed. Until it works "
                                                  "again they go to the fallbacks of the policy, or are answered 503.",
                                                  each.model),
                            .remedy = "Look at the provider's status page and at its key; it is asked again by itself "
                                      "every 30 seconds."});
  }
  unpriced_.add_notes(*current_policy(), out.notes);
  return out;
}

void Server::add_overrides(ServerHealth& health) const {
  const auto state = policy_state();
  health.overrides = static_cast<std::int64_t>(state->overrides.size());
  for (const SkippedOverride& each : state->skipped) {
    health.overrides_skipped.push_back({to_string(each.kind), each.name, each.why});
    health.problems.push_back(
        {.what = fmt::format("override of {} {}", to_string(each.kind), each.name),
         .since = 0,
         .detail = each.why + " It is left out; all others hold.",
         .remedy = "Take it away or set it anew on the policy screen, or give the file back what it refers to."});
  }
  if (state->overrides_fault.empty()) return;
  health.problems.push_back(
      {.what = "overrides",
       .since = 0,
       .detail = state->overrides_fault + ". What was changed over the file holds as it was read last, or, if it never "
                                          "could be read, not at all.",
       .remedy = "See that the data folder is there, readable, and on a disk that works; no restart is needed."});
}

Result<void> Server::open_alerts() {
  auto alerts = AlertDesk::open(
      {.clock = *clock_, .data = policy_->data, .providers = learned_.providers, .metrics = metrics_, .fail_open = {}});
  if (!alerts) return std::unexpected(alerts.error());
  alerts_ = std::move(*alerts);
  alerts_->use(*policy_);
  alerts_->watch(admin_->observer());
  admin_->observer().add_event_listener([this](Observer::Events events) { unpriced_.take(events, clock_->now()); });
  return {};
}

void Server::add_problems(ServerHealth& health) const {
  const auto add = [&](const char* what, const Fault& fault, std::string_view means, std::string remedy) {
    if (fault.reason.empty()) return;
    health.problems.push_back({.what = what,
                               .since = fault.since,
                               .detail = fmt::format("{}. {}", fault.reason, means),
                               .remedy = std::move(remedy)});
  };
  const std::string disk = "Free space on the disk of " + facts_.data + ", and see that Weir's user may write there";
  {
    const MutexLock lock(reason_mutex_);
    health.ledger_healthy = ledger_fault_.reason.empty();
    add("journal", journal_fault_, "New requests get 503 until it can be written: nothing goes out unrecorded.",
        disk + "; it goes on by itself.");
    add("ledger", ledger_fault_, "Decisions go on; records wait in the journal, which grows. None is lost.",
        disk + ", or end the process that locks weir.db; it goes on by itself.");
    add("snapshot", snapshot_fault_, "Counters are safe in the journal, which grows until a snapshot works.",
        disk + "; it goes on by itself.");
    add("retention", retention_fault_, "Old audit rows are kept as evidence.",
        "Run `weir audit --verify` and find out who changed weir.db.");
    add("policy", policy_fault_, "The newest weir.yaml was refused; the old policy stays in force.",
        "Run `weir check " + config_path_ + "`, mend the file, and it is loaded within a second.");
  }
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(facts_.data, error);
  if (!error && space.available < kLittleSpace) {
    health.problems.push_back(
        {.what = "disk",
         .since = 0,
         .detail = fmt::format("Only {} MB are free on the disk of {}. When it is full, new requests get 503.",
                               space.available >> 20, facts_.data),
         .remedy = "Free space, or shorten `retention` in weir.yaml."});
  }
}

}  // namespace weir
