#include "node_process.h"

#include <algorithm>
#include <utility>

#include "api/decision_hold.h"
#include "base/check.h"
#include "base/sites.h"
#include "policy/overrides.h"

namespace weir::sim {
namespace {

constexpr DurationNs kPoll = 250 * kMillisecond;

std::optional<std::string> no_environment(std::string_view) {
  return std::nullopt;
}

}  // namespace

NodeProcess::NodeProcess(Machine& machine)
    : machine_(machine),
      context_(machine.context),
      random_(machine.random.fork("life " + std::to_string(++machine.lives))),
      tick_(machine.context.schedule, [this] { tick(); }) {}

Result<std::unique_ptr<NodeProcess>> NodeProcess::start(Machine& machine) {
  std::unique_ptr<NodeProcess> process(new NodeProcess(machine));
  if (Result<void> opened = process->open(); !opened) return std::unexpected(opened.error());
  if (Result<void> opened = process->open_workers(); !opened) return std::unexpected(opened.error());
  process->schedule_tick();
  return process;
}

NodeProcess::~NodeProcess() {
  machine_.disk.broken = true;  // what dies writes nothing
  workers_.clear();
  machine_.disk.broken = false;
}

TimeNs NodeProcess::now() const {
  const DurationNs since = context_.schedule.now() - true_at_start_;
  return wall_at_start_ + since + since / 1'000'000 * drift_ppm_;
}

TimeNs NodeProcess::true_time(TimeNs at) const {
  const DurationNs since = at - wall_at_start_;
  TimeNs out = true_at_start_ + since - since / 1'000'000 * drift_ppm_ / 2 * 2;
  const auto shown = [&](TimeNs when) {
    const DurationNs passed = when - true_at_start_;
    return wall_at_start_ + passed + passed / 1'000'000 * drift_ppm_;
  };
  while (shown(out) < at) out += std::max<DurationNs>(1, at - shown(out));
  return out;
}

Result<void> NodeProcess::open() {
  Result<Store> store = Store::open(machine_.directory, {.create = true, .busy_timeout_ms = 0});
  if (!store) return std::unexpected(store.error());
  store_ = std::make_unique<Store>(std::move(*store));
  const LoadedPolicy loaded = load(machine_.policy);
  if (!loaded.policy) return fail("the policy is not valid");
  auto policy = std::make_shared<Policy>(*loaded.policy);
  policy->data = machine_.directory;
  policy_ = policy;
  limiter_ = std::make_unique<Limiter>(LimiterOptions{
      .max_bytes = static_cast<std::size_t>(machine_.world.weir.number("counter_bytes", 64 << 20)), .stripes = 64});
  const Result<std::uint64_t> first = first_unread_segment(*store_);
  if (!first) return std::unexpected(first.error());
  Result<Recovered> recovered = recover(machine_.directory + "/journal", *limiter_, machine_.disk, *first);
  if (!recovered) return std::unexpected(recovered.error());
  recovered_ = std::move(*recovered);
  sequence_ = std::make_unique<SegmentSequence>(recovered_.next_sequence);
  true_at_start_ = context_.schedule.now();
  wall_at_start_ = std::max(true_at_start_ + machine_.clock_step, recovered_.last_time + 1);
  drift_ppm_ = machine_.drift_ppm;
  auth_failures_ =
      std::make_unique<Limiter>(LimiterOptions{.max_bytes = 1 << 20, .max_reservations = 1, .stripes = 64});
  return {};
}

std::shared_ptr<const Ruleset> NodeProcess::compile(std::shared_ptr<const Policy> policy, const Policy* before) {
  learned_.outputs.set_options({.quantile = policy->reservation.quantile, .warmup = policy->reservation.warmup});
  return Ruleset::compile(
      std::move(policy),
      [&](const CounterSpec& spec) {
        const CounterId id = limiter_->define(spec);
        context_.truth.tell([&](Observer& observer) { observer.on_defined(id, spec); });
        return id;
      },
      machine_.secrets.subjects, before);
}

Result<void> NodeProcess::open_workers() {
  directory_version_ = store_->data_version().value_or(0);
  rules_ = compile(policy_, nullptr);
  const auto consumers = store_->load_directory();
  if (!consumers) return std::unexpected(consumers.error());
  const auto kills = load_kills();
  if (!kills) return std::unexpected(kills.error());
  guard_ = std::make_unique<Guard>(
      Guard::Options{.seed = random_.next(), .lineage_secret = "lineage " + machine_.secrets.key_hash});
  restore_runs(**consumers);
  admin_ = std::make_unique<AdminWork>([] {});
  api_.admin = admin_.get();
  access_ = std::make_unique<AdminAccess>(Secret("admin token of the simulation"));
  api_.access = access_.get();
  api_.why_not_ready = [this] { return why_not_ready(); };
  const CounterId failures = auth_failures_->define(
      {.identity = "auth_failures", .kind = WindowKind::kSliding, .window = policy_->auth_failures.window});
  shared_ = std::make_unique<NodeShared>(NodeShared{
      .context = context_,
      .now = [this] { return now(); },
      .running = [this] { return !paused_; },
      .when_running = [this](std::function<void()> work) { waiting_.push_back(std::move(work)); },
      .true_time = [this](TimeNs at) { return true_time(at); },
      .limiter = *limiter_,
      .auth_failures = *auth_failures_,
      .auth_failure_counter = failures,
      .subject_secret = machine_.secrets.subjects,
      .key_secret = machine_.secrets.key_hash,
      .audit_sum = audit_sum_,
      .metrics = metrics_,
      .health = health_,
      .buffers = buffers_,
      .learned = learned_,
      .guard = *guard_,
      .budgets = budgets_,
      .api = api_,
      .decisions = decisions_,
      .late_counters = machine_.world.late_counters,
      .dies_before_flush = [this] { return dies_if(dies_before_flush_); },
      .dies_before_sending = [this] { return dies_if(dies_before_sending_); },
  });
  std::vector<JournalWriter*> writers;
  const std::string dir = machine_.directory + "/journal";
  for (int i = 0; i < machine_.world.workers; ++i) {
    auto journal = std::make_unique<JournalWriter>(
        JournalWriterOptions{
            .dir = dir,
            .worker = static_cast<std::uint32_t>(i),
            .strict = policy_->strict_durability,
            .segment_bytes = static_cast<std::uint64_t>(machine_.world.weir.number("segment_bytes", 1 << 20))},
        *sequence_, machine_.disk);
    writers.push_back(journal.get());
    workers_.push_back(std::make_unique<NodeWorker>(*shared_, i, std::move(journal), rules_, *consumers,
                                                    random_.fork("worker " + std::to_string(i))));
    workers_.back()->services().kills = *kills;
  }
  if (Result<void> restored = restore_decisions(); !restored) return restored;
  drain_ = std::make_unique<Drain>(
      *store_, machine_.disk,
      DrainOptions{.journal_dir = dir, .closed_below = recovered_.next_sequence, .strict = policy_->strict_durability});
  snapshots_ = std::make_unique<Snapshotter>(
      *limiter_, writers, *sequence_, machine_.disk,
      SnapshotOptions{.dir = dir,
                      .bytes = static_cast<std::uint64_t>(machine_.world.weir.number("snapshot_bytes", 4 << 20))});
  snapshots_->set_drained([this](std::uint64_t sequence) { return drain_->finished(sequence); });
  return {};
}

void NodeProcess::restore_runs(const ConsumerSnapshot& consumers) {
  const DurationNs idle = policy_->behavior.runs.idle;
  const auto runs = store_->recent_runs(now() - kHour - idle);
  if (!runs) return;
  for (const RecentRun& run : *runs) {
    Identity who;
    who.consumer = consumers.find_name(run.key);
    if (!who.consumer || run.last < now() - idle) continue;
    guard_->restore(owner_of(who, machine_.secrets.subjects), run.run,
                    {.tokens = run.tokens, .usd_micros = run.usd_micros}, run.llm_calls, run.tool_calls, run.last);
  }
}

Result<void> NodeProcess::restore_decisions() {
  const auto worker_of = [&](Hash128 id) -> NodeWorker& { return *workers_[decisions_.shard_of(id)]; };
  for (const Recovered::Hold& hold : recovered_.holds) {
    DecisionHold decoded;
    NodeWorker& worker = worker_of(hold.id);
    if (!decode_hold(hold.hold, decoded) || !limiter_->adopt(decoded.held) ||
        !worker.desk().adopt(hold.id, hold.row, hold.hold)) {
      context_.note("weir", "a hold could not be opened again: " + hold.row.request_id);
      continue;
    }
    worker.journal().adopt_hold(hold.id, hold.row, hold.hold);
  }
  recovered_.holds.clear();
  const TimeNs since = now() - DecisionDesk::kRemembered;
  const auto read = store_->closed_decisions(since, [&](const ClosedDecision& closed) {
    worker_of(closed.id).desk().remember(closed);
    return true;
  });
  if (!read) return read;
  for (const ClosedDecision& closed : recovered_.closed) {
    if (closed.at >= since) worker_of(closed.id).desk().remember(closed);
  }
  recovered_.closed.clear();
  return {};
}

Result<std::shared_ptr<const KillSwitches>> NodeProcess::load_kills() {
  Result<std::vector<KillSwitch>> all = store_->kill_switches();
  if (!all) return std::unexpected(all.error());
  auto kills = std::make_shared<KillSwitches>();
  for (KillSwitch& off : *all) kills->add(std::move(off));
  return kills;
}

// The file with what operators changed over it.
LoadedPolicy NodeProcess::load(const std::string& text) {
  if (auto rows = store_->overrides()) overrides_ = std::move(*rows);
  MergedPolicy merged = merge_overrides(text, "weir.yaml", no_environment, overrides_);
  if (merged.loaded.policy) text_ = text;
  return std::move(merged.loaded);
}

bool NodeProcess::reload(const std::string& text) {
  const LoadedPolicy loaded = load(text);
  if (!loaded.policy) return false;
  auto policy = std::make_shared<Policy>(*loaded.policy);
  policy->data = policy_->data;
  policy->workers = policy_->workers;
  policy->strict_durability = policy_->strict_durability;
  const std::shared_ptr<const Policy> before = std::exchange(policy_, policy);
  rules_ = compile(policy_, before.get());
  snapshots_->request();
  for (auto& worker : workers_) {
    NodeWorker* const at = worker.get();
    at->post([at, rules = rules_] { at->services().rules = rules; });
  }
  return true;
}

void NodeProcess::pause() {
  paused_ = true;
}

void NodeProcess::resume() {
  paused_ = false;
  while (!paused_ && !waiting_.empty()) {
    const std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    work();
  }
}

void NodeProcess::die_within_turn(bool before_flush, std::function<void()> died) {
  (before_flush ? dies_before_flush_ : dies_before_sending_) = true;
  died_ = std::move(died);
}

bool NodeProcess::dies_if(bool meant_to) {
  if (!meant_to) return false;
  context_.schedule.after(0, std::exchange(died_, nullptr));
  pause();
  return true;
}

void NodeProcess::counters_away(bool away) {
  for (auto& worker : workers_) worker->counters_away(away);
}

WireEvents* NodeProcess::accept(std::unique_ptr<Wire> wire, bool admin) {
  NodeWorker& worker = admin ? *workers_.front() : *workers_[random_.below(workers_.size())];
  if (health_.draining && !admin) return nullptr;
  return worker.accept(std::move(wire), "192.0.2.1",
                       admin ? weir::Session::Listener::kAdmin : weir::Session::Listener::kData);
}

void NodeProcess::drain(std::function<void()> drained) {
  health_.draining = true;
  drain_until_ = now() + policy_->drain;
  drained_ = std::move(drained);
  for (auto& worker : workers_) {
    NodeWorker* const at = worker.get();
    at->post([at] { at->close_idle(); });
  }
}

void NodeProcess::check_drained() {
  if (!drained_) return;
  bool live = false;
  for (auto& worker : workers_) live = live || !worker->services().live.empty();
  if (live && now() < drain_until_) return;
  for (auto& worker : workers_) worker->turn([at = worker.get()] { at->cut_all(); });
  for (auto& worker : workers_) worker->turn([] {});
  book_everything();
  context_.schedule.after(0, std::exchange(drained_, nullptr));
}

std::string NodeProcess::why_not_ready() const {
  if (health_.draining) return "draining";
  for (const auto& worker : workers_) {
    if (std::string why = worker->journal().reason(); !why.empty()) return why;
  }
  return drain_->reason();
}

void NodeProcess::schedule_tick() {
  std::uint64_t bytes = 0;
  bool busy = limiter_->stats().open_reservations > 0;
  for (const auto& worker : workers_) {
    bytes += worker->journal().bytes_written();
    busy = busy || worker->journal().pending() || !worker->services().live.empty();
  }
  busy = busy || bytes != std::exchange(bytes_at_tick_, bytes) || snapshots_->error().empty() == false;
  // A quiet process looks four times a second, as src/app does; a busy one about every 50 ms.
  tick_.set(context_.schedule.now() + (busy ? random_.between(30, 90) : random_.between(200, 400)) * kMillisecond);
}

void NodeProcess::tick() {
  if (paused_) {
    waiting_.push_back([this] { tick(); });
    return;
  }
  if (admin_->run(*store_, now())) next_poll_ = now();
  drain_->step();
  snapshots_->step(now());
  for (auto& worker : workers_) worker->turn([this, at = worker.get()] { at->housekeep(health_.draining); });
  if (paused_) return;
  if (now() >= next_poll_) {
    next_poll_ = now() + kPoll;
    poll_directory();
    watch_agents();
    limiter_->expire(now(), 10'000, [this](Hash128 id) {
      context_.truth.tell([&](Observer& observer) {
        observer.on_decided({.at = now(),
                             .what = Decided::What::kExpire,
                             .id = id,
                             .subjects = {},
                             .demands = {},
                             .amounts = {},
                             .effects = {}});
      });
      decisions_.expired(id);
    });
    limiter_->sweep(now(), 20'000);
    auth_failures_->sweep(now(), 20'000);
    if (now() >= next_purge_) {
      next_purge_ = now() + kHour;
      store_->purge_closed_decisions(now() - DecisionDesk::kRemembered, 5'000).value_or(0);
    }
  }
  check_drained();
  schedule_tick();
}

void NodeProcess::poll_directory() {
  const Result<std::uint64_t> version = store_->data_version();
  if (!version || *version == directory_version_) return;
  const auto consumers = store_->load_directory();
  const auto kills = load_kills();
  if (!consumers || !kills) return;
  directory_version_ = *version;
  for (auto& worker : workers_) {
    worker->post([at = worker.get(), consumers = *consumers, kills = *kills] {
      at->services().consumers = consumers;
      at->services().kills = kills;
    });
  }
}

void NodeProcess::watch_agents() {
  guard_->sweep(policy_->behavior, now(), maybe("guard.sweep-little") ? 1 : 20'000);
  for (Guard::Escalation& account : guard_->take_escalations()) suspensions_.push_back(std::move(account));
  while (!suspensions_.empty()) {
    const Guard::Escalation& account = suspensions_.back();
    if (account.action == TrustAction::kSuspend && !store_->set_kill_switch({.kind = KillSwitch::Kind::kKey,
                                                                             .name = account.key,
                                                                             .reason = account.evidence,
                                                                             .by = "escalation",
                                                                             .since = now()})) {
      return;
    }
    suspensions_.pop_back();
  }
  std::vector<std::pair<HeldRunBudget, RunUse>> ended;
  for (const Guard::EndedBudget& run : guard_->take_ended_budgets()) {
    if (auto budget = budgets_.take(run.tag)) ended.emplace_back(std::move(*budget), run.used);
  }
  if (ended.empty()) return;
  workers_.front()->post([at = workers_.front().get(), ended = std::move(ended)] {
    for (const auto& [budget, used] : ended) end_run_budget(at->services(), budget, used);
  });
}

void NodeProcess::book_everything() {
  for (auto& worker : workers_) worker->turn([at = worker.get()] { at->housekeep(true); });
  for (int i = 0; i < 1'000'000 && drain_->step() > 0; ++i) continue;
}

}  // namespace weir::sim
