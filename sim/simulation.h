// One seed in one world, from its start to its verdict.
//
//   Simulation simulation(world, seed, {.print_trace = false});
//   const Verdict verdict = simulation.run();
//
// Phases: everything runs and goes wrong for the world's hours; then everything is healed, clients stop, what is under
// way ends; then the checkers look at the books. The same world and seed give the same trace hash on every machine.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "checker.h"
#include "world.h"

namespace weir::sim {

struct RunOptions {
  bool print_trace = false;
  std::string directory;  // for the node's files; empty: a fresh one in memory, removed at the end
};

struct Verdict {
  std::vector<Failure> failures;
  std::vector<std::string> last_lines;  // of the trace, if it failed
  std::uint64_t trace_hash = 0;
  DurationNs virtual_time = 0;
  std::uint64_t steps = 0, asks = 0, calls = 0, decisions = 0, refusals = 0, ledger_rows = 0;
  std::map<std::string, std::uint64_t> faults;   // by kind: how many were done
  std::map<std::string, std::uint64_t> reached;  // coverage marks (base/sites.h)
  std::map<std::string, std::uint64_t> looks;    // by checker
};

class Simulation {
 public:
  Simulation(const World& world, std::uint64_t seed, RunOptions options = {});
  ~Simulation();
  Verdict run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::sim
