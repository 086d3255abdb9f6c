// What happened in a run, line by line: hashed always (two runs of one seed must give the same hash), kept for the last
// few thousand lines, printed when asked.
//
//   trace.note(now, "provider openai", fmt::format("answers ask {} with 429", ask));
//
// Only what happened in virtual time may be noted: no addresses, no real time, no order of a hash table.
#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>
#include <string_view>

#include "base/time.h"

namespace weir::sim {

class Trace {
 public:
  static constexpr std::size_t kMaxKept = 400;

  explicit Trace(bool print = false) : print_(print) {}
  void note(TimeNs at, std::string_view who, std::string_view what);
  // Into the hash only: what would be too much to tell.
  void mix(std::uint64_t value);
  std::uint64_t hash() const { return hash_; }
  std::uint64_t lines() const { return lines_; }
  const std::deque<std::string>& last() const { return last_; }

 private:
  bool print_;
  std::uint64_t hash_ = 0xcbf29ce484222325ull, lines_ = 0;
  std::deque<std::string> last_;
};

}  // namespace weir::sim
