#include "simulation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "base/check.h"
#include "base/sites.h"
#include "client.h"
#include "faults.h"
#include "node.h"
#include "provider.h"

namespace weir::sim {
namespace {

constexpr DurationNs kMostHealing = 45 * kMinute;  // every time-out of every actor is shorter
constexpr DurationNs kQuiet = 15 * kMinute;        // runs are idle, holds have expired
constexpr std::uint64_t kMaxSteps = 200'000'000;

std::string fresh_directory() {
  static std::atomic<int> count{0};
  const std::filesystem::path base =
      std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
  return (base / fmt::format("weir-sim-{}-{}", ::getpid(), ++count)).string();
}

// Counts decisions and refusals for the report; every decision is part of the trace's hash.
class Tally final : public Observer {
 public:
  explicit Tally(Trace& trace) : trace_(trace) {}
  void on_decided(const Decided& decided) override {
    trace_.mix(static_cast<std::uint64_t>(decided.at) ^ (static_cast<std::uint64_t>(decided.what) << 60));
    for (const Effect& effect : decided.effects) trace_.mix(static_cast<std::uint64_t>(effect.amount));
    if (decided.what == Decided::What::kAdmit) {
      ++decisions;
      if (!decided.decision->admitted) ++refusals;
    }
  }
  std::uint64_t decisions = 0, refusals = 0;

 private:
  Trace& trace_;
};

}  // namespace

struct Simulation::Impl final : SiteEvents {
  Impl(const World& w, std::uint64_t seed, RunOptions o)
      : world(w),
        options(std::move(o)),
        owns_directory(options.directory.empty()),
        root(seed),
        trace(options.print_trace),
        schedule(pick_start(w, root)),
        network(schedule, root.fork("network"), trace),
        context{.schedule = schedule,
                .network = network,
                .truth = truth,
                .trace = trace,
                .random = root.fork("actors"),
                .keys = {}},
        sites(root.fork("sites")) {
    if (owns_directory) options.directory = fresh_directory();
    std::filesystem::create_directories(options.directory);
  }
  ~Impl() override {
    std::error_code ignored;
    if (owns_directory) std::filesystem::remove_all(options.directory, ignored);
  }

  static TimeNs pick_start(const World& w, const Random& root) {
    Random random = root.fork("start");
    return w.starts[random.below(w.starts.size())] + random.between(0, kMinute);
  }

  bool on_maybe(std::string_view site) override {
    if (context.healing || !sites.permille(maybe_permille)) return false;
    ++verdict.faults[std::string("maybe ") + std::string(site)];
    return true;
  }
  void on_reached(std::string_view site) override { ++verdict.reached[std::string(site)]; }

  void build();
  bool run_until(TimeNs until);
  void heal();
  void conclude();

  const World& world;
  RunOptions options;
  bool owns_directory;
  Random root;
  Trace trace;
  Schedule schedule;
  Network network;
  Truth truth;
  Context context;
  Random sites;
  std::int64_t maybe_permille = 0;
  Tally tally{trace};
  Verdict verdict;
  std::unique_ptr<Node> node;
  std::unique_ptr<Faults> faults;
  std::vector<std::unique_ptr<Checker>> checkers;
  std::vector<std::unique_ptr<Provider>> providers;
  std::vector<std::unique_ptr<Client>> clients;
};

void Simulation::Impl::build() {
  for (const auto& [between, link] : world.links) network.set_link(between.first, between.second, link);
  maybe_permille = world.weir.number("maybe", 20);
  truth.add(tally);
  node = std::make_unique<Node>(world, context, options.directory);
  checkers = make_checkers(world, context);
  for (auto& checker : checkers) truth.add(*checker);
  for (const auto& [name, settings] : world.providers)
    providers.push_back(std::make_unique<Provider>(name, settings, context));
  for (const Settings& settings : world.clients) {
    auto made = make_clients(settings, context);
    WEIR_CHECK(made.has_value());
    for (auto& client : *made) clients.push_back(std::move(client));
  }
  faults = std::make_unique<Faults>(world, context, *node);
  schedule.after_step = [this] { truth.tell([&](Observer& observer) { observer.on_step(schedule.now()); }); };
}

// False: a checker has failed.
bool Simulation::Impl::run_until(TimeNs until) {
  while (!context.failed && schedule.step(until)) WEIR_CHECK(schedule.steps() < kMaxSteps);
  return !context.failed;
}

void Simulation::Impl::heal() {
  context.healing = true;
  context.note("simulation", "heals");
  network.heal();
  for (auto& provider : providers) provider->heal();
  faults->heal();
  for (auto& client : clients) client->stop();
  const TimeNs latest = schedule.now() + kMostHealing;
  while (!context.failed && truth.open_asks() > 0 && schedule.now() < latest) run_until(schedule.now() + kSecond);
  if (!context.failed) run_until(schedule.now() + kQuiet);
}

void Simulation::Impl::conclude() {
  if (!context.failed) {
    const auto rows = node->ledger();
    if (rows) verdict.ledger_rows = rows->size();
    for (auto& checker : checkers) {
      checker->at_end();
      if (context.failed) break;
    }
  }
  for (const auto& checker : checkers) {
    verdict.looks[checker->name()] = checker->looks();
    verdict.failures.insert(verdict.failures.end(), checker->failures().begin(), checker->failures().end());
  }
  if (!verdict.failures.empty()) verdict.last_lines.assign(trace.last().begin(), trace.last().end());
  verdict.trace_hash = trace.hash();
  verdict.steps = schedule.steps();
  verdict.asks = truth.asks().size();
  verdict.calls = truth.calls().size();
  verdict.decisions = tally.decisions;
  verdict.refusals = tally.refusals;
  for (const auto& [name, count] : faults->done()) verdict.faults[name] += count;
}

Simulation::Simulation(const World& world, std::uint64_t seed, RunOptions options)
    : impl_(std::make_unique<Impl>(world, seed, std::move(options))) {}
Simulation::~Simulation() = default;

Verdict Simulation::run() {
  Impl& impl = *impl_;
  site_events() = &impl;
  impl.build();
  const TimeNs begin = impl.schedule.now();
  impl.node->start();
  for (auto& client : impl.clients) client->start();
  impl.faults->start();
  Random hours = impl.root.fork("hours");
  if (impl.run_until(begin + hours.between(impl.world.hours_ns.first, impl.world.hours_ns.second))) impl.heal();
  impl.conclude();
  impl.verdict.virtual_time = impl.schedule.now() - begin;
  // Clients and providers hold ends of connections, whose other ends are the node's.
  impl.clients.clear();
  impl.providers.clear();
  impl.node.reset();
  site_events() = nullptr;
  return std::move(impl.verdict);
}

}  // namespace weir::sim
