// What consumers used per minute, hour and day, by tier and kind of consumer: the first pass of `weir recommend`.
//
//   UseBook book(*policy);                       // prices and the default tier are this policy's
//   while (…next(row)…) if (auto added = book.add(row); !added) return fail(added.error().message);
//   book.finish();
//   book.groups()[0].use[…minute…][…tokens…].quantile(0.95);
//
// The amounts: time is cut into minutes, hours and days of UTC. What one consumer (attribute `caller`: the user, else
// the key) used of a meter in one such window is one value; windows in which it used nothing of it are none. A quantile
// is over all values of all consumers of the group: p95 of tokens per minute is what 19 of 20 minutes of use stayed
// within. That is what a limit per caller and minute meets, whoever the caller is.
//
// Rows come in the order of time and carry instants of the calendar (recommend_clock.h). Tokens and usd are counted as
// a replay counts them: at the policy's prices, and runs as the gateway does (recorded_runs.h).
//
// Amounts of a consumer's own (TraceRow::metadata) are those that the first row with any has.
//
// Belongs to one thread. Limits: kMaxConsumers consumers and kMaxGroups groups (rows of more are counted in
// `uncounted`), RecordedRuns::kMaxRuns runs at once. Memory: about 500 bytes a consumer.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "policy/policy.h"
#include "replay/recommend_histogram.h"
#include "replay/recommend_rhythm.h"
#include "replay/recorded_runs.h"
#include "replay/requests.h"
#include "replay/service_time.h"
#include "replay/trace.h"

namespace weir {

enum class UseWindow : std::uint8_t { kPerMinute, kPerHour, kPerDay };
enum class UseMeter : std::uint8_t { kRequests, kTokens, kUsd, kRuns };
inline constexpr std::size_t kUseWindows = 3, kUseMeters = 4;
const char* to_string(UseWindow window);  // "minute", …
const char* to_string(UseMeter meter);    // "requests", …
DurationNs length_of(UseWindow window);

using UseHistograms = std::array<std::array<AmountHistogram, kUseMeters>, kUseWindows>;
using Amounts = std::array<std::int64_t, kUseMeters>;  // usd in micro-dollars

struct ConsumerUse {
  // The window that is open, the two before it, and the most that two neighbours ever held: no window of that length,
  // wherever it begins, holds more, nor do the 61 buckets of a ring, whose width divides it. Of usd three neighbours: a
  // hold does not know what will come from a cache.
  struct Window {
    std::int64_t number = -1;
    Amounts now{}, before{}, earlier{}, most{};
  };
  std::string name;
  std::uint32_t group = 0;
  std::uint32_t next = 0;  // of the same caller in another group, + 1; 0: none
  bool several = false;    // it is in more than one group
  bool own = false;        // its key's metadata has amounts of its own, of the limits `own_limits` of the policy
  std::vector<std::uint16_t> own_limits;
  std::int64_t requests = 0;
  DurationNs longest = 0;  // answer
  Rhythm rhythm;
  std::array<Window, kUseWindows> windows;
};

struct GroupUse {
  std::string tier, kind;
  std::int64_t consumers = 0, requests = 0;
  double answer_seconds = 0;  // of all requests together
  UseHistograms use;
  std::map<std::uint16_t, UseHistograms> own;  // by limit of the policy: the part of consumers with an own amount of it
  // Set by finish().
  UseWindow longest = UseWindow::kPerMinute;   // of the windows that fit into the time seen; a minute at least
  std::array<std::int64_t, kShapes> shapes{};  // consumers of each
  Shape shape = Shape::kUnknown;               // that most of them have
  std::int64_t crowds = 0;
  // Medians over the consumers whose shape is known.
  double burstiness = 0, quick = 0, overlap = 0, night = 0, busiest_hour = 0, hours = 0;

  const AmountHistogram& of(UseWindow window, UseMeter meter) const {
    return use[static_cast<std::size_t>(window)][static_cast<std::size_t>(meter)];
  }
};

class UseBook {
 public:
  static constexpr std::size_t kMaxConsumers = 200'000;
  static constexpr std::size_t kMaxGroups = 64;

  explicit UseBook(const Policy& policy, ServiceTime service = {});

  // An error: the row is earlier than the one before.
  Result<void> add(const TraceRow& row);
  void finish();

  const std::vector<GroupUse>& groups() const { return groups_; }  // by tier and kind after finish()
  const std::vector<ConsumerUse>& consumers() const { return consumers_; }
  // Place of the row's consumer in consumers(); consumers().size(): not counted.
  std::size_t find(const TraceRow& row) const;
  std::int64_t requests() const { return requests_; }
  std::int64_t uncounted() const { return uncounted_; }
  TimeNs first() const { return first_; }
  TimeNs last() const { return last_; }

 private:
  ConsumerUse* consumer_of(const TraceRow& row);
  std::size_t group_of(std::string_view tier, std::string_view kind);
  void close(const ConsumerUse& consumer, UseWindow window);
  void note_own_amounts(const TraceRow& row, ConsumerUse& consumer) const;
  void sort_groups();
  void judge_shapes();

  const Policy& policy_;
  ServiceTime service_;
  RowRequest request_;
  std::vector<GroupUse> groups_;
  std::vector<ConsumerUse> consumers_;
  std::unordered_map<std::uint64_t, std::uint32_t> index_;  // by caller, to its first group
  RecordedRuns runs_;
  std::int64_t requests_ = 0, uncounted_ = 0;
  TimeNs first_ = 0, last_ = 0;
};

}  // namespace weir
