// Sums by hour of the rows of one transaction, and the hours of their runs: what many rows share is written once.
//
//   HourSums sums(noted);
//   for (const UsageRow& row : rows) sums.add(row);       // which outlive it
//   if (!sums.write(upsert, reopen, run)) …               // of hour_sums_sql(), day_reopen_sql(), run_hour_sql()
//
// Belongs to src/records and to one transaction; bounded by its rows.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/usage.h"
#include "records/sqlite.h"

namespace weir {

std::string hour_sums_sql();
std::string day_reopen_sql();
std::string run_hour_sql();
// Of the rows of a file that had no sums, in a transaction of the caller's. Hour by hour: grouping all rows at once
// would sort them in a temporary file as large as the ledger.
Result<void> sum_existing_hours(Database& db);
Result<void> note_existing_runs(Database& db);

// Which runs are known to have rows in the newest hour: by number, so that requests which are runs of their own cost
// next to nothing once all numbers of the hour are taken. What was not committed must be forgotten.
class NotedRuns {
 public:
  static constexpr std::uint64_t kMaxNumbers = 16'384;  // in an hour; runs may share one
  static std::int64_t number_of(std::string_view run);

  // False if it was noted before.
  bool add(std::int64_t hour, std::int64_t number);
  void forget() { hour_ = -1; }

 private:
  std::int64_t hour_ = -1;
  std::vector<bool> numbers_;
};

class HourSums {
 public:
  explicit HourSums(NotedRuns& noted) : noted_(noted) {}
  void add(const UsageRow& row);
  bool write(Statement& upsert, Statement& reopen, Statement& run) const;

 private:
  static constexpr std::size_t kSums = 9;
  // The first row of a group stands for it.
  struct GroupOf {
    std::size_t operator()(const UsageRow* row) const;
    bool operator()(const UsageRow* a, const UsageRow* b) const;
  };
  std::set<std::int64_t> days_;  // whose sums hold no more
  std::unordered_map<const UsageRow*, std::array<std::int64_t, kSums>, GroupOf, GroupOf> groups_;
  NotedRuns& noted_;
  std::vector<std::pair<std::int64_t, std::int64_t>> runs_;  // hour and number, not noted before
};

}  // namespace weir
