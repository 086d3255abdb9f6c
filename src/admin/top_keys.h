// Which keys did most in the last minute.
//
//   TopKeys keys;
//   keys.add("agent-1", {.requests = 1});
//   keys.close();                                // the second is over
//   std::vector<NamedCounts> top = keys.last_minute(20);
//
// Counts are exact for the first kMaxKeys keys of each second; further keys of that second are left out. A key that
// matters is among the first of nearly every second, and no count is ever too high. One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "admin/live_series.h"

namespace weir {

class TopKeys {
 public:
  static constexpr std::size_t kMaxKeys = 1'024;
  static constexpr std::size_t kSeconds = 60;

  void add(std::string_view key, const LiveCounts& counts);
  // The open second's, by requests.
  std::vector<NamedCounts> this_second(std::size_t most) const;
  void close();
  // Of closed seconds and the open one.
  std::vector<NamedCounts> last_minute(std::size_t most) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Map = std::unordered_map<std::string, LiveCounts, Hash, std::equal_to<>>;
  static std::vector<NamedCounts> largest(const Map& counts, std::size_t most);

  Map open_;
  std::array<std::vector<NamedCounts>, kSeconds> closed_;
  std::size_t next_ = 0;
};

}  // namespace weir
