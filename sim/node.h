// The Weir process under test: the real engine, policy, guard, counters, journal, recovery, drain, ledger, sessions and
// exchanges, put together as src/app and src/net do, in virtual time, on a disk that can fail.
//
//   Node node(world, context, directory);
//   node.start();  …  node.crash();  node.start();
//
// What is simulated: sockets (network.h), the clock, the disk's failures, the threads (each worker's turn and each tick
// of the background is one event). Everything that depends on the process dies with crash(); the directory stays.
// One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "behavior/guard.h"
#include "context.h"
#include "model/usage.h"
#include "policy/ruleset.h"
#include "records/queries.h"
#include "records/store.h"
#include "world.h"

namespace weir::sim {

class Node {
 public:
  // Creates the directory's store with the world's keys; Context::keys is filled in.
  Node(const World& world, Context& context, std::string directory);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void start();  // recovers what is in the directory
  void crash();  // as kill -9: nothing is told to anybody; the network resets its connections
  // Within a turn: after its work, before the journal is written, or after that and before anything is sent.
  void crash_in_turn(bool before_flush, std::function<void()> crashed);
  void lose_power();                         // … and what was not synced may be lost (with `durability: strict` only)
  void stop(std::function<void()> stopped);  // SIGTERM: drains, then ends
  void pause(TimeNs until);                  // SIGSTOP … SIGCONT
  void resume();
  bool running() const;
  bool paused() const;
  // False: the policy is not valid, the old one stays.
  bool reload(const std::string& policy);
  void step_clock(DurationNs by);  // the machine's wall clock: seen by the next start()
  void drift(std::int64_t ppm);    // the node's clock runs that much faster than true time
  TimeNs now() const;              // by the node's clock

  // The disk, from now on until told otherwise.
  void fill_disk(bool on);   // journal: ENOSPC; store: no page more
  void break_disk(bool on);  // every write and sync of the journal fails
  void short_writes(std::int64_t permille);
  void lock_ledger(bool on);    // another process holds the store
  void counters_away(bool on);  // late counters only: they cannot be reached

  // Operators and their commands work on the same store.
  Result<void> set_kill_switch(const KillSwitch& off);
  Result<void> clear_kill_switch(KillSwitch::Kind kind, const std::string& name);
  Result<void> revoke(const std::string& key);
  // Lays members over the limit of that name in whatever policy holds; empty: no more.
  Result<void> override_limit(const std::string& name, const std::string& json);

  // --- for checkers; of a running node ----------------------------------------------------------------------------
  struct Books {
    std::size_t live_exchanges = 0, connections = 0, queued = 0, upstream_ports = 0, journal_open = 0, desk_open = 0;
    std::int64_t buffered_bytes = 0, requests_in_flight = 0;
    LimiterStats limiter;
    Guard::Stats guard;
    bool journal_healthy = true, ledger_healthy = true, snapshot_healthy = true;
  };
  Books books() const;
  std::shared_ptr<const Ruleset> rules() const;
  const Limiter& limiter() const;
  // Drains the journal as far as it goes, then reads every row, in the order of the ledger.
  Result<std::vector<UsageRow>> ledger();
  Result<std::vector<AuditRow>> audit();
  Result<AuditVerdict> verify_audit();
  // As the admin API sums; over whole hours (UTC) without a look at the rows.
  Result<UsageSums> sums(const UsageFilter& filter, SumBy by);
  // What a key's limit of that name holds now, over its first window; through the real plan of a request without
  // attributes of its own.
  struct Usage {
    std::int64_t used = 0, reserved = 0, amount = 0;
    WindowKind kind = WindowKind::kSliding;
    DurationNs window = 0;
  };
  std::optional<Usage> usage(const std::string& key, const std::string& limit, const std::string& model = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::sim
