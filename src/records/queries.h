// What the admin API asks of the records: pages of rows, newest first; sums and series by hour.
//
//   RecordQueries ask(store);
//   Result<UsagePage> page = ask.usage({.since = now - kDay, .until = now, .key = "alice"}, {.size = 100});
//   page = ask.usage(filter, {.size = 100, .cursor = page->next});         // until `next` is empty
//   Result<UsageSums> sums = ask.usage_sums(filter, SumBy::kTenant, 50);
//
// Made for one question or many; belongs to the thread of its store, which outlives it. Rows are in the order of time
// and arrival, so that a page shows each row once however many arrive meanwhile. Sums come from `usage_hours` for the
// whole hours (UTC) of a range and from rows for what is cut at its ends, or for groups that hours do not know.
//
// A question may cost `most_steps` steps of SQLite's machine (kMaxQuerySteps: some seconds of one core; steps and not
// seconds, so that the same question has the same answer twice). One that costs more fails and says what to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "records/store.h"

namespace weir {

inline constexpr std::int64_t kMaxQuerySteps = 200'000'000;
inline constexpr std::size_t kMaxQueryPage = 1000;       // rows; more are not given at once
inline constexpr std::size_t kMaxSumGroups = 200'000;    // that are told apart while summing
inline constexpr std::size_t kMaxSeriesPoints = 20'000;  // steps of a series times its groups

inline constexpr std::string_view kReadsTooMuch = "the question reads too much; narrow the range";
// True if another question could be answered: this one read too much, or its cursor is none.
bool asker_can_mend(const Error& error);

// [since, until); empty names ask for all.
struct UsageFilter {
  TimeNs since = 0, until = std::numeric_limits<TimeNs>::max();
  std::string key, tenant, user, tier, model, provider;
  std::string agent, run, conversation;   // hours do not know these: questions with them read rows
  std::vector<std::string> without = {};  // of key … provider: those that have none
};
struct AuditFilter {
  TimeNs since = 0, until = std::numeric_limits<TimeNs>::max();
  std::optional<AuditEvent> event;
  bool decisions = false;  // without what operators changed
  std::string layer, limit, user, tool, run;
  std::string request_id;  // no index has it: the rows of the range are read
  std::string key;         // also of what an operator changed about that key
};

// What is said where a request id finds nothing in the audit.
inline constexpr std::string_view kNoSuchRequest =
    "not found: a row comes about half a second after its refusal; of a user's refusals beyond 20 a second, which are "
    "summed, only the first one's id is kept; a request that was admitted is in the ledger";

struct PageAsk {
  std::size_t size = 100;
  std::string cursor;  // of the page before; empty: the first
};
struct UsagePage {
  std::vector<UsageRow> rows;
  std::string next;  // empty: this was the last
};
struct AuditPage {
  std::vector<AuditRow> rows;
  std::string next;
};

enum class SumBy : std::uint8_t {
  kAll,
  kKey,
  kTenant,
  kUser,
  kTier,
  kModel,
  kProvider,
  kAgent,
  kRun,
  kUtcDay,
  kUtcHour
};
std::optional<SumBy> sum_by_from(std::string_view word);  // "key" … "hour"

struct UsageSums {
  std::vector<UsageSum> sums;  // by dollars, then requests; the rest in a last one that `others` counts
  std::int64_t others = 0;     // groups in the last sum, 0: it is a group like any other
  UsageSum total;
};

struct SeriesGroup {
  std::string group;
  bool rest = false;  // of all groups beyond the largest
  std::vector<std::int64_t> requests, tokens, usd_micros;
  std::vector<std::int64_t> refused;  // empty: of such groups or filters it is not known
};
struct UsageSeries {
  std::vector<TimeNs> times;  // where the steps begin: whole hours or days of UTC, the first one whole
  std::vector<SeriesGroup> groups;
};

enum class AuditBy : std::uint8_t { kLimit, kLayer, kKey, kEvent };
struct AuditCount {
  std::string group;
  std::int64_t count = 0;  // of events: a row that stands for several counts as so many
};

struct HourSpend {
  std::int64_t hour = 0;  // since 1970
  std::int64_t usd_micros = 0;
};

// A run as the ledger knows it: the requests of one key with this run's name, none longer idle than a run may be. Used
// again after that it is another run of the same name.
struct RunSum {
  std::string key, tenant, user, agent, run;
  TimeNs first = 0, last = 0;
  std::int64_t requests = 0, llm_calls = 0, tool_calls = 0, tokens = 0, usd_micros = 0;
  std::int32_t depth = 0;          // of its deepest request
  std::vector<std::string> flags;  // breakers that spoke up in it
};
inline constexpr std::size_t kMaxRankedRunRows = 200'000;  // that are added up to sort runs by cost
struct RunFilter {
  TimeNs since = 0, until = std::numeric_limits<TimeNs>::max();
  std::string key, agent;
  bool flagged = false;
  bool single = true;    // also runs of one request that no breaker spoke up in
  bool by_cost = false;  // flagged ones first, then by dollars; of the newest `ranked_rows`
  std::size_t ranked_rows = kMaxRankedRunRows;
  std::function<bool(const std::string& key, const std::string& run, TimeNs last)> wanted = {};  // null: all
  DurationNs idle = kHour;
};
struct RunsPage {
  std::vector<RunSum> runs;  // last used first, if nothing else was asked
  std::string next;
  TimeNs ranked_since = 0;  // by cost: only requests after this were added up; 0: all were
};
inline constexpr std::size_t kMaxRunRows = 1'000'000;  // that are looked through for a page of runs
struct RunCalls {
  RunSum sum;
  std::vector<UsageRow> calls;  // oldest first, the last kMaxQueryPage of them
};

class RecordQueries {
 public:
  explicit RecordQueries(Store& store, std::int64_t most_steps = kMaxQuerySteps)
      : impl_(*store.impl_), most_steps_(most_steps) {}

