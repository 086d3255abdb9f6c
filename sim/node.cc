#include "node.h"

#include <sqlite3.h>

#include <array>
#include <utility>

#include "base/check.h"
#include "gateway/identity.h"
#include "node_process.h"
#include "records/metadata.h"

namespace weir::sim {
namespace {

class Door final : public Listener {
 public:
  using Accept = std::function<WireEvents*(std::unique_ptr<Wire>)>;
  explicit Door(Accept accept) : accept_(std::move(accept)) {}
  WireEvents* on_accept(std::unique_ptr<Wire> wire) override { return accept_(std::move(wire)); }

 private:
  Accept accept_;
};

// Another process at the same database.
class Intruder {
 public:
  explicit Intruder(const std::string& file) {
    WEIR_CHECK(sqlite3_open(file.c_str(), &db_) == SQLITE_OK);
    sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
  }
  ~Intruder() { sqlite3_close(db_); }
  Intruder(const Intruder&) = delete;
  Intruder& operator=(const Intruder&) = delete;

 private:
  sqlite3* db_ = nullptr;
};

Entropy seeded(Random random) {
  return [random](std::span<unsigned char> out) mutable {
    for (unsigned char& byte : out) byte = static_cast<unsigned char>(random.next());
    return true;
  };
}

}  // namespace

struct Node::Impl {
  Impl(const World& world, Context& ctx, std::string directory)
      : context(ctx),
        machine{.world = world,
                .context = ctx,
                .directory = std::move(directory),
                .random = ctx.random.fork("node"),
                .disk = SimDisk(ctx.random.fork("disk")),
                .secrets = {},
                .policy = world.policy},
        data_door([this](auto wire) { return process ? process->accept(std::move(wire), false) : nullptr; }),
        admin_door([this](auto wire) { return process ? process->accept(std::move(wire), true) : nullptr; }),
        resume_timer(ctx.schedule, [this] { resume(); }),
        restart_timer(ctx.schedule, [this] { start(); }) {}

  void make_store();
  void start();
  void end(NodeEvent how);
  void resume();
  void announce(NodeEvent event, std::string_view what) {
    context.note("weir", what);
    context.truth.tell([&](Observer& observer) { observer.on_node(event, context.schedule.now()); });
  }
  void announce_policy() { announce(NodeEvent::kReloaded, "loads policy " + process->rules()->policy().version); }
  void changed(std::string_view what, const std::string& name) {
    context.truth.tell([&](Observer& observer) { observer.on_change(what, name); });
  }
  Result<Store> open_store() { return Store::open(machine.directory, {.busy_timeout_ms = 0}); }

  Context& context;
  Machine machine;
  std::unique_ptr<NodeProcess> process;
  std::unique_ptr<Intruder> intruder;
  bool counters_gone = false, wanted = false;
  Door data_door, admin_door;
  Timer resume_timer, restart_timer;
};

void Node::Impl::make_store() {
  Result<Secrets> secrets = load_or_create_secrets(machine.directory, seeded(machine.random.fork("secrets")));
  WEIR_CHECK(secrets.has_value());
  machine.secrets = std::move(*secrets);
  Result<Store> store = Store::open(machine.directory, {.create = true, .busy_timeout_ms = 0});
  WEIR_CHECK(store.has_value());
  const KeyHasher hasher(machine.secrets.key_hash);
  Random random = machine.random.fork("keys");
  const auto add = [&](Consumer consumer) {
    std::array<unsigned char, 24> bytes{};
    for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random.next());
    const std::string key = make_key(bytes);
    consumer.created_at = context.schedule.now();
    WEIR_CHECK(store->create_consumer(consumer, hasher.hash(key)).has_value());
    context.keys[consumer.name] = key;
  };
  for (const KeySpec& spec : machine.world.keys) {
    if (spec.count == 0) add(spec.consumer);
    for (int i = 0; i < spec.count; ++i) {
      Consumer one = spec.consumer;
      one.name += "-" + std::to_string(i);
      add(std::move(one));
    }
  }
}

void Node::Impl::start() {
  wanted = true;
  if (process) return;
  Result<std::unique_ptr<NodeProcess>> started = NodeProcess::start(machine);
  if (!started) {  // as a supervisor does
    context.note("weir", "cannot start: " + started.error().message);
    restart_timer.set(context.schedule.now() + 2 * kSecond);
    return;
  }
  process = std::move(*started);
  process->counters_away(counters_gone);
  context.network.listen("weir", data_door);
  context.network.listen("weir-admin", admin_door);
  announce(NodeEvent::kStarted,
           "started; " + std::to_string(process->recovered().in_flight) + " requests were in flight");
}

