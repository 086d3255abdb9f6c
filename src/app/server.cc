#include "app/server.h"

#include <fmt/format.h>

#include <thread>

#include "app/command_keys.h"
#include "app/entropy.h"
#include "app/policy_file.h"
#include "base/check.h"

namespace weir {
namespace {

constexpr std::size_t kAuthFailureBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxCounterBytes = std::size_t{4} << 30;
// A locked ledger is tried again at the next tick: keys, the policy file and expiry must not wait for it for long.
constexpr int kBackgroundBusyMs = 200;

std::string address(const Endpoint& at, std::uint16_t port, bool tls) {
  const bool v6 = at.host.find(':') != std::string::npos;
  return fmt::format("{}://{}:{}", tls ? "https" : "http", v6 ? "[" + at.host + "]" : at.host, port);
}

std::string random_token() {
  std::array<unsigned char, 24> bytes{};
  WEIR_CHECK(system_entropy(bytes));
  return make_admin_token(bytes);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServeOptions& options) {
  std::unique_ptr<Server> server(new Server());
  for (const auto& step : {std::function<Result<void>()>([&] { return server->load_first_policy(options); }),
                           std::function<Result<void>()>([&] { return server->bind_listeners(); }),
                           std::function<Result<void>()>([&] { return server->open_data(); }),
                           std::function<Result<void>()>([&] { return server->recover_journal(); }),
                           std::function<Result<void>()>([&] { return server->make_first_keys(); }),
                           std::function<Result<void>()>([&] { return server->open_workers(); })}) {
    if (Result<void> done = step(); !done) return std::unexpected(done.error());
  }
  server->start_background();
  server->alerts_->start();
  server->admin_->start();
  for (auto& worker : server->workers_) worker->start();
  return server;
}

Server::~Server() {
  shut_down();
}

Result<void> Server::open_data() {
  Result<DirectoryLock> lock = lock_directory(policy_->data);
  if (!lock) return std::unexpected(lock.error());
  lock_ = std::move(*lock);
  Result<Secrets> secrets = load_or_create_secrets(policy_->data, system_entropy);
  if (!secrets) return std::unexpected(secrets.error());
  secrets_ = std::move(*secrets);
  Result<Store> store = Store::open(policy_->data, {.create = true, .say = [](const std::string& what) {
                                                      log_event(LogLevel::kInfo, Clock().now(), what, {});
                                                    }});
  if (!store) return std::unexpected(store.error());
  store_ = std::make_unique<Store>(std::move(*store));
  take_overrides();
  return {};
}

Result<void> Server::recover_journal() {
  limiter_ = std::make_unique<Limiter>(LimiterOptions{.max_bytes = kMaxCounterBytes});
  const Result<std::uint64_t> first = first_unread_segment(*store_);
  if (!first) return std::unexpected(first.error());
  Result<Recovered> recovered = recover(policy_->data + "/journal", *limiter_, disk_, *first);
  if (!recovered) return std::unexpected(recovered.error());
  recovered_ = *recovered;
  facts_.in_flight_recovered = recovered_.in_flight;
  sequence_ = std::make_unique<SegmentSequence>(recovered_.next_sequence);
  clock_ = std::make_unique<Clock>(recovered_.last_time);
  started_at_ = clock_->now();
  auth_failures_ =
      std::make_unique<Limiter>(LimiterOptions{.max_bytes = kAuthFailureBytes, .max_reservations = 1, .stripes = 64});
  counters_ = std::make_unique<LocalCounters>(*limiter_);
  return {};
}

Result<void> Server::make_first_keys() {
  const Result<std::optional<std::string>> demo = store_->setting(kSettingDemoKey);
  if (!demo) return std::unexpected(demo.error());
  const Result<std::vector<Consumer>> consumers = store_->list_consumers();
  if (!consumers) return std::unexpected(consumers.error());
  if (!*demo && config_path_.empty() && consumers->empty()) {
    Consumer consumer{.name = "demo", .created_at = clock_->now()};
    Result<std::string> key = create_key(*store_, secrets_, system_entropy, consumer, "first start");
    if (!key) return std::unexpected(key.error());
    facts_.demo_key = *key;
  }
  if (!*demo) {
    if (Result<void> set = store_->set_setting(kSettingDemoKey, "1"); !set) return set;
  }
  Secret admin_token = policy_->admin_token;
  if (admin_token.empty()) {
    const std::string fresh = random_token();
    const Result<std::string> token = store_->setting_or_set(kSettingAdminToken, fresh);
    if (!token) return std::unexpected(token.error());
    admin_token = Secret(*token);
    if (*token == fresh) facts_.admin_token = fresh;
  }
  access_ = std::make_unique<AdminAccess>(admin_token, secrets_.key_hash);
  api_.access = access_.get();
  const auto tokens = store_->admin_tokens();
  if (!tokens) return std::unexpected(tokens.error());
  access_->use(*tokens);
  make_dashboard_link();
  return {};
}

// A code in the fragment of a link, which browsers do not send: the page trades it for a session.
void Server::make_dashboard_link() {
  const std::string code = random_token().substr(std::string_view("weiradmin_").size());
  access_->add_code(code, clock_->now());
  std::string address = facts_.admin;
  for (const auto& [any, own] : {std::pair("//0.0.0.0:", "//127.0.0.1:"), std::pair("//[::]:", "//[::1]:")}) {
    if (const std::size_t at = address.find(any); at != std::string::npos) {
      address.replace(at, std::string_view(any).size(), own);
    }
  }
  facts_.dashboard = address + "/#code=" + code;
}

// Before anything is created: the likeliest mistake of a first start is a port that is taken.
Result<void> Server::bind_listeners() {
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const int count = policy_->workers > 0 ? policy_->workers : cores;
  Endpoint listen = policy_->listen;
  for (int i = 0; i < count; ++i) {
    const Result<int> fd = open_listener(listen, listen.port, i == 0);
    if (!fd) return std::unexpected(fd.error());
    listeners_.push_back(*fd);
  }
  std::uint16_t port = 0;
  const Result<int> admin = open_listener(policy_->admin, port, true);
  if (!admin) return std::unexpected(admin.error());
  admin_listener_ = *admin;
  facts_.listen = address(listen, listen.port, tls_.data != nullptr);
  facts_.admin = address(policy_->admin, port, tls_.admin != nullptr);
  return {};
}

Result<void> Server::open_workers() {
  directory_version_ = store_->data_version().value_or(0);  // before the keys are read: a later change shows
  const auto rules = rules_ = compile(counter_identities_, nullptr);
  const Result<std::shared_ptr<const ConsumerSnapshot>> consumers = store_->load_directory();
  if (!consumers) return std::unexpected(consumers.error());
  consumers_ = *consumers;
  const auto kills = load_kills();
  if (!kills) return std::unexpected(kills.error());
  make_guard();
  restore_runs(**consumers);
  resolver_ = std::make_unique<Resolver>();
  if (auto opened = open_admin(); !opened) return opened;
  api_.before_metrics = [this] { refresh_gauges(); };
  api_.why_not_ready = [this] { return why_not_ready(); };
  const CounterId failures = auth_failures_->define(
      {.identity = "auth_failures", .kind = WindowKind::kSliding, .window = policy_->auth_failures.window});
  std::array<std::uint64_t, 2> seed{};
  WEIR_CHECK(system_entropy({reinterpret_cast<unsigned char*>(seed.data()), sizeof seed}));
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    auto journal = std::make_unique<JournalWriter>(JournalWriterOptions{.dir = policy_->data + "/journal",
                                                                        .worker = static_cast<std::uint32_t>(i),
                                                                        .strict = policy_->strict_durability},
                                                   *sequence_, disk_);
    WorkerShared shared{
        *clock_,           *resolver_, *counters_, *auth_failures_, failures, secrets_.subjects,
        secrets_.key_hash, audit_sum_, metrics_,   health_,         buffers_, learned_,
        *guard_,           budgets_,   api_,       decisions_,      seed,     admin_->observer().open_feed()};
    workers_.push_back(std::make_unique<Worker>(shared, static_cast<int>(i), std::move(journal), rules, *consumers));
    workers_.back()->use_kills(*kills);
    workers_.back()->listen(listeners_[i], Session::Listener::kData, tls_.data);
  }
  workers_.front()->listen(admin_listener_, Session::Listener::kAdmin, tls_.admin);
  return restore_decisions();
}

Result<void> Server::open_admin() {
  const auto in_flight = [this] { return workers_.front()->services().metrics->requests_in_flight.value(); };
  auto admin = AdminDesk::open({.clock = *clock_,
                                .counters = *counters_,
                                .guard = *guard_,
                                .subject_secret = secrets_.subjects,
                                .addresses = {facts_.listen, facts_.admin, facts_.data, config_path_},
                                .rules =
                                    [this] {
                                      const MutexLock lock(policy_mutex_);
                                      return rules_;
                                    },
                                .consumers =
                                    [this] {
                                      const MutexLock lock(policy_mutex_);
                                      return consumers_;
                                    },
                                .reload = [this](std::string_view why) { return reload(why); },
                                .records_changed =
                                    [this] {
                                      poll_soon_ = true;
                                      background_->wake();
                                    },
                                .policy_state = [this] { return policy_state(); },
                                .overrides_changed = [this] { return reload_overrides(); },
                                .access = *access_,
                                .key_secret = secrets_.key_hash,
                                .demo_key = facts_.demo_key,
                                .health = [this] { return health(); },
                                .in_flight = in_flight,
                                .metrics = metrics_});
  if (!admin) return std::unexpected(admin.error());
  admin_ = std::move(*admin);
  api_.router = &admin_->router();
  api_.admin = &admin_->work();
  api_.observer = &admin_->observer();
  return open_alerts();
}

void Server::make_guard() {
  Guard::Options options;
  WEIR_CHECK(system_entropy({reinterpret_cast<unsigned char*>(&options.seed), sizeof options.seed}));
  options.lineage_secret = "lineage " + secrets_.key_hash;  // tokens stay good over a restart
  guard_ = std::make_unique<Guard>(options);
}

// What the ledger knows of runs that may still go on, so that a restart gives no run a fresh start.
void Server::restore_runs(const ConsumerSnapshot& consumers) {
  const DurationNs idle = policy_->behavior.runs.idle;
  const TimeNs now = clock_->now();
  const auto runs = store_->recent_runs(now - kHour - idle);
  if (!runs) {
    log_event(LogLevel::kWarn, now, "runs begin anew: the ledger cannot be read", {{"because", runs.error().message}});
    return;
  }
  for (const RecentRun& run : *runs) {
    Identity who;
    who.consumer = consumers.find_name(run.key);
    if (!who.consumer || run.last < now - idle) continue;
    guard_->restore(owner_of(who, secrets_.subjects), run.run, {.tokens = run.tokens, .usd_micros = run.usd_micros},
                    run.llm_calls, run.tool_calls, run.last);
  }
}

// Holds of the decision API go on where the process before left them, and its answers of the last hour are known.
Result<void> Server::restore_decisions() {
  const TimeNs now = clock_->now();
  const auto worker_of = [&](Hash128 id) -> Worker& { return *workers_[decisions_.shard_of(id)]; };
  for (const Recovered::Hold& hold : recovered_.holds) {
    DecisionHold decoded;
    if (!decode_hold(hold.hold, decoded) || !limiter_->adopt(decoded.held) ||
        !worker_of(hold.id).adopt_hold(hold.id, hold.row, hold.hold)) {
      log_event(LogLevel::kError, now, "a hold could not be opened again and stays charged",
                {{"id", hold.row.request_id}});
    }
  }
  recovered_.holds.clear();
  const TimeNs since = now - DecisionDesk::kRemembered;
  const auto read = store_->closed_decisions(since, [&](const ClosedDecision& closed) {
    worker_of(closed.id).remember_closed(closed);
    return true;
  });
  if (!read) return read;
  for (const ClosedDecision& closed : recovered_.closed) {
    if (closed.at >= since) worker_of(closed.id).remember_closed(closed);
  }
  recovered_.closed.clear();
  return {};
}

std::shared_ptr<const Policy> Server::current_policy() const {
  const MutexLock lock(policy_mutex_);
  return policy_;
}

std::shared_ptr<const PolicyState> Server::policy_state() const {
  const MutexLock lock(policy_mutex_);
  return policy_state_;
}

void Server::run() {
  wait_for_termination([this] { reload("SIGHUP"); });
  log_event(LogLevel::kInfo, clock_->now(), "draining", {{"at_most_s", current_policy()->drain / kSecond}});
  shut_down();
  log_event(LogLevel::kInfo, clock_->now(), "stopped", {});
}

void Server::shut_down() {
  health_.draining = true;
  if (clock_) {
    for (auto& worker : workers_) worker->drain(clock_->now() + current_policy()->drain);
  }
  for (auto& worker : workers_) worker->join();
  if (admin_) admin_->stop();
  if (alerts_) alerts_->stop();
  if (background_) {
    background_->stop();
    background_.reset();
    while (drain_->step() > 0) continue;
  }
  resolver_.reset();  // no answer may come to a loop that is gone
  workers_.clear();   // cuts what is left; its settlements are journalled and booked at the next start
}

// --- background
// -------------------------------------------------------------------------------------------------------

void Server::start_background() {
  std::vector<JournalWriter*> writers;
  for (auto& worker : workers_) writers.push_back(&worker->journal());
  const std::string dir = policy_->data + "/journal";
  store_->set_busy_timeout(kBackgroundBusyMs);
  drain_ = std::make_unique<Drain>(
      *store_, disk_,
      DrainOptions{.journal_dir = dir, .closed_below = recovered_.next_sequence, .strict = policy_->strict_durability});
  snapshots_ = std::make_unique<Snapshotter>(*limiter_, writers, *sequence_, disk_, SnapshotOptions{.dir = dir});
  snapshots_->set_drained([this](std::uint64_t sequence) { return drain_->finished(sequence); });
  background_ = std::make_unique<Background>("weir-drain", std::chrono::milliseconds(50), [this] { return tick(); });
}

bool Server::tick() {
  constexpr std::size_t kMaxExpired = 10'000;
  constexpr std::size_t kMaxSwept = 20'000;
  const TimeNs now = clock_->now();
  if (poll_soon_.exchange(false)) next_poll_ = now;  // what was changed holds at once
  const bool more = book_rows(now);
  if (snapshot_wanted_.exchange(false)) snapshots_->request();
  snapshots_->step(now);
  note_faults();
  if (now >= next_poll_) {
    next_poll_ = now + 250 * kMillisecond;
    poll_directory();
    poll_config();
    watch_agents();
    limiter_->expire(now, kMaxExpired, [this](Hash128 id) { decisions_.expired(id); });
    limiter_->sweep(now, kMaxSwept);
    auth_failures_->sweep(now, kMaxSwept);
    purge_old();
  }
  return more;
}

// Rows that are booked together share a transaction, its pages and its sums: where there are many, they wait for each
// other. True if a whole batch was waiting: go on at once.
bool Server::book_rows(TimeNs now) {
  constexpr std::size_t kMany = 200;
  constexpr DurationNs kWaitForMore = 250 * kMillisecond;
  if (now < next_booking_) return false;
  const std::size_t booked = drain_->step();
  const bool more = booked >= DrainOptions().batch;
  next_booking_ = booked >= kMany && !more ? now + kWaitForMore : now;
  return more;
}

// Says it once when something breaks, and once when it works again.
void Server::note_faults() {
  std::string journal;
  for (const auto& worker : workers_) {
    if (journal.empty()) journal = worker->journal().reason();
  }
  const MutexLock lock(reason_mutex_);
  const TimeNs now = clock_->now();
  const auto note = [&](const char* what, Fault& known, const std::string& found) {
    if (known.reason.empty() && !found.empty()) {
      log_event(LogLevel::kError, now, "cannot be written", {{"what", what}, {"because", found}});
      known.since = now;
    } else if (!known.reason.empty() && found.empty()) {
      log_event(LogLevel::kInfo, now, "can be written again", {{"what", what}});
    }
    known.reason = found;
  };
  note("journal", journal_fault_, journal);
  note("ledger", ledger_fault_, drain_->reason());
  note("snapshot", snapshot_fault_, snapshots_->error());
}

// Runs that are idle end, and accounts that were throttled too often are told on.
void Server::watch_agents() {
  constexpr std::size_t kMaxEnded = 20'000;
  const std::shared_ptr<const Policy> policy = current_policy();
  guard_->sweep(policy->behavior, clock_->now(), kMaxEnded);
  suspend_accounts();
  std::vector<std::pair<HeldRunBudget, RunUse>> ended;
  for (const Guard::EndedBudget& run : guard_->take_ended_budgets()) {
    if (auto budget = budgets_.take(run.tag)) ended.emplace_back(std::move(*budget), run.used);
  }
  if (!ended.empty()) workers_.front()->end_budgets(std::move(ended));
}

// An account that was throttled too often is stopped like any key: by a switch that an operator can lift.
void Server::suspend_accounts() {
  for (Guard::Escalation& account : guard_->take_escalations()) suspensions_.push_back(std::move(account));
  while (!suspensions_.empty()) {
    const Guard::Escalation& account = suspensions_.back();
    log_event(LogLevel::kWarn, clock_->now(), "account was throttled too often",
              {{"key", account.key}, {"because", account.evidence}});
    if (account.action == TrustAction::kSuspend && !store_->set_kill_switch({.kind = KillSwitch::Kind::kKey,
                                                                             .name = account.key,
                                                                             .reason = account.evidence,
                                                                             .by = "escalation",
                                                                             .since = clock_->now()})) {
      return;  // the store is busy: tried again at the next look
    }
    suspensions_.pop_back();
  }
}

void Server::poll_directory() {
  const Result<std::uint64_t> version = store_->data_version();
  if (!version) return;
  const auto state = policy_state();
  if (!state->overrides_fault.empty()) reload_overrides();  // as soon as they can be read again
  if (*version == directory_version_) return;
  const Result<std::shared_ptr<const ConsumerSnapshot>> consumers = store_->load_directory();
  const auto kills = load_kills();
  const auto tokens = store_->admin_tokens();
  if (!consumers || !kills) return;  // tried again at the next poll
  if (tokens) {
    access_->use(*tokens);
    directory_version_ = *version;
  }
  {
    const MutexLock lock(policy_mutex_);
    consumers_ = *consumers;
  }
  for (auto& worker : workers_) {
    worker->use_consumers(*consumers);
    worker->use_kills(*kills);
  }
  reload_overrides();  // takes its time when there are thousands: who was stopped does not wait for it
  for (const char* what : {"keys", "breakers"}) admin_->observer().changed(what, std::to_string(*version));
}

Result<std::shared_ptr<const KillSwitches>> Server::load_kills() {
  Result<std::vector<KillSwitch>> all = store_->kill_switches();
  if (!all) return std::unexpected(all.error());
  auto kills = std::make_shared<KillSwitches>();
  for (KillSwitch& off : *all) kills->add(std::move(off));
  return kills;
}

void Server::purge_old() {
  const TimeNs now = clock_->now();
  if (now < next_purge_) return;
  const std::shared_ptr<const Policy> policy = current_policy();
  while (store_->purge_closed_decisions(now - DecisionDesk::kRemembered, 5'000).value_or(0) > 0) continue;
  // Each by itself: an audit whose chain is broken keeps its old rows as evidence, the ledger does not wait for it.
  const Result<std::size_t> usage = store_->purge_usage(now - policy->retain_ledger, 5'000);
  const Result<std::size_t> audit = store_->purge_audit(now - policy->retain_audit, 5'000, now);
  const Result<std::size_t> summed = store_->sum_days(now, 1);  // one a step: the drain waits for as long as it takes
  std::string kept_because = audit ? std::string() : audit.error().message;
  {
    const MutexLock lock(reason_mutex_);
    if (!kept_because.empty() && kept_because != retention_fault_.reason) {
      log_event(LogLevel::kWarn, now, "retention cannot delete audit rows", {{"because", kept_because}});
      retention_fault_.since = now;
    }
    retention_fault_.reason = std::move(kept_because);
  }
  next_purge_ = usage.value_or(0) + audit.value_or(0) + summed.value_or(0) > 0 ? now : now + kHour;
}

std::string Server::why_not_ready() const {
  if (health_.draining) return "draining";
  for (const auto& worker : workers_) {
    if (const std::string why = worker->journal().reason(); !why.empty()) return why + " (new requests get 503)";
  }
  const MutexLock lock(reason_mutex_);
  if (!ledger_fault_.reason.empty())
    return "the ledger cannot be written: " + ledger_fault_.reason + " (records wait in the journal)";
  return {};
}

void Server::refresh_gauges() {
  const LimiterStats stats = limiter_->stats();
  metrics_.gauge("weir_subjects", "Subjects with live counters.").set(static_cast<std::int64_t>(stats.subjects));
  metrics_.gauge("weir_counter_bytes", "Memory of the counter table.").set(static_cast<std::int64_t>(stats.bytes));
  metrics_.gauge("weir_open_reservations", "Reservations waiting for settlement.")
      .set(static_cast<std::int64_t>(stats.open_reservations));
  std::int64_t journal_bytes = 0;
  bool healthy = true;
  for (const auto& worker : workers_) {
    journal_bytes += static_cast<std::int64_t>(worker->journal().bytes_written());
    healthy = healthy && worker->journal().healthy();
  }
  metrics_.counter("weir_journal_bytes_total", "Bytes written to the journal.").set(journal_bytes);
  metrics_.gauge("weir_journal_healthy", "1 while the journal can be written.").set(healthy ? 1 : 0);
  std::int64_t refused = 0;
  for (const auto& worker : workers_) refused += static_cast<std::int64_t>(worker->journal().refused_records());
  metrics_.counter("weir_journal_refused_records_total", "Records for which a failing journal had no room.")
      .set(refused);
  {
    const MutexLock lock(reason_mutex_);
    metrics_.gauge("weir_ledger_healthy", "1 while the ledger can be written; else records wait in the journal.")
        .set(ledger_fault_.reason.empty() ? 1 : 0);
    metrics_.gauge("weir_snapshot_healthy", "1 unless the last snapshot failed; until one works the journal grows.")
        .set(snapshot_fault_.reason.empty() ? 1 : 0);
  }
  metrics_.gauge("weir_provider_breakers_open", "Models of providers whose breaker is open.")
      .set(static_cast<std::int64_t>(learned_.providers.open_breakers(clock_->now())));
  constexpr std::size_t kMaxShown = 200;
  const auto state_of = [](const ProviderHealth::ModelState& model) {
    return model.opened_at == 0 ? 0 : model.asked_from > 0 ? 2 : 1;
  };
  for (const ProviderHealth::ModelState& model : learned_.providers.states(clock_->now(), kMaxShown)) {
    metrics_
        .gauge("weir_breaker_state", "Of a provider's model: 0 closed, 1 half-open, 2 open.",
               {{"provider", model.provider}, {"model", metrics_.bounded("breaker_model", model.model, kMaxShown)}})
        .set(state_of(model));
  }
  metrics_.gauge("weir_ready", "1 while /readyz answers 200.").set(why_not_ready().empty() ? 1 : 0);
  metrics_.gauge("weir_config_info", "The policy in force.", {{"version", current_policy()->version}}).set(1);
}

}  // namespace weir
