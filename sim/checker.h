// What must hold, watched while a simulation runs.
//
//   class Conservation final : public Checker { … void on_settled(…) override; void at_end() override; };
//
// A checker that finds something wrong calls fail(): the first failure ends the run with the seed, the time and the
// trace's last lines. It sees only truth.h, and the node's own books at the end (node.h): it never repeats the
// product's calculation with the product's code.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "context.h"
#include "truth.h"
#include "world.h"

namespace weir::sim {

struct Failure {
  std::string checker, message;
  TimeNs at = 0;
};

class Checker : public Observer {
 public:
  Checker(std::string_view name, Context& context) : name_(name), context_(context) {}
  const std::string& name() const { return name_; }
  // The world has been healed, clients have stopped, everything has had time to end.
  virtual void at_end() {}
  const std::vector<Failure>& failures() const { return failures_; }
  // How often it looked at something that could have been wrong: a checker that never did proves nothing.
  std::uint64_t looks() const { return looks_; }

 protected:
  void fail(std::string message);
  void looked(std::uint64_t times = 1) { looks_ += times; }
  Context& context() { return context_; }

 private:
  std::string name_;
  Context& context_;
  std::vector<Failure> failures_;
  std::uint64_t looks_ = 0;
};

// All of them, but those that the world is without.
std::vector<std::unique_ptr<Checker>> make_checkers(const World& world, Context& context);
std::vector<std::string> checker_names();

}  // namespace weir::sim
