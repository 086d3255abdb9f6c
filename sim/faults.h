// What goes wrong, and when. Rates are per virtual hour, in the world's `faults:`; names:
//
//   crash (kill -9 between turns), crash_in_turn, power_loss (for `durability: strict`), restart (SIGTERM, drain,
//   start), pause (SIGSTOP), partition_clients, partition_providers, clog_clients, clog_providers, reset_clients,
//   reset_providers, reload (to the next of the world's policies), clock_step (with a restart), drift, disk_full,
//   disk_error, short_writes, ledger_locked, counters_away, provider_down (by the provider's own setting), forget.
//
// One thread. After heal() nothing more happens, and what was wrong is right again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "context.h"
#include "node.h"
#include "world.h"

namespace weir::sim {

class Faults {
 public:
  Faults(const World& world, Context& context, Node& node);
  void start();
  void heal();
  const std::map<std::string, std::uint64_t>& done() const { return done_; }
  static const std::vector<std::string>& names();

 private:
  void plan(const std::string& name);
  void happen(const std::string& name);
  void down(const std::string& how);
  void network(const std::string& name);
  void disk(const std::string& name);
  void reload();
  DurationNs some(DurationNs low, DurationNs high) { return random_.between(low, high); }
  void later(DurationNs wait, std::function<void()> work);

  const World& world_;
  Context& context_;
  Node& node_;
  Random random_;
  std::size_t policy_ = 0;
  std::map<std::string, std::uint64_t> done_;
  std::map<std::string, std::unique_ptr<Timer>> next_;
};

}  // namespace weir::sim
