// Adds up what many seeds did, and says it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "simulation.h"

namespace weir::sim {

// A verdict as one line of text, and back: how child processes report.
std::string to_line(const Verdict& verdict);
bool from_line(const std::string& line, Verdict& verdict);

struct Finding {
  std::string world;
  std::uint64_t seed = 0;
  std::string what;  // checker and message, or how the process died
};

class Report {
 public:
  void add(const std::string& world, std::uint64_t seed, const Verdict& verdict);
  void add(Finding finding) { findings_.push_back(std::move(finding)); }
  const std::vector<Finding>& findings() const { return findings_; }
  std::uint64_t seeds() const { return seeds_; }
  void print(double seconds) const;

 private:
  std::uint64_t seeds_ = 0;
  std::map<std::string, std::uint64_t> by_world_;
  Verdict sum_;
  std::vector<Finding> findings_;
};

}  // namespace weir::sim
