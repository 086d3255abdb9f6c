// The last 900 seconds, second by second: requests, refusals, tokens and micro-dollars, in all and by tier, model and
// layer.
//
//   LiveSeries series;
//   series.open(second);                         // seconds since 1970; those in between were quiet
//   series.add(LiveSeries::kTier, "pro", {.requests = 1});
//   LiveWindow last = series.window(60);
//
// One thread at a time. Limits: kMaxGroups names of a kind, whose columns take 29 kB each; what finds no place counts
// as `other`, until a name that was silent for 900 seconds makes room.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

struct LiveCounts {
  std::int64_t requests = 0, refused = 0, tokens = 0, usd_micros = 0;
  LiveCounts& operator+=(const LiveCounts& other);
  bool operator==(const LiveCounts&) const = default;
  bool any() const { return *this != LiveCounts{}; }
};
using NamedCounts = std::pair<std::string, LiveCounts>;
inline constexpr std::string_view kOtherGroup = "other";

// Columns, oldest second first; the last one is still open.
struct LiveWindow {
  using Column = std::vector<LiveCounts>;
  std::int64_t first_second = 0;
  Column total;
  std::array<std::vector<std::pair<std::string, Column>>, 3> by;  // the largest groups, then `other` if it has any
};

class LiveSeries {
 public:
  static constexpr std::size_t kSeconds = 900;
  static constexpr std::size_t kMaxGroups = 64;
  static constexpr std::size_t kShownGroups = 8;
  enum Kind : std::uint8_t { kTier, kModel, kLayer };
  static constexpr std::array<Kind, 3> kKinds = {kTier, kModel, kLayer};

  // From now on counts are of this second; an earlier one than the open one is ignored.
  void open(std::int64_t second);
  void add(const LiveCounts& counts) { total_[slot()] += counts; }
  void add(Kind kind, std::string_view group, const LiveCounts& counts);

  std::int64_t second() const { return second_; }
  const LiveCounts& total() const { return total_[slot()]; }
  // Of the open second: every group that has any.
  std::vector<NamedCounts> groups(Kind kind) const;
  LiveWindow window(std::size_t seconds) const;

 private:
  using Ring = std::vector<LiveCounts>;  // kSeconds
  struct Group {
    std::string name;
    Ring ring;
  };
  std::size_t slot() const { return static_cast<std::size_t>(second_) % kSeconds; }
  Group& group_of(Kind kind, std::string_view name);
  Group* silent_group(Kind kind);

  std::int64_t second_ = 0;
  Ring total_ = Ring(kSeconds);
  std::array<std::vector<Group>, 3> groups_;
  std::array<std::int64_t, 3> looked_for_room_{};  // second of the last time
};

}  // namespace weir