void Node::Impl::end(NodeEvent how) {
  restart_timer.set(0);
  resume_timer.set(0);
  if (!process) return;
  context.network.stop_listening("weir");
  context.network.stop_listening("weir-admin");
  process.reset();
  announce(how, how == NodeEvent::kStopped ? "stopped" : "crashed");
}

void Node::Impl::resume() {
  if (!process || process->running()) return;
  announce(NodeEvent::kResumed, "goes on");
  process->resume();
}

Node::Node(const World& world, Context& context, std::string directory)
    : impl_(std::make_unique<Impl>(world, context, std::move(directory))) {
  impl_->make_store();
  context.node = this;
}
Node::~Node() = default;

void Node::start() {
  impl_->start();
}

void Node::crash() {
  impl_->wanted = false;
  impl_->end(NodeEvent::kCrashed);
}

void Node::crash_in_turn(bool before_flush, std::function<void()> crashed) {
  if (!impl_->process) return;
  impl_->process->die_within_turn(before_flush, [this, crashed = std::move(crashed)] {
    crash();
    crashed();
  });
}

void Node::lose_power() {
  crash();
  impl_->machine.disk.lose_power();
}

void Node::stop(std::function<void()> stopped) {
  impl_->wanted = false;
  if (!impl_->process || !impl_->process->running()) return;
  impl_->context.note("weir", "drains");
  impl_->process->drain([this, stopped = std::move(stopped)] {
    impl_->end(NodeEvent::kStopped);
    stopped();
  });
}

void Node::pause(TimeNs until) {
  if (!impl_->process || !impl_->process->running()) return;
  impl_->process->pause();
  impl_->announce(NodeEvent::kPaused, "paused");
  impl_->resume_timer.set(until);
}

void Node::resume() {
  impl_->resume_timer.set(0);
  impl_->resume();
}

bool Node::running() const {
  return impl_->process != nullptr;
}
bool Node::paused() const {
  return impl_->process && !impl_->process->running();
}

bool Node::reload(const std::string& policy) {
  impl_->machine.policy = policy;
  if (!impl_->process) return false;
  const bool valid = impl_->process->reload(policy);
  if (!valid) {
    impl_->context.note("weir", "refuses an invalid policy");
    return false;
  }
  impl_->announce_policy();
  return true;
}

void Node::step_clock(DurationNs by) {
  impl_->machine.clock_step += by;
}
void Node::drift(std::int64_t ppm) {
  impl_->machine.drift_ppm = ppm;
}
TimeNs Node::now() const {
  return impl_->process ? impl_->process->now() : impl_->context.schedule.now() + impl_->machine.clock_step;
}

void Node::fill_disk(bool on) {
  impl_->machine.disk.full = on;
}
void Node::break_disk(bool on) {
  impl_->machine.disk.broken = on;
}
void Node::short_writes(std::int64_t permille) {
  impl_->machine.disk.short_writes_permille = permille;
}
void Node::lock_ledger(bool on) {
  if (on == (impl_->intruder != nullptr)) return;
  impl_->intruder = on ? std::make_unique<Intruder>(impl_->machine.directory + "/weir.db") : nullptr;
}
void Node::counters_away(bool away) {
  impl_->counters_gone = away;
  impl_->context.truth.tell(
      [&](Observer& observer) { observer.on_counters_away(away, impl_->context.schedule.now()); });
  if (impl_->process) impl_->process->counters_away(away);
}

Result<void> Node::set_kill_switch(const KillSwitch& off) {
  Result<Store> store = impl_->open_store();
  if (!store) return std::unexpected(store.error());
  const Result<void> set = store->set_kill_switch(off);
  if (set) impl_->changed(std::string("kill ") + to_string(off.kind), off.name);
  return set;
}

Result<void> Node::clear_kill_switch(KillSwitch::Kind kind, const std::string& name) {
  Result<Store> store = impl_->open_store();
  if (!store) return std::unexpected(store.error());
  const Result<bool> cleared = store->clear_kill_switch(kind, name, {.at = now()});
  if (!cleared) return std::unexpected(cleared.error());
  if (*cleared) impl_->changed(std::string("unkill ") + to_string(kind), name);
  return {};
}

Result<void> Node::revoke(const std::string& key) {
  Result<Store> store = impl_->open_store();
  if (!store) return std::unexpected(store.error());
  const Result<bool> revoked = store->revoke_consumer(key, {.at = now()});
  if (!revoked) return std::unexpected(revoked.error());
  if (*revoked) impl_->changed("keys revoke", key);
  return {};
}

