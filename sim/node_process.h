// One life of the node: everything that a process holds in memory, put together as src/app/server.cc does, and its
// background work. Its death is its destructor; files stay.
//
// One thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "journal/recovery.h"
#include "journal/snapshot.h"
#include "node_worker.h"
#include "records/drain.h"
#include "records/secrets.h"
#include "records/store.h"
#include "sim_disk.h"
#include "world.h"

namespace weir::sim {

// The machine: what outlives the process.
struct Machine {
  const World& world;
  Context& context;
  std::string directory;
  Random random;
  SimDisk disk;
  Secrets secrets;
  std::string policy;         // the file as it is now
  DurationNs clock_step = 0;  // of the wall clock, against true time
  std::int64_t drift_ppm = 0;
  int lives = 0;
};

class NodeProcess {
 public:
  // Fails as `weir serve` does when it cannot start: an invalid policy, a disk that refuses.
  static Result<std::unique_ptr<NodeProcess>> start(Machine& machine);
  ~NodeProcess();

  TimeNs now() const;
  TimeNs true_time(TimeNs at) const;
  bool reload(const std::string& text);
  bool reload_overrides() { return reload(text_); }
  void pause();
  void resume();
  void drain(std::function<void()> drained);
  void die_within_turn(bool before_flush, std::function<void()> died);
  void counters_away(bool away);
  WireEvents* accept(std::unique_ptr<Wire> wire, bool admin);
  void tick();
  // Until there is nothing more to book, or it cannot be.
  void book_everything();

  bool running() const { return !paused_; }
  std::shared_ptr<const Ruleset> rules() const { return rules_; }
  Limiter& limiter() { return *limiter_; }
  Store& store() { return *store_; }
  Drain& books() { return *drain_; }
  Snapshotter& snapshots() { return *snapshots_; }
  Guard& guard() { return *guard_; }
  std::vector<std::unique_ptr<NodeWorker>>& workers() { return workers_; }
  MetricsBook& metrics() { return book_; }
  BufferBudget& buffers() { return buffers_; }
  const Recovered& recovered() const { return recovered_; }

 private:
  explicit NodeProcess(Machine& machine);
  Result<void> open();
  Result<void> open_workers();
  LoadedPolicy load(const std::string& text);
  std::shared_ptr<const Ruleset> compile(std::shared_ptr<const Policy> policy, const Policy* before);
  void restore_runs(const ConsumerSnapshot& consumers);
  Result<void> restore_decisions();
  Result<std::shared_ptr<const KillSwitches>> load_kills();
  void poll_directory();
  void watch_agents();
  void schedule_tick();
  bool dies_if(bool meant_to);
  void check_drained();
  std::string why_not_ready() const;

  Machine& machine_;
  Context& context_;
  Random random_;
  TimeNs wall_at_start_ = 0, true_at_start_ = 0;
  std::int64_t drift_ppm_ = 0;
  bool paused_ = false;
  std::deque<std::function<void()>> waiting_;  // for the process to run again
  std::string text_;                           // of the last file that was valid
  std::vector<Override> overrides_;            // as they were read last
  std::shared_ptr<const Policy> policy_;
  std::shared_ptr<const Ruleset> rules_;

  std::unique_ptr<Limiter> limiter_, auth_failures_;
  Recovered recovered_;
  std::unique_ptr<SegmentSequence> sequence_;
  Metrics metrics_;
  MetricsBook book_{metrics_};
  Health health_;
  BufferBudget buffers_;
  Learned learned_;
  std::unique_ptr<Guard> guard_;
  RunBudgets budgets_;
  std::vector<Guard::Escalation> suspensions_;
  AuditSum audit_sum_;
  std::unique_ptr<AdminWork> admin_;
  std::unique_ptr<AdminAccess> access_;
  ApiOptions api_;
  DecisionRouter decisions_;
  std::unique_ptr<NodeShared> shared_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Drain> drain_;
  std::unique_ptr<Snapshotter> snapshots_;
  std::vector<std::unique_ptr<NodeWorker>> workers_;
  std::uint64_t directory_version_ = 0, bytes_at_tick_ = 0;
  TimeNs next_poll_ = 0, next_purge_ = 0, drain_until_ = 0;
  std::function<void()> drained_, died_;
  bool dies_before_flush_ = false, dies_before_sending_ = false;
  Timer tick_;
};

}  // namespace weir::sim