  Result<UsagePage> usage(const UsageFilter& filter, const PageAsk& ask);
  Result<AuditPage> audit(const AuditFilter& filter, const PageAsk& ask);

  // The largest `top` groups and the rest.
  Result<UsageSums> usage_sums(const UsageFilter& filter, SumBy by, std::size_t top);
  // `step`: kHour or kDay. The first step is whole although the range may begin in it.
  Result<UsageSeries> usage_series(const UsageFilter& filter, SumBy by, DurationNs step, std::size_t top);
  // Largest first. `decisions`: without what operators changed.
  Result<std::vector<AuditCount>> audit_sums(TimeNs since, TimeNs until, AuditBy by, bool decisions = false);

  Result<RunsPage> runs(const RunFilter& filter, const PageAsk& ask);
  // The last one of this name; `key` empty: whoever's.
  Result<std::optional<RunCalls>> run(const RunFilter& filter, const std::string& name);

  // Dollars of hours that had any, oldest first, from the hour of `since` to before that of `until`. `tenant` empty:
  // all.
  Result<std::vector<HourSpend>> spend_by_hour(TimeNs since, TimeNs until, std::string_view tenant);

 private:
  struct Sink;
  struct Life;
  struct RunScan;
  Result<void> scan_runs(RunScan& scan);
  Result<void> find_last(const RunFilter& filter, Life& life);
  Result<void> find_life(const RunFilter& filter, Life& life);
  Result<void> add_rows(const Life& life, RunSum& sum, std::vector<UsageRow>* calls);
  Result<void> add_flags(std::span<RunSum> runs, DurationNs idle);
  Result<std::vector<std::string>> flagged_runs(const RunFilter& filter);
  Result<void> sum_hours(const UsageFilter& filter, std::int64_t first, std::int64_t end, SumBy by, Sink& sink);
  Result<void> sum_rows(const UsageFilter& filter, SumBy by, Sink& sink);
  Result<void> sum_whole(const UsageFilter& filter, std::int64_t first, std::int64_t end, SumBy by, bool days,
                         Sink& sink);
  // `days`: nobody asks at which hour.
  Result<void> sum_range(const UsageFilter& filter, SumBy by, bool days, Sink& sink);
  Result<void> add_refusals(const UsageFilter& filter, SumBy by, DurationNs step, UsageSeries& series);

  Store::Impl& impl_;
  const std::int64_t most_steps_;
};

}  // namespace weir