Result<void> Node::override_limit(const std::string& name, const std::string& json) {
  Result<Store> store = impl_->open_store();
  if (!store) return std::unexpected(store.error());
  const auto known = store->overrides();
  if (!known) return std::unexpected(known.error());
  OverrideChange change{.name = name, .before = {}, .after = json};
  for (const Override& row : *known) {
    if (row.name == name) change.before = row.json;
  }
  const auto done = store->change_overrides({&change, 1}, {.at = now()});
  if (!done) return std::unexpected(done.error());
  if (change.before == change.after || *done != OverrideOutcome::kDone) return {};
  impl_->changed("override limit", name);
  if (impl_->process && impl_->process->reload_overrides()) impl_->announce_policy();
  return {};
}

Node::Books Node::books() const {
  Books out;
  if (!impl_->process) return out;
  NodeProcess& process = *impl_->process;
  for (auto& worker : process.workers()) {
    out.live_exchanges += worker->services().live.size();
    out.connections += worker->connections();
    out.queued += worker->services().queued;
    out.upstream_ports += worker->upstream_ports();
    out.journal_open += worker->journal().open_requests();
    out.desk_open += worker->desk().open();
    out.journal_healthy = out.journal_healthy && worker->journal().healthy();
  }
  out.buffered_bytes = process.buffers().used.load();
  out.requests_in_flight = process.metrics().requests_in_flight.value();
  out.limiter = process.limiter().stats();
  out.guard = process.guard().stats();
  out.ledger_healthy = process.books().healthy();
  out.snapshot_healthy = process.snapshots().error().empty();
  return out;
}

std::shared_ptr<const Ruleset> Node::rules() const {
  return impl_->process ? impl_->process->rules() : nullptr;
}
const Limiter& Node::limiter() const {
  WEIR_CHECK(impl_->process != nullptr);
  return impl_->process->limiter();
}

Result<std::vector<UsageRow>> Node::ledger() {
  if (impl_->process) impl_->process->book_everything();
  Result<Store> store = impl_->open_store();
  if (!store) return std::unexpected(store.error());
  std::vector<UsageRow> out;
  const auto read = store->usage(std::numeric_limits<TimeNs>::min(), [&](const UsageRow& row) {
    out.push_back(row);
    return true;
  });
  if (!read) return std::unexpected(read.error());
  return out;
}

Result<std::vector<AuditRow>> Node::audit() {
  if (impl_->process) impl_->process->book_everything();
  Result<Store> store = impl_->open_store();
  if (!store) return std::unexpected(store.error());
  std::vector<AuditRow> out;
  const auto read = store->audit(std::numeric_limits<TimeNs>::min(), [&](const AuditRow& row) {
    out.push_back(row);
    return true;
  });
  if (!read) return std::unexpected(read.error());
  return out;
}

Result<AuditVerdict> Node::verify_audit() {
  Result<Store> store = impl_->open_store();
  if (!store) return std::unexpected(store.error());
  return store->verify_audit();
}

Result<UsageSums> Node::sums(const UsageFilter& filter, SumBy by) {
  Result<Store> store = impl_->open_store();
  if (!store) return std::unexpected(store.error());
  return RecordQueries(*store).usage_sums(filter, by, kMaxSumGroups);
}

std::optional<Node::Usage> Node::usage(const std::string& key, const std::string& limit, const std::string& model) {
  if (!impl_->process) return std::nullopt;
  NodeWorker& worker = *impl_->process->workers().front();
  const std::string authorization = "Bearer " + impl_->context.keys[key];
  Headers headers{{{"authorization", authorization}}};
  const Identity identity = identify(worker.services(), headers, "192.0.2.1");
  Attributes attributes;
  fill_attributes(identity, headers, attributes);
  if (!model.empty()) attributes.set(Attribute::kModel, model);
  Plan plan;
  const TimeNs at = impl_->process->now();
  if (impl_->process->rules()->plan(attributes, {}, at, plan)) return std::nullopt;
  Decision decision;
  impl_->process->limiter().peek({.subjects = plan.subjects(), .demands = plan.demands(), .now = at}, decision);
  for (std::size_t i = 0; i < plan.limits().size(); ++i) {
    const PlannedLimit& planned = plan.limits()[i];
    if (planned.rule->name != limit) continue;
    return Usage{.used = decision.verdicts[i].used,
                 .reserved = decision.verdicts[i].reserved,
                 .amount = planned.amount,
                 .kind = planned.window->kind,
                 .window = planned.window->length};
  }
  return std::nullopt;
}

}  // namespace weir::sim
